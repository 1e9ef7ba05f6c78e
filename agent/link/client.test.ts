import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { pino } from 'pino';
import { afterEach, expect, test, vi } from 'vitest';
import type { Backoff } from '../../shared/backoff.ts';
import type { EventInput } from '../../shared/proto/gen/jvs/agent/v1/Event.ts';
import { Events } from '../events.ts';
import { Executor } from '../executor/executor.ts';
import type { Descriptor } from '../repository/repository.ts';
import { StateStore } from '../state.ts';
import { FakeOperator } from '../testing/fake-operator.ts';
import { fakeDescriptor, MemoryRepository } from '../testing/memory-repository.ts';
import { createAuthority } from '../testing/tls.ts';
import { Upkeep } from '../upkeep/upkeep.ts';
import { Volume } from '../volume/volume.ts';
import { LinkClient } from './client.ts';

const log = pino({ level: 'silent' });
const within = { timeout: 60_000, interval: 10 };
const authority = await createAuthority();
const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function start({
  scanIntervalMs = 20,
  disk = [],
  patience,
}: {
  scanIntervalMs?: number;
  disk?: Descriptor[];
  patience?: Backoff;
} = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'jvs-link-'));
  const files = { 'link-ca-file': join(directory, 'ca.crt'), 'link-token-file': join(directory, 'token') };
  const writeToken = (token: string) => writeFileSync(files['link-token-file'], `${token}\n`);
  const writeCa = (ca: string) => writeFileSync(files['link-ca-file'], ca);
  writeToken('first');
  writeCa(authority.ca);

  const operator = new FakeOperator(authority);
  await operator.start();
  const repository = new MemoryRepository();
  repository.disk.push(...disk);
  const volume = new Volume({
    connect: () => repository,
    engine: 'copy',
    path: '/nonexistent',
    log,
    scanIntervalMs,
  });
  const events = new Events();
  const seen: EventInput[] = [];
  events.subscribe((event) => seen.push(event));
  const store = new StateStore('/nonexistent', log);
  const executor = new Executor({ volume, events, store, pod: 'ml-0', log, random: () => 0 });
  const link = new LinkClient({
    config: { workspace: 'ml', pod: 'ml-0', node: 'node-1', ...files },
    address: operator.address,
    volume,
    executor,
    upkeep: new Upkeep({ workspace: 'team/ml', worktree: 'main', store, volume, executor, log }),
    events,
    log,
    retry: { baseMs: 50, capMs: 200 },
    ...(patience && { patience }),
  });
  const controller = new AbortController();
  const volumeRuns = volume.run(controller.signal);
  const stopLink = new AbortController();
  let linkRuns = Promise.resolve();
  const connect = () => {
    linkRuns = link.run(stopLink.signal);
  };
  const hangUp = async () => {
    stopLink.abort();
    await linkRuns;
  };
  stops.push(() => rmSync(directory, { recursive: true }));
  stops.push(() => operator.kill());
  stops.push(async () => {
    await hangUp();
    await executor.stop(0);
    controller.abort();
    await volumeRuns;
  });
  return { operator, repository, volume, executor, link, connect, hangUp, seen, files, writeToken, writeCa };
}

const request = (uid: string) => ({ uid, name: uid });
const primary = (...uids: string[]) => ({ role: 'ROLE_PRIMARY', snapshots: uids.map(request) }) as const;

test('says Hello with its token, then the whole inventory, then its status', async () => {
  const descriptors = Array.from({ length: 700 }, () => fakeDescriptor());
  const { operator, connect, link } = await start({ disk: descriptors });
  connect();
  await vi.waitFor(() => expect(operator.latest?.inventories).toBe(1), within);
  expect(operator.latest?.token).toBe('Bearer first');
  expect(operator.latest?.hello).toMatchObject({ workspace: 'ml', pod: 'ml-0', node: 'node-1' });
  expect(operator.latest?.inventory.map(({ id }) => id)).toEqual(descriptors.map((d) => d.snapshot_id));
  await vi.waitFor(() => {
    expect(operator.latest?.messages.at(-1)?.status).toMatchObject({
      snapshotCount: 700,
      filesystem: 'ext4',
      effectiveEngine: 'copy',
      currentSnapshotId: descriptors.at(-1)?.snapshot_id,
    });
  }, within);
  expect(link.state).toEqual({ connected: true, problem: '' });
});

