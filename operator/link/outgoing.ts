/** The writing side of a gRPC stream, as far as it is used here. */
export interface Writer<T> {
  write(message: T, done: (error?: Error | null) => void): unknown;
}

/**
 * At most one message under way and one waiting, however slowly the agent reads: a state that has not left yet is
 * replaced by the next.
 */
export class Outgoing<T> {
  readonly #writer: Writer<T>;
  #busy = false;
  #waiting: T | undefined;
  #closed = false;

  constructor(writer: Writer<T>) {
    this.#writer = writer;
  }

  send(message: T): void {
    if (this.#closed) return;
    if (this.#busy) {
      this.#waiting = message;
      return;
    }
    this.#busy = true;
    this.#writer.write(message, () => {
      this.#busy = false;
      const next = this.#waiting;
      this.#waiting = undefined;
      if (next !== undefined) this.send(next);
    });
  }

  close(): void {
    this.#closed = true;
    this.#waiting = undefined;
  }
}
