// What the API server makes of Workspaces, Snapshots and Restores with our CustomResourceDefinitions.
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { setCondition } from '../../operator/api/conditions.ts';
import { InvalidResource } from '../../operator/api/parse.ts';
import { parseRestore, type Restore, restores } from '../../operator/api/restore.ts';
import { parseSnapshot, type Snapshot, snapshots } from '../../operator/api/snapshot.ts';
import { parseWorkspace, type Workspace, workspaces } from '../../operator/api/workspace.ts';
import { ApiError, KubeClient } from '../../operator/runtime/client.ts';
import type { ApiServer } from '../cluster/apiserver.ts';
import { type Kubectl, startWithKubectl } from './kubectl.ts';

let server: ApiServer;
let kubectl: Kubectl;
let client: KubeClient;

beforeAll(async () => {
  ({ server, kubectl } = await startWithKubectl());
  client = KubeClient.fromKubeconfig(server.kubeconfig);
  await kubectl('apply', '-k', 'config/default');
  await kubectl('wait', '--for', 'condition=Established', 'crd', '--all');
  // Just established, they answer "storage is (re)initializing" for a moment.
  await vi.waitFor(clean, { timeout: 40_000, interval: 100 });
}, 900_000);

afterAll(() => server?.stop());

async function clean(): Promise<void> {
  for (const resource of [workspaces, snapshots, restores]) {
    const { items } = await client.list<Workspace | Snapshot | Restore>(resource, { namespace });
    for (const { metadata } of items) await client.delete<Workspace | Snapshot | Restore>(resource, metadata);
  }
}

beforeEach(clean);

const namespace = 'default';
const workspace = (spec: unknown, name = 'w') =>
  client.create(workspaces, { metadata: { name, namespace }, spec } as Workspace);
const snapshot = (spec: unknown, name = 's') =>
  client.create(snapshots, { metadata: { name, namespace }, spec } as Snapshot);
const restore = (spec: unknown, name = 'r') =>
  client.create(restores, { metadata: { name, namespace }, spec } as Restore);

test('the samples are accepted as they are, and come back parsed as they are', async () => {
  await kubectl('apply', '-k', 'config/samples');
  await kubectl('apply', '-f', 'config/samples/training-snapshot.yaml', '-f', 'config/samples/restore.yaml');
  const { items } = await client.list(workspaces, { namespace });
  expect(items.map(({ metadata }) => metadata.name)).toEqual(['ml-workspace', 'training']);
  // The server's defaults and the parser's are the same.
  for (const item of items) expect(parseWorkspace(item).spec).toEqual(item.spec);
  const taken = await client.list(snapshots, { namespace });
  expect(taken.items.map(({ metadata }) => metadata.name)).toEqual(['pre-deployment', 'training-start']);
  for (const item of taken.items) expect(parseSnapshot(item).spec).toEqual(item.spec);
  const restored = await client.list(restores, { namespace });
  expect(restored.items.map(({ metadata }) => metadata.name)).toEqual(['back-to-pre-deployment']);
  for (const item of restored.items) expect(parseRestore(item).spec).toEqual(item.spec);
});

test('the server and the parser fill in the same defaults', async () => {
  const bare = await client.create(workspaces, { metadata: { name: 'w', namespace } } as Workspace);
  expect(bare.spec).toEqual(parseWorkspace({ metadata: bare.metadata }).spec);

  const given = {
    retentionPolicy: {},
    autoSnapshot: { schedule: '@daily' },
    hooks: { preSnapshot: { http: { port: 80 } }, postSnapshot: { exec: { command: ['sync'] } } },
    juiceFsConfig: { source: 'redis://redis/0' },
  };
  const nested = await workspace(given, 'nested');
  expect(nested.spec).toEqual(parseWorkspace({ metadata: nested.metadata, spec: given }).spec);

  const taken = await snapshot({ workspace: 'w' });
  expect(taken.spec).toEqual(parseSnapshot({ metadata: taken.metadata, spec: { workspace: 'w' } }).spec);
});

