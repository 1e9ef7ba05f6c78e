import { type Clock, systemClock } from './clock.ts';

/**
 * A work queue of keys. A key is queued at most once and never handed out twice at a time: what is added while it is
 * being worked on is handed out again afterwards. Order is first come, first served.
 *
 * Whoever takes a key sees the state of the world then, so taking it also uses up a delayed add made before.
 */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #ready = new Set<string>();
  readonly #working = new Set<string>();
  readonly #again = new Set<string>();
  readonly #delayed = new Map<string, { due: number; cancel: () => void }>();
  readonly #takers: ((key: string | undefined) => void)[] = [];
  #closed = false;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Keys that wait for a worker now. */
  get depth(): number {
    return this.#ready.size + this.#again.size;
  }

  add(key: string): void {
    if (this.#closed) return;
    this.#cancelDelay(key);
    if (this.#working.has(key)) this.#again.add(key);
    else {
      this.#ready.add(key);
      this.#serve();
    }
  }

  /** Of several delays of a key the one that ends first counts. */
  addAfter(key: string, ms: number): void {
    if (this.#closed) return;
    if (ms <= 0) {
      this.add(key);
      return;
    }
    if (this.#ready.has(key) || this.#again.has(key)) return;
    const due = this.#clock.now() + ms;
    const earlier = this.#delayed.get(key);
    if (earlier && earlier.due <= due) return;
    earlier?.cancel();
    const wake = () => {
      this.#delayed.delete(key);
      this.addAfter(key, due - this.#clock.now());
    };
    this.#delayed.set(key, { due, cancel: this.#clock.after(ms, wake) });
  }

  /** Waits for a key; undefined once the queue is closed. Every key taken must be given to `done`. */
  take(): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    this.#takers.push(resolve);
    this.#serve();
    return promise;
  }

  done(key: string): void {
    this.#working.delete(key);
    if (this.#again.delete(key)) this.add(key);
  }

  /** Forgets what waits and sends the takers home. */
  close(): void {
    this.#closed = true;
    for (const { cancel } of this.#delayed.values()) cancel();
    this.#delayed.clear();
    this.#ready.clear();
    this.#again.clear();
    this.#serve();
  }

  #serve(): void {
    while (this.#takers.length > 0 && (this.#closed || this.#ready.size > 0)) {
      const [key] = this.#ready;
      if (key !== undefined) {
        this.#ready.delete(key);
        this.#working.add(key);
      }
      this.#takers.shift()?.(key);
    }
  }

  #cancelDelay(key: string): void {
    this.#delayed.get(key)?.cancel();
    this.#delayed.delete(key);
  }
}
