import type { StatusInput } from '../shared/proto/gen/jvs/agent/v1/Status.ts';
import type { AgentStatusInput } from '../shared/proto/gen/jvs/link/v1/AgentStatus.ts';
import { version } from '../shared/version.ts';
import type { Config } from './config.ts';
import type { Executor } from './executor/executor.ts';
import type { LinkState } from './link/client.ts';
import { isDamaged } from './snapshot.ts';
import type { UpkeepView } from './upkeep/upkeep.ts';
import type { VolumeState } from './volume/volume.ts';

/** The operator refuses texts longer than a few KiB. */
const mostDamaged = 100;
const clip = (text: string | undefined) => text?.slice(0, 2048);

/** What the operator is told of the volume. */
export function agentStatus(
  { info, snapshots, head, usage, problem }: VolumeState,
  { status, notes }: Pick<UpkeepView, 'status' | 'notes'>,
): AgentStatusInput {
  return {
    ...status,
    damaged: snapshots
      .filter((descriptor) => isDamaged(descriptor, notes.get(descriptor.snapshot_id)))
      .slice(0, mostDamaged)
      .map(({ snapshot_id }) => snapshot_id),
    repositoryId: info?.repositoryId,
    currentSnapshotId: head,
    effectiveEngine: info?.effectiveEngine,
    engineFallback: clip(info?.fallback),
    filesystem: info?.filesystem,
    usage,
    problem: clip(problem?.message),
    problemReason: problem?.reason,
    snapshotCount: snapshots.length,
  };
}

/** What a user of the debug API is told of the agent. */
export function debugStatus(
  config: Pick<Config, 'workspace' | 'namespace' | 'pod' | 'node' | 'engine'>,
  { info, snapshots, head, usage, problem }: VolumeState,
  { role }: Pick<Executor, 'role'>,
  link: LinkState,
): StatusInput {
  const { workspace, namespace, pod, node } = config;
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
  };
}
