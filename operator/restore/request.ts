// From a Restore, or a Snapshot with restoreOnCreate, to what the agents are asked for. Pure.
import type { RestoreRequestInput } from '../../shared/proto/gen/jvs/link/v1/RestoreRequest.ts';
import type { Restore } from '../api/restore.ts';
import type { Snapshot } from '../api/snapshot.ts';
import type { Identified } from '../link/agents.ts';
import type { Blocked } from '../snapshot/request.ts';

export type RestoreRequest = Identified<RestoreRequestInput>;

/** It can not be asked for. `final`: nor will it ever be. */
export interface Refused extends Blocked {
  final: boolean;
}

export const fieldManager = 'jvs-restore-controller';

/** On the Restore, so that the worktree it made can go before it does. */
export const finalizer = 'jvs.io/restore';

/** It has run. */
export const isOver = ({ status }: Restore): boolean =>
  status?.phase === 'Completed' || status?.phase === 'Failed';

/** A worktree that goes with it may be on the volume: from before the request, unless that has failed. */
export const needsFinalizer = ({ spec, status }: Restore): boolean =>
  spec.deletionPolicy === 'Delete' && spec.newWorktree !== undefined && status?.phase !== 'Failed';

/** One that an agent has begun is not called back: it runs to its end, so that this is known. */
export function isWanted(restore: Restore): boolean {
  if (isOver(restore)) return false;
  if (restore.metadata.deletionTimestamp) return restore.status?.phase === 'InProgress';
  return !needsFinalizer(restore) || (restore.metadata.finalizers?.includes(finalizer) ?? false);
}

/** Which snapshot it is to bring back is said by itself, whatever becomes of the Snapshot that it names. */
export const isRecorded = ({ spec, status }: Restore): boolean =>
  (status?.snapshotID ?? spec.snapshotID) !== undefined;

export const targetOf = ({ spec }: Restore): string => spec.newWorktree ?? spec.worktree ?? 'main';

/** `byName` finds a Snapshot of the same namespace. What it stood for once it stands for until the Restore has run. */
export function planRestore(
  restore: Restore,
  byName: (name: string) => Snapshot | undefined,
): RestoreRequest | Refused {
  const { spec, metadata, status } = restore;
  const known = status?.snapshotID ?? spec.snapshotID;
  const found = known === undefined ? resolve(restore, byName(spec.snapshot ?? '')) : known;
  if (typeof found !== 'string') return found;
  return {
    uid: metadata.uid ?? '',
    name: metadata.name,
    snapshotId: found,
    ...(spec.newWorktree === undefined
      ? { worktree: targetOf(restore), preRestoreSnapshot: spec.preRestoreSnapshot }
      : { newWorktree: spec.newWorktree }),
  };
}

/** Id of the snapshot that spec.snapshot stands for. */
function resolve({ spec, metadata }: Restore, source: Snapshot | undefined): string | Refused {
  const name = `spec.snapshot: Snapshot ${spec.snapshot}`;
  const refused = (final: boolean, reason: string, message: string): Refused => ({ final, reason, message });
  if (!source) {
    return refused(
      false,
      'SnapshotNotFound',
      `spec.snapshot: no Snapshot ${spec.snapshot} in namespace ${metadata.namespace}; create it, or delete this Restore and name another`,
    );
  }
  const { status } = source;
  if (source.spec.workspace !== spec.workspace) {
    return refused(
      true,
      'SnapshotOfOtherWorkspace',
      `${name} is of Workspace ${source.spec.workspace}, not of ${spec.workspace}: name one of this Workspace; spec.initialSnapshot of a new Workspace takes one of another`,
    );
  }
  if (source.metadata.deletionTimestamp || status?.phase === 'Expiring') {
    return refused(true, 'SnapshotDeleted', `${name} is being deleted: make a Restore that names another`);
  }
  if (status?.phase === 'Failed') {
    return status.snapshotID
      ? refused(
          true,
          'SnapshotDamaged',
          `${name} is damaged, its files are not what was saved: make a Restore that names another`,
        )
      : refused(
          true,
          'SnapshotFailed',
          `${name} has failed and holds nothing: make a Restore that names another`,
        );
  }
  if (status?.phase !== 'Ready' || !status.snapshotID) {
    return refused(false, 'SnapshotNotReady', `${name} is not Ready yet: ${status?.message ?? 'it is new'}`);
  }
  return status.snapshotID;
}

const onCreate = '-restore';

/** Of the request that spec.restoreOnCreate makes. */
export const onCreateUid = ({ metadata }: Snapshot): string => `${metadata.uid}${onCreate}`;

/** The Snapshot's or Restore's uid that a request of this uid is made for. */
export const ownerUid = (uid: string): string =>
  uid.endsWith(onCreate) ? uid.slice(0, -onCreate.length) : uid;

/** The worktree that spec.restoreOnCreate makes. */
export const worktreeOnCreate = ({ spec, metadata }: Snapshot): string =>
  spec.restoreWorktree ?? metadata.name;

/** Undefined while there is nothing to restore, and when that was done. */
export function planOnCreate(snapshot: Snapshot): RestoreRequest | undefined {
  const { spec, status, metadata } = snapshot;
  if (!spec.restoreOnCreate || status?.phase !== 'Ready' || !status.snapshotID) return undefined;
  const { phase } = status.restoreStatus ?? {};
  if (metadata.deletionTimestamp || phase === 'Completed' || phase === 'Failed') return undefined;
  return {
    uid: onCreateUid(snapshot),
    name: metadata.name,
    snapshotId: status.snapshotID,
    newWorktree: worktreeOnCreate(snapshot),
  };
}
