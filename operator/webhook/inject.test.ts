import { describe, expect, test } from 'vitest';
import type { Workspace } from '../api/workspace.ts';
import { maintenancePod } from '../maintenance/pod.ts';
import type { Container, Pod, PodSpec } from '../runtime/resources.ts';
import { claimOf, deploymentOf } from '../workspace/objects.ts';
import { injectAgent } from './inject.ts';
import { diff } from './patch.ts';
import { agentConfig, podWith, workspaceNamed } from './testing.ts';

const workspace = workspaceNamed('ws');
const inject = (pod: Pod, of = workspace) => injectAgent(pod, of, agentConfig).pod.spec as PodSpec;
const agentOf = (spec: PodSpec): Container => {
  const agents = [...(spec.initContainers ?? []), ...spec.containers].filter((c) => c.name === 'jvs-agent');
  expect(agents).toHaveLength(1);
  return agents[0] as Container;
};
const container = (spec: PodSpec, name: string): Container =>
  [...(spec.initContainers ?? []), ...spec.containers].find((c) => c.name === name) as Container;
const refused = (spec: Partial<PodSpec>, annotations: Record<string, string> = {}, of = workspace) => {
  try {
    inject(podWith(spec, { annotations }), of);
  } catch (error) {
    return (error as Error).message;
  }
  return 'accepted';
};

describe('a plain pod', () => {
  const spec = inject(podWith({}));

  test('gets the agent as a native sidecar that is ready before its containers start', () => {
    expect(spec.initContainers).toMatchObject([
      {
        name: 'jvs-agent',
        image: agentConfig.image,
        imagePullPolicy: 'IfNotPresent',
        restartPolicy: 'Always',
        startupProbe: { httpGet: { path: '/startupz', port: 7444 } },
        livenessProbe: { httpGet: { path: '/livez', port: 7444 } },
        readinessProbe: { httpGet: { path: '/readyz', port: 7444 } },
        resources: agentConfig.resources,
        ports: [
          { name: 'metrics', containerPort: 7444 },
          { name: 'transfer', containerPort: 7445 },
        ],
      },
    ]);
  });

  test('has the volume, and its containers the payload writable and the history read-only', () => {
    expect(spec.volumes).toContainEqual({
      name: 'jvs-workspace',
      persistentVolumeClaim: { claimName: 'jvs-ws' },
    });
    expect(container(spec, 'app')).toEqual({
      name: 'app',
      image: 'busybox',
      env: [{ name: 'JVS_WORKSPACE', value: '/workspace/main' }],
      volumeMounts: [
        { name: 'jvs-workspace', mountPath: '/workspace/main', subPath: 'main' },
        { name: 'jvs-workspace', mountPath: '/workspace/worktrees', subPath: 'worktrees' },
        { name: 'jvs-workspace', mountPath: '/workspace/.jvs', subPath: '.jvs', readOnly: true },
      ],
    });
  });

  test("has a token for the operator and none for the API server in the agent's container", () => {
    expect(spec.volumes).toContainEqual({
      name: 'jvs-agent-link',
      projected: {
        sources: [
          { serviceAccountToken: { audience: 'jvs-operator', expirationSeconds: 3600, path: 'token' } },
          {
            configMap: {
              name: 'jvs-operator-ca',
              optional: true,
              items: [{ key: 'ca.crt', path: 'ca.crt' }],
            },
          },
        ],
      },
    });
    expect(spec.volumes).toContainEqual({ name: 'jvs-agent-no-token', emptyDir: {} });
    expect(agentOf(spec).volumeMounts).toEqual([
      { name: 'jvs-workspace', mountPath: '/jvs' },
      { name: 'jvs-agent-link', mountPath: '/var/run/jvs-link', readOnly: true },
      {
        name: 'jvs-agent-no-token',
        mountPath: '/var/run/secrets/kubernetes.io/serviceaccount',
        readOnly: true,
      },
    ]);
  });

  test('tells the agent who and where it is', () => {
    const field = (fieldPath: string) => ({ valueFrom: { fieldRef: { fieldPath } } });
    expect(agentOf(spec).env).toEqual([
      { name: 'JVS_VOLUME', value: '/jvs' },
      { name: 'JVS_WORKSPACE_NAME', value: 'ws' },
      { name: 'JVS_NAMESPACE', ...field('metadata.namespace') },
      { name: 'JVS_POD', ...field('metadata.name') },
      { name: 'JVS_NODE', ...field('spec.nodeName') },
      { name: 'JVS_ENGINE', value: 'copy' },
      { name: 'JVS_LINK_ADDRESS', value: agentConfig.linkAddress },
      { name: 'JVS_LINK_TOKEN_FILE', value: '/var/run/jvs-link/token' },
      { name: 'JVS_LINK_CA_FILE', value: '/var/run/jvs-link/ca.crt' },
      { name: 'JVS_DEBUG_ADDRESS', value: '127.0.0.1:7443' },
      { name: 'JVS_HEALTH_PORT', value: '7444' },
      { name: 'JVS_TRANSFER_PORT', value: '7445' },
      { name: 'JVS_SHUTDOWN_GRACE', value: '20' },
      { name: 'LOG_LEVEL', value: 'info' },
    ]);
  });

  test('tells the agent how to verify and what to wait for, where somebody has said so', () => {
    const config = { ...agentConfig, verifyBytesPerSecond: 0, verifyInterval: '30d' };
    const { pod } = injectAgent(podWith({}), workspaceNamed('ws', { initialSnapshot: 'base' }), config);
    expect(agentOf(pod.spec as PodSpec).env).toEqual(
      expect.arrayContaining([
        { name: 'JVS_VERIFY_BYTES_PER_SECOND', value: '0' },
        { name: 'JVS_VERIFY_INTERVAL', value: '30d' },
        { name: 'JVS_INITIAL_SNAPSHOT', value: 'base' },
      ]),
    );
  });
});