describe('a pod template', () => {
  test('keeps every field', async () => {
    const template = {
      metadata: { labels: { a: 'b' }, annotations: { c: 'd' } },
      spec: {
        nodeSelector: { disk: 'ssd' },
        containers: [{ name: 'c', image: 'i', resources: { limits: { 'nvidia.com/gpu': 1 } } }],
      },
    };
    expect((await workspace({ template })).spec.template).toEqual(template);
  });
});

const anId = '1795000000000-0a1b2c3d';
const withSecret = (source: string) => ({ juiceFsConfig: { source, secretsRef: { name: 's' } } });
const podSpec = (spec: unknown) => ({ template: { spec } });
const scheduled = (schedule: string) => ({ autoSnapshot: { schedule } });

describe('refused, with the path of the field', () => {
  // The parser sees only what the server has accepted, so it need not know the rules between fields.
  test.each<[path: string, spec: object, byParser?: 'server only']>([
    ['spec.replicas', { replicas: -1 }],
    ['spec.replicas', { replicas: 1001 }],
    ['spec.replicas', { replicas: 1.5 }],
    ['spec.storage', { storage: '50GiB' }],
    ['spec.storage', { storage: 'much' }],
    ['spec.storage', { storage: '0' }],
    ['spec.storage', { storage: '-5Gi' }],
    ['spec.storage', { storage: 50 }],
    ['spec.storageClassName', { storageClassName: 'Fast SSD' }],
    ['spec.accessModes', { accessModes: [] }],
    ['spec.accessModes[0]', { accessModes: ['ReadOnlyMany'] }],
    ['spec.accessModes', { accessModes: ['ReadWriteOnce'], replicas: 2 }, 'server only'],
    ['spec.accessModes', { accessModes: ['ReadWriteOncePod'], replicas: 2 }, 'server only'],
    ['spec.defaultEngine', { defaultEngine: 'fast' }],
    ['spec.juiceFsConfig.source', { juiceFsConfig: {} }],
    ['spec.juiceFsConfig.source', withSecret('redis://:secret@redis:6379/0'), 'server only'],
    ['spec.juiceFsConfig.source', withSecret('mysql://user:secret@(mysql:3306)/db'), 'server only'],
    ['spec.juiceFsConfig.source', withSecret('postgres://user@pg/db?password=secret'), 'server only'],
    ['spec.juiceFsConfig.secretsRef.name', { juiceFsConfig: { source: 'x', secretsRef: { name: 'A_b' } } }],
    ['spec.retentionPolicy.keepMinSnapshots', { retentionPolicy: { keepMinSnapshots: -1 } }],
    ['spec.retentionPolicy.keepMinAge', { retentionPolicy: { keepMinAge: '2 days' } }],
    ['spec.retentionPolicy.keepTags[0]', { retentionPolicy: { keepTags: ['a b'] } }],
    ['spec.retentionPolicy.keepTags[1]', { retentionPolicy: { keepTags: ['a', 'a'] } }],
    [
      'spec.retentionPolicy',
      { retentionPolicy: { keepMinSnapshots: 0, keepMinAge: '0s0.0h', keepTags: [] } },
      'server only',
    ],
    ['spec.autoSnapshot.schedule', { autoSnapshot: {} }, 'server only'],
    ['spec.autoSnapshot.schedule', scheduled('60 * * * *')],
    ['spec.autoSnapshot.schedule', scheduled('* 24 * * *')],
    ['spec.autoSnapshot.schedule', scheduled('* * 0 * *')],
    ['spec.autoSnapshot.schedule', scheduled('* * * jam *')],
    ['spec.autoSnapshot.schedule', scheduled('* * * * 7')],
    ['spec.autoSnapshot.schedule', scheduled('*/0 * * * *')],
    ['spec.autoSnapshot.schedule', scheduled('* * * *')],
    ['spec.autoSnapshot.schedule', scheduled('0 * * * * *')],
    ['spec.autoSnapshot.schedule', scheduled('TZ=UTC 0 * * * *')],
    ['spec.autoSnapshot.schedule', scheduled('@fortnightly')],
    ['spec.autoSnapshot.timeZone', { autoSnapshot: { schedule: '@daily', timeZone: '/etc/passwd' } }],
    ['spec.autoSnapshot.template', { autoSnapshot: { schedule: '@daily', template: 'other' } }],
    ['spec.autoSnapshot.maxSnapshots', { autoSnapshot: { schedule: '@daily', maxSnapshots: 0 } }],
    ['spec.mountOptions[0]', { mountOptions: ['x'.repeat(257)] }],
    ['spec.initialSnapshot', { initialSnapshot: '../x' }],
    ['spec.template.spec', { template: {} }],
    ['spec.template.spec.containers', podSpec({})],
    ['spec.template.spec.containers', podSpec({ containers: [] })],
    ['spec.template.spec.containers[0].name', podSpec({ containers: [{ image: 'i' }] })],
    ['spec.mountPath', { mountPath: 'workspace' }],
    ['spec.mountPath', { mountPath: '/' }],
    ['spec.mountPath', { mountPath: '/a/../b' }],
    ['spec.mountPath', { mountPath: '/a/..' }],
    ['spec.mountPath', { mountPath: '/a//b' }],
    ['spec.mountPath', { mountPath: '/a/' }],
    ['spec.mountPath', { mountPath: '/a:b' }],
    ['spec.historyAccess', { historyAccess: 'None' }],
    ['spec.reclaimPolicy', { reclaimPolicy: 'Recycle' }],
    ['spec.hooks.preSnapshot', { hooks: { preSnapshot: {} } }, 'server only'],
    [
      'spec.hooks.postSnapshot',
      { hooks: { postSnapshot: { http: { port: 1 }, exec: { command: ['a'] } } } },
      'server only',
    ],
    ['spec.hooks.preSnapshot.http.port', { hooks: { preSnapshot: { http: { port: 0 } } } }],
    ['spec.hooks.preSnapshot.http.path', { hooks: { preSnapshot: { http: { port: 1, path: 'x' } } } }],
  ])('Workspace %s (%#)', async (path, spec, byParser) => {
    await refused(workspace(spec), path);
    if (byParser) return;
    const parse = () => parseWorkspace({ metadata: { name: 'w', namespace }, spec });
    expect(parse).toThrow(InvalidResource);
    expect(parse).toThrow(`${path}: `);
  });

  test.each<[path: string, spec: object]>([
    ['spec.workspace', {}],
    ['spec.workspace', { workspace: 'Not A Name' }],
    ['spec.note', { note: 'x'.repeat(32769) }],
    ['spec.note', { note: 'ü'.repeat(16385) }],
    ['spec.tags[1]', { tags: ['ok', 'not ok'] }],
    ['spec.tags[0]', { tags: [''] }],
    ['spec.tags[0]', { tags: ['k8s-0b8a'] }],
    ['spec.tags[0]', { tags: ['auto-1795507920'] }],
    ['spec.tags[0]', { tags: ['x'.repeat(65)] }],
    ['spec.tags[1]', { tags: ['a', 'a'] }],
    ['spec.template', { template: 'other' }],
    ['spec.compression.type', { compression: { type: 'rar' } }],
    ['spec.compression.level', { compression: { type: 'gzip', level: 10 } }],
    ['spec.partialPaths[0]', { partialPaths: ['/etc'] }],
    ['spec.partialPaths[0]', { partialPaths: ['a/../../b'] }],
    ['spec.partialPaths[0]', { partialPaths: ['.'] }],
    ['spec.engine', { engine: 'zfs' }],
    ['spec.sourceSnapshot', { sourceSnapshot: '../x' }],
    ['spec.snapshotID', { snapshotID: '1795000000000-XYZ' }],
    ['spec.worktree', { worktree: '.' }],
    ['spec.worktree', { worktree: '..' }],
    ['spec.worktree', { worktree: 'a/b' }],
    ['spec.worktree', { worktree: 'a..b' }],
    ['spec.worktree', { worktree: '' }],
    ['spec.restoreWorktree', { restoreWorktree: './main' }],
    ['spec.deletionPolicy', { deletionPolicy: 'Orphan' }],
  ])('Snapshot %s (%#)', async (path, other) => {
    const spec = path === 'spec.workspace' ? other : { workspace: 'w', ...other };
    await refused(snapshot(spec), path);
    const parse = () => parseSnapshot({ metadata: { name: 's', namespace }, spec });
    expect(parse).toThrow(InvalidResource);
    expect(parse).toThrow(`${path}: `);
  });

  test.each<[path: string, spec: object, message: string, byParser?: 'server only']>([
    ['spec', {}, 'must have exactly one of snapshot and snapshotID', 'server only'],
    ['spec', { snapshot: 's', snapshotID: anId }, 'must have exactly one', 'server only'],
    ['spec', { snapshot: 's', worktree: 'a', newWorktree: 'b' }, 'at most one of worktree', 'server only'],
    ['spec.newWorktree', { snapshot: 's', newWorktree: 'main' }, 'set worktree to restore it', 'server only'],
    ['spec.newWorktree', { snapshot: 's', newWorktree: '../x' }, 'letters, digits'],
    ['spec.worktree', { snapshot: 's', worktree: '.' }, 'not be a dot alone'],
    ['spec.snapshot', { snapshot: 'A_b' }, 'must be the name of an object'],
    ['spec.snapshotID', { snapshotID: '17' }, 'must be the id of a snapshot'],
    ['spec.deletionPolicy', { snapshot: 's', deletionPolicy: 'Orphan' }, 'Retain'],
  ])('Restore %s (%#)', async (path, other, message, byParser) => {
    const spec = { workspace: 'w', ...other };
    await refused(restore(spec), path, message);
    if (byParser) return;
    const parse = () => parseRestore({ metadata: { name: 'r', namespace }, spec });
    expect(parse).toThrow(`${path}: `);
  });

  test.each(['w'.repeat(53), 'has.dots'])('Workspace named %s', async (name) => {
    await refused(workspace({}, name), 'metadata.name');
  });
});

