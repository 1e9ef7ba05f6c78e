// A new workspace begins on a snapshot of another one, and its containers never see anything else.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Workspace } from '../../operator/api/workspace.ts';
import type { Pod } from '../../operator/runtime/resources.ts';
import { containerPid, volumePath } from '../cluster/cluster.ts';
import { apply, eventually, get, kinds, kubectl } from '../kubectl.ts';
import {
  conditionOf,
  createSnapshot,
  createWorkspace,
  eventOf,
  exec,
  idleContainer,
  podSpec,
  useNamespace,
  workspaceIn,
  workspaceOf,
} from './world.ts';

const namespace = useNamespace();
const template = { spec: podSpec(idleContainer()) };
/** It ends at once where the tree is not there when it starts. */
const strict = {
  spec: podSpec(
    idleContainer(
      'main',
      'cat "$JVS_WORKSPACE/dir/model" > /tmp/at-start || exit 1; trap exit TERM; tail -f /dev/null & wait',
    ),
  ),
};

const inside = (workspace: string, script: string) =>
  exec(namespace, `deploy/jvs-${workspace}`, 'main', script);
const volumeOf = (workspace: string) => volumePath(namespace, `jvs-${workspace}`);
const scale = (name: string, replicas: number) =>
  kubectl('-n', namespace, 'scale', `${kinds.workspace}/${name}`, `--replicas=${replicas}`);
const podsOf = async (workspace: string): Promise<Pod[]> =>
  JSON.parse(
    await kubectl('-n', namespace, 'get', 'pods', '-l', `jvs.io/workspace=${workspace}`, '-o', 'json'),
  ).items;

/** One line an entry: path, mode, content. */
async function treeOf(root: string, prefix = ''): Promise<string[]> {
  const lines: string[] = [];
  for (const name of (await readdir(join(root, prefix))).sort()) {
    const path = join(prefix, name);
    const stats = await lstat(join(root, path));
    const content = stats.isFile()
      ? createHash('sha256')
          .update(await readFile(join(root, path)))
          .digest('hex')
      : stats.isSymbolicLink()
        ? await readlink(join(root, path))
        : '';
    lines.push(
      `${path} ${stats.mode.toString(8)} ${stats.uid} ${Math.trunc(stats.mtimeMs / 1000)} ${content}`,
    );
    if (stats.isDirectory()) lines.push(...(await treeOf(root, path)));
  }
  return lines;
}

async function golden(name: string, megabytes = 8): Promise<string> {
  await createWorkspace(namespace, name, { template, storage: '2Gi' });
  const fill = `for i in $(seq ${megabytes}); do dd if=/dev/urandom of=dir/f$i bs=1M count=1 2>/dev/null; done`;
  await inside(
    name,
    `cd "$JVS_WORKSPACE" && mkdir dir && echo v1 > dir/model && chmod 640 dir/model && ln -s dir/model link && ${fill}`,
  );
  const { status } = await createSnapshot(namespace, `${name}-base`, { workspace: name, tags: ['golden'] });
  return status?.snapshotID ?? '';
}

test('its containers start on the tree of the snapshot; what they make of it is theirs', async () => {
  const id = await golden('golden');
  await createWorkspace(namespace, 'young', {
    template: strict,
    storage: '3Gi',
    initialSnapshot: 'golden-base',
  });
  await eventually('its status shows the snapshot, and no other', async () => {
    const { status } = await get<Workspace>(kinds.workspace, 'young', namespace);
    return status?.currentSnapshot === id && status.snapshotCount === 1;
  });
  expect((await inside('young', 'cat /tmp/at-start')).trim()).toBe('v1');
  const [from, to] = [await volumeOf('golden'), await volumeOf('young')];
  expect(await treeOf(join(to, 'main'))).toEqual(
    await treeOf(join(from, '.jvs/snapshots', id)).then(withoutMarker),
  );
  const descriptor = JSON.parse(await readFile(join(to, '.jvs/descriptors', `${id}.json`), 'utf8'));
  expect(descriptor.tags).toEqual(['golden']);
  expect((await readdir(join(to, '.jvs/agent'))).includes('import')).toBe(false);

  await inside('young', 'rm -r "$JVS_WORKSPACE/dir/f1" && echo v2 > "$JVS_WORKSPACE/dir/model"');
  await kubectl('-n', namespace, 'delete', 'pod', '-l', 'jvs.io/workspace=young', '--wait');
  await eventually('it runs again', async () => (await inside('young', 'cat /tmp/at-start')).trim() === 'v2');
});

const withoutMarker = (lines: string[]) => lines.filter((line) => !line.startsWith('.READY '));

test('it says what it waits for, and begins when that comes', async () => {
  await createWorkspace(namespace, 'late', { template });
  await inside('late', 'mkdir "$JVS_WORKSPACE/dir"; echo late > "$JVS_WORKSPACE/dir/model"');
  await apply(
    workspaceOf(namespace, 'early', { template: strict, storage: '1Gi', initialSnapshot: 'late-base' }),
  );
  expect(await conditionOf(namespace, 'early', 'Ready', 'WaitingForInitialSnapshot')).toContain(
    'no Snapshot late-base',
  );
  expect((await get<Workspace>(kinds.workspace, 'early', namespace)).status?.phase).toBe('Creating');
  expect(await readdir(join(await volumeOf('early'), 'main'))).toEqual([]);
  const [pod] = await podsOf('early');
  const main = pod?.status?.containerStatuses?.find(({ name }) => name === 'main');
  expect(main?.state?.waiting?.reason).toBe('PodInitializing');
  await eventOf(namespace, 'early', /^WaitingForInitialSnapshot: /);

  await createSnapshot(namespace, 'late-base', { workspace: 'late' });
  await workspaceIn(namespace, 'early', 'Ready');
  expect((await inside('early', 'cat /tmp/at-start')).trim()).toBe('late');
});

test('an agent that is killed in the middle goes on, from a source that is stopped', async () => {
  const id = await golden('big', 400);
  await scale('big', 0);
  await eventually('its pod is gone', async () => (await podsOf('big')).length === 0);
  await apply(
    workspaceOf(namespace, 'tough', { template: strict, storage: '2Gi', initialSnapshot: 'big-base' }),
  );
  // The copy may be short for kubectl: who is to be killed is known before it begins.
  const pid = await eventually('its agent runs', async () => {
    const [pod] = await podsOf('tough');
    return containerPid(namespace, pod?.metadata.name ?? '', 'jvs-agent');
  });
  const journal = join(await volumeOf('tough'), '.jvs/agent/import/journal.json');
  for (const deadline = Date.now() + 120_000; !existsSync(journal); await sleep(2)) {
    if (Date.now() > deadline) throw new Error('the copy has not begun');
  }
  process.kill(pid, 'SIGKILL');
  expect(existsSync(journal)).toBe(true);
  await workspaceIn(namespace, 'tough', 'Ready');
  const [from, to] = [await volumeOf('big'), await volumeOf('tough')];
  expect(await treeOf(join(to, 'main'))).toEqual(await treeOf(join(from, 'main')));
  expect(await readdir(join(to, '.jvs/snapshots'))).toEqual([id]);
  await eventually('the source’s maintenance pod is gone', async () => (await podsOf('big')).length === 0);
});
