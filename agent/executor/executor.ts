// Everything that changes the volume goes through here, one operation at a time: the operator's requests, taken from
// the desired state, and what containers of the pod ask for. Exactly once is the engine's promise (the request's tag
// is in the descriptor); this file only has to ask until it has an answer.
import * as z from 'zod/mini';
import type { Logger } from '../../shared/log.ts';
import type { Role } from '../../shared/proto/gen/jvs/agent/v1/Role.ts';
import type { DesiredState } from '../../shared/proto/gen/jvs/link/v1/DesiredState.ts';
import type { RequestUpdateInput } from '../../shared/proto/gen/jvs/link/v1/RequestUpdate.ts';
import { Emitter } from '../emitter.ts';
import type { Events } from '../events.ts';
import { Exclusive } from '../exclusive.ts';
import { Meters } from '../metrics/meters.ts';
import { type Descriptor, RepositoryError, type SnapshotOptions } from '../repository/repository.ts';
import { selfSnapshots } from '../retention/policy.ts';
import { requestTag } from '../snapshot.ts';
import { type Volume, VolumeUnavailable } from '../volume/volume.ts';
import { afterFailure, mergeRequests, planNext, type RequestState, type Requests } from './plan.ts';

const progressIntervalMs = 250;
/** Calls of containers that may wait behind the operation that runs; the operator's requests always may. */
const mostWaiting = 8;

const engineName = z.enum(['copy', 'reflink-copy', 'juicefs-clone']);

/** Only the primary of several agents on one volume changes it. */
export class NotPrimary extends Error {
  override readonly name = 'NotPrimary';

  constructor() {
    super(
      'This pod is a standby: of several pods on one volume only the primary takes snapshots. ' +
        "Ask the Workspace's primary pod (status.agent.pod), or create a Snapshot resource",
    );
  }
}

/** A container of the pod has taken more snapshots than may be there. */
export class TooManySnapshots extends Error {
  override readonly name = 'TooManySnapshots';

  constructor(count: number) {
    super(
      `${count} snapshots that this pod took of itself are on the volume, and retention may not make room: ` +
        'shorten keepMinAge of retentionPolicy, unpin some, or take fewer',
    );
  }
}

/** More callers wait than it makes sense to keep waiting. */
export class QueueFull extends Error {
  override readonly name = 'QueueFull';
}

export interface ExecutorOptions {
  volume: Volume;
  events: Events;
  log: Logger;
  meters?: Meters;
  now?: () => number;
  random?: () => number;
}

