import { expect, test } from 'vitest';
import { parseRestore } from '../api/restore.ts';
import { parseSnapshot, type Snapshot } from '../api/snapshot.ts';
import { parseWorkspace, type Workspace } from '../api/workspace.ts';
import { finalizer } from '../snapshot/request.ts';
import { type Asked, isPending, planDesired } from './plan.ts';

const id = '1795507921000-0a1b2c3d';
const workspaceOf = (spec: object = {}, metadata: object = {}): Workspace =>
  parseWorkspace({ metadata: { name: 'ml', namespace: 'team', ...metadata }, spec });
const snapshotOf = (metadata: object, spec: object = {}, status?: object): Snapshot =>
  parseSnapshot({
    metadata: { name: 's1', namespace: 'team', uid: 'uid-1', finalizers: [finalizer], ...metadata },
    spec: { workspace: 'ml', ...spec },
    status,
  });
const restoreOf = (name: string, spec: object, creationTimestamp: string, status?: object) =>
  parseRestore({
    metadata: { name, namespace: 'team', uid: name, creationTimestamp },
    spec: { workspace: 'ml', ...spec },
    status,
  });
const desiredOf = (more: Partial<Asked> = {}) =>
  planDesired({ workspace: workspaceOf(), snapshots: [], restores: [], deletions: [], crashes: [], ...more });

test('it has the Snapshots that are not finished, oldest first', () => {
  const at = (name: string, creationTimestamp: string, status?: object, more: object = {}) =>
    snapshotOf({ name, uid: name, creationTimestamp, ...more }, {}, status);
  const { snapshots } = desiredOf({
    snapshots: [
      at('c', '2026-11-24T10:00:02Z'),
      at('b', '2026-11-24T10:00:01Z', { phase: 'Ready' }),
      at('a', '2026-11-24T10:00:00Z', { phase: 'Pending' }),
      at('d', '2026-11-24T10:00:03Z', undefined, { deletionTimestamp: '2026-11-24T10:00:04Z' }),
    ],
  });
  expect(snapshots.map(({ uid }) => uid)).toEqual(['a', 'c']);
});

test('it has schedule, retention, pins and the permission to prune', () => {
  const told = workspaceOf(
    {
      autoSnapshot: { schedule: '@daily', template: 'work', startingDeadlineSeconds: 0 },
      retentionPolicy: { keepMinAge: '1500ms' },
    },
    { annotations: { 'jvs.io/allow-mass-prune': 'true' } },
  );
  const pinned = snapshotOf({}, { pinned: true }, { phase: 'Ready', snapshotID: id });
  expect(desiredOf({ workspace: told, snapshots: [pinned, pinned] })).toMatchObject({
    schedule: { cron: '@daily', timeZone: 'UTC', tags: ['wip'], suspend: false, startingDeadlineSeconds: 0 },
    retention: { policy: { keepMinSnapshots: 10, keepMinAgeSeconds: 2, keepTags: [] }, maxAutoSnapshots: 30 },
    pinned: [id],
    allowMassPrune: true,
  });
  const plain = desiredOf();
  expect(plain).toMatchObject({ retention: { maxAutoSnapshots: 0 }, allowMassPrune: false });
  expect(plain.schedule).toBeUndefined();
});

test('it has hooks and the final snapshot as the spec says', () => {
  const hooks = {
    preSnapshot: { http: { port: 80 } },
    postSnapshot: { exec: { command: ['thaw'] }, timeoutSeconds: 5 },
  };
  expect(desiredOf({ workspace: workspaceOf({ hooks, finalSnapshot: true }) })).toMatchObject({
    finalSnapshot: true,
    hooks: {
      preSnapshot: { http: { port: 80, path: '/' }, timeoutSeconds: 30 },
      postSnapshot: { exec: { command: ['thaw'] }, timeoutSeconds: 5 },
    },
  });
  expect(desiredOf().hooks).toBeUndefined();
});

