// What becomes of Restores, as agents tell it.
import { beforeEach, expect, test, vi } from 'vitest';
import { type Restore, restores } from '../../operator/api/restore.ts';
import { type Snapshot, snapshots } from '../../operator/api/snapshot.ts';
import { type Workspace, workspaces } from '../../operator/api/workspace.ts';
import { agentOf, idAt, onDisk } from '../../operator/mirror/testing.ts';
import { events, pods } from '../../operator/runtime/resources.ts';
import type { RequestUpdate } from '../../shared/proto/gen/jvs/link/v1/RequestUpdate.ts';
import { admin, agents, controllers, namespace, resumeControllers, useControllers } from './controllers.ts';

const within = { timeout: 40_000, interval: 50 };
const disk = [0, 1].map((n) => onDisk(n));
let key: string;

useControllers('restore', () => {
  key = `${namespace}/ws`;
  agents.set(key, agentOf(disk));
});
beforeEach(async () => {
  const object = { metadata: { namespace, name: 'ws' }, spec: { finalSnapshot: true } } as Workspace;
  await vi.waitFor(() => admin.create(workspaces, object), within);
});

const desired = () => agents.desired.get(key);
const restore = (name: string) => admin.get(restores, { namespace, name });
const make = (name: string, spec: object) =>
  admin.create(restores, { metadata: { namespace, name }, spec: { workspace: 'ws', ...spec } } as Restore);
const say = (update: Partial<RequestUpdate> & { uid: string }, on = disk) => {
  const whole = {
    ...{ phase: 'PHASE_IN_PROGRESS', reason: '', message: '', bytesDone: 0, bytesTotal: 0 },
    ...{ preRestoreSnapshotId: '', ...update },
  } as RequestUpdate;
  agents.set(key, agentOf(on, { requests: new Map([[update.uid, whole]]) }), [update.uid]);
};
const eventsOf = async (reason: string) =>
  (await admin.list(events, { namespace })).items.filter((event) => event.reason === reason);

test('one that waits for a Snapshot fails when that comes and is of another Workspace', async () => {
  // Nothing else of the Workspace is to happen any more.
  await vi.waitFor(async () => {
    const { status } = (await admin.get(workspaces, { namespace, name: 'ws' })) ?? {};
    expect(status).toMatchObject({
      repositoryID: 'r1',
      message: expect.stringContaining('no default class'),
    });
    expect(controllers.informers.workspaces.get(key)?.status).toEqual(status);
  }, within);
  await make('back', { snapshot: 'theirs' });
  const reason = async () => (await restore('back'))?.status?.conditions?.[0]?.reason;
  await vi.waitFor(async () => expect(await reason()).toBe('SnapshotNotFound'), within);
  const theirs = { metadata: { namespace, name: 'theirs' }, spec: { workspace: 'other' } } as Snapshot;
  await admin.create(snapshots, theirs);
  await vi.waitFor(async () => expect(await reason()).toBe('SnapshotOfOtherWorkspace'), within);
  expect((await restore('back'))?.status?.phase).toBe('Failed');
});

