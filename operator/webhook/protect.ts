// What a pod must not have, for the sake of the agent and of the history.
import type { Container, PodSpec } from '../runtime/resources.ts';
import { objectName } from '../workspace/objects.ts';
import { agentPorts } from './agent-container.ts';
import { Refusal } from './refusal.ts';
import { workspaceVolume } from './volumes.ts';

/** Refuses what would let others reach the agent, or keep it from starting. */
export function protectAgent(spec: PodSpec, users: readonly Container[]): void {
  if (spec.hostNetwork)
    throw new Refusal(
      "spec.hostNetwork puts the agent's API, which is for this pod alone, where all processes of the node can call it: remove it",
    );
  for (const { name, ports } of users) {
    const taken = ports?.find(
      ({ containerPort, protocol }) => agentPorts.includes(containerPort) && protocol !== 'UDP',
    );
    if (taken)
      throw new Refusal(
        `container ${name}: port ${taken.containerPort} is one of the agent's (${agentPorts.join(', ')}), and the containers of a pod share their ports: use another`,
      );
  }
}

/** Of who may do anything on the node there is nothing to refuse: what they may do to the history is said. */
export function privilegeWarnings(users: readonly Container[]): string[] {
  return users
    .filter(({ securityContext: context }) => {
      const added = context?.capabilities?.add ?? [];
      return (
        context?.privileged || added.some((name) => ['ALL', 'SYS_ADMIN', 'CAP_SYS_ADMIN'].includes(name))
      );
    })
    .map(
      ({ name }) =>
        `container ${name} may mount (privileged, or capability SYS_ADMIN): historyAccess ReadOnly does not keep it from changing snapshots`,
    );
}

const allow = 'or set historyAccess: ReadWrite in the Workspace';

/**
 * Refuses what would let a user's container write the history.
 * Deeper subPaths than the payload's roots are refused too: a workload could put a link to .jvs there, and the kubelet
 * would follow it when the next pod starts.
 */
export function protectHistory(spec: PodSpec, users: readonly Container[], workspace: string): void {
  for (const field of ['shareProcessNamespace', 'hostPID'] as const) {
    if (spec[field])
      throw new Refusal(
        `spec.${field} lets containers reach the agent's files, and with them the history: remove it, ${allow}`,
      );
  }
  const claim = objectName(workspace);
  for (const { name, persistentVolumeClaim: source } of spec.volumes ?? []) {
    if (source?.claimName === claim && name !== workspaceVolume && !source.readOnly)
      throw new Refusal(
        `volume ${name} gives containers the whole of claim ${claim}, and with it the history: remove it (the JVS operator adds the volume), set its readOnly, ${allow}`,
      );
  }
  for (const container of users) {
    for (const { name, mountPath, subPath, readOnly } of container.volumeMounts ?? []) {
      if (name !== workspaceVolume || readOnly || subPath === 'main' || subPath === 'worktrees') continue;
      throw new Refusal(
        `container ${container.name}: volume ${workspaceVolume} is mounted writable at ${mountPath}, and only its subPaths main and worktrees may be: set readOnly: true, ${allow}`,
      );
    }
  }
}
