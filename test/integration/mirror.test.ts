// What the operator shows of volumes: which Snapshots there are, in which order they came, and what became of them.

import { Registry } from 'prom-client';
import { afterEach, expect, test, vi } from 'vitest';
import { type Snapshot, snapshots } from '../../operator/api/snapshot.ts';
import { type Workspace, workspaces } from '../../operator/api/workspace.ts';
import { quietLog } from '../../operator/link/testing.ts';
import { createMeters } from '../../operator/metrics.ts';
import { createMirrorController } from '../../operator/mirror/controller.ts';
import { agentOf, FakeAgents, idAt, onDisk, statusOf } from '../../operator/mirror/testing.ts';
import { EventRecorder } from '../../operator/runtime/events.ts';
import { events as eventResource, namespaces } from '../../operator/runtime/resources.ts';
import { admin, type Controllers, client, startControllers, useServer } from './controllers.ts';

const within = { timeout: 40_000, interval: 50 };
const log = quietLog();
let agents: FakeAgents;
let controllers: Controllers;

useServer();
afterEach(() => controllers?.stop());

async function startOperator(historyLimit?: number): Promise<void> {
  controllers = await startControllers(client, agents, historyLimit);
}

/** Names of the first `count` that were made since, in the order in which they were. */
async function addedIn(namespace: string, resourceVersion: string, count: number): Promise<string[]> {
  const added: string[] = [];
  const options = { namespace, resourceVersion, timeoutSeconds: 120, idleTimeoutMs: 120_000 };
  const signal = AbortSignal.timeout(120_000);
  for await (const { type, object } of admin.watch(snapshots, { ...options, signal })) {
    if (type === 'ADDED') added.push(object.metadata.name);
    if (added.length === count) break;
  }
  return added;
}

let made = 0;
/** A Workspace in a namespace of its own. */
async function setUp(historyLimit?: number): Promise<string> {
  made += 1;
  const namespace = `mirror-${made}`;
  await admin.create(namespaces, { metadata: { name: namespace } });
  await vi.waitFor(
    () => admin.create(workspaces, { metadata: { namespace, name: 'ws' }, spec: {} } as Workspace),
    within,
  );
  agents = new FakeAgents();
  await startOperator(historyLimit);
  return namespace;
}

async function shown(namespace: string): Promise<Snapshot[]> {
  const { items } = await admin.list(snapshots, { namespace });
  return items.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
}
const names = async (namespace: string) => (await shown(namespace)).map(({ metadata }) => metadata.name);
const mirrors = (...ns: number[]) => ns.map((n) => `ws-${idAt(n)}`);
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const see = (namespace: string, ns: number[], more: Parameters<typeof agentOf>[1] = {}) =>
  agents.set(
    `${namespace}/ws`,
    agentOf(
      ns.map((n) => onDisk(n)),
      more,
    ),
  );
const workspaceOf = (namespace: string) => admin.get(workspaces, { namespace, name: 'ws' });
const degraded = async (namespace: string) =>
  (await workspaceOf(namespace))?.status?.conditions?.find(({ type }) => type === 'Degraded');
async function eventsOf(namespace: string, reason: string) {
  const { items } = await admin.list(eventResource, { namespace });
  return items.filter((event) => event.reason === reason);
}

async function createSnapshot(namespace: string, name: string, spec: object = {}): Promise<Snapshot> {
  return admin.create(snapshots, {
    metadata: { namespace, name },
    spec: { workspace: 'ws', ...spec },
  } as Snapshot);
}

test('each of many is written once', async () => {
  const namespace = await setUp();
  see(namespace, range(0, 100));
  await vi.waitFor(async () => {
    const all = await shown(namespace);
    expect(all.filter(({ status }) => status?.phase === 'Ready')).toHaveLength(100);
  }, within);
  // It counts a write when it has been answered, which may be later than others can read it.
  await vi.waitFor(async () => {
    const writes = await controllers.registry.getSingleMetric('jvs_operator_status_writes_total')?.get();
    expect(writes?.values.find(({ labels }) => labels.kind === 'Snapshot')?.value).toBe(100);
  }, within);
});

