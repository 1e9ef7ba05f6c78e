// From Snapshot resources to what the agents are asked for. Pure.
import type { SnapshotRequest } from '../../shared/proto/gen/jvs/link/v1/SnapshotRequest.ts';
import { type Snapshot, templateTags } from '../api/snapshot.ts';
import type { Workspace } from '../api/workspace.ts';
import type { Desired } from '../link/agents.ts';

/** A request that can not be made as things stand, and what would change that. */
export interface Blocked {
  reason: string;
  message: string;
}

export const isFinished = (snapshot: Snapshot): boolean =>
  snapshot.status?.phase === 'Ready' || snapshot.status?.phase === 'Failed';

const snapshotId = /^\d{13}-[0-9a-f]{8}$/;

/** `byName` finds a Snapshot of the same namespace, for `spec.sourceSnapshot`. */
export function planRequest(
  snapshot: Snapshot,
  byName: (name: string) => Snapshot | undefined,
): SnapshotRequest | Blocked {
  const { spec, metadata } = snapshot;
  let expectedParent = spec.sourceSnapshot ?? '';
  if (expectedParent && !snapshotId.test(expectedParent)) {
    const source = byName(expectedParent);
    if (source?.spec.workspace !== spec.workspace || !source.status?.snapshotID) {
      return {
        reason: 'SourceSnapshotNotReady',
        message: `spec.sourceSnapshot: Snapshot ${expectedParent} of workspace ${spec.workspace} does not exist or is not Ready`,
      };
    }
    expectedParent = source.status.snapshotID;
  }
  return {
    uid: metadata.uid ?? '',
    name: metadata.name ?? '',
    worktree: spec.worktree,
    note: spec.note ?? '',
    tags: [...new Set([...(spec.tags ?? []), ...templateTags(spec.template)])],
    engine: spec.engine ?? '',
    expectedParent,
  };
}

/** Everything a workspace's agents are asked for: requests stay until their outcome is in the Snapshot's status. */
export function planDesired(workspace: Workspace, snapshots: readonly Snapshot[]): Desired {
  const byName = new Map(snapshots.map((snapshot) => [snapshot.metadata.name, snapshot]));
  const requests = snapshots
    .filter((snapshot) => !isFinished(snapshot) && !snapshot.metadata.deletionTimestamp)
    .sort((a, b) => order(a).localeCompare(order(b)))
    .map((snapshot) => planRequest(snapshot, (name) => byName.get(name)))
    .filter((request) => 'uid' in request);
  return { engine: workspace.spec.defaultEngine, snapshots: requests };
}

const order = ({ metadata }: Snapshot): string => `${metadata.creationTimestamp} ${metadata.name}`;
