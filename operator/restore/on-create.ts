// What became of spec.restoreOnCreate, as part of the Snapshot's status. Pure.
import { setCondition } from '../api/conditions.ts';
import { rfc3339 } from '../api/schema.ts';
import type { Snapshot, SnapshotStatus } from '../api/snapshot.ts';
import type { ConnectedAgent } from '../link/agents.ts';
import { planOnCreate, worktreeOnCreate } from './request.ts';

interface Plan {
  status: SnapshotStatus;
  event?: { type: 'Normal' | 'Warning'; reason: string; message: string };
}

/** Undefined where nothing is to be restored, or that has its outcome. */
export function planOnCreateStatus(
  snapshot: Snapshot,
  agent: ConnectedAgent | undefined,
  now: Date,
): Plan | undefined {
  const request = planOnCreate(snapshot);
  if (!request) return undefined;
  const worktree = worktreeOnCreate(snapshot);
  const update = agent?.requests.get(request.uid);
  const { startedAt } = snapshot.status?.restoreStatus ?? {};
  const begun = { startedAt: startedAt ?? rfc3339(now) };
  const say = (phase: string, reason: string, message: string, times = {}): SnapshotStatus => ({
    ...snapshot.status,
    restoreStatus: { worktreeName: worktree, phase, ...times },
    conditions: setCondition(
      snapshot.status?.conditions ?? [],
      {
        type: 'Restored',
        status: phase === 'Completed' ? 'True' : 'False',
        reason,
        message,
        observedGeneration: snapshot.metadata.generation ?? 0,
      },
      now,
    ),
  });
  switch (update?.phase) {
    case 'PHASE_DONE': {
      const message = `Worktree ${worktree} was made of snapshot ${request.snapshotId}`;
      return {
        status: say('Completed', 'RestoreCompleted', message, { ...begun, completedAt: rfc3339(now) }),
        event: { type: 'Normal', reason: 'RestoreCompleted', message },
      };
    }
    case 'PHASE_FAILED': {
      const message = `spec.restoreWorktree: worktree ${worktree} could not be made: ${update.message}`;
      return {
        status: say('Failed', update.reason, message, startedAt ? begun : {}),
        event: { type: 'Warning', reason: 'RestoreFailed', message: `${update.reason}: ${message}` },
      };
    }
    case 'PHASE_IN_PROGRESS':
      return { status: say('InProgress', 'InProgress', `Worktree ${worktree} is being made`, begun) };
    case 'PHASE_WAITING':
      return { status: say('Pending', update.reason, update.message) };
    default:
      return { status: say('Pending', 'Requested', `Worktree ${worktree} is to be made`) };
  }
}
