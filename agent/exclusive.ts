/** Runs one task at a time, first come, first served. */
export class Exclusive {
  #tail: Promise<void> = Promise.resolve();
  #pending = 0;

  /** Tasks that run or wait. */
  get pending(): number {
    return this.#pending;
  }

  /** What `task` gives or throws; a signal that aborts while waiting keeps it from starting, and its place is free. */
  async run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.#tail;
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    this.#tail = before.then(() => over);
    this.#pending++;
    try {
      await unlessAborted(before, signal);
      return await task();
    } finally {
      this.#pending--;
      end();
    }
  }

  /** Resolves when everything asked for until now has ended. */
  async idle(): Promise<void> {
    await this.#tail;
  }
}

async function unlessAborted(turn: Promise<void>, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  const { promise: gaveUp, reject } = Promise.withResolvers<never>();
  const giveUp = () => reject(signal?.reason);
  signal?.addEventListener('abort', giveUp);
  try {
    await Promise.race([turn, gaveUp]);
  } finally {
    signal?.removeEventListener('abort', giveUp);
  }
  signal?.throwIfAborted();
}
