// A day of a workspace's life in minutes: work and faults drawn from a seed, and after each round everything must be
// as the model says. CI lives the same day each time; JVS_LIFE_SEED is another, JVS_LIFE_ROUNDS makes it longer.
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { output } from '../../cluster/process.ts';
import { eventually, kinds, kubectl } from '../../kubectl.ts';
import { createWorkspace, idleContainer, podSpec, useNamespace, useStaticVolume } from '../world.ts';
import { FakeClock } from './life/clock.ts';
import { faults, planDay } from './life/day.ts';
import { inject } from './life/inject.ts';
import { Life } from './life/life.ts';

const seed = Number(process.env.JVS_LIFE_SEED ?? 2026);
const rounds = Number(process.env.JVS_LIFE_ROUNDS ?? faults.length);
const namespace = useNamespace();

/** Writes all the time, also while snapshots are taken and restored; but never the file `stamp`. */
const workload = `cd "$JVS_WORKSPACE"; trap exit TERM
while :; do i=$(( (i + 1) % 50 )); mkdir -p busy; date > busy/$i; echo line >> log; sleep 0.1; done & wait`;

test(`a day with seed ${seed}`, { timeout: (rounds + 1) * 300_000 }, async () => {
  const volume = join(tmpdir(), `life-${namespace}`);
  await using clock = await FakeClock.in(`${volume}-clock`);
  await mkdir(volume);
  await output('mount', ['-t', 'tmpfs', '-o', 'size=128m,mode=0777', 'tmpfs', volume]);
  try {
    const storageClassName = await useStaticVolume(namespace, 'life', volume, '128Mi');
    await createWorkspace(namespace, 'life', {
      ...{ storage: '128Mi', storageClassName },
      autoSnapshot: { schedule: '* * * * *', maxSnapshots: 3 },
      template: {
        spec: {
          ...podSpec(idleContainer('main', workload), clock.agent.container),
          volumes: [clock.agent.volume],
        },
      },
    });
    const life = new Life({ namespace, workspace: 'life', volume, clock });
    for (const [index, { work, fault, afterMs, forMs }] of planDay(seed, rounds).entries()) {
      const what = `${fault} during ${work.map((item) => item.do).join(', ')}`;
      console.log(`round ${index + 1} of ${rounds}, seed ${seed}: ${what}`);
      try {
        const harm = sleep(afterMs).then(() => inject(fault, life.target, forMs));
        const [done, harmed] = await Promise.allSettled([inOrder(work, (item) => life.do(item)), harm]);
        if (harmed.status === 'rejected') throw harmed.reason;
        if (done.status === 'rejected') throw done.reason;
        await life.check();
      } catch (cause) {
        throw new Error(`round ${index + 1}, ${what}: replay with JVS_LIFE_SEED=${seed}`, { cause });
      }
    }
    expect(life.taken.size).toBeGreaterThan(0);
    // Nothing holds on to what people let go.
    await kubectl('-n', namespace, 'delete', kinds.workspace, 'life', '--timeout=180s');
    await eventually(
      'its resources have gone with it',
      async () =>
        (await kubectl('-n', namespace, 'get', `${kinds.snapshot},${kinds.restore}`, '-o', 'name')) === '',
    );
  } finally {
    await kubectl(
      '-n',
      namespace,
      'delete',
      'pods',
      '--all',
      '--grace-period=1',
      '--wait=true',
      '--timeout=180s',
    );
    await kubectl('delete', 'pv', `life-${namespace}`, '--wait=false', '--ignore-not-found');
    await output('umount', ['--lazy', volume]);
    await rm(volume, { recursive: true });
  }
});

async function inOrder<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  for (const item of items) await act(item);
}
