/** Values to whoever subscribed, in order of subscription, synchronously. Handlers must not throw. */
export class Emitter<T extends unknown[]> {
  readonly #handlers = new Set<(...values: T) => void>();

  /** Returns the function that ends the subscription. */
  subscribe(handler: (...values: T) => void): () => void {
    this.#handlers.add(handler);
    return () => {
      this.#handlers.delete(handler);
    };
  }

  emit(...values: T): void {
    for (const handler of [...this.#handlers]) handler(...values);
  }

  get size(): number {
    return this.#handlers.size;
  }
}
