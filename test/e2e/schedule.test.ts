import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Snapshot } from '../../operator/api/snapshot.ts';
import type { Workspace } from '../../operator/api/workspace.ts';
import {
  containerPid,
  signalContainer,
  startApiServer,
  stopApiServer,
  volumePath,
} from '../cluster/cluster.ts';
import { apply, eventually, get, kinds, kubectl } from '../kubectl.ts';
import {
  conditionOf,
  createWorkspace,
  eventsOf,
  idleContainer,
  podSpec,
  useNamespace,
  withoutOperator,
  workspaceIn,
  workspaceOf,
} from './world.ts';

const namespace = useNamespace();
const autoSnapshot = { schedule: '* * * * *', template: 'checkpoint', maxSnapshots: 2 };

/** Of one Workspace, in the order in which they were made in the cluster. */
async function mirrored(workspace: string): Promise<Snapshot[]> {
  const list = await kubectl(
    ...['-n', namespace, 'get', kinds.snapshot, '-o', 'json', '--sort-by=.metadata.creationTimestamp'],
  );
  return (JSON.parse(list).items as Snapshot[]).filter(
    ({ spec, status }) =>
      spec.workspace === workspace && status?.origin === 'auto' && status.phase === 'Ready',
  );
}

const idsOf = (snapshots: readonly Snapshot[]) => snapshots.map(({ status }) => status?.snapshotID ?? '');

/** Ids of the snapshots on the volume, oldest first. */
const onDisk = async (volume: string): Promise<string[]> =>
  (await readdir(join(volume, '.jvs/snapshots'))).filter((name) => !name.includes('.')).sort();

/** Unix times of the runs that have a snapshot, one for each snapshot. */
async function runsOf(volume: string): Promise<number[]> {
  const runs: number[] = [];
  for (const id of await onDisk(volume)) {
    const { tags } = JSON.parse(await readFile(join(volume, `.jvs/descriptors/${id}.json`), 'utf8'));
    runs.push(Number((tags as string[]).find((tag) => tag.startsWith('auto-'))?.slice('auto-'.length)));
  }
  return runs;
}

const shownAsOnDisk = (workspace: string, volume: string) =>
  eventually(
    'the API shows what is on the disk',
    async () =>
      idsOf(await mirrored(workspace))
        .sort()
        .join() === (await onDisk(volume)).join(),
    90,
  );

test('the schedule goes on without the operator, surplus is pruned, and the cluster shows all of it afterwards', async () => {
  await createWorkspace(namespace, 'timed', { autoSnapshot });
  await conditionOf(namespace, 'timed', 'Scheduled', 'Active');
  const volume = await volumePath(namespace, 'jvs-timed');
  const [first] = await eventually(
    'a scheduled snapshot',
    async () => {
      const shown = await mirrored('timed');
      return shown.length > 0 && shown;
    },
    90,
  );
  expect(first?.spec.tags).toContain('checkpoint');

  await withoutOperator(async () => {
    // Two more, and the first is beyond maxSnapshots then.
    await eventually(
      'the schedule goes on, and retention too',
      async () => {
        const ids = await onDisk(volume);
        return ids.length === 2 && !ids.includes(first?.status?.snapshotID ?? '');
      },
      200,
    );
  });
  await shownAsOnDisk('timed', volume);
  await expect(get(kinds.snapshot, first?.metadata.name ?? '', namespace)).rejects.toThrow(/not found/);
  expect((await eventsOf(namespace, 'timed')).join('\n')).toContain('Pruned');
});

