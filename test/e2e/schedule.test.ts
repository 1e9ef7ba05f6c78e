import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Workspace } from '../../operator/api/workspace.ts';
import { volumePath } from '../cluster/cluster.ts';
import { apply, eventually, get, kinds, kubectl } from '../kubectl.ts';
import { missedRuns, onDisk, runsOf, shownAsOnDisk } from './schedule.ts';
import { useNamespace, workspaceIn, workspaceOf } from './world.ts';

const namespace = useNamespace();

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

  const [now, speed] = [Date.now(), 120];
  const program = ['agent/testing/timed-agent.ts', volume, speed, now - 3_600_000].map(String);
  const agent = spawn(process.execPath, program, { stdio: 'ignore' });
  const exited = once(agent, 'exit');
  await eventually(
    'the hour has passed',
    async () => ((await runsOf(volume)).at(-1) ?? 0) * 1000 > now - 300_000,
  );
  agent.kill('SIGTERM');
  await exited;
  const runs = await runsOf(volume);
  expect(new Set(runs).size).toBe(runs.length);
  expect(runs.every((run) => run % 300 === 0)).toBe(true);
  const asked = ((runs.at(-1) ?? 0) - (runs[0] ?? 0)) / 300 + 1;
  expect(asked).toBeGreaterThanOrEqual(10);
  // A busy disk may take longer for a snapshot than the clock for two runs.
  expect(runs.length + (await missedRuns(volume))).toBeGreaterThanOrEqual(asked);

  // The pods run as user 1000, and what is on the volume is root's.
  const own = spawn('chown', ['-R', '1000:1000', volume]);
  await once(own, 'exit');
  await kubectl('-n', namespace, 'scale', `${kinds.workspace}/hour`, '--replicas=1');
  await shownAsOnDisk(namespace, 'hour', volume);
  await eventually('the status counts them, and says when the next one is due', async () => {
    const { status } = await get<Workspace>(kinds.workspace, 'hour', namespace);
    const next = Date.parse(status?.nextSnapshotTime ?? '');
    return status?.snapshotCount === (await onDisk(volume)).length && next > Date.now() - 60_000;
  });
});

test('a schedule that can not run is refused when it is applied, with the reason', async () => {
  const bad = { schedule: '0 0 31 2 *' };
  await expect(apply(workspaceOf(namespace, 'never', { autoSnapshot: bad }))).rejects.toThrow(/autoSnapshot/);
});
