import { type Client, credentials, loadPackageDefinition, type ServiceError, status } from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer } from '@grpc/proto-loader';
import { pino } from 'pino';
import { afterEach, expect, test, vi } from 'vitest';
import type { ServerReflectionRequestInput } from '../../shared/proto/gen/grpc/reflection/v1/ServerReflectionRequest.ts';
import type { ServerReflectionResponse } from '../../shared/proto/gen/grpc/reflection/v1/ServerReflectionResponse.ts';
import type { AgentClient } from '../../shared/proto/gen/jvs/agent/v1/Agent.ts';
import type { Event } from '../../shared/proto/gen/jvs/agent/v1/Event.ts';
import { loadAgent, loadHealth, loadReflection } from '../../shared/proto/load.ts';
import { within } from '../../shared/testing.ts';
import { type Agent, startAgent } from '../agent.ts';
import { parseConfig } from '../config.ts';
import { RepositoryError } from '../repository/repository.ts';
import { call } from '../testing/call.ts';
import { fakeDescriptor, MemoryRepository } from '../testing/memory-repository.ts';

const log = pino({ level: 'silent' });
const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function start(repository = new MemoryRepository()) {
  const config = parseConfig(
    ['--volume=/nonexistent', '--debug-address=127.0.0.1:0', '--health-port=0', '--workspace=ml'],
    {},
  );
  const agent: Agent = await startAgent(config, () => repository, log);
  stops.push(() => agent.stop(0));
  const address = `127.0.0.1:${agent.debugPort}`;
  const client: AgentClient = new (loadAgent().Agent)(address, credentials.createInsecure());
  stops.push(() => client.close());
  return { agent, repository, client, address };
}

const open = (client: AgentClient) =>
  vi.waitFor(async () => {
    expect((await call(client.getStatus.bind(client), {})).repositoryId).not.toBe('');
  }, within);

const failure = (promise: Promise<unknown>): Promise<ServiceError> =>
  promise.then(
    () => {
      throw new Error('it succeeded');
    },
    (error) => error,
  );

test('GetStatus says what it serves and what it lacks', async () => {
  const { client } = await start();
  await open(client);
  expect(await call(client.getStatus.bind(client), {})).toMatchObject({
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    workspace: 'ml',
    engine: 'copy',
    effectiveEngine: 'copy',
    connected: false,
    role: 'ROLE_UNSPECIFIED',
    problem: '',
    linkProblem: expect.stringContaining('JVS_LINK_ADDRESS'),
    usage: { usedBytes: 1000, capacityBytes: 4000 },
  });
});

test('a snapshot made through the API is of origin self, listed, gettable and verified', async () => {
  const { client, repository } = await start();
  await open(client);
  const made = await call(client.createSnapshot.bind(client), { note: 'epoch 3', tags: ['wip'] });
  expect(made).toMatchObject({ worktree: 'main', origin: 'self', note: 'epoch 3', tags: ['wip'] });
  expect(repository.disk).toHaveLength(1);
  // Retention may have had its say meanwhile.
  const same = { ...made, keepReasons: expect.any(Array) };
  expect(await call(client.getSnapshot.bind(client), { id: made.id })).toEqual(same);
  expect(await call(client.listSnapshots.bind(client), {})).toMatchObject({
    snapshots: [same],
    nextPageToken: '',
    totalSize: 1,
  });
  expect(await call(client.verify.bind(client), { id: made.id })).toMatchObject({ valid: true, message: '' });
});

test('a list shows what another program made just now', async () => {
  const { client, repository } = await start();
  await open(client);
  const other = fakeDescriptor();
  repository.disk.push(other);
  const { snapshots } = await call(client.listSnapshots.bind(client), {});
  expect(snapshots).toMatchObject([{ id: other.snapshot_id, origin: 'discovered' }]);
});

