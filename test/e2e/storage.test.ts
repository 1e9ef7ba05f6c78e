// The life of a volume: made late, refused, grown, full, shared with a group.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Snapshot } from '../../operator/api/snapshot.ts';
import type { Workspace } from '../../operator/api/workspace.ts';
import { volumePath } from '../cluster/cluster.ts';
import { output } from '../cluster/process.ts';
import { provisionerName } from '../cluster/provisioner.ts';
import { forwardAgent, grpcCall } from '../grpcurl.ts';
import { apply, eventually, get, kinds, kubectl } from '../kubectl.ts';
import {
  applySnapshot,
  conditionOf,
  createSnapshot,
  createWorkspace,
  exec,
  idleContainer,
  podSpec,
  snapshotIn,
  useNamespace,
  workspaceIn,
  workspaceOf,
} from './world.ts';

const namespace = useNamespace();
const template = { spec: podSpec(idleContainer()) };
const classes = {
  waiting: `waiting-${namespace}`,
  fixed: `fixed-${namespace}`,
  memory: `memory-${namespace}`,
};

beforeAll(async () => {
  const storageClass = (name: string, more: object) =>
    apply({
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name },
      provisioner: provisionerName,
      reclaimPolicy: 'Delete',
      allowVolumeExpansion: true,
      ...more,
    });
  await storageClass(classes.waiting, { volumeBindingMode: 'WaitForFirstConsumer' });
  await storageClass(classes.fixed, { allowVolumeExpansion: false });
  await storageClass(classes.memory, { parameters: { medium: 'Memory' } });
});

afterAll(async () => {
  await kubectl('delete', 'storageclass', ...Object.values(classes));
});

interface Claim {
  spec: { accessModes: string[]; resources: { requests: { storage: string } } };
  status: { phase: string; capacity?: { storage: string } };
}
const claimOf = (workspace: string) => get<Claim>('pvc', `jvs-${workspace}`, namespace);
const workspace = (name: string) => get<Workspace>(kinds.workspace, name, namespace);
const patch = (name: string, spec: object) =>
  kubectl(
    ...['-n', namespace, 'patch', `${kinds.workspace}/${name}`, '--type=merge'],
    ...['-p', JSON.stringify({ spec })],
  );
const inside = (name: string, script: string) => exec(namespace, `deploy/jvs-${name}`, 'main', script);

test('a class that waits for a consumer: nothing is bound without a pod, and all is with one', async () => {
  await apply(
    workspaceOf(namespace, 'late', {
      storage: '1Gi',
      storageClassName: classes.waiting,
      replicas: 0,
      template,
    }),
  );
  expect(await conditionOf(namespace, 'late', 'StorageReady', 'WaitingForVolume')).toMatch(/first consumer/);
  expect((await claimOf('late')).status.phase).toBe('Pending');
  await kubectl('-n', namespace, 'scale', `${kinds.workspace}/late`, '--replicas=1');
  await workspaceIn(namespace, 'late', 'Ready');
  await createSnapshot(namespace, 'late', { workspace: 'late' });
});

test('a volume for one pod alone is for the pod of the Workspace alone', async () => {
  const accessModes = ['ReadWriteOncePod'];
  await createWorkspace(namespace, 'alone', { accessModes, template });
  expect((await claimOf('alone')).spec.accessModes).toEqual(accessModes);
  await createSnapshot(namespace, 'alone', { workspace: 'alone' });
  // The next pod gets it when the first one has gone.
  await kubectl('-n', namespace, 'rollout', 'restart', 'deploy/jvs-alone');
  await workspaceIn(namespace, 'alone', 'Ready');
  await createSnapshot(namespace, 'alone-again', { workspace: 'alone' });
});

test('a volume grows where its class lets it', async () => {
  await createWorkspace(namespace, 'grows', { template });
  await patch('grows', { storage: '2Gi' });
  await eventually(
    'the claim has grown',
    async () => (await claimOf('grows')).status.capacity?.storage === '2Gi',
  );
  expect((await workspaceIn(namespace, 'grows', 'Ready')).status?.conditions).toContainEqual(
    expect.objectContaining({ type: 'Degraded', status: 'False' }),
  );
});

