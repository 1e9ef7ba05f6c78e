// The agent as its container runs it, on a real volume with the real engine.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterEach, expect, test, vi } from 'vitest';
import type { AgentClient } from '../shared/proto/gen/jvs/agent/v1/Agent.ts';
import { TestVolume } from './repository/testing/volume.ts';
import { call } from './testing/call.ts';
import { link } from './testing/link.ts';
import { type AgentProcess, runProcess, startProcess } from './testing/process.ts';

const within = { timeout: 60_000, interval: 20 };
const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function start(volume: TestVolume, argv: readonly string[] = []): Promise<AgentProcess> {
  const agent = await startProcess(volume.path, argv);
  stops.push(() => agent.end('SIGKILL'));
  return agent;
}

const ask = async ({ healthPort }: AgentProcess, path: string) => {
  const response = await fetch(`http://127.0.0.1:${healthPort}${path}`);
  return { status: response.status, body: await response.text() };
};
const ready = (agent: AgentProcess) =>
  vi.waitFor(async () => expect((await ask(agent, '/startupz')).status).toBe(200), within);
const list = async (client: AgentClient) =>
  (await call(client.listSnapshots.bind(client), { pageSize: 1000 })).snapshots;

test('a snapshot is on the disk when its call returns: a killed agent comes back and verifies it', async () => {
  using volume = new TestVolume();
  const first = await start(volume);
  await ready(first);
  writeFileSync(join(volume.main, 'model.bin'), 'weights');
  const made = await call(first.client.createSnapshot.bind(first.client), { note: 'epoch 3', tags: ['wip'] });
  expect(await first.end('SIGKILL')).toBe('SIGKILL');

  const second = await start(volume);
  await ready(second);
  await vi.waitFor(async () => {
    const keepReasons = ['newest Ready snapshot of worktree main', 'head of worktree main'];
    expect(await list(second.client)).toEqual([{ ...made, keepReasons }]);
  }, within);
  expect(readFileSync(join(volume.snapshotPath(made.id), 'model.bin'), 'utf8')).toBe('weights');
  const verify = second.client.verify.bind(second.client);
  expect(await call(verify, { id: made.id })).toMatchObject({ valid: true });
  writeFileSync(join(volume.snapshotPath(made.id), 'model.bin'), 'damaged');
  expect(await call(verify, { id: made.id })).toMatchObject({
    valid: false,
    descriptorValid: true,
    payloadValid: false,
  });
  // What was found is known, and kept.
  expect(await list(second.client)).toMatchObject([{ integrity: 'INTEGRITY_TAMPERED' }]);
  expect(await second.end('SIGTERM')).toBe(0);
  const third = await start(volume);
  await ready(third);
  await vi.waitFor(
    async () => expect(await list(third.client)).toMatchObject([{ integrity: 'INTEGRITY_TAMPERED' }]),
    within,
  );
  const told = await call(third.client.getStatus.bind(third.client), {});
  expect(told).toMatchObject({ damaged: [made.id], heldDeletions: 0, nextSnapshotTime: null });
  const { body } = await ask(third, '/metrics');
  expect(body).toMatch(/^jvs_agent_damaged_snapshots 1$/m);
  expect(body).toMatch(/^jvs_agent_volume_capacity_bytes \d{6,}$/m);
});

test('a repository that jvs 8.2 wrote is served as it is', async () => {
  using volume = TestVolume.golden();
  const before = readFileSync(join(volume.jvs, 'repo_id'), 'utf8');
  const agent = await start(volume);
  await ready(agent);
  const snapshots = await list(agent.client);
  expect(snapshots.length).toBe(readdirSync(join(volume.jvs, 'snapshots')).length);
  for (const { id, origin } of snapshots) {
    expect(origin).toBe('discovered');
    expect(await call(agent.client.verify.bind(agent.client), { id })).toMatchObject({ valid: true });
  }
  expect((await call(agent.client.getStatus.bind(agent.client), {})).repositoryId).toBe(before.trim());
});

test.each([
  ['a newer format', 'format_version', (jvs: string) => writeFileSync(join(jvs, 'format_version'), '7\n')],
  ['a foreign .jvs', 'no repository of ours', (jvs: string) => writeFileSync(join(jvs, 'x'), '')],
])('%s: the agent runs on, says why, changes nothing', async (_, reason, make) => {
  using volume = new TestVolume();
  mkdirSync(volume.jvs);
  make(volume.jvs);
  const files = readdirSync(volume.jvs);
  const agent = await start(volume);
  await vi.waitFor(async () => {
    expect(await ask(agent, '/startupz')).toMatchObject({
      status: 503,
      body: expect.stringContaining(reason),
    });
  }, within);
  expect((await ask(agent, '/livez')).status).toBe(200);
  const { client } = agent;
  expect((await call(client.getStatus.bind(client), {})).problem).toContain(reason);
  await expect(call(client.createSnapshot.bind(client), {})).rejects.toMatchObject({
    code: status.FAILED_PRECONDITION,
    details: expect.stringContaining(reason),
  });
  expect(readdirSync(volume.jvs)).toEqual(files);
  expect(await agent.end('SIGTERM')).toBe(0);
});

test('a pod that works in a worktree starts when it is there', async () => {
  using volume = new TestVolume();
  const agent = await start(volume, ['--worktree=exp']);
  const waits = expect.stringContaining('waits for worktree exp');
  await vi.waitFor(
    async () => expect(await ask(agent, '/startupz')).toEqual({ status: 503, body: waits }),
    within,
  );
  expect(agent.said).toContainEqual(waits);
  expect((await ask(agent, '/readyz')).status).toBe(200);
  const { id } = await call(agent.client.createSnapshot.bind(agent.client), {});
  const fork = await runProcess(['fork', id, 'exp', '--volume', volume.path]);
  expect(fork).toEqual({ code: 0, stderr: '' });
  await ready(agent);
});

