// kubectl jvs on a real node: what needs an agent.
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Workspace } from '../../operator/api/workspace.ts';
import { output, spawnBound } from '../cluster/process.ts';
import { eventually, get, kinds, kubectl } from '../kubectl.ts';
import { createWorkspace, exec, idleContainer, podSpec, useNamespace, workspaceIn } from './world.ts';

interface History {
  source: string;
  pod?: string;
  because?: string;
  worktrees: { name: string; head: string }[];
  snapshots: { id: string; parent?: string; name?: string; worktree: string; note: string }[];
}

const namespace = useNamespace();
const root = join(import.meta.dirname, '../..');
let bin: string;
let env: NodeJS.ProcessEnv;
let first: string;
let second: string;

const jvs = (...args: string[]) => output('kubectl', ['jvs', '-n', namespace, ...args], { env });
const history = async (...args: string[]): Promise<History> =>
  JSON.parse(await jvs('history', 'train', '-o', 'json', ...args));
const inMain = (script: string) =>
  exec(namespace, 'deploy/jvs-train', 'main', `cd $JVS_WORKSPACE; ${script}`);
const takeSnapshot = async (...options: string[]): Promise<string> => {
  const said = await jvs('snapshot', 'train', '--wait', ...options);
  const [, id = ''] = /is done: (\d{13}-[0-9a-f]{8}), /.exec(said) ?? [];
  expect(id, said).not.toBe('');
  return id;
};

beforeAll(async () => {
  await output('node', ['hack/build.ts', 'kubectl-jvs'], { cwd: root });
  bin = await mkdtemp(join(tmpdir(), 'jvs-plugin-'));
  await symlink(join(root, 'dist/kubectl-jvs'), join(bin, 'kubectl-jvs'));
  env = { ...process.env, PATH: [bin, process.env.PATH].join(delimiter) };
  await createWorkspace(namespace, 'train', { template: { spec: podSpec(idleContainer()) } });
  await inMain('echo one > model; echo same > data');
  first = await takeSnapshot('--name', 'before-tuning', '--note', 'Before tuning', '--tag', 'experiment');
  await inMain('echo three > model; mkdir out; echo x > out/log');
  second = await takeSnapshot();
});
afterAll(() => rm(bin, { recursive: true }));

test('the whole history comes from the agent, through the API server', async () => {
  const { source, pod, worktrees, snapshots } = await history();
  expect({ source, pod }).toEqual({ source: 'agent', pod: expect.stringMatching(/^jvs-train-/) });
  expect(worktrees).toMatchObject([{ name: 'main', head: second }]);
  expect(snapshots).toMatchObject([
    { id: second, parent: first, worktree: 'main' },
    { id: first, name: 'before-tuning', note: 'Before tuning' },
  ]);
  expect(await jvs('history', 'train')).toMatch(
    new RegExp(`● +${second} .*\\(main\\)[^]*● +${first} .* before-tuning "Before tuning" #experiment`),
  );
});

test('the difference between two snapshots, and to the files as they are now', async () => {
  expect(await jvs('diff', 'train', 'before-tuning', second)).toMatch(
    /^~ +4 B → +6 B {2}model\n\+ +out\/\n\+ +2 B {2}out\/log\n$/,
  );
  await inMain('rm data');
  const now = JSON.parse(await jvs('diff', 'train', second, '-o', 'json'));
  expect(now).toMatchObject({
    from: second,
    worktree: 'main',
    changes: [{ change: 'removed', path: 'data', type: 'file', sizeBefore: 5 }],
  });
  await expect(jvs('diff', 'train', '1795507921120-0badcafe')).rejects.toThrow(
    /1795507921120-0badcafe.* \(so says the agent in pod jvs-train-/,
  );
});

test('there and back again', async () => {
  const there = await jvs('restore', 'train', 'before-tuning', '--wait');
  expect(await inMain('cat model data; ls')).toBe('one\nsame\ndata\nmodel\n');
  const [, undo = ''] = /to undo it: kubectl jvs restore train (\S+)\n/.exec(there) ?? [];
  await jvs('restore', 'train', undo, '--wait');
  expect(await inMain('cat model; ls')).toBe('three\nmodel\nout\n');
});

test('a fork is a branch of the timeline', async () => {
  await jvs('fork', 'train', first, 'exp', '--wait');
  await eventually('the status shows it', async () =>
    (await get<Workspace>(kinds.workspace, 'train', namespace)).status?.worktrees?.some(
      ({ name, base }) => name === 'exp' && base === first,
    ),
  );
  const branched = await takeSnapshot('--worktree', 'exp');
  const { snapshots } = await history('--worktree', 'exp');
  expect(snapshots).toMatchObject([
    { id: branched, parent: first, worktree: 'exp' },
    { id: first, worktree: 'main' },
  ]);
  expect(await jvs('history', 'train')).toMatch(/^├─.*╯$/m);
  const row = new RegExp(`exp +${branched} +${branched} +${first}`);
  await eventually('the status has its head', async () => row.test(await jvs('status', 'train')));
});

test('the log of the agent, and what comes', async () => {
  expect(await jvs('logs', 'train')).toContain('agent started');
  const following = spawnBound('kubectl', ['jvs', '-n', namespace, 'logs', 'train', '-f', '--tail', '0'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let seen = '';
  following.stdout?.setEncoding('utf8').on('data', (text: string) => {
    seen += text;
  });
  try {
    await eventually('a snapshot is in the log', async () => {
      await takeSnapshot();
      return seen.includes('request done');
    });
  } finally {
    following.kill();
  }
});

test('who may not forward ports, and who has stopped the workspace, is shown what the cluster knows', async () => {
  await kubectl('-n', namespace, 'create', 'serviceaccount', 'viewer');
  await kubectl(
    ...['-n', namespace, 'create', 'rolebinding', 'viewer', '--clusterrole=view'],
    `--serviceaccount=${namespace}:viewer`,
  );
  const token = (await kubectl('-n', namespace, 'create', 'token', 'viewer')).trim();
  const view = JSON.parse(await kubectl('config', 'view', '--raw', '--minify', '-o', 'json'));
  view.users[0].user = { token };
  const file = join(bin, 'viewer.kubeconfig');
  await writeFile(file, JSON.stringify(view), { mode: 0o600 });
  expect(await history('--kubeconfig', file)).toMatchObject({
    source: 'cluster',
    because: expect.stringContaining('you can not create or get resource "pods/portforward"'),
  });
  await expect(jvs('pin', 'before-tuning', '--kubeconfig', file)).rejects.toThrow(
    /cannot patch resource "snapshots" .* \(ask who runs the cluster/,
  );

  await kubectl('-n', namespace, 'scale', 'jvs/train', '--replicas', '0');
  const stopped = await eventually('no agent is there', async () => {
    const known = await history();
    return known.source === 'cluster' && known;
  });
  expect(stopped.snapshots.map(({ id }) => id)).toEqual(expect.arrayContaining([first, second]));
  await kubectl('-n', namespace, 'scale', 'jvs/train', '--replicas', '1');
  await workspaceIn(namespace, 'train', 'Ready');
});