test('without operator, then without an API server, and the agent killed in both: each run once, shown in order', {
  timeout: 600_000,
}, async () => {
  const template = { spec: podSpec(idleContainer()) };
  await createWorkspace(namespace, 'alone', { template, autoSnapshot: { schedule: '* * * * *' } });
  const volume = await volumePath(namespace, 'jvs-alone');
  const more = async (count: number) => {
    const before = (await onDisk(volume)).length;
    await eventually(
      `${count} more on the disk`,
      async () => (await onDisk(volume)).length >= before + count,
      count * 60 + 60,
    );
  };
  await more(1);
  await shownAsOnDisk('alone', volume);
  const before = idsOf(await mirrored('alone'));
  const selector = 'jvs.io/workspace=alone';
  const pod = await kubectl(
    ...['-n', namespace, 'get', 'pods', '-l', selector, '-o', 'jsonpath={.items[0].metadata.name}'],
  );
  await withoutOperator(async () => {
    await more(1);
    await signalContainer(namespace, pod, 'jvs-agent');
    await more(1);
    const pid = await containerPid(namespace, pod, 'jvs-agent');
    await stopApiServer('kill');
    try {
      await more(1);
      process.kill(pid, 'SIGKILL');
      await more(1);
    } finally {
      await startApiServer();
    }
  });
  await shownAsOnDisk('alone', volume);

  const shown = await mirrored('alone');
  const ids = idsOf(shown);
  expect(ids.length).toBeGreaterThanOrEqual(before.length + 4);
  expect(ids.slice(0, before.length)).toEqual(before);
  expect(new Set(ids).size).toBe(ids.length);
  // One by one, the oldest first: resources of the same second are in no order that the API could tell.
  const times = shown.map(({ metadata }) => metadata.creationTimestamp ?? '');
  for (const [i, id] of [...ids].sort().entries()) {
    const place = ids.indexOf(id);
    expect(times[place]).toBe(times[i]);
  }
  const runs = await runsOf(volume);
  expect(runs).toEqual([...new Set(runs)].sort((a, b) => a - b));
  expect(runs.every((time) => time % 60 === 0)).toBe(true);
});

test('an hour of a schedule, made by a clock that runs faster, is shown as the disk has it', async () => {
  const hourly = { schedule: '*/5 * * * *', template: 'checkpoint' };
  await apply(workspaceOf(namespace, 'hour', { storage: '1Gi', replicas: 0, autoSnapshot: hourly }));
  await workspaceIn(namespace, 'hour', 'Ready');
  const volume = await volumePath(namespace, 'jvs-hour');
  // What an operator once said.
  const schedule = { cron: hourly.schedule, timeZone: 'UTC', tags: ['checkpoint'] };
  const rules = {
    schedule: { ...schedule, suspend: false, skipUnchanged: false },
    ...{ pinned: [], requests: [], restores: [], finalSnapshot: false, allowMassPrune: false },
  };
  await mkdir(join(volume, 'main'), { recursive: true });
  await writeFile(join(volume, 'main/model'), 'weights');
  const init = spawn(process.execPath, ['agent/main.ts', 'init', '--volume', volume], { stdio: 'inherit' });
  expect((await once(init, 'exit'))[0]).toBe(0);
  await mkdir(join(volume, '.jvs/agent'), { recursive: true });
  await writeFile(join(volume, '.jvs/agent/rules.json'), JSON.stringify(rules));

  const [since, speed] = [Date.now(), 120];
  const begin = since - 3_600_000;
  const program = ['agent/testing/timed-agent.ts', volume, since, speed, begin].map(String);
  const agent = spawn(process.execPath, program, { stdio: 'ignore' });
  const exited = once(agent, 'exit');
  await eventually(
    'the hour has passed',
    async () => ((await runsOf(volume)).at(-1) ?? 0) * 1000 > since - 300_000,
    90,
  );
  agent.kill('SIGTERM');
  await exited;
  const runs = await runsOf(volume);
  expect(runs.length).toBeGreaterThanOrEqual(10);
  for (const [i, run] of runs.entries()) expect(run).toBe((runs[0] ?? 0) + i * 300);

  // The pods run as user 1000, and what is on the volume is root's.
  const own = spawn('chown', ['-R', '1000:1000', volume]);
  await once(own, 'exit');
  await kubectl('-n', namespace, 'scale', `${kinds.workspace}/hour`, '--replicas=1');
  await shownAsOnDisk('hour', volume);
  const { status } = await get<Workspace>(kinds.workspace, 'hour', namespace);
  expect(status?.snapshotCount).toBe((await onDisk(volume)).length);
  const [next] = [Date.parse(status?.nextSnapshotTime ?? '')];
  expect(next).toBeGreaterThan(Date.now() - 60_000);
});

test('a schedule that can not run is refused when it is applied, with the reason', async () => {
  const bad = { ...autoSnapshot, schedule: '0 0 31 2 *' };
  await expect(apply(workspaceOf(namespace, 'never', { autoSnapshot: bad }))).rejects.toThrow(/autoSnapshot/);
});
