// kubectl jvs as users run it: a program on PATH that the real kubectl starts, against a real API server. What the
// operator would write into a status, the test does.
import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { type Restore, restores } from '../../operator/api/restore.ts';
import { type Snapshot, snapshots } from '../../operator/api/snapshot.ts';
import { type Workspace, workspaces } from '../../operator/api/workspace.ts';
import { KubeClient } from '../../operator/runtime/client.ts';
import { namespaces } from '../../operator/runtime/resources.ts';
import type { ApiServer } from '../cluster/apiserver.ts';
import { ensureBinaries } from '../cluster/binaries.ts';
import { root, startWithKubectl } from './kubectl.ts';

const namespace = 'ml';
const within = { timeout: 40_000, interval: 50 };
const ids = ['1795507921120-0badcafe', '1795507921121-0badcaff'] as const;
let server: ApiServer;
let admin: KubeClient;
let bin: string;
let path: string;

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

beforeAll(async () => {
  const started = await startWithKubectl();
  server = started.server;
  await started.kubectl('apply', '-f', 'config/crd/bases/');
  await started.kubectl('wait', '--for=condition=Established', 'crd', '--all');
  await started.kubectl('config', 'set-context', '--current', `--namespace=${namespace}`);
  admin = KubeClient.fromKubeconfig(server.kubeconfig);
  await admin.create(namespaces, { metadata: { name: namespace } });
  execFileSync('node', ['hack/build.ts', 'kubectl-jvs'], { cwd: root });
  bin = await mkdtemp(join(tmpdir(), 'jvs-plugin-'));
  await symlink(join(root, 'dist/kubectl-jvs'), join(bin, 'kubectl-jvs'));
  path = [bin, await ensureBinaries(['kubectl']), process.env.PATH].join(delimiter);

  await vi.waitFor(() => workspace('train'), within);
  await admin.mergePatch(
    workspaces,
    { namespace, name: 'train' },
    {
      status: {
        phase: 'Ready',
        snapshotCount: 2,
        usedBytes: 1024 ** 3,
        capacityBytes: 10 * 1024 ** 3,
        worktrees: [{ name: 'main', head: ids[1], latest: ids[1] }],
        conditions: [
          {
            type: 'Degraded',
            status: 'True',
            reason: 'EngineFallback',
            message: 'files are copied',
            lastTransitionTime: '2026-11-24T12:00:00Z',
          },
        ],
      },
    },
    { subresource: 'status' },
  );
  await snapshotOnVolume('first', ids[0], {});
  await snapshotOnVolume(`train-${ids[1]}`, ids[1], { parentID: ids[0], keepReasons: ['newest'] });
}, 900_000);
afterAll(async () => {
  await server?.stop();
  if (bin) await rm(bin, { recursive: true });
});

const workspace = (name: string) =>
  admin.create(workspaces, { metadata: { namespace, name }, spec: {} } as Workspace);

async function snapshotOnVolume(name: string, snapshotID: string, status: object): Promise<void> {
  await admin.create(snapshots, {
    metadata: { namespace, name },
    spec: { workspace: 'train', snapshotID, note: `note of ${name}` },
  } as Snapshot);
  await admin.mergePatch(
    snapshots,
    { namespace, name },
    { status: { phase: 'Ready', snapshotID, size: 2048, uniqueBytes: 1024, origin: 'manual', ...status } },
    { subresource: 'status' },
  );
}

function run(program: string, ...args: string[]): Promise<Ended> {
  const env = {
    ...process.env,
    PATH: path,
    KUBECONFIG: server.kubeconfig,
    KUBECACHEDIR: join(server.dir, 'kubectl'),
  };
  return new Promise((resolve) => {
    execFile(program, args, { env }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr }),
    );
  });
}
const jvs = (...args: string[]) => run('kubectl', 'jvs', ...args);

/** What it prints as a document. */
async function document<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await jvs(...args, '-o', 'json');
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return JSON.parse(stdout) as T;
}