test('PlanRetention says what would become of every snapshot', async () => {
  const { client, repository } = await start();
  repository.disk.push(fakeDescriptor(), fakeDescriptor());
  await open(client);
  const [old, newest] = repository.disk.map(({ snapshot_id }) => snapshot_id);
  expect(await call(client.planRetention.bind(client), {})).toEqual({
    decisions: [
      {
        id: newest,
        keep: true,
        reasons: ['newest Ready snapshot of worktree main', 'head of worktree main'],
      },
      { id: old, keep: true, reasons: ['no retentionPolicy is set'] },
    ],
    deleteCount: 0,
    held: false,
  });
});

test('each error has the code for it and a message that says what to do', async () => {
  const { client, repository } = await start();
  await open(client);
  const create = (fields = {}) => failure(call(client.createSnapshot.bind(client), fields));
  const get = (id: string) => failure(call(client.getSnapshot.bind(client), { id }));

  expect(await get('1795507921120-0badcafe')).toMatchObject({ code: status.NOT_FOUND });
  expect(await get('../../etc')).toMatchObject({
    code: status.INVALID_ARGUMENT,
    details: expect.stringMatching(/^id: /),
  });
  expect(await create({ tags: ['auto-1796000000'] })).toMatchObject({ code: status.INVALID_ARGUMENT });
  expect(await create({ tags: ['k8s-forged'] })).toMatchObject({
    code: status.INVALID_ARGUMENT,
    details: expect.stringMatching(/^tags: "k8s-forged" is reserved/),
  });
  const reasons = {
    VolumeFull: status.RESOURCE_EXHAUSTED,
    Busy: status.UNAVAILABLE,
    ReadOnlyVolume: status.FAILED_PRECONDITION,
    InvalidArgument: status.INVALID_ARGUMENT,
    DamagedRepository: status.DATA_LOSS,
  } as const;
  for (const [reason, code] of Object.entries(reasons)) {
    repository.failures.push(new RepositoryError(reason as keyof typeof reasons, `message of ${reason}`));
    expect(await create()).toMatchObject({ code, details: `message of ${reason}` });
  }
  expect(repository.disk).toEqual([]);
});

test('a loop of snapshots is slowed down, and told for how long', async () => {
  const { client, repository } = await start();
  await open(client);
  for (let i = 0; i < 10; i++) await call(client.createSnapshot.bind(client), {});
  const error = await failure(call(client.createSnapshot.bind(client), {}));
  expect(error).toMatchObject({
    code: status.RESOURCE_EXHAUSTED,
    details: expect.stringMatching(/try again in \d+ s$/),
  });
  expect(repository.disk).toHaveLength(10);
});

test('a volume that cannot be opened: the agent runs, and everything says why', async () => {
  const repository = new MemoryRepository();
  const message = '.jvs has format_version 7, this agent knows 1: upgrade the agent';
  repository.failures.push(new RepositoryError('UnsupportedFormat', message));
  const { client, agent, address } = await start(repository);
  await vi.waitFor(async () => {
    expect(await call(client.getStatus.bind(client), {})).toMatchObject({ problem: message });
  }, within);
  const probe = await fetch(`http://127.0.0.1:${agent.healthPort}/startupz`);
  expect([probe.status, await probe.text()]).toEqual([503, `${message}\n`]);
  expect((await fetch(`http://127.0.0.1:${agent.healthPort}/livez`)).status).toBe(200);
  for (const refused of [
    call(client.listSnapshots.bind(client), {}),
    call(client.createSnapshot.bind(client), {}),
    call(client.verify.bind(client), { id: '1795507921120-0badcafe' }),
  ]) {
    expect(await failure(refused)).toMatchObject({ code: status.FAILED_PRECONDITION, details: message });
  }
  const health = new (loadHealth().Health)(address, credentials.createInsecure());
  stops.push(() => health.close());
  expect(await call(health.check.bind(health), {})).toEqual({ status: 'NOT_SERVING' });
});