export class Executor {
  /** New words on requests; undefined as second value: the word before is void, the snapshot is there. */
  readonly updates = new Emitter<[uid: string, update: RequestUpdateInput | undefined]>();
  /** What the operator wants, each time that it says so. */
  readonly desired = new Emitter<[DesiredState]>();
  /** Before each operation that changes the volume, and while it waits for its turn. */
  readonly asked = new Emitter<[]>();
  readonly #options: Required<ExecutorOptions>;
  readonly #exclusive = new Exclusive();
  readonly #stopping = new AbortController();
  readonly #unsubscribe: () => void;
  #abort = new AbortController();
  #demoted = new AbortController();
  #role: Role = 'ROLE_UNSPECIFIED';
  #engine = '';
  #requests: Requests = new Map();
  #running = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ExecutorOptions) {
    this.#options = { meters: new Meters(), now: Date.now, random: Math.random, ...options };
    this.#unsubscribe = options.volume.changes.subscribe((now, before) => {
      if (now.info !== before.info || now.problem !== before.problem) this.#advance();
    });
  }

  /** As the operator last said; kept while it is away, the lease on the disk guards against another's. */
  get role(): Role {
    return this.#role;
  }

  /** The latest word on every request that is not done, for an operator that has just connected. */
  pending(): RequestUpdateInput[] {
    if (this.#role !== 'ROLE_PRIMARY') return [];
    return [...this.#requests.values()].flatMap(({ update }) => update ?? []);
  }

  /** Replaces what the operator wanted before. Requests that vanished are dropped; a running one may finish. */
  setDesired(desired: DesiredState): void {
    const { role, engine, snapshots } = desired;
    this.#requests = mergeRequests(this.#requests, snapshots);
    this.#engine = engine;
    const known = engineName.safeParse(engine);
    if (known.success) this.#options.volume.useEngine(known.data);
    if (this.#role !== role) {
      this.#options.log.info({ role }, 'role');
      this.#role = role;
      if (role === 'ROLE_PRIMARY') this.#demoted = new AbortController();
      else this.#demoted.abort();
    }
    this.desired.emit(desired);
    this.#advance();
  }

  /**
   * A snapshot that a container of the pod asked for.
   * @throws NotPrimary, QueueFull, TooManySnapshots, VolumeUnavailable, RepositoryError
   */
  async create(
    options: Pick<SnapshotOptions, 'worktree' | 'note' | 'tags'>,
    signal: AbortSignal,
  ): Promise<Descriptor> {
    if (this.#role === 'ROLE_STANDBY') throw new NotPrimary();
    if (this.#exclusive.pending > mostWaiting) {
      throw new QueueFull(
        `${this.#exclusive.pending} snapshots are already waiting: try again when they are done`,
      );
    }
    const own = this.#options.volume.state.snapshots.filter(({ agent }) => agent?.origin === 'self').length;
    if (own >= selfSnapshots.most) throw new TooManySnapshots(own);
    return this.#snapshot({ ...options, origin: 'self', engine: this.#engineOf('') }, '', [signal]);
  }

  /**
   * A snapshot of the schedule; the tag makes it once, however often it is asked for. `unlessUnchanged`: the head, where
   * nothing has changed since.
   * @throws NotPrimary, VolumeUnavailable, RepositoryError
   */
  async automatic(
    options: Pick<SnapshotOptions, 'note' | 'tags' | 'requestTag' | 'unlessUnchanged'>,
  ): Promise<Descriptor> {
    if (this.#role === 'ROLE_STANDBY') throw new NotPrimary();
    const engine = this.#engineOf('');
    return this.#snapshot({ ...options, worktree: 'main', origin: 'auto', engine }, '', [
      this.#demoted.signal,
    ]);
  }

  /** Gone from the volume when it resolves. @throws NotPrimary, VolumeUnavailable, RepositoryError */
  async delete(id: string): Promise<void> {
    if (this.#role === 'ROLE_STANDBY') throw new NotPrimary();
    const signal = AbortSignal.any([this.#abort.signal, this.#stopping.signal, this.#demoted.signal]);
    this.asked.emit();
    await this.#exclusive.run(() => this.#options.volume.repository.delete(id, { signal }), signal);
  }

  /** Resolves when nothing changes the volume, or waits to. */
  async idle(): Promise<void> {
    while (this.#exclusive.pending) await this.#exclusive.idle();
  }

  /** Lets what runs finish within `graceMs`, then aborts it; nothing new starts. Safe to call again, with less grace. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    this.#unsubscribe();
    clearTimeout(this.#timer);
    const timer = setTimeout(() => this.#abort.abort(), graceMs);
    await this.#exclusive.idle();
    clearTimeout(timer);
  }

  #advance(): void {
    clearTimeout(this.#timer);
    if (this.#running || this.#stopping.signal.aborted || this.#role !== 'ROLE_PRIMARY') return;
    const { volume, now } = this.#options;
    const next = planNext(this.#requests, now());
    if (!next) return;
    if ('wakeAt' in next) {
      this.#timer = setTimeout(() => this.#advance(), next.wakeAt - now());
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
    const { uid, worktree, note, tags, expectedParent, engine } = state.request;
    const { log } = this.#options;
    // A retry says that it is in progress when it is: not before it has got past what stopped the last one.
    const started = { uid, phase: 'PHASE_IN_PROGRESS' } as const;
    this.#set({ ...state, phase: 'running', update: state.attempts ? state.update : started });
    try {
      const descriptor = await this.#snapshot(
        {
          worktree: worktree || 'main',
          note: note || undefined,
          tags,
          engine: this.#engineOf(engine),
          origin: 'manual',
          requestTag: requestTag(uid),
          expectedParent: expectedParent || undefined,
        },
        uid,
        [this.#demoted.signal],
      );
      this.#set({ ...state, phase: 'done', update: undefined });
      log.info({ uid, request: state.request.name, snapshot: descriptor.snapshot_id }, 'request done');
    } catch (error) {
      log.warn({ uid, request: state.request.name, err: error }, 'request not done');
      this.#fail(state, error);
    }
  }

  async #snapshot(options: SnapshotOptions, uid: string, signals: AbortSignal[]): Promise<Descriptor> {
    const { volume, events, meters, now } = this.#options;
    let reported = 0;
    let started = 0;
    this.asked.emit();
    const signal = AbortSignal.any([this.#abort.signal, ...signals]);
    try {
      const descriptor = await this.#exclusive.run(async () => {
        if (this.#stopping.signal.aborted) throw new RepositoryError('Aborted', 'the agent is shutting down');
        started = performance.now();
        return volume.repository.snapshot({
          ...options,
          signal,
          onProgress: (progress) => {
            if (now() - reported < progressIntervalMs) return;
            reported = now();
            events.publish({
              progress: { operation: 'snapshot', requestUid: uid, worktree: options.worktree, ...progress },
            });
            this.#report(uid, progress);
          },
        });
      }, signal);
      const { requestTag } = options;
      if (options.unlessUnchanged && requestTag && !descriptor.tags?.includes(requestTag)) {
        meters.snapshotUnchanged(options.origin);
      } else meters.snapshotMade(descriptor, options.origin, (performance.now() - started) / 1000);
      volume.record(descriptor);
      return descriptor;
    } catch (error) {
      const failure =
        signal.aborted && !(error instanceof RepositoryError)
          ? new RepositoryError('Aborted', 'The snapshot was cancelled', { cause: error })
          : error;
      meters.snapshotFailed(failure, options.origin);
      const reason = failure instanceof RepositoryError ? failure.reason : 'Internal';
      const message = failure instanceof Error ? failure.message : String(failure);
      events.publish({ failure: { operation: 'snapshot', requestUid: uid, reason, message } });
      throw failure;
    }
  }

  #engineOf(asked: string): SnapshotOptions['engine'] {
    const name = asked || this.#engine;
    if (!name) return undefined;
    const parsed = engineName.safeParse(name);
    if (parsed.success) return parsed.data;
    throw new RepositoryError(
      'InvalidArgument',
      `engine ${JSON.stringify(name)} is not known to this agent: use ${engineName.options.join(', ')}, or a newer agent`,
    );
  }

  #report(uid: string, { bytesDone, bytesTotal }: { bytesDone: number; bytesTotal: number }): void {
    const state = this.#requests.get(uid);
    if (state?.phase !== 'running') return;
    this.#set({ ...state, update: { uid, phase: 'PHASE_IN_PROGRESS', bytesDone, bytesTotal } });
  }

  #fail(state: RequestState, error: unknown): void {
    this.#set(afterFailure(state, error, this.#options.now(), this.#options.random));
  }

  /** Remembers it, unless the operator has dropped the request meanwhile, and tells who listens. */
  #set(state: RequestState): void {
    const { uid } = state.request;
    const before = this.#requests.get(uid);
    if (!before) return;
    this.#requests = new Map(this.#requests).set(uid, state);
    if (JSON.stringify(before.update) !== JSON.stringify(state.update)) this.updates.emit(uid, state.update);
  }
}
