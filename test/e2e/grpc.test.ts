import { beforeAll, expect, test } from 'vitest';
import { forwardAgent, grpcCall, grpcList, grpcStream } from '../grpcurl.ts';
import { eventually } from '../kubectl.ts';
import { createSnapshot, createWorkspace, exec, idleContainer, podSpec, useNamespace } from './world.ts';

const namespace = useNamespace();
const agentOf = () => forwardAgent('deploy/jvs-debug', namespace);

beforeAll(async () => {
  await createWorkspace(namespace, 'debug', { template: { spec: podSpec(idleContainer()) } });
  await exec(namespace, 'deploy/jvs-debug', 'main', 'echo hello > "$JVS_WORKSPACE/file"');
});

test('grpcurl finds the services by reflection', async () => {
  await using agent = await agentOf();
  expect(await grpcList(agent)).toEqual(
    expect.arrayContaining([
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'jvs.agent.v1.Agent',
    ]),
  );
  expect(await grpcCall(agent, 'grpc.health.v1.Health/Check')).toEqual({ status: 'SERVING' });
});

test('the agent says who and how it is', async () => {
  await using agent = await agentOf();
  const status = await eventually('it is connected', async () => {
    const now = await grpcCall<{ connected?: boolean }>(agent, 'Agent/GetStatus');
    return now.connected && now;
  });
  expect(status).toMatchObject({
    workspace: 'debug',
    namespace,
    engine: 'copy',
    effectiveEngine: 'copy',
    role: 'ROLE_PRIMARY',
  });
});

test('snapshots are made, listed, read and verified by hand', async () => {
  await using agent = await agentOf();
  const made = await grpcCall<{ id: string }>(agent, 'Agent/CreateSnapshot', {
    note: 'by hand',
    tags: ['mine'],
  });
  const { status } = await createSnapshot(namespace, 'by-resource', { workspace: 'debug' });
  const { snapshots } = await grpcCall<{ snapshots: { id: string; origin: string }[] }>(
    agent,
    'Agent/ListSnapshots',
  );
  expect(snapshots.map(({ id, origin }) => [id, origin])).toEqual([
    [status?.snapshotID, 'manual'],
    [made.id, 'self'],
  ]);
  const first = await grpcCall<{ snapshots: object[]; nextPageToken: string }>(agent, 'Agent/ListSnapshots', {
    pageSize: 1,
  });
  expect(first.snapshots).toHaveLength(1);
  const rest = await grpcCall(agent, 'Agent/ListSnapshots', { pageSize: 1, pageToken: first.nextPageToken });
  expect(rest).toMatchObject({ snapshots: [{ id: made.id }] });
  expect(await grpcCall(agent, 'Agent/GetSnapshot', { id: made.id })).toMatchObject({
    note: 'by hand',
    tags: ['mine'],
  });
  expect(await grpcCall(agent, 'Agent/Verify', { id: made.id })).toMatchObject({ valid: true });
});

test('the command line in the sidecar sees the same history', async () => {
  const inAgent = (command: string) => exec(namespace, 'deploy/jvs-debug', 'jvs-agent', command);
  const history = JSON.parse(await inAgent('jvs-agent history --json')) as { note?: string }[];
  expect(history.map(({ note }) => note)).toContain('by hand');
  const verified = JSON.parse(await inAgent('jvs-agent verify --all --json')) as object[];
  expect(verified).toHaveLength(history.length);
  for (const one of verified) expect(one).toMatchObject({ payload_hash_valid: true, tamper_detected: false });
});

test('a worktree is compared, brought back and forked by hand, under a process that works in it', async () => {
  await using agent = await agentOf();
  const inside = (script: string) =>
    exec(namespace, 'deploy/jvs-debug', 'main', `cd "$JVS_WORKSPACE" && ${script}`);
  const { id } = await grpcCall<{ id: string }>(agent, 'Agent/CreateSnapshot', { note: 'good' });
  await inside('echo worse > file; mkdir new; echo 12345 > new/one');
  expect(await grpcStream(agent, 'Agent/Diff', { from: id })).toEqual([
    { change: 'CHANGE_MODIFIED', path: 'file', type: 'file', sizeBefore: '6', sizeAfter: '6' },
    { change: 'CHANGE_ADDED', path: 'new', type: 'directory' },
    { change: 'CHANGE_ADDED', path: 'new/one', type: 'file', sizeAfter: '6' },
  ]);
  // Its directory is the one that is replaced, and stays the same.
  const waiting = inside('until grep -q hello file; do sleep 0.1; done; ls');
  const done = await grpcCall<{ preRestoreSnapshotId: string }>(agent, 'Agent/Restore', { id });
  expect((await waiting).trim()).toBe('file');
  expect(await grpcStream(agent, 'Agent/Diff', { from: id })).toEqual([]);
  const { preRestoreSnapshotId } = done;
  const forked = await grpcCall(agent, 'Agent/Fork', { id: preRestoreSnapshotId, worktree: 'worse' });
  expect(forked).toMatchObject({ name: 'worse', baseSnapshotId: preRestoreSnapshotId });
  const { worktrees } = await grpcCall<{ worktrees: object[] }>(agent, 'Agent/GetStatus');
  expect(worktrees).toMatchObject([{ name: 'main', headSnapshotId: id }, { name: 'worse' }]);
  expect((await inside('cat ../worktrees/worse/file')).trim()).toBe('worse');
});

test('wrong input has the status and words that help', async () => {
  await using agent = await agentOf();
  await expect(grpcCall(agent, 'Agent/GetSnapshot', { id: '1795507921000-00000000' })).rejects.toThrow(
    /NotFound/,
  );
  await expect(grpcCall(agent, 'Agent/GetSnapshot', { id: '../../x' })).rejects.toThrow(
    /InvalidArgument[\s\S]*id/,
  );
});
