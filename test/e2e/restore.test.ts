// Going back, branching and letting go, with a container that works on the files all the while.
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Restore } from '../../operator/api/restore.ts';
import type { Snapshot } from '../../operator/api/snapshot.ts';
import type { Workspace } from '../../operator/api/workspace.ts';
import { volumePath } from '../cluster/cluster.ts';
import { apply, eventually, get, kinds, kubectl } from '../kubectl.ts';
import {
  applyRestore,
  conditionOf,
  createSnapshot,
  createWorkspace,
  exec,
  idleContainer,
  podSpec,
  restoreIn,
  snapshotIn,
  useNamespace,
  workspaceOf,
} from './world.ts';

const namespace = useNamespace();

/** Its working directory is the worktree. Writes there all the time, and notes each state that it reads. */
const worker = idleContainer(
  'main',
  'cd "$JVS_WORKSPACE"; trap exit TERM; while :; do now=$(cat state 2>/dev/null || echo none); ' +
    '[ "$now" = "$last" ] || echo "$now" >>/tmp/seen; last=$now; echo beat >>heart; sleep 0.1; done',
);
const template = { spec: podSpec(worker) };
const inside = (workspace: string, script: string) =>
  exec(namespace, `deploy/jvs-${workspace}`, 'main', script);
const setState = (workspace: string, state: string) =>
  inside(workspace, `echo ${state} > "$JVS_WORKSPACE/state"`);
const seen = async (workspace: string) => (await inside(workspace, 'cat /tmp/seen')).trim().split('\n');
const volumeOf = (workspace: string) => volumePath(namespace, `jvs-${workspace}`);
const stateIn = async (workspace: string, worktree = 'main') =>
  (await readFile(join(await volumeOf(workspace), worktree, 'state'), 'utf8')).trim();
const idsOnDisk = async (workspace: string) =>
  (await readdir(join(await volumeOf(workspace), '.jvs/snapshots'))).filter((name) => !name.includes('.'));
const gone = (kind: string, name: string) =>
  eventually(
    `${kind} ${name} is gone`,
    async () =>
      (await kubectl('-n', namespace, 'get', kind, name, '--ignore-not-found', '-o', 'name')) === '',
  );
const remove = (kind: string, ...names: string[]) =>
  kubectl('-n', namespace, 'delete', kind, ...names, '--timeout=180s');

test('a worktree goes back under the process that works in it, and forward again', async () => {
  await createWorkspace(namespace, 'live', { template });
  await setState('live', 'one');
  await eventually('the process has seen it', async () => (await seen('live')).includes('one'));
  const { status } = await createSnapshot(namespace, 'live-one', { workspace: 'live' });
  await setState('live', 'two');
  await inside('live', 'echo only-now > "$JVS_WORKSPACE/extra"');
  await eventually('the process has seen it', async () => (await seen('live')).at(-1) === 'two');
  const main = join(await volumeOf('live'), 'main');
  const { ino } = await stat(main);

  await applyRestore(namespace, 'back', { workspace: 'live', snapshot: 'live-one' });
  const back = await restoreIn(namespace, 'back', 'Completed');
  expect(back.status).toMatchObject({ snapshotID: status?.snapshotID, worktree: 'main' });
  await eventually('the process sees the restored tree', async () => (await seen('live')).at(-1) === 'one');
  expect((await stat(main)).ino).toBe(ino);
  expect(await readdir(main)).not.toContain('extra');
  const beats = (await readFile(join(main, 'heart'), 'utf8')).length;
  await eventually(
    'it writes there',
    async () => (await readFile(join(main, 'heart'), 'utf8')).length > beats,
  );

  const before = back.status?.preRestoreSnapshotID ?? '';
  expect((await snapshotIn(namespace, `live-${before}`, 'Ready')).status?.origin).toBe('pre-restore');
  await applyRestore(namespace, 'undo', { workspace: 'live', snapshotID: before });
  await restoreIn(namespace, 'undo', 'Completed');
  await eventually('the process sees what there was', async () => (await seen('live')).at(-1) === 'two');
  expect(await readFile(join(main, 'extra'), 'utf8')).toBe('only-now\n');
});

