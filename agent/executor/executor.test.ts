import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { EventInput } from '../../shared/proto/gen/jvs/agent/v1/Event.ts';
import type { DesiredState, DesiredStateInput } from '../../shared/proto/gen/jvs/link/v1/DesiredState.ts';
import type { RequestUpdateInput } from '../../shared/proto/gen/jvs/link/v1/RequestUpdate.ts';
import { loadLink } from '../../shared/proto/load.ts';
import { within } from '../../shared/testing.ts';
import { Events } from '../events.ts';
import { type Descriptor, RepositoryError } from '../repository/repository.ts';
import { StateStore } from '../state.ts';
import { fakeDescriptor, MemoryRepository } from '../testing/memory-repository.ts';
import { Volume } from '../volume/volume.ts';
import { NotPrimary, QueueFull, TooMany } from './errors.ts';
import { Executor } from './executor.ts';

const log = pino({ level: 'silent' });
const stops: (() => Promise<unknown>)[] = [];
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'executor-'));
  mkdirSync(join(directory, '.jvs'));
});
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
  rmSync(directory, { recursive: true });
});

function start(repository = new MemoryRepository(), now = Date.now) {
  const volume = new Volume({ connect: () => repository, engine: 'copy', path: '/nonexistent', log });
  const events = new Events();
  const store = new StateStore(directory, log);
  const executor = new Executor({ volume, events, store, pod: 'ml-0', log, now, random: () => 0 });
  const controller = new AbortController();
  const running = volume.run(controller.signal);
  stops.push(async () => {
    controller.abort();
    await running;
  });
  stops.push(() => executor.stop(0));
  const updates: [string, RequestUpdateInput | undefined][] = [];
  executor.updates.subscribe((uid, update) => updates.push([uid, update]));
  const seen: EventInput[] = [];
  events.subscribe((event) => seen.push(event));
  const phases = (uid: string) =>
    updates.filter(([of]) => of === uid).map(([, update]) => update?.phase ?? 'done');
  return { repository, volume, executor, updates, phases, seen };
}

const { serialize, deserialize } = loadLink().DesiredState;
const desired = (uids: string[], fields: DesiredStateInput = {}): DesiredState =>
  deserialize(
    serialize({
      role: 'ROLE_PRIMARY',
      engine: 'copy',
      snapshots: uids.map((uid) => ({
        uid,
        name: `snapshot-${uid}`,
        note: `note of ${uid}`,
        tags: ['release'],
      })),
      ...fields,
    }),
  );

test('the primary makes each request once, in order, one at a time, however often it is asked', async () => {
  const { repository, executor, volume } = start();
  executor.setDesired(desired(['a', 'b', 'c']));
  executor.setDesired(desired(['a', 'b', 'c']));
  await vi.waitFor(() => expect(volume.state.snapshots).toHaveLength(3), within);
  executor.setDesired(desired(['a', 'b', 'c']));
  executor.setDesired(desired([]));
  const again = vi.spyOn(repository, 'snapshot');
  executor.setDesired(desired(['c']));
  await vi.waitFor(() => expect(again).toHaveBeenCalledOnce(), within);
  await executor.idle();
  expect(repository.disk.map(({ tags, note, agent }) => [tags, note, agent?.origin])).toEqual([
    [['release', 'k8s-a'], 'note of a', 'manual'],
    [['release', 'k8s-b'], 'note of b', 'manual'],
    [['release', 'k8s-c'], 'note of c', 'manual'],
  ]);
  expect(repository.mostRunning).toBe(1);
  expect(volume.state.head).toBe(repository.disk[2]?.snapshot_id);
  expect(executor.pending()).toEqual([]);
});

/** Asks for snapshot `a` where these are on the disk, and it is found among them. */
async function adopt(...disk: Descriptor[]) {
  const repository = new MemoryRepository();
  repository.disk.push(...disk);
  const { executor, volume } = start(repository);
  await vi.waitFor(() => expect(volume.state.info).toBeDefined(), within);
  const asked = vi.spyOn(repository, 'snapshot');
  executor.setDesired(desired(['a']));
  await vi.waitFor(() => expect(asked).toHaveBeenCalledOnce(), within);
  await executor.idle();
  return { repository, volume };
}

