// When a stopped workspace has a maintenance pod, and when it has not. Pure.
import type { Workspace } from '../api/workspace.ts';
import type { PersistentVolumeClaim, Pod } from '../runtime/resources.ts';
import { isOurClaim } from '../workspace/objects.ts';
import { isMaintenance, maintenancePod } from './pod.ts';

export interface Observed {
  /** undefined when it is gone. */
  workspace?: Workspace;
  claim?: PersistentVolumeClaim;
  /** Every pod with the workspace's label. */
  pods: readonly Pod[];
  /** Whether something waits for an agent; undefined while nobody can say. */
  pending: boolean | undefined;
}

export type Action = { type: 'create'; pod: Pod } | { type: 'delete'; pod: Pod; why: string };

/** A pod of the workspace's own, or of a user's, wins at once: the volume may be for one node only. */
export function planMaintenance({ workspace, claim, pods, pending }: Observed): Action | undefined {
  const pod = pods.find(isMaintenance);
  const others = pods.filter((other) => !isMaintenance(other) && !isFinished(other));
  const why = whyNot(workspace, others) ?? (pending === false ? 'nothing waits for it any more' : undefined);
  if (pod) {
    const reason = why ?? (isFinished(pod) ? `it ended by itself, ${pod.status?.phase}` : undefined);
    return reason && !pod.metadata.deletionTimestamp ? { type: 'delete', pod, why: reason } : undefined;
  }
  if (why !== undefined || !pending || !workspace) return undefined;
  const usable =
    claim &&
    !claim.metadata.deletionTimestamp &&
    claim.status?.phase !== 'Lost' &&
    isOurClaim(claim, workspace.metadata.name);
  return usable ? { type: 'create', pod: maintenancePod(workspace) } : undefined;
}

function whyNot(workspace: Workspace | undefined, others: readonly Pod[]): string | undefined {
  if (!workspace || workspace.metadata.deletionTimestamp) return 'the Workspace goes';
  if (workspace.spec.replicas > 0) return 'the workspace starts';
  return others[0] && `pod ${others[0].metadata.name} of the workspace is there`;
}

/** It has let go of the volume. */
const isFinished = ({ status }: Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';