describe('a worktree', () => {
  const working = (worktree: string) => podWith({}, { annotations: { 'jvs.io/worktree': worktree } });

  test.each([
    ['exp', '/workspace/worktrees/exp'],
    ['main', '/workspace/main'],
  ])('%s is what containers work in and the agent waits for', (worktree, path) => {
    const spec = inject(working(worktree));
    expect(container(spec, 'app').env).toEqual([{ name: 'JVS_WORKSPACE', value: path }]);
    expect(container(spec, 'app').volumeMounts).toEqual(container(inject(podWith({})), 'app').volumeMounts);
    expect(agentOf(spec).env).toContainEqual({ name: 'JVS_WORKTREE', value: worktree });
  });

  test.each(['', '../main', 'a/b', '.', 'a b'])('"%s" is no name of one', (worktree) => {
    expect(refused({}, { 'jvs.io/worktree': worktree })).toMatch(
      /^annotation jvs\.io\/worktree must consist of letters, digits/,
    );
  });
});

describe('the grace period', () => {
  const told = (terminationGracePeriodSeconds?: number) =>
    agentOf(inject(podWith({ terminationGracePeriodSeconds }))).env?.find(
      ({ name }) => name === 'JVS_SHUTDOWN_GRACE',
    )?.value;
  test.each([
    [undefined, '20'],
    [30, '20'],
    [600, '590'],
    [86_400, '3600'],
    [5, '3'],
    [1, '0'],
    [0, '0'],
  ])('of %s s leaves the agent %s s, and the rest to give up in', (grace, value) => {
    expect(told(grace)).toBe(value);
  });

  test('belongs to the user; that a final snapshot has to fit into it is said', () => {
    const warned = (finalSnapshot: boolean, terminationGracePeriodSeconds?: number) =>
      injectAgent(
        podWith({ terminationGracePeriodSeconds }),
        workspaceNamed('ws', { finalSnapshot }),
        agentConfig,
      ).warnings;
    expect(warned(true, 30)).toEqual([expect.stringContaining('the 30 s of spec.terminationGracePeriodS')]);
    expect(warned(true, 31)).toEqual([]);
    expect(warned(false, 30)).toEqual([]);
  });
});

