// JuiceFS for real: its own program, a Redis, FUSE, and a static volume by a CSI driver.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Workspace } from '../../operator/api/workspace.ts';
import { driverName, type JuiceFs, startDriver, startJuiceFs } from '../cluster/juicefs.ts';
import { forwardAgent, grpcCall } from '../grpcurl.ts';
import { apply, eventually, get, kinds, kubectl } from '../kubectl.ts';
import {
  conditionOf,
  createSnapshot,
  eventOf,
  exec,
  idleContainer,
  podSpec,
  useNamespace,
  workspaceIn,
  workspaceOf,
} from './world.ts';

const namespace = useNamespace();
const template = { spec: podSpec(idleContainer()) };
const spec = (secret: string, more: object = {}) => ({
  storage: '1Gi',
  defaultEngine: 'juicefs-clone',
  juiceFsConfig: { source: 'redis://127.0.0.1:16379/0', secretsRef: { name: secret } },
  template,
  ...more,
});
const csiDriver = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'CSIDriver',
  metadata: { name: driverName },
  spec: { attachRequired: false, podInfoOnMount: false },
};

let filesystem: JuiceFs;
let driver: AsyncDisposable;

beforeAll(async () => {
  filesystem = await startJuiceFs('jfs');
  const { metaurl = '' } = filesystem.secret;
  const secret = (name: string, stringData: object) =>
    apply({ apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name }, stringData });
  await secret('right', filesystem.secret);
  await secret('wrong', { ...filesystem.secret, metaurl: metaurl.replace(':right@', ':wrong@') });
});

afterAll(async () => {
  await kubectl('-n', namespace, 'delete', kinds.workspace, '--all', '--timeout=180s');
  // Its files are let go of before what they are on.
  await eventually(
    'no pod has JuiceFS mounted',
    async () => (await kubectl('-n', namespace, 'get', 'pods', '-o', 'name')) === '',
  );
  await kubectl('-n', namespace, 'delete', 'pvc', '--all', '--timeout=180s');
  await kubectl('delete', 'pv', '-l', 'app.kubernetes.io/managed-by=jvs-operator', '--timeout=180s');
  await kubectl('delete', 'csidriver', driverName, '--ignore-not-found');
  await driver?.[Symbol.asyncDispose]();
  await filesystem?.[Symbol.asyncDispose]();
});

const volumeName = (workspace: string) => `jvs-${namespace}.${workspace}`;
const inside = (workspace: string, script: string) =>
  exec(namespace, `deploy/jvs-${workspace}`, 'main', `cd "$JVS_WORKSPACE" && ${script}`);

/** Bytes of the filesystem's blocks on the node. */
async function blockBytes(): Promise<number> {
  const files = await readdir(filesystem.blocks, { recursive: true, withFileTypes: true });
  const sizes = files.filter((file) => file.isFile()).map((file) => stat(join(file.parentPath, file.name)));
  return (await Promise.all(sizes)).reduce((sum, { size }) => sum + size, 0);
}

test('without the driver nothing is made, and with it the Workspace goes on by itself', async () => {
  await apply(workspaceOf(namespace, 'ml', spec('right')));
  expect(await conditionOf(namespace, 'ml', 'JuiceFS', 'DriverMissing')).toMatch(/install/);
  expect((await get<Workspace>(kinds.workspace, 'ml', namespace)).status?.phase).toBe('Pending');
  expect(await kubectl('-n', namespace, 'get', 'pvc', '-o', 'name')).toBe('');
  expect(await kubectl('get', 'pv', volumeName('ml'), '--ignore-not-found')).toBe('');
  driver = await startDriver();
  await apply(csiDriver);
  const { status } = await workspaceIn(namespace, 'ml', 'Ready');
  expect(status?.conditions).toContainEqual(expect.objectContaining({ type: 'JuiceFS', status: 'True' }));
});