/** `path` begins what the server says of one field; what is missing it files under the field as well. */
async function refused(request: Promise<unknown>, path: string, message = ''): Promise<void> {
  const error = await request.then(
    () => expect.fail('the server accepted it'),
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ status: 422, message: expect.stringContaining(`${path}: `) });
  expect(error).toMatchObject({ message: expect.stringContaining(message) });
}

describe('accepted', () => {
  test.each([
    { storage: 53_687_091_200 },
    { storage: '1.5Ti' },
    { replicas: 3, accessModes: ['ReadWriteMany'] },
    { replicas: 3 },
    scheduled('*/15 0-6,22 1,15 jan-Mar MON'),
    scheduled('0  0 1 * ?'),
    { autoSnapshot: { enabled: false } },
    { autoSnapshot: { schedule: '@hourly', timeZone: 'America/Argentina/Buenos_Aires' } },
    { mountPath: '/data/..cache/.v1' },
    { mountOptions: ['😀'.repeat(256)] },
    withSecret('redis://redis.default.svc:6379/0'),
    withSecret('postgres://user@pg:5432/db'),
    { retentionPolicy: { keepMinAge: '7d', keepMinSnapshots: 0, keepTags: ['a', 'b'] } },
  ])('Workspace %#', async (spec) => {
    const made = await workspace(spec);
    expect(() => parseWorkspace(made)).not.toThrow();
  });

  test.each([
    { note: 'ü'.repeat(16384) },
    { tags: Array.from({ length: 64 }, (_, i) => `${i}`.padEnd(64, 'x')) },
    { worktree: 'fork-1.2', restoreOnCreate: true, restoreWorktree: '.hidden' },
    { partialPaths: ['models/v2', '..a/.b'] },
    { sourceSnapshot: '1708300800000-a3f7c1b2' },
  ])('Snapshot %#', async (spec) => {
    const made = await snapshot({ workspace: 'w', ...spec });
    expect(() => parseSnapshot(made)).not.toThrow();
  });
});