describe('mounts', () => {
  test('historyAccess ReadWrite gives the whole volume', () => {
    const spec = inject(podWith({}), workspaceNamed('ws', { historyAccess: 'ReadWrite', mountPath: '/w' }));
    expect(container(spec, 'app').volumeMounts).toEqual([{ name: 'jvs-workspace', mountPath: '/w' }]);
    expect(container(spec, 'app').env).toEqual([{ name: 'JVS_WORKSPACE', value: '/w/main' }]);
  });

  test("init containers get them and run after the agent, whatever the user's order is", () => {
    const spec = inject(podWith({ initContainers: [{ name: 'fetch' }, { name: 'build' }] }));
    expect(spec.initContainers?.map(({ name }) => name)).toEqual(['jvs-agent', 'fetch', 'build']);
    expect(container(spec, 'build').volumeMounts).toHaveLength(3);
  });

  test('annotation jvs.io/containers narrows them to the containers that it names', () => {
    const pod = podWith(
      { containers: [{ name: 'proxy' }, { name: 'app' }], initContainers: [{ name: 'fetch' }] },
      { annotations: { 'jvs.io/containers': 'app, fetch' } },
    );
    const spec = inject(pod);
    expect(container(spec, 'proxy')).toEqual({ name: 'proxy' });
    expect(container(spec, 'app').volumeMounts).toHaveLength(3);
    expect(container(spec, 'fetch').volumeMounts).toHaveLength(3);
  });

  test('a name that is not there is refused', () => {
    expect(refused({}, { 'jvs.io/containers': 'ap' })).toBe(
      'annotation jvs.io/containers: there is no container ap: it may name app',
    );
    expect(refused({}, { 'jvs.io/containers': '' })).toMatch(/^annotation jvs\.io\/containers must be names/);
  });

  test('the own JVS_WORKSPACE of a container wins', () => {
    const env = [{ name: 'JVS_WORKSPACE', value: '/workspace/worktrees/x' }];
    expect(container(inject(podWith({ containers: [{ name: 'app', env }] })), 'app').env).toEqual(env);
  });

  test('another volume at one of the paths is refused', () => {
    const volumeMounts = [{ name: 'data', mountPath: '/workspace/main/' }];
    const spec = { containers: [{ name: 'app', volumeMounts }], volumes: [{ name: 'data', emptyDir: {} }] };
    expect(refused(spec)).toMatch(/^container app: mountPath \/workspace\/main\/ is taken by volume data; /);
    expect(
      refused({ ...spec, containers: [...spec.containers, { name: 'b' }] }, { 'jvs.io/containers': 'b' }),
    ).toBe('accepted');
  });

  test('another volume that would hide a root of the workspace is refused, below it there may be one', () => {
    const workspace = workspaceNamed('ws', { historyAccess: 'ReadWrite' });
    const told = (mountPath: string) => {
      const containers = [{ name: 'app', volumeMounts: [{ name: 'data', mountPath }] }];
      return refused({ containers, volumes: [{ name: 'data', emptyDir: {} }] }, {}, workspace);
    };
    for (const root of ['main', 'worktrees', '.jvs'])
      expect(told(`/workspace/${root}`)).toMatch(/is taken by volume data/);
    expect(told('/workspace/main/cache')).toBe('accepted');
    const volumeMounts = [{ name: 'mine', mountPath: '/workspace/main', subPath: 'main' }];
    const volumes = [{ name: 'mine', persistentVolumeClaim: { claimName: 'jvs-ws' } }];
    expect(refused({ containers: [{ name: 'app', volumeMounts }], volumes }, {}, workspace)).toBe('accepted');
    const fork = { ...volumeMounts[0], name: 'data', mountPath: '/workspace/worktrees/exp' };
    const hidden = {
      containers: [{ name: 'app', volumeMounts: [fork] }],
      volumes: [{ name: 'data', emptyDir: {} }],
    };
    expect(refused(hidden, { 'jvs.io/worktree': 'exp' })).toMatch(/is taken by volume data/);
  });

  test('containers that may mount are warned of, where the history is read-only', () => {
    const containers = [
      { name: 'dind', securityContext: { privileged: true } },
      { name: 'fuse', securityContext: { capabilities: { add: ['SYS_ADMIN'] } } },
      { name: 'app' },
    ];
    const warned = (of: typeof workspace) =>
      injectAgent(podWith({ containers }), of, agentConfig).warnings.map((text) => text.split(' ')[1]);
    expect(warned(workspace)).toEqual(['dind', 'fuse']);
    expect(warned(workspaceNamed('ws', { historyAccess: 'ReadWrite' }))).toEqual([]);
  });

  test('the volume is not to be read-only', () => {
    const persistentVolumeClaim = { claimName: 'jvs-ws', readOnly: true };
    expect(refused({ volumes: [{ name: 'jvs-workspace', persistentVolumeClaim }] })).toMatch(
      /^volume jvs-workspace is stated otherwise/,
    );
  });

  test('another volume of one of the names is refused', () => {
    for (const name of ['jvs-workspace', 'jvs-agent-link'])
      expect(refused({ volumes: [{ name, hostPath: { path: '/' } }] })).toMatch(
        new RegExp(`^volume ${name} is stated otherwise`),
      );
    expect(
      refused({ volumes: [{ name: 'jvs-workspace', persistentVolumeClaim: { claimName: 'jvs-other' } }] }),
    ).toMatch(/^volume jvs-workspace is stated otherwise/);
  });
});

