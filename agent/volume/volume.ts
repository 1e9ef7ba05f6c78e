// What is on the volume, as last seen. The disk is the truth: other programs change it too, so it is looked at
// again and again; what this agent made itself is known at once.
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { type Backoff, backoffMs } from '../../shared/backoff.ts';
import type { Logger } from '../../shared/log.ts';
import { Emitter } from '../emitter.ts';
import {
  type Descriptor,
  type EngineName,
  RepositoryError,
  type RepositoryInfo,
  type Worktree,
  type WorktreeRepository,
} from '../repository/repository.ts';
import { diff } from './diff.ts';
import { fingerprint } from './fingerprint.ts';
import { unreadable } from './unreadable.ts';
import { watchForHints } from './watch.ts';

/** Why the agent can not do its work: `reason` in CamelCase for a condition, `message` for a person. */
export interface Problem {
  readonly reason: string;
  readonly message: string;
}

/** Replaced, never changed. */
export interface VolumeState {
  /** Absent until the repository is open, and crash debris repaired as far as it can be. */
  readonly info?: RepositoryInfo;
  /** Newest first; the same array as long as nothing in it changed. */
  readonly snapshots: readonly Descriptor[];
  /** Of worktree main. */
  readonly head?: string;
  /** Main first, then by name; the same array as long as nothing in it changed. */
  readonly worktrees: readonly Worktree[];
  /** Of the volume's filesystem, bytes. */
  readonly usage?: { readonly usedBytes: number; readonly capacityBytes: number };
  readonly problem?: Problem;
  /** The repository is open, and what it is to begin with is still to come. */
  readonly awaitsInitial?: boolean;
}

/** There is no repository to work with (yet); `problem` says why. */
export class VolumeUnavailable extends Error {
  override readonly name = 'VolumeUnavailable';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.message);
    this.problem = problem;
  }
}

export interface VolumeOptions {
  /** The volume's repository, not opened yet, with `engine` asked for. */
  connect: (engine: EngineName) => WorktreeRepository;
  /** Asked for by the Workspace; `useEngine` changes it. */
  engine: EngineName;
  /** Root of the volume, to tell cheaply whether anything changed, and early. */
  path: string;
  log: Logger;
  /** Between opening the repository and using it. `tell` hears what that waits for. */
  prepare?: (
    repository: WorktreeRepository,
    signal: AbortSignal,
    tell: (problem: Problem) => void,
  ) => Promise<void>;
  scanIntervalMs?: number;
  /** A list at least this often, should a filesystem's times not tell. */
  listIntervalMs?: number;
}

const transientRetry: Backoff = { baseMs: 500, capMs: 15_000 };
const terminalRetryMs = 30_000;

