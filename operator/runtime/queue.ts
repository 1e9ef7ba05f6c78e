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
  #open = true;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Keys that wait for a worker now. */
  get depth(): number {
    return this.#ready.size + this.#again.size;
  }

  add(key: string): void {
    this.#cancelDelay(key);
    if (this.#working.has(key)) this.#again.add(key);
    else {
      this.#ready.add(key);
      this.#serve();
    }
  }

  /** Of several delays of a key the one that ends first counts. */
  addAfter(key: string, ms: number): void {
    if (ms <= 0 || !this.#open) {
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

  /** Waits for a key; undefined while the queue is closed. Every key taken must be given to `done`. */
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

  /** Sends the takers home and runs no timers. What waits, delayed or not, is handed out when it is opened again. */
  close(): void {
    this.#open = false;
    for (const key of [...this.#delayed.keys()]) this.add(key);
    this.#serve();
  }

  open(): void {
    this.#open = true;
    this.#serve();
  }

  #serve(): void {
    while (this.#takers.length > 0 && (!this.#open || this.#ready.size > 0)) {
      const [key] = this.#open ? this.#ready : [];
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