test('a Restore that names a Snapshot is asked for when its status says which one that was', () => {
  const source = snapshotOf({ name: 's' }, {}, { phase: 'Ready', snapshotID: id });
  const at = '2026-11-24T10:00:0';
  const early = (status?: object) => restoreOf('early', { snapshot: 's' }, `${at}0Z`, status);
  const late = restoreOf('late', { snapshotID: id }, `${at}1Z`);
  const asked = (status?: object) => desiredOf({ snapshots: [source], restores: [late, early(status)] });
  const uids = ({ restores = [] }: ReturnType<typeof asked>) => restores.map(({ uid }) => uid);
  // Nor is a later one carried out before it.
  expect(uids(asked())).toEqual([]);
  expect(asked().pinned).toEqual([id]);
  expect(uids(asked({ phase: 'Pending', snapshotID: id }))).toEqual(['early', 'late']);
});

test('a Restore in whose status nothing can be written holds up none behind it', () => {
  const source = snapshotOf({ name: 's' }, {}, { phase: 'Ready', snapshotID: id });
  const early = restoreOf('early', { snapshot: 's' }, '2026-11-24T10:00:00Z');
  const late = restoreOf('late', { snapshotID: id }, '2026-11-24T10:00:01Z');
  const isRefused = (name: string) => name === 'early';
  const asked = desiredOf({ snapshots: [source], restores: [late, early], isRefused });
  expect(asked.restores?.map(({ uid }) => uid)).toEqual(['late']);
});

test('all restores are there in the order of their making, and what they need is not pruned', () => {
  const ready = { phase: 'Ready', snapshotID: '1795507923000-0a1b2c3d' };
  const fork = snapshotOf(
    { name: 'f', uid: 'f', creationTimestamp: '2026-11-24T10:00:01Z' },
    { restoreOnCreate: true },
    ready,
  );
  const { restores, pinned } = desiredOf({
    snapshots: [fork],
    restores: [
      restoreOf('late', { snapshotID: id }, '2026-11-24T10:00:02Z'),
      restoreOf('early', { snapshotID: id, newWorktree: 'side' }, '2026-11-24T10:00:00Z'),
      restoreOf('over', { snapshotID: id }, '2026-11-24T09:00:00Z', { phase: 'Completed' }),
      restoreOf('blocked', { snapshot: 'none' }, '2026-11-24T09:00:00Z'),
    ],
  });
  expect(restores).toEqual([
    { uid: 'early', name: 'early', snapshotId: id, newWorktree: 'side' },
    { uid: 'f-restore', name: 'f', snapshotId: ready.snapshotID, newWorktree: 'f' },
    { uid: 'late', name: 'late', snapshotId: id, worktree: 'main', preRestoreSnapshot: true },
  ]);
  expect(pinned).toEqual([id, ready.snapshotID]);
});

test('what an agent has to do is pending, with or without a pod; what a crash left is not', () => {
  expect(isPending(desiredOf())).toBe(false);
  expect(isPending(desiredOf({ crashes: [{ uid: 'crash-1' }] }))).toBe(false);
  expect(isPending(desiredOf({ snapshots: [snapshotOf({})] }))).toBe(true);
  expect(isPending(desiredOf({ deletions: [{ uid: 'd', snapshotId: id }] }))).toBe(true);
  expect(isPending(desiredOf({ restores: [restoreOf('r', { snapshotID: id }, 'x')] }))).toBe(true);
});

test('what goes to another workspace is pending, and not pruned meanwhile', () => {
  const exports = [{ snapshotId: id, tokenSha256: 't' }];
  const initial = { snapshotId: 's', address: 'a:1', certificateSha256: 'c', token: 't' };
  const desired = desiredOf({ exports, initial });
  expect(desired).toMatchObject({ exports, initial, pinned: [id] });
  expect(isPending(desired)).toBe(true);
  expect(isPending(desiredOf({ initial }))).toBe(false);
});
