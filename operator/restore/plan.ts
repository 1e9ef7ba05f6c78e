// What a Restore's status has to say, from what the cluster and its agent say. Pure.
import type { RequestUpdate } from '../../shared/proto/gen/jvs/link/v1/RequestUpdate.ts';
import { conditionOf, setCondition, statusOfLaterSpec } from '../api/conditions.ts';
import type { Restore, RestoreStatus } from '../api/restore.ts';
import { rfc3339 } from '../api/schema.ts';
import type { Snapshot } from '../api/snapshot.ts';
import type { Workspace } from '../api/workspace.ts';
import type { ConnectedAgent } from '../link/agents.ts';
import type { PersistentVolumeClaim } from '../runtime/resources.ts';
import { type Blocked, waitingForAgent } from '../snapshot/request.ts';
import { ownAgent } from '../workspace/repository.ts';
import type { Queued } from './queue.ts';
import { isOver, planRestore, type RestoreRequest, targetOf } from './request.ts';

export interface Observed {
  restore: Restore;
  /** The Workspace that spec.workspace names. */
  workspace: Workspace | undefined;
  /** Of that Workspace, or of the one before. */
  claim?: PersistentVolumeClaim | undefined;
  /** Its primary agent, when one is connected. */
  agent: ConnectedAgent | undefined;
  /** All restores of the workspace that are to be carried out. */
  queue: readonly Queued[];
  /** A Snapshot of the same namespace by name. */
  byName: (name: string) => Snapshot | undefined;
}

export interface Plan {
  status: RestoreStatus;
  event?: { type: 'Normal' | 'Warning'; reason: string; message: string };
}

/** `undefined` when it has run, and no later spec is to be taken note of: its outcome is final. */
export function planStatus(observed: Observed, now: Date): Plan | undefined {
  const { restore, workspace, claim, queue, byName } = observed;
  const agent = ownAgent(observed);
  const { spec, metadata, status } = restore;
  if (isOver(restore)) {
    const later = statusOfLaterSpec(restore);
    return later && { status: later };
  }
  if (!workspace) {
    return pending(restore, now, {
      reason: 'WorkspaceNotFound',
      message: `spec.workspace: no Workspace ${spec.workspace} in namespace ${metadata.namespace}; create it, or delete this Restore and name another`,
    });
  }
  const request = planRestore(restore, byName);
  if ('reason' in request)
    return request.final ? failed(restore, now, request) : pending(restore, now, request);

  const known = resolved(restore, request, agent);
  const update = agent?.requests.get(request.uid);
  if (update?.phase === 'PHASE_DONE') return completed(known, request, now);
  if (update?.phase === 'PHASE_FAILED') return failed(known, now, update);
  if (update?.phase === 'PHASE_IN_PROGRESS') return inProgress(known, update, agent?.pod ?? '', now);
  if (!agent) {
    const blocked = waitingForAgent(workspace, claim);
    // It stays begun: whoever opens the volume next finishes it or rolls it back, and does it then.
    return status?.phase === 'InProgress' ? interrupted(known, now, blocked) : pending(known, now, blocked);
  }
  const ahead = queue[0];
  if (ahead && ahead.request.uid !== request.uid) {
    return pending(known, now, {
      reason: 'WaitsForRestore',
      message: `Waits for ${ahead.owner}: one restore of a Workspace is carried out at a time`,
    });
  }
  if (update?.phase === 'PHASE_WAITING') return pending(known, now, update);
  if (status?.phase === 'InProgress') {
    return interrupted(known, now, { reason: 'Requested', message: `Asked of agent ${agent.pod} again` });
  }
  return pending(known, now, { reason: 'Requested', message: `Asked of agent ${agent.pod}` });
}

