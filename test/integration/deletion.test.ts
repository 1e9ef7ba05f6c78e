// What goes when a resource is deleted, what stays, and that nothing hangs.
import { beforeEach, expect, test, vi } from 'vitest';
import { type Restore, restores } from '../../operator/api/restore.ts';
import { type Snapshot, snapshots } from '../../operator/api/snapshot.ts';
import { type Workspace, workspaces } from '../../operator/api/workspace.ts';
import type { ConnectedAgent } from '../../operator/link/agents.ts';
import { agentOf, idAt, onDisk, statusOf } from '../../operator/mirror/testing.ts';
import { events, namespaces, pvcs } from '../../operator/runtime/resources.ts';
import type { SnapshotRemoved } from '../../shared/proto/gen/jvs/link/v1/SnapshotRemoved.ts';
import { admin, agents, controllers, namespace, resumeControllers, useControllers } from './controllers.ts';

const within = { timeout: 40_000, interval: 50 };
let key: string;

useControllers('deletion');
beforeEach(async () => {
  key = `${namespace}/ws`;
  await createWorkspace();
});

async function createWorkspace(spec: object = {}): Promise<void> {
  const object = { metadata: { namespace, name: 'ws' }, spec } as Workspace;
  const { metadata } = await vi.waitFor(() => admin.create(workspaces, object), within);
  const { informers } = controllers;
  await vi.waitFor(() => {
    // Of one that is gone the agents are forgotten: what a test lets them say before is lost.
    expect(informers.workspaces.get(key)?.metadata.uid).toBe(metadata.uid);
    expect(informers.claims.get(`${namespace}/jvs-ws`)).toBeDefined();
  }, within);
}

const workspace = () => admin.get(workspaces, { namespace, name: 'ws' });
const snapshot = (name: string) => admin.get(snapshots, { namespace, name });
const restore = (name: string) => admin.get(restores, { namespace, name });
const names = async () =>
  (await admin.list(snapshots, { namespace })).items.map(({ metadata }) => metadata.name).sort();
const remove = (name: string) => admin.delete(snapshots, { namespace, name });
const desired = () => agents.desired.get(key);

/** The n-th snapshot was made for a Snapshot of the name, which is Ready when this resolves. */
async function taken(all: string[], spec: object = {}): Promise<Snapshot[]> {
  const resources: Snapshot[] = [];
  for (const name of all) {
    const object = { metadata: { namespace, name }, spec: { workspace: 'ws', ...spec } } as Snapshot;
    resources.push(await admin.create(snapshots, object));
  }
  const uids = resources.map(({ metadata }) => metadata.uid ?? '');
  await vi.waitFor(
    () =>
      expect(
        desired()
          ?.snapshots.map(({ uid }) => uid)
          .sort(),
      ).toEqual([...uids].sort()),
    within,
  );
  agents.set(key, agentOf(uids.map((requestUid, n) => onDisk(n, { requestUid }))), uids);
  await vi.waitFor(async () => {
    for (const name of all) expect((await snapshot(name))?.status?.phase).toBe('Ready');
    expect((await workspace())?.status?.repositoryID).toBe('r1');
  }, within);
  return resources;
}

/** The agent has deleted these. */
function gone(ns: number[], more: Partial<ConnectedAgent> = {}): void {
  const agent = agents.primary(key);
  const left = [...(agent?.snapshots.values() ?? [])].filter(({ id }) => !ns.map(idAt).includes(id));
  agents.set(key, agentOf(left, { ...more }));
}

test('Delete: the data goes first, then the Snapshot, and nothing shows it again', async () => {
  const [{ metadata } = { metadata: { uid: '' } }] = await taken(['one', 'two']);
  expect((await snapshot('one'))?.metadata.finalizers).toEqual(['jvs.io/snapshot']);
  await remove('one');
  await vi.waitFor(
    () => expect(desired()?.deletions).toEqual([{ uid: metadata.uid, snapshotId: idAt(0) }]),
    within,
  );
  expect((await snapshot('one'))?.status).toMatchObject({ phase: 'Expiring' });
  gone([0]);
  await vi.waitFor(async () => expect(await names()).toEqual(['two']), within);
  await vi.waitFor(() => expect(desired()?.deletions).toEqual([]), within);
});

