import { expect, test } from 'vitest';
import { parseRestore } from '../api/restore.ts';
import { parseSnapshot } from '../api/snapshot.ts';
import { parseWorkspace, type Workspace } from '../api/workspace.ts';
import { agentOf } from '../mirror/testing.ts';
import type { PersistentVolumeClaim } from '../runtime/resources.ts';
import { claimOf, deploymentOf } from './objects.ts';
import type { Observed } from './observed.ts';
import { type Action, finalizer, planActions } from './plan.ts';
import { planStatus } from './status.ts';

const now = new Date('2026-11-24T12:00:00Z');

function workspaceOf(spec: object = {}, metadata: object = {}, status?: object): Workspace {
  return parseWorkspace({
    apiVersion: 'jvs.io/v1alpha1',
    kind: 'Workspace',
    metadata: {
      name: 'ml',
      namespace: 'team',
      uid: 'u1',
      generation: 3,
      finalizers: [finalizer],
      ...metadata,
    },
    spec,
    status,
  });
}

function observe(workspace: Workspace, more: Partial<Observed> = {}): Observed {
  return {
    workspace,
    storageClasses: [],
    staticVolumes: false,
    juiceFsDriver: false,
    pods: [],
    mountFailures: new Map(),
    resources: [],
    linkSettled: true,
    ...more,
  };
}

const bound = (workspace: Workspace): PersistentVolumeClaim => {
  const claim = claimOf(workspace);
  return { ...claim, spec: { ...claim.spec, volumeName: 'pv-1' }, status: { phase: 'Bound' } };
};

const running = (workspace: Workspace, ready = workspace.spec.replicas): Partial<Observed> => {
  const claim = bound(workspace);
  const deployment = deploymentOf(workspace, claim);
  return {
    claim,
    deployment: {
      ...deployment,
      metadata: { ...deployment.metadata, generation: 1 },
      status: { observedGeneration: 1, replicas: ready, readyReplicas: ready, updatedReplicas: ready },
    },
  };
};

const agent = agentOf([], { pod: 'jvs-ml-1', node: 'n1', connectedAt: now, lastSeen: now });

const types = (actions: Action[]) => actions.map(({ type }) => type);
const conditionOf = (observed: Observed, type: string) =>
  planStatus(observed, [], now).conditions?.find((condition) => condition.type === type);

test('a new Workspace gets its finalizer before its claim, and no pods before the claim is there', () => {
  expect(types(planActions(observe(workspaceOf({}, { finalizers: [] })), false))).toEqual([
    'addFinalizer',
    'createClaim',
  ]);
});

test('with the claim made the Deployment follows; with both there is nothing to do', () => {
  const workspace = workspaceOf();
  const claim = claimOf(workspace);
  expect(types(planActions(observe(workspace, { claim }), false))).toEqual(['applyDeployment']);
  expect(planActions(observe(workspace, running(workspace)), false)).toEqual([]);
});

test('an edit of the Deployment by someone else is undone', () => {
  const workspace = workspaceOf();
  expect(types(planActions(observe(workspace, running(workspace)), true))).toEqual(['applyDeployment']);
});

test('a claim that the operator did not make is never touched, nor mounted', () => {
  const workspace = workspaceOf();
  const claim = { ...bound(workspace), metadata: { name: 'jvs-ml', namespace: 'team' } };
  const observed = observe(workspace, { claim });
  expect(planActions(observed, false)).toEqual([]);
  expect(planStatus(observed, [], now)).toMatchObject({ phase: 'Failed' });
  expect(conditionOf(observed, 'StorageReady')).toMatchObject({ status: 'False', reason: 'ClaimNotOurs' });
  const deleted = workspaceOf({ reclaimPolicy: 'Delete' }, { deletionTimestamp: '2026-11-24T11:59:00Z' });
  expect(types(planActions(observe(deleted, { claim }), false))).toEqual(['removeFinalizer']);
});

test("a Deployment of that name that is someone's own is left alone", () => {
  const workspace = workspaceOf();
  const parts = running(workspaceOf({}, { uid: 'other' }));
  const observed = observe(workspace, parts);
  expect(planActions(observed, true)).toEqual([]);
  expect(conditionOf(observed, 'Ready')).toMatchObject({ status: 'False', reason: 'DeploymentNotOurs' });
});