test('a request that a killed agent had finished is adopted', async () => {
  const made = fakeDescriptor({ tags: ['k8s-a'] });
  const { repository } = await adopt(made);
  expect(repository.disk).toEqual([made]);
});

test('a request that is adopted late does not look like the newest snapshot', async () => {
  const [made, newer] = [fakeDescriptor({ tags: ['k8s-a'] }), fakeDescriptor()];
  const { volume } = await adopt(made, newer);
  const id = newer.snapshot_id;
  expect(volume.state.head).toBe(id);
  expect(volume.state.worktrees).toMatchObject([{ head_snapshot_id: id, latest_snapshot_id: id }]);
});

test('a standby changes nothing, and takes over when it is made the primary', async () => {
  const { repository, executor, volume } = start();
  await vi.waitFor(() => expect(volume.state.info).toBeDefined(), within);
  executor.setDesired(desired(['a'], { role: 'ROLE_STANDBY' }));
  const { signal } = new AbortController();
  const id = '1795507921120-0badcafe';
  await expect(executor.create({ worktree: 'main' }, signal)).rejects.toThrow(NotPrimary);
  await expect(executor.restore(id, 'main', signal)).rejects.toThrow(NotPrimary);
  await expect(executor.fork(id, 'exp', signal)).rejects.toThrow(NotPrimary);
  expect(executor.pending()).toEqual([]);
  expect(repository.disk).toEqual([]);
  executor.setDesired(desired(['a']));
  await vi.waitFor(() => expect(repository.disk).toHaveLength(1), within);
});

test('a primary that loses its role drops what it is doing, and the request is not failed', async () => {
  const { repository, executor, phases } = start();
  const { promise, resolve } = Promise.withResolvers<void>();
  repository.gate = promise;
  executor.setDesired(desired(['a']));
  await vi.waitFor(() => expect(repository.running).toBe(1), within);
  executor.setDesired(desired(['a'], { role: 'ROLE_STANDBY' }));
  await vi.waitFor(() => expect(repository.running).toBe(0), within);
  resolve();
  expect(phases('a')).not.toContain('PHASE_FAILED');
  expect(repository.disk).toEqual([]);
  executor.setDesired(desired(['a']));
  await vi.waitFor(() => expect(repository.disk).toHaveLength(1), within);
});

test('what was begun before the operator spoke ends with the role too', async () => {
  const { repository, executor, volume } = start();
  await vi.waitFor(() => expect(volume.state.info).toBeDefined(), within);
  repository.gate = new Promise(() => {});
  const scheduled = executor.automatic({ tags: [], requestTag: 'auto-1' });
  const ended = expect(scheduled).rejects.toMatchObject({ reason: 'Aborted' });
  await vi.waitFor(() => expect(repository.running).toBe(1), within);
  executor.setDesired(desired([]));
  expect(repository.running).toBe(1);
  executor.setDesired(desired([], { role: 'ROLE_STANDBY' }));
  await vi.waitFor(() => expect(repository.running).toBe(0), within);
  await ended;
});

test('what a container asked for does not begin on what has become a standby while it waited', async () => {
  const { repository, executor, volume } = start();
  await vi.waitFor(() => expect(volume.state.info).toBeDefined(), within);
  executor.setDesired(desired([]));
  const { promise, resolve } = Promise.withResolvers<void>();
  repository.gate = promise;
  const { signal } = new AbortController();
  const running = executor.create({ worktree: 'main' }, signal);
  await vi.waitFor(() => expect(repository.running).toBe(1), within);
  const waiting = [
    executor.create({ worktree: 'main' }, signal),
    executor.restore('a', 'main', signal),
    executor.fork('a', 'exp', signal),
  ];
  const ended = Promise.all(waiting.map((one) => expect(one).rejects.toMatchObject({ reason: 'Aborted' })));
  executor.setDesired(desired([], { role: 'ROLE_STANDBY' }));
  resolve();
  await running;
  await ended;
  expect(repository.disk).toHaveLength(1);
});