describe('immutable', () => {
  const patch = (spec: object) => client.mergePatch(workspaces, { namespace, name: 'w' }, { spec });

  test('what a volume can not change; storage only grows', async () => {
    await workspace({ storageClassName: 'a', initialSnapshot: 'i', storage: '10Gi' });
    await refused(patch({ storageClassName: 'b' }), 'spec.storageClassName');
    await refused(patch({ storageClassName: null }), 'spec.storageClassName');
    await refused(patch({ initialSnapshot: 'j' }), 'spec.initialSnapshot');
    await refused(patch({ accessModes: ['ReadWriteOnce'] }), 'spec.accessModes');
    await refused(patch({ storage: '9Gi' }), 'spec.storage');
    await refused(patch({ storage: 1e9 }), 'spec.storage');
    expect((await patch({ storage: '10240Mi' })).spec.storage).toBe('10240Mi');
    expect((await patch({ storage: 20_000_000_000, replicas: 0 })).spec.storage).toBe(20_000_000_000);
    await refused(patch({ storage: '18Gi' }), 'spec.storage');
  });

  test('everything of a Snapshot but pinned and deletionPolicy', async () => {
    const change = (spec: object) => client.mergePatch(snapshots, { namespace, name: 's' }, { spec });
    const full = {
      workspace: 'w',
      note: 'n',
      tags: ['a', 'b'],
      template: 'work',
      compression: { type: 'gzip' },
      partialPaths: ['a'],
      engine: 'copy',
      sourceSnapshot: 'p',
      snapshotID: '1795000000000-0a1b2c3d',
      restoreOnCreate: true,
      restoreWorktree: 'r',
      worktree: 'main',
    };
    const other = {
      workspace: 'x',
      note: 'm',
      tags: ['a'],
      template: 'release',
      compression: { level: 1 },
      partialPaths: ['b'],
      engine: 'reflink-copy',
      sourceSnapshot: 'q',
      snapshotID: '1795000000001-0a1b2c3d',
      restoreOnCreate: false,
      restoreWorktree: 's',
      worktree: 'side',
    };
    await snapshot(full);
    for (const [field, value] of Object.entries(other))
      await refused(change({ [field]: value }), `spec.${field}`);
    for (const field of ['note', 'tags', 'compression', 'engine', 'sourceSnapshot']) {
      await refused(change({ [field]: null }), `spec.${field}`);
    }
    const { spec } = await change({ pinned: true, deletionPolicy: 'Retain', tags: ['b', 'a'] });
    expect(spec).toMatchObject({ pinned: true, deletionPolicy: 'Retain' });

    await client.delete(snapshots, { namespace, name: 's' });
    await snapshot({ workspace: 'w' });
    for (const field of ['note', 'tags', 'compression', 'engine', 'sourceSnapshot', 'template'] as const) {
      await refused(change({ [field]: full[field] }), `spec.${field}`);
    }
  });
});

