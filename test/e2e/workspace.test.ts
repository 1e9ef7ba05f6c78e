import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Snapshot } from '../../operator/api/snapshot.ts';
import type { Workspace } from '../../operator/api/workspace.ts';
import { volumePath } from '../cluster/cluster.ts';
import { apply, eventually, get, kinds, kubectl } from '../kubectl.ts';
import {
  applySnapshot,
  conditionOf,
  createSnapshot,
  createWorkspace,
  eventOf,
  exec,
  idleContainer,
  podSpec,
  snapshotIn,
  useNamespace,
  workspaceIn,
  workspaceOf,
} from './world.ts';

const namespace = useNamespace({ 'pod-security.kubernetes.io/enforce': 'restricted' });

const manifests = `
apiVersion: jvs.io/v1alpha1
kind: Workspace
metadata: {name: ml-workspace, namespace: ${namespace}}
spec:
  replicas: 1
  storage: 50Gi
  storageClassName: fast-ssd
  defaultEngine: copy
  juiceFsConfig: {source: "redis://redis.default.svc.cluster.local:6379/0"}
  retentionPolicy: {keepMinSnapshots: 20, keepMinAge: 48h}
  autoSnapshot: {enabled: true, schedule: "0 */4 * * *", template: checkpoint, maxSnapshots: 50}
---
apiVersion: jvs.io/v1alpha1
kind: Snapshot
metadata: {name: pre-deployment, namespace: ${namespace}}
spec:
  workspace: ml-workspace
  note: "Before deploying model v2.0"
  tags: [pre-deploy, release]
  compression: {type: gzip, level: 6}
`;

test('a Workspace and a Snapshot applied together both become Ready, and the volume has what they say', async () => {
  await apply(manifests);
  const workspace = await workspaceIn(namespace, 'ml-workspace', 'Ready');
  const { status } = await snapshotIn(namespace, 'pre-deployment', 'Ready');
  expect(await conditionOf(namespace, 'ml-workspace', 'JuiceFS', 'NotJuiceFS')).toMatch(/juiceFsConfig/);
  expect(workspace.status?.readyReplicas).toBe(1);

  const volume = await volumePath(namespace, 'jvs-ml-workspace');
  const descriptor = JSON.parse(
    await readFile(join(volume, '.jvs/descriptors', `${status?.snapshotID}.json`), 'utf8'),
  );
  expect(descriptor).toMatchObject({
    snapshot_id: status?.snapshotID,
    note: 'Before deploying model v2.0',
    descriptor_checksum: status?.descriptorChecksum,
  });
  expect(descriptor.tags).toEqual(expect.arrayContaining(['pre-deploy', 'release']));
  expect(await readdir(join(volume, '.jvs/snapshots', status?.snapshotID ?? ''))).toContain('.READY');
  expect(status).toMatchObject({ origin: 'manual', integrityState: 'verified' });

  await eventually('the Workspace shows the snapshot', async () => {
    const now = await get<Workspace>(kinds.workspace, 'ml-workspace', namespace);
    return now.status?.snapshotCount === 1 && now.status.currentSnapshot === status?.snapshotID;
  });
});

test('files of a pod come through a snapshot bit by bit, and a second one holds only what changed', async () => {
  await createWorkspace(namespace, 'files', { template: { spec: podSpec(idleContainer()) } });
  const inside = (script: string) => exec(namespace, 'deploy/jvs-files', 'main', script);
  await inside(
    'cd "$JVS_WORKSPACE" && mkdir -p a/b && echo one > a/one && dd if=/dev/urandom of=a/b/big bs=1M count=8 2>/dev/null && ln -s nowhere dangling && mkfifo pipe && chmod 750 a',
  );
  const first = await createSnapshot(namespace, 'first', { workspace: 'files' });
  await inside('cd "$JVS_WORKSPACE" && echo two > a/two');
  const second = await createSnapshot(namespace, 'second', { workspace: 'files' });

  expect(second.status?.parentID).toBe(first.status?.snapshotID);
  expect(second.status?.uniqueBytes).toBeLessThan(4096);
  const root = await volumePath(namespace, 'jvs-files');
  const at = (snapshot: Snapshot, path: string) =>
    join(root, '.jvs/snapshots', snapshot.status?.snapshotID ?? '', path);
  expect(await readFile(at(second, 'a/b/big'))).toEqual(await readFile(join(root, 'main/a/b/big')));
  expect((await stat(at(first, 'a'))).mode & 0o777).toBe(0o750);
  expect(await readdir(at(first, ''))).toEqual(['.READY', 'a', 'dangling']);
  // One copy on the disk for both, and none of it shared with what the pod can write.
  expect((await stat(at(second, 'a/b/big'))).ino).toBe((await stat(at(first, 'a/b/big'))).ino);
  expect((await stat(at(second, 'a/b/big'))).ino).not.toBe((await stat(join(root, 'main/a/b/big'))).ino);
});