test('what may pass is waited for and said; what may not is failed and remembered', async () => {
  const { repository, executor, updates, phases, volume } = start();
  await vi.waitFor(() => expect(volume.state.info).toBeDefined(), within);
  repository.failures.push(new RepositoryError('VolumeFull', 'The volume is full: grow spec.storage'));
  executor.setDesired(desired(['a']));
  await vi.waitFor(() => expect(phases('a')).toContain('PHASE_WAITING'), within);
  expect(executor.pending()).toMatchObject([{ uid: 'a', phase: 'PHASE_WAITING', reason: 'VolumeFull' }]);
  await vi.waitFor(() => expect(phases('a')).toContain('done'), within);

  repository.failures.push(new RepositoryError('ParentMismatch', 'The head of main is x'));
  executor.setDesired(desired(['a', 'b']));
  await vi.waitFor(() => expect(phases('b')).toContain('PHASE_FAILED'), within);
  executor.setDesired(desired(['a', 'b']));
  expect(executor.pending()).toMatchObject([{ uid: 'b', phase: 'PHASE_FAILED', reason: 'ParentMismatch' }]);
  expect(updates.filter(([uid]) => uid === 'b')).toHaveLength(1);
  expect(repository.disk).toHaveLength(1);
});

test('a snapshot that lasts is said to be in progress, and how far it is', async () => {
  const { repository, executor, volume, phases, updates } = start();
  await vi.waitFor(() => expect(volume.state.info).toBeDefined(), within);
  const { promise, resolve } = Promise.withResolvers<void>();
  repository.gate = promise;
  executor.setDesired(desired(['a']));
  await vi.waitFor(() => expect(phases('a')).toEqual(['PHASE_IN_PROGRESS']), within);
  expect(executor.pending()).toMatchObject([{ uid: 'a', phase: 'PHASE_IN_PROGRESS' }]);
  resolve();
  await vi.waitFor(() => expect(phases('a')).toContain('done'), within);
  expect(updates).toContainEqual(['a', expect.objectContaining({ bytesDone: 1, bytesTotal: 2 })]);
});

test('an engine that does not exist fails the request and names it', async () => {
  const { executor, updates } = start();
  executor.setDesired(desired(['a'], { engine: 'zfs' }));
  await vi.waitFor(
    () => expect(updates.at(-1)?.[1]).toMatchObject({ phase: 'PHASE_FAILED', reason: 'InvalidArgument' }),
    within,
  );
  expect(updates.at(-1)?.[1]?.message).toContain('"zfs"');
});

test('a clock that is set back holds up no retry, and no word on progress', async () => {
  let now = Date.parse('2026-11-24T09:00:00Z');
  const { repository, executor, volume, phases, seen } = start(new MemoryRepository(), () => now);
  await vi.waitFor(() => expect(volume.state.info).toBeDefined(), within);
  const anHour = 3_600_000;
  repository.failures.push(new RepositoryError('VolumeFull', 'make room'));
  executor.setDesired(desired(['a']));
  await vi.waitFor(() => expect(phases('a')).toContain('PHASE_WAITING'), within);
  now -= anHour;
  await vi.waitFor(() => expect(repository.disk).toHaveLength(1), within);

  const told = () => seen.filter(({ progress }) => progress?.requestUid === 'b');
  vi.spyOn(repository, 'snapshot').mockImplementation(async ({ onProgress }) => {
    const goOn = () => onProgress?.({ bytesDone: 1, bytesTotal: 2, filesDone: 1 });
    goOn();
    now -= anHour;
    await vi.waitFor(() => {
      goOn();
      expect(told().length).toBeGreaterThan(1);
    }, within);
    return fakeDescriptor({ tags: ['k8s-b'] });
  });
  executor.setDesired(desired(['b']));
  await vi.waitFor(() => expect(phases('b')).toContain('done'), within);
  expect(told().length).toBeGreaterThan(1);
});

test('requests wait for a volume that does not open, with its reason, and run when it does', async () => {
  const repository = new MemoryRepository();
  repository.failures.push(new RepositoryError('Busy', 'another writer holds the lease'));
  const { executor, updates, phases } = start(repository);
  executor.setDesired(desired(['a']));
  await vi.waitFor(() => expect(phases('a')).toContain('done'), within);
  expect(updates).toContainEqual([
    'a',
    expect.objectContaining({
      phase: 'PHASE_WAITING',
      reason: 'Busy',
      message: expect.stringContaining('lease'),
    }),
  ]);
});

