/** A token bucket: `burst` at once, `perSecond` on average. `now` in ms, monotonic. */
export class Bucket {
  readonly #burst: number;
  readonly #perMs: number;
  #level: number;
  #at: number;

  constructor(burst: number, perSecond: number, now: number) {
    this.#burst = burst;
    this.#perMs = perSecond / 1000;
    this.#level = burst;
    this.#at = now;
  }

  /** False when there is not enough left; nothing is taken then. */
  take(cost: number, now: number): boolean {
    this.#level = Math.min(this.#burst, this.#level + (now - this.#at) * this.#perMs);
    this.#at = now;
    if (cost > this.#level) return false;
    this.#level -= cost;
    return true;
  }
}