test('it is asked for, tells how far it is, and ends with the way back', async () => {
  const { metadata } = await make('back', { snapshotID: idAt(0) });
  const uid = metadata.uid ?? '';
  await vi.waitFor(
    () =>
      expect(desired()?.restores).toEqual([
        { uid, name: 'back', snapshotId: idAt(0), worktree: 'main', preRestoreSnapshot: true },
      ]),
    within,
  );
  expect(desired()?.pinned).toEqual([idAt(0)]);
  say({ uid, bytesDone: 3, bytesTotal: 9, preRestoreSnapshotId: idAt(2) });
  await vi.waitFor(
    async () =>
      expect((await restore('back'))?.status).toMatchObject({
        phase: 'InProgress',
        progress: { bytesDone: 3, bytesTotal: 9 },
        preRestoreSnapshotID: idAt(2),
        startedAt: expect.any(String),
      }),
    within,
  );
  say({ uid, phase: 'PHASE_DONE', preRestoreSnapshotId: idAt(2) });
  await vi.waitFor(async () => expect((await restore('back'))?.status?.phase).toBe('Completed'), within);
  const { status } = (await restore('back')) ?? {};
  expect(status).toMatchObject({
    snapshotID: idAt(0),
    worktree: 'main',
    preRestoreSnapshotID: idAt(2),
    conditions: [{ type: 'Completed', status: 'True' }],
    message: expect.stringContaining(`restore ${idAt(2)}`),
  });
  expect(status?.progress).toBeUndefined();
  await vi.waitFor(() => expect(desired()).toMatchObject({ restores: [], pinned: [] }), within);
  await vi.waitFor(async () => {
    expect(await eventsOf('RestoreStarted')).toHaveLength(1);
    expect(await eventsOf('RestoreCompleted')).toHaveLength(1);
  }, within);
  // What the agent says afterwards changes nothing.
  say({ uid, phase: 'PHASE_FAILED', reason: 'X', message: 'y' });
  await make('next', { snapshotID: idAt(1) });
  await vi.waitFor(async () => expect((await restore('next'))?.status?.phase).toBe('Pending'), within);
  expect((await restore('back'))?.status).toEqual(status);
});

test('a second one waits for the first and says so; an operator started anew goes on with both', async () => {
  const first = (await make('a', { snapshotID: idAt(0) })).metadata.uid ?? '';
  await vi.waitFor(() => expect(desired()?.restores).toHaveLength(1), within);
  const second = (await make('b', { snapshotID: idAt(1) })).metadata.uid ?? '';
  say({ uid: first, bytesDone: 1 });
  await vi.waitFor(async () => {
    expect((await restore('a'))?.status?.phase).toBe('InProgress');
    expect((await restore('b'))?.status).toMatchObject({
      phase: 'Pending',
      message: expect.stringContaining('Waits for Restore a'),
    });
  }, within);

  await controllers.stop();
  agents.set(key, undefined);
  agents.desired.clear();
  await resumeControllers();
  await vi.waitFor(async () => {
    const { phase, conditions } = (await restore('a'))?.status ?? {};
    expect([phase, conditions?.[0]?.reason]).toEqual(['InProgress', 'Interrupted']);
  }, within);
  expect(desired()?.restores?.map(({ uid }) => uid)).toEqual([first, second]);
  say({ uid: first, phase: 'PHASE_DONE' }, [...disk, onDisk(2, { requestUid: `${first}-before` })]);
  await vi.waitFor(async () => {
    expect((await restore('a'))?.status).toMatchObject({ phase: 'Completed', preRestoreSnapshotID: idAt(2) });
    expect(desired()?.restores?.map(({ uid }) => uid)).toEqual([second]);
  }, within);
  say({ uid: second, phase: 'PHASE_FAILED', reason: 'NotEnoughSpace', message: 'grow spec.storage' });
  await vi.waitFor(
    async () =>
      expect((await restore('b'))?.status).toMatchObject({ phase: 'Failed', message: 'grow spec.storage' }),
    within,
  );
  await vi.waitFor(async () => expect(await eventsOf('RestoreFailed')).toHaveLength(1), within);
});

test('a Snapshot by name is waited for until it is Ready; one that can not be restored is refused', async () => {
  await make('early', { snapshot: 'late' });
  const reason = async (name: string) => (await restore(name))?.status?.conditions?.[0]?.reason;
  await vi.waitFor(async () => expect(await reason('early')).toBe('SnapshotNotFound'), within);
  const spec = { workspace: 'ws', snapshotID: idAt(1) };
  await admin.create(snapshots, { metadata: { namespace, name: 'late' }, spec } as Snapshot);
  await vi.waitFor(() => expect(desired()?.restores).toMatchObject([{ snapshotId: idAt(1) }]), within);

  const other = { metadata: { namespace, name: 'foreign' }, spec: { workspace: 'other' } } as Snapshot;
  await admin.create(snapshots, other);
  await make('refused', { snapshot: 'foreign' });
  await vi.waitFor(async () => {
    expect((await restore('refused'))?.status?.phase).toBe('Failed');
    expect(await reason('refused')).toBe('SnapshotOfOtherWorkspace');
  }, within);
});

