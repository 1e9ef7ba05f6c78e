import { setTimeout as wait } from 'node:timers/promises';

/** Time as upkeep has it, so that tests can let it pass. */
export interface Clock {
  now(): Date;
  /** Milliseconds; resolves early when the signal aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => new Date(),
  sleep: (milliseconds, signal) => wait(milliseconds, undefined, { signal }).catch(() => {}),
};
