// Going back: a worktree is replaced in place, after a snapshot of what it holds, or a new one is made. A request is
// carried out once: the engine finds by its tag what a killed agent has done, and what is done is written down.
import * as z from 'zod/mini';
import type { Logger } from '../../shared/log.ts';
import type { RequestUpdateInput } from '../../shared/proto/gen/jvs/link/v1/RequestUpdate.ts';
import type { RestoreRequest } from '../../shared/proto/gen/jvs/link/v1/RestoreRequest.ts';
import { isLately } from '../clock.ts';
import { type Descriptor, RepositoryError, type Worktree } from '../repository/repository.ts';
import { beforeTag, requestTag } from '../snapshot.ts';
import type { StateStore } from '../state.ts';
import type { Volume } from '../volume/volume.ts';
import type { Report } from './queue.ts';
import type { Shot, Snapshots } from './snapshots.ts';
import type { Turn, TurnOptions, Turns } from './turns.ts';

export interface RestoresOptions {
  volume: Volume;
  turns: Turns;
  snapshots: Snapshots;
  store: StateStore;
  log: Logger;
  now: () => number;
}

/** Oldest first. */
const doneSchema = z.object({
  done: z.array(z.object({ uid: z.string(), before: z.optional(z.string()) })),
});
const mostRemembered = 1000;

/** What was taken before an attempt is good for another one so long; then what changed since is taken too. */
const freshMs = 5 * 60_000;

export class Restores {
  readonly #options: RestoresOptions;

  constructor(options: RestoresOptions) {
    this.#options = options;
  }

  /** @throws VolumeUnavailable, RepositoryError */
  async perform(
    asked: RestoreRequest,
    turn: Pick<TurnOptions, 'signals' | 'wanted'>,
    report: Report,
  ): Promise<RequestUpdateInput> {
    const { turns, volume } = this.#options;
    const { uid, snapshotId, newWorktree } = asked;
    const worktree = newWorktree || asked.worktree || 'main';
    const operation = newWorktree ? 'fork' : 'restore';
    return turns.take({ operation, uid, worktree, ...turn }, async (own) => {
      const known = await this.#done();
      const found = known.find((one) => one.uid === uid);
      if (found) return doneWord(uid, found.before);
      const onProgress = own.meter(operation, ({ bytesDone, bytesTotal }) =>
        report({ bytesDone, bytesTotal }),
      );
      const options = { snapshotId, requestTag: requestTag(uid), signal: own.signal, onProgress };
      let before: string | undefined;
      try {
        await this.#find(snapshotId);
        if (newWorktree) await volume.repository.fork({ ...options, name: worktree });
        else {
          await this.#findWorktree(worktree);
          if (asked.preRestoreSnapshot) before = await this.#before(own, asked, worktree);
          if (before) report({ preRestoreSnapshotId: before });
          await volume.repository.restore({ ...options, worktree });
        }
      } finally {
        await volume.refresh();
      }
      await this.#remember([...known, { uid, ...(before && { before }) }]);
      return doneWord(uid, before);
    });
  }

  /**
   * For a container of the pod; what it replaces counts as taken by the pod itself.
   * @throws VolumeUnavailable, RepositoryError
   */
  async restore(
    id: string,
    worktree: string,
    shot: Shot,
    turn: Pick<TurnOptions, 'signals' | 'wanted'>,
  ): Promise<string | undefined> {
    const { turns, volume } = this.#options;
    return turns.take({ operation: 'restore', uid: '', worktree, ...turn }, async (own) => {
      try {
        await this.#find(id);
        await this.#findWorktree(worktree);
        const before = await this.#take(own, shot);
        const onProgress = own.meter('restore');
        await volume.repository.restore({ snapshotId: id, worktree, signal: own.signal, onProgress });
        return before?.snapshot_id;
      } finally {
        await volume.refresh();
      }
    });
  }

