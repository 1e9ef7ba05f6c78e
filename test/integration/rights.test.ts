// The operator with its own rights on a real API server that writes down what is asked of it.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Snapshot, snapshots } from '../../operator/api/snapshot.ts';
import { type Workspace, workspaces } from '../../operator/api/workspace.ts';
import { KubeClient } from '../../operator/runtime/client.ts';
import {
  configMaps,
  deployments,
  mutatingWebhookConfigurations,
  pvcs,
  storageClasses,
} from '../../operator/runtime/resources.ts';
import type { ApiServer } from '../cluster/apiserver.ts';
import { compareRights, operatorRights, type Right, sayRight, type Use, usesIn } from '../rights.ts';
import { startInstalled } from './kubectl.ts';
import { operatorKubeconfig } from './operator-client.ts';
import { type OperatorProcess, startOperator } from './operator-process.ts';

const namespace = 'default';
const within = { timeout: 40_000, interval: 100 };

let server: ApiServer;
let admin: KubeClient;
let operator: OperatorProcess;

beforeAll(async () => {
  ({ server } = await startInstalled(['config/manager/'], { audit: true }));
  admin = KubeClient.fromKubeconfig(server.kubeconfig);
  operator = await startOperator(await operatorKubeconfig(server), [], { webhookUrl: false });
}, 900_000);

afterAll(async () => {
  await operator?.stop();
  await server?.stop();
});

test('nothing that a Workspace and a Snapshot need is refused from their making to their end', async () => {
  const metadata = { namespace, name: 'w' };
  await admin.create(workspaces, { metadata, spec: { reclaimPolicy: 'Delete' } } as unknown as Workspace);
  const spec = { workspace: 'w' };
  await admin.create(snapshots, { metadata: { namespace, name: 's' }, spec } as unknown as Snapshot);
  await vi.waitFor(async () => {
    expect(await admin.get(deployments, { namespace, name: 'jvs-w' })).toBeDefined();
    expect((await admin.get(snapshots, { namespace, name: 's' }))?.status?.phase).toBe('Pending');
    const configuration = await admin.get(mutatingWebhookConfigurations, { name: 'jvs-operator' });
    expect(configuration?.webhooks?.[0]?.clientConfig.caBundle).toBeTruthy();
  }, within);
  await admin.delete(workspaces, metadata);
  await vi.waitFor(async () => {
    expect(await admin.get(workspaces, metadata)).toBeUndefined();
    const claim = await admin.get(pvcs, { namespace, name: 'jvs-w' });
    expect(claim?.metadata.deletionTimestamp ?? 'gone').toBeTruthy();
  }, within);
  const uses = await usesIn(join(server.dir, 'audit.log'));
  const { refused, unused } = compareRights(await operatorRights(['rbac/operator.yaml']), uses);
  expect(refused).toEqual([]);
  const names = unused.map(sayRight);
  // It was looked at: what this life surely used is not among the unused.
  for (const right of [
    'watch workspaces.jvs.io',
    'patch workspaces/status.jvs.io',
    'create deployments.apps',
  ])
    expect(names.filter((name) => name.endsWith(right))).toEqual([]);
});

test('a volume may be grown', async () => {
  const [metadata, claim] = [
    { namespace, name: 'grows' },
    { namespace, name: 'jvs-grows' },
  ];
  const storageClass = { metadata: { name: 'elastic' }, provisioner: 'p', allowVolumeExpansion: true };
  await admin.create(storageClasses, storageClass);
  const spec = { storage: '1Gi', storageClassName: 'elastic' };
  await admin.create(workspaces, { metadata, spec } as unknown as Workspace);
  await vi.waitFor(async () => expect(await admin.get(pvcs, claim)).toBeDefined(), within);
  // As the provisioner and the controller of volumes would.
  await admin.mergePatch(pvcs, claim, { spec: { volumeName: 'pv' } });
  const bound = { phase: 'Bound', capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'] };
  await admin.mergePatch(pvcs, claim, { status: bound }, { subresource: 'status' });
  await admin.mergePatch(workspaces, metadata, { spec: { storage: '2Gi' } });
  await vi.waitFor(
    async () => expect((await admin.get(pvcs, claim))?.spec?.resources?.requests?.storage).toBe('2Gi'),
    within,
  );
});

test('the CA that agents need comes back when it is deleted or edited by hand', async () => {
  const ca = { namespace, name: 'jvs-operator-ca' };
  await admin.create(workspaces, {
    metadata: { namespace, name: 'trusts' },
    spec: {},
  } as unknown as Workspace);
  const bundle = async () => (await admin.get(configMaps, ca))?.data?.['ca.crt'];
  await vi.waitFor(async () => expect(await bundle()).toContain('BEGIN CERTIFICATE'), within);
  const before = await bundle();
  await admin.delete(configMaps, ca);
  await vi.waitFor(async () => expect(await bundle()).toBe(before), within);
  await admin.mergePatch(configMaps, ca, { data: { 'ca.crt': 'none' } });
  await vi.waitFor(async () => expect(await bundle()).toBe(before), within);
});

test('what a role gives and nobody uses is found, and a narrow right does not excuse a wide one', () => {
  const wide: Right = { role: 'ClusterRole a', group: '', resource: 'pods', verb: 'patch' };
  const narrow: Right = { ...wide, role: 'Role b', namespace: 'jvs-system' };
  const use: Use = {
    group: '',
    resource: 'pods',
    verb: 'patch',
    namespace: 'jvs-system',
    name: 'p',
    refused: false,
  };
  expect(compareRights([wide, narrow], [use]).unused).toEqual([wide]);
  expect(compareRights([wide, narrow], [{ ...use, namespace: 'x' }]).unused).toEqual([narrow]);
  expect(compareRights([wide], [{ ...use, verb: 'get' }]).unused).toEqual([wide]);
  expect(compareRights([{ ...narrow, name: 'q' }], [use]).unused).toHaveLength(1);
});
