import { pino } from 'pino';
import { afterEach, expect, test, vi } from 'vitest';
import type { EventInput } from '../../shared/proto/gen/jvs/agent/v1/Event.ts';
import type { DesiredState, DesiredStateInput } from '../../shared/proto/gen/jvs/link/v1/DesiredState.ts';
import type { RequestUpdateInput } from '../../shared/proto/gen/jvs/link/v1/RequestUpdate.ts';
import { loadLink } from '../../shared/proto/load.ts';
import { Events } from '../events.ts';
import { RepositoryError } from '../repository/repository.ts';
import { fakeDescriptor, MemoryRepository } from '../testing/memory-repository.ts';
import { Volume } from '../volume/volume.ts';
import { Executor, NotPrimary, QueueFull, TooManySnapshots } from './executor.ts';

const log = pino({ level: 'silent' });
const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

function start(repository = new MemoryRepository()) {
  const volume = new Volume({ connect: () => repository, engine: 'copy', path: '/nonexistent', log });
  const events = new Events();
  const executor = new Executor({ volume, events, log, random: () => 0 });
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
  const { repository, executor, volume, phases } = start();
  executor.setDesired(desired(['a', 'b', 'c']));
  executor.setDesired(desired(['a', 'b', 'c']));
  await vi.waitFor(() => expect(volume.state.snapshots).toHaveLength(3));
  executor.setDesired(desired(['a', 'b', 'c']));
  executor.setDesired(desired([]));
  executor.setDesired(desired(['c']));
  await vi.waitFor(() => expect(phases('c').filter((phase) => phase === 'done')).toHaveLength(2));
  expect(repository.disk.map(({ tags, note, agent }) => [tags, note, agent?.origin])).toEqual([
    [['release', 'k8s-a'], 'note of a', 'manual'],
    [['release', 'k8s-b'], 'note of b', 'manual'],
    [['release', 'k8s-c'], 'note of c', 'manual'],
  ]);
  expect(repository.mostRunning).toBe(1);
  expect(volume.state.head).toBe(repository.disk[2]?.snapshot_id);
  expect(executor.pending()).toEqual([]);
});

test('a request that a killed agent had finished is adopted', async () => {
  const repository = new MemoryRepository();
  const made = fakeDescriptor({ tags: ['k8s-a'] });
  repository.disk.push(made);
  const { executor, phases } = start(repository);
  executor.setDesired(desired(['a']));
  await vi.waitFor(() => expect(phases('a')).toContain('done'));
  expect(repository.disk).toEqual([made]);
});

test('a standby changes nothing, and takes over when it is made the primary', async () => {
  const { repository, executor, volume } = start();
  await vi.waitFor(() => expect(volume.state.info).toBeDefined());
  executor.setDesired(desired(['a'], { role: 'ROLE_STANDBY' }));
  await expect(executor.create({ worktree: 'main' }, new AbortController().signal)).rejects.toThrow(
    NotPrimary,
  );
  expect(executor.pending()).toEqual([]);
  expect(repository.disk).toEqual([]);
  executor.setDesired(desired(['a']));
  await vi.waitFor(() => expect(repository.disk).toHaveLength(1));
});

test('a primary that loses its role drops what it is doing, and the request is not failed', async () => {
  const { repository, executor, phases } = start();
  const { promise, resolve } = Promise.withResolvers<void>();
  repository.gate = promise;
  executor.setDesired(desired(['a']));
  await vi.waitFor(() => expect(repository.running).toBe(1));
  executor.setDesired(desired(['a'], { role: 'ROLE_STANDBY' }));
  await vi.waitFor(() => expect(repository.running).toBe(0));
  resolve();
  expect(phases('a')).not.toContain('PHASE_FAILED');
  expect(repository.disk).toEqual([]);
  executor.setDesired(desired(['a']));
  await vi.waitFor(() => expect(repository.disk).toHaveLength(1));
});

test('what may pass is waited for and said; what may not is failed and remembered', async () => {
  const { repository, executor, updates, phases, volume } = start();
  await vi.waitFor(() => expect(volume.state.info).toBeDefined());
  repository.failures.push(new RepositoryError('VolumeFull', 'The volume is full: grow spec.storage'));
  executor.setDesired(desired(['a']));
  await vi.waitFor(() => expect(phases('a')).toContain('PHASE_WAITING'));
  expect(executor.pending()).toMatchObject([{ uid: 'a', phase: 'PHASE_WAITING', reason: 'VolumeFull' }]);
  await vi.waitFor(() => expect(phases('a')).toContain('done'), 5000);

  repository.failures.push(new RepositoryError('ParentMismatch', 'The head of main is x'));
  executor.setDesired(desired(['a', 'b']));
  await vi.waitFor(() => expect(phases('b')).toContain('PHASE_FAILED'));
  executor.setDesired(desired(['a', 'b']));
  expect(executor.pending()).toMatchObject([{ uid: 'b', phase: 'PHASE_FAILED', reason: 'ParentMismatch' }]);
  expect(updates.filter(([uid]) => uid === 'b')).toHaveLength(3); // in progress, with bytes, failed
  expect(repository.disk).toHaveLength(1);
});

test('an engine that does not exist fails the request and names it', async () => {
  const { executor, updates } = start();
  executor.setDesired(desired(['a'], { engine: 'zfs' }));
  await vi.waitFor(() =>
    expect(updates.at(-1)?.[1]).toMatchObject({ phase: 'PHASE_FAILED', reason: 'InvalidArgument' }),
  );
  expect(updates.at(-1)?.[1]?.message).toContain('"zfs"');
});

test('requests wait for a volume that does not open, with its reason, and run when it does', async () => {
  const repository = new MemoryRepository();
  repository.failures.push(new RepositoryError('Busy', 'another writer holds the lease'));
  const { executor, updates, phases } = start(repository);
  executor.setDesired(desired(['a']));
  await vi.waitFor(() => expect(phases('a')).toContain('done'));
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
  await vi.waitFor(() => expect(volume.state.info).toBeDefined());
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

test('stopping lets the running one finish within the grace period and starts nothing else', async () => {
  const { repository, executor, volume } = start();
  await vi.waitFor(() => expect(volume.state.info).toBeDefined());
  const { promise, resolve } = Promise.withResolvers<void>();
  repository.gate = promise;
  const { signal } = new AbortController();
  const first = executor.create({ worktree: 'main' }, signal);
  const second = executor.create({ worktree: 'main' }, signal);
  const refused = expect(second).rejects.toMatchObject({ reason: 'Aborted' });
  await vi.waitFor(() => expect(repository.running).toBe(1));
  const stopped = executor.stop(30_000);
  resolve();
  await stopped;
  await refused;
  expect(repository.disk).toEqual([await first]);
});

test('stopping aborts what does not finish in time', async () => {
  const { repository, executor, volume } = start();
  await vi.waitFor(() => expect(volume.state.info).toBeDefined());
  repository.gate = new Promise(() => {});
  const call = expect(
    executor.create({ worktree: 'main' }, new AbortController().signal),
  ).rejects.toMatchObject({
    reason: 'Aborted',
  });
  await vi.waitFor(() => expect(repository.running).toBe(1));
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
  await vi.waitFor(() => expect(volume.state.info).toBeDefined());
  const { signal } = new AbortController();
  await expect(executor.create({ worktree: 'main' }, signal)).rejects.toBeInstanceOf(TooManySnapshots);
  const auto = { requestTag: 'auto-60', tags: [] };
  expect(await executor.automatic(auto)).toMatchObject({ agent: { origin: 'auto' } });
  expect(repository.disk).toHaveLength(151);
});