test('where it does not, the Workspace says so and works on', async () => {
  await createWorkspace(namespace, 'fixed', { storageClassName: classes.fixed, template });
  await patch('fixed', { storage: '2Gi' });
  expect(await conditionOf(namespace, 'fixed', 'Degraded', 'ExpansionRefused')).toMatch(
    /allowVolumeExpansion/,
  );
  expect((await workspace('fixed')).status?.phase).toBe('Ready');
  await createSnapshot(namespace, 'fixed', { workspace: 'fixed' });
  await kubectl('patch', 'storageclass', classes.fixed, '-p', '{"allowVolumeExpansion":true}');
  await conditionOf(namespace, 'fixed', 'Degraded', 'AsExpected');
  expect((await claimOf('fixed')).spec.resources.requests.storage).toBe('2Gi');
});

test('a quota refuses the claim: the Workspace says so, and goes on when the quota has grown', async () => {
  const quota = (storage: string) =>
    apply({
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { namespace, name: 'storage' },
      spec: { hard: { 'requests.storage': storage } },
    });
  await quota('1Mi');
  try {
    await eventually('the quota is in force', async () => {
      const { status } = await get<{ status?: { hard?: object } }>('resourcequota', 'storage', namespace);
      return status?.hard && Object.keys(status.hard).length > 0;
    });
    await apply(workspaceOf(namespace, 'poor', { storage: '1Gi', template }));
    expect(await conditionOf(namespace, 'poor', 'Ready', 'VolumeRefused')).toMatch(/exceeded quota: storage/);
    expect((await workspace('poor')).status?.phase).toBe('Failed');
    await quota('1Ti');
    await workspaceIn(namespace, 'poor', 'Ready');
  } finally {
    await kubectl('-n', namespace, 'delete', 'resourcequota', 'storage');
  }
});

test('a volume that fills up warns before, waits when it is full, and goes on when it has grown', async () => {
  await createWorkspace(namespace, 'filling', {
    storage: '24Mi',
    storageClassName: classes.memory,
    template,
  });
  const fill = (file: string, bytes: number) =>
    inside('filling', `head -c ${bytes} /dev/urandom > "$JVS_WORKSPACE/${file}"`);
  await fill('data', 9_000_000);
  await createSnapshot(namespace, 'half-full', { workspace: 'filling' });
  await fill('data', 4_500_000);
  await fill('ballast', 9_000_000);
  expect(await conditionOf(namespace, 'filling', 'Degraded', 'VolumeAlmostFull')).toMatch(/spec\.storage/);
  expect((await workspace('filling')).status?.phase).toBe('Ready');
  await applySnapshot(namespace, 'waits', { workspace: 'filling' });
  await eventually('the Snapshot waits for space', async () => {
    const { status } = await get<Snapshot>(kinds.snapshot, 'waits', namespace);
    return status?.phase === 'Pending' && status.conditions?.[0]?.reason === 'VolumeFull';
  });
  const snapshots = join(await volumePath(namespace, 'jvs-filling'), '.jvs/snapshots');
  // The agent tries again by itself, and a try in progress has a directory of its own.
  await eventually('a try leaves nothing behind', async () => (await readdir(snapshots)).length === 1);
  await patch('filling', { storage: '96Mi' });
  await snapshotIn(namespace, 'waits', 'Ready');
  await conditionOf(namespace, 'filling', 'Degraded', 'AsExpected');
  expect((await workspace('filling')).status?.capacityBytes).toBe(96 * 1024 * 1024);
});

test('the group gets the volume at the first mount, and no mode of a file changes at the next', async () => {
  await createWorkspace(namespace, 'grouped', { template });
  const root = await volumePath(namespace, 'jvs-grouped');
  const { gid, mode } = await stat(root);
  expect({ gid, setgid: (mode & 0o2000) !== 0 }).toEqual({ gid: 1000, setgid: true });
  await inside(
    'grouped',
    'cd "$JVS_WORKSPACE" && echo secret > private && chmod 600 private && mkdir closed && chmod 700 closed',
  );
  const modes = () => inside('grouped', 'cd "$JVS_WORKSPACE" && stat -c "%n %a %g" . private closed');
  const was = await modes();
  const before = await createSnapshot(namespace, 'before', { workspace: 'grouped' });
  await kubectl('-n', namespace, 'rollout', 'restart', 'deploy/jvs-grouped');
  await kubectl('-n', namespace, 'rollout', 'status', 'deploy/jvs-grouped', '--timeout=180s');
  expect(await modes()).toBe(was);
  const from = before.status?.snapshotID;
  await using agent = await forwardAgent('deploy/jvs-grouped', namespace);
  expect(await grpcCall(agent, 'Agent/Verify', { id: from })).toMatchObject({ valid: true });
  const diff = ['-plaintext', '-d', JSON.stringify({ from }), agent.address, 'jvs.agent.v1.Agent/Diff'];
  expect(await output('grpcurl', diff)).toBe('');
});