test('restoreOnCreate makes a worktree when the Snapshot is Ready, and its status says what became of it', async () => {
  const spec = { workspace: 'ws', snapshotID: idAt(1), restoreOnCreate: true, restoreWorktree: 'side' };
  const object = { metadata: { namespace, name: 'shown' }, spec } as Snapshot;
  const uid = `${(await admin.create(snapshots, object)).metadata.uid}-restore`;
  const status = async () => (await admin.get(snapshots, { namespace, name: 'shown' }))?.status;
  await vi.waitFor(
    () =>
      expect(desired()?.restores).toEqual([{ uid, name: 'shown', snapshotId: idAt(1), newWorktree: 'side' }]),
    within,
  );
  say({ uid, phase: 'PHASE_DONE' });
  await vi.waitFor(
    async () =>
      expect(await status()).toMatchObject({
        phase: 'Ready',
        restoreStatus: { worktreeName: 'side', phase: 'Completed', completedAt: expect.any(String) },
      }),
    within,
  );
  await vi.waitFor(() => expect(desired()?.restores).toEqual([]), within);
});

test('a container that runs out of memory leaves a snapshot, once', async () => {
  await vi.waitFor(() => expect(desired()?.finalSnapshot).toBe(true), within);
  const pod = await admin.create(pods, {
    metadata: { namespace, name: 'p', labels: { 'jvs.io/workspace': 'ws' } },
    spec: { containers: [{ name: 'train', image: 'busybox' }] },
  });
  const at = (ms: number) => new Date(Date.now() - ms).toISOString().replace(/\.\d+Z$/, 'Z');
  const terminated = { exitCode: 137, reason: 'OOMKilled', startedAt: at(600_000), finishedAt: at(5_000) };
  const crashed = (restartCount: number, state: object) =>
    admin.mergePatch(
      pods,
      { namespace, name: 'p' },
      {
        status: {
          phase: 'Running',
          containerStatuses: [
            { name: 'train', image: 'i', imageID: '', ready: false, restartCount, ...state },
          ],
        },
      },
      { subresource: 'status' },
    );
  expect(pod.metadata.uid).toBeDefined();
  await crashed(0, { state: { terminated } });
  await vi.waitFor(
    () =>
      expect(desired()?.snapshots).toMatchObject([
        { uid: expect.stringMatching(/^crash-[0-9a-f]{16}$/), origin: 'final', worktree: 'main' },
      ]),
    within,
  );
  const [request] = desired()?.snapshots ?? [];
  expect(request?.note).toContain('Container train of pod p was killed because it ran out of memory');
  await crashed(1, { state: { running: { startedAt: at(0) } }, lastState: { terminated } });
  await vi.waitFor(
    () =>
      expect(
        controllers.informers.pods.get(`${namespace}/p`)?.status?.containerStatuses?.[0]?.restartCount,
      ).toBe(1),
    within,
  );
  expect(desired()?.snapshots.map(({ uid }) => uid)).toEqual([request?.uid]);
  agents.set(key, agentOf([...disk, onDisk(2, { requestUid: request?.uid, origin: 'final' })]));
  await vi.waitFor(() => expect(desired()?.snapshots).toEqual([]), within);
  // Pruned since: the same crash is not asked for again.
  agents.set(key, agentOf(disk));
  await make('later', { snapshotID: idAt(0) });
  await vi.waitFor(() => expect(desired()?.restores).toHaveLength(1), within);
  expect(desired()?.snapshots).toEqual([]);
});