test('snapshots are clones: complete, and of no size', async () => {
  await inside('ml', 'mkdir data && head -c 30000000 /dev/urandom > data/big && echo one > data/small');
  const sum = await inside('ml', 'sha256sum data/*');
  const first = await createSnapshot(namespace, 'first', { workspace: 'ml' });
  await conditionOf(namespace, 'ml', 'Degraded', 'AsExpected');
  expect((await get<Workspace>(kinds.workspace, 'ml', namespace)).status?.effectiveEngine).toBe(
    'juicefs-clone',
  );
  const before = await blockBytes();
  expect(before).toBeGreaterThan(30_000_000);
  for (const name of ['second', 'third']) await createSnapshot(namespace, name, { workspace: 'ml' });
  expect((await blockBytes()) - before).toBeLessThan(1_000_000);

  await inside('ml', 'echo two > data/small && rm data/big && echo new > data/new');
  await using agent = await forwardAgent('deploy/jvs-ml', namespace);
  await grpcCall(agent, 'Agent/Restore', { id: first.status?.snapshotID });
  expect(await inside('ml', 'sha256sum data/*')).toBe(sum);
  expect(await grpcCall(agent, 'Agent/Verify', { id: first.status?.snapshotID })).toMatchObject({
    valid: true,
  });
});

test('a kept volume comes back with its Workspace, also when only the volume was left', async () => {
  await kubectl('-n', namespace, 'delete', kinds.workspace, 'ml', '--timeout=180s');
  await apply(workspaceOf(namespace, 'ml', spec('right')));
  await workspaceIn(namespace, 'ml', 'Ready');
  expect(await inside('ml', 'cat data/small')).toBe('one\n');

  await kubectl('-n', namespace, 'delete', kinds.workspace, 'ml', '--timeout=180s');
  await kubectl('-n', namespace, 'delete', 'pvc', 'jvs-ml', '--timeout=180s');
  await eventually('the volume is released', async () => {
    const { status } = await get<{ status: { phase: string } }>('pv', volumeName('ml'));
    return status.phase === 'Released';
  });
  await apply(workspaceOf(namespace, 'ml', spec('right')));
  await workspaceIn(namespace, 'ml', 'Ready');
  expect(await inside('ml', 'cat data/small')).toBe('one\n');
  await eventually('its snapshots are there', async () => {
    const { status } = await get<Workspace>(kinds.workspace, 'ml', namespace);
    return (status?.snapshotCount ?? 0) >= 4;
  });
});

test('reclaimPolicy Delete takes claim and volume, and leaves the files in JuiceFS', async () => {
  await kubectl(
    ...['-n', namespace, 'patch', `${kinds.workspace}/ml`, '--type=merge'],
    ...['-p', '{"spec":{"reclaimPolicy":"Delete"}}'],
  );
  await kubectl('-n', namespace, 'delete', kinds.workspace, 'ml', '--timeout=180s');
  await eventually(
    'claim and volume are gone',
    async () =>
      (await kubectl('get', 'pv', volumeName('ml'), '--ignore-not-found')) === '' &&
      (await kubectl('-n', namespace, 'get', 'pvc', 'jvs-ml', '--ignore-not-found')) === '',
  );
  await eventOf(namespace, 'ml', /^DataKept: .*stays in JuiceFS/);
  await apply(workspaceOf(namespace, 'ml', spec('right')));
  await workspaceIn(namespace, 'ml', 'Ready');
  expect(await inside('ml', 'cat data/small')).toBe('one\n');
});

test('a wrong Secret is what the Workspace says, in the words of the mount', async () => {
  await apply(workspaceOf(namespace, 'locked', spec('wrong')));
  // Kubelet's first tries can fail for another reason: the API server does not know yet that the claim is its node's.
  await eventually('the Workspace says why its pod does not start', async () => {
    const { status } = await get<Workspace>(kinds.workspace, 'locked', namespace);
    return /pod jvs-locked-\S+ can not mount its volume, .*WRONGPASS/.test(status?.message ?? '');
  });
  const secret = await get<{ data: object }>('secret', 'right', namespace);
  await kubectl('-n', namespace, 'patch', 'secret', 'wrong', '-p', JSON.stringify({ data: secret.data }));
  await workspaceIn(namespace, 'locked', 'Ready');
});
