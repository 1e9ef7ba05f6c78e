// Stopped workspaces and initial snapshots on a real API server, with the operator's rights and agents that say what
// the test says.
import { createHash } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { type Snapshot, snapshots } from '../../operator/api/snapshot.ts';
import { type Workspace, workspaces } from '../../operator/api/workspace.ts';
import { agentOf, onDisk, statusOf } from '../../operator/mirror/testing.ts';
import { events, namespaces, type Pod, pods, pvcs } from '../../operator/runtime/resources.ts';
import { admin, agents, controllers, namespace, resumeControllers, useControllers } from './controllers.ts';

const within = { timeout: 40_000, interval: 50 };
useControllers('maintenance');

async function createWorkspace(name: string, spec: object): Promise<void> {
  const object = { metadata: { namespace, name }, spec } as unknown as Workspace;
  await vi.waitFor(() => admin.create(workspaces, object), within);
  await vi.waitFor(
    () => expect(controllers.informers.claims.get(`${namespace}/jvs-${name}`)).toBeDefined(),
    within,
  );
}

const createSnapshot = (name: string, workspace: string): Promise<Snapshot> =>
  admin.create(snapshots, { metadata: { namespace, name }, spec: { workspace } } as Snapshot);
const snapshot = (name: string) => admin.get(snapshots, { namespace, name });
const workspaceStatus = async (name: string) => (await admin.get(workspaces, { namespace, name }))?.status;
const maintenance = (workspace = 'ws') =>
  admin.get(pods, { namespace, name: `jvs-${workspace}-maintenance` });
const there = (workspace?: string) =>
  vi.waitFor(async () => expect(await maintenance(workspace)).toBeDefined(), within);
const gone = (workspace?: string) =>
  vi.waitFor(async () => expect(await maintenance(workspace)).toBeUndefined(), within);
const createPod = (name: string, workspace: string): Promise<Pod> =>
  admin.create(pods, {
    metadata: { namespace, name, labels: { 'jvs.io/workspace': workspace } },
    spec: { containers: [{ name: 'jvs-agent', image: 'none' }] },
  });
const saidOf = async () =>
  (await admin.list(events, { namespace })).items.map(({ reason, note }) => `${reason}: ${note}`).join('\n');

test('a pod comes for what is asked of a stopped workspace, and goes when that is done', async () => {
  await createWorkspace('ws', { replicas: 0 });
  const { metadata } = await createSnapshot('one', 'ws');
  await there();
  const pod = await maintenance();
  expect(pod?.metadata.ownerReferences).toMatchObject([{ kind: 'Workspace', name: 'ws', controller: true }]);
  await vi.waitFor(async () => {
    const { phase, message } = (await snapshot('one'))?.status ?? {};
    expect(phase).toBe('Pending');
    expect(message).toContain('pod jvs-ws-maintenance is started');
  }, within);

  const key = `${namespace}/ws`;
  const requestUid = metadata.uid ?? '';
  agents.set(key, agentOf([onDisk(1, { requestUid })], { pod: 'jvs-ws-maintenance' }), [requestUid]);
  await gone();
  expect((await snapshot('one'))?.status?.phase).toBe('Ready');
  expect(await workspaceStatus('ws')).toMatchObject({ replicas: 0, readyReplicas: 0 });
  expect(await saidOf()).toContain('MaintenanceStarted');
});

test('it gives way to a pod of the workspace, and comes back after it', async () => {
  await createWorkspace('ws', { replicas: 0 });
  await createSnapshot('one', 'ws');
  await there();
  await createPod('mine', 'ws');
  await gone();
  await admin.delete(pods, { namespace, name: 'mine' }, { gracePeriodSeconds: 0 });
  await there();
  await admin.mergePatch(workspaces, { namespace, name: 'ws' }, { spec: { replicas: 1 } });
  await gone();
});

test('a new operator knows the pod, and ends it', async () => {
  await createWorkspace('ws', { replicas: 0 });
  await createSnapshot('one', 'ws');
  await there();
  const uid = (await maintenance())?.metadata.uid;
  await controllers.stop();
  await resumeControllers();
  await vi.waitFor(() => expect(agents.desiredOf(`${namespace}/ws`)?.snapshots).toHaveLength(1), within);
  expect((await maintenance())?.metadata.uid).toBe(uid);
  await admin.delete(snapshots, { namespace, name: 'one' });
  await gone();
});

