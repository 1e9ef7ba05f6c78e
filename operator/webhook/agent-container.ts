// The agent's container and what it mounts besides the workspace.

import { agentContainer } from '../api/agent.ts';
import { quantityValue } from '../api/quantity.ts';
import type { Container } from '../runtime/resources.ts';
import type { PodOptions } from './annotations.ts';
import { Refusal } from './refusal.ts';
import { type Volume, type VolumeMount, withMounts, workspaceVolume } from './volumes.ts';

const debugPort = 7443;
const healthPort = 7444;
const transferPort = 7445;
/** Of the whole pod, whose containers share one network. */
export const agentPorts: readonly number[] = [debugPort, healthPort, transferPort];

/** What the operator's configuration says about agents. */
export interface AgentConfig {
  image: string;
  imagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never';
  resources: { requests?: Record<string, string>; limits?: Record<string, string> };
  /** `host:port` of the operator's link. */
  linkAddress: string;
  logLevel: string;
  /** Of the slow check of snapshots; where they are absent, the agent's own defaults. */
  verifyBytesPerSecond?: number;
  verifyInterval?: string;
}

export interface User {
  user: number;
  group?: number;
}

const volumeRoot = '/jvs';
const linkRoot = '/var/run/jvs-link';

/**
 * The agent has no business with the Kubernetes API. The ServiceAccount plugin of the API server runs before and after
 * this webhook and gives the pod's token to every container that mounts nothing here: so the agent mounts nothing here.
 */
const tokenRoot = '/var/run/secrets/kubernetes.io/serviceaccount';

const agentMounts: readonly VolumeMount[] = [
  { name: workspaceVolume, mountPath: volumeRoot },
  { name: 'jvs-agent-link', mountPath: linkRoot, readOnly: true },
  { name: 'jvs-agent-no-token', mountPath: tokenRoot, readOnly: true },
];

export const agentVolumes: readonly Volume[] = [
  {
    name: 'jvs-agent-link',
    projected: {
      sources: [
        { serviceAccountToken: { audience: 'jvs-operator', expirationSeconds: 3600, path: 'token' } },
        // Optional: the operator makes it as soon as the Workspace is there, which may be after the pod.
        {
          configMap: {
            name: 'jvs-operator-ca',
            optional: true,
            items: [{ key: 'ca.crt', path: 'ca.crt' }],
          },
        },
      ],
    },
  },
  { name: 'jvs-agent-no-token', emptyDir: {} },
];

export interface AgentParts {
  config: AgentConfig;
  options: PodOptions;
  user: User;
  workspace: { name: string; engine: string; initialSnapshot?: string };
  /** Time from SIGTERM to SIGKILL that the pod gives its containers. */
  graceSeconds: number;
  /** A native sidecar; else the pod's only container. */
  sidecar: boolean;
  /** Of a pod of the operator's own, where nobody states an image. */
  own: boolean;
}

/** `stated` with everything that an agent needs and `stated` does not say; annotations win over both. */
export function completeAgent(stated: Container | undefined, parts: AgentParts): Container {
  const { config, options, sidecar } = parts;
  const image = options.image ?? statedImage(stated, parts) ?? config.image;
  // The API server has chosen a policy for the image that was stated, not for ours.
  const imagePullPolicy = image === stated?.image ? stated.imagePullPolicy : config.imagePullPolicy;
  const container: Container = {
    terminationMessagePolicy: 'FallbackToLogsOnError',
    ...probes(),
    ...stated,
    name: agentContainer.name,
    image,
    imagePullPolicy,
    ports: ports(stated),
    env: environment(stated, parts),
    resources: resources(stated, parts),
    securityContext: { ...securityContext(parts.user), ...stated?.securityContext, ...identity(parts.user) },
    volumeMounts: mounts(stated),
  };
  if (sidecar) container.restartPolicy = 'Always';
  if (imagePullPolicy === undefined) delete container.imagePullPolicy;
  return container;
}

/** What stands for the operator's choice may have been rewritten before, by a webhook that names a mirror's images. */
function statedImage({ image }: Partial<Container> = {}, { own }: AgentParts): string | undefined {
  const stands = image === agentContainer.image || (own && /\/jvs-agent(:latest)?$/.test(image ?? ''));
  return stands ? undefined : image;
}

type Probes = Pick<Container, 'startupProbe' | 'livenessProbe' | 'readinessProbe'>;

