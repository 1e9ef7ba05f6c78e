// The operations that change or read a whole repository. Mostly synchronous, so made for a thread of their own.
import { lstatSync } from 'node:fs';
import {
  type DeleteOptions,
  type Descriptor,
  type EngineName,
  type Finding,
  type ForkOptions,
  type Implementation,
  RepositoryError,
  type RepositoryInfo,
  type RestoreOptions,
  type SnapshotOptions,
  type Verification,
} from '../repository.ts';
import { checkCompression } from './compression.ts';
import { type Control, Meter } from './control.ts';
import { deleteSnapshot, interruptedDeletions } from './delete.ts';
import { compareTrees, type Found } from './diff.ts';
import { examine } from './doctor.ts';
import { probe } from './engines.ts';
import { checkNote, checkSnapshotId, checkTags, checkWorktree } from './format/names.ts';
import { Directory } from './fs/directory.ts';
import { asRepositoryError } from './fs/errors.ts';
import { ensureDirectory } from './fs/files.ts';
import { syncFilesystem } from './fs/volume.ts';
import { type ImportInput, importSnapshot } from './import.ts';
import { initialize, recognize } from './initialize.ts';
import { checkJvs8, takeSnapshotByJvs8 } from './jvs8.ts';
import {
  checkJvs04,
  examine04,
  initialize04,
  recognize04,
  repair04,
  takeSnapshotBy04,
  unsupported04,
  withRepositoryLock,
} from './jvs04.ts';
import { Layout } from './layout.ts';
import { Lease } from './lease.ts';
import { selectPaths } from './partial.ts';
import { pin } from './pins.ts';
import { readConfig } from './publish.ts';
import { findByTag, getSnapshot, listSnapshots, noSnapshot, noWorktree } from './reader.ts';
import { interruptedRemovals, removeWorktree } from './remove.ts';
import { hasDebris, type RepairLog, removeReplaced, removeTemporaryFiles, repair } from './repair.ts';
import { keepReserve, withReserve } from './reserve.ts';
import { bringBack, wasRestored } from './restore.ts';
import { checkDescriptor, checkPlace, checkRoom } from './room.ts';
import { openPayload, type SnapshotInput, takeSnapshot } from './snapshot.ts';
import { isDescriptorValid, verifySnapshot } from './verify.ts';

export interface EngineOptions {
  volume: string;
  engine: EngineName;
  /** Pod or host name. */
  holder: string;
  /** Of a volume without a repository, and who takes the snapshots in one of jvs 8; native by default. */
  implementation?: Implementation;
  /** The jvs binary, where one is needed: `jvs` by default. */
  binary?: string;
  log?: RepairLog;
}

type Plain<T> = Omit<T, 'signal' | 'onProgress'>;
export type SnapshotRequest = Plain<SnapshotOptions>;
export type RestoreRequest = Plain<RestoreOptions>;
export type ForkRequest = Plain<ForkOptions>;
export type ReceiveRequest = Pick<ImportInput, 'snapshotId' | 'fetch' | 'keepTag'>;
export type DeleteRequest = Plain<DeleteOptions> & { id: string };

/** A dead holder is given up after 15 s; a live one may finish something small. */
const LEASE_WAIT_MS = 20_000;

/** While it is so, nothing else is begun: a snapshot would be of a tree that is half another. */
class Unrepaired extends RepositoryError {
  constructor(cause: RepositoryError) {
    super(cause.reason, `what was begun before can not be finished: ${cause.message}`, { cause });
  }
}

