// The kill matrix of docs/restore.md: who is killed while a worktree is brought back, and at which step. What the volume
// says of a step is the truth: a status is written once a second at most.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { containerPid, volumePath } from '../cluster/cluster.ts';
import { eventually, kubectl } from '../kubectl.ts';
import {
  applyRestore,
  createSnapshot,
  createWorkspace,
  exec,
  idleContainer,
  podSpec,
  restoreIn,
  useNamespace,
} from './world.ts';

const namespace = useNamespace();
const inside = (script: string) =>
  exec(namespace, 'deploy/jvs-matrix', 'main', `cd "$JVS_WORKSPACE" && ${script}`);

/** Of all names and all content. */
const digest = () => inside('find . | sort | md5sum && find . -type f | sort | xargs cat | md5sum');

async function podOf(where: string, selector: string): Promise<string> {
  const path = 'jsonpath={.items[0].metadata.name}';
  return (await kubectl('-n', where, 'get', 'pods', '-l', selector, '-o', path)).trim();
}

/** A first process that runs now; after a kill it may have to wait for its next start. */
const running = (where: string, selector: string, container: string): Promise<number> =>
  eventually(
    `${container} runs`,
    async () => containerPid(where, await podOf(where, selector), container),
    90,
  );

/** Each gets ready, for a step may be short, and gives what then kills at once. */
const killers = {
  agent: async () => {
    const pid = await running(namespace, 'jvs.io/workspace=matrix', 'jvs-agent');
    return async () => void process.kill(pid, 'SIGKILL');
  },
  pod: async () => {
    const pod = await podOf(namespace, 'jvs.io/workspace=matrix');
    return async () => {
      await kubectl('-n', namespace, 'delete', 'pod', pod, '--grace-period=1', '--wait=false');
    };
  },
  operator: async () => {
    const pid = await running('jvs-system', 'jvs.io/leader=true', 'operator');
    return async () => void process.kill(pid, 'SIGKILL');
  },
};

let jvs: string;
let base: string;
beforeAll(async () => {
  await createWorkspace(namespace, 'matrix', { template: { spec: podSpec(idleContainer()) } });
  jvs = join(await volumePath(namespace, 'jvs-matrix'), '.jvs');
  await inside('for d in $(seq 40); do mkdir d$d; for f in $(seq 60); do echo $d/$f > d$d/f$f; done; done');
  await inside('for i in $(seq 24); do dd if=/dev/urandom of=big$i bs=1M count=4 2>/dev/null; done; sync');
  await createSnapshot(namespace, 'base', { workspace: 'matrix' });
  base = await digest();
});

const journal = async (): Promise<string> => {
  try {
    return JSON.parse(await readFile(join(jvs, 'agent/restore/main.json'), 'utf8')).phase;
  } catch {
    return 'none';
  }
};

const steps: Record<string, () => Promise<boolean>> = {
  'as soon as it is asked for': async () => true,
  'while the snapshot before it is taken': async () =>
    (await readdir(join(jvs, 'snapshots'))).some((name) => name.endsWith('.tmp')),
  'while the tree is copied': async () => (await journal()) === 'staging',
  'while the tree is exchanged': async () => (await journal()) === 'placing',
};

/** Snapshots on the volume that were taken before this restore. */
async function takenBefore(uid: string): Promise<number> {
  const directory = join(jvs, 'descriptors');
  const names = (await readdir(directory)).filter((name) => name.endsWith('.json'));
  const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
  return texts.filter((text) => text.includes(`k8s-${uid}-before`)).length;
}

const cells = Object.keys(killers).flatMap((who) => Object.keys(steps).map((step) => [who, step] as const));

test.each(cells)(
  '%s killed %s: the tree is the restored one, and one snapshot was taken before',
  async (who, step) => {
    await kubectl('-n', namespace, 'rollout', 'status', 'deploy/jvs-matrix', '--timeout=120s');
    await inside(
      'rm -rf d1 d2 && for i in 1 2 3 4 5 6; do dd if=/dev/urandom of=big$i bs=1M count=4 2>/dev/null; done; echo new > new',
    );
    const kill = await killers[who as keyof typeof killers]();
    const name = `${who}-${Object.keys(steps).indexOf(step)}`;
    const applied = applyRestore(namespace, name, { workspace: 'matrix', snapshot: 'base' });
    const deadline = Date.now() + 60_000;
    if (step === 'as soon as it is asked for') await applied;
    while (!(await steps[step]?.())) {
      if (Date.now() > deadline) throw new Error(`not seen: ${step}`);
      await setTimeout(2);
    }
    await kill();
    await applied;
    const { metadata, status } = await restoreIn(namespace, name, 'Completed');
    await kubectl('-n', namespace, 'rollout', 'status', 'deploy/jvs-matrix', '--timeout=120s');
    await eventually('the restored tree is what the pod sees', async () => (await digest()) === base);
    expect(status?.preRestoreSnapshotID).toBeTruthy();
    expect(await takenBefore(metadata.uid ?? '')).toBe(1);
    expect(await journal()).toBe('none');
  },
);
