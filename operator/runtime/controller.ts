import type { Logger } from '../../shared/log.ts';
import { type Backoff, backoffMs } from './backoff.ts';
import { type Clock, systemClock } from './clock.ts';
import { ApiError, TerminalError } from './errors.ts';
import { WorkQueue } from './queue.ts';

export { TerminalError };

/** Nothing, or when to look at the key again at the latest, in milliseconds. */
// biome-ignore lint/suspicious/noConfusingVoidType: an async function without a return is a reconciler
export type Result = void | { requeueAfter: number };

export interface ControllerOptions {
  name: string;
  /** Brings the world closer to what the key's object asks for. The signal aborts on stop and on the time limit. */
  reconcile: (key: string, signal: AbortSignal) => Promise<Result>;
  /** How many keys at a time; never the same key twice. */
  workers?: number;
  /** A reconcile that takes longer is aborted and tried again. */
  timeoutMs?: number;
  backoff?: Backoff;
  log: Logger;
  clock?: Clock;
  random?: () => number;
}

/** Runs `reconcile` for keys that are enqueued, and again after errors, until it is stopped. */
export class Controller {
  readonly #options: Required<ControllerOptions>;
  readonly #log: Logger;
  readonly #queue: WorkQueue;
  readonly #failures = new Map<string, number>();

  constructor(options: ControllerOptions) {
    this.#options = {
      workers: 1,
      timeoutMs: 120_000,
      backoff: { baseMs: 50, capMs: 60_000 },
      clock: systemClock,
      random: Math.random,
      ...options,
    };
    this.#log = options.log.child({ controller: options.name });
    this.#queue = new WorkQueue(this.#options.clock);
  }

  /** Keys that wait for a worker. */
  get depth(): number {
    return this.#queue.depth;
  }

  /** `after` in milliseconds: the earliest of several counts, and a run in between takes its place. */
  enqueue(key: string, { after = 0 } = {}): void {
    this.#queue.addAfter(key, after);
  }

  /** Resolves once stopped by the signal and the reconciles under way have come to their end. */
  async start(signal: AbortSignal): Promise<void> {
    const close = () => this.#queue.close();
    if (signal.aborted) close();
    signal.addEventListener('abort', close, { once: true });
    await Promise.all(Array.from({ length: this.#options.workers }, () => this.#work(signal)));
  }

  async #work(stop: AbortSignal): Promise<void> {
    for (let key = await this.#queue.take(); key !== undefined; key = await this.#queue.take()) {
      await this.#run(key, stop);
      this.#queue.done(key);
    }
  }

  async #run(key: string, stop: AbortSignal): Promise<void> {
    const { reconcile, timeoutMs, clock } = this.#options;
    const limit = new AbortController();
    const cancel = clock.after(timeoutMs, () => {
      // Logged here too: a reconcile that heeds no signal holds its key, and that must not be silent.
      this.#log.warn({ key, timeoutMs }, 'reconcile takes too long, aborting it');
      limit.abort(new Error(`the reconcile of ${key} took longer than ${timeoutMs} ms`));
    });
    try {
      const result = await reconcile(key, AbortSignal.any([stop, limit.signal]));
      this.#failures.delete(key);
      if (result) this.#queue.addAfter(key, result.requeueAfter);
    } catch (err) {
      if (!stop.aborted) this.#retry(key, err);
    } finally {
      cancel();
    }
  }

  #retry(key: string, err: unknown): void {
    const { backoff, random } = this.#options;
    const failures = this.#failures.get(key) ?? 0;
    if (err instanceof TerminalError) {
      this.#failures.delete(key);
      this.#log.error({ key, err }, 'reconcile failed for good, waiting for the object to change');
      return;
    }
    this.#failures.set(key, failures + 1);
    if (failures === 0 && ApiError.is(err, 'Conflict')) {
      this.#log.debug({ key }, 'the object has changed meanwhile, reconciling again');
      this.#queue.add(key);
      return;
    }
    const asked = err instanceof ApiError ? err.retryAfter : 0;
    const retryInMs = Math.round(Math.max(asked, backoffMs(backoff, failures, random)));
    this.#log.warn({ key, err, failures: failures + 1, retryInMs }, 'reconcile failed, trying again');
    this.#queue.addAfter(key, retryInMs);
  }
}
