import { expect, test } from 'vitest';
import {
  containerPid,
  signalContainer,
  startApiServer,
  stopApiServer,
  volumePath,
} from '../../cluster/cluster.ts';
import { eventually, get, kinds } from '../../kubectl.ts';
import { idsOf, mirrored, onDisk, runsOf, shownAsOnDisk } from '../schedule.ts';
import {
  conditionOf,
  createWorkspace,
  eventOf,
  idleContainer,
  podOf,
  podSpec,
  useNamespace,
  withoutOperator,
} from '../world.ts';

const namespace = useNamespace();
const schedule = '* * * * *';

test('without an operator, then without an API server, and an agent killed in both: each run once, surplus pruned, all of it shown in order', {
  timeout: 600_000,
}, async () => {
  const template = { spec: podSpec(idleContainer()) };
  await createWorkspace(namespace, 'alone', { template, autoSnapshot: { schedule } });
  await createWorkspace(namespace, 'timed', {
    autoSnapshot: { schedule, template: 'checkpoint', maxSnapshots: 2 },
  });
  await conditionOf(namespace, 'timed', 'Scheduled', 'Active');
  const volumes = {
    alone: await volumePath(namespace, 'jvs-alone'),
    timed: await volumePath(namespace, 'jvs-timed'),
  };
  const [first] = await eventually('both show a scheduled snapshot', async () => {
    const [timed, alone] = [await mirrored(namespace, 'timed'), await mirrored(namespace, 'alone')];
    return alone.length > 0 && timed.length > 0 && timed;
  });
  expect(first?.spec.tags).toContain('checkpoint');
  const before = idsOf(await mirrored(namespace, 'alone'));
  const pod = await podOf(namespace, 'alone');
  const more = async () => {
    const there = (await onDisk(volumes.alone)).length;
    await eventually('one more', async () => (await onDisk(volumes.alone)).length > there, 120);
  };

  await withoutOperator(async () => {
    await signalContainer(namespace, pod, 'jvs-agent');
    await more();
    const pid = await eventually('it runs again', () => containerPid(namespace, pod, 'jvs-agent'));
    await stopApiServer('kill');
    try {
      process.kill(pid, 'SIGKILL');
      await more();
      await eventually('retention goes on too', async () => {
        const ids = await onDisk(volumes.timed);
        return ids.length === 2 && !ids.includes(first?.status?.snapshotID ?? '');
      });
    } finally {
      await startApiServer();
    }
  });
  await shownAsOnDisk(namespace, 'timed', volumes.timed);
  // Its phase says first that it goes.
  await eventually('what was pruned is shown no longer', () =>
    get(kinds.snapshot, first?.metadata.name ?? '', namespace).then(
      () => false,
      (error: Error) => /not found/.test(error.message),
    ),
  );
  await eventOf(namespace, 'timed', /^Pruned: /);
  await shownAsOnDisk(namespace, 'alone', volumes.alone);

  const shown = await mirrored(namespace, 'alone');
  const ids = idsOf(shown);
  expect(ids.length).toBeGreaterThanOrEqual(before.length + 2);
  expect(ids.slice(0, before.length)).toEqual(before);
  expect(new Set(ids).size).toBe(ids.length);
  // One by one, the oldest first: resources of the same second are in no order that the API could tell.
  const times = shown.map(({ metadata }) => metadata.creationTimestamp ?? '');
  for (const [i, id] of [...ids].sort().entries()) {
    const place = ids.indexOf(id);
    expect(times[place]).toBe(times[i]);
  }
  for (const volume of Object.values(volumes)) {
    // Retention may take one while they are read.
    const runs = await eventually('its runs are read', () => runsOf(volume));
    expect(runs).toEqual(runs.map((_, i) => (runs[0] ?? 0) + i * 60));
    expect((runs[0] ?? 1) % 60).toBe(0);
  }
});
