// What a Snapshot's status has to say, from what the cluster and the volume say. Pure.
import type { Snapshot as DiskSnapshot } from '../../shared/proto/gen/jvs/agent/v1/Snapshot.ts';
import { toRfc3339 } from '../../shared/proto/timestamp.ts';
import { conditionOf, observedAt, setCondition, statusOfLaterSpec } from '../api/conditions.ts';
import type { Snapshot, SnapshotStatus } from '../api/snapshot.ts';
import type { Workspace } from '../api/workspace.ts';
import type { ConnectedAgent } from '../link/agents.ts';
import { planOnCreateStatus } from '../restore/on-create.ts';
import type { PersistentVolumeClaim } from '../runtime/resources.ts';
import { ownAgent } from '../workspace/repository.ts';
import { type Blocked, idOf, isFinished, isShown, planRequest, waitingForAgent } from './request.ts';

export interface Observed {
  snapshot: Snapshot;
  /** The Workspace that spec.workspace names. */
  workspace?: Workspace;
  /** Of that Workspace, or of the one before. */
  claim?: PersistentVolumeClaim;
  /** Its primary agent, when one is connected. */
  agent?: ConnectedAgent;
  /** A Snapshot of the same namespace by name. */
  byName: (name: string) => Snapshot | undefined;
}

export interface Plan {
  status: SnapshotStatus;
  event?: { type: 'Normal' | 'Warning'; reason: string; message: string };
}

/**
 * `undefined` when there is nothing to say: of a request that has failed, of a snapshot that is not seen at the moment,
 * and of one that is going, but that a later spec was taken note of. Whether one is gone for good is not decided here.
 */
export function planSnapshot(observed: Observed, now: Date): Plan | undefined {
  const { snapshot, workspace, claim, byName } = observed;
  const agent = ownAgent(observed);
  const uid = snapshot.metadata.uid ?? '';
  const id = idOf(snapshot);
  const known = id === undefined ? undefined : agent?.snapshots.get(id);
  if (isFinished(snapshot)) {
    if (known && snapshot.status?.phase !== 'Expiring') return seen(observed, known, now);
    const later = statusOfLaterSpec(snapshot);
    return later && { status: later };
  }
  const { workspace: workspaceName } = snapshot.spec;

  if (!workspace) {
    return pending(observed, now, {
      reason: 'WorkspaceNotFound',
      message: `spec.workspace: no Workspace ${workspaceName} in namespace ${snapshot.metadata.namespace}; create it, or delete this Snapshot and name another`,
    });
  }
  const onDisk = known ?? agent?.snapshots.get(agent.byRequest.get(uid) ?? '');
  if (onDisk) return seen(observed, onDisk, now);
  if (!agent || (id && !agent.inventoryComplete))
    return pending(observed, now, waitingForAgent(workspace, claim));
  if (id) {
    return pending(observed, now, {
      reason: 'NotOnVolume',
      message: `spec.snapshotID: there is no snapshot ${id} on the volume of Workspace ${workspaceName}; delete this Snapshot`,
    });
  }

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

/** It is on the volume, and may have been restored from there. */
function seen(observed: Observed, onDisk: DiskSnapshot, now: Date): Plan {
  const plan = found(observed, onDisk, now);
  const restored = planOnCreateStatus({ ...observed.snapshot, status: plan.status }, observed.agent, now);
  const event = plan.event ?? restored?.event;
  return { status: restored?.status ?? plan.status, ...(event && { event }) };
}

/** Ready, unless its files are not what they were. */
function found(observed: Observed, onDisk: DiskSnapshot, now: Date): Plan {
  const { agent, snapshot } = observed;
  const damaged = onDisk.integrity === 'INTEGRITY_TAMPERED' || agent?.status?.damaged.includes(onDisk.id);
  const reason = damaged ? 'SnapshotDamaged' : 'SnapshotReady';
  const message = damaged
    ? `The files of snapshot ${onDisk.id} are not what was saved: do not rely on it. Restore from another snapshot; jvs-agent verify ${onDisk.id} in the agent container names what differs`
    : `Snapshot ${onDisk.id} is on the volume and verified`;
  const known = conditionOf(snapshot, 'Ready')?.reason;
  const {
    progress: _,
    keepReasons: __,
    parentID: ___,
    ...before
  } = withReady(observed, now, damaged ? 'False' : 'True', reason, message);
  return {
    status: {
      ...before,
      phase: damaged ? 'Failed' : 'Ready',
      snapshotID: onDisk.id,
      ...(onDisk.parentId && { parentID: onDisk.parentId }),
      ...(onDisk.createdAt && { createdAt: toRfc3339(onDisk.createdAt) }),
      ...(onDisk.completedAt && { completedAt: toRfc3339(onDisk.completedAt) }),
      size: onDisk.sizeBytes,
      uniqueBytes: onDisk.uniqueBytes,
      integrityState: damaged ? 'tampered' : integrity[onDisk.integrity],
      descriptorChecksum: onDisk.descriptorChecksum,
      ...(consistency[onDisk.consistency] && { consistency: consistency[onDisk.consistency] }),
      origin: onDisk.origin || 'manual',
      ...(onDisk.keepReasons.length > 0 && { keepReasons: onDisk.keepReasons }),
      ...(onDisk.verifiedAt && { verifiedAt: toRfc3339(onDisk.verifiedAt) }),
    },
    // Of one that is only shown, that it is there is no news.
    ...(reason !== known &&
      (damaged || !isShown(snapshot)) && {
        event: { type: damaged ? 'Warning' : 'Normal', reason, message },
      }),
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
  const known = conditionOf(observed.snapshot, 'Ready')?.reason;
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
    observedGeneration,
    conditions: setCondition(observedAt(snapshot.status?.conditions, observedGeneration), condition, now),
  };
}
