// From Snapshot resources to what the agents are asked for. Pure.
import { parseDuration } from '../../shared/duration.ts';
import type { RetentionInput } from '../../shared/proto/gen/jvs/link/v1/Retention.ts';
import type { ScheduleInput } from '../../shared/proto/gen/jvs/link/v1/Schedule.ts';
import type { SnapshotRequestInput } from '../../shared/proto/gen/jvs/link/v1/SnapshotRequest.ts';
import { type Snapshot, templateTags } from '../api/snapshot.ts';
import type { Workspace } from '../api/workspace.ts';
import type { Desired, Identified } from '../link/agents.ts';

/** A request that can not be made as things stand, and what would change that. */
export interface Blocked {
  reason: string;
  message: string;
}

/** Its request has had its outcome; what is said of it from then on is what became of the data. */
export const isFinished = ({ status }: Snapshot): boolean =>
  status?.phase === 'Ready' || status?.phase === 'Failed' || status?.phase === 'Expiring';

/** Shows a snapshot that is there already. Said by an immutable field, so that no edit makes a request of it. */
export const isShown = ({ spec }: Snapshot): boolean => spec.snapshotID !== undefined;

/** Of the snapshot on the volume that it stands for; undefined while there is none. */
export const idOf = ({ spec, status }: Snapshot): string | undefined => status?.snapshotID ?? spec.snapshotID;

export const allowMassPrune = 'jvs.io/allow-mass-prune';

const snapshotId = /^\d{13}-[0-9a-f]{8}$/;

/** `byName` finds a Snapshot of the same namespace, for `spec.sourceSnapshot`. */
export function planRequest(
  snapshot: Snapshot,
  byName: (name: string) => Snapshot | undefined,
): Identified<SnapshotRequestInput> | Blocked {
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
    .filter((snapshot) => !isFinished(snapshot) && !isShown(snapshot) && !snapshot.metadata.deletionTimestamp)
    .sort((a, b) => order(a).localeCompare(order(b)))
    .map((snapshot) => planRequest(snapshot, (name) => byName.get(name)))
    .filter((request) => 'uid' in request);
  const pinned = snapshots.filter(({ spec }) => spec.pinned).flatMap((snapshot) => idOf(snapshot) ?? []);
  const schedule = planSchedule(workspace);
  return {
    engine: workspace.spec.defaultEngine,
    snapshots: requests,
    ...(schedule && { schedule }),
    retention: planRetention(workspace),
    pinned: [...new Set(pinned)].sort(),
    allowMassPrune: workspace.metadata.annotations?.[allowMassPrune] === 'true',
  };
}

function planSchedule({ spec: { autoSnapshot } }: Workspace): ScheduleInput | undefined {
  if (!autoSnapshot?.enabled || autoSnapshot.schedule === undefined) return undefined;
  const { schedule, timeZone, template, suspend, skipUnchanged, startingDeadlineSeconds } = autoSnapshot;
  return {
    cron: schedule,
    timeZone,
    tags: [...templateTags(template)],
    suspend,
    skipUnchanged,
    ...(startingDeadlineSeconds !== undefined && { startingDeadlineSeconds }),
  };
}

function planRetention({ spec: { retentionPolicy, autoSnapshot } }: Workspace): RetentionInput {
  return {
    ...(retentionPolicy && {
      policy: {
        keepMinSnapshots: retentionPolicy.keepMinSnapshots,
        keepMinAgeSeconds: secondsOf(retentionPolicy.keepMinAge),
        keepTags: retentionPolicy.keepTags ?? [],
      },
    }),
    maxAutoSnapshots: autoSnapshot?.maxSnapshots ?? 0,
  };
}

/** Rounded up: nothing is kept for less than was asked for. What is too long to count in is for ever. */
function secondsOf(duration: string): number {
  try {
    return Math.ceil(parseDuration(duration) / 1000);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return Math.floor(Number.MAX_SAFE_INTEGER / 1000);
  }
}

const order = ({ metadata }: Snapshot): string => `${metadata.creationTimestamp} ${metadata.name}`;