test('a Restore runs once: nothing of it but deletionPolicy can be changed', async () => {
  const made = await restore({
    workspace: 'w',
    snapshot: 's',
    newWorktree: 'side',
    deletionPolicy: 'Delete',
  });
  expect(made.spec).toEqual(parseRestore(made).spec);
  const change = (spec: object) => client.mergePatch(restores, { namespace, name: 'r' }, { spec });
  for (const spec of [
    { workspace: 'x' },
    { snapshot: 't' },
    { newWorktree: 'other' },
    { preRestoreSnapshot: false },
  ]) {
    await refused(change(spec), `spec.${Object.keys(spec)[0]}`, 'a restore runs once; make another Restore');
  }
  await refused(change({ snapshot: null, snapshotID: anId }), 'spec.snapshot');
  await refused(change({ newWorktree: null, worktree: 'main' }), 'spec.newWorktree');
  expect((await change({ deletionPolicy: 'Retain' })).spec.deletionPolicy).toBe('Retain');
});

const status = {
  phase: 'Ready',
  snapshotCount: 3,
  replicas: 2,
  readyReplicas: 2,
  selector: 'jvs.io/workspace=w',
  // As 26h for an hour, however long the first API server of a machine takes.
  lastSnapshotTime: new Date(Date.now() - 26 * 3_600_000).toISOString(),
  nextSnapshotTime: '2100-01-01T00:00:00Z',
  effectiveEngine: 'copy',
  usedBytes: 123,
  agent: { pod: 'jvs-w-0', node: 'n', version: '0.1.0', lastSeen: '2026-01-01T00:00:00Z' },
} as const;

