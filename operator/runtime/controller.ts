import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Backoff, backoffMs } from '../../shared/backoff.ts';
import type { Logger } from '../../shared/log.ts';
import { type Clock, systemClock } from './clock.ts';
import { ApiError, TerminalError, Unreachable } from './errors.ts';
import { pause } from './pause.ts';
import { WorkQueue } from './queue.ts';

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

const OUTAGE_BACKOFF = { baseMs: 100, capMs: 5_000 };
/** All workers together, before everything else has its turn of the event loop. */
const TURN_MS = 5;

/**
 * Runs `reconcile` for keys that are enqueued, and again after errors, until it is stopped. After a TerminalError the
 * key waits until it is enqueued again; after a first conflict it is run again at once; else it backs off. While the
 * API server is unreachable, which is no key's fault, the workers hold back instead, and go on with everything as
 * soon as it is there again.
 */
export class Controller {
  readonly #options: Required<ControllerOptions>;
  readonly #log: Logger;
  readonly #queue: WorkQueue;
  readonly #failures = new Map<string, number>();
  /** When the first reconcile of this turn of the event loop ended. */
  #turnSince: number | undefined;

  constructor(options: ControllerOptions) {
    this.#options = {
      workers: 1,
      timeoutMs: 120_000,
      backoff: { baseMs: 50, capMs: 30_000 },
      clock: systemClock,
      random: Math.random,
      ...options,
    };
    this.#log = options.log.child({ controller: options.name });
    this.#queue = new WorkQueue(this.#options.clock);
  }

  get name(): string {
    return this.#options.name;
  }

  /** Keys that wait for a worker. */
  get depth(): number {
    return this.#queue.depth;
  }

  /** `after` in milliseconds: the earliest of several counts, and a run in between takes its place. */
  enqueue(key: string, { after = 0 } = {}): void {
    this.#queue.addAfter(key, after);
  }

  /**
   * Resolves once stopped by the signal and the reconciles under way have come to their end. It may be started again
   * then: what was enqueued meanwhile, was waiting or was interrupted is looked at first.
   */
  async start(signal: AbortSignal): Promise<void> {
    this.#failures.clear();
    this.#queue.open();
    const close = () => this.#queue.close();
    if (signal.aborted) close();
    signal.addEventListener('abort', close, { once: true });
    await Promise.all(Array.from({ length: this.#options.workers }, () => this.#work(signal)));
  }

  async #work(stop: AbortSignal): Promise<void> {
    const { random, clock } = this.#options;
    let outages = 0;
    for (let key = await this.#queue.take(); key !== undefined; key = await this.#queue.take()) {
      const answered = await this.#run(key, stop);
      this.#queue.done(key);
      outages = answered ? 0 : outages + 1;
      if (!answered) await pause(backoffMs(OUTAGE_BACKOFF, outages, random), stop, clock);
      else await this.#giveWay();
    }
  }

  /**
   * Reconciles that find nothing to do wait for nothing: thousands of them, as after a start, would hold up all else that
   * the process does, the renewal of its lease too.
   */
  async #giveWay(): Promise<void> {
    const now = performance.now();
    if (this.#turnSince === undefined) {
      this.#turnSince = now;
      setImmediate(() => {
        this.#turnSince = undefined;
      });
    } else if (now - this.#turnSince > TURN_MS) await nextTurn();
  }

  /** False when the API server could not be reached. */
  async #run(key: string, stop: AbortSignal): Promise<boolean> {
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
      if (stop.aborted) {
        this.#queue.add(key);
        return true;
      }
      if (Unreachable.isCauseOf(err)) {
        this.#log.warn({ key, err }, 'the API server is unreachable, waiting for it');
        this.#queue.add(key);
        return false;
      }
      this.#retry(key, err);
    } finally {
      cancel();
    }
    return true;
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
