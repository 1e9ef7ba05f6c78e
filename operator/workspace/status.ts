// What a Workspace's status has to say, from what the cluster and the agent say. Pure.
import type { AgentStatus } from '../../shared/proto/gen/jvs/link/v1/AgentStatus.ts';
import { toRfc3339 } from '../../shared/proto/timestamp.ts';
import { type Condition, setCondition } from '../api/conditions.ts';
import type { Workspace, WorkspaceStatus } from '../api/workspace.ts';
import type { Deployment } from '../runtime/resources.ts';
import { assess, type Findings } from './findings.ts';
import { opened } from './health.ts';
import { isOurDeployment, managedBy, workspaceLabel } from './objects.ts';
import type { Finding, Observed } from './observed.ts';
import { expectedRepository, ownAgent } from './repository.ts';
import { assessSchedule, nextSnapshotTime } from './schedule.ts';

/** Of a Workspace's status; the agent's API has all. */
const mostWorktrees = 100;

/** What the API server refused of the plan, as findings. */
export type Refusals = readonly Finding[];

export function planStatus(cluster: Observed, refusals: Refusals, now: Date): WorkspaceStatus {
  const agent = ownAgent(cluster);
  const observed = { ...cluster, agent };
  const { workspace } = observed;
  const before = workspace.status ?? {};
  const generation = workspace.metadata.generation ?? 0;
  const findings = assess(observed, refusals);

  const scheduled = assessSchedule(observed);
  const { nextSnapshotTime: _, ...kept } = before;
  const next = nextSnapshotTime(observed, scheduled, now);

  const conditions = [
    findings.storage,
    findings.agent,
    scheduled,
    findings.juiceFs,
    findings.degraded,
    findings.ready,
  ]
    .filter((condition) => condition !== undefined)
    .reduce<Condition[]>(
      (all, condition) => setCondition(all, { ...condition, observedGeneration: generation }, now),
      (before.conditions ?? []).filter(({ type }) => type !== 'JuiceFS' || findings.juiceFs),
    );

  return {
    ...withoutGone(kept, observed),
    phase: phaseOf(observed, findings),
    message: findings.ready.message,
    observedGeneration: generation,
    replicas: ours(observed)?.status?.replicas ?? 0,
    readyReplicas: readyReplicas(observed),
    selector: selectorOf(workspace),
    conditions,
    ...(next && { nextSnapshotTime: next }),
    ...(agent?.status && reported(observed)),
  };
}

/** Of the pods that `replicas` counts: for `kubectl scale` and autoscalers. */
const selectorOf = ({ metadata }: Workspace): string =>
  Object.entries({ ...managedBy, [workspaceLabel]: metadata.name })
    .map(([key, value]) => `${key}=${value}`)
    .join(',');

type Phase = NonNullable<WorkspaceStatus['phase']>;

function phaseOf(observed: Observed, { fatal, storage, ready }: Findings): Phase {
  const { workspace } = observed;
  if (workspace.metadata.deletionTimestamp) return 'Terminating';
  if (fatal) return 'Failed';
  if (ready.status === 'True') return 'Ready';
  if (storage.status !== 'True' && readyReplicas(observed) === 0) return 'Pending';
  const was = workspace.status?.phase;
  return was === 'Ready' || was === 'Updating' ? 'Updating' : 'Creating';
}

const readyReplicas = (observed: Observed): number => ours(observed)?.status?.readyReplicas ?? 0;

const ours = ({ workspace, deployment }: Observed): Deployment | undefined =>
  deployment && isOurDeployment(deployment, workspace) ? deployment : undefined;

/** There may be no snapshot any more: the newest, or any at all. */
function withoutGone(status: WorkspaceStatus, observed: Observed): WorkspaceStatus {
  const now = opened(observed);
  if (!now) return status;
  const { currentSnapshot: _, lastSnapshotTime, ...rest } = status;
  return now.snapshotCount > 0 && lastSnapshotTime ? { ...rest, lastSnapshotTime } : rest;
}

/** What the agent saw on the volume. Kept as it was last seen while no agent is connected, or has it open. */
function reported(observed: Observed): WorkspaceStatus {
  const { agent, workspace } = observed;
  if (!agent?.status) return {};
  const { status } = agent;
  const repositoryID = expectedRepository(workspace) ?? status.repositoryId;
  return {
    ...(repositoryID && { repositoryID }),
    ...(status.effectiveEngine && { effectiveEngine: status.effectiveEngine }),
    ...(status.usage && {
      usedBytes: status.usage.usedBytes,
      capacityBytes: status.usage.capacityBytes,
    }),
    ...snapshotsIn(observed),
    agent: {
      pod: agent.pod,
      node: agent.node,
      version: agent.version,
      lastSeen: toRfc3339({ seconds: Math.floor(agent.lastSeen.getTime() / 1000) }),
    },
  };
}

function snapshotsIn(observed: Observed): WorkspaceStatus {
  const { agent } = observed;
  const status = opened(observed);
  if (!agent || !status) return {};
  const newest = [...agent.snapshots.values()].reduce<string | undefined>((latest, { createdAt }) => {
    const time = createdAt ? toRfc3339(createdAt) : undefined;
    return time && (!latest || time > latest) ? time : latest;
  }, undefined);
  return {
    ...(status.currentSnapshotId && { currentSnapshot: status.currentSnapshotId }),
    snapshotCount: status.snapshotCount,
    ...(newest && { lastSnapshotTime: newest }),
    worktrees: worktreesOf(status),
  };
}

/** Of each, what there is: main has no base, and a new worktree no head. */
const worktreesOf = ({ worktrees }: AgentStatus): NonNullable<WorkspaceStatus['worktrees']> =>
  worktrees.slice(0, mostWorktrees).map((worktree) => ({
    name: worktree.name,
    ...(worktree.baseSnapshotId && { base: worktree.baseSnapshotId }),
    ...(worktree.headSnapshotId && { head: worktree.headSnapshotId }),
    ...(worktree.latestSnapshotId && { latest: worktree.latestSnapshotId }),
  }));