test('snapshots that nobody asked for are shown, Ready, in the order in which they were made', async () => {
  const namespace = await setUp();
  const { metadata } = await admin.list(snapshots, { namespace });
  const note = 'ü'.repeat(20_000);
  const odd = onDisk(2, {
    note,
    tags: ['ok', 'ok', 'k8s-x', 'x'.repeat(65)],
    origin: 'discovered',
    keepReasons: ['pinned'],
  });
  agents.set(`${namespace}/ws`, agentOf([odd, onDisk(0), onDisk(1)]));
  await vi.waitFor(async () => {
    const all = await shown(namespace);
    expect(all.map(({ status }) => status?.phase)).toEqual(['Ready', 'Ready', 'Ready']);
  }, within);
  const all = await shown(namespace);
  expect(all.map(({ metadata }) => metadata.name)).toEqual(mirrors(0, 1, 2));
  expect(await addedIn(namespace, metadata.resourceVersion, 3)).toEqual(mirrors(0, 1, 2));
  const workspace = await workspaceOf(namespace);
  expect(all[2]).toMatchObject({
    metadata: {
      labels: { 'jvs.io/workspace': 'ws', 'jvs.io/origin': 'discovered' },
      ownerReferences: [{ kind: 'Workspace', name: 'ws', uid: workspace?.metadata.uid }],
    },
    spec: { snapshotID: idAt(2), tags: ['ok'], worktree: 'main', deletionPolicy: 'Retain' },
    status: {
      snapshotID: idAt(2),
      origin: 'discovered',
      keepReasons: ['pinned'],
      integrityState: 'verified',
    },
  });
  expect(all[2]?.spec.note).toBe('ü'.repeat(16_384));
  expect(agents.desired.get(`${namespace}/ws`)?.snapshots).toEqual([]);
});

test('one that was asked for has its own resource and no second; without that it is shown', async () => {
  const namespace = await setUp();
  const { metadata } = await createSnapshot(namespace, 'mine', { deletionPolicy: 'Retain' });
  agents.set(
    `${namespace}/ws`,
    agentOf([onDisk(0, { requestUid: metadata.uid, origin: 'manual' }), onDisk(1)]),
    [metadata.uid ?? ''],
  );
  await vi.waitFor(async () => {
    expect((await shown(namespace)).map(({ status }) => status?.phase)).toEqual(['Ready', 'Ready']);
  }, within);
  expect(await names(namespace)).toEqual(['mine', ...mirrors(1)]);
  await admin.delete(snapshots, { namespace, name: 'mine' });
  await vi.waitFor(async () => expect(await names(namespace)).toEqual(mirrors(0, 1)), within);
});

test('the newest are shown; what users made or pinned stays, and one that a user deletes comes back', async () => {
  const namespace = await setUp(3);
  see(namespace, range(0, 5));
  await vi.waitFor(async () => expect(await names(namespace)).toEqual(mirrors(2, 3, 4)), within);
  await admin.mergePatch(snapshots, { namespace, name: `ws-${idAt(2)}` }, { spec: { pinned: true } });
  await createSnapshot(namespace, 'older', { snapshotID: idAt(0), pinned: true });
  await vi.waitFor(
    () => expect(agents.desired.get(`${namespace}/ws`)?.pinned).toEqual([idAt(0), idAt(2)]),
    within,
  );
  see(namespace, range(0, 8));
  await vi.waitFor(
    async () => expect(await names(namespace)).toEqual(['older', ...mirrors(2, 5, 6, 7)]),
    within,
  );
  await admin.delete(snapshots, { namespace, name: `ws-${idAt(6)}` });
  await vi.waitFor(
    async () => expect(await names(namespace)).toEqual(['older', ...mirrors(2, 5, 6, 7)]),
    within,
  );
  expect(await eventsOf(namespace, 'RemovedFromVolume')).toEqual([]);
});

test('no edit makes a request of one that is shown', async () => {
  const namespace = await setUp();
  see(namespace, [0]);
  await vi.waitFor(async () => expect((await shown(namespace))[0]?.status?.phase).toBe('Ready'), within);
  const ref = { namespace, name: `ws-${idAt(0)}` };
  await expect(admin.mergePatch(snapshots, ref, { spec: { snapshotID: null } })).rejects.toThrow('immutable');
  await admin.mergePatch(snapshots, ref, { metadata: { labels: null, ownerReferences: null } });
  await admin.mergePatch(snapshots, ref, { status: null }, { subresource: 'status' });
  await createSnapshot(namespace, 'unknown', { snapshotID: idAt(77) });
  await vi.waitFor(async () => {
    const all = await shown(namespace);
    expect(all.find(({ metadata }) => metadata.name === 'unknown')?.status?.conditions?.[0]?.reason).toBe(
      'NotOnVolume',
    );
    expect(all.find(({ metadata }) => metadata.name === ref.name)?.status?.phase).toBe('Ready');
  }, within);
  expect(agents.desired.get(`${namespace}/ws`)?.snapshots).toEqual([]);
});