describe('history', () => {
  const readWrite = workspaceNamed('ws', { historyAccess: 'ReadWrite' });
  const mounted = (mount: object): Partial<PodSpec> => ({
    containers: [{ name: 'app', volumeMounts: [{ name: 'jvs-workspace', mountPath: '/x', ...mount }] }],
  });
  const claim = (readOnly: boolean): Partial<PodSpec> => ({
    volumes: [{ name: 'mine', persistentVolumeClaim: { claimName: 'jvs-ws', readOnly } }],
  });

  test.each([
    ['the whole volume', mounted({}), /writable at \/x/],
    ['the history itself', mounted({ subPath: '.jvs' }), /writable at \/x/],
    ['a path that a workload may turn into a link', mounted({ subPath: 'worktrees/a' }), /writable at \/x/],
    ['an expanded path', mounted({ subPathExpr: '$(WHERE)' }), /writable at \/x/],
    ['the claim by another name', claim(false), /^volume mine gives containers the whole of claim jvs-ws/],
    ["the agent's processes", { shareProcessNamespace: true }, /^spec\.shareProcessNamespace/],
    ["the node's processes", { hostPID: true }, /^spec\.hostPID/],
  ])('%s is refused, but for historyAccess ReadWrite', (_, spec, message) => {
    expect(refused(spec)).toMatch(message);
    expect(refused(spec, {}, readWrite)).toBe('accepted');
  });

  test.each([
    ['the whole volume read-only', mounted({ readOnly: true })],
    ['the payload at another place', mounted({ subPath: 'main' })],
    ['the claim read-only', claim(true)],
  ])('%s is fine', (_, spec) => expect(refused(spec)).toBe('accepted'));

  test('init containers that run before the agent are looked at too', () => {
    const volumeMounts = [{ name: 'jvs-workspace', mountPath: '/x' }];
    expect(refused({ initContainers: [{ name: 'a', volumeMounts }, { name: 'jvs-agent' }] })).toMatch(
      /^container a: .*writable/,
    );
  });
});

describe('the agent', () => {
  test('is out of the reach of other pods', () => {
    expect(refused({ hostNetwork: true })).toMatch(/^spec\.hostNetwork/);
  });

  test.each([7443, 7444, 7445])('has port %d for itself', (containerPort) => {
    const using = (protocol: string) => ({
      containers: [{ name: 'app', ports: [{ containerPort: 80 }, { containerPort, protocol }] }],
    });
    expect(refused(using('TCP'))).toMatch(
      new RegExp(`^container app: port ${containerPort} is one of the agent's`),
    );
    expect(refused(using('UDP'))).toBe('accepted');
  });
});

