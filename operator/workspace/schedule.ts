// Whether the next automatic snapshot will be taken, and when. Pure.
import { validateSchedule } from '../../shared/cron.ts';
import { toRfc3339 } from '../../shared/proto/timestamp.ts';
import { conditionOf } from '../api/conditions.ts';
import type { Finding, Observed } from './observed.ts';

export function assessSchedule({ workspace, agent, pods, linkSettled }: Observed): Finding {
  const { autoSnapshot, replicas } = workspace.spec;
  const not = (reason: string, message: string): Finding => finding('False', reason, message);
  if (!autoSnapshot?.enabled || autoSnapshot.schedule === undefined) {
    return not(
      'NotConfigured',
      'spec.autoSnapshot is not set or not enabled: snapshots are taken on request',
    );
  }
  const refused = validateSchedule(autoSnapshot.schedule, autoSnapshot.timeZone);
  if (refused) return not('InvalidSchedule', `spec.autoSnapshot: ${refused}`);
  if (autoSnapshot.suspend) return not('Suspended', 'spec.autoSnapshot.suspend is set');
  if (agent?.status?.scheduleReason) {
    const { scheduleReason, scheduleMessage } = agent.status;
    return finding(scheduleReason === 'Active' ? 'True' : 'False', scheduleReason, scheduleMessage);
  }
  if (agent)
    return finding('Unknown', 'NotReported', `Agent of pod ${agent.pod} has not said when it will run`);
  const known = conditionOf(workspace, 'Scheduled');
  // An agent that runs goes on without the operator.
  const runs = pods.some(({ status }) => status?.phase === 'Running');
  if (known && (runs || !linkSettled)) return known;
  if (runs) return finding('Unknown', 'WaitingForAgent', 'No agent of the workspace is connected');
  return not(
    'WorkspaceStopped',
    replicas === 0
      ? 'spec.replicas is 0 and no pod runs: scheduled snapshots are skipped until one does'
      : 'No pod of the workspace runs: scheduled snapshots are skipped until one does',
  );
}

/** As the agent said; without one, as it last said while that is still to come. */
export function nextSnapshotTime(
  { workspace, agent }: Observed,
  scheduled: Finding,
  now: Date,
): string | undefined {
  if (scheduled.status === 'False') return undefined;
  if (agent?.status)
    return agent.status.nextSnapshotTime ? toRfc3339(agent.status.nextSnapshotTime) : undefined;
  const known = workspace.status?.nextSnapshotTime;
  return known && Date.parse(known) > now.getTime() ? known : undefined;
}

const finding = (status: Finding['status'], reason: string, message: string): Finding => ({
  type: 'Scheduled',
  status,
  reason,
  message,
});
