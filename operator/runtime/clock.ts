/** Time, so that tests can bring their own. */
export interface Clock {
  /** Milliseconds that only ever grow; not the time of day. */
  now(): number;
  /** Calls `run` once after `ms`; the function returned cancels. */
  after(ms: number, run: () => void): () => void;
}

// Node's timers wrap round above this and fire at once; whoever waits longer looks again.
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, Math.min(ms, MAX_TIMEOUT_MS));
    return () => clearTimeout(timer);
  },
};
