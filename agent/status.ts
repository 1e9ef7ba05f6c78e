import type { StatusInput } from '../shared/proto/gen/jvs/agent/v1/Status.ts';
import type { AgentStatusInput } from '../shared/proto/gen/jvs/link/v1/AgentStatus.ts';
import { version } from '../shared/version.ts';
import type { Config } from './config.ts';
import type { Executor } from './executor/executor.ts';
import type { LinkState } from './link/client.ts';
import type { Worktree } from './repository/repository.ts';
import { isDamaged, toWorktree } from './snapshot.ts';
import type { UpkeepView } from './upkeep/upkeep.ts';
import type { VolumeState } from './volume/volume.ts';

const mostDamaged = 100;
const mostWorktrees = 1000;
/** The operator refuses texts longer than a few KiB. */
const clip = (text: string | undefined) => text?.slice(0, 2048);

/** What the operator is told of the volume. */
export function agentStatus(
  state: VolumeState,
  { status, notes }: Pick<UpkeepView, 'status' | 'notes'>,
  /** Of what it serves exports with; empty while it serves none. */
  certificateSha256 = '',
): AgentStatusInput {
  const { info, snapshots, head, usage, problem, awaitsInitial } = state;
  return {
    ...status,
    damaged: damagedOf(state, notes),
    worktrees: toldOf(state.worktrees),
    repositoryId: info?.repositoryId,
    currentSnapshotId: head,
    effectiveEngine: info?.effectiveEngine,
    engineFallback: clip(info?.fallback),
    filesystem: info?.filesystem,
    usage,
    problem: clip(problem?.message),
    problemReason: problem?.reason,
    snapshotCount: snapshots.length,
    transferCertificateSha256: certificateSha256,
    awaitsInitial,
  };
}

/** What a user of the debug API is told of the agent. */
export function debugStatus(
  config: Pick<Config, 'workspace' | 'namespace' | 'pod' | 'node' | 'engine'>,
  state: VolumeState,
  { status, notes }: Pick<UpkeepView, 'status' | 'notes'>,
  { role }: Pick<Executor, 'role'>,
  link: LinkState,
): StatusInput {
  const { workspace, namespace, pod, node } = config;
  const { info, snapshots, head, usage, problem } = state;
  return {
    version,
    workspace,
    namespace,
    pod,
    node,
    repositoryId: info?.repositoryId,
    engine: info?.engine ?? config.engine,
    effectiveEngine: info?.effectiveEngine,
    snapshotCount: snapshots.length,
    currentSnapshotId: head,
    connected: link.connected,
    role,
    problem: problem?.message,
    usage,
    linkProblem: link.problem,
    nextSnapshotTime: status.nextSnapshotTime ?? null,
    heldDeletions: status.heldDeletions ?? 0,
    damaged: damagedOf(state, notes),
    worktrees: toldOf(state.worktrees),
  };
}

function damagedOf({ snapshots }: VolumeState, notes: UpkeepView['notes']): string[] {
  return snapshots
    .filter((descriptor) => isDamaged(descriptor, notes.get(descriptor.snapshot_id)))
    .slice(0, mostDamaged)
    .map(({ snapshot_id }) => snapshot_id);
}

const toldOf = (worktrees: readonly Worktree[]) => worktrees.slice(0, mostWorktrees).map(toWorktree);