test('what can not be restored is refused with the reason, and the tree is as it was', async () => {
  // Unlike in any other snapshot: what is the same is on the disk once.
  await setState('live', 'doomed');
  const damaged = await createSnapshot(namespace, 'damaged', { workspace: 'live' });
  const file = join(await volumeOf('live'), '.jvs/snapshots', damaged.status?.snapshotID ?? '', 'state');
  await writeFile(file, 'forged\n');
  await setState('live', 'two');
  const refused = async (name: string, spec: object): Promise<Restore['status']> => {
    await applyRestore(namespace, name, { workspace: 'live', ...spec });
    return (await restoreIn(namespace, name, 'Failed')).status;
  };
  expect((await refused('of-damaged', { snapshot: 'damaged' }))?.message).toBeTruthy();
  expect((await refused('of-unknown', { snapshotID: '1795000000000-00000000' }))?.message).toMatch(
    /1795000000000-00000000/,
  );
  expect((await refused('into-unknown', { snapshot: 'live-one', worktree: 'nowhere' }))?.message).toMatch(
    /nowhere/,
  );
  expect(await stateIn('live')).toBe('two');
});

test('a fork is a worktree of its own, shown by the Workspace, and goes with its Restore where that says so', async () => {
  const fork = (name: string, more: object) =>
    applyRestore(namespace, name, { workspace: 'live', snapshot: 'live-one', newWorktree: name, ...more });
  await fork('side', { deletionPolicy: 'Delete' });
  await fork('kept', {});
  await restoreIn(namespace, 'side', 'Completed');
  await restoreIn(namespace, 'kept', 'Completed');
  expect(await stateIn('live', 'worktrees/side')).toBe('one');
  expect(await stateIn('live')).toBe('two');
  const one = (await get<Snapshot>(kinds.snapshot, 'live-one', namespace)).status?.snapshotID;
  await eventually('the Workspace shows both', async () => {
    const { status } = await get<Workspace>(kinds.workspace, 'live', namespace);
    const bases = new Map(status?.worktrees?.map(({ name, base }) => [name, base]));
    return bases.has('main') && bases.get('side') === one && bases.get('kept') === one;
  });
  await applyRestore(namespace, 'again', { workspace: 'live', snapshot: 'live-one', newWorktree: 'kept' });
  expect((await restoreIn(namespace, 'again', 'Failed')).status?.message).toMatch(/kept/);

  await remove(kinds.restore, 'side', 'kept', 'again');
  expect(await readdir(join(await volumeOf('live'), 'worktrees'))).toEqual(['kept']);
});

test('restoreOnCreate makes a worktree of a Snapshot as soon as it is Ready', async () => {
  const spec = { workspace: 'live', restoreOnCreate: true, restoreWorktree: 'at-once' };
  await createSnapshot(namespace, 'branching', spec);
  await eventually('its worktree is there', async () => {
    const { status } = await get<Snapshot>(kinds.snapshot, 'branching', namespace);
    return status?.restoreStatus?.phase === 'Completed' && status.restoreStatus.worktreeName === 'at-once';
  });
  expect(await stateIn('live', 'worktrees/at-once')).toBe('two');
});

test('a deleted Snapshot takes its data with it or leaves it, as its policy says', async () => {
  await createWorkspace(namespace, 'letting', { template });
  const [first, kept, last] = [
    await createSnapshot(namespace, 'l-first', { workspace: 'letting' }),
    await createSnapshot(namespace, 'l-kept', { workspace: 'letting', deletionPolicy: 'Retain' }),
    await createSnapshot(namespace, 'l-last', { workspace: 'letting' }),
  ].map(({ status }) => status?.snapshotID ?? '');
  // The head as well: its worktree falls back to the one before.
  await remove(kinds.snapshot, 'l-first', 'l-kept', 'l-last');
  const ids = await idsOnDisk('letting');
  expect(ids).toContain(kept);
  expect(ids).not.toContain(first);
  expect(ids).not.toContain(last);
  await snapshotIn(namespace, `letting-${kept}`, 'Ready');
  await gone(kinds.snapshot, `letting-${last}`);
  await createSnapshot(namespace, 'l-next', { workspace: 'letting' });
});

