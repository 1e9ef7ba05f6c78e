import { setTimeout } from 'node:timers/promises';

export interface Backoff {
  baseMs: number;
  capMs: number;
}

/** Exponential with full jitter: anything up to base·2^failures, never above the cap. `failures` counts from 0. */
export function backoffMs({ baseMs, capMs }: Backoff, failures: number, random: () => number): number {
  return random() * Math.min(capMs, baseMs * 2 ** Math.min(failures, 52));
}

/** Returns early, without an error, when aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal }).catch(() => {});
}
