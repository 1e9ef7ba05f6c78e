// Injection: what makes a pod a workspace pod. Pure.
import { agentContainer, isAgent } from '../api/agent.ts';
import type { Workspace } from '../api/workspace.ts';
import { isMaintenance } from '../maintenance/pod.ts';
import type { Container, Pod, PodSpec } from '../runtime/resources.ts';
import { isManaged } from '../workspace/objects.ts';
import { type AgentConfig, agentVolumes, completeAgent, type User, withEnv } from './agent-container.ts';
import { type PodOptions, parseAnnotations } from './annotations.ts';
import { limitRangeAnnotation, withoutLimitRange } from './limit-range.ts';
import { privilegeWarnings, protectAgent, protectHistory } from './protect.ts';
import { Refusal } from './refusal.ts';
import { checkRoots, claimVolume, userMounts, withMounts, withVolumes, worktreePath } from './volumes.ts';

export interface Injection {
  pod: Pod;
  /** For the person who makes the pod. */
  warnings: string[];
}

/**
 * The pod with the workspace's volume and the agent, made from a pod as the API server has defaulted it. Applied to
 * its own result it changes nothing.
 * @throws Refusal when the pod can not be injected as it is
 */
export function injectAgent(pod: Pod, workspace: Workspace, config: AgentConfig): Injection {
  const { spec } = pod;
  if (!spec) throw new Refusal('the pod has no spec');
  const options = parseAnnotations(pod.metadata.annotations);
  const inits = spec.initContainers ?? [];
  const users = spec.containers.filter((container) => !isAgent(container));
  const agentIndex = inits.findIndex(isAgent);
  const given = inits[agentIndex] ?? spec.containers.find(isAgent);
  const limited = pod.metadata.annotations?.[limitRangeAnnotation];
  const stated = given && withoutLimitRange(given, config.resources, limited);
  // Without another container the agent is the pod, for a pod has to have one that is no init container.
  const alone = users.length === 0;

  // The agent makes the tree. An init container that runs before it would find none, and a subPath of its own that
  // the kubelet makes would look like somebody's broken repository. So it comes first, unless the user has placed it.
  const early = alone ? inits : inits.slice(0, Math.max(agentIndex, 0));
  const later = inits.slice(early.length).filter((container) => !isAgent(container));
  // What else is in the operator's own pods came by other webhooks: a mesh's proxy is nobody whose files they are.
  const own = given !== undefined && (isMaintenance(pod) || (isManaged(pod) && !workspace.spec.template));
  const chosen = own ? new Set<string>() : choose([...users, ...later], early, options);
  const everyUser = [...users, ...early, ...later];
  protectAgent(spec, everyUser);
  const isProtected = workspace.spec.historyAccess === 'ReadOnly';
  if (isProtected) protectHistory(spec, everyUser, workspace.metadata.name);

  const mounting = [...users, ...later].filter(({ name }) => chosen.has(name));
  const agent = completeAgent(stated, {
    config,
    options,
    user: agentUser(spec, mounting[0], stated, options),
    workspace: {
      name: workspace.metadata.name,
      engine: workspace.spec.defaultEngine,
      initialSnapshot: workspace.spec.initialSnapshot,
    },
    graceSeconds: spec.terminationGracePeriodSeconds ?? defaultGraceSeconds,
    sidecar: !alone,
    own,
  });
  const mounts = userMounts(workspace);
  const env = [{ name: 'JVS_WORKSPACE', value: worktreePath(workspace, options.worktree) }];
  const prepare = (container: Container): Container => {
    if (!chosen.has(container.name)) return container;
    checkRoots(container, spec.volumes ?? [], workspace, options.worktree, mountAdvice);
    const volumeMounts = withMounts(container, mounts, mountAdvice);
    return { ...container, env: withEnv(container, env), volumeMounts };
  };

  const volumes = [claimVolume(workspace.metadata.name), ...agentVolumes];
  const injected: PodSpec = {
    ...spec,
    volumes: withVolumes(spec.volumes ?? [], volumes),
    containers: alone ? [agent] : users.map(prepare),
  };
  if (!alone) injected.initContainers = [...early, agent, ...later.map(prepare)];
  const { securityContext } = spec;
  // A recursive chmod of the volume would change the hash of every snapshot on it.
  if (securityContext?.fsGroup !== undefined && securityContext.fsGroupChangePolicy === undefined)
    injected.securityContext = { ...securityContext, fsGroupChangePolicy: 'OnRootMismatch' };
  return {
    pod: { ...pod, spec: injected },
    warnings: [
      ...options.warnings,
      ...(isProtected ? privilegeWarnings(everyUser) : []),
      ...fsGroupWarning(injected),
      ...graceWarning(injected, workspace),
    ],
  };
}

/** What the API server fills in, so that who has it may just not have thought of it. */
const defaultGraceSeconds = 30;

const mountAdvice =
  'the workspace belongs there: mount the volume elsewhere, change spec.mountPath of the Workspace, or leave the container out by annotation jvs.io/containers';

/** Names of the containers that get the volume. */
function choose(candidates: Container[], early: Container[], { containers }: PodOptions): Set<string> {
  const names = candidates.map(({ name }) => name);
  for (const name of containers ?? []) {
    if (names.includes(name)) continue;
    throw new Refusal(
      early.some((container) => container.name === name)
        ? `annotation jvs.io/containers: init container ${name} runs before ${agentContainer.name}, which makes the tree ready: put it behind ${agentContainer.name}`
        : `annotation jvs.io/containers: there is no container ${name}: it may name ${names.join(', ')}`,
    );
  }
  return new Set(containers ?? names);
}

/**
 * Whoever the first container that mounts the volume runs as: what it writes, the agent can read. An image whose user
 * nobody states is taken to run as root.
 */
function agentUser(
  spec: PodSpec,
  first: Container | undefined,
  stated: Container | undefined,
  { runAs }: PodOptions,
): User {
  if (runAs) return runAs;
  const own = stated?.securityContext;
  if (own?.runAsUser !== undefined) return { user: own.runAsUser, group: own.runAsGroup };
  const [container, pod] = [first?.securityContext, spec.securityContext];
  const user = container?.runAsUser ?? pod?.runAsUser;
  if (user === undefined && (container?.runAsNonRoot ?? pod?.runAsNonRoot))
    throw new Refusal(
      'runAsNonRoot is set and no user is: the agent has to run as the user of your containers. Set spec.securityContext.runAsUser, or annotation jvs.io/agent-run-as',
    );
  return { user: user ?? 0, group: container?.runAsGroup ?? pod?.runAsGroup };
}

function fsGroupWarning({ securityContext }: PodSpec): string[] {
  if (securityContext?.fsGroup === undefined || securityContext.fsGroupChangePolicy !== 'Always') return [];
  return [
    'spec.securityContext.fsGroupChangePolicy Always changes the modes of all files of the workspace, so that its snapshots no longer verify: use OnRootMismatch',
  ];
}

/** A longer grace is not ours to give: a container that does not heed SIGTERM would hold its pod up for as long. */
function graceWarning({ terminationGracePeriodSeconds: grace }: PodSpec, { spec }: Workspace): string[] {
  if (!spec.finalSnapshot || grace === undefined || grace > defaultGraceSeconds) return [];
  return [
    `finalSnapshot: your containers and then the final snapshot have the ${grace} s of spec.terminationGracePeriodSeconds together: set more where they may need it`,
  ];
}