test('before the operator has spoken the pod may checkpoint itself; callers do not pile up', async () => {
  const { repository, executor, volume, seen } = start();
  await vi.waitFor(() => expect(volume.state.info).toBeDefined(), within);
  const { promise, resolve } = Promise.withResolvers<void>();
  repository.gate = promise;
  const { signal } = new AbortController();
  const calls = Array.from({ length: 9 }, () => executor.create({ worktree: 'main', tags: ['wip'] }, signal));
  await expect(executor.create({ worktree: 'main' }, signal)).rejects.toThrow(QueueFull);
  resolve();
  const made = await Promise.all(calls);
  expect(made.every(({ agent }) => agent?.origin === 'self')).toBe(true);
  expect(repository.disk).toHaveLength(9);
  expect(seen.filter(({ progress }) => progress)).not.toEqual([]);
});

/** An operation is under way until `resolve`, and a post hook owed since. */
async function owed({ repository, executor, volume }: ReturnType<typeof start>) {
  await vi.waitFor(() => expect(volume.state.info).toBeDefined(), within);
  await executor.idle();
  const { promise, resolve } = Promise.withResolvers<void>();
  repository.gate = promise;
  const running = executor.create({ worktree: 'main' }, new AbortController().signal);
  await vi.waitFor(() => expect(repository.running).toBe(1), within);
  const [marker, thawed] = [join(directory, '.jvs/agent/quiesced.json'), join(directory, 'thawed')];
  const post = { exec: { command: ['sh', '-c', `echo thawed >> ${thawed}; exit 1`] }, timeout: 5000 };
  mkdirSync(join(directory, '.jvs/agent'));
  writeFileSync(
    marker,
    JSON.stringify({ since: '2026-11-24T10:00:00Z', pod: 'ml-1', worktree: 'main', post }),
  );
  const calls = () => (existsSync(thawed) ? readFileSync(thawed, 'utf8').split('\n').slice(0, -1) : []);
  return { calls, resolve, running };
}

test('an owed post hook waits for one turn, however often it is looked for, and takes no place of a caller', async () => {
  const agent = start();
  const { executor } = agent;
  const { calls, resolve, running } = await owed(agent);
  for (let i = 0; i < 20; i++) executor.thaw();
  // As it comes to its turn, it may thaw what another pod has left.
  executor.setDesired(desired([]));
  const { signal } = new AbortController();
  const waiting = Array.from({ length: 8 }, () => executor.create({ worktree: 'main' }, signal));
  await expect(executor.create({ worktree: 'main' }, signal)).rejects.toThrow(QueueFull);
  resolve();
  await Promise.all([running, ...waiting]);
  // Each snapshot tries it too.
  expect(calls()).toHaveLength(1 + waiting.length);
});

test('an agent that has become a standby leaves an owed post hook to the primary', async () => {
  const agent = start();
  const { executor } = agent;
  executor.setDesired(desired([]));
  const { calls, resolve, running } = await owed(agent);
  executor.thaw();
  executor.setDesired(desired([], { role: 'ROLE_STANDBY' }));
  resolve();
  await running;
  await executor.idle();
  expect(calls()).toEqual([]);
});

test('an owed post hook that hangs does not keep the agent from stopping in time', async () => {
  const { repository, executor, volume } = start();
  await vi.waitFor(() => expect(volume.state.info).toBeDefined(), within);
  await executor.idle();
  const [marker, begun] = [join(directory, '.jvs/agent/quiesced.json'), join(directory, 'begun')];
  const post = { exec: { command: ['sh', '-c', `touch ${begun}; sleep 1000`] }, timeout: 3_600_000 };
  mkdirSync(join(directory, '.jvs/agent'));
  writeFileSync(
    marker,
    JSON.stringify({ since: '2026-11-24T10:00:00Z', pod: 'ml-0', worktree: 'main', post }),
  );
  const made = executor.create({ worktree: 'main' }, new AbortController().signal);
  const ended = expect(made).rejects.toMatchObject({ reason: 'Aborted' });
  await vi.waitFor(() => expect(existsSync(begun)).toBe(true), within);
  await executor.stop(20);
  await ended;
  expect(repository.disk).toEqual([]);
  expect(existsSync(marker)).toBe(true);

  rmSync(begun);
  const next = start();
  await vi.waitFor(() => expect(existsSync(begun)).toBe(true), within);
  await next.executor.stop(20);
  expect(existsSync(marker)).toBe(true);
});

