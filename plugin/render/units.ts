// Sizes and times in few letters.

const units = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** 512 B, 1.5 KiB, 20.0 GiB. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  // One below the power: 1048575 bytes would be 1024.0 KiB.
  const power = Math.min(units.length, Math.floor(Math.log2(bytes * 1.0001) / 10));
  return `${(bytes / 1024 ** power).toFixed(1)} ${units[power - 1]}`;
}

/** How long ago, as kubectl has it: 45s, 90m, 30h, 12d, 3y; `in 5m` for a time to come; empty for none. */
export function formatAge(time: string | undefined, now: Date): string {
  const seconds = time ? (now.getTime() - Date.parse(time)) / 1000 : Number.NaN;
  if (Number.isNaN(seconds)) return '';
  const age = span(Math.abs(seconds));
  // Clocks differ by a little.
  return seconds < -2 ? `in ${age}` : age;
}

function span(seconds: number): string {
  if (seconds < 120) return `${Math.floor(seconds)}s`;
  if (seconds < 120 * 60) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)}h`;
  if (seconds < 730 * 86_400) return `${Math.floor(seconds / 86_400)}d`;
  return `${Math.floor(seconds / (365 * 86_400))}y`;
}

/** `[████████░░░░░░░░] 50%  1.0 MiB of 2.0 MiB` */
export function progressBar(done: number, total: number, width = 24): string {
  if (total <= 0) return `[${'░'.repeat(width)}]  ${formatBytes(done)}`;
  const part = Math.min(1, done / total);
  const full = Math.floor(part * width);
  const percent = `${Math.floor(part * 100)}%`.padStart(5);
  return `[${'█'.repeat(full)}${'░'.repeat(width - full)}]${percent}  ${formatBytes(done)} of ${formatBytes(total)}`;
}