/** With what is known as soon as it can be asked for; the snapshot before it also from the volume itself. */
function resolved(
  restore: Restore,
  { uid, snapshotId }: RestoreRequest,
  agent: ConnectedAgent | undefined,
): Restore {
  const said =
    agent?.requests.get(uid)?.preRestoreSnapshotId ||
    restore.status?.preRestoreSnapshotID ||
    agent?.byRequest.get(`${uid}-before`);
  return {
    ...restore,
    status: {
      ...restore.status,
      snapshotID: snapshotId,
      worktree: targetOf(restore),
      ...(said && { preRestoreSnapshotID: said }),
    },
  };
}

function completed(restore: Restore, { snapshotId }: RestoreRequest, now: Date): Plan {
  const { worktree, preRestoreSnapshotID } = restore.status ?? {};
  const message =
    restore.spec.newWorktree === undefined
      ? `Worktree ${worktree} is as snapshot ${snapshotId} has it${preRestoreSnapshotID ? `; to undo this, restore ${preRestoreSnapshotID}` : ''}`
      : `Worktree ${worktree} was made of snapshot ${snapshotId}`;
  const { progress: _, ...status } = withCondition(restore, now, 'True', 'RestoreCompleted', message);
  const at = rfc3339(now);
  return {
    status: { ...status, phase: 'Completed', startedAt: status.startedAt ?? at, completedAt: at },
    event: { type: 'Normal', reason: 'RestoreCompleted', message },
  };
}

function failed(restore: Restore, now: Date, { reason, message }: Blocked): Plan {
  const { progress: _, ...status } = withCondition(restore, now, 'False', reason, message);
  return {
    status: { ...status, phase: 'Failed' },
    event: { type: 'Warning', reason: 'RestoreFailed', message: `${reason}: ${message}` },
  };
}

function inProgress(restore: Restore, update: RequestUpdate, pod: string, now: Date): Plan {
  const { snapshotID, worktree, startedAt } = restore.status ?? {};
  const message = `Agent ${pod} is restoring snapshot ${snapshotID} into worktree ${worktree}`;
  return {
    status: {
      ...withCondition(restore, now, 'False', 'InProgress', message),
      phase: 'InProgress',
      startedAt: startedAt ?? rfc3339(now),
      progress: { bytesDone: update.bytesDone, bytesTotal: update.bytesTotal },
    },
    ...(!startedAt && { event: { type: 'Normal', reason: 'RestoreStarted', message } }),
  };
}

function interrupted(restore: Restore, now: Date, { reason, message }: Blocked): Plan {
  const { progress: _, ...status } = withCondition(
    restore,
    now,
    'False',
    reason === 'Requested' ? reason : 'Interrupted',
    reason === 'Requested'
      ? message
      : `${message}. The agent that had begun is gone; the next one finishes it, or rolls it back and begins again`,
  );
  return { status, ...eventOnce(restore, 'Interrupted', status) };
}

/** Waiting for something that can still come. An event once per reason, so that `describe` shows the path taken. */
function pending(restore: Restore, now: Date, { reason, message }: Blocked): Plan {
  const { progress: _, ...status } = withCondition(restore, now, 'False', reason, message);
  return {
    status: { ...status, phase: 'Pending' },
    ...(reason !== 'Requested' && eventOnce(restore, reason, status)),
  };
}

function eventOnce(
  restore: Restore,
  reason: string,
  { message = '', conditions }: RestoreStatus,
): Pick<Plan, 'event'> {
  const now = conditions?.find(({ type }) => type === 'Completed')?.reason;
  const known = conditionOf(restore, 'Completed')?.reason;
  return now === reason && known !== reason ? { event: { type: 'Warning', reason, message } } : {};
}

function withCondition(
  { metadata, status }: Restore,
  now: Date,
  is: 'True' | 'False',
  reason: string,
  message: string,
): RestoreStatus {
  const observedGeneration = metadata.generation ?? 0;
  const condition = { type: 'Completed', status: is, reason, message, observedGeneration };
  return {
    ...status,
    message,
    observedGeneration,
    conditions: setCondition(status?.conditions ?? [], condition, now),
  };
}
