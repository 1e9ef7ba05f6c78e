import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, expect, test, vi } from 'vitest';
import { within } from '../../shared/testing.ts';
import { openNative } from '../repository/native/native.ts';
import { RepositoryError } from '../repository/repository.ts';
import { TestVolume } from '../repository/testing/volume.ts';
import { fakeDescriptor, MemoryRepository } from '../testing/memory-repository.ts';
import { fingerprint } from './fingerprint.ts';
import { Volume, type VolumeOptions, type VolumeState, VolumeUnavailable } from './volume.ts';
import { watchForHints } from './watch.ts';

const log = pino({ level: 'silent' });
const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

function start(repository: MemoryRepository, more: Partial<VolumeOptions> = {}) {
  const volume = new Volume({
    connect: () => repository,
    engine: 'copy',
    path: '/nonexistent',
    log,
    scanIntervalMs: 20,
    ...more,
  });
  const controller = new AbortController();
  const running = volume.run(controller.signal);
  stops.push(() => {
    controller.abort();
    return running;
  });
  const seen: VolumeState[] = [];
  volume.changes.subscribe((now) => seen.push(now));
  return { volume, seen, opened: () => vi.waitFor(() => expect(volume.state.info).toBeDefined(), within) };
}

test('an opened volume shows what is on it, and later what others put there and take away', async () => {
  const repository = new MemoryRepository();
  const first = fakeDescriptor();
  repository.disk.push(first);
  const { volume, opened } = start(repository);
  await opened();
  expect(volume.state).toMatchObject({ snapshots: [first], head: first.snapshot_id, problem: undefined });

  const second = fakeDescriptor();
  repository.disk.push(second);
  await vi.waitFor(() => expect(volume.state.snapshots).toEqual([second, first]), within);
  expect(volume.state.head).toBe(second.snapshot_id);

  repository.disk.shift();
  await vi.waitFor(() => expect(volume.state.snapshots).toEqual([second]), within);
});

test('a volume that waits for what it begins with is not used, and says what it waits for', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const problem = { reason: 'WaitingForInitialSnapshot', message: 'wait' };
  const { volume, opened } = start(new MemoryRepository(), {
    prepare: async (_, __, tell) => {
      tell(problem);
      await promise;
    },
  });
  await vi.waitFor(() => expect(volume.state).toMatchObject({ problem, awaitsInitial: true }), within);
  expect(() => volume.repository).toThrow(VolumeUnavailable);
  resolve();
  await opened();
  expect(volume.state).toMatchObject({ problem: undefined, awaitsInitial: false });
});

test('scans that find nothing new change nothing', async () => {
  const repository = new MemoryRepository();
  repository.disk.push(fakeDescriptor());
  const { volume, seen, opened } = start(repository);
  await opened();
  const { snapshots } = volume.state;
  await volume.refresh();
  await volume.refresh();
  expect(volume.state.snapshots).toBe(snapshots);
  expect(seen).toHaveLength(1);
});

test('a repository that cannot be opened says why, and is tried again', async () => {
  const repository = new MemoryRepository();
  repository.failures.push(new RepositoryError('Busy', 'another writer holds the lease'));
  const { volume, seen, opened } = start(repository);
  expect(() => volume.repository).toThrow(VolumeUnavailable);
  await opened();
  expect(seen[0]?.problem).toEqual({ reason: 'Busy', message: 'another writer holds the lease' });
  expect(volume.state.problem).toBeUndefined();
});

test('what could not be repaired is a problem until it is, while the repository can be read', async () => {
  const repository = new MemoryRepository();
  const unrepaired = { reason: 'PermissionDenied', message: 'data belongs to user 0' } as const;
  const info = { ...(await repository.open()), unrepaired };
  const open = vi.spyOn(repository, 'open').mockImplementation(async () => info);
  const { volume, opened } = start(repository);
  await opened();
  expect(volume.state.problem).toEqual(unrepaired);
  expect(await volume.repository.list()).toEqual([]);
  await volume.refresh();
  expect(volume.state.problem).toEqual(unrepaired);
  open.mockRestore();
  await vi.waitFor(() => expect(volume.state.problem).toBeUndefined(), within);
});

test('a terminal problem stays, and the volume can still be stopped', async () => {
  const repository = new MemoryRepository();
  repository.failures.push(new RepositoryError('UnsupportedFormat', 'format_version 7 is newer'));
  const { volume } = start(repository);
  await vi.waitFor(() => expect(volume.state.problem?.reason).toBe('UnsupportedFormat'), within);
  expect(() => volume.repository).toThrow('format_version 7 is newer');
  for (const stop of stops.splice(0)) await stop();
  expect(repository.closed).toBe(true);
});

test('a failing scan is a problem until the next one succeeds; what was known stays', async () => {
  const repository = new MemoryRepository();
  repository.disk.push(fakeDescriptor());
  const { volume, opened } = start(repository);
  await opened();
  const list = vi
    .spyOn(repository, 'list')
    .mockRejectedValue(new RepositoryError('DamagedRepository', 'EIO'));
  await volume.refresh();
  expect(volume.state.problem?.reason).toBe('DamagedRepository');
  expect(volume.state.snapshots).toHaveLength(1);
  list.mockRestore();
  await volume.refresh();
  expect(volume.state.problem).toBeUndefined();
});

