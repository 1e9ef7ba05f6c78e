// The operator of config/namespaced, with the rights that the overlay gives it and no others.
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Workspace, workspaces } from '../../operator/api/workspace.ts';
import { KubeClient } from '../../operator/runtime/client.ts';
import {
  deployments,
  mutatingWebhookConfigurations,
  namespaces,
  pods,
  pvcs,
} from '../../operator/runtime/resources.ts';
import { defineResource, type KubeObject } from '../../operator/runtime/types.ts';
import type { ApiServer } from '../cluster/apiserver.ts';
import { startWithKubectl } from './kubectl.ts';
import { operatorKubeconfig } from './operator-client.ts';
import { type OperatorProcess, startOperator } from './operator-process.ts';

const serviceAccounts = defineResource<KubeObject>('v1', 'ServiceAccount', 'serviceaccounts');
/** Its own pod. */
const own = { namespace: 'jvs-system', name: 'jvs-operator-0' };
const within = { timeout: 40_000, interval: 100 };

let server: ApiServer;
let admin: KubeClient;
let operator: OperatorProcess;

beforeAll(async () => {
  const started = await startWithKubectl();
  server = started.server;
  admin = KubeClient.fromKubeconfig(server.kubeconfig);
  for (const name of ['team-a', 'team-b']) {
    await admin.create(namespaces, { metadata: { name } });
    await admin.create(serviceAccounts, { metadata: { namespace: name, name: 'default' } });
  }
  await started.kubectl('apply', '-k', 'config/namespaced');
  await started.kubectl('wait', '--for=condition=Established', 'crd', '--all');
  const deployment = await admin.get(deployments, { namespace: own.namespace, name: 'jvs-operator' });
  const { metadata, spec } = deployment?.spec?.template ?? {};
  await admin.create(pods, { metadata: { ...metadata, ...own }, spec });
  // As its Deployment would: the webhook stays at its Service, which has no address here.
  const flags = ['--namespaces', 'team-a', '--pod', own.name];
  operator = await startOperator(await operatorKubeconfig(server), flags, { webhookUrl: false });
}, 900_000);

afterAll(async () => {
  await operator?.stop();
  await server?.stop();
});

const createWorkspace = (namespace: string) =>
  admin.create(workspaces, { metadata: { namespace, name: 'w' }, spec: {} } as unknown as Workspace);
const createPod = (namespace: string) =>
  admin.create(pods, {
    metadata: { namespace, name: 'p', labels: { 'jvs.io/workspace': 'w' } },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  });

test('a Workspace of its namespace gets what it needs; that of another is left alone', async () => {
  await createWorkspace('team-b');
  await createWorkspace('team-a');
  await vi.waitFor(async () => {
    const workspace = await admin.get(workspaces, { namespace: 'team-a', name: 'w' });
    expect(workspace?.status?.phase).toBe('Pending');
    expect(await admin.get(pvcs, { namespace: 'team-a', name: 'jvs-w' })).toBeDefined();
  }, within);
  const other = await admin.get(workspaces, { namespace: 'team-b', name: 'w' });
  expect(other?.status).toBeUndefined();
  expect((await admin.list(pvcs, { namespace: 'team-b' })).items).toEqual([]);
});

test('it works with no right to see volumes: who needs one made is told what to install', async () => {
  const spec = { juiceFsConfig: { source: 'redis://r:6379/0', secretsRef: { name: 'jfs' } } };
  const metadata = { namespace: 'team-a', name: 'jfs' };
  await admin.create(workspaces, { metadata, spec } as unknown as Workspace);
  await vi.waitFor(async () => {
    const { status } = (await admin.get(workspaces, metadata)) ?? {};
    expect(status).toMatchObject({
      phase: 'Pending',
      message: expect.stringContaining('kubectl apply -k config/juicefs'),
    });
    expect(status?.conditions?.find(({ type }) => type === 'JuiceFS')?.reason).toBe('VolumesNotAllowed');
  }, within);
  expect(await admin.get(pvcs, { namespace: 'team-a', name: 'jvs-jfs' })).toBeUndefined();
});

test('only pods of its namespace pass its webhook, whose trust it may keep', async () => {
  await vi.waitFor(async () => {
    const configuration = await admin.get(mutatingWebhookConfigurations, { name: 'jvs-operator' });
    expect(configuration?.webhooks?.[0]?.clientConfig.caBundle).toBeTruthy();
  }, within);
  await expect(createPod('team-a')).rejects.toThrow('failed calling webhook "pods.jvs.io"');
  expect((await createPod('team-b')).metadata.uid).toBeTruthy();
});

test('agents find it: it has the right to put the label of the leader on its pod', async () => {
  await vi.waitFor(async () => {
    const pod = await admin.get(pods, own);
    expect(pod?.metadata.labels?.['jvs.io/leader']).toBe('true');
  }, within);
});
