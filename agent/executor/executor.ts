// Everything that changes the volume goes through here, one operation at a time: the operator's requests, taken from
// the desired state, what the schedule and retention do, and what containers of the pod ask for.
import type { Logger } from '../../shared/log.ts';
import type { Role } from '../../shared/proto/gen/jvs/agent/v1/Role.ts';
import type { DesiredState } from '../../shared/proto/gen/jvs/link/v1/DesiredState.ts';
import type { RequestUpdateInput } from '../../shared/proto/gen/jvs/link/v1/RequestUpdate.ts';
import { Emitter } from '../emitter.ts';
import type { Events } from '../events.ts';
import { Quiesce } from '../hooks/quiesce.ts';
import { Meters } from '../metrics/meters.ts';
import type { Descriptor, SnapshotOptions, Worktree } from '../repository/repository.ts';
import { selfSnapshots } from '../retention/policy.ts';
import type { StateStore } from '../state.ts';
import type { Volume } from '../volume/volume.ts';
import { Deletions } from './deletions.ts';
import { NotPrimary, QueueFull, TooMany } from './errors.ts';
import { neededBy, type Request, requestsOf } from './plan.ts';
import { Queue, type Report } from './queue.ts';
import { Restores } from './restores.ts';
import { engineName, engineOf, Snapshots, shotOf } from './snapshots.ts';
import { type TurnOptions, Turns } from './turns.ts';

/** Calls of containers that may wait behind the operation that runs; the operator's requests always may. */
const mostWaiting = 8;
/** A fork keeps what it is based on: a workload must not keep all that ever was. */
const mostWorktrees = 1000;

export interface ExecutorOptions {
  volume: Volume;
  events: Events;
  store: StateStore;
  /** Name of this pod. */
  pod: string;
  log: Logger;
  meters?: Meters;
  now?: () => number;
  random?: () => number;
}

export class Executor {
  /** What the operator wants, each time that it says so. */
  readonly desired = new Emitter<[DesiredState]>();
  /** Ids of snapshots that go because a person let them go, before they do. */
  readonly deleting = new Emitter<[id: string]>();
  readonly hooks: Quiesce;
  readonly #options: Required<ExecutorOptions>;
  readonly #turns: Turns;
  readonly #queue: Queue;
  readonly #snapshots: Snapshots;
  readonly #restores: Restores;
  readonly #deletions: Deletions;
  readonly #unsubscribe: () => void;
  #demoted = new AbortController();
  #role: Role = 'ROLE_UNSPECIFIED';
  #engine = '';
  /** A look for an owed post hook waits for its turn. */
  #thawing = false;

  constructor(options: ExecutorOptions) {
    this.#options = { meters: new Meters(), now: Date.now, random: Math.random, ...options };
    const { volume } = options;
    this.#turns = new Turns(this.#options);
    this.hooks = new Quiesce({ ...this.#options, volume: volume.path });
    const parts = { ...this.#options, turns: this.#turns, hooks: this.hooks };
    this.#snapshots = new Snapshots(parts);
    this.#restores = new Restores({ ...parts, snapshots: this.#snapshots });
    this.#queue = new Queue({ ...parts, perform: (request, report) => this.#perform(request, report) });
    this.#deletions = new Deletions({
      ...parts,
      onDelete: (id) => this.deleting.emit(id),
      neededBy: (id) => neededBy(this.#queue.requests, id),
    });
    this.#unsubscribe = volume.changes.subscribe((now, before) => {
      if (now.info && !before.info) this.thaw();
    });
  }

  /** As the operator last said; kept while it is away, the lease on the disk guards against another's. */
  get role(): Role {
    return this.#role;
  }

  /** New words on requests. */
  get updates(): Queue['updates'] {
    return this.#queue.updates;
  }

  /** Before each operation that changes the volume, and while it waits for its turn. */
  get asked(): Turns['asked'] {
    return this.#turns.asked;
  }

