// Everything a workspace's agents are asked for, assembled in one place. Pure.
import type { DeletionInput } from '../../shared/proto/gen/jvs/link/v1/Deletion.ts';
import type { ExportInput } from '../../shared/proto/gen/jvs/link/v1/Export.ts';
import type { InitialInput } from '../../shared/proto/gen/jvs/link/v1/Initial.ts';
import type { SnapshotRequestInput } from '../../shared/proto/gen/jvs/link/v1/SnapshotRequest.ts';
import type { Restore } from '../api/restore.ts';
import type { Snapshot } from '../api/snapshot.ts';
import type { Workspace } from '../api/workspace.ts';
import type { ConnectedAgent, Desired, Identified } from '../link/agents.ts';
import { askable, order, planQueue } from '../restore/queue.ts';
import { idOf, isWanted, planRequest } from '../snapshot/request.ts';
import { planHooks, planRetention, planSchedule } from './policy.ts';

export const allowMassPrune = 'jvs.io/allow-mass-prune';

/** Of one workspace. */
export interface Asked {
  workspace: Workspace;
  /** The primary one, when one is connected. */
  agent?: ConnectedAgent | undefined;
  snapshots: readonly Snapshot[];
  restores: readonly Restore[];
  /** By name, Restores that nothing can be written to. */
  isRefused?: (restore: string) => boolean;
  /** What may be deleted now. */
  deletions: readonly Identified<DeletionInput>[];
  /** Snapshots that no resource asks for. */
  crashes: readonly Identified<SnapshotRequestInput>[];
  /** What comes from another workspace before it begins. */
  initial?: InitialInput | undefined;
  /** What goes to others. */
  exports?: readonly ExportInput[];
}

/** Requests stay until their outcome is in the status of what asks for them, or seen on the volume. */
export function planDesired(asked: Asked): Desired {
  const {
    workspace,
    agent,
    snapshots,
    restores,
    isRefused,
    deletions,
    crashes,
    initial,
    exports = [],
  } = asked;
  const byName = new Map(snapshots.map((snapshot) => [snapshot.metadata.name, snapshot]));
  const requests = snapshots
    .filter((snapshot) => isWanted(snapshot, agent))
    .sort((a, b) => order(a).localeCompare(order(b)))
    .map((snapshot) => planRequest(snapshot, (name) => byName.get(name)))
    .filter((request) => 'uid' in request);
  const queue = planQueue(restores, snapshots);
  const pinned = snapshots
    .filter(({ spec, metadata }) => spec.pinned && !metadata.deletionTimestamp)
    .flatMap((snapshot) => idOf(snapshot) ?? []);
  const needed = [...queue.map(({ request }) => request), ...exports].flatMap(
    ({ snapshotId }) => snapshotId ?? [],
  );
  const schedule = planSchedule(workspace);
  const hooks = planHooks(workspace);
  return {
    engine: workspace.spec.defaultEngine,
    snapshots: [...crashes, ...requests],
    restores: askable(queue, isRefused),
    deletions: [...deletions],
    ...(initial && { initial }),
    exports: [...exports],
    ...(hooks && { hooks }),
    finalSnapshot: workspace.spec.finalSnapshot,
    ...(schedule && { schedule }),
    retention: planRetention(workspace),
    pinned: [...new Set([...pinned, ...needed])].sort(),
    allowMassPrune: workspace.metadata.annotations?.[allowMassPrune] === 'true',
  };
}

/**
 * Whether there is something that an agent has to do for it even where no pod of the workspace runs. What a crashed
 * container left is not: there is no crash without a pod.
 */
export const isPending = ({ snapshots, restores, deletions, exports }: Desired): boolean =>
  snapshots.some(({ uid }) => !isCrash(uid)) ||
  [restores, deletions, exports].some((requests) => requests !== undefined && requests.length > 0);

export const crashPrefix = 'crash-';
const isCrash = (uid: string): boolean => uid.startsWith(crashPrefix);
