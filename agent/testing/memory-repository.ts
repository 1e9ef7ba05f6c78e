// A repository in memory, for tests of what the real one cannot be made to do on demand: fail, stall, be busy.
import { randomBytes } from 'node:crypto';
import {
  type Descriptor,
  RepositoryError,
  type RepositoryInfo,
  type SnapshotOptions,
  type Verification,
  type VerifyOptions,
  type Worktree,
} from '../repository/repository.ts';
import type { VolumeRepository } from '../volume/volume.ts';

export class MemoryRepository implements VolumeRepository {
  /** The disk: oldest first. Tests change it as another program would. */
  readonly disk: Descriptor[] = [];
  /** Thrown by the next calls of open() and snapshot(), one each. */
  readonly failures: Error[] = [];
  /** snapshot() waits for it before it publishes. */
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
    const { worktree, tags = [], requestTag, signal } = options;
    this.mostRunning = Math.max(this.mostRunning, ++this.running);
    try {
      options.onProgress?.({ bytesDone: 1, bytesTotal: 2, filesDone: 1 });
      const aborted = new Promise<never>((_, reject) => {
        signal?.addEventListener('abort', () => reject(new RepositoryError('Aborted', 'aborted')));
      });
      await Promise.race([this.gate, aborted]);
      this.#fail();
      const made = this.disk.find(({ tags }) => requestTag !== undefined && tags?.includes(requestTag));
      if (made) return made;
      const head = this.disk.findLast(({ worktree_name }) => worktree_name === worktree);
      if (options.unlessUnchanged && this.unchanged && head) return head;
      const descriptor = fakeDescriptor({
        parent_id: await this.head(worktree),
        worktree_name: worktree,
        note: options.note,
        tags: requestTag === undefined ? [...tags] : [...tags, requestTag],
        engine: options.engine ?? 'copy',
      });
      descriptor.agent = {
        completed_at: descriptor.created_at,
        effective_engine: 'copy',
        origin: options.origin,
        consistency: 'crash-consistent',
        size: 2,
        unique_bytes: 2,
        entries: 1,
      };
      this.disk.push(descriptor);
      return descriptor;
    } finally {
      this.running--;
    }
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
    return this.disk.findLast((descriptor) => descriptor.worktree_name === worktree)?.snapshot_id;
  }

  async worktrees(): Promise<Worktree[]> {
    const [name, created_at] = ['main', '2026-11-24T08:00:00Z'];
    const head = await this.head(name);
    return [{ name, created_at, ...(head && { head_snapshot_id: head, latest_snapshot_id: head }) }];
  }

  async delete(id: string): Promise<void> {
    this.disk.splice(this.disk.indexOf(await this.get(id)), 1);
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

  #fail(): void {
    const failure = this.failures.shift();
    if (failure) throw failure;
  }
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