test('a mass deletion is held until it is confirmed', async () => {
  const names = Array.from({ length: 11 }, (_, n) => `mass-${n}`);
  for (const name of names) await createSnapshot(namespace, name, { workspace: 'letting' });
  const before = await idsOnDisk('letting');
  await kubectl('-n', namespace, 'label', kinds.snapshot, ...names, 'mass=yes');
  // By one request, as a mass deletion is: by name, one after another, the first could be 3 s older than the last.
  const all = `/apis/jvs.io/v1alpha1/namespaces/${namespace}/snapshots`;
  await kubectl('delete', '--raw', `${all}?labelSelector=mass%3Dyes`);
  await conditionOf(namespace, 'letting', 'Degraded', 'MassDeletionHeld');
  expect(await idsOnDisk('letting')).toEqual(before);
  await kubectl('-n', namespace, 'annotate', `${kinds.workspace}/letting`, 'jvs.io/allow-mass-delete=true');
  for (const name of names) await gone(kinds.snapshot, name);
  expect((await idsOnDisk('letting')).length).toBe(before.length - names.length);
});

test('a deleted Workspace takes its Snapshots and Restores along and no data, and finds its history again', async () => {
  const ids = await idsOnDisk('live');
  await applyRestore(namespace, 'left', {
    ...{ workspace: 'live', snapshot: 'live-one', newWorktree: 'left', deletionPolicy: 'Delete' },
  });
  await restoreIn(namespace, 'left', 'Completed');
  await remove(kinds.workspace, 'live');
  const left = await kubectl('-n', namespace, 'get', `${kinds.snapshot},${kinds.restore}`, '-o', 'json');
  const ofLive = (JSON.parse(left).items as Snapshot[]).filter(({ spec }) => spec.workspace === 'live');
  expect(ofLive).toEqual([]);
  expect(await idsOnDisk('live')).toEqual(ids);
  expect(await stateIn('live', 'worktrees/left')).toBe('one');

  await createWorkspace(namespace, 'live', { template });
  for (const id of ids) {
    await eventually(`${id} is shown`, async () => {
      const { status } = await get<Snapshot>(kinds.snapshot, `live-${id}`, namespace);
      // Of one the files are damaged, which may be found before or after this.
      return status?.phase === 'Ready' || status?.phase === 'Failed';
    });
  }
  expect(await stateIn('live')).toBe('two');
});

test('a container that crashes leaves a snapshot that says which it was, once', async () => {
  const crashing = idleContainer(
    'main',
    'cd "$JVS_WORKSPACE"; if [ -f crashed ]; then trap exit TERM; tail -f /dev/null & wait; fi; ' +
      'echo half-done >state; touch crashed; exit 3',
  );
  await createWorkspace(namespace, 'crashing', {
    finalSnapshot: true,
    template: { spec: podSpec(crashing) },
  });
  const shown = async () => {
    const { items } = JSON.parse(await kubectl('-n', namespace, 'get', kinds.snapshot, '-o', 'json'));
    return (items as Snapshot[]).filter(({ spec }) => spec.workspace === 'crashing');
  };
  const [made] = await eventually('its snapshot is Ready', async () => {
    const all = await shown();
    return all.some(({ status }) => status?.phase === 'Ready') && all;
  });
  expect(made?.status?.origin).toBe('final');
  expect(made?.spec.note).toMatch(/^Container main of pod jvs-crashing-.* crashed with exit code 3 at /);
  await createSnapshot(namespace, 'after-crash', { workspace: 'crashing' });
  expect(await shown()).toHaveLength(2);
});

test('a namespace that ends takes all with it, whatever waits in it', async () => {
  const name = `${namespace}-ends`;
  await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  await createWorkspace(name, 'ws', { template });
  await createSnapshot(name, 'one', { workspace: 'ws' });
  await applyRestore(name, 'fork', {
    ...{ workspace: 'ws', snapshot: 'one', newWorktree: 'side', deletionPolicy: 'Delete' },
  });
  await restoreIn(name, 'fork', 'Completed');
  await kubectl('-n', name, 'scale', `${kinds.workspace}/ws`, '--replicas=0');
  await apply(workspaceOf(name, 'unbound', { storageClassName: 'no-such-class' }));
  await apply({
    apiVersion: 'jvs.io/v1alpha1',
    kind: 'Snapshot',
    metadata: { namespace: name, name: 'waits' },
    spec: { workspace: 'unbound' },
  });
  await kubectl('delete', 'namespace', name, '--timeout=180s');
});