test('a post hook that hangs after its snapshot does not keep the agent from stopping in time, one that works runs', async () => {
  const { repository, executor, volume } = start();
  await vi.waitFor(() => expect(volume.state.info).toBeDefined(), within);
  const [marker, begun] = [join(directory, '.jvs/agent/quiesced.json'), join(directory, 'begun')];
  const run = (script: string) => ({ exec: { command: ['sh', '-c', script] }, timeout: 3_600_000 });
  executor.hooks.use({ post: run(`touch ${begun}; sleep 1000`) });
  const made = executor.create({ worktree: 'main' }, new AbortController().signal);
  await vi.waitFor(() => expect(existsSync(begun)).toBe(true), within);
  let last = false;
  await executor.stop(20, async () => {
    last = true;
  });
  expect(last).toBe(true);
  expect(await made).toEqual(repository.disk[0]);
  expect(existsSync(marker)).toBe(true); // for the next agent

  rmSync(marker);
  rmSync(begun);
  const next = start();
  next.repository.gate = new Promise(() => {});
  await vi.waitFor(() => expect(next.volume.state.info).toBeDefined(), within);
  next.executor.hooks.use({ post: run(`touch ${begun}`) });
  const cut = next.executor.create({ worktree: 'main' }, new AbortController().signal);
  const ended = expect(cut).rejects.toMatchObject({ reason: 'Aborted' });
  await vi.waitFor(() => expect(next.repository.running).toBe(1), within);
  await next.executor.stop(20);
  await ended;
  expect(existsSync(begun)).toBe(true);
  expect(existsSync(marker)).toBe(false);
});

test('stopping lets the running one finish within the grace period and starts nothing else', async () => {
  const { repository, executor, volume } = start();
  await vi.waitFor(() => expect(volume.state.info).toBeDefined(), within);
  const { promise, resolve } = Promise.withResolvers<void>();
  repository.gate = promise;
  const { signal } = new AbortController();
  const first = executor.create({ worktree: 'main' }, signal);
  const second = executor.create({ worktree: 'main' }, signal);
  const refused = expect(second).rejects.toMatchObject({ reason: 'Aborted' });
  await vi.waitFor(() => expect(repository.running).toBe(1), within);
  const stopped = executor.stop(30_000);
  resolve();
  await stopped;
  await refused;
  expect(repository.disk).toEqual([await first]);
});

test('stopping aborts what does not finish in time', async () => {
  const { repository, executor, volume } = start();
  await vi.waitFor(() => expect(volume.state.info).toBeDefined(), within);
  repository.gate = new Promise(() => {});
  const call = expect(
    executor.create({ worktree: 'main' }, new AbortController().signal),
  ).rejects.toMatchObject({
    reason: 'Aborted',
  });
  await vi.waitFor(() => expect(repository.running).toBe(1), within);
  await executor.stop(10);
  await call;
  expect(repository.disk).toEqual([]);
});

test('a pod can not fill the volume with its own snapshots where retention may not make room', async () => {
  const repository = new MemoryRepository();
  const agent = {
    origin: 'self',
    completed_at: '2026-11-24T08:00:00Z',
    effective_engine: 'copy',
    consistency: 'crash-consistent',
    size: 1,
    unique_bytes: 1,
    entries: 1,
  } as const;
  for (let i = 0; i < 150; i++) repository.disk.push(fakeDescriptor({ agent }));
  const { executor, volume } = start(repository);
  await vi.waitFor(() => expect(volume.state.info).toBeDefined(), within);
  const { signal } = new AbortController();
  await expect(executor.create({ worktree: 'main' }, signal)).rejects.toBeInstanceOf(TooMany);
  const auto = { requestTag: 'auto-60', tags: [] };
  expect(await executor.automatic(auto)).toMatchObject({ agent: { origin: 'auto' } });
  expect(repository.disk).toHaveLength(151);
});