test('a caller that hangs up ends its snapshot', async () => {
  const { client, repository } = await start();
  await open(client);
  repository.gate = new Promise(() => {});
  const pending = client.createSnapshot({}, () => {});
  await vi.waitFor(() => expect(repository.running).toBe(1), within);
  pending.cancel();
  await vi.waitFor(() => expect(repository.running).toBe(0), within);
  expect(repository.disk).toEqual([]);
});

test('WatchEvents tells of progress, of snapshots by anyone, and of failures', async () => {
  const { client, repository } = await start();
  await open(client);
  const events: Event[] = [];
  const stream = client.watchEvents({});
  stream.on('data', (event: Event) => events.push(event));
  stream.on('error', () => {});
  // The server has subscribed when it answers a later call on the same connection.
  await call(client.getStatus.bind(client), {});
  await call(client.createSnapshot.bind(client), {});
  const other = fakeDescriptor();
  repository.disk.push(other);
  await call(client.listSnapshots.bind(client), {});
  repository.failures.push(new RepositoryError('VolumeFull', 'full'));
  await failure(call(client.createSnapshot.bind(client), {}));
  await vi.waitFor(() => expect(events.map(({ event }) => event)).toContain('failure'), within);
  expect(events.map(({ event }) => event)).toEqual([
    'progress',
    'snapshotCreated',
    'snapshotCreated',
    'progress',
    'failure',
  ]);
  expect(events[2]?.snapshotCreated?.id).toBe(other.snapshot_id);
  expect(events.at(-1)?.failure).toMatchObject({
    operation: 'snapshot',
    reason: 'VolumeFull',
    message: 'full',
  });
  stream.cancel();
});

test('grpc.health.v1 answers Check and Watch', async () => {
  const { client, address } = await start();
  await open(client);
  const health = new (loadHealth().Health)(address, credentials.createInsecure());
  stops.push(() => health.close());
  const check = health.check.bind(health);
  expect(await call(check, {})).toEqual({ status: 'SERVING' });
  expect(await call(check, { service: 'jvs.agent.v1.Agent' })).toEqual({ status: 'SERVING' });
  expect(await failure(call(check, { service: 'nonsense' }))).toMatchObject({ code: status.NOT_FOUND });
  for (const [service, expected] of Object.entries({ '': 'SERVING', nonsense: 'SERVICE_UNKNOWN' })) {
    const stream = health.watch({ service });
    stream.on('error', () => {});
    const [answer] = await new Promise<unknown[]>((resolve) =>
      stream.once('data', (...data) => resolve(data)),
    );
    expect(answer).toEqual({ status: expected });
    stream.cancel();
  }
});

test('a client that knows nothing but reflection can list and call', async () => {
  const { client, address } = await start();
  await open(client);
  const reflection = new (loadReflection().ServerReflection)(address, credentials.createInsecure());
  stops.push(() => reflection.close());
  const stream = reflection.serverReflectionInfo();
  const ask = (request: ServerReflectionRequestInput) =>
    new Promise<ServerReflectionResponse>((resolve) => {
      stream.once('data', resolve);
      stream.write(request);
    });
  const { listServicesResponse } = await ask({ listServices: '*' });
  expect(listServicesResponse?.service.map(({ name }) => name)).toEqual([
    'jvs.agent.v1.Agent',
    'grpc.health.v1.Health',
    'grpc.reflection.v1.ServerReflection',
  ]);
  const { fileDescriptorResponse: found } = await ask({
    fileContainingSymbol: 'jvs.agent.v1.Agent.GetStatus',
  });
  const files = found?.fileDescriptorProto ?? [];
  expect(files.map((file) => file.subarray(2, 24).toString())).toEqual([
    expect.stringMatching(/^jvs_agent_v1.proto/),
    expect.stringMatching(/^google_protobuf.proto/),
  ]);
  // Both the name of the .proto file and the one in JSON: `grpcurl -d '{"pageSize": 1}'` works, and page_size too.
  expect(files[0]?.includes('page_size')).toBe(true);
  expect(files[0]?.includes('pageSize')).toBe(true);
  expect((await ask({ fileContainingSymbol: 'jvs.link.v1.Link' })).errorResponse?.errorCode).toBe(
    status.NOT_FOUND,
  );
  stream.end();

  // A FileDescriptorSet is `repeated FileDescriptorProto file = 1`.
  const set = Buffer.concat(files.flatMap((file) => [varint(0x0a), varint(file.length), file]));
  const learnt = loadPackageDefinition(loadFileDescriptorSetFromBuffer(set)) as unknown as {
    jvs: { agent: { v1: { Agent: new (address: string, c: unknown) => Client & AgentClient } } };
  };
  const stranger = new learnt.jvs.agent.v1.Agent(address, credentials.createInsecure());
  stops.push(() => stranger.close());
  expect(await call(stranger.getStatus.bind(stranger), {})).toMatchObject({ workspace: 'ml' });
});

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}

