import { expect, test } from 'vitest';
import { parseWorkspace, type Workspace } from '../api/workspace.ts';
import type { Pod, PodSpec } from '../runtime/resources.ts';
import { injectAgent } from '../webhook/inject.ts';
import { agentConfig } from '../webhook/testing.ts';
import { claimOf } from '../workspace/objects.ts';
import { type Observed, planMaintenance } from './plan.ts';
import { isMaintenance, maintenancePod } from './pod.ts';

const workspaceOf = (spec: object = {}, metadata: object = {}): Workspace =>
  parseWorkspace({
    metadata: { name: 'ml', namespace: 'team', uid: 'w1', ...metadata },
    spec: { replicas: 0, ...spec },
  });
const workspace = workspaceOf();
const claim = claimOf(workspace);
const podOf = (status: object = { phase: 'Running' }, metadata: object = {}): Pod => ({
  metadata: { name: 'mine', namespace: 'team', labels: { 'jvs.io/workspace': 'ml' }, ...metadata },
  spec: { containers: [] },
  status,
});
const ours = (status: object = { phase: 'Running' }, metadata: object = {}): Pod => {
  const pod = maintenancePod(workspace);
  return { ...pod, metadata: { ...pod.metadata, uid: 'm1', ...metadata }, status };
};
const plan = (more: Partial<Observed>) =>
  planMaintenance({ workspace, claim, pods: [], pending: true, ...more });

test('a stopped workspace has one while something waits', () => {
  const action = plan({});
  expect(action).toMatchObject({
    type: 'create',
    pod: { metadata: { name: 'jvs-ml-maintenance', namespace: 'team' } },
  });
  expect(plan({ pods: [ours()] })).toBeUndefined();
  expect(plan({ pods: [ours()], pending: undefined })).toBeUndefined();
});

const gone = { deletionTimestamp: '2026-11-24T12:00:00Z' };
test.each<[string, Partial<Observed>]>([
  ['nothing waits', { pending: false }],
  ['nobody has looked', { pending: undefined }],
  ['the workspace is to run', { workspace: workspaceOf({ replicas: 1 }) }],
  ['the Workspace goes', { workspace: workspaceOf({}, gone) }],
  ['there is no Workspace', { workspace: undefined }],
  ['there is no claim', { claim: undefined }],
  ['the claim goes', { claim: { ...claim, metadata: { ...claim.metadata, ...gone } } }],
  ['the volume is lost', { claim: { ...claim, status: { phase: 'Lost' } } }],
  ['the claim is somebody else’s', { claim: { ...claim, metadata: { ...claim.metadata, labels: {} } } }],
  ['a pod of the workspace runs', { pods: [podOf()] }],
  ['a pod of the workspace waits for a node', { pods: [podOf({ phase: 'Pending' })] }],
  ['a pod of the workspace still has the volume', { pods: [podOf({ phase: 'Running' }, gone)] }],
  ['the one before still has the volume', { pods: [ours({ phase: 'Running' }, gone)] }],
])('none is made while %s', (_, more) => {
  expect(plan(more)).toBeUndefined();
});

test('a pod that is finished has no volume any more', () => {
  expect(plan({ pods: [podOf({ phase: 'Succeeded' }), podOf({ phase: 'Failed' })] })?.type).toBe('create');
});

test.each<[string, Partial<Observed>, string]>([
  ['a pod of the workspace appears', { pods: [ours(), podOf({ phase: 'Pending' })] }, 'pod mine'],
  ['the workspace starts', { workspace: workspaceOf({ replicas: 2 }), pods: [ours()] }, 'starts'],
  ['nothing waits any more', { pending: false, pods: [ours()] }, 'nothing waits'],
  ['the Workspace goes', { workspace: workspaceOf({}, gone), pods: [ours()] }, 'Workspace goes'],
  ['it was evicted', { pods: [ours({ phase: 'Failed' })] }, 'by itself'],
])('it is deleted when %s', (_, more, why) => {
  const action = plan(more);
  expect(action).toMatchObject({
    type: 'delete',
    pod: { metadata: { uid: 'm1' } },
    why: expect.stringContaining(why),
  });
  expect(plan({ ...more, pods: [ours({ phase: 'Running' }, gone)] })).toBeUndefined();
});

test('it is the agent alone, and none that replicas counts', () => {
  const pod = maintenancePod(workspace);
  expect(isMaintenance(pod)).toBe(true);
  expect(pod.metadata.labels).toEqual({ 'jvs.io/workspace': 'ml', 'jvs.io/maintenance': 'true' });
  expect(pod.metadata.ownerReferences).toMatchObject([{ kind: 'Workspace', uid: 'w1' }]);
  const { spec } = injectAgent(pod, workspace, agentConfig).pod;
  expect(spec?.containers.map(({ name }) => name)).toEqual(['jvs-agent']);
  const [agent] = spec?.containers ?? [];
  expect(agent).toMatchObject({
    image: agentConfig.image,
    env: expect.arrayContaining([{ name: 'JVS_MAINTENANCE', value: 'true' }]),
    securityContext: { runAsUser: 1000, runAsNonRoot: true, allowPrivilegeEscalation: false },
  });
  expect(spec?.initContainers).toBeUndefined();
});

