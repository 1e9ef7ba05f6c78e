// What the operator makes of storage, as an API server takes it; what controllers of volumes and nodes would do is
// written by hand here.
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Workspace, workspaces } from '../../operator/api/workspace.ts';
import { KubeClient } from '../../operator/runtime/client.ts';
import {
  csiDrivers,
  deployments,
  events,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
  pods,
  pvcs,
  pvs,
} from '../../operator/runtime/resources.ts';
import { defineResource, type KubeObject } from '../../operator/runtime/types.ts';
import type { ApiServer } from '../cluster/apiserver.ts';
import { startInstalled } from './kubectl.ts';
import { type OperatorProcess, startOperator } from './operator-process.ts';

const serviceAccounts = defineResource<KubeObject>('v1', 'ServiceAccount', 'serviceaccounts');
const quotas = defineResource<KubeObject & { spec?: object }>('v1', 'ResourceQuota', 'resourcequotas');
const namespace = 'default';
const within = { timeout: 40_000, interval: 100 };
const status = { subresource: 'status' } as const;
const juiceFsConfig = { source: 'redis://r:6379/0', secretsRef: { name: 'jfs' } };

let server: ApiServer;
let client: KubeClient;
let operator: OperatorProcess;

beforeAll(async () => {
  ({ server } = await startInstalled());
  client = KubeClient.fromKubeconfig(server.kubeconfig);
  await client.create(serviceAccounts, { metadata: { namespace, name: 'default' } });
  operator = await startOperator(server.kubeconfig, ['--static-volumes', 'true']);
});

afterAll(async () => {
  await operator?.stop();
  await server?.stop();
});

async function create(name: string, spec: object): Promise<void> {
  const object = { metadata: { namespace, name }, spec } as unknown as Workspace;
  await vi.waitFor(() => client.create(workspaces, object), within);
}

const claim = (name: string) => client.get(pvcs, { namespace, name: `jvs-${name}` });
const volume = (name: string) => client.get(pvs, { name: `jvs-${namespace}.${name}` });
const condition = async (name: string, type: string) =>
  (await client.get(workspaces, { namespace, name }))?.status?.conditions?.find((one) => one.type === type);
const setPhase = (object: PersistentVolume | PersistentVolumeClaim | undefined, phase: string) => {
  if (!object) throw new Error('it is not there');
  const { namespace: of, name } = object.metadata;
  return of
    ? client.mergePatch(pvcs, { namespace: of, name }, { status: { phase } }, status)
    : client.mergePatch(pvs, { name }, { status: { phase } }, status);
};
const letGo = (name: string) =>
  client.mergePatch(pvcs, { namespace, name: `jvs-${name}` }, { metadata: { finalizers: null } });

test('JuiceFS waits for its driver; then volume and claim are made for one another', async () => {
  await create('jfs', { juiceFsConfig, storage: '5Gi' });
  await vi.waitFor(
    async () => expect(await condition('jfs', 'JuiceFS')).toMatchObject({ reason: 'DriverMissing' }),
    within,
  );
  expect(await volume('jfs')).toBeUndefined();
  expect(await claim('jfs')).toBeUndefined();
  await client.create(csiDrivers, { metadata: { name: 'csi.juicefs.com' }, spec: { attachRequired: false } });
  await vi.waitFor(async () => expect(await claim('jfs')).toBeDefined(), within);
  expect((await volume('jfs'))?.spec).toMatchObject({
    capacity: { storage: '5Gi' },
    claimRef: { namespace, name: 'jvs-jfs' },
    persistentVolumeReclaimPolicy: 'Retain',
    mountOptions: ['subdir=/default/jfs'],
    csi: {
      driver: 'csi.juicefs.com',
      volumeHandle: 'jvs-default.jfs',
      nodePublishSecretRef: { namespace, name: 'jfs' },
    },
  });
  expect((await claim('jfs'))?.spec).toMatchObject({ storageClassName: '', volumeName: 'jvs-default.jfs' });
});

test('mount options follow the Workspace', async () => {
  await client.mergePatch(workspaces, { namespace, name: 'jfs' }, { spec: { mountOptions: ['writeback'] } });
  await vi.waitFor(async () => {
    expect((await volume('jfs'))?.spec?.mountOptions).toEqual(['writeback', 'subdir=/default/jfs']);
  }, within);
});

test('a volume whose claim was deleted is given to the next one', async () => {
  const old = (await claim('jfs'))?.metadata.uid;
  await client.mergePatch(pvs, { name: 'jvs-default.jfs' }, { spec: { claimRef: { uid: old } } });
  await setPhase(await volume('jfs'), 'Bound');
  await client.delete(pvcs, { namespace, name: 'jvs-jfs' });
  await letGo('jfs');
  await vi.waitFor(async () => expect((await claim('jfs'))?.metadata.uid).not.toBe(old), within);
  expect((await volume('jfs'))?.spec?.claimRef?.uid).toBe(old);
  await setPhase(await volume('jfs'), 'Released');
  await vi.waitFor(async () => expect((await volume('jfs'))?.spec?.claimRef?.uid).toBeUndefined(), within);
  expect((await volume('jfs'))?.spec?.claimRef?.name).toBe('jvs-jfs');
});

