/** Lets so many run at once; the others wait for their turn, up to a limit. */
export class Gate {
  readonly #places: number;
  readonly #queue: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(places: number, queue: number) {
    this.#places = places;
    this.#queue = queue;
  }

  /** Throws at once when the queue is full, and when `signal` has fired by the time its turn comes. */
  async run<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.#running >= this.#places) {
      if (this.#waiting.length >= this.#queue) throw new Error(`${this.#queue} are waiting already`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#running += 1;
    try {
      signal.throwIfAborted();
      return await task();
    } finally {
      // The place goes to the next in line without becoming free in between.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running -= 1;
    }
  }
}