const twoSnapshots = async (repository: MemoryRepository) => {
  const first = fakeDescriptor();
  repository.disk.push(first, fakeDescriptor({ parent_id: first.snapshot_id }));
  return repository.disk.map(({ snapshot_id }) => snapshot_id) as [string, string];
};

test('Restore replaces a worktree after a snapshot that undoes it, and is told of', async () => {
  const { client, repository } = await start();
  const [older, newer] = await twoSnapshots(repository);
  await open(client);
  const stream = client.watchEvents({});
  const seen: Event[] = [];
  stream.on('data', (event: Event) => seen.push(event));
  stream.on('error', () => {});
  stops.push(() => stream.cancel());
  await vi.waitFor(async () => {
    // Watching has begun when what happens is seen.
    await call(client.createSnapshot.bind(client), {});
    expect(seen).not.toEqual([]);
  }, within);
  const made = repository.disk.length;
  const done = await call(client.restore.bind(client), { id: older });
  const before = repository.disk[made];
  expect(done).toEqual({ id: older, worktree: 'main', preRestoreSnapshotId: before?.snapshot_id });
  // It is the pod's own: no number of restores pushes out what others took.
  expect(before).toMatchObject({ agent: { origin: 'self' }, note: `Before ${older} was restored` });
  const progress = seen.flatMap(({ progress }) => progress?.operation ?? []);
  await vi.waitFor(
    () => expect(seen.flatMap(({ progress }) => progress?.operation ?? [])).toContain('restore'),
    within,
  );
  expect(progress).toContain('snapshot');
  const { currentSnapshotId, worktrees } = await call(client.getStatus.bind(client), {});
  expect(currentSnapshotId).toBe(older);
  expect(worktrees).toMatchObject([
    { name: 'main', headSnapshotId: older, latestSnapshotId: before?.snapshot_id },
  ]);
  expect(newer).not.toBe(older);

  const restore = (fields: object) => failure(call(client.restore.bind(client), fields));
  expect(await restore({ id: 'HEAD' })).toMatchObject({ code: status.INVALID_ARGUMENT });
  expect(await restore({ id: '1795507921120-0badcafe' })).toMatchObject({ code: status.NOT_FOUND });
  expect(await restore({ id: older, worktree: 'exp' })).toMatchObject({
    code: status.NOT_FOUND,
    details: expect.stringContaining('exp'),
  });
  expect(repository.disk).toHaveLength(made + 1);
});

test('Fork makes a worktree; a name that is taken is refused', async () => {
  const { client, repository } = await start();
  const [older] = await twoSnapshots(repository);
  await open(client);
  const forked = await call(client.fork.bind(client), { id: older, worktree: 'exp' });
  expect(forked).toMatchObject({ name: 'exp', baseSnapshotId: older, headSnapshotId: older });
  const { worktrees } = await call(client.getStatus.bind(client), {});
  expect(worktrees.map(({ name }) => name)).toEqual(['main', 'exp']);
  const fork = (fields: object) => failure(call(client.fork.bind(client), fields));
  expect(await fork({ id: older, worktree: 'exp' })).toMatchObject({ code: status.INVALID_ARGUMENT });
  expect(await fork({ id: older })).toMatchObject({
    code: status.INVALID_ARGUMENT,
    details: expect.stringMatching(/^worktree: /),
  });
});