  /** For a container of the pod. @throws VolumeUnavailable, RepositoryError */
  async fork(id: string, name: string, turn: Pick<TurnOptions, 'signals' | 'wanted'>): Promise<Worktree> {
    const { turns, volume } = this.#options;
    return turns.take({ operation: 'fork', uid: '', worktree: name, ...turn }, async (own) => {
      try {
        await this.#find(id);
        const onProgress = own.meter('fork');
        await volume.repository.fork({ snapshotId: id, name, signal: own.signal, onProgress });
        return await this.#findWorktree(name);
      } finally {
        await volume.refresh();
      }
    });
  }

  async #find(id: string): Promise<void> {
    try {
      await this.#options.volume.repository.get(id);
    } catch (cause) {
      if (!(cause instanceof RepositoryError) || cause.reason !== 'NotFound') throw cause;
      const message = `there is no snapshot ${id} on this volume: ListSnapshots and the Workspace's Snapshots name those there are`;
      throw new RepositoryError('NotFound', message, { cause });
    }
  }

  async #findWorktree(name: string): Promise<Worktree> {
    const all = await this.#options.volume.repository.worktrees();
    const found = all.find((worktree) => worktree.name === name);
    if (found) return found;
    const names = all.slice(0, 20).map((worktree) => worktree.name);
    throw new RepositoryError(
      'NotFound',
      `there is no worktree ${name}: restore into one that is there (${names.join(', ')}), or set newWorktree`,
    );
  }

  /** The id of what brings the worktree back to what it holds now. */
  async #before(own: Turn, asked: RestoreRequest, worktree: string): Promise<string | undefined> {
    const { volume, now } = this.#options;
    const shot = shotBefore(
      asked,
      worktree,
      volume.state.snapshots,
      now(),
      await volume.repository.head(worktree),
    );
    return (await this.#take(own, shot))?.snapshot_id;
  }

  /** undefined where the worktree's folder is gone: then there is nothing to lose. */
  async #take(own: Turn, shot: Shot): Promise<Descriptor | undefined> {
    const { snapshots, log } = this.#options;
    try {
      return await snapshots.within(own, shot);
    } catch (err) {
      if (!(err instanceof RepositoryError) || err.reason !== 'NotFound') throw err;
      log.warn({ err, worktree: shot.worktree }, 'nothing to save before the restore');
      return undefined;
    }
  }

  /** Read each time: another agent of the volume may have been the primary meanwhile. */
  async #done(): Promise<z.infer<typeof doneSchema>['done']> {
    return (await this.#options.store.load('restores', doneSchema))?.done ?? [];
  }

  async #remember(done: z.infer<typeof doneSchema>['done']): Promise<void> {
    await this.#options.store.save('restores', { done: done.slice(-mostRemembered) });
  }
}

const doneWord = (uid: string, before: string | undefined): RequestUpdateInput => ({
  uid,
  phase: 'PHASE_DONE',
  ...(before && { preRestoreSnapshotId: before }),
});

/**
 * What to take before a restore. A retry finds what the attempt before took, unless that is long ago: the worktree was
 * worked in since. Where the head is what is to be restored, it is restored already, and there is nothing to add.
 */
export function shotBefore(
  { uid, name, snapshotId }: Pick<RestoreRequest, 'uid' | 'name' | 'snapshotId'>,
  worktree: string,
  all: readonly Descriptor[],
  now: number,
  head: string | undefined,
): Shot {
  const shot = { worktree, origin: 'pre-restore', note: `Before Restore ${name} of ${snapshotId}` } as const;
  const tag = beforeTag(uid);
  const taken = all.filter(({ tags }) => tags?.some((one) => one === tag || one.startsWith(`${tag}-`)));
  const [newest] = taken;
  if (!newest) return { ...shot, requestTag: tag };
  const latest = taken.length === 1 ? tag : `${tag}-${taken.length}`;
  const fresh = isLately(Date.parse(newest.created_at), now, freshMs);
  if (fresh || head === snapshotId) return { ...shot, requestTag: latest };
  return { ...shot, requestTag: `${tag}-${taken.length + 1}`, unlessUnchanged: true };
}