test('storage grows and never shrinks', () => {
  const small = workspaceOf({ storage: '10Gi' });
  const large = workspaceOf({ storage: '20Gi' });
  expect(types(planActions(observe(large, running(small)), false))).toContain('expandClaim');
  expect(types(planActions(observe(small, running(large)), false))).not.toContain('expandClaim');
});

test('deleting a Workspace keeps its volume unless reclaimPolicy says Delete', () => {
  const gone = { deletionTimestamp: '2026-11-24T11:59:00Z' };
  const kept = workspaceOf({}, gone);
  expect(types(planActions(observe(kept, running(kept)), false))).toEqual([
    'deleteDeployment',
    'removeFinalizer',
  ]);
  const deleted = workspaceOf({ reclaimPolicy: 'Delete' }, gone);
  expect(types(planActions(observe(deleted, running(deleted)), false))).toEqual([
    'deleteDeployment',
    'deleteClaim',
    'removeFinalizer',
  ]);
});

test('a deleted Workspace deletes its Snapshots and Restores first, but waits for nobody else', () => {
  const gone = { deletionTimestamp: '2026-11-24T11:59:00Z' };
  const workspace = workspaceOf({}, gone);
  const snapshotOf = (metadata: object) =>
    parseSnapshot({ metadata: { name: 's', namespace: 'team', ...metadata }, spec: { workspace: 'ml' } });
  const restore = parseRestore({
    metadata: { name: 'r', namespace: 'team' },
    spec: { workspace: 'ml', snapshot: 's' },
  });
  const plan = (resources: Observed['resources']) =>
    types(planActions(observe(workspace, { resources }), false));
  expect(plan([snapshotOf({}), restore])).toEqual(['deleteResource', 'deleteResource']);
  expect(plan([snapshotOf({ ...gone, finalizers: ['jvs.io/snapshot'] })])).toEqual([]);
  expect(plan([snapshotOf({ ...gone, finalizers: ['a.com/b'] })])).toEqual(['removeFinalizer']);
});

test('the finalizer goes although volume and pods are gone already', () => {
  const deleted = workspaceOf({ reclaimPolicy: 'Delete' }, { deletionTimestamp: '2026-11-24T11:59:00Z' });
  expect(types(planActions(observe(deleted), false))).toEqual(['removeFinalizer']);
});

test('a volume for one node is handed from pod to pod, a shared one rolls', () => {
  const one = workspaceOf();
  expect(deploymentOf(one, claimOf(one)).spec?.strategy?.type).toBe('Recreate');
  const many = workspaceOf({ replicas: 3 });
  expect(claimOf(many).spec?.accessModes).toEqual(['ReadWriteMany']);
  expect(deploymentOf(many, claimOf(many)).spec?.strategy?.type).toBe('RollingUpdate');
});

test("the user's template keeps its own labels and gets the workspace's", () => {
  const workspace = workspaceOf({
    template: {
      metadata: { labels: { app: 'train', 'jvs.io/workspace': 'other' } },
      spec: { containers: [{ name: 'main', image: 'busybox' }] },
    },
  });
  const { template, selector } = deploymentOf(workspace, claimOf(workspace)).spec ?? {};
  expect(template?.metadata?.labels).toMatchObject({ app: 'train', 'jvs.io/workspace': 'ml' });
  expect(template?.metadata?.labels).toMatchObject(selector?.matchLabels ?? {});
});

test('phases follow the pods', () => {
  const workspace = workspaceOf({ replicas: 2, accessModes: ['ReadWriteMany'] });
  const phase = (observed: Observed) => planStatus(observed, [], now).phase;
  expect(phase(observe(workspace))).toBe('Pending');
  expect(phase(observe(workspace, running(workspace, 1)))).toBe('Creating');
  expect(phase(observe(workspace, running(workspace)))).toBe('Ready');
  const was = workspaceOf(workspace.spec, {}, { phase: 'Ready' });
  expect(phase(observe(was, running(was, 1)))).toBe('Updating');
  const stopped = workspaceOf({ replicas: 0 });
  expect(phase(observe(stopped, running(stopped)))).toBe('Ready');
});

