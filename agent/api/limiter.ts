/** A token bucket: `burst` at once, then one every `intervalMs`. Times in milliseconds, given. */
export class RateLimiter {
  readonly #burst: number;
  readonly #intervalMs: number;
  #tokens: number;
  #filledAt: number;

  constructor({ burst, intervalMs, now }: { burst: number; intervalMs: number; now: number }) {
    this.#burst = burst;
    this.#intervalMs = intervalMs;
    this.#tokens = burst;
    this.#filledAt = now;
  }

  /** 0 when the caller may go ahead, else the milliseconds to wait. */
  take(now: number): number {
    const gained = Math.max(0, now - this.#filledAt) / this.#intervalMs;
    this.#tokens = Math.min(this.#burst, this.#tokens + gained);
    this.#filledAt = now;
    if (this.#tokens < 1) return Math.ceil((1 - this.#tokens) * this.#intervalMs);
    this.#tokens--;
    return 0;
  }
}