test('Retain: it goes at once, its data stays and is shown again; so it is when the policy changes while it waits', async () => {
  await taken(['kept', 'changed']);
  await admin.mergePatch(snapshots, { namespace, name: 'kept' }, { spec: { deletionPolicy: 'Retain' } });
  await vi.waitFor(async () => expect((await snapshot('kept'))?.metadata.finalizers).toBeUndefined(), within);
  await remove('kept');
  await vi.waitFor(async () => expect(await names()).toEqual(['changed', `ws-${idAt(0)}`]), within);

  agents.set(key, undefined);
  await remove('changed');
  await vi.waitFor(() => expect(desired()?.deletions).toHaveLength(1), within);
  await vi.waitFor(async () => {
    const deleting = (await snapshot('changed'))?.status?.conditions?.find(({ type }) => type === 'Deleting');
    expect(deleting).toMatchObject({ reason: 'WaitingForAgent', message: expect.stringContaining('Retain') });
  }, within);
  await admin.mergePatch(snapshots, { namespace, name: 'changed' }, { spec: { deletionPolicy: 'Retain' } });
  await vi.waitFor(async () => expect(await snapshot('changed')).toBeUndefined(), within);
  await vi.waitFor(() => expect(desired()?.deletions).toEqual([]), within);
});

test('a request that is deleted before it was made is called back; one that is being taken is deleted when it is there', async () => {
  agents.set(key, agentOf([]));
  const object = (name: string) => ({ metadata: { namespace, name }, spec: { workspace: 'ws' } }) as Snapshot;
  await admin.create(snapshots, object('early'));
  await vi.waitFor(() => expect(desired()?.snapshots).toHaveLength(1), within);
  await remove('early');
  await vi.waitFor(() => expect(desired()?.snapshots).toEqual([]), within);
  await vi.waitFor(async () => expect(await snapshot('early')).toBeUndefined(), within);

  const { metadata } = await admin.create(snapshots, object('running'));
  const uid = metadata.uid ?? '';
  await vi.waitFor(() => expect(desired()?.snapshots).toHaveLength(1), within);
  const update = {
    uid,
    phase: 'PHASE_IN_PROGRESS',
    reason: '',
    message: '',
    bytesDone: 1,
    bytesTotal: 2,
  } as const;
  agents.set(key, agentOf([], { requests: new Map([[uid, { ...update, preRestoreSnapshotId: '' }]]) }), [
    uid,
  ]);
  await vi.waitFor(async () => expect((await snapshot('running'))?.status?.phase).toBe('InProgress'), within);
  await remove('running');
  await vi.waitFor(async () => {
    const { conditions } = (await snapshot('running'))?.status ?? {};
    expect(conditions?.find(({ type }) => type === 'Deleting')?.reason).toBe('BeingTaken');
  }, within);
  expect(desired()?.snapshots).toHaveLength(1);
  agents.set(key, agentOf([onDisk(0, { requestUid: uid })]), [uid]);
  await vi.waitFor(() => expect(desired()?.deletions).toEqual([{ uid, snapshotId: idAt(0) }]), within);
  gone([0]);
  await vi.waitFor(async () => expect(await names()).toEqual([]), within);
});

test('data that another Snapshot stands for stays with that one', async () => {
  await taken(['one']);
  const spec = { workspace: 'ws', snapshotID: idAt(0), pinned: true };
  await admin.create(snapshots, { metadata: { namespace, name: 'shown' }, spec } as Snapshot);
  await vi.waitFor(async () => expect((await snapshot('shown'))?.status?.phase).toBe('Ready'), within);
  await remove('one');
  await vi.waitFor(async () => expect(await names()).toEqual(['shown']), within);
  expect(desired()?.deletions).toEqual([]);
});

test('an operator that is started again goes on with a deletion', async () => {
  await taken(['one']);
  await controllers.stop();
  await remove('one');
  gone([]);
  agents.desired.clear();
  await resumeControllers();
  await vi.waitFor(() => expect(desired()?.deletions).toMatchObject([{ snapshotId: idAt(0) }]), within);
  gone([0]);
  await vi.waitFor(async () => expect(await names()).toEqual([]), within);
});

