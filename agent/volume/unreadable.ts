// Snapshots that are on the volume while their descriptors can not be read: to the engine they do not exist, to their
// users they are damaged, and must not vanish in silence.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Descriptor, RepositoryError } from '../repository/repository.ts';

const descriptorFile = /^(\d{13}-[0-9a-f]{8})\.json$/;

/**
 * What can still be told of them, newest first: `known` as they were, of the others only when they were made. None has a checksum. `get`
 * reads one again, for it may have been published since `listed` was.
 */
export async function unreadable(
  volume: string,
  listed: readonly Descriptor[],
  known: readonly Descriptor[],
  get: (id: string) => Promise<Descriptor>,
): Promise<Descriptor[]> {
  const readable = new Set(listed.map(({ snapshot_id }) => snapshot_id));
  const names = await readdir(join(volume, '.jvs/descriptors')).catch(() => []);
  const ids = names.flatMap((name) => descriptorFile.exec(name)?.[1] ?? []).sort();
  const found: Descriptor[] = [];
  for (const id of ids.reverse()) {
    if (readable.has(id)) continue;
    const there = await stat(join(volume, '.jvs/snapshots', id)).catch(() => undefined);
    if (!there?.isDirectory()) continue;
    const descriptor = await get(id).catch((error: unknown) => {
      const damaged = error instanceof RepositoryError && error.reason === 'DamagedRepository';
      return damaged ? damagedOne(id, known) : undefined;
    });
    if (descriptor) found.push(descriptor);
  }
  return found;
}

function damagedOne(id: string, known: readonly Descriptor[]): Descriptor {
  const before = known.find(({ snapshot_id }) => snapshot_id === id) ?? {
    snapshot_id: id,
    worktree_name: 'main',
    created_at: new Date(Number(id.slice(0, 13))).toISOString(),
    engine: 'copy',
    payload_root_hash: '',
  };
  return { ...before, descriptor_checksum: '', integrity_state: 'tampered' };
}