test('it runs as the agent does that the template has itself', () => {
  const own = { name: 'jvs-agent', securityContext: { runAsUser: 7000 } };
  const app = { name: 'app', securityContext: { runAsUser: 4000 } };
  const pod = maintenancePod(
    workspaceOf({ template: { spec: { initContainers: [own], containers: [app] } } }),
  );
  expect(injectAgent(pod, workspace, agentConfig).pod.spec?.containers).toMatchObject([
    { name: 'jvs-agent', securityContext: { runAsUser: 7000 } },
  ]);
});

test('it runs where the workspace runs, as who owns the files, with the same annotations for agents', () => {
  const template = {
    metadata: {
      annotations: {
        'jvs.io/agent-memory-limit': '1Gi',
        'jvs.io/containers': 'app',
        'jvs.io/worktree': 'fork',
      },
    },
    spec: {
      nodeSelector: { gpu: 'yes' },
      serviceAccountName: 'ml',
      securityContext: { fsGroup: 3000 },
      containers: [
        { name: 'other', securityContext: { runAsUser: 1 } },
        { name: 'app', securityContext: { runAsUser: 4000, runAsGroup: 5000 } },
      ],
      volumes: [{ name: 'secret', secret: { secretName: 's' } }],
    },
  };
  const pod = maintenancePod(workspaceOf({ template }));
  expect(pod.metadata.annotations).toEqual({ 'jvs.io/agent-memory-limit': '1Gi' });
  expect(pod.spec).toMatchObject({
    nodeSelector: { gpu: 'yes' },
    serviceAccountName: 'ml',
    securityContext: { fsGroup: 3000 },
  });
  expect(pod.spec?.volumes).toBeUndefined();
  const { spec } = injectAgent(pod, workspace, agentConfig).pod;
  expect(spec?.containers).toMatchObject([
    { name: 'jvs-agent', securityContext: { runAsUser: 4000, runAsGroup: 5000 } },
  ]);
});

test.each<[string, Record<string, string>, object, object]>([
  [
    'whose group the container states alone',
    {},
    {
      securityContext: { runAsUser: 1000, runAsGroup: 1000 },
      containers: [{ name: 'app', securityContext: { runAsGroup: 2000 } }],
    },
    { runAsUser: 1000, runAsGroup: 2000 },
  ],
  [
    'who an init container is, where only that has the volume',
    { 'jvs.io/containers': 'fetch' },
    {
      initContainers: [{ name: 'fetch', securityContext: { runAsUser: 3000 } }],
      containers: [{ name: 'app', securityContext: { runAsUser: 1 } }],
    },
    { runAsUser: 3000 },
  ],
  [
    'root, where the container alone may be it',
    {},
    {
      securityContext: { runAsNonRoot: true },
      containers: [{ name: 'app', securityContext: { runAsNonRoot: false } }],
    },
    { runAsUser: 0 },
  ],
  [
    'root in a group of the container',
    {},
    { containers: [{ name: 'app', securityContext: { runAsGroup: 2000 } }] },
    { runAsUser: 0, runAsGroup: 2000 },
  ],
  [
    'who the annotation says, in no group of the container',
    { 'jvs.io/agent-run-as': '3000' },
    { containers: [{ name: 'app', securityContext: { runAsUser: 1000, runAsGroup: 2000 } }] },
    { runAsUser: 3000 },
  ],
])('it is the user of the pods of the template: %s', (_, annotations, spec, user) => {
  const of = workspaceOf({ template: { metadata: { annotations }, spec } });
  const agentIn = (pod: Pod) => {
    const { initContainers = [], containers = [] } = injectAgent(pod, of, agentConfig).pod.spec ?? {};
    return [...initContainers, ...containers].find(({ name }) => name === 'jvs-agent');
  };
  const { securityContext } = agentIn(maintenancePod(of)) ?? {};
  expect(securityContext).toMatchObject(user);
  expect(securityContext).toEqual(
    agentIn({ ...podOf({}, { annotations }), spec: spec as PodSpec })?.securityContext,
  );
});

test('a key of the template that has no value is none', () => {
  const spec = {
    initContainers: null,
    securityContext: { runAsUser: 1000, runAsGroup: null },
    containers: [{ name: 'app', securityContext: null }],
  };
  expect(maintenancePod(workspaceOf({ template: { spec } })).spec).toMatchObject({
    securityContext: { runAsUser: 1000 },
    containers: [{ name: 'jvs-agent', securityContext: { runAsUser: 1000 } }],
  });
});