export class Engine {
  readonly #options: EngineOptions;
  readonly #layout: Layout;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#layout = Layout.of(options.volume, options.implementation);
  }

  get #is04(): boolean {
    return this.#layout.generation === '0.4';
  }

  get #binary(): string {
    return this.#options.binary ?? 'jvs';
  }

  async open(): Promise<RepositoryInfo> {
    return this.#attempt(`opening the repository on ${this.#options.volume}`, async () => {
      const layout = this.#layout;
      if (!lstatSync(layout.volume).isDirectory()) {
        throw new RepositoryError('NotFound', `${layout.volume} is no directory: mount the volume there`);
      }
      if (this.#is04) await checkJvs04(this.#binary);
      else if (this.#options.implementation === 'jvs-8') await checkJvs8(this.#binary);
      const look = () => (this.#is04 ? recognize04(layout) : recognize(layout));
      if (!look()) await (this.#is04 ? initialize04(layout, this.#binary) : initialize(layout, Date.now()));
      const identity = look();
      if (!identity)
        throw new RepositoryError('Internal', 'the repository vanished while it was made; try again');
      for (const folder of [layout.intents, layout.agent, layout.leases, layout.indexes])
        ensureDirectory(folder);
      const unrepaired = await this.#repairIfPossible();
      return {
        ...identity,
        ...(await probe(layout, this.#options.engine)),
        engine: this.#options.engine,
        ...(unrepaired ? { unrepaired } : {}),
      };
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
    const compression = request.compression && checkCompression(request.compression);
    const partial = request.paths?.length ? selectPaths(request.paths) : undefined;
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
        const before = parent ? await getSnapshot(layout, parent).catch(() => undefined) : undefined;
        const made = await this.#take({
          layout,
          config,
          note,
          tags,
          engine,
          // A clone is of the whole.
          effectiveEngine: partial && effectiveEngine === 'juicefs-clone' ? 'copy' : effectiveEngine,
          origin: request.origin,
          quiesced: request.quiesced === true,
          compression,
          partial,
          unlessLike: request.unlessUnchanged && !before?.partial_paths?.length ? before : undefined,
          clockTickMs: clockTick(filesystem),
          expectedBytes: before?.agent?.size ?? 0,
          lease,
          control: lease.guard(control),
        });
        // What is newer than a restored snapshot is no ancestor of this one.
        if (made !== before && parent !== config.latest_snapshot_id) await this.#pin();
        return made;
      }),
    );
  }

  #take(input: SnapshotInput): Promise<Descriptor> {
    if (this.#is04) return takeSnapshotBy04(input, this.#binary);
    return this.#options.implementation === 'jvs-8'
      ? takeSnapshotByJvs8(input, this.#binary)
      : takeSnapshot(input);
  }

  /** The worktree's root keeps its inode. A repeated request is not carried out again. */
  async restore(request: RestoreRequest, control: Control): Promise<void> {
    const worktree = checkWorktree(request.worktree);
    const id = checkSnapshotId(request.snapshotId);
    await this.#attempt(`restoring ${id} into ${worktree}`, () =>
      this.#change(LEASE_WAIT_MS, async (lease) => {
        const { requestTag } = request;
        if (requestTag && wasRestored(this.#layout, 'restore', id, requestTag)) return;
        if (!readConfig(this.#layout, worktree)) throw noWorktree(worktree);
        const work = () => this.#bringBack('restore', id, worktree, requestTag, lease, control);
        await (this.#is04 ? withRepositoryLock(this.#layout, work) : work());
      }),
    );
  }

  /** A new worktree from a snapshot. A repeated request is not carried out again. */
  async fork(request: ForkRequest, control: Control): Promise<void> {
    if (this.#is04) throw unsupported04('a worktree from a snapshot');
    const name = checkWorktree(request.name);
    const id = checkSnapshotId(request.snapshotId);
    await this.#attempt(`forking ${id} as ${name}`, () =>
      this.#change(LEASE_WAIT_MS, async (lease) => {
        const { requestTag } = request;
        if (requestTag && wasRestored(this.#layout, 'fork', id, requestTag)) return;
        if (readConfig(this.#layout, name)) {
          throw new RepositoryError(
            'InvalidArgument',
            `worktree ${name} is there already: choose another name`,
          );
        }
        checkPlace(this.#layout, name);
        await this.#bringBack('fork', id, name, requestTag, lease, control);
      }),
    );
  }

  async #bringBack(
    kind: 'restore' | 'fork',
    id: string,
    worktree: string,
    request: string | undefined,
    lease: Lease,
    control: Control,
  ): Promise<void> {
    const layout = this.#layout;
    const descriptor = await getSnapshot(layout, id);
    checkDescriptor(descriptor, isDescriptorValid(layout, descriptor));
    const { filesystem, effectiveEngine } = await probe(layout, 'reflink-copy');
    const reflink = effectiveEngine === 'reflink-copy';
    if (!reflink || descriptor.compression) checkRoom(layout, descriptor);
    await bringBack({
      layout,
      descriptor,
      kind,
      worktree,
      request,
      reflink,
      clockTickMs: clockTick(filesystem),
      lease,
      control: lease.guard(control),
    });
    // What is newer than a restored snapshot is no ancestor of a head any more, and a forked one is one.
    await this.#pin();
  }

  /** A snapshot of another volume becomes the first of this one, with the id and the files that it has there. */
  async receive(request: ReceiveRequest, control: Control): Promise<Descriptor> {
    if (this.#is04) throw unsupported04('receiving a snapshot');
    const snapshotId = checkSnapshotId(request.snapshotId);
    return this.#attempt(`receiving ${snapshotId}`, () =>
      this.#change(LEASE_WAIT_MS, async (lease) => {
        const layout = this.#layout;
        const { effectiveEngine } = await probe(layout, 'reflink-copy');
        const reflink = effectiveEngine === 'reflink-copy';
        return await importSnapshot({
          ...request,
          layout,
          snapshotId,
          reflink,
          lease,
          control: lease.guard(control),
        });
      }),
    );
  }

  /** What another attempt began, and the repair finished, is done. */
  async delete({ id, evenHeads }: DeleteRequest, control: Pick<Control, 'step'>): Promise<void> {
    if (this.#is04) throw unsupported04('deleting one snapshot');
    checkSnapshotId(id);
    let begun = interruptedDeletions(this.#layout).includes(id);
    await this.#attempt(`deleting ${id}`, () =>
      withReserve(this.#layout, () =>
        this.#change(LEASE_WAIT_MS, async (lease) => {
          const layout = this.#layout;
          const all = await listSnapshots(layout);
          const target = all.find((d) => d.snapshot_id === id);
          if (!target && begun) return;
          if (!target) throw noSnapshot(id);
          begun = true;
          await deleteSnapshot(layout, target, all, lease.guard(control), evenHeads);
          await this.#pin();
        }),
      ),
    );
  }

  /** As `delete`. */
  async removeWorktree(name: string, control: Pick<Control, 'step'>): Promise<void> {
    if (this.#is04) throw unsupported04('removing a worktree');
    checkWorktree(name);
    let begun = interruptedRemovals(this.#layout).includes(name);
    await this.#attempt(`removing worktree ${name}`, () =>
      withReserve(this.#layout, () =>
        this.#change(LEASE_WAIT_MS, async (lease) => {
          const config = readConfig(this.#layout, name);
          if (!config && begun) return;
          if (!config) throw noWorktree(name);
          begun = true;
          await removeWorktree(this.#layout, config, lease.guard(control));
        }),
      ),
    );
  }

  /** Without `repair` nothing is changed but what every writer repairs first. */
  async doctor(repairing: boolean): Promise<Finding[]> {
    return this.#attempt('examining the repository', () =>
      this.#change(LEASE_WAIT_MS, async () => {
        if (this.#is04) return examine04(this.#layout, this.#binary);
        const findings = await examine(this.#layout, repairing, Date.now());
        if (repairing) await this.#pin();
        return findings;
      }),
    );
  }

  /** From a snapshot to another one, or to a worktree as it is now. */
  async diff(
    from: string,
    to: { snapshotId: string } | { worktree: string },
    control: Control,
    found: Found,
  ): Promise<void> {
    const layout = this.#layout;
    return this.#attempt(`comparing with ${from}`, async () => {
      const older = await getSnapshot(layout, from);
      const newer = 'snapshotId' in to ? await getSnapshot(layout, to.snapshotId) : undefined;
      using volume = Directory.open(layout.volume);
      using left = Directory.open(layout.snapshot(from));
      using right =
        'snapshotId' in to
          ? Directory.open(layout.snapshot(to.snapshotId))
          : openPayload(volume, layout, checkWorktree(to.worktree));
      compareTrees(
        { root: left, compression: older.compression?.type },
        { root: right, compression: newer?.compression?.type },
        new Meter(control, 0),
        found,
      );
    });
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
    if (this.#is04) repair04(this.#layout);
    if (hasDebris(this.#layout)) {
      try {
        await repair(this.#layout, Date.now(), log);
      } catch (error) {
        throw new Unrepaired(asRepositoryError(error, 'repairing the repository'));
      }
      await this.#pin();
    }
    try {
      return await work(lease);
    } catch (error) {
      // What another repairs vanishes under our hands: its taking over is the reason, not that.
      if (!lease.held) lease.confirm();
      throw error;
    }
  }

  /** Only who runs `jvs gc` by hand needs it, and whoever changes something next does it again: nothing fails for it. */
  async #pin(): Promise<void> {
    try {
      await pin(this.#layout);
    } catch (error) {
      const known = asRepositoryError(error, 'pinning side branches');
      this.#options.log?.info({ err: known }, 'side branches are not pinned against jvs gc');
    }
  }

  /**
   * A live writer repairs for itself; on a full volume what is there can be read, and deleted. What can not be repaired
   * is told: everything can be read, and nothing be changed.
   */
  async #repairIfPossible(): Promise<RepositoryInfo['unrepaired']> {
    try {
      await this.#change(0, async () => {
        removeTemporaryFiles(this.#layout);
        // A restore that was killed after its end may not have pinned either.
        if (removeReplaced(this.#layout, this.#options.log)) await this.#pin();
        keepReserve(this.#layout);
      });
      return undefined;
    } catch (error) {
      const known = asRepositoryError(error, 'repairing the repository');
      const { reason, message } = known;
      const expected = reason === 'Busy' || reason === 'VolumeFull';
      if (!expected && !(known instanceof Unrepaired)) throw known;
      this.#options.log?.info({ err: known }, 'nothing was repaired');
      return expected ? undefined : { reason, message };
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
