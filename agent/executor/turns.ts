// One operation at a time on the volume, first come, first served; each can be cancelled, and is told of.
import { Emitter } from '../emitter.ts';
import type { Events } from '../events.ts';
import { Exclusive } from '../exclusive.ts';
import { type Progress, RepositoryError } from '../repository/repository.ts';

const progressIntervalMs = 250;
/** After the grace period, so long for what has to be put in order again. */
const afterGraceMs = 1000;

export type Operation = 'snapshot' | 'restore' | 'fork' | 'delete';

/** What an operation is about, as watchers are told. */
export interface Subject {
  operation: Operation;
  /** Of the request; empty where the operator did not ask. */
  uid: string;
  worktree: string;
}

/** What an operation gets that has its turn. */
export interface Turn {
  readonly signal: AbortSignal;
  /** Aborts when not even that may go on which follows a cancellation: the agent is about to be killed. */
  readonly over: AbortSignal;
  /** Publishes progress of a part of it, not too often; `report` gets the same. */
  meter(operation: Operation, report?: (progress: Progress) => void): (progress: Progress) => void;
}

export interface TurnOptions extends Subject {
  /** Any of them cancels it, also while it waits. */
  signals: readonly AbortSignal[];
  /** Takes place although everything else is refused: the agent is shutting down. */
  last?: boolean;
  /** Asked when its turn comes. */
  wanted?: () => boolean;
}

export class Turns {
  /** Before each operation, and while it waits for its turn. */
  readonly asked = new Emitter<[]>();
  readonly #events: Events;
  readonly #exclusive = new Exclusive();
  readonly #stopping = new AbortController();
  readonly #abort = new AbortController();
  readonly #over = new AbortController();
  #asides = 0;
  #last: Promise<unknown> | undefined;

  constructor({ events }: { events: Events }) {
    this.#events = events;
  }

  /** Operations that run or wait. */
  get pending(): number {
    return this.#exclusive.pending - this.#asides;
  }

  get stopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** What `work` gives. @throws what it throws; RepositoryError Aborted where it was cancelled or is not begun */
  async take<T>(options: TurnOptions, work: (turn: Turn) => Promise<T>): Promise<T> {
    const { signals, last = false, wanted, ...subject } = options;
    const signal = AbortSignal.any([this.#abort.signal, ...signals]);
    this.asked.emit();
    try {
      return await this.#exclusive.run(async () => {
        if (this.stopping && !last) throw new RepositoryError('Aborted', 'the agent is shutting down');
        if (wanted?.() === false) throw new RepositoryError('Aborted', 'it is not wanted any more');
        return work({
          signal,
          over: this.#over.signal,
          meter: (operation, report) => this.#meter({ ...subject, operation }, report),
        });
      }, signal);
    } catch (error) {
      const failure =
        signal.aborted && !(error instanceof RepositoryError)
          ? new RepositoryError('Aborted', `The ${subject.operation} was cancelled`, { cause: error })
          : error;
      const reason = failure instanceof RepositoryError ? failure.reason : 'Internal';
      const message = failure instanceof Error ? failure.message : String(failure);
      const { operation, uid: requestUid } = subject;
      this.#events.publish({ failure: { operation, requestUid, reason, message } });
      throw failure;
    }
  }

  /** In turn with the operations, but no news. @throws what `work` throws; the reason of an abort where it is not begun */
  async aside(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.#asides++;
    try {
      await this.#exclusive.run(() => work(this.#abort.signal), this.#stopping.signal);
    } finally {
      this.#asides--;
    }
  }

  /** Resolves when nothing changes the volume, or waits to. */
  async idle(): Promise<void> {
    while (this.#exclusive.pending) await this.#exclusive.idle();
  }

  /**
   * Lets what runs finish, then what `last` does, all within `graceMs`; then aborts it. Nothing else starts. Safe to
   * call again, with less grace: `last` is called once, also when no time is left for what it takes, as it says so.
   */
  async stop(graceMs: number, last?: () => Promise<unknown>): Promise<void> {
    this.#stopping.abort();
    const timers = [
      setTimeout(() => this.#abort.abort(), graceMs),
      setTimeout(() => this.#over.abort(), graceMs + afterGraceMs),
    ];
    await this.#exclusive.idle();
    this.#last ??= last?.();
    await this.#last;
    for (const timer of timers) clearTimeout(timer);
  }

  #meter({ operation, uid, worktree }: Subject, report?: (progress: Progress) => void) {
    let reported = Number.NEGATIVE_INFINITY;
    return (progress: Progress) => {
      const now = performance.now();
      if (now - reported < progressIntervalMs) return;
      reported = now;
      this.#events.publish({ progress: { operation, requestUid: uid, worktree, ...progress } });
      report?.(progress);
    };
  }
}
