/** Runs one task at a time, first come, first served. */
export class Exclusive {
  #tail: Promise<unknown> = Promise.resolve();
  #pending = 0;

  /** Tasks that run or wait. */
  get pending(): number {
    return this.#pending;
  }

  /** What `task` gives or throws; a signal that aborts while waiting keeps it from starting. */
  async run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    this.#pending++;
    const turn = this.#tail.then(() => {
      signal?.throwIfAborted();
      return task();
    });
    this.#tail = turn
      .catch(() => {}) // the caller has it
      .finally(() => {
        this.#pending--;
      });
    return turn;
  }

  /** Resolves when everything asked for until now has ended. */
  async idle(): Promise<void> {
    await this.#tail;
  }
}