test('what the API server refuses is said with its words', () => {
  const refusal = {
    type: 'Ready',
    status: 'False',
    reason: 'InvalidTemplate',
    message: 'spec.x: bad',
  } as const;
  const workspace = workspaceOf();
  const status = planStatus(observe(workspace, { claim: bound(workspace) }), [refusal], now);
  expect(status).toMatchObject({ phase: 'Failed', message: 'spec.x: bad' });
});

test('a missing storage class is named, with those that exist', () => {
  const workspace = workspaceOf({ storageClassName: 'fast-ssd' });
  const storageClasses = [{ metadata: { name: 'standard' }, provisioner: 'x' }];
  const storage = conditionOf(
    observe(workspace, { claim: claimOf(workspace), storageClasses }),
    'StorageReady',
  );
  expect(storage).toMatchObject({ status: 'False', reason: 'StorageClassNotFound' });
  expect(storage?.message).toMatch(/fast-ssd.*standard/);
});

test('a volume that is not JuiceFS is a condition, and a failure only for the engine that needs it', () => {
  const juiceFsConfig = { source: 'redis://r:6379/0' };
  const workspace = workspaceOf({ juiceFsConfig });
  const observed = observe(workspace, { ...running(workspace), agent });
  expect(conditionOf(observed, 'JuiceFS')).toMatchObject({ status: 'False', reason: 'NotJuiceFS' });
  expect(planStatus(observed, [], now).phase).toBe('Ready');
  const strict = workspaceOf({ juiceFsConfig, defaultEngine: 'juicefs-clone' });
  expect(planStatus(observe(strict, { ...running(strict), agent }), [], now).phase).toBe('Failed');
  expect(conditionOf(observe(workspaceOf()), 'JuiceFS')).toBeUndefined();
});

test("what is wrong with the repository is the Workspace's to say", () => {
  const workspace = workspaceOf();
  const problem = { problem: 'format_version 2 is newer than 1', problemReason: 'UnsupportedFormat' };
  const sick = agent.status && { ...agent, status: { ...agent.status, ...problem } };
  const observed = observe(workspace, { ...running(workspace, 0), agent: sick });
  expect(conditionOf(observed, 'Ready')).toMatchObject({ status: 'False', reason: 'UnsupportedFormat' });
});

test('a labelled pod that runs without an agent makes it Degraded, one that opted out does not', () => {
  const workspace = workspaceOf();
  const pod = (labels: Record<string, string>) => ({
    metadata: { name: 'p', namespace: 'team', labels: { 'jvs.io/workspace': 'ml', ...labels } },
    spec: { containers: [{ name: 'main' }] },
    status: { phase: 'Running' },
  });
  const degraded = (labels: Record<string, string>) =>
    conditionOf(observe(workspace, { ...running(workspace), agent, pods: [pod(labels)] }), 'Degraded');
  expect(degraded({})).toMatchObject({ status: 'True', reason: 'PodNotInjected' });
  expect(degraded({ 'jvs.io/inject': 'false' })).toMatchObject({ status: 'False' });
});

test('an operator that has just started does not call agents lost that have not had time to come back', () => {
  const connected = {
    type: 'AgentConnected',
    status: 'True',
    reason: 'Connected',
    message: 'm',
    lastTransitionTime: '2026-11-24T11:00:00Z',
  };
  const workspace = workspaceOf({}, {}, { conditions: [connected] });
  const parts = running(workspace);
  expect(conditionOf(observe(workspace, { ...parts, linkSettled: false }), 'AgentConnected')?.status).toBe(
    'True',
  );
  expect(conditionOf(observe(workspace, parts), 'AgentConnected')?.status).toBe('False');
});

test('what the agent saw stays in the status when it is gone', () => {
  const workspace = workspaceOf();
  const seen = planStatus(observe(workspace, { ...running(workspace), agent }), [], now);
  expect(seen).toMatchObject({ usedBytes: 10, capacityBytes: 100, agent: { pod: 'jvs-ml-1' } });
  const later = workspaceOf({}, {}, seen);
  expect(planStatus(observe(later, running(later)), [], now)).toMatchObject({
    usedBytes: 10,
    snapshotCount: 0,
  });
});