test('with reclaimPolicy Delete both go with the Workspace, and an event says where the data is', async () => {
  await client.mergePatch(workspaces, { namespace, name: 'jfs' }, { spec: { reclaimPolicy: 'Delete' } });
  await client.delete(workspaces, { namespace, name: 'jfs' });
  await vi.waitFor(async () => {
    // Finalizers that no controller takes off here hold them.
    expect((await volume('jfs'))?.metadata.deletionTimestamp).toBeDefined();
    expect((await claim('jfs'))?.metadata.deletionTimestamp).toBeDefined();
    expect(await client.get(workspaces, { namespace, name: 'jfs' })).toBeUndefined();
    const { items } = await client.list(events, { namespace });
    expect(items.map(({ reason }) => reason)).toContain('DataKept');
  }, within);
});

test("somebody's own volume of the name is left alone, and in the way only as long as it is there", async () => {
  const theirs: PersistentVolume = {
    metadata: { name: 'jvs-default.taken' },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      hostPath: { path: '/theirs' },
    },
  };
  const { metadata } = await client.create(pvs, theirs);
  await create('taken', { juiceFsConfig });
  await vi.waitFor(
    async () => expect(await condition('taken', 'StorageReady')).toMatchObject({ reason: 'VolumeNotOurs' }),
    within,
  );
  expect(await claim('taken')).toBeUndefined();
  expect((await volume('taken'))?.metadata.resourceVersion).toBe(metadata.resourceVersion);
  await client.delete(pvs, metadata);
  await client.mergePatch(pvs, metadata, { metadata: { finalizers: null } });
  await vi.waitFor(async () => expect(await claim('taken')).toBeDefined(), within);
});

test('pods on a volume that was made anew, for one node now, follow one another', async () => {
  await create('shared', { replicas: 2 });
  const strategy = async () =>
    (await client.get(deployments, { namespace, name: 'jvs-shared' }))?.spec?.strategy?.type;
  await vi.waitFor(async () => expect(await strategy()).toBe('RollingUpdate'), within);
  await client.mergePatch(workspaces, { namespace, name: 'shared' }, { spec: { replicas: 1 } });
  await client.delete(pvcs, { namespace, name: 'jvs-shared' });
  await letGo('shared');
  await vi.waitFor(
    async () => expect((await claim('shared'))?.spec?.accessModes).toEqual(['ReadWriteOnce']),
    within,
  );
  await vi.waitFor(async () => expect(await strategy()).toBe('Recreate'), within);
});

test('a claim that a quota refuses is made when the quota has grown', async () => {
  const quota = async (storage: string) => {
    const hard = { 'requests.storage': storage };
    const name = 'storage';
    if (!(await client.get(quotas, { namespace, name })))
      await client.create(quotas, { metadata: { namespace, name }, spec: { hard } });
    // As the quota's controller does.
    const used = { 'requests.storage': '0' };
    await client.mergePatch(quotas, { namespace, name }, { spec: { hard } });
    await client.mergePatch(quotas, { namespace, name }, { status: { hard, used } }, status);
  };
  await quota('1Mi');
  await vi.waitFor(async () => {
    const probe = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
    await expect(
      client.create(pvcs, { metadata: { namespace, name: `probe-${Date.now()}` }, spec: probe }),
    ).rejects.toThrow(/exceeded quota/);
  }, within);
  await create('poor', { storage: '1Gi' });
  await vi.waitFor(async () => {
    expect(await condition('poor', 'Ready')).toMatchObject({
      reason: 'VolumeRefused',
      message: expect.stringMatching(/exceeded quota/),
    });
  }, within);
  await quota('1Ti');
  await vi.waitFor(async () => expect(await claim('poor')).toBeDefined(), within);
});

test('what a node says of a volume that it can not mount is what the Workspace says', async () => {
  await create('stuck', { template: { spec: { containers: [{ name: 'main', image: 'busybox' }] } } });
  await vi.waitFor(async () => expect(await claim('stuck')).toBeDefined(), within);
  await setPhase(await claim('stuck'), 'Bound');
  const name = 'jvs-stuck-0';
  const spec = { containers: [{ name: 'main', image: 'busybox' }] };
  const made = await client.create(pods, {
    metadata: { namespace, name, labels: { 'jvs.io/workspace': 'stuck' } },
    spec,
  } as Pod);
  const note = 'MountVolume.SetUp failed for volume "jvs-default.stuck": WRONGPASS';
  await client.create(events, {
    metadata: { namespace, name: 'stuck.1' },
    eventTime: '2026-11-24T12:00:00.000000Z',
    reportingController: 'kubelet',
    reportingInstance: 'node-1',
    action: 'Mount',
    type: 'Warning',
    reason: 'FailedMount',
    regarding: { apiVersion: 'v1', kind: 'Pod', namespace, name, uid: made.metadata.uid ?? '' },
    note,
  });
  await vi.waitFor(async () => {
    const { message } = (await client.get(workspaces, { namespace, name: 'stuck' }))?.status ?? {};
    expect(message).toMatch(/pod jvs-stuck-0 can not mount its volume, MountVolume.*WRONGPASS/);
  }, within);
});
