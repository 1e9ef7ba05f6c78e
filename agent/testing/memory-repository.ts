// A repository in memory, for tests of what the real one cannot be made to do on demand: fail, stall, be busy.
import { randomBytes } from 'node:crypto';
import {
  type DeleteOptions,
  type Descriptor,
  type Difference,
  type DiffOptions,
  type ForkOptions,
  RepositoryError,
  type RepositoryInfo,
  type RestoreOptions,
  type SnapshotOptions,
  type Verification,
  type VerifyOptions,
  type Worktree,
  type WorktreeRepository,
} from '../repository/repository.ts';

export class MemoryRepository implements WorktreeRepository {
  /** The disk: oldest first. Tests change it as another program would. */
  readonly disk: Descriptor[] = [];
  /** Thrown by the next calls that open or change the repository, one each. */
  readonly failures: Error[] = [];
  /** Worktrees beside main, by name, with what they were forked from. */
  readonly forks = new Map<string, string | undefined>();
  /** What diff() finds, between whatever. */
  readonly differences: Difference[] = [];
  /** Request tags of restores and forks that were carried out. */
  readonly carriedOut = new Set<string>();
  /** Heads that are not the newest snapshot of their worktree: a restore or a deletion moved them. */
  readonly #moved = new Map<string, string | undefined>();
  /** What copies files waits for it before it is done. */
  gate: Promise<void> = Promise.resolve();
  /** Nothing has changed since the head. */
  unchanged = false;
  running = 0;
  mostRunning = 0;
  closed = false;

  async open(): Promise<RepositoryInfo> {
    this.#fail();
    return {
      repositoryId: '0e5e2a4e-3c52-4d0e-8f44-6a8f5c1b7f10',
      formatVersion: 1,
      filesystem: 'ext4',
      engine: 'copy',
      effectiveEngine: 'copy',
    };
  }