test('executes a request and sends the snapshot; sends what others made and a new inventory when one is gone', async () => {
  const { operator, repository, connect } = await start();
  connect();
  await vi.waitFor(() => expect(operator.latest?.inventories).toBe(1), within);
  operator.want(primary('u1'));
  await vi.waitFor(() => {
    expect([...operator.snapshots.values()].map(({ requestUid }) => requestUid)).toEqual(['u1']);
  }, within);

  const other = fakeDescriptor();
  repository.disk.push(other);
  await vi.waitFor(() => expect(operator.snapshots.has(other.snapshot_id)).toBe(true), within);
  repository.disk.shift();
  await vi.waitFor(() => expect(operator.latest?.inventories).toBe(2), within);
  expect(operator.latest?.inventory.at(-1)?.id).toBe(other.snapshot_id);
});

test.each([1, 2, 3, 4, 5])(
  'a stream that breaks after %i messages, again and again, loses no request and doubles none',
  async (limit) => {
    const { operator, repository, connect } = await start({ disk: [fakeDescriptor()] });
    operator.desired = primary('u1', 'u2');
    operator.breakAfter = (stream) => (stream < 4 ? limit : Number.POSITIVE_INFINITY);
    connect();
    await vi.waitFor(() => {
      expect(operator.streams.length).toBeGreaterThan(1);
      // On the last stream alone, the operator learns everything.
      const known = [
        ...(operator.latest?.inventory ?? []),
        ...(operator.latest?.messages.flatMap(({ snapshot }) => snapshot ?? []) ?? []),
      ];
      expect(new Set(known.map(({ requestUid }) => requestUid))).toEqual(new Set(['', 'u1', 'u2']));
    }, within);
    expect(repository.disk).toHaveLength(3);
    expect(new Set(operator.streams.map(({ hello }) => hello?.session)).size).toBe(1);
  },
);

test('an operator that is killed and comes back, with another certificate and asked with another token, hears everything again', async () => {
  const { operator, repository, volume, connect, link, writeToken, seen } = await start({
    disk: [fakeDescriptor()],
  });
  connect();
  await vi.waitFor(() => expect(operator.latest?.inventories).toBe(1), within);
  await vi.waitFor(() => expect(link.state.connected).toBe(true), within);
  operator.kill();
  await vi.waitFor(() => expect(link.state.connected).toBe(false), within);
  expect(link.state.problem).toMatch(/^operator localhost:\d+: UNAVAILABLE/);
  const made = fakeDescriptor();
  repository.disk.push(made);
  writeToken('second');
  await vi.waitFor(() => expect(volume.state.snapshots).toHaveLength(2), within);
  await operator.start();
  await vi.waitFor(() => expect(operator.streams[1]?.inventories).toBe(1), within);
  expect(operator.streams[1]).toMatchObject({
    token: 'Bearer second',
    inventory: [{}, { id: made.snapshot_id }],
  });
  const connected = seen.flatMap(({ link }) => link?.connected ?? []);
  expect(connected.filter((now, i) => now !== connected[i - 1])).toEqual([true, false, true]);
});

test('an agent tells whoever it connects to which role it has', async () => {
  const { operator, executor, connect } = await start();
  operator.desired = { role: 'ROLE_STANDBY', snapshots: [] };
  connect();
  await vi.waitFor(() => expect(executor.role).toBe('ROLE_STANDBY'), within);
  operator.kill();
  await operator.start();
  await vi.waitFor(() => expect(operator.streams).toHaveLength(2), within);
  await vi.waitFor(() => expect(operator.latest?.hello).toBeDefined(), within);
  expect(operator.streams.map(({ hello }) => hello?.role)).toEqual(['ROLE_UNSPECIFIED', 'ROLE_STANDBY']);
});

test('a standby that becomes primary looks at the volume again and tells all of it, once', async () => {
  const first = fakeDescriptor();
  const { operator, repository, executor, connect } = await start({
    scanIntervalMs: 3_600_000,
    disk: [first],
  });
  operator.desired = { role: 'ROLE_STANDBY', snapshots: [] };
  connect();
  await vi.waitFor(() => expect(executor.role).toBe('ROLE_STANDBY'), within);
  await vi.waitFor(() => expect(operator.latest?.inventories).toBe(1), within);
  const byThePrimary = fakeDescriptor();
  repository.disk.push(byThePrimary);
  operator.want(primary());
  await vi.waitFor(() => expect(operator.latest?.inventories).toBe(2), within);
  const [, ...told] = operator.latest?.inventory.map(({ id }) => id) ?? [];
  expect(told).toEqual([first.snapshot_id, byThePrimary.snapshot_id]);
  operator.want(primary('u1'));
  await vi.waitFor(() => expect(operator.snapshots.size).toBe(3), within);
  expect(operator.latest?.inventories).toBe(2);
});

