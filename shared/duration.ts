// Durations as the API takes them: 48h, 7d, 1h30m, 500ms.

const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
type Unit = keyof typeof units;

const syntax = /^(\d+(\.\d+)?(ms|s|m|h|d))+$/;
const part = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/g;

/**
 * Milliseconds, rounded up: what is to be kept for a time is never kept for less. A day is 24 hours.
 * @throws RangeError when it is no duration, or one too long to count in
 */
export function parseDuration(text: string): number {
  if (!syntax.test(text))
    throw new RangeError(`"${text}" is no duration: write one such as 48h, 1h30m or 7d`);
  let sum = 0;
  for (const [, count, unit] of text.matchAll(part)) sum += Number(count) * units[unit as Unit];
  const milliseconds = Math.ceil(sum);
  if (!Number.isSafeInteger(milliseconds)) throw new RangeError(`the duration "${text}" is too long`);
  return milliseconds;
}

/** The shortest text of which `parseDuration` makes the same number: 90 minutes are 1h30m, two days 2d. */
export function formatDuration(milliseconds: number): string {
  if (!Number.isSafeInteger(milliseconds) || milliseconds < 0) {
    throw new RangeError(`${milliseconds} is no number of milliseconds`);
  }
  let rest = milliseconds;
  let text = '';
  for (const unit of ['d', 'h', 'm', 's', 'ms'] as const) {
    const count = Math.floor(rest / units[unit]);
    rest -= count * units[unit];
    if (count > 0) text += `${count}${unit}`;
  }
  return text || '0s';
}
