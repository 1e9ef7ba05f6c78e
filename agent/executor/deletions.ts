// What a person has let go: a snapshot, even one that a worktree stands on, or a worktree with all that is in it. What
// is not there is gone already.
import type { Deletion } from '../../shared/proto/gen/jvs/link/v1/Deletion.ts';
import { RepositoryError } from '../repository/repository.ts';
import type { Volume } from '../volume/volume.ts';
import type { TurnOptions, Turns } from './turns.ts';

export interface DeletionsOptions {
  volume: Volume;
  turns: Turns;
  /** Told that a snapshot goes, before it does. */
  onDelete: (id: string) => void;
  /** The restore that has not ended and needs the snapshot. */
  neededBy: (id: string) => string | undefined;
}

export class Deletions {
  readonly #options: DeletionsOptions;

  constructor(options: DeletionsOptions) {
    this.#options = options;
  }

  /** @throws VolumeUnavailable, RepositoryError */
  async perform(
    { uid, snapshotId, worktree }: Deletion,
    turn: Pick<TurnOptions, 'signals' | 'wanted'>,
  ): Promise<void> {
    const { turns, volume } = this.#options;
    const subject = { operation: 'delete', uid, worktree: worktree ?? '', ...turn } as const;
    await turns.take(subject, async ({ signal }) => {
      try {
        if (snapshotId) await this.#snapshot(snapshotId, signal);
        else if (worktree) await volume.repository.removeWorktree(worktree, signal);
        else throw new RepositoryError('InvalidArgument', 'a deletion must name a snapshot or a worktree');
      } catch (error) {
        if (!(error instanceof RepositoryError && error.reason === 'NotFound')) throw error;
      } finally {
        await volume.refresh();
      }
    });
  }

  async #snapshot(id: string, signal: AbortSignal): Promise<void> {
    const { volume, onDelete, neededBy } = this.#options;
    const restore = neededBy(id);
    if (restore !== undefined) {
      const message = `Restore ${restore} needs snapshot ${id}: it is deleted when that has ended, or is deleted`;
      throw new RepositoryError('Busy', message);
    }
    if (volume.state.snapshots.some(({ snapshot_id }) => snapshot_id === id)) onDelete(id);
    await volume.repository.delete(id, { evenHeads: true, signal });
  }
}
