// The agent's own client against the operator's own server. (Each is tested alone beside its code.)
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Events } from '../../agent/events.ts';
import { Executor } from '../../agent/executor/executor.ts';
import { LinkClient } from '../../agent/link/client.ts';
import { StateStore } from '../../agent/state.ts';
import { fakeDescriptor, MemoryRepository } from '../../agent/testing/memory-repository.ts';
import { Upkeep } from '../../agent/upkeep/upkeep.ts';
import { Volume } from '../../agent/volume/volume.ts';
import type { LinkServer } from '../../operator/link/server.ts';
import { breakable, quietLog, testLink } from '../../operator/link/testing.ts';

const log = quietLog();
const WS = 'ns/ws';
const within = { timeout: 40_000, interval: 20 };

let link: LinkServer;
let directory: string;
/** The volume of the workspace, which all its agents share. */
let repository: MemoryRepository;
const stops: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  const { link: started, ca } = await testLink();
  link = started;
  directory = await mkdtemp(join(tmpdir(), 'jvs-link-'));
  await writeFile(join(directory, 'ca.crt'), ca.pem);
  repository = new MemoryRepository();
});

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
  await link.stop();
  await rm(directory, { recursive: true });
});

/** An agent in pod `pod`, with everything but a disk. */
async function startAgent(pod: string, port = link.port) {
  await writeFile(join(directory, pod), pod);
  const volume = new Volume({
    connect: () => repository,
    engine: 'copy',
    path: '/nonexistent',
    log,
    scanIntervalMs: 20,
  });
  const store = new StateStore('/nonexistent', log);
  const executor = new Executor({ volume, events: new Events(), store, pod, log });
  const client = new LinkClient({
    config: {
      ...{ workspace: 'ws', pod, node: 'node-1' },
      ...{ 'link-token-file': join(directory, pod), 'link-ca-file': join(directory, 'ca.crt') },
    },
    address: `localhost:${port}`,
    volume,
    executor,
    upkeep: new Upkeep({ workspace: 'team/ml', worktree: 'main', store, volume, executor, log }),
    events: new Events(),
    log,
    retry: { baseMs: 50, capMs: 200 },
  });
  const controller = new AbortController();
  const volumeRuns = volume.run(controller.signal);
  const hangUp = new AbortController();
  const linkRuns = client.run(hangUp.signal);
  const leave = async () => {
    hangUp.abort();
    await linkRuns;
  };
  stops.push(async () => {
    await leave();
    await executor.stop(0);
    controller.abort();
    await volumeRuns;
  });
  await vi.waitFor(() => expect(client.state.connected).toBe(true), within);
  return { executor, client, leave };
}

function want(...uids: string[]): void {
  const rest = { worktree: 'main', note: '', tags: [], engine: '', expectedParent: '' };
  link.agents.setDesired(WS, { engine: 'copy', snapshots: uids.map((uid) => ({ uid, name: uid, ...rest })) });
}

const made = () =>
  [...(link.agents.primary(WS)?.snapshots.values() ?? [])].map(({ requestUid }) => requestUid);

it('a request becomes a snapshot, once, however often it is asked for', async () => {
  await startAgent('a');
  want('u1');
  await vi.waitFor(() => expect(made()).toEqual(['u1']), within);
  want('u1', 'u2');
  await vi.waitFor(() => expect(made()).toEqual(['u1', 'u2']), within);
  await vi.waitFor(() => expect(link.agents.primary(WS)?.status?.snapshotCount).toBe(2), within);
  expect(link.agents.primary(WS)).toMatchObject({ pod: 'a', inventoryComplete: true, requests: new Map() });
  expect(repository.disk).toHaveLength(2);
});

it('an inventory of thousands arrives whole', async () => {
  for (let n = 0; n < 5000; n++) repository.disk.push(fakeDescriptor());
  await startAgent('a');
  await vi.waitFor(() => expect(link.agents.primary(WS)?.inventoryComplete).toBe(true), within);
  expect([...(link.agents.primary(WS)?.snapshots.keys() ?? [])]).toEqual(
    repository.disk.map(({ snapshot_id }) => snapshot_id),
  );
});

