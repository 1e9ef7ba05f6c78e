import { setTimeout as wait } from 'node:timers/promises';

/** Time as upkeep has it, so that tests can let it pass. */
export interface Clock {
  now(): Date;
  /** Milliseconds; resolves early when the signal aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

/** Whether `now` is less than `ms` from `at`, all in milliseconds; a clock that was set back in between puts nothing off for longer. */
export const isLately = (at: number, now: number, ms: number): boolean => Math.abs(now - at) < ms;

export const systemClock: Clock = {
  now: () => new Date(),
  sleep: (milliseconds, signal) => wait(milliseconds, undefined, { signal }).catch(() => {}),
};
