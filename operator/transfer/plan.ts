// Whether a workspace waits for its initial snapshot, where that comes from, and what is still missing. Pure.
import { conditionOf } from '../api/conditions.ts';
import type { Snapshot } from '../api/snapshot.ts';
import type { Workspace } from '../api/workspace.ts';
import type { ConnectedAgent } from '../link/agents.ts';
import type { Pod } from '../runtime/resources.ts';

export const transferPort = 7445;

export interface Observed {
  workspace: Workspace;
  /** Its primary. */
  agent?: ConnectedAgent;
  /** What spec.initialSnapshot names. */
  snapshot?: Snapshot;
  /** The Workspace of that Snapshot. */
  source?: Workspace;
  /** Its primary. */
  sourceAgent?: ConnectedAgent;
  /** The pod of that agent. */
  sourcePod?: Pod;
}

export interface Plan {
  /** What people are told; undefined when nothing is waited for. */
  waits?: { reason: string; message: string };
  /** What the source's agent is to serve; namespace/name of the source and the snapshot's id. */
  exports?: { source: string; snapshotId: string };
  /** What the agent is to fetch. */
  fetch?: { snapshotId: string; address: string; certificateSha256: string };
}

/** Of the agent that has something to say itself: what is wrong, or how far it is. */
export const reason = 'WaitingForInitialSnapshot';

export function planTransfer(observed: Observed): Plan {
  const { workspace, agent, snapshot, source, sourceAgent, sourcePod } = observed;
  const { namespace, name, deletionTimestamp } = workspace.metadata;
  const named = workspace.spec.initialSnapshot;
  if (named === undefined || deletionTimestamp || !agent?.status?.awaitsInitial) return {};
  const wait = (message: string, why = reason): Plan => ({
    waits: { reason: why, message: `spec.initialSnapshot: ${message}` },
  });
  if (!snapshot) {
    return wait(
      `there is no Snapshot ${named} in namespace ${namespace}: create it, or delete the Workspace and name another`,
    );
  }
  if (snapshot.spec.workspace === name) {
    return wait(
      `Snapshot ${named} is of this very Workspace, whose volume is new: delete the Workspace and name a Snapshot of another one`,
      'InitialSnapshotRefused',
    );
  }
  const { phase, message, snapshotID: snapshotId } = snapshot.status ?? {};
  if (phase === 'Failed') {
    return wait(`Snapshot ${named} has failed (${message}): delete the Workspace and name another`);
  }
  if (!canBeSent(snapshot) || !snapshotId) {
    return wait(`Snapshot ${named} is not Ready${message ? ` (${message})` : ''}`);
  }
  if (!source) return wait(`Workspace ${snapshot.spec.workspace}, of Snapshot ${named}, is gone`);
  const exports = { source: `${namespace}/${source.metadata.name}`, snapshotId };
  const soon = (text: string): Plan => ({ ...wait(text), exports });
  if (!sourceAgent) {
    return source.spec.replicas === 0
      ? soon(
          `Workspace ${source.metadata.name} is stopped: a maintenance pod is started to read ${named} from its volume`,
        )
      : soon(
          `no agent of Workspace ${source.metadata.name}, which has ${named}, is connected; see kubectl describe jvs ${source.metadata.name}`,
        );
  }
  const certificateSha256 = sourceAgent.status?.transferCertificateSha256;
  const ip = sourcePod?.status?.podIP;
  if (!certificateSha256 || !ip) {
    return soon(
      `agent ${sourceAgent.pod} of Workspace ${source.metadata.name} is getting ready to send ${named}; its log says why if that lasts`,
    );
  }
  const address = ip.includes(':') ? `[${ip}]:${transferPort}` : `${ip}:${transferPort}`;
  const told = agent.status.problem;
  return {
    waits: {
      reason: told ? agent.status.problemReason || reason : reason,
      message: told || `spec.initialSnapshot: ${named} is about to be copied`,
    },
    exports,
    fetch: { snapshotId, address, certificateSha256 },
  };
}

/** Ready, or being deleted since it was: its data stays until it has been copied. */
export function canBeSent(snapshot: Snapshot): boolean {
  const phase = snapshot.status?.phase;
  const is = (type: string) => conditionOf(snapshot, type)?.status === 'True';
  return phase === 'Ready' || (phase === 'Expiring' && is('Ready') && is('Deleting'));
}