test('a mass deletion is held, says so, and goes on when it is confirmed', async () => {
  const all = Array.from({ length: 12 }, (_, n) => `s${String(n).padStart(2, '0')}`);
  await taken(all);
  await Promise.all(all.map(remove));
  await vi.waitFor(async () => {
    const degraded = (await workspace())?.status?.conditions?.find(({ type }) => type === 'Degraded');
    expect(degraded).toMatchObject({ status: 'True', reason: 'MassDeletionHeld' });
    expect(degraded?.message).toContain('12 Snapshots');
    const { items } = await admin.list(events, { namespace });
    expect(items.filter(({ reason }) => reason === 'MassDeletionHeld')).toHaveLength(1);
  }, within);
  expect(desired()?.deletions).toEqual([]);
  expect(await names()).toEqual(all);

  const annotations = { 'jvs.io/allow-mass-delete': 'true' };
  await admin.mergePatch(workspaces, { namespace, name: 'ws' }, { metadata: { annotations } });
  await vi.waitFor(() => expect(desired()?.deletions).toHaveLength(12), within);
  gone(all.map((_, n) => n));
  await vi.waitFor(async () => {
    expect(await names()).toEqual([]);
    const degraded = (await workspace())?.status?.conditions?.find(({ type }) => type === 'Degraded');
    expect(degraded?.status).toBe('False');
  }, within);
});

test('ten go, and the eleventh within the minute is held, whatever time the agent has', async () => {
  const all = Array.from({ length: 11 }, (_, n) => `s${String(n).padStart(2, '0')}`);
  const resources = await taken(all);
  const left = [...(agents.primary(key)?.snapshots.values() ?? [])];
  await Promise.all(all.slice(0, 10).map(remove));
  await vi.waitFor(() => expect(desired()?.deletions).toHaveLength(10), within);
  const removed = new Map<string, SnapshotRemoved>();
  for (const { metadata } of resources.slice(0, 10)) {
    const id = left.shift()?.id ?? '';
    // Years before.
    removed.set(id, { id, reason: 'Deleted', message: '', time: { seconds: 1_600_000_000, nanos: 0 } });
    agents.set(key, agentOf(left, { removed: new Map(removed) }));
    await vi.waitFor(async () => expect(await snapshot(metadata.name)).toBeUndefined(), within);
  }
  await remove('s10');
  await vi.waitFor(async () => {
    const deleting = (await snapshot('s10'))?.status?.conditions?.find(({ type }) => type === 'Deleting');
    expect(deleting?.reason).toBe('MassDeletionHeld');
  }, within);
  expect(desired()?.deletions).toEqual([]);
});

test('a Workspace goes with its resources and without its data; applied again it shows what is there', async () => {
  const [{ metadata } = { metadata: { uid: '' } }] = await taken(['one', 'two']);
  const spec = { workspace: 'ws', snapshot: 'one', newWorktree: 'side', deletionPolicy: 'Delete' };
  await admin.create(restores, { metadata: { namespace, name: 'fork' }, spec } as Restore);
  await vi.waitFor(() => expect(desired()?.restores).toHaveLength(1), within);
  const asked = new Set<string>();
  agents.onChange(() => {
    for (const { snapshotId, worktree } of desired()?.deletions ?? [])
      asked.add(snapshotId ?? worktree ?? '');
  });
  await admin.delete(workspaces, { namespace, name: 'ws' });
  await vi.waitFor(async () => {
    expect(await workspace()).toBeUndefined();
    expect(await names()).toEqual([]);
    expect(await restore('fork')).toBeUndefined();
  }, within);
  expect([...asked]).toEqual([]);
  expect((await admin.get(pvcs, { namespace, name: 'jvs-ws' }))?.metadata.deletionTimestamp).toBeUndefined();

  await createWorkspace();
  agents.set(key, agentOf([onDisk(0, { requestUid: metadata.uid }), onDisk(1)]));
  await vi.waitFor(async () => expect(await names()).toEqual([`ws-${idAt(0)}`, `ws-${idAt(1)}`]), within);
});