test('what retention pruned goes, a user-made one too, with an event; so does what was removed by hand', async () => {
  const namespace = await setUp();
  const { metadata } = await createSnapshot(namespace, 'mine');
  const own = onDisk(0, { requestUid: metadata.uid });
  agents.set(`${namespace}/ws`, agentOf([own, ...[1, 2, 3].map((n) => onDisk(n))]), [metadata.uid ?? '']);
  // In the operator's eyes, which may lag behind the API server: an unfinished request has nothing to lose.
  const ready = () =>
    controllers.informers.snapshots
      .byIndex('workspace', `${namespace}/ws`)
      .filter(({ status }) => status?.phase === 'Ready');
  await vi.waitFor(() => expect(ready()).toHaveLength(4), within);
  const removed = new Map(
    [0, 1].map((n) => [
      idAt(n),
      { id: idAt(n), time: null, reason: 'Pruned', message: 'not kept by retentionPolicy' },
    ]),
  );
  see(namespace, [3], { removed });
  await vi.waitFor(async () => expect(await names(namespace)).toEqual(mirrors(3)), within);
  await vi.waitFor(async () => {
    const [pruned, ...more] = await eventsOf(namespace, 'Pruned');
    expect(more).toEqual([]);
    expect(pruned?.note).toBe(
      `Snapshots mine (${idAt(0)}), ws-${idAt(1)} (${idAt(1)}): not kept by retentionPolicy`,
    );
    const [byHand] = await eventsOf(namespace, 'RemovedFromVolume');
    expect(byHand).toMatchObject({ type: 'Warning', note: expect.stringContaining(idAt(2)) });
  }, within);
});

test('what has gone is said and counted once, however old the cache', async () => {
  const namespace = await setUp();
  see(namespace, [0, 1]);
  await vi.waitFor(async () => expect(await names(namespace)).toEqual(mirrors(0, 1)), within);
  const { informers } = controllers;
  await vi.waitFor(() => expect(informers.snapshots.list(namespace)).toHaveLength(2), within);
  const stale = informers.snapshots.list(namespace);
  await controllers.stop();
  const cache = {
    workspaces: informers.workspaces,
    claims: informers.claims,
    snapshots: Object.assign(Object.create(informers.snapshots), {
      byIndex: () => stale,
      onChange: () => {},
    }),
  };
  const removed = new Map([[idAt(0), { id: idAt(0), time: null, reason: 'Pruned', message: 'why' }]]);
  see(namespace, [1], { removed });
  const stop = new AbortController();
  const registry = new Registry();
  const events = new EventRecorder(client, { controller: 'jvs.io/operator', instance: 'test', log });
  const meters = createMeters(registry);
  const mirror = createMirrorController({
    client,
    informers: cache,
    agents,
    events,
    historyLimit: 100,
    meters,
    log,
  });
  const running = Promise.all([events, mirror].map((runner) => runner.start(stop.signal)));
  controllers = {
    ...controllers,
    stop: async () => {
      stop.abort();
      await running;
    },
  };
  await vi.waitFor(async () => expect(await names(namespace)).toEqual(mirrors(1)), within);
  // Another pass that still sees it, and after it one that shows something new.
  mirror.enqueue(`${namespace}/ws`);
  see(namespace, [1, 2], { removed });
  await vi.waitFor(async () => expect(await names(namespace)).toEqual(mirrors(1, 2)), within);
  await vi.waitFor(async () => expect(await eventsOf(namespace, 'Pruned')).toHaveLength(1), within);
  expect(await registry.metrics()).toMatch(/snapshots_removed_total\{reason="Pruned"\} 1$/m);
});

test('nothing goes because an agent is gone, has not told everything, has a problem or another repository', async () => {
  const namespace = await setUp();
  see(namespace, [0, 1]);
  await vi.waitFor(async () => expect(await names(namespace)).toEqual(mirrors(0, 1)), within);
  const before = await names(namespace);
  const untold = { inventoryComplete: false };
  const problem = {
    status: statusOf({ problem: 'can not read the disk', problemReason: 'DamagedRepository' }),
  };
  for (const more of [untold, problem]) {
    see(namespace, [], more);
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    expect(await names(namespace)).toEqual(before);
  }
  agents.set(`${namespace}/ws`, undefined);
  see(namespace, [9], { status: statusOf({ repositoryId: 'r2' }) });
  await vi.waitFor(
    async () => expect(await degraded(namespace)).toMatchObject({ reason: 'RepositoryChanged' }),
    within,
  );
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  expect(await names(namespace)).toEqual(before);
  // A person gives the old one up.
  await admin.mergePatch(
    workspaces,
    { namespace, name: 'ws' },
    { metadata: { annotations: { 'jvs.io/repository': 'r2' } } },
  );
  await vi.waitFor(async () => expect(await names(namespace)).toEqual(mirrors(9)), within);
  await vi.waitFor(async () => expect(await degraded(namespace)).toMatchObject({ status: 'False' }), within);
});

