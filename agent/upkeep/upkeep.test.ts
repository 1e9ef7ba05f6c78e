import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { DesiredState } from '../../shared/proto/gen/jvs/link/v1/DesiredState.ts';
import { systemClock } from '../clock.ts';
import { Events } from '../events.ts';
import { Executor } from '../executor/executor.ts';
import { fakeDescriptor, MemoryRepository } from '../testing/memory-repository.ts';
import { Volume } from '../volume/volume.ts';
import { Upkeep } from './upkeep.ts';

const log = pino({ level: 'silent' });
const within = { timeout: 10_000, interval: 5 };
let directory: string;
let repository: MemoryRepository;
let now: Date;
let stop: (() => Promise<void>) | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'upkeep-'));
  mkdirSync(join(directory, '.jvs'));
  repository = new MemoryRepository();
  now = new Date('2026-11-24T10:00:30Z');
});

afterEach(async () => {
  await stop?.();
  stop = undefined;
  rmSync(directory, { recursive: true });
});

/** An agent's inside. Another one on the same directory is what a restarted agent would be. */
function start(): { executor: Executor; upkeep: Upkeep; volume: Volume } {
  const options = {
    connect: () => repository,
    engine: 'copy',
    path: '/nonexistent',
    log,
    scanIntervalMs: 10,
  } as const;
  const volume = new Volume(options);
  const executor = new Executor({ volume, events: new Events(), log });
  const clock = { ...systemClock, now: () => now };
  const verify = { bytesPerSecond: 1e9, intervalMs: 86_400_000 };
  const upkeep = new Upkeep({
    ...{ workspace: 'team/ml', path: directory, volume, executor, log },
    ...{ clock, verify, settleMs: 0 },
  });
  const controller = new AbortController();
  const runs = [volume.run(controller.signal), upkeep.run(controller.signal)];
  stop = async () => {
    await executor.stop(0);
    controller.abort();
    await Promise.all(runs);
  };
  return { executor, upkeep, volume };
}

const desired = (fields: Partial<DesiredState>): DesiredState => ({
  role: 'ROLE_PRIMARY',
  engine: 'copy',
  snapshots: [],
  schedule: null,
  retention: null,
  pinned: [],
  allowMassPrune: false,
  ...fields,
});

const everyMinute = {
  cron: '* * * * *',
  timeZone: 'UTC',
  tags: ['checkpoint'],
  suspend: false,
  skipUnchanged: false,
};
const origins = () => repository.disk.map(({ agent }) => agent?.origin);

/** The clock goes on, and upkeep looks: as its timer would make it. */
function tick(executor: Executor, state: DesiredState, time: string): void {
  now = new Date(time);
  executor.setDesired(state);
}

test('the schedule takes its snapshots, says when the next is due, and takes none twice', async () => {
  const state = desired({ schedule: everyMinute });
  const { executor, upkeep } = start();
  executor.setDesired(state);
  await vi.waitFor(() => expect(upkeep.view.status.scheduleReason).toBe('Active'), within);
  expect(Number(upkeep.view.status.nextSnapshotTime?.seconds) * 1000).toBeGreaterThan(now.getTime());
  expect(repository.disk).toEqual([]);
  tick(executor, state, '2026-11-24T10:01:10Z');
  await vi.waitFor(() => expect(origins()).toEqual(['auto']), within);
  expect(repository.disk[0]?.tags).toEqual([
    'checkpoint',
    `auto-${Date.parse('2026-11-24T10:01:00Z') / 1000}`,
  ]);
  tick(executor, state, '2026-11-24T10:01:20Z');
  tick(executor, state, '2026-11-24T10:02:10Z');
  await vi.waitFor(() => expect(origins()).toEqual(['auto', 'auto']), within);
});

test('without an operator a restarted agent goes on, catches up once, and says what was missed', async () => {
  const first = start();
  first.executor.setDesired(desired({ schedule: everyMinute }));
  await vi.waitFor(() => expect(existsSync(join(directory, '.jvs/agent/schedule.json'))).toBe(true), within);
  await stop?.();
  now = new Date('2026-11-24T10:05:10Z');
  const { upkeep } = start(); // nobody tells it anything
  await vi.waitFor(() => expect(origins()).toEqual(['auto']), within);
  await vi.waitFor(
    () => expect(upkeep.view.journal.notices).toMatchObject([{ reason: 'SnapshotMissed' }]),
    within,
  );
});

