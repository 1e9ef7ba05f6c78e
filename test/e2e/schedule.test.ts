import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Snapshot } from '../../operator/api/snapshot.ts';
import { volumePath } from '../cluster/cluster.ts';
import { apply, eventually, get, kinds, kubectl } from '../kubectl.ts';
import { conditionOf, createWorkspace, eventsOf, useNamespace, workspaceOf } from './world.ts';

const namespace = useNamespace();
const autoSnapshot = { schedule: '* * * * *', template: 'checkpoint', maxSnapshots: 2 };

async function mirrored(): Promise<Snapshot[]> {
  const { items } = JSON.parse(await kubectl('-n', namespace, 'get', kinds.snapshot, '-o', 'json'));
  return (items as Snapshot[]).filter(({ status }) => status?.origin === 'auto' && status.phase === 'Ready');
}

const onDisk = async (): Promise<string[]> =>
  (await readdir(join(await volumePath(namespace, 'jvs-timed'), '.jvs/snapshots'))).filter(
    (name) => !name.includes('.'),
  );

test('the schedule goes on without the operator, surplus is pruned, and the cluster shows all of it afterwards', async () => {
  await createWorkspace(namespace, 'timed', { autoSnapshot });
  await conditionOf(namespace, 'timed', 'Scheduled', 'Active');
  const [first] = await eventually(
    'a scheduled snapshot',
    async () => {
      const shown = await mirrored();
      return shown.length > 0 && shown;
    },
    90,
  );
  expect(first?.spec.tags).toContain('checkpoint');

  await kubectl('-n', 'jvs-system', 'scale', 'deploy/jvs-operator', '--replicas=0');
  try {
    // Two more, and the first is beyond maxSnapshots then.
    await eventually(
      'the schedule goes on, and retention too',
      async () => {
        const ids = await onDisk();
        return ids.length === 2 && !ids.includes(first?.status?.snapshotID ?? '');
      },
      200,
    );
  } finally {
    await kubectl('-n', 'jvs-system', 'scale', 'deploy/jvs-operator', '--replicas=1');
    await kubectl('-n', 'jvs-system', 'rollout', 'status', 'deploy/jvs-operator', '--timeout=120s');
  }
  await eventually(
    'the API shows what is on the disk',
    async () => {
      const shown = (await mirrored()).map(({ status }) => status?.snapshotID ?? '').sort();
      return shown.join() === (await onDisk()).sort().join();
    },
    90,
  );
  await expect(get(kinds.snapshot, first?.metadata.name ?? '', namespace)).rejects.toThrow(/not found/);
  expect((await eventsOf(namespace, 'timed')).join('\n')).toContain('Pruned');
});

test('a schedule that can not run is refused when it is applied, with the reason', async () => {
  const bad = { ...autoSnapshot, schedule: '0 0 31 2 *' };
  await expect(apply(workspaceOf(namespace, 'never', { autoSnapshot: bad }))).rejects.toThrow(/autoSnapshot/);
});
