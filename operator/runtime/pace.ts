/** How long ago something was done, by a clock that nobody sets. */
export class Pace {
  readonly #last = new Map<string, number>();

  mark(key: string): void {
    this.#last.set(key, performance.now());
  }

  has(key: string): boolean {
    return this.#last.has(key);
  }

  /** Until it may be done again, `interval` after the last time; in milliseconds, none of them left where it is not positive. */
  wait(key: string, interval: number): number {
    const last = this.#last.get(key);
    return last === undefined ? 0 : last + interval - performance.now();
  }

  delete(key: string): void {
    this.#last.delete(key);
  }
}
