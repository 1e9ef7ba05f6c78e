// The operations that change or read a whole repository. Mostly synchronous, so made for a thread of their own.
import { lstatSync } from 'node:fs';
import {
  type Descriptor,
  type EngineName,
  RepositoryError,
  type RepositoryInfo,
  type SnapshotOptions,
  type Verification,
} from '../repository.ts';
import { type Control, Meter } from './control.ts';
import { probe } from './engines.ts';
import { checkNote, checkTags, checkWorktree } from './format/names.ts';
import { asRepositoryError } from './fs/errors.ts';
import { ensureDirectory } from './fs/files.ts';
import { syncFilesystem } from './fs/volume.ts';
import { initialize, recognize } from './initialize.ts';
import { Layout } from './layout.ts';
import { Lease } from './lease.ts';
import { readConfig } from './publish.ts';
import { findByTag, getSnapshot, noWorktree } from './reader.ts';
import { hasDebris, type RepairLog, removeTemporaryFiles, repair } from './repair.ts';
import { takeSnapshot } from './snapshot.ts';
import { verifySnapshot } from './verify.ts';

export interface EngineOptions {
  volume: string;
  engine: EngineName;
  /** Pod or host name. */
  holder: string;
  log?: RepairLog;
}

export type SnapshotRequest = Omit<SnapshotOptions, 'signal' | 'onProgress'>;

/** A dead holder is given up after 15 s; a live one may finish something small. */
const LEASE_WAIT_MS = 20_000;

export class Engine {
  readonly #options: EngineOptions;
  readonly #layout: Layout;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#layout = new Layout(options.volume);
  }

  async open(): Promise<RepositoryInfo> {
    return this.#attempt(`opening the repository on ${this.#options.volume}`, async () => {
      const layout = this.#layout;
      if (!lstatSync(layout.volume).isDirectory()) {
        throw new RepositoryError('NotFound', `${layout.volume} is no directory: mount the volume there`);
      }
      if (!recognize(layout)) await initialize(layout, Date.now());
      const identity = recognize(layout);
      if (!identity)
        throw new RepositoryError('Internal', 'the repository vanished while it was made; try again');
      for (const folder of [layout.intents, layout.agent, layout.leases, layout.indexes])
        ensureDirectory(folder);
      await this.#repairUnlessBusy();
      return { ...identity, ...(await probe(layout, this.#options.engine)), engine: this.#options.engine };
    });
  }

  /** Clears up after an operation that was killed. */
  async repair(): Promise<void> {
    await this.#attempt('repairing the repository', () => this.#change(LEASE_WAIT_MS, async () => {}));
  }

  async snapshot(request: SnapshotRequest, control: Control): Promise<Descriptor> {
    const worktree = checkWorktree(request.worktree);
    const note = checkNote(request.note ?? '');
    const tags = checkTags([...(request.tags ?? []), ...(request.requestTag ? [request.requestTag] : [])]);
    return this.#attempt(`snapshot of ${worktree}`, () =>
      this.#change(LEASE_WAIT_MS, async (lease) => {
        const adopted = request.requestTag && (await findByTag(this.#layout, request.requestTag));
        if (adopted) {
          // Who made it may have crashed before its last steps were on disk.
          await syncFilesystem(this.#layout.volume);
          return adopted;
        }
        const layout = this.#layout;
        const config = readConfig(layout, worktree);
        if (!config) throw noWorktree(worktree);
        const parent = config.head_snapshot_id;
        if (request.expectedParent && request.expectedParent !== parent) {
          throw new RepositoryError(
            'ParentMismatch',
            `the head of ${worktree} is ${parent ?? 'no snapshot yet'}, not ${request.expectedParent}`,
          );
        }
        const engine = request.engine ?? this.#options.engine;
        const { effectiveEngine, filesystem } = await probe(layout, engine);
        const size = parent && (await getSnapshot(layout, parent).catch(() => undefined))?.agent?.size;
        return takeSnapshot({
          layout,
          config,
          note,
          tags,
          engine,
          effectiveEngine,
          origin: request.origin,
          clockTickMs: clockTick(filesystem),
          expectedBytes: size || 0,
          lease,
          control,
        });
      }),
    );
  }

  async verify(id: string, control: Control): Promise<Verification> {
    return this.#attempt(`verifying ${id}`, async () => {
      const descriptor = await getSnapshot(this.#layout, id);
      return verifySnapshot(this.#layout, descriptor, new Meter(control, descriptor.agent?.size ?? 0));
    });
  }

  /** Runs as the one writer, on a repository without debris. */
  async #change<T>(waitMs: number, work: (lease: Lease) => Promise<T>): Promise<T> {
    const { holder, log } = this.#options;
    await using lease = await Lease.acquire({ directory: this.#layout.leases, holder, waitMs });
    if (hasDebris(this.#layout)) repair(this.#layout, Date.now(), log);
    return await work(lease);
  }

  /** A live writer repairs for itself, so there is no need to wait for it. */
  async #repairUnlessBusy(): Promise<void> {
    try {
      await this.#change(0, async () => removeTemporaryFiles(this.#layout));
    } catch (error) {
      if (!(error instanceof RepositoryError && error.reason === 'Busy')) throw error;
      this.#options.log?.info({ err: error }, 'another writer is at work: nothing was repaired');
    }
  }

  async #attempt<T>(doing: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw asRepositoryError(error, doing);
    }
  }
}

/** Local filesystems stamp with the kernel's tick, 10 ms at most; others with a server's clock. */
function clockTick(filesystem: string): number {
  return ['ext4', 'xfs', 'btrfs', 'tmpfs', 'overlay', 'zfs'].includes(filesystem) ? 50 : 5_000;
}
