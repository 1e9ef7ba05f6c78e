import { systemClock } from './clock.ts';

export interface Backoff {
  baseMs: number;
  capMs: number;
}

/** Exponential with full jitter: anything up to base·2^failures, never above the cap. `failures` counts from 0. */
export function backoffMs({ baseMs, capMs }: Backoff, failures: number, random: () => number): number {
  return random() * Math.min(capMs, baseMs * 2 ** Math.min(failures, 52));
}

/** Returns early, without an error, when aborted. */
export function pause(ms: number, signal: AbortSignal, clock = systemClock): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = () => {
    cancel();
    signal.removeEventListener('abort', wake);
    resolve();
  };
  const cancel = clock.after(ms, wake);
  signal.addEventListener('abort', wake);
  if (signal.aborted) wake();
  return promise;
}