test('who connects looks at the volume again: another agent may have been the primary meanwhile', async () => {
  const { operator, repository, volume, connect } = await start({ scanIntervalMs: 3_600_000 });
  await vi.waitFor(() => expect(volume.state.info).toBeDefined(), within);
  const byAnother = fakeDescriptor();
  repository.disk.push(byAnother);
  operator.desired = primary();
  connect();
  await vi.waitFor(() => expect(operator.snapshots.has(byAnother.snapshot_id)).toBe(true), within);
  operator.kill();
  const meanwhile = fakeDescriptor();
  repository.disk.push(meanwhile);
  await operator.start();
  await vi.waitFor(() => expect(operator.snapshots.has(meanwhile.snapshot_id)).toBe(true), within);
});

test('a failed request is told again to an operator that forgot it', async () => {
  const { operator, connect } = await start();
  operator.desired = { ...primary('u1'), engine: 'zfs' };
  connect();
  await vi.waitFor(() => expect(operator.requests('u1').at(-1)?.phase).toBe('PHASE_FAILED'), within);
  const before = operator.requests('u1').length;
  operator.kill();
  await operator.start();
  await vi.waitFor(() => expect(operator.requests('u1').length).toBe(before + 1), within);
  expect(operator.requests('u1').at(-1)).toMatchObject({ phase: 'PHASE_FAILED', reason: 'InvalidArgument' });
});

test('the CA may come later, and a wrong one is told from an operator that is down', async () => {
  const { operator, connect, link, files, writeCa } = await start();
  rmSync(files['link-ca-file']);
  connect();
  await vi.waitFor(() => expect(link.state.problem).toContain('ConfigMap jvs-operator-ca'), within);
  writeCa((await createAuthority()).ca);
  await vi.waitFor(() => expect(link.state.problem).toContain("is not the operator's (yet)"), within);
  expect(operator.streams).toEqual([]);
  writeCa(authority.ca);
  await vi.waitFor(() => expect(link.state.connected).toBe(true), within);
});

test('an operator that is slow is waited for longer at each attempt, until it comes to this agent', async () => {
  const { operator, link, connect } = await start({ patience: { baseMs: 100, capMs: 2000 } });
  operator.welcomeAfterMs = 500;
  connect();
  await vi.waitFor(() => expect(link.state.problem).toContain('no Welcome in time'), within);
  await vi.waitFor(() => expect(link.state).toEqual({ connected: true, problem: '' }), within);
  expect(operator.streams.length).toBeGreaterThan(2);
});

test('a refused agent shows why, tries on, and says it once', async () => {
  const { operator, connect, link, seen } = await start();
  operator.refuse = { code: status.PERMISSION_DENIED, details: 'pod ml-0 has no label jvs.io/workspace' };
  connect();
  await vi.waitFor(() => expect(operator.streams.length).toBeGreaterThan(2), within);
  expect(link.state.problem).toContain('PERMISSION_DENIED: pod ml-0 has no label jvs.io/workspace');
  expect(seen.filter(({ link }) => link)).toHaveLength(1);
  operator.refuse = undefined;
  await vi.waitFor(() => expect(link.state.connected).toBe(true), within);
});

test('an idle agent shows that it lives', async () => {
  const { operator, connect } = await start({ scanIntervalMs: 60_000 });
  operator.heartbeatSeconds = 1;
  connect();
  const statuses = () => operator.latest?.messages.filter(({ status }) => status).length ?? 0;
  await vi.waitFor(() => expect(statuses()).toBeGreaterThan(2), within);
});

test('a stopped agent hangs up properly, so that the operator need not wait for it', async () => {
  const { operator, connect, hangUp } = await start();
  connect();
  await vi.waitFor(() => expect(operator.latest?.inventories).toBe(1), within);
  const ended = new Promise((resolve) => operator.latest?.call.once('end', resolve));
  await hangUp();
  await ended;
  expect(operator.streams).toHaveLength(1);
});