  /** The latest word on every request, for an operator that has just connected. */
  pending(): RequestUpdateInput[] {
    if (this.#role !== 'ROLE_PRIMARY') return [];
    return [...this.#queue.requests.values()].flatMap(({ update }) => update ?? []);
  }

  /** Replaces what the operator wanted before. Requests that vanished are dropped; a running one may finish. */
  setDesired(desired: DesiredState): void {
    const { role, engine } = desired;
    this.#engine = engine;
    const known = engineName.safeParse(engine);
    if (known.success) this.#options.volume.useEngine(known.data);
    const changed = this.#role !== role;
    if (changed) {
      this.#options.log.info({ role }, 'role');
      this.#role = role;
      if (role !== 'ROLE_PRIMARY') this.#demoted.abort();
      // What runs since before the operator spoke has the one that is there.
      else if (this.#demoted.signal.aborted) this.#demoted = new AbortController();
    }
    this.desired.emit(desired);
    if (changed) this.thaw();
    const active = role === 'ROLE_PRIMARY' && !this.#turns.stopping;
    this.#queue.want(requestsOf(desired), active);
  }

  /**
   * A snapshot that a container of the pod asked for.
   * @throws NotPrimary, QueueFull, TooMany, VolumeUnavailable, RepositoryError
   */
  async create(
    options: Pick<SnapshotOptions, 'worktree' | 'note' | 'tags'>,
    signal: AbortSignal,
  ): Promise<Descriptor> {
    this.#admitContainer();
    this.#admitSelf();
    return this.#snapshots.take(this.#self(options), this.#turnOf(signal));
  }

  /**
   * Replaces a worktree for a container of the pod. Gives the id of the snapshot that was taken before; undefined where
   * the worktree's folder was gone.
   * @throws NotPrimary, QueueFull, TooMany, VolumeUnavailable, RepositoryError
   */
  async restore(id: string, worktree: string, signal: AbortSignal): Promise<string | undefined> {
    this.#admitContainer();
    this.#admitSelf();
    const shot = this.#self({ worktree, note: `Before ${id} was restored` });
    return this.#restores.restore(id, worktree, shot, this.#turnOf(signal));
  }

  /** A new worktree for a container of the pod. @throws NotPrimary, QueueFull, TooMany, VolumeUnavailable, RepositoryError */
  async fork(id: string, name: string, signal: AbortSignal): Promise<Worktree> {
    this.#admitContainer();
    if (this.#options.volume.state.worktrees.length >= mostWorktrees) {
      throw new TooMany(
        `${mostWorktrees} worktrees are on the volume: delete some (Restores with newWorktree)`,
      );
    }
    return this.#restores.fork(id, name, this.#turnOf(signal));
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
    const shot = { ...options, worktree: 'main', origin: 'auto', engine: engineOf(this.#engine) } as const;
    return this.#snapshots.take(shot, { signals: [this.#demoted.signal] });
  }

  /** The last one before the agent stops: taken although it is stopping. @throws VolumeUnavailable, RepositoryError */
  async final(options: Pick<SnapshotOptions, 'worktree' | 'note' | 'unlessUnchanged'>): Promise<Descriptor> {
    const shot = { ...options, origin: 'final', engine: engineOf(this.#engine) } as const;
    return this.#snapshots.take(shot, { signals: [], last: true });
  }

  /**
   * For retention, where it is still `wanted` when its turn comes. Gone from the volume when it resolves.
   * @throws NotPrimary, VolumeUnavailable, RepositoryError
   */
  async delete(id: string, wanted: () => boolean): Promise<void> {
    if (this.#role === 'ROLE_STANDBY') throw new NotPrimary();
    const subject = { operation: 'delete', uid: '', worktree: '' } as const;
    const turn = { ...subject, signals: [this.#demoted.signal], wanted };
    await this.#turns.take(turn, ({ signal }) => this.#options.volume.repository.delete(id, { signal }));
  }

  /** Runs the post hook that a killed agent or a failure left owing. Never throws. */
  thaw(): void {
    const { volume, log } = this.#options;
    if (!volume.state.info || this.#thawing) return;
    this.#thawing = true;
    void this.#turns
      .aside(async (signal) => {
        this.#thawing = false;
        if (this.#role === 'ROLE_STANDBY') return;
        // Until the operator has spoken, another pod may be at work.
        await this.hooks.recover(this.#role === 'ROLE_PRIMARY', signal);
      })
      .catch((err: unknown) => log.error({ err }, 'hooks'));
  }

  /** Resolves when nothing changes the volume, or waits to. */
  async idle(): Promise<void> {
    await this.#turns.idle();
  }

  /**
   * Lets what runs finish, then what `last` does, within `graceMs`, then aborts it; nothing else starts. Safe to call
   * again, with less grace.
   */
  async stop(graceMs: number, last?: () => Promise<unknown>): Promise<void> {
    this.#unsubscribe();
    this.#queue.stop();
    await this.#turns.stop(graceMs, this.#role === 'ROLE_STANDBY' ? undefined : last);
  }

  async #perform(request: Request, report: Report): Promise<RequestUpdateInput | undefined> {
    const signals = [this.#demoted.signal];
    const { uid } = request.asked;
    const wanted = () => [...this.#queue.requests.values()].some((state) => state.request === request);
    switch (request.kind) {
      case 'snapshot': {
        const shot = shotOf(request.asked, engineOf(request.asked.engine || this.#engine));
        await this.#snapshots.take(shot, { uid, signals, wanted }, ({ bytesDone, bytesTotal }) =>
          report({ bytesDone, bytesTotal }),
        );
        return undefined;
      }
      case 'restore':
        return this.#restores.perform(request.asked, { signals, wanted }, report);
      case 'deletion':
        await this.#deletions.perform(request.asked, { signals, wanted });
        return undefined;
    }
  }

  #self(options: Pick<SnapshotOptions, 'worktree' | 'note' | 'tags'>) {
    return { ...options, origin: 'self', engine: engineOf(this.#engine) } as const;
  }

  /** For what a container asks for: while it waited, this may have become a standby. */
  #turnOf(signal: AbortSignal): Pick<TurnOptions, 'signals' | 'wanted'> {
    return { signals: [signal], wanted: () => this.#role !== 'ROLE_STANDBY' };
  }

  #admitContainer(): void {
    if (this.#role === 'ROLE_STANDBY') throw new NotPrimary();
    const { pending } = this.#turns;
    if (pending <= mostWaiting) return;
    throw new QueueFull(`${pending} operations are already waiting: try again when they are done`);
  }

  #admitSelf(): void {
    const { snapshots } = this.#options.volume.state;
    const own = snapshots.filter(({ agent }) => agent?.origin === 'self').length;
    if (own < selfSnapshots.most) return;
    throw new TooMany(
      `${own} snapshots that this pod took of itself are on the volume, and retention may not make room: ` +
        'shorten keepMinAge of retentionPolicy, unpin some, or take fewer',
    );
  }
}
