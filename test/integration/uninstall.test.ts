// What the README says of uninstalling: the commands work, nothing hangs, and data stays.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Snapshot, snapshots } from '../../operator/api/snapshot.ts';
import { type Workspace, workspaces } from '../../operator/api/workspace.ts';
import { KubeClient } from '../../operator/runtime/client.ts';
import { pvcs } from '../../operator/runtime/resources.ts';
import type { ApiServer } from '../cluster/apiserver.ts';
import { type Kubectl, root, startWithKubectl } from './kubectl.ts';
import { operatorKubeconfig } from './operator-client.ts';
import { type OperatorProcess, startOperator } from './operator-process.ts';

const namespace = 'default';
const within = { timeout: 40_000, interval: 100 };

let server: ApiServer;
let kubectl: Kubectl;
let admin: KubeClient;
let operator: OperatorProcess;

beforeAll(async () => {
  ({ server, kubectl } = await startWithKubectl());
  await kubectl('apply', '-k', 'config/default');
  await kubectl('wait', '--for=condition=Established', 'crd', '--all');
  admin = KubeClient.fromKubeconfig(server.kubeconfig);
  operator = await startOperator(await operatorKubeconfig(server), [], { webhookUrl: false });
}, 900_000);

afterAll(async () => {
  await operator?.stop();
  await server?.stop();
});

/** The lines of README's section that are for kustomize. */
async function commands(): Promise<string[][]> {
  const readme = await readFile(join(root, 'README.md'), 'utf8');
  const [, section = ''] = /### Uninstall it\n.*?```sh\n(.*?)```/s.exec(readme) ?? [];
  return section
    .split('\n')
    .filter((line) => line.startsWith('kubectl '))
    .map((line) => line.replace(/#.*/, '').trim().split(/\s+/).slice(1));
}

/**
 * What is left in the cluster that is called as ours are: without what is being deleted, as no controllers run, and
 * without the operator's namespace, which ends with all in it.
 */
async function remains(): Promise<string[]> {
  const kinds = 'roles,rolebindings,configmaps,secrets,services,deployments,persistentvolumeclaims,leases';
  const ofCluster = 'clusterroles,clusterrolebindings,priorityclasses,customresourcedefinitions';
  const webhooks = 'mutatingwebhookconfigurations,validatingwebhookconfigurations';
  const columns =
    '-o=custom-columns=:.metadata.namespace,:.kind,:.metadata.name,:.metadata.deletionTimestamp';
  const found = await kubectl('get', `${kinds},${ofCluster},${webhooks}`, '-A', '--no-headers', columns);
  const rows = found.split('\n').map((line) => line.trim().split(/\s+/));
  return rows
    .filter(([of, , name, deleted]) => of !== 'jvs-system' && name?.includes('jvs') && deleted === '<none>')
    .map(([of, kind, name]) => `${of} ${kind} ${name}`);
}

test('the commands of the README leave the claims, and nothing else', async () => {
  const spec = { storage: '1Gi' };
  await admin.create(workspaces, { metadata: { namespace, name: 'w' }, spec } as unknown as Workspace);
  const asked = { workspace: 'w', deletionPolicy: 'Delete' };
  await admin.create(snapshots, { metadata: { namespace, name: 's' }, spec: asked } as unknown as Snapshot);
  const claim = { namespace, name: 'jvs-w' };
  await vi.waitFor(async () => {
    expect(await remains()).toContain('default ConfigMap jvs-operator-ca');
    expect(await admin.get(pvcs, claim)).toBeDefined();
    expect((await admin.get(snapshots, { namespace, name: 's' }))?.status?.phase).toBe('Pending');
  }, within);

  const [objects, ...manifests] = await commands();
  expect(manifests.length).toBeGreaterThan(2);
  for (const command of [objects ?? [], manifests.shift() ?? []]) await kubectl(...command, '--timeout=60s');
  await operator.stop();
  // No controller of namespaces ends jvs-system here.
  for (const command of manifests) await kubectl(...command, '--wait=false');
  await vi.waitFor(
    async () => expect(await remains()).toEqual(['default PersistentVolumeClaim jvs-w']),
    within,
  );
  const left = await admin.get(pvcs, claim);
  expect(left?.metadata.deletionTimestamp).toBeUndefined();
  expect(left?.metadata.ownerReferences).toBeUndefined();
});