test('a pod that is refused is said', async () => {
  // No webhook makes it meet that here.
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  await admin.mergePatch(namespaces, { name: namespace }, { metadata: { labels } });
  await createWorkspace('ws', { replicas: 0 });
  await createSnapshot('one', 'ws');
  await vi.waitFor(async () => expect(await saidOf()).toContain('MaintenanceRefused'), within);
  expect(await saidOf()).toContain('violates PodSecurity');
});

test('a pod of its name that is not ours is left alone and said, and when it has gone ours is there', async () => {
  const theirs = { namespace, name: 'jvs-ws-maintenance' };
  const spec = { containers: [{ name: 'c', image: 'none' }] };
  const { uid } = (await admin.create(pods, { metadata: theirs, spec })).metadata;
  await createWorkspace('ws', { replicas: 0 });
  await createSnapshot('one', 'ws');
  await vi.waitFor(async () => expect(await saidOf()).toContain('MaintenanceRefused'), within);
  expect(await saidOf()).toMatch(/jvs-ws-maintenance exists and .*not made .*Delete it/);
  expect((await maintenance())?.metadata.uid).toBe(uid);
  await admin.delete(pods, theirs, { gracePeriodSeconds: 0 });
  await vi.waitFor(
    async () => expect((await maintenance())?.metadata.labels).toHaveProperty(['jvs.io/maintenance']),
    within,
  );
});

test('two workspaces are told of the snapshot that the one has and the other begins with', async () => {
  await createWorkspace('golden', { replicas: 0 });
  await createWorkspace('young', { initialSnapshot: 'base' });
  const young = `${namespace}/young`;
  const golden = `${namespace}/golden`;
  agents.set(young, agentOf([], { inventoryComplete: false, status: statusOf({ awaitsInitial: true }) }));
  const says = (text: string) =>
    vi.waitFor(async () => {
      const status = await workspaceStatus('young');
      const ready = status?.conditions?.find(({ type }) => type === 'Ready');
      expect(`${ready?.reason} ${ready?.message} ${status?.phase}`).toContain(text);
    }, within);
  await bind('young');
  await says('WaitingForInitialSnapshot spec.initialSnapshot: there is no Snapshot base');

  const { metadata } = await createSnapshot('base', 'golden');
  const requestUid = metadata.uid ?? '';
  const snapshot = onDisk(1, { requestUid });
  agents.set(golden, agentOf([snapshot]), [requestUid]);
  await vi.waitFor(() => expect(agents.desiredOf(golden)?.exports).toHaveLength(1), within);
  agents.set(golden, undefined);
  await says('a maintenance pod is started');
  await there('golden');

  const pod = 'jvs-golden-maintenance';
  const certificate = 'c'.repeat(64);
  await admin.applyStatus(
    pods,
    { metadata: { namespace, name: pod }, status: { podIP: '10.1.2.3', podIPs: [{ ip: '10.1.2.3' }] } },
    { fieldManager: 'kubelet' },
  );
  agents.set(
    golden,
    agentOf([snapshot], { pod, status: statusOf({ transferCertificateSha256: certificate }) }),
  );
  await vi.waitFor(() => {
    const initial = agents.desiredOf(young)?.initial;
    expect(initial).toMatchObject({
      snapshotId: snapshot.id,
      address: '10.1.2.3:7445',
      certificateSha256: certificate,
    });
    const tokenSha256 = createHash('sha256')
      .update(initial?.token ?? '')
      .digest('hex');
    expect(agents.desiredOf(golden)?.exports).toEqual([{ snapshotId: snapshot.id, tokenSha256 }]);
  }, within);

  agents.set(young, agentOf([snapshot]));
  await vi.waitFor(() => expect(agents.desiredOf(young)?.initial).toBeUndefined(), within);
  await vi.waitFor(() => expect(agents.desiredOf(golden)?.exports).toEqual([]), within);
  await gone('golden');
});

/** As a provisioner does. */
async function bind(workspace: string): Promise<void> {
  const ref = { namespace, name: `jvs-${workspace}` };
  await admin.mergePatch(pvcs, ref, { spec: { volumeName: `pv-${namespace}` } });
  await admin.applyStatus(pvcs, { metadata: ref, status: { phase: 'Bound' } }, { fieldManager: 'binder' });
}