test('what is wrong with the configuration is said by name, with exit code 2', async () => {
  expect(await runProcess(['--engine=zfs'])).toEqual({
    code: 2,
    stderr: expect.stringContaining('--engine must be copy, reflink-copy or juicefs-clone'),
  });
  expect(await runProcess(['frobnicate'])).toEqual({
    code: 2,
    stderr: expect.stringContaining('unknown command "frobnicate"'),
  });
});

test('the level of the log is that of the configuration, where an empty variable is none and a flag wins', async () => {
  using volume = new TestVolume();
  for (const [variable, argv] of [
    ['LOG_LEVEL=', []],
    ['LOG_LEVEL=loud', ['--log-level=info']],
  ] as const) {
    const agent = await startProcess(volume.path, argv, ['env', variable]);
    stops.push(() => agent.end('SIGKILL'));
    await ready(agent);
    expect(await agent.end('SIGTERM')).toBe(0);
  }
});

test('the operator is told that an engine cannot be had here, also when it is asked for later', async () => {
  const { operator, argv } = await link(stops);
  operator.desired = { role: 'ROLE_PRIMARY', engine: 'copy' };
  using volume = new TestVolume();
  await start(volume, argv);
  const latest = () => operator.latest?.messages.findLast(({ status }) => status)?.status;
  await vi.waitFor(
    () => expect(latest()).toMatchObject({ effectiveEngine: 'copy', engineFallback: '' }),
    within,
  );
  operator.want({ role: 'ROLE_PRIMARY', engine: 'juicefs-clone' });
  await vi.waitFor(
    () =>
      expect(latest()).toMatchObject({
        effectiveEngine: 'copy',
        engineFallback: expect.stringContaining('juicefs-clone needs a JuiceFS volume'),
      }),
    within,
  );
});

test('an agent that is killed again and again makes each requested snapshot once', {
  timeout: 300_000,
}, async () => {
  const { operator, argv } = await link(stops);
  const uids = Array.from({ length: 12 }, (_, i) => `uid-${i}`);
  operator.desired = {
    role: 'ROLE_PRIMARY',
    engine: 'copy',
    snapshots: uids.map((uid) => ({ uid, name: uid })),
  };
  using volume = new TestVolume();
  volume.makeMain();
  for (let i = 0; i < 200; i++) writeFileSync(join(volume.main, `file-${i}`), String(i));

  const done = () => new Set([...operator.snapshots.values()].map(({ requestUid }) => requestUid));
  for (let kills = 0; done().size < uids.length; kills++) {
    const before = done().size;
    const streams = operator.streams.length;
    const agent = await start(volume, argv);
    await vi.waitFor(() => expect(operator.streams.length).toBeGreaterThan(streams), within);
    // Each life gets at least one of them reported, then dies a little later, wherever it is by then.
    await vi.waitFor(() => expect(done().size).toBeGreaterThan(before), { ...within, interval: 2 });
    if (kills % 2) await new Promise((resolve) => setTimeout(resolve, kills * 3));
    expect(await agent.end('SIGKILL')).toBe('SIGKILL');
  }
  expect(done()).toEqual(new Set(uids));
  const tags = readdirSync(join(volume.jvs, 'descriptors'))
    .map((name) => volume.descriptor(name.replace('.json', '')).tags)
    .sort();
  expect(tags).toEqual(uids.map((uid) => [`k8s-${uid}`]).sort());
});

test('told to stop, it finishes what runs, takes the final snapshot, and the operator hears of both', async () => {
  using volume = new TestVolume();
  volume.makeMain();
  for (let i = 0; i < 500; i++) writeFileSync(join(volume.main, `file-${i}`), String(i));
  const { operator, argv } = await link(stops);
  // After each snapshot something changes.
  const postSnapshot = { exec: { command: ['sh', '-c', `date +%N >> ${join(volume.main, 'work')}`] } };
  const asked = { role: 'ROLE_PRIMARY', engine: 'copy', finalSnapshot: true } as const;
  operator.desired = { ...asked, hooks: { postSnapshot } };
  const agent = await start(volume, argv);
  // What it is to do without an operator is on the volume.
  const rules = join(volume.jvs, 'agent/rules.json');
  await vi.waitFor(() => expect(readFileSync(rules, 'utf8')).toContain('"finalSnapshot":true'), within);
  operator.want({ ...operator.desired, snapshots: [{ uid: 'u', name: 'u' }] });
  const begunOrDone = () =>
    ['intents', 'descriptors'].flatMap((folder) => readdirSync(join(volume.jvs, folder)));
  await vi.waitFor(() => expect(begunOrDone()).not.toEqual([]), { ...within, interval: 1 });
  expect(await agent.end('SIGTERM')).toBe(0);
  const told = [...operator.snapshots.values()].map(({ requestUid, origin }) => [requestUid, origin]);
  expect(told).toEqual([
    ['u', 'manual'],
    ['', 'final'],
  ]);

  // The next one takes another only if something has changed since.
  operator.desired = asked;
  for (const snapshots of [3, 3]) {
    operator.streams.length = 0;
    const again = await start(volume, argv);
    await vi.waitFor(() => {
      expect(operator.latest?.inventories).toBe(1);
      expect(readFileSync(rules, 'utf8')).not.toContain('postSnapshot');
    }, within);
    expect(await again.end('SIGTERM')).toBe(0);
    expect(readdirSync(join(volume.jvs, 'descriptors'))).toHaveLength(snapshots);
  }
});
