import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { DesiredState } from '../../shared/proto/gen/jvs/link/v1/DesiredState.ts';
import { within } from '../../shared/testing.ts';
import { type Clock, systemClock } from '../clock.ts';
import { Events } from '../events.ts';
import { Executor } from '../executor/executor.ts';
import { type Descriptor, RepositoryError } from '../repository/repository.ts';
import { StateStore } from '../state.ts';
import { fakeDescriptor, MemoryRepository } from '../testing/memory-repository.ts';
import { Volume } from '../volume/volume.ts';
import { noRules, rulesOf } from './rules.ts';
import { Upkeep } from './upkeep.ts';

const log = pino({ level: 'silent' });
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
function start({ maintenance = false } = {}): { executor: Executor; upkeep: Upkeep; volume: Volume } {
  const options = {
    connect: () => repository,
    engine: 'copy',
    path: '/nonexistent',
    log,
    scanIntervalMs: 10,
  } as const;
  const volume = new Volume(options);
  const store = new StateStore(directory, log);
  const executor = new Executor({ volume, events: new Events(), store, pod: 'ml-0', log });
  const clock: Clock = {
    now: () => now,
    // Looks again at once: what should happen at `now` does.
    sleep: (milliseconds, signal) => systemClock.sleep(Math.min(milliseconds, 5), signal),
  };
  const verify = { bytesPerSecond: 1e9, intervalMs: 86_400_000 };
  const upkeep = new Upkeep({
    ...{ workspace: 'team/ml', worktree: 'main', store, volume, executor, log },
    ...{ clock, verify, settleMs: 0, maintenance },
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
  restores: [],
  deletions: [],
  hooks: null,
  finalSnapshot: false,
  initial: null,
  exports: [],
  ...fields,
});

const request = (uid: string) => ({
  ...{ uid, name: 's', worktree: 'main', note: '', tags: [], engine: '' },
  ...{ expectedParent: '', compression: null, partialPaths: [], origin: '' },
});

const everyMinute = {
  cron: '* * * * *',
  timeZone: 'UTC',
  tags: ['checkpoint'],
  suspend: false,
  skipUnchanged: false,
};
const origins = () => repository.disk.map(({ agent }) => agent?.origin);

test('the schedule takes its snapshots, says when the next is due, and takes none twice', async () => {
  const state = desired({ schedule: everyMinute });
  const { executor, upkeep } = start();
  executor.setDesired(state);
  await vi.waitFor(() => expect(upkeep.view.status.scheduleReason).toBe('Active'), within);
  expect(Number(upkeep.view.status.nextSnapshotTime?.seconds) * 1000).toBeGreaterThan(now.getTime());
  expect(repository.disk).toEqual([]);
  now = new Date('2026-11-24T10:01:10Z');
  await vi.waitFor(() => expect(origins()).toEqual(['auto']), within);
  expect(repository.disk[0]?.tags).toEqual([
    'checkpoint',
    `auto-${Date.parse('2026-11-24T10:01:00Z') / 1000}`,
  ]);
  now = new Date('2026-11-24T10:01:20Z');
  now = new Date('2026-11-24T10:02:10Z');
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

test('a schedule that is taken away and given back has missed nothing meanwhile', async () => {
  const daily = { ...everyMinute, cron: '0 3 * * *' };
  const { executor, upkeep } = start();
  executor.setDesired(desired({ schedule: daily }));
  await vi.waitFor(() => expect(upkeep.view.status.scheduleReason).toBe('Active'), within);
  executor.setDesired(desired({}));
  await vi.waitFor(() => expect(upkeep.view.status.scheduleReason).toBe(''), within);
  await vi.waitFor(() => expect(existsSync(join(directory, '.jvs/agent/schedule.json'))).toBe(false), within);
  now = new Date('2026-12-24T10:00:30Z');
  executor.setDesired(desired({ schedule: daily }));
  await vi.waitFor(() => expect(nextOf(upkeep)).toBeGreaterThan(now.getTime()), within);
  expect(repository.disk).toEqual([]);
  expect(upkeep.view.journal.notices).toEqual([]);
});

test('a schedule that is taken away while only a maintenance pod runs is forgotten too', async () => {
  const first = start();
  first.executor.setDesired(desired({ schedule: everyMinute }));
  const state = join(directory, '.jvs/agent/schedule.json');
  await vi.waitFor(() => expect(existsSync(state)).toBe(true), within);
  await stop?.();
  const { executor } = start({ maintenance: true });
  executor.setDesired(desired({}));
  await vi.waitFor(() => expect(existsSync(state)).toBe(false), within);
});

test('suspended, nothing is due; a standby keeps still', async () => {
  const { executor, upkeep } = start();
  executor.setDesired(desired({ schedule: { ...everyMinute, suspend: true } }));
  await vi.waitFor(() => expect(upkeep.view.status.scheduleReason).toBe('Suspended'), within);
  expect(upkeep.view.status.nextSnapshotTime).toBeNull();
  now = new Date('2026-11-24T10:09:00Z');
  executor.setDesired(desired({ role: 'ROLE_STANDBY', schedule: everyMinute }));
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

test('partial snapshots push out no whole one', async () => {
  const partial = () => fakeDescriptor({ partial_paths: ['models'] });
  repository.disk.push(fakeDescriptor(), partial(), partial(), partial());
  const [whole, doomed, ...newest] = repository.disk.map(({ snapshot_id }) => snapshot_id);
  const { executor, upkeep } = start();
  executor.setDesired(desired({ retention: keepTwo }));
  await vi.waitFor(() => expect(upkeep.view.journal.removed).toMatchObject([{ id: doomed }]), within);
  expect(repository.disk.map(({ snapshot_id }) => snapshot_id)).toEqual([whole, ...newest]);
});

test('of very many that go, each is told as pruned', async () => {
  const gone = 1100;
  for (let i = 0; i < gone + 2; i++) repository.disk.push(fakeDescriptor());
  const { executor, upkeep } = start();
  const reasons = new Map<string, string>();
  upkeep.changes.subscribe(({ journal }) => {
    for (const { id, reason } of journal.removed) reasons.set(id, reason);
  });
  executor.setDesired(desired({ retention: keepTwo, allowMassPrune: true }));
  await vi.waitFor(() => expect(repository.disk).toHaveLength(2), { timeout: 60_000 });
  await vi.waitFor(() => expect(reasons.size).toBe(gone), within);
  expect(new Set(reasons.values())).toEqual(new Set(['Pruned']));
});

test('a pinned snapshot stays', async () => {
  repository.disk.push(fakeDescriptor(), fakeDescriptor(), fakeDescriptor(), fakeDescriptor());
  const pinned = repository.disk[0]?.snapshot_id ?? '';
  const { executor, upkeep } = start();
  executor.setDesired(desired({ retention: keepTwo, pinned: [pinned] }));
  await vi.waitFor(() => expect(upkeep.view.journal.removed).toHaveLength(1), within);
  expect(repository.disk[0]?.snapshot_id).toBe(pinned);
});

test('what is pinned, or needed by a Restore, while its deletion waits for its turn stays', async () => {
  repository.disk.push(...Array.from({ length: 5 }, () => fakeDescriptor()));
  const [pinned = '', needed = '', doomed] = repository.disk.map(({ snapshot_id }) => snapshot_id);
  const { executor, upkeep, volume } = start();
  await vi.waitFor(() => expect(volume.state.info).toBeDefined(), within);
  const { promise, resolve } = Promise.withResolvers<void>();
  repository.gate = promise;
  const long = executor.create({ worktree: 'main' }, new AbortController().signal);
  await vi.waitFor(() => expect(repository.running).toBe(1), within);
  executor.setDesired(desired({ retention: keepTwo, allowMassPrune: true }));
  await vi.waitFor(() => expect(upkeep.view.journal.removed).toHaveLength(3), within);
  executor.setDesired(
    desired({
      ...{ retention: keepTwo, allowMassPrune: true, pinned: [pinned] },
      restores: [
        {
          ...{ uid: 'r', name: 'r', snapshotId: needed },
          ...{ worktree: '', newWorktree: 'exp', preRestoreSnapshot: false },
        },
      ],
    }),
  );
  resolve();
  await long;
  await vi.waitFor(
    () => expect(repository.disk.map(({ snapshot_id }) => snapshot_id)).not.toContain(doomed),
    within,
  );
  expect(repository.disk.slice(0, 2).map(({ snapshot_id }) => snapshot_id)).toEqual([pinned, needed]);
});

test('rules that change all the time, and say nothing of what goes, hold nothing up', async () => {
  repository.disk.push(...Array.from({ length: 5 }, () => fakeDescriptor()));
  const kept = repository.disk.slice(-2);
  const { executor } = start();
  const change = (pin: string) =>
    executor.setDesired(desired({ retention: keepTwo, allowMassPrune: true, pinned: [pin] }));
  let changes = 0;
  executor.asked.subscribe(() => change(`${changes++}`));
  change('first');
  await vi.waitFor(() => expect(repository.disk).toEqual(kept), within);
});

test('rules that come while deletions wait are on the volume before the next one', async () => {
  repository.disk.push(...Array.from({ length: 4 }, () => fakeDescriptor()));
  const { executor } = start();
  const pin = (...pinned: string[]) =>
    executor.setDesired(desired({ retention: keepTwo, allowMassPrune: true, pinned }));
  const remove = repository.delete.bind(repository);
  const written: string[] = [];
  vi.spyOn(repository, 'delete').mockImplementation(async (...asked) => {
    written.push(readFileSync(join(directory, '.jvs/agent/rules.json'), 'utf8'));
    pin('later');
    return remove(...asked);
  });
  pin();
  await vi.waitFor(() => expect(written).toHaveLength(2), within);
  expect(written.map((text) => JSON.parse(text).pinned)).toEqual([[], ['later']]);
});

test('rules that come while a scheduled snapshot waits are on the volume at once', async () => {
  const { executor, upkeep } = start();
  executor.setDesired(desired({ schedule: everyMinute }));
  await vi.waitFor(() => expect(upkeep.view.status.scheduleReason).toBe('Active'), within);
  repository.gate = new Promise(() => {});
  now = new Date('2026-11-24T10:01:10Z');
  await vi.waitFor(() => expect(repository.running).toBe(1), within);
  for (const pinned of ['first', 'second']) {
    executor.setDesired(desired({ schedule: everyMinute, pinned: [pinned] }));
  }
  const written = () => JSON.parse(readFileSync(join(directory, '.jvs/agent/rules.json'), 'utf8'));
  await vi.waitFor(() => expect(written().pinned).toEqual(['second']), within);
  expect(repository.running).toBe(1);
});

test('what is pinned during the scheduled snapshot before it is not deleted by the rules of before', async () => {
  repository.disk.push(...Array.from({ length: 4 }, () => fakeDescriptor()));
  const [pinned = '', doomed] = repository.disk.map(({ snapshot_id }) => snapshot_id);
  const { executor, upkeep } = start();
  executor.setDesired(desired({ schedule: everyMinute }));
  await vi.waitFor(() => expect(upkeep.view.status.scheduleReason).toBe('Active'), within);
  const { promise, resolve } = Promise.withResolvers<void>();
  repository.gate = promise;
  const state = desired({ schedule: everyMinute, retention: keepTwo, allowMassPrune: true });
  executor.setDesired(state);
  now = new Date('2026-11-24T10:01:10Z');
  await vi.waitFor(() => expect(repository.running).toBe(1), within);
  executor.setDesired({ ...state, pinned: [pinned] });
  resolve();
  await vi.waitFor(
    () => expect(repository.disk.map(({ snapshot_id }) => snapshot_id)).not.toContain(doomed),
    within,
  );
  expect(repository.disk[0]?.snapshot_id).toBe(pinned);
});

test('the snapshot of a request that the operator still asks for stays, so that it is not made again', async () => {
  const asked = fakeDescriptor({ tags: ['k8s-uid-1'] });
  repository.disk.push(asked, fakeDescriptor(), fakeDescriptor(), fakeDescriptor());
  const { executor, upkeep } = start();
  executor.setDesired(desired({ retention: keepTwo, snapshots: [request('uid-1')] }));
  await vi.waitFor(() => expect(upkeep.view.journal.removed).toHaveLength(1), within);
  expect(repository.disk[0]).toBe(asked);
  executor.setDesired(desired({ retention: keepTwo }));
  await vi.waitFor(() => expect(repository.disk).not.toContain(asked), within);
});

test('what was asked for since the rules were written stays until the operator has spoken', async () => {
  const [old, asked] = [fakeDescriptor({ tags: ['k8s-uid-1'] }), fakeDescriptor({ tags: ['k8s-uid-2'] })];
  repository.disk.push(old, asked, fakeDescriptor(), fakeDescriptor(), fakeDescriptor());
  const dayBefore = (descriptor: Descriptor) => new Date(Date.parse(descriptor.created_at) - 86_400_000);
  Object.assign(old, { created_at: dayBefore(old).toISOString() });
  const { policy } = rulesOf(desired({ retention: keepTwo }));
  const written = { ...noRules, policy, writtenAt: asked.created_at };
  mkdirSync(join(directory, '.jvs/agent'), { recursive: true });
  writeFileSync(join(directory, '.jvs/agent/rules.json'), JSON.stringify(written));
  const { executor, upkeep } = start(); // nobody tells it anything
  await vi.waitFor(() => expect(upkeep.view.journal.removed).toHaveLength(2), within);
  await vi.waitFor(() => expect(repository.disk).toHaveLength(3), within);
  expect(repository.disk[0]).toBe(asked);
  await vi.waitFor(
    () =>
      expect(upkeep.view.notes.get(asked.snapshot_id)?.keepReasons).toEqual([
        'asked for by a Snapshot, and the operator may not have noted it yet',
      ]),
    within,
  );
  executor.setDesired(desired({ retention: keepTwo }));
  await vi.waitFor(() => expect(repository.disk).not.toContain(asked), within);
});

test('what is asked for is on the volume before retention deletes anything', async () => {
  const asked = fakeDescriptor({ tags: ['k8s-uid-1'] });
  const first = start();
  first.executor.setDesired(desired({ retention: keepTwo }));
  const rules = join(directory, '.jvs/agent/rules.json');
  await vi.waitFor(() => expect(existsSync(rules)).toBe(true), within);
  first.executor.setDesired(desired({ retention: keepTwo, snapshots: [request('uid-1')] }));
  repository.disk.push(asked, fakeDescriptor(), fakeDescriptor(), fakeDescriptor());
  await vi.waitFor(() => expect(first.upkeep.view.journal.removed).toHaveLength(1), within);
  expect(JSON.parse(readFileSync(rules, 'utf8'))).toMatchObject({ requests: ['uid-1'] });
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

test('what the disk can not read for a while is not lost: it is read later', async () => {
  const rules = join(directory, '.jvs/agent/rules.json');
  mkdirSync(join(directory, '.jvs/agent'));
  symlinkSync(directory, rules); // as good as an error of the storage
  const load = vi.spyOn(StateStore.prototype, 'load');
  const { upkeep } = start();
  const reads = () => load.mock.calls.filter(([name]) => name === 'rules').length;
  await vi.waitFor(() => expect(reads()).toBeGreaterThan(1), within);
  load.mockRestore();
  writeFileSync(`${rules}.new`, JSON.stringify({ ...noRules, schedule: everyMinute }));
  renameSync(`${rules}.new`, rules);
  await vi.waitFor(() => expect(upkeep.view.status.scheduleReason).toBe('Active'), within);
  expect(upkeep.view.journal.notices).toEqual([]);
});

test('a state file that is damaged costs only what it held, is set aside and said', async () => {
  mkdirSync(join(directory, '.jvs/agent'), { recursive: true });
  const path = join(directory, '.jvs/agent/schedule.json');
  writeFileSync(path, '{"after": 7');
  const { executor, upkeep } = start();
  executor.setDesired(desired({ schedule: everyMinute }));
  await vi.waitFor(() => expect(upkeep.view.status.scheduleReason).toBe('Active'), within);
  expect(readFileSync(`${path}.damaged`, 'utf8')).toBe('{"after": 7');
  expect(upkeep.view.journal.notices).toMatchObject([{ reason: 'AgentStateDamaged' }]);
});

test('a journal with a time that is none is damaged: else it would break every connection', async () => {
  mkdirSync(join(directory, '.jvs/agent'), { recursive: true });
  const path = join(directory, '.jvs/agent/journal.json');
  const removed = [{ id: 'x', time: 'yesterday', reason: 'Pruned', message: 'why' }];
  writeFileSync(path, JSON.stringify({ removed, notices: [] }));
  const { upkeep } = start();
  await vi.waitFor(() => expect(noticesOf(upkeep, 'AgentStateDamaged')).toHaveLength(1), within);
  expect(upkeep.view.journal.removed).toEqual([]);
  expect(JSON.parse(readFileSync(`${path}.damaged`, 'utf8'))).toMatchObject({ removed });
});

const noticesOf = (upkeep: Upkeep, reason: string) =>
  upkeep.view.journal.notices.filter((notice) => notice.reason === reason);

test('with skipUnchanged, runs go by while nothing changes', async () => {
  const { executor, upkeep } = start();
  executor.setDesired(desired({ schedule: { ...everyMinute, skipUnchanged: true } }));
  await vi.waitFor(() => expect(upkeep.view.status.scheduleReason).toBe('Active'), within);
  now = new Date('2026-11-24T10:01:10Z');
  await vi.waitFor(() => expect(origins()).toEqual(['auto']), within);
  repository.unchanged = true;
  const state = join(directory, '.jvs/agent/schedule.json');
  for (const minute of ['02', '03']) {
    now = new Date(`2026-11-24T10:${minute}:10Z`);
    const settled = `2026-11-24T10:${minute}:00.000Z`;
    await vi.waitFor(() => expect(readFileSync(state, 'utf8')).toContain(settled), within);
  }
  expect(origins()).toEqual(['auto']);
  repository.unchanged = false;
  now = new Date('2026-11-24T10:04:10Z');
  await vi.waitFor(() => expect(origins()).toEqual(['auto', 'auto']), within);
  expect(noticesOf(upkeep, 'SnapshotMissed')).toEqual([]);
});

test('a run whose agent can not see whether files are frozen is tried again', async () => {
  const { executor, upkeep } = start();
  executor.setDesired(desired({ schedule: { ...everyMinute, cron: '0 * * * *' } }));
  await vi.waitFor(() => expect(upkeep.view.status.scheduleReason).toBe('Active'), within);
  const marker = join(directory, '.jvs/agent/quiesced.json');
  mkdirSync(marker);
  now = new Date('2026-11-24T11:01:10Z');
  await vi.waitFor(() => expect(noticesOf(upkeep, 'ScheduledSnapshotFailed')).toHaveLength(1), within);
  rmSync(marker, { recursive: true });
  now = new Date('2026-11-24T11:02:20Z');
  await vi.waitFor(() => expect(origins()).toEqual(['auto']), within);
  expect(repository.disk[0]?.tags).toContain(`auto-${Date.parse('2026-11-24T11:00:00Z') / 1000}`);
});

const nextOf = (upkeep: Upkeep) => Number(upkeep.view.status.nextSnapshotTime?.seconds) * 1000;

test('a run that a shutdown interrupts is taken by the next agent, and is no failure', async () => {
  repository.gate = new Promise(() => {});
  const { executor, upkeep } = start();
  executor.setDesired(desired({ schedule: everyMinute }));
  await vi.waitFor(() => expect(upkeep.view.status.scheduleReason).toBe('Active'), within);
  now = new Date('2026-11-24T10:01:10Z');
  await vi.waitFor(() => expect(repository.running).toBe(1), within);
  await stop?.();
  expect(repository.disk).toEqual([]);
  repository.gate = Promise.resolve();
  now = new Date('2026-11-24T10:01:40Z');
  const second = start();
  await vi.waitFor(() => expect(origins()).toEqual(['auto']), within);
  expect(second.upkeep.view.journal.notices).toEqual([]);
});

test('a failure that may pass is said, and the run tried again; one that does not is said and given up', async () => {
  const { executor, upkeep } = start();
  executor.setDesired(desired({ schedule: { ...everyMinute, cron: '0 * * * *' } }));
  await vi.waitFor(() => expect(upkeep.view.status.scheduleReason).toBe('Active'), within);
  repository.failures.push(new RepositoryError('VolumeFull', 'no space'));
  now = new Date('2026-11-24T11:01:10Z');
  await vi.waitFor(() => expect(noticesOf(upkeep, 'ScheduledSnapshotFailed')).toHaveLength(1), within);
  expect(repository.disk).toEqual([]);
  now = new Date('2026-11-24T11:02:20Z');
  await vi.waitFor(() => expect(origins()).toEqual(['auto']), within);
  expect(repository.disk[0]?.tags).toContain(`auto-${Date.parse('2026-11-24T11:00:00Z') / 1000}`);

  repository.failures.push(new RepositoryError('NotFound', 'main is no directory'));
  now = new Date('2026-11-24T12:01:10Z');
  await vi.waitFor(() => expect(noticesOf(upkeep, 'ScheduledSnapshotFailed')).toHaveLength(2), within);
  now = new Date('2026-11-24T12:05:00Z');
  await vi.waitFor(() => expect(nextOf(upkeep)).toBeGreaterThan(now.getTime()), within);
  expect(repository.disk).toHaveLength(1);
});

test('a standby that takes over goes on where the primary was', async () => {
  const { executor, upkeep } = start();
  const state = desired({ schedule: everyMinute });
  executor.setDesired(state);
  await vi.waitFor(() => expect(upkeep.view.status.scheduleReason).toBe('Active'), within);
  executor.setDesired({ ...state, role: 'ROLE_STANDBY' });
  await vi.waitFor(() => expect(upkeep.view.status.scheduleReason).toBeUndefined(), within);
  // Hours of another primary.
  const after = '2026-11-24T15:00:00.000Z';
  writeFileSync(
    join(directory, '.jvs/agent/schedule.json'),
    JSON.stringify({ schedule: '* * * * *', timeZone: 'UTC', after }),
  );
  now = new Date('2026-11-24T15:01:10Z');
  executor.setDesired(state);
  await vi.waitFor(() => expect(origins()).toEqual(['auto']), within);
  expect(upkeep.view.journal.notices).toEqual([]);
});

test('removals are written down before they happen; those of others are told as theirs', async () => {
  repository.disk.push(...Array.from({ length: 4 }, () => fakeDescriptor()));
  const [first, second, third, fourth] = repository.disk.map(({ snapshot_id }) => snapshot_id);
  const written = () => JSON.parse(readFileSync(join(directory, '.jvs/agent/journal.json'), 'utf8')).removed;
  const remove = repository.delete.bind(repository);
  vi.spyOn(repository, 'delete').mockImplementation(async (id) => {
    expect(written()).toMatchObject([{ id: first }, { id: second }]);
    if (id === first) throw new RepositoryError('InvalidArgument', 'it is the head of worktree late');
    await remove(id);
  });
  const { executor, upkeep } = start();
  executor.setDesired(desired({ retention: keepTwo }));
  // The one that can not go does not hold up the others.
  await vi.waitFor(() => expect(repository.disk).toHaveLength(3), within);
  await vi.waitFor(() => expect(noticesOf(upkeep, 'PruneFailed')).toHaveLength(1), within);
  expect(repository.disk.map(({ snapshot_id }) => snapshot_id)).toEqual([first, third, fourth]);

  repository.disk.splice(1, 1);
  await vi.waitFor(() => {
    const told = upkeep.view.journal.removed.map(({ id, reason }) => [id, reason]);
    expect(told).toContainEqual([third, 'RemovedFromVolume']);
    expect(told).toContainEqual([second, 'Pruned']);
  }, within);
});

test('each snapshot has the reasons for which it stays', async () => {
  repository.disk.push(...Array.from({ length: 3 }, () => fakeDescriptor()));
  const [a, b, c] = repository.disk.map(({ snapshot_id }) => snapshot_id);
  const { executor, upkeep } = start();
  executor.setDesired(desired({ retention: keepTwo, pinned: [a ?? ''] }));
  const reasons = () => [a, b, c].map((id) => upkeep.view.notes.get(id ?? '')?.keepReasons);
  const two = 'one of the newest 2 (keepMinSnapshots)';
  const newest = ['newest Ready snapshot of worktree main', 'head of worktree main', two];
  await vi.waitFor(() => expect(reasons()).toEqual([['pinned'], [two], newest]), within);
  repository.disk.push(fakeDescriptor());
  await vi.waitFor(() => expect(reasons()).toEqual([['pinned'], undefined, [two]]), within);
});

test('what a workload took of itself makes room for more, even without a policy', async () => {
  const agent = {
    origin: 'self',
    completed_at: '2026-11-24T08:00:00Z',
    effective_engine: 'copy',
    consistency: 'crash-consistent',
    size: 1,
    unique_bytes: 1,
    entries: 1,
  } as const;
  repository.disk.push(...Array.from({ length: 103 }, () => fakeDescriptor({ agent })));
  const oldest = repository.disk.slice(0, 3).map(({ snapshot_id }) => snapshot_id);
  const { upkeep } = start();
  await vi.waitFor(() => expect(repository.disk).toHaveLength(100), within);
  expect(upkeep.view.journal.removed.map(({ id }) => id)).toEqual(oldest);
});

test('a snapshot that the disk can not delete holds up no other, and is said; of a disk that deletes none, one', async () => {
  repository.disk.push(...Array.from({ length: 6 }, () => fakeDescriptor()));
  const [broken = '', , , , ...rest] = repository.disk.map(({ snapshot_id }) => snapshot_id);
  const remove = repository.delete.bind(repository);
  let works = false;
  const deleted = vi.spyOn(repository, 'delete').mockImplementation(async (id, options) => {
    if (!works || id === broken) throw new RepositoryError('Internal', 'EIO');
    return remove(id, options);
  });
  const { executor, upkeep } = start();
  executor.setDesired(desired({ retention: keepTwo, allowMassPrune: true }));
  await vi.waitFor(() => expect(deleted).toHaveBeenCalledTimes(4), within);
  await vi.waitFor(() => expect(noticesOf(upkeep, 'PruneFailed')).toHaveLength(1), within);
  works = true;
  const left = () => repository.disk.map(({ snapshot_id }) => snapshot_id);
  // A minute after it was tried, which may not be over yet.
  await vi.waitFor(() => {
    now = new Date(now.getTime() + 60_000);
    expect(left()).toEqual([broken, ...rest]);
  }, within);
  expect(noticesOf(upkeep, 'PruneFailed')).toMatchObject([{ message: expect.stringContaining(broken) }]);
});

test('a snapshot that may not be deleted does not keep quiet that the disk can not delete another', async () => {
  repository.disk.push(...Array.from({ length: 4 }, () => fakeDescriptor()));
  const [theirs, broken = ''] = repository.disk.map(({ snapshot_id }) => snapshot_id);
  const deleted = vi.spyOn(repository, 'delete').mockImplementation(async (id) => {
    throw new RepositoryError(id === theirs ? 'PermissionDenied' : 'Internal', 'it can not be');
  });
  const { executor, upkeep } = start();
  executor.setDesired(desired({ retention: keepTwo, allowMassPrune: true }));
  await vi.waitFor(() => expect(deleted).toHaveBeenCalledTimes(2), within);
  await vi.waitFor(
    () => expect(noticesOf(upkeep, 'PruneFailed')).toMatchObject([{}, { id: `prune-${broken}` }]),
    within,
  );
});

test('where nothing can be written, retention makes room all the same', async () => {
  writeFileSync(join(directory, '.jvs/agent'), 'no folder');
  repository.disk.push(...Array.from({ length: 4 }, () => fakeDescriptor()));
  const { executor } = start();
  executor.setDesired(desired({ retention: keepTwo }));
  await vi.waitFor(() => expect(repository.disk).toHaveLength(2), within);
});

test('that what it has to remember can not be written is said, once until it can', async () => {
  const agent = join(directory, '.jvs/agent');
  writeFileSync(agent, 'no folder');
  const { executor, upkeep } = start();
  executor.setDesired(desired({ pinned: ['a'] }));
  const told = () => noticesOf(upkeep, 'AgentStateNotSaved');
  await vi.waitFor(
    () => expect(told()).toMatchObject([{ message: expect.stringContaining('ENOTDIR') }]),
    within,
  );
  executor.setDesired(desired({ pinned: ['b'] }));
  rmSync(agent);
  await vi.waitFor(() => expect(existsSync(join(agent, 'rules.json'))).toBe(true), within);
  expect(told()).toHaveLength(1);
});

test('a policy that keeps nothing deletes nothing, and says so', async () => {
  repository.disk.push(fakeDescriptor(), fakeDescriptor(), fakeDescriptor());
  const nothing = {
    ...keepTwo,
    policy: { ...keepTwo.policy, keepMinSnapshots: 0, keepTags: [] },
  };
  const { executor, upkeep } = start();
  executor.setDesired(desired({ retention: nothing, allowMassPrune: true }));
  await vi.waitFor(() => expect(noticesOf(upkeep, 'RetentionRefused')).toHaveLength(1), within);
  expect(repository.disk).toHaveLength(3);
});

test('retention that can not see which worktrees there are deletes nothing, and says so once', async () => {
  repository.disk.push(...Array.from({ length: 4 }, () => fakeDescriptor()));
  const damage = new RepositoryError('DamagedRepository', 'worktrees/exp/config.json is no JSON');
  const worktrees = vi.spyOn(repository, 'worktrees').mockRejectedValue(damage);
  const { executor, upkeep } = start();
  executor.setDesired(desired({ retention: keepTwo }));
  await vi.waitFor(() => expect(noticesOf(upkeep, 'RetentionStopped')).toHaveLength(1), within);
  now = new Date(now.getTime() + 600_000);
  const { length } = worktrees.mock.calls;
  await vi.waitFor(() => expect(worktrees.mock.calls.length).toBeGreaterThan(length + 9), within);
  expect(noticesOf(upkeep, 'RetentionStopped')).toMatchObject([
    { message: expect.stringContaining('worktrees/exp/config.json is no JSON') },
  ]);
  expect(repository.disk).toHaveLength(4);
  worktrees.mockRestore();
  await vi.waitFor(() => {
    now = new Date(now.getTime() + 600_000);
    expect(repository.disk).toHaveLength(2);
  }, within);
});

test.for([
  ['goes on', 600_000],
  ['is set back', -3_600_000],
] as const)(
  'a disk that can not tell for long which worktrees there are is said too, one that fails once is not: the clock %s',
  async ([, step]) => {
    repository.disk.push(...Array.from({ length: 4 }, () => fakeDescriptor()));
    const worktrees = vi.spyOn(repository, 'worktrees');
    worktrees.mockRejectedValue(new RepositoryError('Internal', 'listing worktrees: EIO'));
    const { executor, upkeep } = start();
    executor.setDesired(desired({ retention: keepTwo }));
    await vi.waitFor(() => expect(worktrees.mock.calls.length).toBeGreaterThan(9), within);
    expect(noticesOf(upkeep, 'RetentionStopped')).toEqual([]);
    // From the first plan on, which may not have been made yet.
    await vi.waitFor(() => {
      now = new Date(now.getTime() + step);
      expect(noticesOf(upkeep, 'RetentionStopped')).toHaveLength(1);
    }, within);
    expect(repository.disk).toHaveLength(4);
  },
);

test('an idle agent verifies what was not for long; what is damaged is said, and counts for nothing', async () => {
  repository.disk.push(...Array.from({ length: 4 }, () => fakeDescriptor()));
  const ids = repository.disk.map(({ snapshot_id }) => snapshot_id);
  const newest = ids.at(-1) ?? '';
  const damaged = new Set([newest]);
  vi.spyOn(repository, 'verify').mockImplementation(async (snapshotId) => ({
    snapshotId,
    descriptorValid: true,
    payloadValid: !damaged.has(snapshotId),
    ...(damaged.has(snapshotId) && { error: 'the files hash to something else' }),
  }));
  const first = start();
  await vi.waitFor(() => expect(first.upkeep.view.notes.size).toBe(4), within);
  expect(repository.verify).not.toHaveBeenCalled(); // nothing is a day old
  now = new Date('2026-11-25T12:00:00Z');
  await vi.waitFor(() => {
    const verified = ids.map((id) => first.upkeep.view.notes.get(id)?.verifiedAt);
    expect(verified).toEqual(ids.map(() => now.toISOString()));
  }, within);
  expect(noticesOf(first.upkeep, 'SnapshotDamaged')).toMatchObject([
    { message: expect.stringContaining(newest) },
  ]);
  const one = { ...keepTwo, policy: { ...keepTwo.policy, keepMinSnapshots: 1 } };
  first.executor.setDesired(desired({ retention: one }));
  // The newest that is good stays; the damaged one only because it is the head.
  await vi.waitFor(
    () => expect(repository.disk.map(({ snapshot_id }) => snapshot_id)).toEqual(ids.slice(2)),
    within,
  );
  expect(first.upkeep.view.notes.get(newest)?.damage).toBe('the files hash to something else');
  await stop?.();

  // Kept for the next agent, until it is found whole again.
  const second = start();
  await vi.waitFor(() => expect(second.upkeep.view.notes.get(newest)?.damage).toBeDefined(), within);
  damaged.clear();
  now = new Date('2026-11-27T12:00:00Z');
  await vi.waitFor(
    () => expect(second.upkeep.view.notes.get(newest)).toMatchObject({ verifiedAt: now.toISOString() }),
    within,
  );
  expect(second.upkeep.view.notes.get(newest)?.damage).toBeUndefined();
});

test('what a standby verifies is told to who asks, and not written over what the primary has found', async () => {
  repository.disk.push(fakeDescriptor(), fakeDescriptor());
  const [a = '', b = ''] = repository.disk.map(({ snapshot_id }) => snapshot_id);
  const { executor, upkeep } = start();
  const state = join(directory, '.jvs/agent');
  // It was on its own before: it has read what there was.
  await vi.waitFor(() => expect(existsSync(join(state, 'journal.json'))).toBe(true), within);
  const began = Promise.withResolvers<void>();
  const verified = Promise.withResolvers<void>();
  vi.spyOn(repository, 'verify').mockImplementation(async (snapshotId) => {
    began.resolve();
    await verified.promise;
    return { snapshotId, descriptorValid: true, payloadValid: false, error: 'the files hash to another' };
  });
  now = new Date('2026-11-25T12:00:00Z');
  await began.promise; // by itself
  executor.setDesired(desired({ role: 'ROLE_STANDBY' }));
  const found = { [b]: { verifiedAt: now.toISOString(), damage: 'the disk is bad' } };
  const told = { removed: [], notices: [] };
  writeFileSync(join(state, 'verify.json'), JSON.stringify(found));
  writeFileSync(join(state, 'journal.json'), JSON.stringify(told));
  verified.resolve();
  const asked = await upkeep.verify(a, new AbortController().signal);
  expect(asked).toMatchObject({ payloadValid: false });
  await stop?.();
  expect(JSON.parse(readFileSync(join(state, 'verify.json'), 'utf8'))).toEqual(found);
  expect(JSON.parse(readFileSync(join(state, 'journal.json'), 'utf8'))).toEqual(told);
});

test('a snapshot that is deleted while it is verified is no failure', async () => {
  repository.disk.push(fakeDescriptor(), fakeDescriptor());
  const [older, newer] = repository.disk.map(({ snapshot_id }) => snapshot_id) as [string, string];
  vi.spyOn(repository, 'verify').mockImplementation(async (snapshotId) => {
    if (snapshotId === older) throw new RepositoryError('NotFound', 'gone');
    return { snapshotId, descriptorValid: true, payloadValid: true };
  });
  const warned = vi.spyOn(log, 'warn');
  now = new Date('2026-11-25T12:00:00Z');
  const { upkeep } = start();
  await vi.waitFor(() => expect(upkeep.view.notes.get(newer)?.verifiedAt).toBeDefined(), within);
  expect(repository.verify).toHaveBeenCalledWith(older, expect.anything());
  expect(warned).not.toHaveBeenCalledWith(expect.objectContaining({ snapshot: older }), expect.anything());
});

test('a clock that is set back puts off neither a verification nor a run that has failed', async () => {
  repository.disk.push(fakeDescriptor());
  vi.spyOn(repository, 'verify').mockRejectedValue(new RepositoryError('Internal', 'EIO'));
  const { executor, upkeep } = start();
  executor.setDesired(desired({ schedule: { ...everyMinute, cron: '0 0 * * *' } }));
  await vi.waitFor(() => expect(upkeep.view.status.scheduleReason).toBe('Active'), within);
  vi.spyOn(repository, 'snapshot').mockRejectedValue(new RepositoryError('Internal', 'EIO'));
  now = new Date('2026-11-26T20:00:00Z');
  const tried = (times: number) =>
    vi.waitFor(() => {
      expect(repository.verify).toHaveBeenCalledTimes(times);
      expect(repository.snapshot).toHaveBeenCalledTimes(times);
    }, within);
  await tried(1);
  now = new Date('2026-11-26T12:00:00Z');
  await tried(2);
});

test('verifying gives way to what people wait for, but not for ever', async () => {
  repository.disk.push(fakeDescriptor());
  const signals: AbortSignal[] = [];
  vi.spyOn(repository, 'verify').mockImplementation((_, options) => {
    const signal = options?.signal ?? AbortSignal.abort();
    signals.push(signal);
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(new RepositoryError('Aborted', 'aborted')));
    });
  });
  now = new Date('2026-12-24T10:00:00Z');
  const { executor, volume } = start();
  await vi.waitFor(() => expect(volume.state.info).toBeDefined(), within);
  for (let attempt = 1; attempt <= 4; attempt++) {
    await vi.waitFor(() => expect(signals).toHaveLength(attempt), within);
    await executor.create({ worktree: 'main' }, new AbortController().signal);
  }
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, true, false]);
});

test('what a restore needs stays, and what undoes it, until it has ended', async () => {
  repository.disk.push(
    fakeDescriptor(),
    fakeDescriptor({ tags: ['k8s-r-before'] }),
    fakeDescriptor({ tags: ['k8s-r-before-2'] }),
    fakeDescriptor(),
    fakeDescriptor(),
  );
  const [wanted, ...rest] = repository.disk;
  const restores = [
    {
      ...{ uid: 'r', name: 'r', snapshotId: wanted?.snapshot_id ?? '' },
      ...{ worktree: '', newWorktree: 'exp', preRestoreSnapshot: false },
    },
  ];
  // It can not be carried out yet.
  vi.spyOn(repository, 'fork').mockRejectedValue(new RepositoryError('VolumeFull', 'make room'));
  const { executor, upkeep } = start();
  executor.setDesired(desired({ retention: keepTwo, restores, allowMassPrune: true }));
  const reasons = () =>
    repository.disk.map(({ snapshot_id: id }) => upkeep.view.notes.get(id)?.keepReasons?.[0]);
  const needed = 'needed by a running Restore';
  await vi.waitFor(() => expect(reasons().slice(0, 3)).toEqual([needed, needed, needed]), within);
  expect(repository.disk).toHaveLength(5);
  executor.setDesired(desired({ retention: keepTwo, allowMassPrune: true }));
  await vi.waitFor(() => expect(repository.disk).toEqual(rest.slice(-2)), within);
});

test('what a person let go is told as that', async () => {
  repository.disk.push(fakeDescriptor(), fakeDescriptor());
  const [first = '', second = ''] = repository.disk.map(({ snapshot_id }) => snapshot_id);
  const { executor, upkeep } = start();
  executor.setDesired(desired({ deletions: [first, second].map((id) => ({ uid: id, snapshotId: id })) }));
  await vi.waitFor(() => expect(repository.disk).toEqual([]), within);
  await vi.waitFor(() => expect(upkeep.view.journal.removed).toHaveLength(2), within);
  expect(upkeep.view.journal.removed.map(({ id, reason }) => [id, reason])).toEqual([
    [first, 'Deleted'],
    [second, 'Deleted'],
  ]);
});

test('an agent that stops and can not read whether a final snapshot is asked for says so', async () => {
  mkdirSync(join(directory, '.jvs/agent/rules.json'), { recursive: true });
  const { executor, upkeep, volume } = start();
  await vi.waitFor(() => expect(volume.state.info).toBeDefined(), within);
  await executor.stop(10_000, () => upkeep.takeFinal());
  expect(noticesOf(upkeep, 'FinalSnapshotFailed')).toMatchObject([
    { message: expect.stringContaining('rules.json can not be read') },
  ]);
});

const exec = (...command: string[]) => ({ exec: { command }, timeoutSeconds: 5 });
const scheduled = (hooks: DesiredState['hooks']) => desired({ schedule: everyMinute, hooks });

test('hooks are called without an operator too; one that fails is told once', async () => {
  const hooks = { preSnapshot: exec('true'), postSnapshot: exec('touch', join(directory, 'thawed')) };
  const first = start();
  first.executor.setDesired(scheduled(hooks));
  await vi.waitFor(() => expect(first.upkeep.view.status.scheduleReason).toBe('Active'), within);
  await stop?.();
  now = new Date('2026-11-24T10:01:10Z');
  const second = start(); // nobody tells it anything
  await vi.waitFor(() => expect(origins()).toEqual(['auto']), within);
  expect(repository.disk[0]?.agent?.consistency).toBe('quiesced');
  await vi.waitFor(() => expect(existsSync(join(directory, 'thawed'))).toBe(true), within);

  second.executor.setDesired(scheduled({ ...hooks, preSnapshot: exec('false') }));
  for (const minute of ['02', '03']) {
    now = new Date(`2026-11-24T10:${minute}:10Z`);
    await vi.waitFor(() => expect(repository.disk).toHaveLength(Number(minute)), within);
  }
  expect(repository.disk[2]?.agent?.consistency).toBe('crash-consistent');
  expect(noticesOf(second.upkeep, 'HookFailed')).toMatchObject([
    { message: expect.stringContaining('spec.hooks.preSnapshot: false ended with exit status 1') },
  ]);
});

test('a post hook that a killed agent owes is called when the next one starts, and again until it works', async () => {
  mkdirSync(join(directory, '.jvs/agent'), { recursive: true });
  const marker = join(directory, '.jvs/agent/quiesced.json');
  const ready = join(directory, 'ready');
  const post = { exec: { command: ['test', '-e', ready] }, timeout: 5000 };
  writeFileSync(
    marker,
    JSON.stringify({ since: '2026-11-24T10:00:00Z', pod: 'ml-0', worktree: 'main', post }),
  );
  const { upkeep } = start();
  await vi.waitFor(() => expect(noticesOf(upkeep, 'HookFailed')).toHaveLength(1), within);
  writeFileSync(ready, '');
  await vi.waitFor(() => expect(existsSync(marker)).toBe(false), within);
});

test('the final snapshot: where it is asked for, after what runs, and only if something has changed', async () => {
  const asked = desired({ finalSnapshot: true });
  const { executor, upkeep, volume } = start();
  await vi.waitFor(() => expect(volume.state.info).toBeDefined(), within);
  const { promise, resolve } = Promise.withResolvers<void>();
  executor.setDesired(asked);
  await vi.waitFor(() => expect(existsSync(join(directory, '.jvs/agent/rules.json'))).toBe(true), within);
  repository.gate = promise;
  const running = executor.create({ worktree: 'main' }, new AbortController().signal);
  await vi.waitFor(() => expect(repository.running).toBe(1), within);
  const stopped = executor.stop(10_000, () => upkeep.takeFinal());
  resolve();
  await Promise.all([running, stopped]);
  expect(origins()).toEqual(['self', 'final']);
  await stop?.();

  // Its rules are on the volume: no operator has to say so again.
  repository.unchanged = true;
  const second = start();
  await vi.waitFor(() => expect(second.upkeep.view.status.scheduleReason).toBe(''), within);
  await second.executor.stop(10_000, () => second.upkeep.takeFinal());
  expect(origins()).toEqual(['self', 'final']);
});

test('a final snapshot that nobody waited for is told by the next start, once', async () => {
  const first = start();
  first.executor.setDesired(desired({ finalSnapshot: true }));
  await vi.waitFor(() => expect(first.upkeep.view.status.scheduleReason).toBe(''), within);
  const begun = join(directory, '.jvs/agent/final.json');
  repository.gate = new Promise(() => {});
  const stopping = first.executor.stop(10_000, () => first.upkeep.takeFinal());
  await vi.waitFor(() => expect(repository.running).toBe(1), within);
  const left = readFileSync(begun, 'utf8');
  await first.executor.stop(0);
  await stopping;
  expect(existsSync(begun)).toBe(false);
  await stop?.();

  // As if it had been killed before it could say so.
  rmSync(join(directory, '.jvs/agent/journal.json'), { force: true });
  writeFileSync(begun, left);
  repository.gate = Promise.resolve();
  const second = start();
  await vi.waitFor(
    () =>
      expect(noticesOf(second.upkeep, 'FinalSnapshotFailed')).toMatchObject([
        { message: expect.stringContaining('was cut short') },
      ]),
    within,
  );
  await vi.waitFor(() => expect(existsSync(begun)).toBe(false), within);
});

test('a final snapshot for which what ran before left no time is told', async () => {
  const { executor, upkeep } = start();
  executor.setDesired(desired({ finalSnapshot: true }));
  await vi.waitFor(() => expect(upkeep.view.status.scheduleReason).toBe(''), within);
  repository.gate = new Promise(() => {});
  const running = executor.create({ worktree: 'main' }, new AbortController().signal);
  await vi.waitFor(() => expect(repository.running).toBe(1), within);
  const ended = expect(running).rejects.toMatchObject({ reason: 'Aborted' });
  await executor.stop(20, () => upkeep.takeFinal());
  await ended;
  expect(repository.disk).toEqual([]);
  expect(noticesOf(upkeep, 'FinalSnapshotFailed')).toHaveLength(1);
});

test('a final snapshot that does not fit into the grace is told, and a standby takes none', async () => {
  const asked = desired({ finalSnapshot: true });
  const first = start();
  first.executor.setDesired(asked);
  await vi.waitFor(() => expect(first.upkeep.view.status.scheduleReason).toBe(''), within);
  repository.gate = new Promise(() => {});
  await first.executor.stop(20, () => first.upkeep.takeFinal());
  expect(repository.disk).toEqual([]);
  expect(noticesOf(first.upkeep, 'FinalSnapshotFailed')).toMatchObject([
    { message: expect.stringContaining('terminationGracePeriodSeconds') },
  ]);
  await stop?.();
  repository.gate = Promise.resolve();
  const second = start();
  second.executor.setDesired({ ...asked, role: 'ROLE_STANDBY' });
  await vi.waitFor(() => expect(second.volume.state.info).toBeDefined(), within);
  await second.executor.stop(10_000, () => second.upkeep.takeFinal());
  expect(repository.disk).toEqual([]);
});