test('a snapshot that was taken before a crash but not settled is not taken again', async () => {
  const run = Date.parse('2026-11-24T10:01:00Z');
  repository.disk.push(fakeDescriptor({ tags: [`auto-${run / 1000}`] }));
  mkdirSync(join(directory, '.jvs/agent'), { recursive: true });
  writeFileSync(
    join(directory, '.jvs/agent/schedule.json'),
    JSON.stringify({ schedule: '* * * * *', timeZone: 'UTC', after: '2026-11-24T10:00:00Z' }),
  );
  now = new Date('2026-11-24T10:01:20Z');
  const { executor, upkeep } = start();
  executor.setDesired(desired({ schedule: everyMinute }));
  await vi.waitFor(
    () => expect(Number(upkeep.view.status.nextSnapshotTime?.seconds) * 1000).toBeGreaterThan(now.getTime()),
    within,
  );
  expect(repository.disk).toHaveLength(1);
});

test('suspended, nothing is due; a standby keeps still', async () => {
  const { executor, upkeep } = start();
  executor.setDesired(desired({ schedule: { ...everyMinute, suspend: true } }));
  await vi.waitFor(() => expect(upkeep.view.status.scheduleReason).toBe('Suspended'), within);
  expect(upkeep.view.status.nextSnapshotTime).toBeNull();
  tick(executor, desired({ role: 'ROLE_STANDBY', schedule: everyMinute }), '2026-11-24T10:09:00Z');
  await vi.waitFor(() => expect(upkeep.view.status.scheduleReason).toBeUndefined(), within);
  expect(repository.disk).toEqual([]);
});

const keepTwo = {
  policy: { keepMinSnapshots: 2, keepMinAgeSeconds: 0, keepTags: ['release'] },
  maxAutoSnapshots: 0,
};

test('retention deletes what no rule keeps, and the journal says why', async () => {
  repository.disk.push(
    fakeDescriptor({ tags: ['release'] }),
    fakeDescriptor(),
    fakeDescriptor(),
    fakeDescriptor(),
  );
  const [release, doomed, ...newest] = repository.disk.map(({ snapshot_id }) => snapshot_id);
  const { executor, upkeep } = start();
  executor.setDesired(desired({ retention: keepTwo }));
  await vi.waitFor(() => expect(upkeep.view.journal.removed).toHaveLength(1), within);
  expect(upkeep.view.journal.removed).toMatchObject([{ id: doomed, reason: 'Pruned' }]);
  expect(repository.disk.map(({ snapshot_id }) => snapshot_id)).toEqual([release, ...newest]);
});

test('a pinned snapshot stays', async () => {
  repository.disk.push(fakeDescriptor(), fakeDescriptor(), fakeDescriptor(), fakeDescriptor());
  const pinned = repository.disk[0]?.snapshot_id ?? '';
  const { executor, upkeep } = start();
  executor.setDesired(desired({ retention: keepTwo, pinned: [pinned] }));
  await vi.waitFor(() => expect(upkeep.view.journal.removed).toHaveLength(1), within);
  expect(repository.disk[0]?.snapshot_id).toBe(pinned);
});

test('the snapshot of a request that the operator still asks for stays, so that it is not made again', async () => {
  const asked = fakeDescriptor({ tags: ['k8s-uid-1'] });
  repository.disk.push(asked, fakeDescriptor(), fakeDescriptor(), fakeDescriptor());
  const request = {
    uid: 'uid-1',
    name: 's',
    worktree: 'main',
    note: '',
    tags: [],
    engine: '',
    expectedParent: '',
  };
  const { executor, upkeep } = start();
  executor.setDesired(desired({ retention: keepTwo, snapshots: [request] }));
  await vi.waitFor(() => expect(upkeep.view.journal.removed).toHaveLength(1), within);
  expect(repository.disk[0]).toBe(asked);
  executor.setDesired(desired({ retention: keepTwo }));
  await vi.waitFor(() => expect(repository.disk).not.toContain(asked), within);
});

test('more than half at once is held and said, until it is allowed', async () => {
  for (let i = 0; i < 9; i++) repository.disk.push(fakeDescriptor());
  const { executor, upkeep } = start();
  executor.setDesired(desired({ retention: keepTwo }));
  await vi.waitFor(() => expect(upkeep.view.status.heldDeletions).toBe(7), within);
  expect(repository.disk).toHaveLength(9);
  expect(upkeep.view.journal.notices).toMatchObject([{ reason: 'MassPruneHeld' }]);
  executor.setDesired(desired({ retention: keepTwo, allowMassPrune: true }));
  await vi.waitFor(() => expect(repository.disk).toHaveLength(2), within);
  await vi.waitFor(() => expect(upkeep.view.status.heldDeletions).toBe(0), within);
});

test('a state file that can not be read costs only what it held', async () => {
  mkdirSync(join(directory, '.jvs/agent'), { recursive: true });
  writeFileSync(join(directory, '.jvs/agent/schedule.json'), '{"after": 7');
  const { executor, upkeep } = start();
  executor.setDesired(desired({ schedule: everyMinute }));
  await vi.waitFor(() => expect(upkeep.view.status.scheduleReason).toBe('Active'), within);
});
