// What is done to a volume by hand, and by a storage that loses bits, as the cluster shows it.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Snapshot } from '../../operator/api/snapshot.ts';
import type { Workspace } from '../../operator/api/workspace.ts';
import { volumePath } from '../cluster/cluster.ts';
import { output } from '../cluster/process.ts';
import { apply, eventually, get, kinds, kubectl } from '../kubectl.ts';
import {
  conditionOf,
  eventOf,
  idleContainer,
  snapshotIn,
  useNamespace,
  workspaceIn,
  workspaceOf,
} from './world.ts';

const namespace = useNamespace();
const archive = join(import.meta.dirname, '../fixtures/golden-8.2.tar.gz');
/** Of it, all in a row. */
const byJvs = [
  '1795492626332-5e52a2d2',
  '1795492626384-933b83c1',
  '1795492626416-70616153',
  '1795492626640-d8307bc1',
];

// The agent verifies as fast as it looks. It is root's volume, and no fsGroup changes the modes that are in the hashes.
const template = {
  spec: {
    terminationGracePeriodSeconds: 5,
    containers: [
      { ...idleContainer(), securityContext: {} },
      {
        name: 'jvs-agent',
        image: 'jvs-agent',
        env: [
          { name: 'JVS_VERIFY_INTERVAL', value: '1s' },
          { name: 'JVS_VERIFY_BYTES_PER_SECOND', value: '900000000' },
        ],
      },
    ],
  },
};

const agent = async (...command: string[]): Promise<string> =>
  (
    await kubectl(
      ...['-n', namespace, 'exec', 'deploy/jvs-old', '-c', 'jvs-agent', '--', 'jvs-agent', ...command],
    )
  ).trim();
const shown = (id: string) => get<Snapshot>(kinds.snapshot, `old-${id}`, namespace);

test('what jvs 8.2 and people at work on the volume have made appears with its origin, and what they delete goes', async () => {
  await apply(workspaceOf(namespace, 'old', { storage: '1Gi', replicas: 0, template }));
  await workspaceIn(namespace, 'old', 'Ready');
  const volume = await volumePath(namespace, 'jvs-old');
  await output('tar', ['xzpf', archive, '-C', volume, '--strip-components=1']);
  await kubectl('-n', namespace, 'scale', `${kinds.workspace}/old`, '--replicas=1');
  for (const id of byJvs) {
    const { status } = await snapshotIn(namespace, `old-${id}`, 'Ready');
    expect(status).toMatchObject({ origin: 'discovered', snapshotID: id });
  }

  const id = await agent('snapshot', '--note', 'by hand', '--tag', 'kept');
  const { spec, status } = await snapshotIn(namespace, `old-${id}`, 'Ready');
  expect(status).toMatchObject({ origin: 'manual', snapshotID: id });
  expect(spec).toMatchObject({ note: 'by hand', tags: ['kept'], deletionPolicy: 'Retain' });

  await agent('fork', id, 'branch');
  await eventually('the fork is shown', async () => {
    const { status } = await get<Workspace>(kinds.workspace, 'old', namespace);
    return status?.worktrees?.some(({ name, base }) => name === 'branch' && base === id);
  });
  const [, unused = ''] = byJvs; // no worktree's head, latest or base
  await agent('delete', unused);
  await eventually('its Snapshot goes', () =>
    shown(unused).then(
      () => false,
      (error: Error) => /not found/.test(error.message),
    ),
  );
  await eventOf(namespace, 'old', new RegExp(`^RemovedFromVolume: .*${unused}`, 's'));
});

test('a snapshot whose bits have changed is Failed and stays, the Workspace says so, and it is Ready again when it is whole', async () => {
  const [, , id = ''] = byJvs;
  const file = join(await volumePath(namespace, 'jvs-old'), `.jvs/snapshots/${id}/data/big.txt`);
  const before = await readFile(file);
  const after = Buffer.from(before);
  after[1000] = (after[1000] ?? 0) ^ 1;
  await writeFile(file, after);

  const { status } = await snapshotIn(namespace, `old-${id}`, 'Failed');
  expect(status?.conditions).toEqual([
    expect.objectContaining({ type: 'Ready', status: 'False', reason: 'SnapshotDamaged' }),
  ]);
  expect(status?.integrityState).not.toBe('verified');
  expect(await conditionOf(namespace, 'old', 'Degraded', 'SnapshotDamaged')).toContain(id);
  await eventOf(namespace, 'old', new RegExp(`^SnapshotDamaged: .*${id}`, 's'));

  await writeFile(file, before);
  await snapshotIn(namespace, `old-${id}`, 'Ready');
  await conditionOf(namespace, 'old', 'Degraded', 'AsExpected');
});
