// An agent that is killed while it brings data back or lets it go, as a process on a real volume with the real engine:
// what was asked for is done, once, and nothing is lost.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import type { DesiredStateInput } from '../shared/proto/gen/jvs/link/v1/DesiredState.ts';
import { Layout } from './repository/native/layout.ts';
import { listSnapshots, listWorktrees } from './repository/native/reader.ts';
import { manifest, quiet, TestVolume } from './repository/testing/volume.ts';
import type { FakeOperator } from './testing/fake-operator.ts';
import { link } from './testing/link.ts';
import { type AgentProcess, startProcess } from './testing/process.ts';

const within = { timeout: 60_000, interval: 2 };
const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function start(volume: TestVolume, argv: readonly string[]): Promise<AgentProcess> {
  const agent = await startProcess(volume.path, argv);
  stops.push(() => agent.end('SIGKILL'));
  return agent;
}

/** A volume with two snapshots of main, and work that is in none. */
async function worked() {
  const volume = new TestVolume();
  stops.push(() => volume[Symbol.dispose]());
  const engine = volume.engine();
  await engine.open();
  mkdirSync(join(volume.main, 'data'));
  for (let i = 0; i < 300; i++) writeFileSync(join(volume.main, 'data', `file-${i}`), `old ${i}`);
  const older = await engine.snapshot({ worktree: 'main', origin: 'manual' }, quiet);
  const tree = manifest(volume.main);
  for (let i = 0; i < 300; i += 3) writeFileSync(join(volume.main, 'data', `file-${i}`), `new ${i}`);
  rmSync(join(volume.main, 'data/file-1'));
  const newer = await engine.snapshot({ worktree: 'main', origin: 'manual' }, quiet);
  writeFileSync(join(volume.main, 'unsaved'), 'work');
  return { volume, older: older.snapshot_id, newer: newer.snapshot_id, tree, work: manifest(volume.main) };
}

const primary = (fields: DesiredStateInput): DesiredStateInput => ({
  ...{ role: 'ROLE_PRIMARY', engine: 'copy' },
  ...fields,
});
const saysDone = (operator: FakeOperator, uid: string) =>
  operator.requests(uid).findLast(({ phase }) => phase === 'PHASE_DONE');
const audited = (volume: TestVolume, text: string) =>
  readFileSync(join(volume.jvs, 'audit/audit.jsonl'), 'utf8')
    .split('\n')
    .filter((line) => line.includes(text));

/** Starts agents and kills each a little later after it has begun with the request, until one says that it is done. */
async function killUntil(
  { operator, argv }: Awaited<ReturnType<typeof link>>,
  volume: TestVolume,
  uid: string,
  done: () => boolean | Promise<boolean>,
): Promise<number> {
  for (let life = 0; ; life++) {
    const heard = operator.requests(uid).length;
    const agent = await start(volume, argv);
    await vi.waitFor(async () => {
      const begun = operator.requests(uid).length > heard;
      expect(begun || (await done())).toBe(true);
    }, within);
    await new Promise((resolve) => setTimeout(resolve, life * 80));
    const ended = await done();
    await agent.end('SIGKILL');
    if (ended) return life;
  }
}

test('a restore is finished once, however often its agent is killed, and can be undone', {
  timeout: 300_000,
}, async () => {
  const { volume, older, newer, tree, work } = await worked();
  const linked = await link(stops);
  const { operator } = linked;
  const restore = { uid: 'r', name: 'back', snapshotId: older, worktree: 'main', preRestoreSnapshot: true };
  operator.desired = primary({ restores: [restore] });
  const kills = await killUntil(linked, volume, 'r', () => saysDone(operator, 'r') !== undefined);
  expect(kills).toBeGreaterThan(2);

  const before = (await listSnapshots(new Layout(volume.path))).filter(
    ({ agent }) => agent?.origin === 'pre-restore',
  );
  expect(before).toMatchObject([{ parent_id: newer, tags: ['k8s-r-before'] }]);
  const id = before[0]?.snapshot_id ?? '';
  expect(saysDone(operator, 'r')?.preRestoreSnapshotId).toBe(id);
  expect(manifest(volume.main)).toEqual(tree);
  expect(manifest(volume.snapshotPath(id))).toEqual(work);
  expect(audited(volume, '"k8s-r"')).toHaveLength(1);
});