test('with no Workspace, and in a namespace that ends, nothing is deleted and nothing hangs', async () => {
  await taken(['one']);
  agents.set(key, undefined);
  const orphan = { metadata: { namespace, name: 'orphan' }, spec: { workspace: 'none' } } as Snapshot;
  await admin.create(snapshots, orphan);
  await vi.waitFor(
    async () => expect((await snapshot('orphan'))?.metadata.finalizers).toHaveLength(1),
    within,
  );
  await remove('orphan');
  await vi.waitFor(async () => expect(await snapshot('orphan')).toBeUndefined(), within);

  await admin.delete(namespaces, { name: namespace });
  await remove('one');
  await vi.waitFor(async () => expect(await snapshot('one')).toBeUndefined(), within);
  expect(desired()?.deletions).toEqual([]);
  expect((await workspace())?.metadata.deletionTimestamp).toBeUndefined();
});

test("a backup's copy of the finalizer does not hold a Snapshot up", async () => {
  await controllers.stop();
  const finalizers = ['jvs.io/snapshot'];
  const object = {
    metadata: { namespace, name: 'copy', finalizers },
    spec: { workspace: 'none' },
  } as Snapshot;
  await admin.create(snapshots, object);
  await resumeControllers();
  await remove('copy');
  await vi.waitFor(async () => expect(await snapshot('copy')).toBeUndefined(), within);
});

test("nor a Workspace's", async () => {
  const copy = { namespace, name: 'copy', finalizers: ['jvs.io/workspace'] };
  await admin.create(workspaces, { metadata: copy, spec: {} } as Workspace);
  await vi.waitFor(async () => expect((await admin.get(workspaces, copy))?.status).toBeDefined(), within);
  await admin.delete(workspaces, copy);
  await vi.waitFor(async () => expect(await admin.get(workspaces, copy)).toBeUndefined(), within);
});

test('the worktree that a Restore made goes with it where its policy says so', async () => {
  await taken(['one']);
  const make = (name: string, more: object) =>
    admin.create(restores, {
      metadata: { namespace, name },
      spec: { workspace: 'ws', snapshot: 'one', newWorktree: name, ...more },
    } as Restore);
  const { metadata } = await make('fork', { deletionPolicy: 'Delete' });
  await make('stays', {});
  await vi.waitFor(() => expect(desired()?.restores).toHaveLength(2), within);
  const worktrees = ['main', 'fork', 'stays'].map((name) => ({
    name,
    baseSnapshotId: name === 'main' ? '' : idAt(0),
    headSnapshotId: idAt(0),
    latestSnapshotId: idAt(0),
    createdAt: null,
  }));
  const uids = desired()?.restores?.map(({ uid }) => uid) ?? [];
  const done = { phase: 'PHASE_DONE', reason: '', message: '', bytesDone: 9, bytesTotal: 9 } as const;
  const requests = new Map(uids.map((uid) => [uid, { ...done, uid, preRestoreSnapshotId: '' }]));
  const own = [...(agents.primary(key)?.snapshots.values() ?? [])];
  agents.set(key, agentOf(own, { requests, status: statusOf({ worktrees }) }), uids);
  await vi.waitFor(async () => {
    for (const name of ['fork', 'stays']) expect((await restore(name))?.status?.phase).toBe('Completed');
    expect((await workspace())?.status?.worktrees).toEqual([
      { name: 'main', head: idAt(0), latest: idAt(0) },
      { name: 'fork', base: idAt(0), head: idAt(0), latest: idAt(0) },
      { name: 'stays', base: idAt(0), head: idAt(0), latest: idAt(0) },
    ]);
  }, within);

  for (const name of ['fork', 'stays']) await admin.delete(restores, { namespace, name });
  await vi.waitFor(
    () => expect(desired()?.deletions).toEqual([{ uid: metadata.uid, worktree: 'fork' }]),
    within,
  );
  expect(await restore('stays')).toBeUndefined();
  const left = worktrees.filter(({ name }) => name !== 'fork');
  agents.set(key, agentOf(own, { status: statusOf({ worktrees: left }) }));
  await vi.waitFor(async () => expect(await restore('fork')).toBeUndefined(), within);
});
