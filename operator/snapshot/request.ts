// From a Snapshot resource to what the agents are asked for. Pure.
import type { CompressionInput } from '../../shared/proto/gen/jvs/link/v1/Compression.ts';
import type { SnapshotRequestInput } from '../../shared/proto/gen/jvs/link/v1/SnapshotRequest.ts';
import { type Snapshot, type SnapshotSpec, templateTags } from '../api/snapshot.ts';
import type { Workspace } from '../api/workspace.ts';
import type { ConnectedAgent, Identified } from '../link/agents.ts';
import { podName } from '../maintenance/pod.ts';
import type { PersistentVolumeClaim } from '../runtime/resources.ts';
import { isForerunners } from '../workspace/repository.ts';

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

export const fieldManager = 'jvs-snapshot-controller';

/** On the Snapshot, so that its data can go before it does. */
export const finalizer = 'jvs.io/snapshot';

/** Data that goes with it may be on the volume: from before the first request, until its request has failed. */
export const needsFinalizer = (snapshot: Snapshot): boolean =>
  snapshot.spec.deletionPolicy === 'Delete' &&
  !(snapshot.status?.phase === 'Failed' && idOf(snapshot) === undefined);

/**
 * A snapshot is to be made for it. One that is being taken, by its status or by the agent's word, is not called back:
 * the agent would finish it all the same, and what it made has to be known to be deleted.
 */
export function isWanted(snapshot: Snapshot, agent?: ConnectedAgent): boolean {
  const { metadata, status } = snapshot;
  if (isFinished(snapshot) || isShown(snapshot)) return false;
  if (metadata.deletionTimestamp) {
    const said = agent?.requests.get(metadata.uid ?? '')?.phase;
    return (status?.phase === 'InProgress' || said === 'PHASE_IN_PROGRESS') && idOf(snapshot) === undefined;
  }
  return !needsFinalizer(snapshot) || (metadata.finalizers?.includes(finalizer) ?? false);
}

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
    ...compressionOf(spec),
    partialPaths: spec.partialPaths ?? [],
  };
}

/** As the programs have it where spec.compression gives no level. */
const defaultLevel = { gzip: 6, zstd: 3 };
/** Of the template archive: the highest of those that jvs 8.2, too, restores. */
const archived = { type: 'gzip', level: 9 };

function compressionOf({ compression, template }: SnapshotSpec): { compression?: CompressionInput } {
  if (!compression) return template === 'archive' ? { compression: archived } : {};
  const { type, level } = compression;
  return type === 'none' ? {} : { compression: { type, level: level ?? defaultLevel[type] } };
}

/** Why nothing happens to a request of any kind while no agent is connected. */
export function waitingForAgent(workspace: Workspace, claim: PersistentVolumeClaim | undefined): Blocked {
  const { metadata, spec } = workspace;
  if (claim && isForerunners(workspace, claim)) {
    return {
      reason: 'VolumeTerminating',
      message: `The volume of the Workspace ${metadata.name} before this one is still going, and a new one is made when it is gone; see kubectl describe pvc ${claim.metadata.name} for the pods that hold it`,
    };
  }
  return spec.replicas === 0
    ? {
        reason: 'WorkspaceStopped',
        message: `Workspace ${metadata.name} has no replicas and no connected pod: pod ${podName(metadata.name)} is started to do it. See kubectl describe pod ${podName(metadata.name)}, or scale the Workspace up`,
      }
    : {
        reason: 'WaitingForAgent',
        message: `No agent of Workspace ${metadata.name} is connected; see kubectl describe jvs ${metadata.name}`,
      };
}