test.each([
  ['before it is written down', true],
  ['before it is said', false],
])(
  'killed when a restore and a fork are done, %s, they are not done again',
  { timeout: 300_000 },
  async (_, forgotten) => {
    const { volume, older, newer, tree } = await worked();
    const { operator, argv } = await link(stops);
    const restores = [
      { uid: 'f', name: 'fork', snapshotId: newer, newWorktree: 'exp' },
      { uid: 'r', name: 'back', snapshotId: older, worktree: 'main', preRestoreSnapshot: true },
    ];
    operator.desired = primary({ restores });
    const first = await start(volume, argv);
    await vi.waitFor(() => expect(operator.requests('f')).not.toEqual([]), within);
    operator.kill(); // whatever it says now, nobody hears
    await vi.waitFor(() => expect(audited(volume, '"k8s-r"')).toHaveLength(1), within);
    await first.end('SIGKILL');
    operator.streams.length = 0;
    if (forgotten) rmSync(join(volume.jvs, 'agent/restores.json'), { force: true });
    for (const path of ['main', 'worktrees/exp'])
      writeFileSync(join(volume.path, path, 'since then'), 'more work');
    const since = manifest(volume.main);

    await operator.start();
    await start(volume, argv);
    await vi.waitFor(() => {
      expect(saysDone(operator, 'f')).toBeDefined();
      expect(saysDone(operator, 'r')?.preRestoreSnapshotId).toMatch(/^\d{13}-/);
    }, within);
    expect(manifest(volume.main)).toEqual(since);
    rmSync(join(volume.main, 'since then'));
    expect(manifest(volume.main)).toEqual(tree);
    expect(readFileSync(join(volume.path, 'worktrees/exp/since then'), 'utf8')).toBe('more work');
    expect(audited(volume, '"k8s-f"')).toHaveLength(1);
    expect(audited(volume, '"k8s-r"')).toHaveLength(1);
    const all = await listSnapshots(new Layout(volume.path));
    expect(all.filter(({ agent }) => agent?.origin === 'pre-restore')).toHaveLength(1);
  },
);

test('deletions are finished, however often the agent is killed; files that people work on stay', {
  timeout: 300_000,
}, async () => {
  const { volume, older, newer, work } = await worked();
  const engine = volume.engine();
  await engine.fork({ snapshotId: newer, name: 'exp' }, quiet);
  const linked = await link(stops);
  linked.operator.desired = primary({
    deletions: [
      { uid: 'worktree', worktree: 'exp' },
      { uid: 'head', snapshotId: newer },
    ],
  });
  const layout = new Layout(volume.path);
  const gone = async () => !(await listSnapshots(layout)).some(({ snapshot_id }) => snapshot_id === newer);
  await killUntil(linked, volume, 'head', gone);

  // The next one finishes what was begun.
  const agent = await start(volume, linked.argv);
  await vi.waitFor(async () => {
    const { worktrees, currentSnapshotId } = await agentStatus(agent);
    expect(worktrees).toEqual(['main']);
    expect(currentSnapshotId).toBe(older);
  }, within);
  expect(existsSync(join(volume.path, 'worktrees/exp'))).toBe(false);
  expect(manifest(volume.main)).toEqual(work);
  expect(await listSnapshots(layout)).toMatchObject([{ snapshot_id: older }]);
  expect(await listWorktrees(layout)).toMatchObject([{ name: 'main', head_snapshot_id: older }]);
  expect(readdirSync(join(volume.jvs, 'snapshots'))).toEqual([older]);
  expect(await engine.verify(older, quiet)).toMatchObject({ descriptorValid: true, payloadValid: true });
});

test('files that were frozen when the agent was killed are thawed by the next one, and the snapshot is taken', {
  timeout: 300_000,
}, async () => {
  const { volume } = await worked();
  const called: string[] = [];
  let killed: Promise<unknown> | undefined;
  const server = createServer((request, response) => {
    called.push(`${request.method} ${request.url}`);
    killed ??= agent.end('SIGKILL'); // frozen it is, and nobody hears the answer
    void killed.then(() => response.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stops.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  const hook = (path: string) => ({ http: { port, path }, timeoutSeconds: 20 });
  const { operator, argv } = await link(stops);
  operator.desired = primary({
    snapshots: [{ uid: 's', name: 's' }],
    hooks: { preSnapshot: hook('/freeze'), postSnapshot: hook('/thaw') },
  });
  const agent = await start(volume, argv);
  await vi.waitFor(() => expect(killed).toBeDefined(), within);
  await killed;
  expect(called).toEqual(['POST /freeze']);
  await start(volume, argv);
  const made = () => [...operator.snapshots.values()].find(({ requestUid }) => requestUid === 's');
  await vi.waitFor(() => expect(made()).toMatchObject({ consistency: 'CONSISTENCY_QUIESCED' }), within);
  // It may be told of before the hook after it is over.
  await vi.waitFor(
    () => expect(called).toEqual(['POST /freeze', 'POST /thaw', 'POST /freeze', 'POST /thaw']),
    within,
  );
});

async function agentStatus({ client }: AgentProcess) {
  const { promise, resolve, reject } = Promise.withResolvers<{
    worktrees: string[];
    currentSnapshotId: string;
  }>();
  client.getStatus({}, (error, status) => {
    if (error || !status) reject(error);
    else resolve({ ...status, worktrees: status.worktrees.map(({ name }) => name) });
  });
  return promise;
}
