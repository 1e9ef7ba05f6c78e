// The whole operator outside a cluster, as `npm run operator` starts it, against a real API server.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Workspace, workspaces } from '../../operator/api/workspace.ts';
import { KubeClient } from '../../operator/runtime/client.ts';
import { deployments, pods, pvcs } from '../../operator/runtime/resources.ts';
import { defineResource, type KubeObject } from '../../operator/runtime/types.ts';
import type { ApiServer } from '../cluster/apiserver.ts';
import { type Kubectl, root, startWithKubectl } from './kubectl.ts';

const serviceAccounts = defineResource<KubeObject>('v1', 'ServiceAccount', 'serviceaccounts');
const namespace = 'default';
const within = { timeout: 30_000, interval: 100 };

let server: ApiServer;
let kubectl: Kubectl;
let client: KubeClient;
let operator: ChildProcess;

async function freePort(): Promise<string> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  return String(typeof address === 'object' && address?.port);
}

async function startOperator(): Promise<ChildProcess> {
  const [webhook, link, health, metrics] = await Promise.all([1, 2, 3, 4].map(freePort));
  const child = spawn(
    process.execPath,
    [
      ...['operator/main.ts', '--agent-image', 'jvs-agent:dev', '--link-address', `127.0.0.1:${link}`],
      ...['--webhook-url', `https://127.0.0.1:${webhook}`, '--webhook-port', `${webhook}`],
      ...['--link-port', `${link}`, '--health-port', `${health}`, '--metrics-port', `${metrics}`],
    ],
    {
      cwd: root,
      env: { ...process.env, KUBECONFIG: server.kubeconfig },
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  await vi.waitFor(async () => {
    expect((await fetch(`http://127.0.0.1:${health}/readyz`)).status).toBe(200);
    expect(await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text()).toContain(
      'jvs_operator_queue_depth',
    );
  }, within);
  return child;
}

beforeAll(async () => {
  ({ server, kubectl } = await startWithKubectl());
  for (const folder of ['config/crd/bases/', 'config/rbac/']) await kubectl('apply', '-f', folder);
  await kubectl('wait', '--for=condition=Established', 'crd', '--all');
  client = KubeClient.fromKubeconfig(server.kubeconfig);
  // No controller manager makes it here, and no pod is accepted without.
  await client.create(serviceAccounts, { metadata: { namespace, name: 'default' } });
  operator = await startOperator();
});

afterAll(async () => {
  if (operator?.exitCode === null) {
    operator.kill('SIGTERM');
    const [code] = await once(operator, 'exit');
    expect(code).toBe(0);
  }
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
  operator.kill('SIGKILL');
  await once(operator, 'exit');
  await client.delete(workspaces, { namespace, name: 'second' });
  await create('fourth');
  operator = await startOperator();
  await vi.waitFor(async () => {
    expect(await workspace('second')).toBeUndefined();
    expect(await claim('fourth')).toBeDefined();
  }, within);
  expect(await claim('second')).toBeDefined();
});