const restoresOf = (...restores: NonNullable<DesiredStateInput['restores']>) => desired([], { restores });
const back = (uid: string, snapshotId: string) => ({
  ...{ uid, name: `restore-${uid}`, snapshotId, worktree: 'main', preRestoreSnapshot: true },
});

/** Two snapshots of main, and a repository that counts what was brought back. */
function twoSnapshots() {
  const repository = new MemoryRepository();
  const first = fakeDescriptor();
  repository.disk.push(first, fakeDescriptor({ parent_id: first.snapshot_id }));
  const [older = '', newer = ''] = repository.disk.map(({ snapshot_id }) => snapshot_id);
  const restore = vi.spyOn(repository, 'restore');
  const fork = vi.spyOn(repository, 'fork');
  return { repository, older, newer, restore, fork };
}

test('a restore takes a snapshot before, says how far it is, and what undoes it; it is done once', async () => {
  const { repository, older, newer, restore } = twoSnapshots();
  const { executor, updates, volume, seen } = start(repository);
  await vi.waitFor(() => expect(volume.state.info).toBeDefined(), within);
  executor.setDesired(restoresOf(back('a', older)));
  await vi.waitFor(() => expect(executor.pending()).toMatchObject([{ phase: 'PHASE_DONE' }]), within);
  const [, , before] = repository.disk;
  expect(before).toMatchObject({
    parent_id: newer,
    tags: ['k8s-a-before'],
    note: `Before Restore restore-a of ${older}`,
    agent: { origin: 'pre-restore' },
  });
  const preRestoreSnapshotId = before?.snapshot_id;
  expect(executor.pending()).toEqual([{ uid: 'a', phase: 'PHASE_DONE', preRestoreSnapshotId }]);
  expect(updates.map(([, update]) => update)).toEqual([
    { uid: 'a', phase: 'PHASE_IN_PROGRESS' },
    { uid: 'a', phase: 'PHASE_IN_PROGRESS', preRestoreSnapshotId },
    { uid: 'a', phase: 'PHASE_IN_PROGRESS', preRestoreSnapshotId, bytesDone: 1, bytesTotal: 2 },
    { uid: 'a', phase: 'PHASE_DONE', preRestoreSnapshotId },
  ]);
  expect(seen.flatMap(({ progress }) => progress?.operation ?? [])).toEqual(['snapshot', 'restore']);
  // Known at once.
  expect(volume.state.head).toBe(older);
  expect(volume.state.worktrees).toMatchObject([
    { name: 'main', head_snapshot_id: older, latest_snapshot_id: preRestoreSnapshotId },
  ]);

  executor.setDesired(restoresOf(back('a', older)));
  // Another agent of the volume, to which the operator says the same; the engine has forgotten it.
  repository.carriedOut.clear();
  const { executor: other } = start(repository);
  other.setDesired(restoresOf(back('a', older)));
  await vi.waitFor(
    () => expect(other.pending()).toEqual([{ uid: 'a', phase: 'PHASE_DONE', preRestoreSnapshotId }]),
    within,
  );
  expect(restore).toHaveBeenCalledTimes(1);
  expect(repository.disk).toHaveLength(3);
});

test('a retry of a restore finds what was taken before; after a while it takes what changed since', async () => {
  const { repository, older, restore } = twoSnapshots();
  let now = Date.parse('2026-11-24T09:00:00Z');
  const created_at = new Date(now).toISOString();
  repository.disk.push(fakeDescriptor({ tags: ['k8s-a-before'], created_at }));
  const adopted = repository.disk[2]?.snapshot_id;
  restore.mockRejectedValueOnce(new RepositoryError('VolumeFull', 'make room'));
  const { executor } = start(repository, () => now);
  executor.setDesired(restoresOf(back('a', older)));
  await vi.waitFor(() => expect(executor.pending()).toMatchObject([{ reason: 'VolumeFull' }]), within);
  expect(repository.disk).toHaveLength(3);
  now += 6 * 60_000;
  await vi.waitFor(() => expect(executor.pending()).toMatchObject([{ phase: 'PHASE_DONE' }]), within);
  const [later] = repository.disk.slice(3);
  expect(later).toMatchObject({ tags: ['k8s-a-before-2'], parent_id: adopted });
  expect(executor.pending()).toMatchObject([{ preRestoreSnapshotId: later?.snapshot_id }]);
});