test('status of all, and of one with what is wrong', async () => {
  const all = await jvs('status');
  expect(all.stdout).toMatch(
    /NAME +STATUS +SNAPSHOTS +WORKTREES +USED +SIZE +AGE\ntrain +Ready +2 +main +1.0 GiB +10Gi/,
  );
  const one = await jvs('status', 'train');
  expect(one.stdout).toMatch(/Workspace: +ml\/train\n/);
  expect(one.stdout).toMatch(/Degraded +True +EngineFallback +files are copied/);
  expect(parse((await jvs('status', 'train', '-o', 'yaml')).stdout)).toMatchObject({
    kind: 'Workspace',
    metadata: { name: 'train' },
  });
  expect(await jvs('status', '-n', 'default')).toMatchObject({
    code: 0,
    stdout: '',
    stderr: 'no Workspaces in namespace default\n',
  });
});

test('the history that the cluster shows, where no agent is reached, and it says so', async () => {
  const { stdout, stderr } = await jvs('history', 'train');
  expect(stderr).toMatch(/^2 of 2 snapshots that the cluster shows, .*no agent of Workspace train runs/);
  expect(stdout).toMatch(
    new RegExp(
      `● +${ids[1]} .*\\(main\\) "note of train-.*" kept: newest\n● +${ids[0]} .* first "note of first"`,
    ),
  );
  expect(await document('history', 'train', '--limit', '1')).toMatchObject({
    source: 'cluster',
    snapshots: [{ id: ids[1], parent: ids[0], keepReasons: ['newest'] }],
  });
});

test('a snapshot is asked for, and waited for', async () => {
  const waiting = jvs('snapshot', 'train', '--name', 'asked', '--note', 'a b', '--tag', 'x', '--wait');
  const made = await vi.waitFor(async () => {
    const found = await admin.get(snapshots, { namespace, name: 'asked' });
    expect(found).toBeDefined();
    return found;
  }, within);
  expect(made?.spec).toMatchObject({ workspace: 'train', note: 'a b', tags: ['x'], worktree: 'main' });
  const say = (status: object) =>
    admin.mergePatch(snapshots, { namespace, name: 'asked' }, { status }, { subresource: 'status' });
  await say({ phase: 'InProgress', progress: { bytesDone: 1, bytesTotal: 2 } });
  await say({ phase: 'Ready', snapshotID: '1795507921122-0badcafa', size: 4096, uniqueBytes: 512 });
  expect(await waiting).toEqual({
    code: 0,
    stdout: 'snapshot.jvs.io/asked is done: 1795507921122-0badcafa, 4.0 KiB, 512 B of it new\n',
    stderr: 'snapshot.jvs.io/asked asked for\n',
  });
});

test('one that fails or takes too long is a failure', async () => {
  const failing = jvs('snapshot', 'train', '--name', 'failing', '--wait');
  await vi.waitFor(
    () =>
      admin.mergePatch(
        snapshots,
        { namespace, name: 'failing' },
        { status: { phase: 'Failed', message: 'the volume is full: make it larger' } },
        { subresource: 'status' },
      ),
    within,
  );
  expect(await failing).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('snapshot.jvs.io/failing failed: the volume is full: make it larger'),
  });
  expect(await jvs('snapshot', 'train', '--name', 'slow', '--wait', '--timeout', '500ms')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('snapshots.jvs.io/slow is not done after 0.5 s'),
  });
});

test('restores and forks, by name or id', async () => {
  const back = await document<Restore>('restore', 'train', 'first', '--no-pre-restore-snapshot');
  expect(await admin.get(restores, { namespace, name: back.metadata.name })).toMatchObject({
    spec: { workspace: 'train', snapshotID: ids[0], preRestoreSnapshot: false },
  });
  const waiting = jvs('fork', 'train', ids[1], 'exp', '--wait');
  const made = await vi.waitFor(async () => {
    const { items } = await admin.list(restores, { namespace });
    const found = items.find(({ spec }) => spec.newWorktree === 'exp');
    expect(found).toBeDefined();
    return found;
  }, within);
  await admin.mergePatch(
    restores,
    { namespace, name: made?.metadata.name ?? '' },
    { status: { phase: 'Completed', snapshotID: ids[1], worktree: 'exp' } },
    { subresource: 'status' },
  );
  expect((await waiting).stdout).toContain(`worktree exp is made of ${ids[1]}\n`);
});

