// What a Snapshot's status has to say, from what the cluster and the volume say. Pure.
import type { Snapshot as DiskSnapshot } from '../../shared/proto/gen/jvs/agent/v1/Snapshot.ts';
import { toRfc3339 } from '../../shared/proto/timestamp.ts';
import { setCondition } from '../api/conditions.ts';
import type { Snapshot, SnapshotStatus } from '../api/snapshot.ts';
import type { Workspace } from '../api/workspace.ts';
import type { ConnectedAgent } from '../link/agents.ts';
import { type Blocked, isFinished, planRequest } from './request.ts';

export interface Observed {
  snapshot: Snapshot;
  /** The Workspace that spec.workspace names. */
  workspace?: Workspace;
  /** Its primary agent, when one is connected. */
  agent?: ConnectedAgent;
  /** A Snapshot of the same namespace by name. */
  byName: (name: string) => Snapshot | undefined;
}

export interface Plan {
  status: SnapshotStatus;
  event?: { type: 'Normal' | 'Warning'; reason: string; message: string };
}

/** `undefined` when the Snapshot is finished: its status is history and is not touched again. */
export function planSnapshot(observed: Observed, now: Date): Plan | undefined {
  const { snapshot, workspace, agent, byName } = observed;
  if (isFinished(snapshot)) return undefined;
  const { workspace: workspaceName } = snapshot.spec;
  const uid = snapshot.metadata.uid ?? '';

  if (!workspace) {
    return pending(observed, now, {
      reason: 'WorkspaceNotFound',
      message: `spec.workspace: no Workspace ${workspaceName} in namespace ${snapshot.metadata.namespace}; create it, or delete this Snapshot and name another`,
    });
  }
  const onDisk = agent && [...agent.snapshots.values()].find(({ requestUid }) => requestUid === uid);
  if (onDisk) return ready(observed, onDisk, now);
  if (!agent) return pending(observed, now, waitingForAgent(workspace));

  const request = planRequest(snapshot, byName);
  if ('reason' in request) return pending(observed, now, request);
  const update = agent.requests.get(uid);
  switch (update?.phase) {
    case 'PHASE_FAILED':
      return failed(observed, update, now);
    case 'PHASE_WAITING':
      return pending(observed, now, update);
    case 'PHASE_IN_PROGRESS':
      return {
        status: {
          ...withReady(observed, now, 'False', 'InProgress', `Agent ${agent.pod} is taking the snapshot`),
          phase: 'InProgress',
          progress: { bytesDone: update.bytesDone, bytesTotal: update.bytesTotal },
        },
      };
    default:
      return pending(observed, now, { reason: 'Requested', message: `Asked of agent ${agent.pod}` });
  }
}

function waitingForAgent({ metadata, spec }: Workspace): Blocked {
  return spec.replicas === 0
    ? {
        reason: 'WorkspaceStopped',
        message: `Workspace ${metadata.name} has no replicas and no connected pod; scale it up`,
      }
    : {
        reason: 'WaitingForAgent',
        message: `No agent of Workspace ${metadata.name} is connected; see kubectl describe jvs ${metadata.name}`,
      };
}

function ready(observed: Observed, onDisk: DiskSnapshot, now: Date): Plan {
  const message = `Snapshot ${onDisk.id} is on the volume and verified`;
  const { progress: _, ...before } = withReady(observed, now, 'True', 'SnapshotReady', message);
  return {
    status: {
      ...before,
      phase: 'Ready',
      snapshotID: onDisk.id,
      ...(onDisk.parentId && { parentID: onDisk.parentId }),
      ...(onDisk.createdAt && { createdAt: toRfc3339(onDisk.createdAt) }),
      ...(onDisk.completedAt && { completedAt: toRfc3339(onDisk.completedAt) }),
      size: onDisk.sizeBytes,
      uniqueBytes: onDisk.uniqueBytes,
      integrityState: integrity[onDisk.integrity],
      descriptorChecksum: onDisk.descriptorChecksum,
      ...(consistency[onDisk.consistency] && { consistency: consistency[onDisk.consistency] }),
      origin: 'manual',
    },
    event: { type: 'Normal', reason: 'SnapshotReady', message },
  };
}

const integrity = {
  INTEGRITY_UNSPECIFIED: 'unknown',
  INTEGRITY_VERIFIED: 'verified',
  INTEGRITY_TAMPERED: 'tampered',
} as const;

const consistency = {
  CONSISTENCY_UNSPECIFIED: undefined,
  CONSISTENCY_QUIESCED: 'quiesced',
  CONSISTENCY_CRASH_CONSISTENT: 'crash-consistent',
  CONSISTENCY_CHANGED_DURING_COPY: 'changed-during-copy',
} as const;

function failed(observed: Observed, { reason, message }: Blocked, now: Date): Plan {
  const { progress: _, ...before } = withReady(observed, now, 'False', reason, message);
  return {
    status: { ...before, phase: 'Failed' },
    event: { type: 'Warning', reason: 'SnapshotFailed', message: `${reason}: ${message}` },
  };
}

/** Waiting for something that can still come. An event once per reason, so that `describe` shows the path taken. */
function pending(observed: Observed, now: Date, { reason, message }: Blocked): Plan {
  const known = observed.snapshot.status?.conditions?.find(({ type }) => type === 'Ready')?.reason;
  const { progress: _, ...before } = withReady(observed, now, 'False', reason, message);
  return {
    status: { ...before, phase: 'Pending' },
    ...(reason !== known && reason !== 'Requested' && { event: { type: 'Warning', reason, message } }),
  };
}

function withReady(
  { snapshot }: Observed,
  now: Date,
  status: 'True' | 'False',
  reason: string,
  message: string,
): SnapshotStatus {
  const observedGeneration = snapshot.metadata.generation ?? 0;
  const condition = { type: 'Ready', status, reason, message, observedGeneration };
  return {
    ...snapshot.status,
    message,
    conditions: setCondition(snapshot.status?.conditions ?? [], condition, now),
  };
}