test('before a restore is tried again on a clock that was set back, what changed since is taken too', async () => {
  const { repository, older, restore } = twoSnapshots();
  let now = Date.parse('2026-11-24T09:00:00Z');
  const created_at = new Date(now).toISOString();
  repository.disk.push(fakeDescriptor({ tags: ['k8s-a-before'], created_at }));
  restore.mockRejectedValueOnce(new RepositoryError('VolumeFull', 'make room'));
  const { executor } = start(repository, () => now);
  executor.setDesired(restoresOf(back('a', older)));
  await vi.waitFor(() => expect(executor.pending()).toMatchObject([{ reason: 'VolumeFull' }]), within);
  now -= 3_600_000;
  await vi.waitFor(() => expect(executor.pending()).toMatchObject([{ phase: 'PHASE_DONE' }]), within);
  expect(repository.disk.slice(3)).toMatchObject([{ tags: ['k8s-a-before-2'] }]);
});

test('what can not be restored fails with a word on what to do, and changes nothing', async () => {
  const { repository, older, restore } = twoSnapshots();
  const { executor, volume } = start(repository);
  const nowhere = '1795507921120-0badcafe';
  restore.mockRejectedValueOnce(new RepositoryError('DamagedRepository', 'it does not match its hash'));
  const elsewhere = { ...back('worktree', older), worktree: 'exp' };
  executor.setDesired(restoresOf(back('unknown', nowhere), elsewhere, back('damaged', older)));
  await vi.waitFor(() => expect(executor.pending()).toHaveLength(3), within);
  await vi.waitFor(
    () =>
      expect(executor.pending()).toMatchObject([
        {
          uid: 'unknown',
          phase: 'PHASE_FAILED',
          reason: 'NotFound',
          message: expect.stringContaining(nowhere),
        },
        {
          uid: 'worktree',
          phase: 'PHASE_FAILED',
          message: expect.stringContaining('there is no worktree exp'),
        },
        {
          ...{ uid: 'damaged', phase: 'PHASE_FAILED', reason: 'DamagedRepository' },
          preRestoreSnapshotId: repository.disk[2]?.snapshot_id,
        },
      ]),
    within,
  );
  expect(volume.state.head).toBe(repository.disk[2]?.snapshot_id); // what was taken before the damaged one
  expect(repository.disk).toHaveLength(3);
});

test('a worktree whose folder is gone is restored, though there is nothing to take before', async () => {
  const { repository, older } = twoSnapshots();
  vi.spyOn(repository, 'snapshot').mockRejectedValue(new RepositoryError('NotFound', 'main is no directory'));
  const { executor, volume } = start(repository);
  executor.setDesired(restoresOf(back('a', older)));
  await vi.waitFor(() => expect(executor.pending()).toEqual([{ uid: 'a', phase: 'PHASE_DONE' }]), within);
  expect(volume.state.head).toBe(older);
});

test('a restore into a new worktree makes it, takes nothing before, and fails where the name is taken', async () => {
  const { repository, older, newer } = twoSnapshots();
  const { executor, volume } = start(repository);
  const fork = (uid: string, snapshotId: string) => ({ uid, name: uid, snapshotId, newWorktree: 'exp' });
  executor.setDesired(restoresOf(fork('a', older), fork('b', newer)));
  await vi.waitFor(
    () =>
      expect(executor.pending()).toMatchObject([
        { uid: 'a', phase: 'PHASE_DONE' },
        {
          uid: 'b',
          phase: 'PHASE_FAILED',
          reason: 'InvalidArgument',
          message: expect.stringContaining('exp'),
        },
      ]),
    within,
  );
  expect(repository.disk).toHaveLength(2);
  expect(volume.state.worktrees).toMatchObject([
    { name: 'main', head_snapshot_id: newer },
    { name: 'exp', base_snapshot_id: older, head_snapshot_id: older },
  ]);
});