test('a damaged snapshot is Failed and stays, and the Workspace says so', async () => {
  const namespace = await setUp();
  see(namespace, [0, 1]);
  await vi.waitFor(
    async () =>
      expect((await shown(namespace)).map(({ status }) => status?.phase)).toEqual(['Ready', 'Ready']),
    within,
  );
  see(namespace, [0, 1], { status: statusOf({ damaged: [idAt(0)] }) });
  await vi.waitFor(async () => {
    const [first, second] = await shown(namespace);
    expect(first?.status).toMatchObject({ phase: 'Failed', integrityState: 'tampered' });
    expect(first?.status?.conditions?.[0]).toMatchObject({ status: 'False', reason: 'SnapshotDamaged' });
    expect(second?.status?.phase).toBe('Ready');
    expect(await degraded(namespace)).toMatchObject({ status: 'True', reason: 'SnapshotDamaged' });
    expect(await eventsOf(namespace, 'SnapshotDamaged')).toHaveLength(2);
  }, within);
  expect(agents.desired.get(`${namespace}/ws`)?.snapshots).toEqual([]);
});

test('an operator that was away catches up: everything once, in order; notices are told once', async () => {
  const namespace = await setUp();
  const notice = (n: number) => ({
    id: `n${n}`,
    time: { seconds: 1_795_000_000 + n, nanos: 0 },
    warning: true,
    reason: 'SnapshotMissed',
    message: `missed ${n}`,
  });
  const notices = (...ns: number[]) => new Map(ns.map((n) => [`n${n}`, notice(n)]));
  see(namespace, [0], { notices: notices(0) });
  await vi.waitFor(async () => {
    expect(await names(namespace)).toEqual(mirrors(0));
    expect(await eventsOf(namespace, 'SnapshotMissed')).toHaveLength(1);
  }, within);
  await controllers.stop();
  const { metadata } = await admin.list(snapshots, { namespace });
  see(namespace, [3, 1, 0, 2], { notices: notices(2, 0, 1) });
  await startOperator();
  await vi.waitFor(async () => {
    expect((await shown(namespace)).map(({ status }) => status?.phase)).toEqual([
      'Ready',
      'Ready',
      'Ready',
      'Ready',
    ]);
    const told = await eventsOf(namespace, 'SnapshotMissed');
    expect(told.map(({ note, series }) => [note, series]).sort()).toEqual([
      ['missed 0', undefined],
      ['missed 1', undefined],
      ['missed 2', undefined],
    ]);
  }, within);
  expect(await addedIn(namespace, metadata.resourceVersion, 3)).toEqual(mirrors(1, 2, 3));
  const resources = await shown(namespace);
  await controllers.stop();
  await startOperator();
  see(namespace, [0, 1, 2, 3, 4], { notices: notices(0, 1, 2) });
  await vi.waitFor(async () => expect(await names(namespace)).toEqual(mirrors(0, 1, 2, 3, 4)), within);
  // Nothing was written to those that had not changed.
  expect((await shown(namespace)).slice(0, 4)).toEqual(resources);
  expect(await eventsOf(namespace, 'SnapshotMissed')).toHaveLength(3);
});

test('a burst is a few writes: no status more than once a second, none when nothing changed', async () => {
  const namespace = await setUp();
  see(namespace, [0]);
  await vi.waitFor(
    async () => expect((await workspaceOf(namespace))?.status?.repositoryID).toBe('r1'),
    within,
  );
  const stop = new AbortController();
  /** What each write left. */
  const written: Workspace[] = [];
  const { metadata } = await admin.list(workspaces, { namespace });
  const watching = (async () => {
    const options = {
      namespace,
      resourceVersion: metadata.resourceVersion,
      timeoutSeconds: 60,
      idleTimeoutMs: 60_000,
    };
    for await (const { object } of admin.watch(workspaces, { ...options, signal: stop.signal }))
      written.push(object);
  })().catch(() => {});
  const started = Date.now();
  for (let n = 1; n <= 300; n++) {
    see(namespace, [0], { status: statusOf({ snapshotCount: n }) });
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await vi.waitFor(() => expect(written.at(-1)?.status?.snapshotCount).toBe(300), within);
  const seconds = (Date.now() - started) / 1000;
  expect(written.length).toBeLessThanOrEqual(Math.ceil(seconds) + 1);
  written.length = 0;
  for (let n = 0; n < 50; n++)
    see(namespace, [0], { status: statusOf({ snapshotCount: 300 }), lastSeen: new Date() });
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(written).toEqual([]);
  stop.abort();
  await watching;
});

test('thousands at first are a window of them, and the rest of the operator goes on', async () => {
  const namespace = await setUp();
  see(namespace, range(0, 3000));
  const { metadata } = await createSnapshot(namespace, 'mine');
  await vi.waitFor(
    () =>
      expect(agents.desired.get(`${namespace}/ws`)?.snapshots.map(({ uid }) => uid)).toEqual([metadata.uid]),
    within,
  );
  await vi.waitFor(
    async () => expect(await names(namespace)).toEqual(['mine', ...mirrors(...range(2900, 3000))]),
    within,
  );
});
