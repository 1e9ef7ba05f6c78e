// The operator that is told to make static volumes, before and after it has the right to.
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Workspace, workspaces } from '../../operator/api/workspace.ts';
import { KubeClient } from '../../operator/runtime/client.ts';
import { csiDrivers, deployments, pvcs, pvs } from '../../operator/runtime/resources.ts';
import type { ApiServer } from '../cluster/apiserver.ts';
import { type Kubectl, startInstalled } from './kubectl.ts';
import { operatorKubeconfig } from './operator-client.ts';
import { type OperatorProcess, startOperator } from './operator-process.ts';

const namespace = 'default';
const within = { timeout: 40_000, interval: 100 };

let server: ApiServer;
let kubectl: Kubectl;
let admin: KubeClient;
let operator: OperatorProcess;

beforeAll(async () => {
  ({ server, kubectl } = await startInstalled(['config/manager/']));
  admin = KubeClient.fromKubeconfig(server.kubeconfig);
  await admin.create(csiDrivers, { metadata: { name: 'csi.juicefs.com' }, spec: { attachRequired: false } });
  // Resolves when it is ready.
  operator = await startOperator(await operatorKubeconfig(server), ['--static-volumes', 'true'], {
    webhookUrl: false,
  });
}, 900_000);

afterAll(async () => {
  await operator?.stop();
  await server?.stop();
});

const create = (name: string, spec: object) =>
  admin.create(workspaces, { metadata: { namespace, name }, spec } as unknown as Workspace);
const condition = async (name: string) =>
  (await admin.get(workspaces, { namespace, name }))?.status?.conditions?.find(
    ({ type }) => type === 'JuiceFS',
  );

test('without the right it is ready and serves who needs none; who does is told so', async () => {
  await create('plain', {});
  await create('jfs', { juiceFsConfig: { source: 'redis://r:6379/0', secretsRef: { name: 'jfs' } } });
  await vi.waitFor(async () => {
    expect(await admin.get(deployments, { namespace, name: 'jvs-plain' })).toBeDefined();
    expect(await condition('jfs')).toMatchObject({ status: 'False', reason: 'VolumesNotAllowed' });
  }, within);
  expect(await admin.get(pvcs, { namespace, name: 'jvs-jfs' })).toBeUndefined();
});

test('when it is given the right, the volume is made without anybody touching the Workspace', async () => {
  await kubectl('apply', '-f', 'config/juicefs/component/volumes.yaml');
  await vi.waitFor(async () => {
    expect(await admin.get(pvs, { name: 'jvs-default.jfs' })).toBeDefined();
    expect(await admin.get(pvcs, { namespace, name: 'jvs-jfs' })).toBeDefined();
    expect(await condition('jfs')).toMatchObject({ status: 'Unknown', reason: 'NotBound' });
  }, within);
});
