import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Snapshot } from '../../operator/api/snapshot.ts';
import type { Workspace } from '../../operator/api/workspace.ts';
import { signalContainer, volumePath } from '../cluster/cluster.ts';
import { output } from '../cluster/process.ts';
import { forwardAgent, grpcCall } from '../grpcurl.ts';
import { apply, eventually, get, kinds, kubectl } from '../kubectl.ts';
import {
  applySnapshot,
  conditionOf,
  createWorkspace,
  exec,
  idleContainer,
  madeFor,
  podOf,
  podSpec,
  snapshotIn,
  useNamespace,
  useStaticVolume,
  workspaceIn,
  workspaceOf,
} from './world.ts';

const namespace = useNamespace();
const template = { spec: podSpec(idleContainer()) };

test('an agent killed again and again while it takes a snapshot makes exactly one', async () => {
  await createWorkspace(namespace, 'killed', { template });
  await exec(
    namespace,
    'deploy/jvs-killed',
    'main',
    'cd "$JVS_WORKSPACE" && for i in $(seq 400); do dd if=/dev/urandom of=f$i bs=64k count=8 2>/dev/null; done',
  );
  await applySnapshot(namespace, 'survivor', { workspace: 'killed' });
  const pod = await podOf(namespace, 'killed');
  for (let kills = 0; kills < 3; kills++) {
    await eventually('the agent runs', () => signalContainer(namespace, pod, 'jvs-agent').then(() => true));
  }
  const snapshot = await snapshotIn(namespace, 'survivor', 'Ready');
  expect(await madeFor(snapshot)).toEqual([snapshot.status?.snapshotID]);
  // The last kill may have come after the snapshot was made.
  const verified = await eventually('the agent answers', async () => {
    await using agent = await forwardAgent(`pod/${pod}`, namespace);
    return await grpcCall<{ valid?: boolean }>(agent, 'Agent/Verify', { id: snapshot.status?.snapshotID });
  });
  expect(verified).toMatchObject({ valid: true });
  const snapshots = join(await volumePath(namespace, 'jvs-killed'), '.jvs/snapshots');
  expect((await readdir(snapshots)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

/** A Workspace whose volume is there before any agent is, to put something on it. */
async function prepareVolume(name: string): Promise<string> {
  await apply(workspaceOf(namespace, name, { storage: '1Gi', replicas: 0 }));
  await workspaceIn(namespace, name, 'Ready');
  return volumePath(namespace, `jvs-${name}`);
}

const start = (name: string) =>
  kubectl('-n', namespace, 'scale', `${kinds.workspace}/${name}`, '--replicas=1');

test('a repository of a newer format is left alone, and the Workspace says so', async () => {
  const volume = await prepareVolume('newer');
  await mkdir(join(volume, '.jvs'));
  await writeFile(join(volume, '.jvs/format_version'), '9\n');
  await start('newer');
  expect(await conditionOf(namespace, 'newer', 'Ready', 'UnsupportedFormat')).toMatch(/9/);
  expect(await readdir(volume)).toEqual(['.jvs']);
  expect(await readdir(join(volume, '.jvs'))).toEqual(['format_version']);
});

test("somebody's own .jvs is left alone, and the Workspace says so", async () => {
  const volume = await prepareVolume('foreign');
  await mkdir(join(volume, '.jvs'));
  await writeFile(join(volume, '.jvs/notes.txt'), 'mine');
  await start('foreign');
  await conditionOf(namespace, 'foreign', 'Ready', 'ForeignRepository');
  expect(await readdir(join(volume, '.jvs'))).toEqual(['notes.txt']);
  expect(await readFile(join(volume, '.jvs/notes.txt'), 'utf8')).toBe('mine');
});

test('a full volume fails no Snapshot: it waits, leaves nothing behind, and goes on when there is space', async () => {
  const volume = join(tmpdir(), `full-${namespace}`);
  await mkdir(volume);
  await output('mount', ['-t', 'tmpfs', '-o', 'size=24m,mode=0777', 'tmpfs', volume]);
  try {
    const storageClassName = await useStaticVolume(namespace, 'full', volume, '24Mi');
    await createWorkspace(namespace, 'full', {
      storage: '24Mi',
      storageClassName,
      template,
    });
    const inside = (script: string) => exec(namespace, 'deploy/jvs-full', 'main', script);
    await inside(
      'cd "$JVS_WORKSPACE" && head -c 9000000 /dev/urandom > data && head -c 9000000 /dev/urandom > ballast',
    );
    await applySnapshot(namespace, 'tight', { workspace: 'full' });
    await eventually('the Snapshot waits for space', async () => {
      const { status } = await get<Snapshot>(kinds.snapshot, 'tight', namespace);
      return status?.phase === 'Pending' && status.conditions?.[0]?.reason === 'VolumeFull';
    });
    // The agent tries again by itself, and a try in progress has a directory of its own.
    await eventually(
      'a try leaves nothing behind',
      async () => (await readdir(join(volume, '.jvs/snapshots'))).length === 0,
    );
    await inside('rm "$JVS_WORKSPACE/ballast"');
    await snapshotIn(namespace, 'tight', 'Ready');
    expect((await get<Workspace>(kinds.workspace, 'full', namespace)).status?.phase).toBe('Ready');
  } finally {
    await kubectl('-n', namespace, 'delete', kinds.workspace, 'full', '--timeout=180s');
    await kubectl('delete', 'pv', `full-${namespace}`, '--wait=false');
    await output('umount', ['--lazy', volume]);
    await rm(volume, { recursive: true });
  }
});