it('of two agents one works; the other takes over at once when the first leaves', async () => {
  const a = await startAgent('a');
  const b = await startAgent('b');
  want('u1');
  await vi.waitFor(() => expect(made()).toEqual(['u1']), within);
  expect([a, b].map(({ executor }) => executor.role)).toEqual(['ROLE_PRIMARY', 'ROLE_STANDBY']);
  await a.leave();
  want('u1', 'u2');
  await vi.waitFor(() => expect(made()).toEqual(['u1', 'u2']), within);
  expect(link.agents.primary(WS)?.pod).toBe('b');
  expect(b.executor.role).toBe('ROLE_PRIMARY');
});

it('a primary whose connection breaks is back before another takes its place', async () => {
  const way = await breakable(link.port ?? 0);
  const a = await startAgent('a', way.port);
  const b = await startAgent('b');
  want('u1');
  await vi.waitFor(() => expect(made()).toEqual(['u1']), within);
  const before = link.agents.primary(WS)?.connectedAt;
  way.cut();
  await vi.waitFor(() => expect(a.client.state.connected).toBe(false), within);
  way.lead(link.port ?? 0);
  await vi.waitFor(() => expect(link.agents.primary(WS)?.connectedAt).not.toEqual(before), within);
  want('u1', 'u2');
  await vi.waitFor(() => expect(made()).toEqual(['u1', 'u2']), within);
  expect(link.agents.primary(WS)?.pod).toBe('a');
  expect(b.executor.role).toBe('ROLE_STANDBY');
});

it('a new leader learns what happened while there was none', async () => {
  const way = await breakable(link.port ?? 0);
  const a = await startAgent('a', way.port);
  want('u1');
  await vi.waitFor(() => expect(made()).toEqual(['u1']), within);
  await link.stop();
  await vi.waitFor(() => expect(a.client.state.connected).toBe(false), within);
  repository.disk.push(fakeDescriptor());
  await link.start();
  way.lead(link.port ?? 0);
  await vi.waitFor(() => expect(link.agents.primary(WS)?.inventoryComplete).toBe(true), within);
  await vi.waitFor(() => expect(made()).toEqual(['u1', '']), within);
});

it('a restore says how it ended and what undoes it, a deletion is over when the inventory has it no more', async () => {
  await startAgent('a');
  want('u1', 'u2');
  await vi.waitFor(() => expect(made()).toEqual(['u1', 'u2']), within);
  const [older = '', newer = ''] = repository.disk.map(({ snapshot_id }) => snapshot_id);
  const back = { name: 'back', snapshotId: older };
  const restores = [
    { ...back, uid: 'r', worktree: 'main', preRestoreSnapshot: true },
    { ...back, uid: 'f', newWorktree: 'exp' },
  ];
  link.agents.setDesired(WS, { engine: 'copy', snapshots: [], restores });
  const word = (uid: string) => link.agents.primary(WS)?.requests.get(uid);
  await vi.waitFor(() => {
    expect(word('r')?.phase).toBe('PHASE_DONE');
    expect(word('f')?.phase).toBe('PHASE_DONE');
  }, within);
  const before = repository.disk[2]?.snapshot_id ?? '';
  expect(word('r')).toMatchObject({ preRestoreSnapshotId: before });
  expect(link.agents.primary(WS)?.snapshots.get(before)).toMatchObject({
    origin: 'pre-restore',
    parentId: newer,
  });
  const worktrees = () => link.agents.primary(WS)?.status?.worktrees;
  await vi.waitFor(
    () =>
      expect(worktrees()).toMatchObject([
        { name: 'main', headSnapshotId: older, latestSnapshotId: before },
        { name: 'exp', headSnapshotId: older, baseSnapshotId: older },
      ]),
    within,
  );

  const deletions = [
    { uid: 'd', snapshotId: older },
    { uid: 'w', worktree: 'exp' },
    { uid: 'm', worktree: 'main' },
  ];
  link.agents.setDesired(WS, { engine: 'copy', snapshots: [], deletions });
  await vi.waitFor(() => {
    const agent = link.agents.primary(WS);
    expect([...(agent?.snapshots.keys() ?? [])]).toEqual([newer, before]);
    expect(agent?.inventoryComplete).toBe(true);
    expect(worktrees()).toMatchObject([{ name: 'main' }]);
    expect(word('m')).toMatchObject({ phase: 'PHASE_FAILED', reason: 'InvalidArgument' });
  }, within);
});