test('a pod can not damage its own history', async () => {
  const inside = (script: string) => exec(namespace, 'deploy/jvs-files', 'main', script);
  const output = await inside(
    'rm -rf /workspace/.jvs/snapshots/* 2>&1; echo x > /workspace/.jvs/x 2>&1; true',
  );
  expect(output).toMatch(/Read-only file system/);
});

test('a Snapshot of an unknown Workspace waits, says so, and goes on when the Workspace comes', async () => {
  await applySnapshot(namespace, 'early', { workspace: 'late' });
  const early = await eventually('it waits', async () => {
    const now = await get<Snapshot>(kinds.snapshot, 'early', namespace);
    return now.status?.conditions?.[0]?.reason === 'WorkspaceNotFound' && now;
  });
  expect(early.status?.message).toContain('late');
  await createWorkspace(namespace, 'late');
  await snapshotIn(namespace, 'early', 'Ready');
});

test('a missing storage class is a condition that names it, not a crash', async () => {
  await apply(workspaceOf(namespace, 'classless', { storageClassName: 'no-such-class' }));
  const message = await conditionOf(namespace, 'classless', 'StorageReady', 'StorageClassNotFound');
  expect(message).toMatch(/no-such-class.*standard/);
  await kubectl('-n', namespace, 'delete', kinds.workspace, 'classless', '--timeout=180s');
});

test('a claim that somebody else made is never adopted', async () => {
  await apply({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'jvs-foreign', namespace },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  });
  await apply(workspaceOf(namespace, 'foreign', { reclaimPolicy: 'Delete' }));
  await conditionOf(namespace, 'foreign', 'StorageReady', 'ClaimNotOurs');
  await kubectl('-n', namespace, 'delete', kinds.workspace, 'foreign', '--timeout=180s');
  expect(await get('pvc', 'jvs-foreign', namespace)).toMatchObject({ status: { phase: 'Bound' } });
});

test('a template that the API server refuses is said with its words', async () => {
  const bad = { ...idleContainer(), image: '' };
  await apply(workspaceOf(namespace, 'invalid', { template: { spec: podSpec(bad) } }));
  expect(await conditionOf(namespace, 'invalid', 'Ready', 'InvalidTemplate')).toMatch(/image/);
  await eventOf(namespace, 'invalid', /^InvalidTemplate: /);
});

test('kubectl scale stops and starts it', async () => {
  await createWorkspace(namespace, 'scaled');
  await kubectl('-n', namespace, 'scale', `${kinds.workspace}/scaled`, '--replicas=0');
  await conditionOf(namespace, 'scaled', 'Ready', 'Stopped');
  await eventually(
    'no pod is left',
    async () =>
      (await kubectl('-n', namespace, 'get', 'pods', '-l', 'jvs.io/workspace=scaled', '-o', 'name')) === '',
  );
  await kubectl('-n', namespace, 'scale', `${kinds.workspace}/scaled`, '--replicas=1');
  await conditionOf(namespace, 'scaled', 'Ready', 'PodsReady');
});

test('a deleted Workspace leaves its volume, and finds it again; with Delete both go', async () => {
  await createWorkspace(namespace, 'kept', { template: { spec: podSpec(idleContainer()) } });
  await exec(namespace, 'deploy/jvs-kept', 'main', 'echo precious > "$JVS_WORKSPACE/file"');
  const { status } = await createSnapshot(namespace, 'kept-1', { workspace: 'kept' });
  await kubectl('-n', namespace, 'delete', kinds.workspace, 'kept', '--timeout=180s');
  expect(await get('pvc', 'jvs-kept', namespace)).toMatchObject({ status: { phase: 'Bound' } });

  await createWorkspace(namespace, 'kept', {
    reclaimPolicy: 'Delete',
    template: { spec: podSpec(idleContainer()) },
  });
  await eventually('the history is there again', async () => {
    const again = await get<Workspace>(kinds.workspace, 'kept', namespace);
    return again.status?.currentSnapshot === status?.snapshotID;
  });
  expect(await exec(namespace, 'deploy/jvs-kept', 'main', 'cat "$JVS_WORKSPACE/file"')).toBe('precious\n');

  await kubectl('-n', namespace, 'delete', kinds.workspace, 'kept', '--timeout=180s');
  await eventually(
    'the claim is gone',
    async () =>
      (await kubectl('-n', namespace, 'get', 'pvc', 'jvs-kept', '--ignore-not-found', '-o', 'name')) === '',
  );
});
