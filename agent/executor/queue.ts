// The operator's requests, taken from the desired state: each is tried until it is done, has failed for good, or is no
// longer wanted. One after another; one that waits does not hold up the others.
import type { Logger } from '../../shared/log.ts';
import type { RequestUpdateInput } from '../../shared/proto/gen/jvs/link/v1/RequestUpdate.ts';
import { Emitter } from '../emitter.ts';
import { type Volume, VolumeUnavailable } from '../volume/volume.ts';
import {
  afterFailure,
  keyOf,
  mergeRequests,
  planNext,
  type Request,
  type RequestState,
  type Requests,
} from './plan.ts';

/** A word on the request that runs; the operator keeps the latest. */
export type Report = (word: Omit<RequestUpdateInput, 'uid' | 'phase'>) => void;

/** Most snapshots are done sooner, and nobody needs to hear that they have begun. Milliseconds. */
const sayAfterMs = 200;

export interface QueueOptions {
  /** Carries a request out; gives the last word on it where there has to be one. */
  perform: (request: Request, report: Report) => Promise<RequestUpdateInput | undefined>;
  volume: Volume;
  log: Logger;
  random: () => number;
}

export class Queue {
  /** New words on requests; undefined: the word before is void, the inventory has the outcome. */
  readonly updates = new Emitter<[uid: string, update: RequestUpdateInput | undefined]>();
  readonly #options: QueueOptions;
  readonly #unsubscribe: () => void;
  #requests: Requests = new Map();
  #active = false;
  #running = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#unsubscribe = options.volume.changes.subscribe((now, before) => {
      if (now.info !== before.info || now.problem !== before.problem) this.#advance();
    });
  }

  get requests(): Requests {
    return this.#requests;
  }

  /** Replaces what was wanted before. One that is no longer wanted may finish. Works only while `active`. */
  want(requests: readonly Request[], active: boolean): void {
    this.#requests = mergeRequests(this.#requests, requests);
    this.#active = active;
    this.#advance();
  }

  stop(): void {
    this.#active = false;
    this.#unsubscribe();
    clearTimeout(this.#timer);
  }

  #advance(): void {
    clearTimeout(this.#timer);
    if (this.#running || !this.#active) return;
    const { volume } = this.#options;
    // Not the time of day: a clock that is set holds nothing up.
    const now = performance.now();
    const next = planNext(this.#requests, now);
    if (!next) return;
    if ('wakeAt' in next) {
      this.#timer = setTimeout(() => this.#advance(), next.wakeAt - now);
    } else if (volume.state.info) {
      this.#running = true;
      void this.#execute(next.run).finally(() => {
        this.#running = false;
        this.#advance();
      });
    } else if (volume.state.problem) {
      // Nothing can run until it opens; then `changes` leads here again.
      const unavailable = new VolumeUnavailable(volume.state.problem);
      for (const state of this.#requests.values()) {
        if (state.phase === 'queued' || state.phase === 'waiting') this.#fail(state, unavailable);
      }
    }
  }

  async #execute(state: RequestState): Promise<void> {
    const { request } = state;
    const { log, perform } = this.#options;
    const { uid } = request.asked;
    const about = {
      uid,
      kind: request.kind,
      ...('name' in request.asked && { request: request.asked.name }),
    };
    const running: RequestState = { ...state, phase: 'running' };
    let word: RequestUpdateInput = { uid, phase: 'PHASE_IN_PROGRESS' };
    // A retry says that it is in progress when it is: not before it has got past what stopped the last one.
    let underWay = state.attempts === 0;
    let lasts = request.kind !== 'snapshot';
    const say = () => {
      this.#set(underWay && lasts ? { ...running, update: word } : running);
    };
    say();
    const timer = setTimeout(() => {
      lasts = true;
      say();
    }, sayAfterMs);
    try {
      const update = await perform(request, (more) => {
        word = { ...word, ...more };
        underWay = true;
        say();
      });
      this.#set({ ...state, phase: 'done', update });
      log.info(about, 'request done');
    } catch (err) {
      log.warn({ ...about, err }, 'request not done');
      this.#fail({ ...state, update: word }, err);
    } finally {
      clearTimeout(timer);
    }
  }

  #fail(state: RequestState, error: unknown): void {
    this.#set(afterFailure(state, error, performance.now(), this.#options.random));
  }

  /** Remembers it, unless it is no longer wanted, and tells who listens. */
  #set(state: RequestState): void {
    const key = keyOf(state.request);
    const before = this.#requests.get(key);
    if (!before) return;
    this.#requests = new Map(this.#requests).set(key, state);
    const { uid } = state.request.asked;
    if (JSON.stringify(before.update) !== JSON.stringify(state.update)) this.updates.emit(uid, state.update);
  }
}