test('requests of all kinds take turns; one that is withdrawn while it waits is not carried out', async () => {
  const { repository, older, newer, restore } = twoSnapshots();
  const { executor, volume } = start(repository);
  await vi.waitFor(() => expect(volume.state.info).toBeDefined(), within);
  const { promise, resolve } = Promise.withResolvers<void>();
  repository.gate = promise;
  const own = executor.create({ worktree: 'main' }, new AbortController().signal);
  executor.setDesired(restoresOf(back('a', older)));
  await vi.waitFor(() => expect(repository.running).toBe(1), within);
  executor.setDesired(desired(['s'], { restores: [back('b', newer)] }));
  resolve();
  await own;
  await vi.waitFor(
    () => expect(executor.pending()).toMatchObject([{ uid: 'b', phase: 'PHASE_DONE' }]),
    within,
  );
  expect(restore.mock.calls.map(([{ requestTag }]) => requestTag)).toEqual(['k8s-b']);
  expect(repository.disk.slice(2).map(({ tags }) => tags)).toEqual([
    [],
    ['release', 'k8s-s'],
    ['k8s-b-before'],
  ]);
  expect(repository.mostRunning).toBe(1);
});

test('deleting takes heads too, and is done where there is nothing; main is never removed', async () => {
  const { repository, older, newer } = twoSnapshots();
  repository.forks.set('exp', older);
  const { executor, updates, volume } = start(repository);
  const deleted: string[] = [];
  executor.deleting.subscribe((id) => deleted.push(id));
  const deletions = [
    { uid: 'head', snapshotId: newer },
    { uid: 'fork', worktree: 'exp' },
    { uid: 'gone', snapshotId: '1795507921120-0badcafe' },
    { uid: 'no fork', worktree: 'other' },
    { uid: 'main', worktree: 'main' },
  ];
  executor.setDesired(desired([], { deletions }));
  await vi.waitFor(
    () => expect(executor.pending()).toMatchObject([{ uid: 'main', phase: 'PHASE_FAILED' }]),
    within,
  );
  for (const uid of ['head', 'fork', 'gone', 'no fork']) {
    expect(updates.findLast(([of]) => of === uid)?.[1]).toBeUndefined();
  }
  expect(repository.disk.map(({ snapshot_id }) => snapshot_id)).toEqual([older]);
  expect(deleted).toContain(newer);
  expect(volume.state).toMatchObject({ head: older, worktrees: [{ name: 'main' }] });
});

test('a snapshot that a restore still needs is deleted after it', async () => {
  const { repository, older, restore } = twoSnapshots();
  restore.mockRejectedValueOnce(new RepositoryError('VolumeFull', 'make room'));
  const { executor, updates } = start(repository);
  const deletions = [{ uid: 'd', snapshotId: older }];
  executor.setDesired(desired([], { restores: [back('a', older)], deletions }));
  await vi.waitFor(
    () =>
      expect(updates).toContainEqual([
        'd',
        expect.objectContaining({ phase: 'PHASE_WAITING', message: expect.stringContaining('restore-a') }),
      ]),
    within,
  );
  await vi.waitFor(() => expect(repository.disk[0]?.snapshot_id).not.toBe(older), within);
  await vi.waitFor(
    () => expect(executor.pending()).toMatchObject([{ uid: 'a', phase: 'PHASE_DONE' }]),
    within,
  );
});

test('origin, compression and paths of a request reach the engine; what this agent does not know fails', async () => {
  const { repository, executor } = start();
  const snapshot = (uid: string, fields: object) => ({ uid, name: uid, ...fields });
  executor.setDesired(
    desired([], {
      snapshots: [
        snapshot('a', { origin: 'final', compression: { type: 'zstd', level: 3 }, partialPaths: ['data'] }),
        snapshot('b', { compression: { type: 'lzma' } }),
        snapshot('c', { origin: 'auto' }),
      ],
    }),
  );
  await vi.waitFor(() => expect(executor.pending()).toHaveLength(2), within);
  expect(executor.pending()).toMatchObject([
    { uid: 'b', phase: 'PHASE_FAILED', message: expect.stringContaining('"lzma"') },
    { uid: 'c', phase: 'PHASE_FAILED', message: expect.stringContaining('"auto"') },
  ]);
  expect(repository.disk).toMatchObject([
    { agent: { origin: 'final' }, compression: { type: 'zstd', level: 3 }, partial_paths: ['data'] },
  ]);
});