export class Volume {
  /** (now, before), after every change. */
  readonly changes = new Emitter<[VolumeState, VolumeState]>();
  readonly #options: Required<VolumeOptions>;
  readonly #repository: WorktreeRepository;
  #engine: EngineName;
  #state: VolumeState = {
    snapshots: [],
    worktrees: [],
    problem: { reason: 'Starting', message: 'The repository is being opened' },
  };
  #transient = true;
  #scanning: Promise<void> | undefined;
  #following: Promise<void> | undefined;
  /** Ours, published since the scan that is under way began: it may have missed them. */
  #recorded: Descriptor[] = [];
  #seen: { fingerprint: string | undefined; listedAt: number } = { fingerprint: undefined, listedAt: 0 };

  constructor(options: VolumeOptions) {
    this.#options = {
      scanIntervalMs: 30_000,
      listIntervalMs: 600_000,
      prepare: async () => {},
      ...options,
    };
    this.#engine = options.engine;
    this.#repository = options.connect(options.engine);
  }

  get state(): VolumeState {
    return this.#state;
  }

  /** Its root. */
  get path(): string {
    return this.#options.path;
  }

  /** @throws VolumeUnavailable while it is not open */
  get repository(): WorktreeRepository {
    if (this.#state.info) return this.#repository;
    throw new VolumeUnavailable(this.#state.problem ?? { reason: 'Starting', message: 'Not open yet' });
  }

  /** Opens the repository, however long that takes, then keeps looking at it, until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { path, log } = this.#options;
    let unwatch = () => {};
    try {
      for (let attempt = 0; !(await this.#open(signal)); attempt++) {
        const wait = this.#transient ? backoffMs(transientRetry, attempt) : terminalRetryMs;
        await sleep(wait, undefined, { signal });
      }
      unwatch = watchForHints({ path, onHint: () => void this.refresh(), log });
      for (;;) {
        await sleep(this.#options.scanIntervalMs, undefined, { signal });
        await this.refresh();
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      unwatch();
      await this.#scanning;
      await this.#repository.close();
    }
  }

  /** Looks at the disk now; resolves when the state shows at least what was there at the call. Never throws. */
  refresh(): Promise<void> {
    if (!this.#state.info) return Promise.resolve();
    if (!this.#scanning) {
      this.#scanning = this.#scan().finally(() => {
        this.#scanning = undefined;
      });
      return this.#scanning;
    }
    // The scan under way may have looked before the caller's change: one more follows it.
    this.#following ??= this.#scanning.then(() => {
      this.#following = undefined;
      return this.refresh();
    });
    return this.#following;
  }

  /** As `refresh`, whatever the times on the volume say. */
  reread(): Promise<void> {
    this.#seen = { fingerprint: undefined, listedAt: 0 };
    return this.refresh();
  }

  /** A snapshot that this agent published, so that nobody waits for the next scan. */
  record(descriptor: Descriptor): void {
    if (this.#scanning) this.#recorded.push(descriptor);
    const main = descriptor.worktree_name === 'main';
    this.#update({
      snapshots: withThese(this.#state.snapshots, [descriptor]),
      head: main ? descriptor.snapshot_id : this.#state.head,
      worktrees: movedBy(this.#state.worktrees, [descriptor]),
    });
  }

  /** What the volume can do is found anew when another engine is asked for; each snapshot names its own anyway. */
  useEngine(engine: EngineName): void {
    if (engine === this.#engine) return;
    this.#engine = engine;
    void this.refresh();
  }

  async #probe(engine: EngineName): Promise<void> {
    const repository = this.#options.connect(engine);
    try {
      this.#update({ info: await repository.open() });
    } finally {
      await repository.close();
    }
  }

  async #open(signal: AbortSignal): Promise<boolean> {
    const { log } = this.#options;
    const repository = this.#repository;
    try {
      const info = await repository.open(signal);
      await this.#options.prepare(repository, signal, (problem) =>
        this.#update({ problem, awaitsInitial: true }),
      );
      const snapshots = await this.#list();
      const [head, usage] = await Promise.all([repository.head('main'), repository.usage()]);
      const worktrees = await this.#listWorktrees();
      const problem = info.unrepaired;
      this.#update({ info, snapshots, head, worktrees, usage, problem, awaitsInitial: false });
      log.info({ ...info, snapshots: snapshots.length, head }, 'repository open');
      return true;
    } catch (error) {
      signal.throwIfAborted();
      const problem = toProblem(error);
      this.#transient = !(error instanceof RepositoryError) || error.transient;
      if (problem.message !== this.#state.problem?.message) {
        log.error({ err: error, reason: problem.reason }, 'cannot open the repository; trying again');
      }
      this.#update({ problem });
      return false;
    }
  }

  /** Newest first, also those that the engine can not read. */
  async #list(): Promise<Descriptor[]> {
    const listed = await this.#repository.list();
    const { path } = this.#options;
    const others = await unreadable(path, listed, this.#state.snapshots, (id) => this.#repository.get(id));
    if (!others.length) return listed;
    return [...listed, ...others].sort((a, b) => (a.snapshot_id < b.snapshot_id ? 1 : -1));
  }

  /** One that can not be read must not keep the agent from its work: then those of before. */
  async #listWorktrees(): Promise<readonly Worktree[]> {
    try {
      const [main, others] = [[], []] as [Worktree[], Worktree[]];
      for (const worktree of await this.#repository.worktrees()) {
        (worktree.name === 'main' ? main : others).push(worktree);
      }
      return [...main, ...others];
    } catch (err) {
      this.#options.log.error({ err }, 'the worktrees can not be listed: jvs-agent doctor tells more');
      return this.#state.worktrees;
    }
  }

  async #scan(): Promise<void> {
    const { path, listIntervalMs, log } = this.#options;
    const repository = this.#repository;
    try {
      const now = Date.now();
      const { info } = this.#state;
      if (this.#engine !== info?.engine || info.unrepaired) await this.#probe(this.#engine);
      const usage = await repository.usage();
      const names = this.#state.worktrees.map(({ name }) => name);
      const mark = await fingerprint(path, names, now);
      const fresh = now - this.#seen.listedAt < listIntervalMs;
      if (mark !== undefined && mark === this.#seen.fingerprint && fresh && !this.#state.problem) {
        this.#update({ usage });
        return;
      }
      const listed = await this.#list();
      const head = await repository.head('main');
      const worktrees = await this.#listWorktrees();
      this.#seen = { fingerprint: mark, listedAt: now };
      // A head read before our latest snapshot of main moved it is old.
      const ours = this.#recorded.findLast((descriptor) => descriptor.worktree_name === 'main');
      this.#update({
        usage,
        snapshots: withThese(listed, this.#recorded),
        head: ours?.snapshot_id ?? head,
        worktrees: movedBy(worktrees, this.#recorded),
        problem: this.#state.info?.unrepaired,
      });
    } catch (error) {
      const problem = toProblem(error);
      if (problem.message !== this.#state.problem?.message) {
        log.error({ err: error, reason: problem.reason }, 'cannot read the repository');
      }
      this.#update({ problem });
    } finally {
      this.#recorded = [];
    }
  }

  #update(change: Partial<VolumeState>): void {
    const before = this.#state;
    const now: { -readonly [Key in keyof VolumeState]: VolumeState[Key] } = { ...before, ...change };
    const { changed, removed } = diff(before.snapshots, now.snapshots);
    if (!changed.length && !removed.length) now.snapshots = before.snapshots;
    if (isDeepStrictEqual(now.worktrees, before.worktrees)) now.worktrees = before.worktrees;
    const same = (Object.keys(now) as (keyof VolumeState)[]).every((key) => equal(now[key], before[key]));
    if (same) return;
    this.#state = now;
    this.changes.emit(now, before);
  }
}

/** `listed` with `ours` where they are missing. */
function withThese(listed: readonly Descriptor[], ours: readonly Descriptor[]): readonly Descriptor[] {
  const ids = new Set(listed.map((descriptor) => descriptor.snapshot_id));
  const missing = ours.filter((descriptor) => !ids.has(descriptor.snapshot_id));
  return missing.length ? [...missing.reverse(), ...listed] : listed;
}

/** As they are when each of `ours`, oldest first, has become the head of its worktree. */
function movedBy(worktrees: readonly Worktree[], ours: readonly Descriptor[]): readonly Worktree[] {
  return worktrees.map((worktree) => {
    const id = ours.findLast(({ worktree_name }) => worktree_name === worktree.name)?.snapshot_id;
    return id ? { ...worktree, head_snapshot_id: id, latest_snapshot_id: id } : worktree;
  });
}

function equal(a: unknown, b: unknown): boolean {
  return a === b || (!Array.isArray(a) && JSON.stringify(a) === JSON.stringify(b));
}

function toProblem(error: unknown): Problem {
  const message = error instanceof Error ? error.message : String(error);
  return { reason: error instanceof RepositoryError ? error.reason : 'Internal', message };
}