test('pinned and not pinned any more, by name or id', async () => {
  const pinned = async () => (await admin.get(snapshots, { namespace, name: 'first' }))?.spec.pinned;
  expect((await jvs('pin', 'first')).stdout).toBe('snapshot.jvs.io/first pinned\n');
  expect(await pinned()).toBe(true);
  expect((await jvs('unpin', ids[0])).code).toBe(0);
  expect(await pinned()).toBe(false);
});

test('an id that is on several volumes, as of a Workspace that began with it, pins none of them', async () => {
  const name = `begun-${ids[0]}`;
  const spec = { workspace: 'begun', snapshotID: ids[0] };
  await admin.create(snapshots, { metadata: { namespace, name }, spec } as Snapshot);
  const pinned = await jvs('pin', ids[0]);
  await admin.delete(snapshots, { namespace, name });
  expect(pinned).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(`(name the Snapshot: ${name} of begun, first of train)`),
  });
});

test('kubectl completes it', async () => {
  const setUp = await run('sh', '-c', 'eval "$(kubectl jvs completion)"');
  expect(setUp).toEqual({ code: 0, stdout: '', stderr: '' });
  const offered = async (...words: string[]) =>
    (await run('kubectl', '__complete', 'jvs', ...words)).stdout
      .split('\n')
      .map((line) => line.split('\t')[0]);
  expect(await offered('hist')).toEqual(['history', ':4', '']);
  expect(await offered('status', '')).toEqual(['train', ':4', '']);
  expect(await offered('restore', 'train', 'fi')).toEqual(['first', ':4', '']);
  expect(await offered('status', '-n', 'kube-sy')).toEqual(['kube-system', ':4', '']);
});

test('what goes wrong is a line that says what to do', async () => {
  const wrong: [args: string[], code: number, line: RegExp][] = [
    [['status', 'none'], 1, /there is no Workspace none in namespace ml \(kubectl jvs status lists them/],
    [['snapshot', 'none'], 1, /there is no Workspace none/],
    [['restore', 'train', 'none'], 1, /there is no Snapshot none in namespace ml/],
    [['pin', '1795507921129-0badcafe'], 1, /no Snapshot in namespace ml shows 1795507921129-0badcafe/],
    [['diff', 'train', ids[0]], 1, /no agent of Workspace train runs \(kubectl jvs status train says why/],
    [['logs', 'train'], 1, /no agent of Workspace train runs/],
    [['snapshot', 'train', '--name', 'first'], 1, /snapshots.jvs.io "first" already exists/],
    [['snapshot', 'train', '--tag', 'k8s-x'], 1, /spec.tags/],
    [['status', '--context', 'none'], 1, /the kubeconfig has no context "none"/],
    [['status', '--kubeconfig', '/none'], 1, /the kubeconfig can not be read: ENOENT/],
    [['restore', 'train'], 2, /restore: SNAPSHOT is missing \(kubectl jvs --help/],
    [['status', '-o', 'xml'], 2, /none of table, wide, json, yaml/],
  ];
  for (const [args, code, line] of wrong) {
    const ended = await jvs(...args);
    expect(ended, args.join(' ')).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(line) });
    expect(ended.stderr.trimEnd().split('\n'), args.join(' ')).toHaveLength(1);
  }
});

test('who may not is told which verb', async () => {
  await run('kubectl', 'create', 'serviceaccount', 'nobody');
  const token = await admin.createToken({ namespace, name: 'nobody' }, { audiences: [] });
  const config = parse((await run('cat', server.kubeconfig)).stdout);
  config.users = config.users.map(({ name }: { name: string }) => ({ name, user: { token } }));
  const file = join(bin, 'nobody.kubeconfig');
  await writeFile(file, stringify(config));
  expect(await jvs('status', '--kubeconfig', file)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/cannot list resource "workspaces" .* \(ask who runs the cluster/),
  });
});

test('a server that is away, and one without the operator', async () => {
  await run('kubectl', 'delete', 'crd', 'workspaces.jvs.io');
  expect((await jvs('status')).stderr).toContain('this cluster has no JVS operator');
  await server.kill();
  expect((await jvs('status')).stderr).toMatch(/does not answer: .* \(does kubectl get namespaces work\?/);
});
