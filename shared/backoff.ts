export interface Backoff {
  baseMs: number;
  capMs: number;
}

/** Exponential with full jitter: anything up to base·2^failures, never above the cap. `failures` counts from 0. */
export function backoffMs(backoff: Backoff, failures: number, random: () => number = Math.random): number {
  return random() * delayMs(backoff, failures);
}

/** The most of it: base·2^failures, never above the cap. `failures` counts from 0. */
export function delayMs({ baseMs, capMs }: Backoff, failures: number): number {
  return Math.min(capMs, baseMs * 2 ** Math.min(failures, 52));
}