function probes(): Probes {
  const get = (path: string) => ({ httpGet: { path, port: healthPort } });
  return {
    // Copying an initial snapshot may take hours, and an agent that is killed meanwhile begins anew.
    startupProbe: { ...get('/startupz'), periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 86_400 },
    livenessProbe: { ...get('/livez'), periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
    readinessProbe: { ...get('/readyz'), periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3 },
  };
}

type Ports = NonNullable<Container['ports']>;

/** By name, for who scrapes the agent and for network policies; the debug API is on the loopback. */
function ports(stated: Container | undefined): Ports {
  const own = [
    { name: 'metrics', containerPort: healthPort },
    { name: 'transfer', containerPort: transferPort },
  ];
  const before = stated?.ports ?? [];
  const taken = new Set(before.map(({ containerPort }) => containerPort));
  return [...before, ...own.filter(({ containerPort }) => !taken.has(containerPort))];
}

type Env = NonNullable<Container['env']>;

function environment(stated: Container | undefined, parts: AgentParts): Env {
  const { config, options, workspace } = parts;
  const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  const own: Env = [
    { name: 'JVS_VOLUME', value: volumeRoot },
    { name: 'JVS_WORKSPACE_NAME', value: workspace.name },
    field('JVS_NAMESPACE', 'metadata.namespace'),
    field('JVS_POD', 'metadata.name'),
    field('JVS_NODE', 'spec.nodeName'),
    { name: 'JVS_ENGINE', value: workspace.engine },
    { name: 'JVS_LINK_ADDRESS', value: config.linkAddress },
    { name: 'JVS_LINK_TOKEN_FILE', value: `${linkRoot}/token` },
    { name: 'JVS_LINK_CA_FILE', value: `${linkRoot}/ca.crt` },
    { name: 'JVS_DEBUG_ADDRESS', value: `127.0.0.1:${debugPort}` },
    { name: 'JVS_HEALTH_PORT', value: String(healthPort) },
    { name: 'JVS_TRANSFER_PORT', value: String(transferPort) },
    { name: 'JVS_SHUTDOWN_GRACE', value: String(shutdownGrace(parts.graceSeconds)) },
    ...given('JVS_VERIFY_BYTES_PER_SECOND', config.verifyBytesPerSecond),
    ...given('JVS_VERIFY_INTERVAL', config.verifyInterval),
    ...given('JVS_INITIAL_SNAPSHOT', workspace.initialSnapshot),
    ...given('JVS_WORKTREE', options.worktree),
    { name: 'LOG_LEVEL', value: config.logLevel },
  ];
  const merged = withEnv(stated, own);
  if (options.logLevel === undefined) return merged;
  return merged.map((entry) => (entry.name === 'LOG_LEVEL' ? { ...entry, value: options.logLevel } : entry));
}

const given = (name: string, value: string | number | undefined): Env =>
  value === undefined ? [] : [{ name, value: String(value) }];

/** Agents take no longer. */
const longestShutdownGrace = 3600;

/** Seconds that the agent takes to finish what runs: the rest is for it to give up, roll back and say so. */
const shutdownGrace = (graceSeconds: number): number =>
  Math.min(longestShutdownGrace, graceSeconds - Math.min(10, Math.ceil(graceSeconds / 3)));

/** The environment of `container` with `entries` in front, where later ones may refer to them. Stated values win. */
export function withEnv(container: Container | undefined, entries: Env): Env {
  const stated = container?.env ?? [];
  return [...entries.filter(({ name }) => !stated.some((entry) => entry.name === name)), ...stated];
}

type Resources = NonNullable<Container['resources']>;

function resources(stated: Container | undefined, { config, options }: AgentParts): Resources {
  const merged: Resources = { ...stated?.resources };
  for (const kind of ['requests', 'limits'] as const) {
    const values = { ...config.resources[kind], ...stated?.resources?.[kind], ...options[kind] };
    if (Object.keys(values).length > 0) merged[kind] = values;
  }
  for (const name of ['cpu', 'memory']) {
    const [request, limit] = [merged.requests?.[name], merged.limits?.[name]];
    if (request === undefined || limit === undefined) continue;
    if ((quantityValue(request) ?? 0) <= (quantityValue(limit) ?? 0)) continue;
    throw new Refusal(
      `the agent's ${name} request ${request} is above its limit ${limit}: set annotations jvs.io/agent-${name}-request and jvs.io/agent-${name}-limit so that they agree`,
    );
  }
  return merged;
}

type SecurityContext = NonNullable<Container['securityContext']>;

/** Restricted by the Pod Security Standards unless it is root, who may read and restore whatever is on the volume. */
function securityContext({ user }: User): SecurityContext {
  const root = user === 0;
  return {
    runAsNonRoot: !root,
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'], ...(root && { add: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID'] }) },
    readOnlyRootFilesystem: true,
    seccompProfile: { type: 'RuntimeDefault' },
  };
}

const identity = ({ user, group }: User): SecurityContext => ({
  runAsUser: user,
  ...(group !== undefined && { runAsGroup: group }),
});

function mounts(stated: Container | undefined): VolumeMount[] {
  const own = (stated?.volumeMounts ?? []).filter(
    ({ name, mountPath }) => mountPath !== tokenRoot || agentMounts.some((mount) => mount.name === name),
  );
  const container = { name: agentContainer.name, volumeMounts: own };
  return withMounts(container, agentMounts, 'the agent needs that path: mount the volume elsewhere');
}
