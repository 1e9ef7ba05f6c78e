// What a schedule has made, on the volume and in the cluster.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Snapshot } from '../../operator/api/snapshot.ts';
import { eventually, kinds, kubectl } from '../kubectl.ts';

/** Of one Workspace, in the order in which they were made in the cluster. */
export async function mirrored(namespace: string, workspace: string): Promise<Snapshot[]> {
  const list = await kubectl(
    ...['-n', namespace, 'get', kinds.snapshot, '-o', 'json', '--sort-by=.metadata.creationTimestamp'],
  );
  return (JSON.parse(list).items as Snapshot[]).filter(
    ({ spec, status }) =>
      spec.workspace === workspace && status?.origin === 'auto' && status.phase === 'Ready',
  );
}

export const idsOf = (snapshots: readonly Snapshot[]) =>
  snapshots.map(({ status }) => status?.snapshotID ?? '');

/** Ids of the snapshots on the volume, oldest first. */
export const onDisk = async (volume: string): Promise<string[]> =>
  (await readdir(join(volume, '.jvs/snapshots'))).filter((name) => !name.includes('.')).sort();

/** Unix times of the runs that have a snapshot, one for each snapshot. */
export async function runsOf(volume: string): Promise<number[]> {
  const runs: number[] = [];
  for (const id of await onDisk(volume)) {
    const { tags } = JSON.parse(await readFile(join(volume, `.jvs/descriptors/${id}.json`), 'utf8'));
    runs.push(Number((tags as string[]).find((tag) => tag.startsWith('auto-'))?.slice('auto-'.length)));
  }
  return runs;
}

/** How many runs without a snapshot the agent has told of. */
export async function missedRuns(volume: string): Promise<number> {
  const { notices } = JSON.parse(await readFile(join(volume, '.jvs/agent/journal.json'), 'utf8'));
  return (notices as { reason: string; message: string }[])
    .filter(({ reason }) => reason === 'SnapshotMissed')
    .reduce((sum, { message }) => sum + Number.parseInt(message, 10), 0);
}

export const shownAsOnDisk = (namespace: string, workspace: string, volume: string) =>
  eventually(
    'the API shows what is on the disk',
    async () =>
      idsOf(await mirrored(namespace, workspace))
        .sort()
        .join() === (await onDisk(volume)).join(),
  );