  async snapshot(options: SnapshotOptions): Promise<Descriptor> {
    const { worktree, tags = [], requestTag } = options;
    return this.#copying(options, async () => {
      const made = this.disk.find(({ tags }) => requestTag !== undefined && tags?.includes(requestTag));
      if (made) return made;
      const head = await this.head(worktree);
      if (options.unlessUnchanged && this.unchanged && head) return this.get(head);
      const descriptor = fakeDescriptor({
        parent_id: head,
        worktree_name: worktree,
        note: options.note,
        tags: requestTag === undefined ? [...tags] : [...tags, requestTag],
        engine: options.engine ?? 'copy',
      });
      descriptor.agent = {
        completed_at: descriptor.created_at,
        effective_engine: 'copy',
        origin: options.origin,
        consistency: options.quiesced ? 'quiesced' : 'crash-consistent',
        size: 2,
        unique_bytes: 2,
        entries: 1,
      };
      if (options.paths) descriptor.partial_paths = [...options.paths];
      if (options.compression) descriptor.compression = options.compression;
      this.disk.push(descriptor);
      this.#moved.delete(worktree);
      return descriptor;
    });
  }

  async restore(options: RestoreOptions): Promise<void> {
    const { snapshotId, worktree, requestTag = '' } = options;
    await this.#copying(options, async () => {
      if (this.carriedOut.has(requestTag)) return;
      if (worktree !== 'main' && !this.forks.has(worktree)) throw noWorktree(worktree);
      this.#moved.set(worktree, (await this.get(snapshotId)).snapshot_id);
      if (requestTag) this.carriedOut.add(requestTag);
    });
  }

  async fork(options: ForkOptions): Promise<void> {
    const { snapshotId, name, requestTag = '' } = options;
    await this.#copying(options, async () => {
      if (this.carriedOut.has(requestTag)) return;
      if (name === 'main' || this.forks.has(name)) {
        throw new RepositoryError('InvalidArgument', `worktree ${name} is there already`);
      }
      this.forks.set(name, (await this.get(snapshotId)).snapshot_id);
      this.#moved.set(name, snapshotId);
      if (requestTag) this.carriedOut.add(requestTag);
    });
  }

  async list(): Promise<Descriptor[]> {
    return this.disk.toReversed();
  }

  async get(id: string): Promise<Descriptor> {
    const found = this.disk.find((descriptor) => descriptor.snapshot_id === id);
    if (!found) throw new RepositoryError('NotFound', `snapshot ${id} is not on the volume`);
    return found;
  }

  async head(worktree: string): Promise<string | undefined> {
    return this.#moved.has(worktree) ? this.#moved.get(worktree) : this.#latest(worktree);
  }

  async worktrees(): Promise<Worktree[]> {
    const worktrees: Worktree[] = [];
    for (const name of ['main', ...this.forks.keys()]) {
      const [head, base] = [await this.head(name), this.forks.get(name)];
      const latest = this.#latest(name) ?? head;
      worktrees.push({
        name,
        created_at: '2026-11-24T08:00:00Z',
        ...(base && { base_snapshot_id: base }),
        ...(head && { head_snapshot_id: head }),
        ...(latest && { latest_snapshot_id: latest }),
      });
    }
    return worktrees;
  }

  async delete(id: string, { evenHeads = false }: DeleteOptions = {}): Promise<void> {
    this.#fail();
    const { parent_id } = await this.get(id);
    for (const { name, head_snapshot_id, base_snapshot_id } of await this.worktrees()) {
      if (!evenHeads && (head_snapshot_id === id || base_snapshot_id === id)) {
        throw new RepositoryError('InvalidArgument', `snapshot ${id} can not be deleted: ${name} needs it`);
      }
      if (head_snapshot_id === id) this.#moved.set(name, parent_id);
      if (base_snapshot_id === id) this.forks.set(name, parent_id);
    }
    for (const child of this.disk) {
      if (child.parent_id !== id) continue;
      if (parent_id) child.parent_id = parent_id;
      else delete child.parent_id;
    }
    this.disk.splice(this.disk.indexOf(await this.get(id)), 1);
  }

  async removeWorktree(name: string): Promise<void> {
    this.#fail();
    if (name === 'main') throw new RepositoryError('InvalidArgument', 'worktree main is never removed');
    if (!this.forks.delete(name)) throw noWorktree(name);
    this.#moved.delete(name);
  }

  async *diff({ from }: DiffOptions): AsyncGenerator<Difference> {
    await this.get(from);
    yield* this.differences;
  }

  async verify(id: string, _options?: VerifyOptions): Promise<Verification> {
    const { integrity_state } = await this.get(id);
    const valid = integrity_state === 'verified';
    return { snapshotId: id, descriptorValid: valid, payloadValid: true };
  }

  async usage(): Promise<{ usedBytes: number; capacityBytes: number }> {
    return { usedBytes: 1000, capacityBytes: 4000 };
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  #latest(worktree: string): string | undefined {
    return this.disk.findLast((descriptor) => descriptor.worktree_name === worktree)?.snapshot_id;
  }

  async #copying<T>(
    { signal, onProgress }: Pick<SnapshotOptions, 'signal' | 'onProgress'>,
    work: () => Promise<T>,
  ): Promise<T> {
    this.mostRunning = Math.max(this.mostRunning, ++this.running);
    try {
      onProgress?.({ bytesDone: 1, bytesTotal: 2, filesDone: 1 });
      const aborted = new Promise<never>((_, reject) => {
        signal?.addEventListener('abort', () => reject(new RepositoryError('Aborted', 'aborted')));
      });
      await Promise.race([this.gate, aborted]);
      this.#fail();
      return await work();
    } finally {
      this.running--;
    }
  }

  #fail(): void {
    const failure = this.failures.shift();
    if (failure) throw failure;
  }
}

function noWorktree(name: string): RepositoryError {
  return new RepositoryError('NotFound', `there is no worktree ${name}`);
}

let clock = Date.parse('2026-11-24T08:00:00Z');

/** A descriptor as the jvs binary writes it, one second younger than the one before. */
export function fakeDescriptor(fields: Partial<Descriptor> = {}): Descriptor {
  clock += 1000;
  return {
    snapshot_id: `${clock}-${randomBytes(4).toString('hex')}`,
    worktree_name: 'main',
    created_at: new Date(clock).toISOString().replace('.000Z', 'Z'),
    engine: 'copy',
    payload_root_hash: randomBytes(32).toString('hex'),
    descriptor_checksum: randomBytes(32).toString('hex'),
    integrity_state: 'verified',
    ...fields,
  };
}
