// The maintenance pod of a workspace: the agent alone, on the volume of a workspace that is stopped. Pure.
import { agentContainer, isAgent } from '../api/agent.ts';
import type { Workspace } from '../api/workspace.ts';
import type { Container, Pod, PodSpec } from '../runtime/resources.ts';
import { agentOnly, objectName, ownerOf, workspaceLabel } from '../workspace/objects.ts';

const maintenanceLabel = 'jvs.io/maintenance';
/** A pod that starts is waiting for the volume; what is cut short is done when it is there. */
const graceSeconds = 10;

export const isMaintenance = ({ metadata }: Pod): boolean => metadata.labels?.[maintenanceLabel] === 'true';

/** One name: there are never two. */
export const podName = (workspace: string): string => `${objectName(workspace)}-maintenance`;

/**
 * The webhook adds volume and agent, as for any pod of the workspace. It runs where the workspace's pods may, as the
 * user whose files they are. Without the label managed-by: it is none of the pods that `replicas` counts.
 */
export function maintenancePod(workspace: Workspace): Pod {
  const { name, namespace } = workspace.metadata;
  const { template } = workspace.spec;
  const annotations = template?.metadata?.annotations ?? {};
  const users = template && withoutNulls(template.spec as PodSpec);
  const agent: Container = {
    ...agentContainer,
    ...(users && asUserOf(users, annotations)),
    env: [{ name: 'JVS_MAINTENANCE', value: 'true' }],
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: podName(name),
      namespace,
      labels: { [workspaceLabel]: name, [maintenanceLabel]: 'true' },
      annotations: Object.fromEntries(
        Object.entries(annotations).filter(([key]) => key.startsWith('jvs.io/agent-')),
      ),
      ownerReferences: [ownerOf(workspace)],
    },
    spec: {
      ...(users ? placementOf(users) : agentOnly.spec),
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: graceSeconds,
      containers: [agent],
    },
  };
}

/** The schema of a template is open: a key without a value is null there. */
const withoutNulls = (spec: PodSpec): PodSpec =>
  JSON.parse(JSON.stringify(spec), (_, value) => value ?? undefined);

/** Of the user's template, what says where its pods may run, and as whom. */
function placementOf(spec: PodSpec): Omit<PodSpec, 'containers'> {
  const { securityContext, serviceAccountName, imagePullSecrets, nodeSelector, affinity, tolerations } = spec;
  const { priorityClassName, runtimeClassName, schedulerName } = spec;
  const wheres = { nodeSelector, affinity, tolerations, priorityClassName, runtimeClassName, schedulerName };
  return { securityContext, serviceAccountName, imagePullSecrets, ...wheres };
}

/**
 * As the webhook chooses it beside the user's containers: whoever an agent that the template has itself runs as, else the
 * first container that mounts the volume.
 */
function asUserOf(
  { initContainers = [], containers, securityContext: pod }: PodSpec,
  annotations: Record<string, string>,
): Partial<Container> {
  const names = annotations['jvs.io/containers']?.split(',').map((name) => name.trim());
  const own = [...initContainers, ...containers].find(isAgent)?.securityContext;
  const mounting = names
    ? [...containers, ...initContainers].filter(({ name }) => names.includes(name))
    : containers;
  const first = mounting.find((one) => !isAgent(one))?.securityContext;
  const who = own?.runAsUser === undefined ? first : own;
  const mayBeRoot = !(who?.runAsNonRoot ?? pod?.runAsNonRoot);
  const runAsUser = who?.runAsUser ?? pod?.runAsUser ?? (mayBeRoot ? 0 : undefined);
  const runAsGroup = who?.runAsGroup ?? pod?.runAsGroup;
  // The webhook takes whom the annotation says, and no group of anybody else's.
  if (runAsUser === undefined || annotations['jvs.io/agent-run-as']) return {};
  return { securityContext: { runAsUser, ...(runAsGroup !== undefined && { runAsGroup }) } };
}