describe('user', () => {
  const runs = (spec: Partial<PodSpec>, annotations = {}) =>
    agentOf(inject(podWith(spec, { annotations }))).securityContext;
  const restricted = {
    runAsNonRoot: true,
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    readOnlyRootFilesystem: true,
    seccompProfile: { type: 'RuntimeDefault' },
  };

  test('the user of the pod, restricted', () => {
    expect(runs({ securityContext: { runAsUser: 1000, runAsGroup: 3000 } })).toEqual({
      ...restricted,
      runAsUser: 1000,
      runAsGroup: 3000,
    });
  });

  test('the user of the first container that mounts the volume', () => {
    const containers = [
      { name: 'proxy', securityContext: { runAsUser: 1337 } },
      { name: 'app', securityContext: { runAsUser: 2000 } },
    ];
    expect(runs({ containers }, { 'jvs.io/containers': 'app' })).toEqual({ ...restricted, runAsUser: 2000 });
    expect(runs({ containers, securityContext: { runAsUser: 1000 } })).toMatchObject({ runAsUser: 1337 });
  });

  test('root where none is stated, with what it takes to read and restore any file and no more', () => {
    expect(runs({})).toEqual({
      ...restricted,
      runAsUser: 0,
      runAsNonRoot: false,
      capabilities: { drop: ['ALL'], add: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID'] },
    });
  });

  test('annotation jvs.io/agent-run-as overrides', () => {
    const securityContext = { runAsUser: 1000 };
    expect(runs({ securityContext }, { 'jvs.io/agent-run-as': '0' })).toMatchObject({
      runAsUser: 0,
      runAsNonRoot: false,
    });
    expect(runs({}, { 'jvs.io/agent-run-as': '7:8' })).toEqual({
      ...restricted,
      runAsUser: 7,
      runAsGroup: 8,
    });
  });

  test('a pod that must not be root and does not say who it is is refused', () => {
    const securityContext = { runAsNonRoot: true };
    expect(refused({ securityContext })).toMatch(/runAsUser, or annotation jvs\.io\/agent-run-as$/);
    expect(refused({ securityContext }, { 'jvs.io/agent-run-as': '1000' })).toBe('accepted');
  });
});

describe('fsGroup', () => {
  const policy = (securityContext: object) => {
    const { pod, warnings } = injectAgent(podWith({ securityContext }), workspace, agentConfig);
    return [pod.spec?.securityContext?.fsGroupChangePolicy, warnings.length];
  };

  test('never changes the modes of the files on the volume unless the user says so', () => {
    expect(policy({ fsGroup: 1000 })).toEqual(['OnRootMismatch', 0]);
    expect(policy({ fsGroup: 1000, fsGroupChangePolicy: 'Always' })).toEqual(['Always', 1]);
    expect(policy({})).toEqual([undefined, 0]);
  });
});

describe('annotations', () => {
  const agent = (annotations: Record<string, string>) => agentOf(inject(podWith({}, { annotations })));

  test('a LimitRange, which comes before, decides nothing for the agent; what its author states does', () => {
    const stated = {
      name: 'jvs-agent',
      image: 'own',
      resources: { requests: { cpu: '100m', memory: '1Gi' }, limits: { cpu: '1', memory: '128Mi' } },
    };
    const said = 'LimitRanger plugin set: cpu request for container app';
    const annotations = {
      'kubernetes.io/limit-ranger': `${said}; memory request for container jvs-agent; cpu, memory limit for container jvs-agent`,
    };
    const spec = inject(podWith({ containers: [stated] }, { annotations }));
    const { requests, limits } = agentConfig.resources;
    // What there is nothing for here stays: the namespace may ask for it.
    expect(agentOf(spec).resources).toEqual({
      requests: { ...requests, cpu: '100m' },
      limits: { ...limits, cpu: '1' },
    });
    const again = inject(podWith(spec, { annotations }));
    expect(agentOf(again).resources).toEqual(agentOf(spec).resources);
  });

  test('override image, log level and resources', () => {
    const changed = agent({
      'jvs.io/agent-image': `localhost:5000/a/jvs-agent:dev@sha256:${'a'.repeat(64)}`,
      'jvs.io/agent-log-level': 'debug',
      'jvs.io/agent-cpu-request': '50m',
      'jvs.io/agent-cpu-limit': '1',
      'jvs.io/agent-memory-limit': '1Gi',
    });
    expect(changed.image).toMatch(/^localhost:5000/);
    expect(changed.env).toContainEqual({ name: 'LOG_LEVEL', value: 'debug' });
    expect(changed.resources).toEqual({
      requests: { cpu: '50m', memory: '64Mi' },
      limits: { cpu: '1', memory: '1Gi' },
    });
  });

  test.each([
    ['jvs.io/agent-image', 'no image', /^annotation jvs\.io\/agent-image must be the name of an image/],
    ['jvs.io/agent-run-as', 'root', /^annotation jvs\.io\/agent-run-as must be a user id/],
    ['jvs.io/agent-run-as', '4294967295', /^annotation jvs\.io\/agent-run-as must hold ids up to/],
    ['jvs.io/agent-log-level', 'loud', /^annotation jvs\.io\/agent-log-level must be one of/],
    ['jvs.io/agent-memory-limit', '1 GB', /^annotation jvs\.io\/agent-memory-limit must be a quantity/],
    ['jvs.io/agent-memory-request', '1Gi', /^the agent's memory request 1Gi is above its limit 256Mi/],
  ])('%s: %s is refused', (key, value, message) => expect(refused({}, { [key]: value })).toMatch(message));

  test('an unknown one is a warning', () => {
    const pod = podWith({}, { annotations: { 'jvs.io/agent-memory-limits': '1Gi', 'other/x': 'y' } });
    expect(injectAgent(pod, workspace, agentConfig).warnings).toEqual([
      'annotation jvs.io/agent-memory-limits is not known to the JVS operator: it has no effect',
    ]);
  });
});

describe('a pod that carries an agent', () => {
  const token = { name: 'kube-api-access-x', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' };

  test('alone is completed where it is', () => {
    const stated = {
      name: 'jvs-agent',
      image: 'jvs-agent',
      imagePullPolicy: 'Always',
      volumeMounts: [token],
    };
    const spec = inject(podWith({ containers: [stated] }));
    expect(spec.initContainers).toBeUndefined();
    const agent = agentOf(spec);
    expect(agent).toMatchObject({ image: agentConfig.image, imagePullPolicy: 'IfNotPresent' });
    expect(agent.restartPolicy).toBeUndefined();
    expect(agent.volumeMounts?.map(({ name }) => name)).toEqual([
      'jvs-workspace',
      'jvs-agent-link',
      'jvs-agent-no-token',
    ]);
  });

  test('beside containers becomes a sidecar, and what it states stays', () => {
    const stated = {
      name: 'jvs-agent',
      image: 'mine:1',
      imagePullPolicy: 'Never',
      env: [
        { name: 'LOG_LEVEL', value: 'debug' },
        { name: 'EXTRA', value: '1' },
      ],
      resources: { limits: { memory: '1Gi' } },
      securityContext: { runAsUser: 5, capabilities: { add: ['DAC_READ_SEARCH'] } },
      ports: [{ name: 'mine', containerPort: 7445, protocol: 'TCP' }],
      volumeMounts: [{ name: 'scratch', mountPath: '/tmp' }],
    };
    const spec = inject(
      podWith({ containers: [{ name: 'app' }, stated], volumes: [{ name: 'scratch', emptyDir: {} }] }),
    );
    expect(spec.containers.map(({ name }) => name)).toEqual(['app']);
    const agent = agentOf(spec);
    expect(agent).toMatchObject({
      image: 'mine:1',
      imagePullPolicy: 'Never',
      restartPolicy: 'Always',
      resources: { requests: { cpu: '10m', memory: '64Mi' }, limits: { memory: '1Gi' } },
      securityContext: { runAsUser: 5, runAsNonRoot: true, capabilities: { add: ['DAC_READ_SEARCH'] } },
      ports: [
        { name: 'mine', containerPort: 7445, protocol: 'TCP' },
        { name: 'metrics', containerPort: 7444 },
      ],
    });
    expect(agent.env).toContainEqual({ name: 'LOG_LEVEL', value: 'debug' });
    expect(agent.env).toContainEqual({ name: 'EXTRA', value: '1' });
    expect(agent.volumeMounts).toHaveLength(4);
  });

  test('among its init containers keeps its place, and those before it see no volume', () => {
    const initContainers = [{ name: 'tune' }, { name: 'jvs-agent' }, { name: 'fetch' }];
    const spec = inject(podWith({ initContainers }));
    expect(spec.initContainers?.map(({ name }) => name)).toEqual(['tune', 'jvs-agent', 'fetch']);
    expect(container(spec, 'tune')).toEqual({ name: 'tune' });
    expect(container(spec, 'fetch').volumeMounts).toHaveLength(3);
    expect(refused({ initContainers }, { 'jvs.io/containers': 'tune' })).toMatch(/put it behind jvs-agent$/);
  });

  test('with another volume at a path of its own is refused', () => {
    const stated = { name: 'jvs-agent', volumeMounts: [{ name: 'x', mountPath: '/jvs' }] };
    expect(refused({ initContainers: [stated] })).toMatch(/^container jvs-agent: mountPath \/jvs is taken/);
  });
});

describe("another webhook's container in a pod of the operator's own", () => {
  const proxy = { name: 'proxy', securityContext: { runAsUser: 1337, runAsGroup: 1337 } };
  const besideProxy = (spec: object): PodSpec => {
    const pod = spec as PodSpec;
    return { ...pod, containers: [...pod.containers, proxy] };
  };
  const template = { spec: { securityContext: { runAsUser: 1000 }, containers: [{ name: 'app' }] } };
  const stopped = workspaceNamed('ws', { replicas: 0, template });
  const rooted = workspaceNamed('ws', { replicas: 0, template: { spec: { containers: [{ name: 'app' }] } } });

  test.each<[string, Workspace, (of: Workspace) => object, object]>([
    [
      'without a template',
      workspace,
      (of) => deploymentOf(of, claimOf(of)).spec?.template ?? {},
      { runAsUser: 1000, runAsGroup: 1000 },
    ],
    ['for maintenance', stopped, maintenancePod, { runAsUser: 1000 }],
    ['for maintenance, of a template that states no user', rooted, maintenancePod, { runAsUser: 0 }],
  ])('gets no volume, and the agent is not its user: %s', (_, of, make, user) => {
    const made = make(of) as Pod;
    const once = injectAgent({ ...made, spec: besideProxy(made.spec ?? {}) }, of, agentConfig).pod;
    const spec = once.spec as PodSpec;
    expect(agentOf(spec).securityContext).toMatchObject(user);
    expect(container(spec, 'proxy')).toEqual(proxy);
    expect(diff(once, injectAgent(once, of, agentConfig).pod)).toEqual([]);
  });
});

test.each(['mirror.example/hub/library/jvs-agent', 'mirror.example/jvs-agent:latest'])(
  'the image that stands for the choice of the operator does so in a pod of its own as %s, too',
  (image) => {
    const made = maintenancePod(workspaceNamed('ws', { replicas: 0 })) as Pod & { spec: PodSpec };
    const containers = made.spec.containers.map((one) => ({ ...one, image, imagePullPolicy: 'Always' }));
    const { pod } = injectAgent({ ...made, spec: { ...made.spec, containers } }, workspace, agentConfig);
    const { spec } = pod as { spec: PodSpec };
    const { imagePullPolicy } = agentConfig;
    expect(agentOf(spec)).toMatchObject({ image: agentConfig.image, imagePullPolicy });

    // As the mirror has it: that webhook may come after this one as well.
    const mirrored = 'mirror.example/jvs-agent:1.2.3';
    const again = { ...pod, spec: { ...spec, containers: [{ ...agentOf(spec), image: mirrored }] } };
    expect(agentOf(inject(again)).image).toBe(mirrored);
  },
);

describe('a second pass', () => {
  const pods: [string, Pod][] = [
    ['a plain pod', podWith({})],
    ['an agent alone', podWith({ containers: [{ name: 'jvs-agent', image: 'jvs-agent' }] })],
    ['an agent beside containers', podWith({ containers: [{ name: 'jvs-agent' }, { name: 'app' }] })],
    [
      'an agent with a mount in front',
      podWith({
        initContainers: [
          {
            name: 'jvs-agent',
            volumeMounts: [
              { name: 'jvs-agent-link', mountPath: '/var/run/jvs-link/' },
              { name: 'x', mountPath: '/tmp' },
            ],
          },
        ],
      }),
    ],
    [
      'a pod with everything',
      podWith(
        {
          containers: [
            {
              name: 'app',
              env: [
                { name: 'A', value: '1' },
                { name: 'A', value: '2' },
              ],
            },
            { name: 'b' },
          ],
          initContainers: [{ name: 'fetch' }],
          securityContext: { runAsUser: 1000, fsGroup: 1000 },
        },
        {
          annotations: {
            'jvs.io/containers': 'app,fetch',
            'jvs.io/agent-image': 'x:1',
            'jvs.io/agent-run-as': '0:0',
            'jvs.io/agent-log-level': 'debug',
            'jvs.io/agent-cpu-limit': '1',
            'jvs.io/worktree': 'exp',
          },
        },
      ),
    ],
  ];
  const everything = workspaceNamed('ws', { initialSnapshot: 'base', finalSnapshot: true });
  const verifying = { ...agentConfig, verifyBytesPerSecond: 0, verifyInterval: '30d' };

  test.each(pods)('changes nothing: %s', (_, pod) => {
    const once = injectAgent(pod, workspace, agentConfig).pod;
    expect(diff(pod, once)).not.toEqual([]);
    expect(diff(once, injectAgent(once, workspace, agentConfig).pod)).toEqual([]);
    const full = injectAgent(pod, everything, verifying).pod;
    expect(diff(full, injectAgent(full, everything, verifying).pod)).toEqual([]);
  });

  test('gives the volume to a container that another webhook has added, and to nothing else', () => {
    const once = injectAgent(podWith({}), workspace, agentConfig).pod;
    const spec = once.spec as PodSpec;
    const more = { ...once, spec: { ...spec, containers: [...spec.containers, { name: 'late' }] } };
    const paths = diff(more, injectAgent(more, workspace, agentConfig).pod).map(({ path }) => path);
    expect(paths).toEqual(['/spec/containers/1/env', '/spec/containers/1/volumeMounts']);
  });
});

describe('the patch', () => {
  test('is minimal', () => {
    const pod = podWith({
      containers: [
        { name: 'app', env: [{ name: 'A', value: '1' }], volumeMounts: [{ name: 'd', mountPath: '/d' }] },
      ],
      initContainers: [{ name: 'fetch' }],
      volumes: [{ name: 'd', emptyDir: {} }],
    });
    const operations = diff(pod, injectAgent(pod, workspace, agentConfig).pod);
    expect(operations.map(({ op, path }) => `${op} ${path}`)).toEqual([
      'add /spec/containers/0/env/0',
      'add /spec/containers/0/volumeMounts/1',
      'add /spec/containers/0/volumeMounts/2',
      'add /spec/containers/0/volumeMounts/3',
      'add /spec/initContainers/0',
      'add /spec/initContainers/1/env',
      'add /spec/initContainers/1/volumeMounts',
      'add /spec/volumes/1',
      'add /spec/volumes/2',
      'add /spec/volumes/3',
    ]);
  });

  test.each([
    ['Job', { restartPolicy: 'Never' }],
    ['StatefulSet', { hostname: 'db-0', subdomain: 'db' }],
  ])('leaves what is of a %s as it is', (kind, spec) => {
    const ownerReferences = [{ apiVersion: 'v1', kind, name: 'x', uid: 'u', controller: true }];
    const pod = podWith(spec, { ownerReferences });
    const { pod: injected } = injectAgent(pod, workspace, agentConfig);
    expect(injected.metadata).toEqual(pod.metadata);
    expect(injected.spec).toMatchObject(spec);
    expect(agentOf(injected.spec as PodSpec).restartPolicy).toBe('Always');
  });
});
