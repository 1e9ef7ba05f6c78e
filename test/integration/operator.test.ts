// The whole operator outside a cluster, as `npm run operator` starts it, against a real API server.
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Workspace, workspaces } from '../../operator/api/workspace.ts';
import { KubeClient } from '../../operator/runtime/client.ts';
import { deployments, pods, pvcs } from '../../operator/runtime/resources.ts';
import { defineResource, type KubeObject } from '../../operator/runtime/types.ts';
import type { ApiServer } from '../cluster/apiserver.ts';
import { type Kubectl, startInstalled } from './kubectl.ts';
import { type OperatorProcess, startOperator } from './operator-process.ts';

const serviceAccounts = defineResource<KubeObject>('v1', 'ServiceAccount', 'serviceaccounts');
const namespace = 'default';
const within = { timeout: 40_000, interval: 100 };

let server: ApiServer;
let kubectl: Kubectl;
let client: KubeClient;
let operator: OperatorProcess;

beforeAll(async () => {
  ({ server, kubectl } = await startInstalled());
  client = KubeClient.fromKubeconfig(server.kubeconfig);
  // No controller manager makes it here, and no pod is accepted without.
  await client.create(serviceAccounts, { metadata: { namespace, name: 'default' } });
  operator = await startOperator(server.kubeconfig);
});

afterAll(async () => {
  await operator?.stop();
  await server?.stop();
});

async function create(name: string, spec: object = {}): Promise<void> {
  const object = { metadata: { namespace, name }, spec } as unknown as Workspace;
  await vi.waitFor(() => client.create(workspaces, object), within);
}

const claim = (name: string) => client.get(pvcs, { namespace, name: `jvs-${name}` });
const deployment = (name: string) => client.get(deployments, { namespace, name: `jvs-${name}` });
const workspace = (name: string) => client.get(workspaces, { namespace, name });

test('a Workspace gets its claim, its Deployment and a status', async () => {
  await create('first', { storage: '5Gi' });
  await vi.waitFor(async () => {
    expect((await claim('first'))?.spec?.resources?.requests?.storage).toBe('5Gi');
    expect((await deployment('first'))?.spec?.replicas).toBe(1);
    expect((await workspace('first'))?.status).toMatchObject({ phase: 'Pending', observedGeneration: 1 });
  }, within);
  expect((await workspace('first'))?.metadata.finalizers).toEqual(['jvs.io/workspace']);
});

test('an edited Deployment is set right', async () => {
  await create('second');
  await vi.waitFor(async () => expect(await deployment('second')).toBeDefined(), within);
  await client.mergePatch(deployments, { namespace, name: 'jvs-second' }, { spec: { replicas: 7 } });
  await vi.waitFor(async () => expect((await deployment('second'))?.spec?.replicas).toBe(1), within);
});

test('its webhook is called by URL', async () => {
  const pod = {
    metadata: { namespace, name: 'worker', labels: { 'jvs.io/workspace': 'first' } },
    spec: { containers: [{ name: 'main', image: 'busybox' }] },
  };
  await client.create(pods, pod);
  const made = await client.get(pods, { namespace, name: 'worker' });
  expect(made?.spec?.initContainers?.map(({ name }) => name)).toEqual(['jvs-agent']);
});

test('a status is written only when it changed', async () => {
  const before = await workspace('first');
  await kubectl('annotate', 'workspaces.jvs.io/first', 'poke=1');
  await create('third');
  await vi.waitFor(async () => expect((await workspace('third'))?.status?.phase).toBe('Pending'), within);
  const after = await workspace('first');
  expect(after?.status).toEqual(before?.status);
});

test('killed and started again it goes on; a deleted Workspace goes while its claim stays', async () => {
  operator.child.kill('SIGKILL');
  await once(operator.child, 'exit');
  await client.delete(workspaces, { namespace, name: 'second' });
  await create('fourth');
  operator = await startOperator(server.kubeconfig);
  await vi.waitFor(async () => {
    expect(await workspace('second')).toBeUndefined();
    expect(await claim('fourth')).toBeDefined();
  }, within);
  expect(await claim('second')).toBeDefined();
});
