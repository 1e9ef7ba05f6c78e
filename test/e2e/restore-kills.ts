// The kill matrix of docs/restore.md: who is killed while a worktree is brought back, and at which step. What the volume
// says of a step is the truth: a status is written once a second at most.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
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
} from './world.ts';

/** Gets ready, for a step may be short, and gives what then kills at once. */
type Killer = (namespace: string, workspace: string) => Promise<() => Promise<void>>;

/** A first process that runs now; after a kill it may have to wait for its next start. */
const killer =
  (container: string, at: (namespace: string, workspace: string) => [string, string]): Killer =>
  async (namespace, workspace) => {
    const [where, selector] = at(namespace, workspace);
    const pid = await eventually(`${container} runs`, async () =>
      containerPid(where, await podBy(where, selector), container),
    );
    return async () => void process.kill(pid, 'SIGKILL');
  };

const ofWorkspace = (workspace: string) => `jvs.io/workspace=${workspace}`;

async function podBy(namespace: string, selector: string): Promise<string> {
  const path = 'jsonpath={.items[0].metadata.name}';
  return (await kubectl('-n', namespace, 'get', 'pods', '-l', selector, '-o', path)).trim();
}

const killers = {
  agent: killer('jvs-agent', (namespace, workspace) => [namespace, ofWorkspace(workspace)]),
  operator: killer('operator', () => ['jvs-system', 'jvs.io/leader=true']),
  pod: async (namespace, workspace) => {
    const pod = await podBy(namespace, ofWorkspace(workspace));
    return async () => {
      await kubectl('-n', namespace, 'delete', 'pod', pod, '--grace-period=1', '--wait=false');
    };
  },
} satisfies Record<string, Killer>;

/** The tests of one row, each after the one before, on a Workspace `matrix-<who>` of their own. */
export function killMatrix(namespace: string, who: keyof typeof killers): void {
  const workspace = `matrix-${who}`;
  const inside = (script: string) =>
    exec(namespace, `deploy/jvs-${workspace}`, 'main', `cd "$JVS_WORKSPACE" && ${script}`);
  const started = () =>
    kubectl('-n', namespace, 'rollout', 'status', `deploy/jvs-${workspace}`, '--timeout=180s');
  /** Of all names and all content. */
  const digest = () => inside('find . | sort | md5sum && find . -type f | sort | xargs cat | md5sum');
  let jvs: string;
  let base: string;

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

  describe(who, () => {
    beforeAll(async () => {
      await createWorkspace(namespace, workspace, { template: { spec: podSpec(idleContainer()) } });
      jvs = join(await volumePath(namespace, `jvs-${workspace}`), '.jvs');
      await inside(
        'for d in $(seq 40); do mkdir d$d; for f in $(seq 60); do echo $d/$f > d$d/f$f; done; done',
      );
      await inside(
        'for i in $(seq 24); do dd if=/dev/urandom of=big$i bs=1M count=4 2>/dev/null; done; sync',
      );
      await createSnapshot(namespace, `${workspace}-base`, { workspace });
      base = await digest();
    });

    test.each(Object.keys(steps))(
      'killed %s: the tree is the restored one, and one snapshot was taken before',
      async (step) => {
        const index = Object.keys(steps).indexOf(step);
        let name = '';
        // A step may be too short to be seen by who is busy with much else.
        for (let attempt = 1, seen = false; !seen; attempt++) {
          if (attempt > 10) throw new Error(`not seen: ${step}`);
          await started();
          await inside(
            'rm -rf d1 d2 && for i in 1 2 3 4 5 6; do dd if=/dev/urandom of=big$i bs=1M count=4 2>/dev/null; done; echo new > new',
          );
          const kill = await killers[who](namespace, workspace);
          name = `${who}-${index}-${attempt}`;
          let over = false;
          const applied = applyRestore(namespace, name, { workspace, snapshot: `${workspace}-base` });
          const completed = applied
            .then(() => restoreIn(namespace, name, 'Completed'))
            .finally(() => {
              over = true;
            });
          if (step === 'as soon as it is asked for') await applied;
          while (!over && !seen) {
            seen = (await steps[step]?.()) ?? false;
            if (!seen) await setTimeout(2);
          }
          if (seen) await kill();
          await completed;
        }
        const { metadata, status } = await restoreIn(namespace, name, 'Completed');
        await started();
        await eventually('the restored tree is what the pod sees', async () => (await digest()) === base);
        expect(status?.preRestoreSnapshotID).toBeTruthy();
        expect(await takenBefore(metadata.uid ?? '')).toBe(1);
        expect(await journal()).toBe('none');
      },
    );
  });
}
