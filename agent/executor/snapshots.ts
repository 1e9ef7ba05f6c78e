// Snapshots of every origin, with the Workspace's hooks around each. Exactly once is the engine's promise: the
// request's tag is in the descriptor.
import * as z from 'zod/mini';
import type { Compression as CompressionMessage } from '../../shared/proto/gen/jvs/link/v1/Compression.ts';
import type { SnapshotRequest } from '../../shared/proto/gen/jvs/link/v1/SnapshotRequest.ts';
import type { Quiesce } from '../hooks/quiesce.ts';
import type { Meters } from '../metrics/meters.ts';
import {
  type Compression,
  type Descriptor,
  type EngineName,
  type Progress,
  RepositoryError,
  type SnapshotOptions,
} from '../repository/repository.ts';
import { requestTag } from '../snapshot.ts';
import type { Volume } from '../volume/volume.ts';
import type { Turn, TurnOptions, Turns } from './turns.ts';

export const engineName = z.enum(['copy', 'reflink-copy', 'juicefs-clone']);
const compressionType = z.enum(['gzip', 'zstd']);

export interface SnapshotsOptions {
  volume: Volume;
  turns: Turns;
  hooks: Quiesce;
  meters: Meters;
}

/** What to take; the rest is the turn's. */
export type Shot = Omit<SnapshotOptions, 'signal' | 'onProgress' | 'quiesced'>;

export class Snapshots {
  readonly #options: SnapshotsOptions;

  constructor(options: SnapshotsOptions) {
    this.#options = options;
  }

  /** Takes one when its turn comes. @throws VolumeUnavailable, RepositoryError */
  async take(
    shot: Shot,
    turn: Pick<TurnOptions, 'signals' | 'last' | 'wanted'> & { uid?: string },
    report?: (progress: Progress) => void,
  ): Promise<Descriptor> {
    const { turns, meters } = this.#options;
    let begun = false;
    const subject = { operation: 'snapshot', worktree: shot.worktree, uid: '', ...turn } as const;
    try {
      return await turns.take(subject, (own) => {
        begun = true;
        return this.within(own, shot, { report, deserted: turn.last });
      });
    } catch (error) {
      if (!begun) meters.snapshotFailed(error, shot.origin);
      throw error;
    }
  }

  /** Takes one as a part of an operation. @throws VolumeUnavailable, RepositoryError */
  async within(
    { signal, over, meter }: Turn,
    shot: Shot,
    {
      report,
      deserted = false,
    }: { report?: ((progress: Progress) => void) | undefined; deserted?: boolean | undefined } = {},
  ): Promise<Descriptor> {
    const { volume, hooks, meters } = this.#options;
    const started = performance.now();
    const { worktree, origin } = shot;
    const known = new Set(volume.state.snapshots.map(({ snapshot_id }) => snapshot_id));
    try {
      const { repository } = volume;
      const take = (quiesced: boolean) =>
        repository.snapshot({ ...shot, quiesced, signal, onProgress: meter('snapshot', report) });
      // One that a killed agent has finished is found by its tag: nothing has to be frozen for that.
      const { requestTag: tag } = shot;
      const made = tag !== undefined && volume.state.snapshots.some(({ tags }) => tags?.includes(tag));
      const descriptor = await (made
        ? take(false)
        : hooks.around({ worktree, deserted, signal, over }, take));
      const unchanged = shot.unlessUnchanged && known.has(descriptor.snapshot_id);
      if (unchanged) meters.snapshotUnchanged(origin);
      else meters.snapshotMade(descriptor, origin, (performance.now() - started) / 1000);
      // What was there before may be older than the head.
      if (!known.has(descriptor.snapshot_id)) volume.record(descriptor);
      return descriptor;
    } catch (error) {
      const cancelled = signal.aborted && !(error instanceof RepositoryError);
      const failure = cancelled
        ? new RepositoryError('Aborted', 'The snapshot was cancelled', { cause: error })
        : error;
      meters.snapshotFailed(failure, origin);
      throw failure;
    }
  }
}

/** @throws RepositoryError InvalidArgument for what this agent does not know */
export function shotOf(asked: SnapshotRequest, engine: EngineName | undefined): Shot {
  const { origin, partialPaths, compression } = asked;
  if (origin && origin !== 'manual' && origin !== 'final')
    throw unknown('origin', origin, ['manual', 'final']);
  return {
    worktree: asked.worktree || 'main',
    note: asked.note || undefined,
    tags: asked.tags,
    engine,
    origin: origin === 'final' ? 'final' : 'manual',
    requestTag: requestTag(asked.uid),
    expectedParent: asked.expectedParent || undefined,
    ...(partialPaths.length > 0 && { paths: partialPaths }),
    ...(compression && compression.type !== 'none' && { compression: compressionOf(compression) }),
  };
}

/** @throws RepositoryError InvalidArgument */
export function engineOf(name: string): EngineName | undefined {
  if (!name) return undefined;
  const parsed = engineName.safeParse(name);
  if (parsed.success) return parsed.data;
  throw unknown('engine', name, engineName.options);
}

function compressionOf({ type, level }: CompressionMessage): Compression {
  const parsed = compressionType.safeParse(type);
  if (!parsed.success) throw unknown('compression', type, compressionType.options);
  return { type: parsed.data, level };
}

function unknown(field: string, value: string, known: readonly string[]): RepositoryError {
  return new RepositoryError(
    'InvalidArgument',
    `${field} ${JSON.stringify(value)} is not known to this agent: use ${known.join(', ')}, or a newer agent`,
  );
}