test('a snapshot of ours that a scan under way missed is not taken for removed', async () => {
  const repository = new MemoryRepository();
  const { volume, seen, opened } = start(repository);
  await opened();
  const { promise, resolve } = Promise.withResolvers<void>();
  vi.spyOn(repository, 'list').mockImplementationOnce(async () => {
    await promise;
    return []; // read before the snapshot was published
  });
  const scan = volume.refresh();
  const made = await repository.snapshot({ worktree: 'main', origin: 'manual' });
  volume.record(made);
  resolve();
  await scan;
  expect(volume.state).toMatchObject({ snapshots: [made], head: made.snapshot_id });
  expect(seen.filter(({ snapshots }) => snapshots.length === 0)).toHaveLength(1); // the one at the start
});

test('the fingerprint follows the repository, and is not trusted while a file may still change unseen', async () => {
  const root = mkdtempSync(join(tmpdir(), 'jvs-fingerprint-'));
  stops.push(async () => rmSync(root, { recursive: true }));
  for (const name of ['descriptors', 'snapshots', 'worktrees/main']) {
    mkdirSync(join(root, '.jvs', name), { recursive: true });
  }
  expect(await fingerprint(root, [], Date.now() + 60_000)).toBeUndefined(); // no config of main
  writeFileSync(join(root, '.jvs/worktrees/main/config.json'), '{}');
  expect(await fingerprint(root, [], Date.now())).toBeUndefined(); // written just now
  const before = await fingerprint(root, [], Date.now() + 60_000);
  expect(before).toBeDefined();
  expect(await fingerprint(root, [], Date.now() + 60_000)).toBe(before);
  writeFileSync(join(root, '.jvs/descriptors/x.json'), '{}');
  utimesSync(join(root, '.jvs/descriptors'), 1, 1);
  expect(await fingerprint(root, [], Date.now() + 60_000)).not.toBe(before);
});

test('on a real volume, nothing is read while nothing changed, and what another program made is seen', async () => {
  using disk = new TestVolume();
  const options = { volume: disk.path, engine: 'copy' } as const;
  const repository = openNative({ ...options, holder: 'us' });
  const volume = new Volume({ connect: () => repository, engine: 'copy', path: disk.path, log });
  const controller = new AbortController();
  const running = volume.run(controller.signal);
  const other = openNative({ ...options, holder: 'another' });
  try {
    await vi.waitFor(() => expect(volume.state.info).toBeDefined(), within);
    const list = vi.spyOn(repository, 'list');
    // Later than any filesystem's timestamps are coarse.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 });
    for (let i = 0; i < 5; i++) await volume.refresh();
    expect(list).toHaveBeenCalledTimes(1);
    vi.useRealTimers();
    const made = await other.snapshot({ worktree: 'main', origin: 'manual' });
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 });
    await volume.refresh();
    expect(volume.state).toMatchObject({ snapshots: [made], head: made.snapshot_id });
  } finally {
    vi.useRealTimers();
    await other.close();
    controller.abort();
    await running;
  }
});

test('what another program makes is seen before the next scan; a damaged descriptor hides nothing', async () => {
  using disk = new TestVolume();
  const options = { volume: disk.path, engine: 'copy' } as const;
  const connect = () => openNative({ ...options, holder: 'us' });
  const volume = new Volume({ connect, engine: 'copy', path: disk.path, log, scanIntervalMs: 3_600_000 });
  const controller = new AbortController();
  const running = volume.run(controller.signal);
  const other = openNative({ ...options, holder: 'another' });
  try {
    await vi.waitFor(() => expect(volume.state.info).toBeDefined(), within);
    const first = await other.snapshot({ worktree: 'main', origin: 'manual', tags: ['keep'] });
    const second = await other.snapshot({ worktree: 'main', origin: 'manual' });
    await vi.waitFor(() => expect(volume.state.snapshots).toEqual([second, first]), within);
    expect(volume.state.head).toBe(second.snapshot_id);

    writeFileSync(join(disk.jvs, 'descriptors', `${first.snapshot_id}.json`), '{"snapshot_id": "1');
    await vi.waitFor(() => {
      const damaged = { ...first, descriptor_checksum: '', integrity_state: 'tampered' };
      expect(volume.state.snapshots).toEqual([second, damaged]);
    }, within);

    // Of one that it never could read, only the time is known.
    const late = new Volume({ connect, engine: 'copy', path: disk.path, log });
    const lateRuns = late.run(controller.signal);
    await vi.waitFor(() => expect(late.state.info).toBeDefined(), within);
    expect(late.state.snapshots.map((found) => [found.snapshot_id, found.integrity_state])).toEqual([
      [second.snapshot_id, 'verified'],
      [first.snapshot_id, 'tampered'],
    ]);
    rmSync(join(disk.jvs, 'descriptors', `${first.snapshot_id}.json`));
    await vi.waitFor(() => expect(late.state.snapshots).toEqual([second]), within);
    controller.abort();
    await lateRuns;
  } finally {
    await other.close();
    controller.abort();
    await running;
  }
});

test('where watches have run out, it is said once and scans go on', async () => {
  using disk = new TestVolume();
  const said: unknown[] = [];
  const warn = (fields: unknown) => said.push(fields);
  const exhausted = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
  const watch = (() => {
    throw exhausted;
  }) as unknown as typeof import('node:fs').watch;
  const end = watchForHints({
    path: disk.path,
    onHint: () => {},
    log: { warn } as unknown as typeof log,
    watch,
  });
  end();
  expect(said).toEqual([{ err: exhausted }]);
});