test('scale: kubectl scale sets the replicas, and the subresource gives those there are and their selector', async () => {
  await workspace({ accessModes: ['ReadWriteMany'] });
  const ref = { namespace, name: 'w' };
  await client.applyStatus(workspaces, { metadata: ref, status }, { fieldManager: 'test' });
  await kubectl('scale', 'jvs/w', '--replicas', '5');
  expect((await client.get(workspaces, ref))?.spec.replicas).toBe(5);
  expect(JSON.parse(await kubectl('get', 'jvs/w', '--subresource', 'scale', '-o', 'json'))).toMatchObject({
    kind: 'Scale',
    spec: { replicas: 5 },
    status: { replicas: 2, selector: 'jvs.io/workspace=w' },
  });
  await expect(kubectl('scale', 'jvs/w', '--replicas', '-1')).rejects.toThrow();
});

test('a scale that the access modes do not allow is refused', async () => {
  await workspace({ accessModes: ['ReadWriteOnce'] });
  await expect(kubectl('scale', 'jvs/w', '--replicas', '2')).rejects.toThrow('spec.accessModes');
});

test('status: written only through its subresource, one condition a type, each with its own manager', async () => {
  const ref = { namespace, name: 'w' };
  const made = await workspace({});
  await client.mergePatch(workspaces, ref, { status: { phase: 'Ready' } });
  expect((await client.get(workspaces, ref))?.status).toBeUndefined();

  const conditionsOf = (type: string) =>
    setCondition([], { type, status: 'True', reason: 'Test', message: '' }, new Date());
  await client.applyStatus(
    workspaces,
    { metadata: ref, status: { phase: 'Ready', conditions: conditionsOf('Ready') } },
    { fieldManager: 'a' },
  );
  const { status, metadata } = await client.applyStatus(
    workspaces,
    { metadata: ref, status: { conditions: conditionsOf('Degraded') } },
    { fieldManager: 'b' },
  );
  expect(status?.phase).toBe('Ready');
  expect(status?.conditions?.map(({ type }) => type)).toEqual(['Ready', 'Degraded']);
  expect(metadata.generation).toBe(made.metadata.generation);
});

test('what kubectl get shows', async () => {
  await workspace({ storage: '20Gi' });
  await client.applyStatus(
    workspaces,
    { metadata: { namespace, name: 'w' }, status },
    { fieldManager: 'test' },
  );
  await snapshot({ workspace: 'w' });
  await client.applyStatus(
    snapshots,
    {
      metadata: { namespace, name: 's' },
      status: { phase: 'Ready', snapshotID: '1708300800000-a3f7c1b2', size: 42, origin: 'manual' },
    },
    { fieldManager: 'test' },
  );
  const cells = async (...args: string[]) =>
    (await kubectl('get', ...args))
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((line) => line.trim().split(/ {2,}/));

  expect(await cells('jvs')).toEqual([
    ['NAME', 'STATUS', 'SNAPSHOTS', 'LAST', 'NEXT', 'AGE'],
    ['w', 'Ready', '3', '26h', '2100-01-01T00:00:00Z', expect.stringMatching(/^\d+s$/)],
  ]);
  expect(await cells('jvs,jvssnap', '-o', 'wide')).toEqual([
    [
      ...['NAME', 'STATUS', 'SNAPSHOTS', 'LAST', 'NEXT', 'AGE'],
      ...['ENGINE', 'AGENT', 'AGENTVERSION', 'USED', 'VOLUME'],
    ],
    expect.arrayContaining(['workspace.jvs.io/w', 'copy', 'jvs-w-0', '123', '20Gi']),
    ['NAME', 'WORKSPACE', 'STATUS', 'SNAPSHOTID', 'SIZE', 'ORIGIN', 'AGE'],
    ['snapshot.jvs.io/s', 'w', 'Ready', '1708300800000-a3f7c1b2', '42', 'manual', expect.any(String)],
  ]);
  expect((await kubectl('get', 'jvs-all', '-o', 'name')).trim().split('\n').sort()).toEqual([
    'snapshot.jvs.io/s',
    'workspace.jvs.io/w',
  ]);
});

test('kubectl explain says what a field means', async () => {
  expect(await kubectl('explain', 'jvs.spec.autoSnapshot')).toContain('Snapshots by schedule');
});