const differences = (client: AgentClient, request: object): Promise<unknown[]> =>
  client.diff(request).toArray();

test('Diff sends what differs, with sizes, and errors as any call does', async () => {
  const { client, repository } = await start();
  const [from, to] = await twoSnapshots(repository);
  await open(client);
  repository.differences.push(
    { how: 'added', change: { path: 'new', type: 'file', mode: '0644', size: 5 } },
    { how: 'modified', change: { path: 'other', type: 'file', mode: '0644', size: 7, old_size: 3 } },
    { how: 'removed', change: { path: 'dir', type: 'dir', mode: '0755' } },
    { how: 'removed', change: { path: 'dir/old', type: 'file', mode: '0644', size: 9 } },
  );
  expect(await differences(client, { from, to })).toEqual([
    { change: 'CHANGE_ADDED', path: 'new', type: 'file', sizeBefore: 0, sizeAfter: 5 },
    { change: 'CHANGE_MODIFIED', path: 'other', type: 'file', sizeBefore: 3, sizeAfter: 7 },
    { change: 'CHANGE_REMOVED', path: 'dir', type: 'directory', sizeBefore: 0, sizeAfter: 0 },
    { change: 'CHANGE_REMOVED', path: 'dir/old', type: 'file', sizeBefore: 9, sizeAfter: 0 },
  ]);
  const refused = (request: object) => failure(differences(client, request));
  expect(await refused({ from: 'x' })).toMatchObject({
    code: status.INVALID_ARGUMENT,
    details: expect.stringMatching(/^from: /),
  });
  expect(await refused({ from, to, worktree: 'main' })).toMatchObject({ code: status.INVALID_ARGUMENT });
  expect(await refused({ from: '1795507921120-0badcafe' })).toMatchObject({ code: status.NOT_FOUND });
});

test('Diff waits for a caller that does not read, and ends with one that hangs up', async () => {
  const { client, repository } = await start();
  const [from] = await twoSnapshots(repository);
  await open(client);
  let taken = 0;
  let ended = false;
  const change = { path: 'x'.repeat(1000), type: 'file', mode: '0644', size: 1 } as const;
  vi.spyOn(repository, 'diff').mockImplementation(async function* () {
    try {
      for (; taken < 100_000; taken++) yield { how: 'added', change };
    } finally {
      ended = true;
    }
  });
  const stream = client.diff({ from });
  stream.on('error', () => {});
  const reader = stream[Symbol.asyncIterator]();
  await reader.next();
  let before = -1;
  await vi.waitFor(() => {
    const still = taken === before;
    before = taken;
    expect(still).toBe(true);
  }, within);
  expect(taken).toBeLessThan(100_000);
  stream.cancel();
  await vi.waitFor(() => expect(ended).toBe(true), within);
});

test('a pod that goes back and forks in a loop is slowed down as one that takes snapshots', async () => {
  const { client, repository } = await start();
  const [older] = await twoSnapshots(repository);
  await open(client);
  for (let i = 0; i < 5; i++) {
    await call(client.restore.bind(client), { id: older });
    await call(client.fork.bind(client), { id: older, worktree: `exp-${i}` });
  }
  const refused = { code: status.RESOURCE_EXHAUSTED, details: expect.stringMatching(/try again in \d+ s$/) };
  expect(await failure(call(client.restore.bind(client), { id: older }))).toMatchObject(refused);
  expect(await failure(call(client.fork.bind(client), { id: older, worktree: 'x' }))).toMatchObject(refused);
});
