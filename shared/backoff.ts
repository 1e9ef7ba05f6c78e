export interface Backoff {
  baseMs: number;
  capMs: number;
}

/** Exponential with full jitter: anything up to base·2^failures, never above the cap. `failures` counts from 0. */
export function backoffMs(
  { baseMs, capMs }: Backoff,
  failures: number,
  random: () => number = Math.random,
): number {
  return random() * Math.min(capMs, baseMs * 2 ** Math.min(failures, 52));
}
