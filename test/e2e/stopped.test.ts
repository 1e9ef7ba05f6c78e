// Workspaces without a pod: what is asked of them is done all the same, and they start when they are told to.
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Workspace } from '../../operator/api/workspace.ts';
import type { Pod } from '../../operator/runtime/resources.ts';
import { volumePath } from '../cluster/cluster.ts';
import { eventually, get, kinds, kubectl } from '../kubectl.ts';
import {
  applyRestore,
  applySnapshot,
  conditionOf,
  createSnapshot,
  createWorkspace,
  exec,
  idleContainer,
  podSpec,
  restoreIn,
  snapshotIn,
  useNamespace,
} from './world.ts';

const namespace = useNamespace({ 'pod-security.kubernetes.io/enforce': 'restricted' });
const template = { spec: podSpec(idleContainer()) };

const scale = (name: string, replicas: number) =>
  kubectl('-n', namespace, 'scale', `${kinds.workspace}/${name}`, `--replicas=${replicas}`);
const podsOf = async (workspace: string): Promise<Pod[]> =>
  JSON.parse(
    await kubectl('-n', namespace, 'get', 'pods', '-l', `jvs.io/workspace=${workspace}`, '-o', 'json'),
  ).items;
const isMaintenance = ({ metadata }: Pod) => metadata.labels?.['jvs.io/maintenance'] === 'true';
const noPods = (workspace: string) =>
  eventually('no pod of the workspace is left', async () => (await podsOf(workspace)).length === 0);
const maintained = (workspace: string) =>
  eventually('the maintenance pod is there', async () => (await podsOf(workspace)).find(isMaintenance));
/** Ready says nothing yet: a stopped Workspace is Ready too. */
const started = (workspace: string) =>
  eventually('its pod is ready', async () => {
    const { status } = await get<Workspace>(kinds.workspace, workspace, namespace);
    return status?.readyReplicas === 1;
  });

test('a stopped workspace takes a snapshot, goes back and lets go, by a pod that comes and goes', async () => {
  const workspace = { template, autoSnapshot: { schedule: '* * * * *' } };
  await createWorkspace(namespace, 'still', workspace);
  await exec(
    namespace,
    'deploy/jvs-still',
    'main',
    'echo one > "$JVS_WORKSPACE/state"; chmod 600 "$JVS_WORKSPACE/state"',
  );
  await createSnapshot(namespace, 'still-one', { workspace: 'still' });
  await scale('still', 0);
  await noPods('still');
  const volume = await volumePath(namespace, 'jvs-still');
  const state = join(volume, 'main/state');
  await writeFile(state, 'two\n');

  await applySnapshot(namespace, 'still-two', { workspace: 'still' });
  const pod = await maintained('still');
  expect(pod.metadata.ownerReferences).toMatchObject([{ kind: 'Workspace', name: 'still' }]);
  const { status } = await snapshotIn(namespace, 'still-two', 'Ready');
  expect(await readFile(join(volume, '.jvs/snapshots', status?.snapshotID ?? '', 'state'), 'utf8')).toBe(
    'two\n',
  );
  const stopped = await get<Workspace>(kinds.workspace, 'still', namespace);
  expect(stopped.status).toMatchObject({ phase: 'Ready', replicas: 0, readyReplicas: 0 });
  expect(await conditionOf(namespace, 'still', 'Scheduled', 'WorkspaceStopped')).toContain('skipped');
  await noPods('still');

  await applyRestore(namespace, 'still-back', { workspace: 'still', snapshot: 'still-one' });
  await restoreIn(namespace, 'still-back', 'Completed');
  expect(await readFile(state, 'utf8')).toBe('one\n');

  await kubectl('-n', namespace, 'delete', kinds.snapshot, 'still-two', '--timeout=180s');
  expect(existsSync(join(volume, '.jvs/snapshots', status?.snapshotID ?? ''))).toBe(false);
  await noPods('still');
  expect((await readdir(join(volume, '.jvs/snapshots'))).filter((name) => name.endsWith('.tmp'))).toEqual([]);

  await scale('still', 1);
  await started('still');
  expect((await exec(namespace, 'deploy/jvs-still', 'main', 'cat "$JVS_WORKSPACE/state"')).trim()).toBe(
    'one',
  );
});

test('a workspace that starts while its maintenance pod is at work has the volume at once, and the work is done', async () => {
  await createWorkspace(namespace, 'hasty', { template });
  const fill = 'for i in $(seq 300); do dd if=/dev/urandom of=f$i bs=64k count=8 2>/dev/null; done';
  await exec(namespace, 'deploy/jvs-hasty', 'main', `cd "$JVS_WORKSPACE" && ${fill}`);
  await scale('hasty', 0);
  await noPods('hasty');
  await applySnapshot(namespace, 'hasty-one', { workspace: 'hasty' });
  const { metadata } = await maintained('hasty');
  await eventually(
    'it runs',
    async () =>
      (await podsOf('hasty')).find((pod) => isMaintenance(pod) && pod.status?.phase === 'Running') !==
      undefined,
  );
  await scale('hasty', 1);
  await eventually('only the workspace’s own pod is there', async () => {
    const pods = await podsOf('hasty');
    return pods.length === 1 && !pods.some(({ metadata: { uid } }) => uid === metadata.uid);
  });
  const { status } = await snapshotIn(namespace, 'hasty-one', 'Ready');
  await started('hasty');
  const volume = await volumePath(namespace, 'jvs-hasty');
  expect(await readdir(join(volume, '.jvs/snapshots'))).toEqual([status?.snapshotID]);
});
