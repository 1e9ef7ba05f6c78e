// What is looked at before a snapshot is brought back, so that the answer comes at once and not after gigabytes.
import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import { type Descriptor, RepositoryError } from '../repository.ts';
import { filesBelow } from './files-below.ts';
import { descriptorChecksum } from './format/descriptor.ts';
import { Directory } from './fs/directory.ts';
import { hasCode } from './fs/errors.ts';
import type { Layout } from './layout.ts';

/** @throws RepositoryError DamagedRepository */
export function checkDescriptor(
  descriptor: Descriptor,
  valid = descriptorChecksum(descriptor) === descriptor.descriptor_checksum,
): void {
  if (valid) return;
  throw new RepositoryError(
    'DamagedRepository',
    `the descriptor of snapshot ${descriptor.snapshot_id} does not match its checksum: it was changed by hand; ` +
      'verify the other snapshots and restore one of them',
  );
}

/** Where a new worktree goes. @throws RepositoryError InvalidArgument where something is there */
export function checkPlace(layout: Layout, worktree: string): void {
  const path = layout.payload(worktree);
  try {
    using there = Directory.open(join(layout.volume, ...path));
    if (there.names().length === 0) return;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    if (!hasCode(error, 'ENOTDIR', 'ELOOP')) throw error;
  }
  throw new RepositoryError(
    'InvalidArgument',
    `${path.join('/')} is there already: choose another name, or move it away`,
  );
}

/** Refuses only what can not fit: what else may use the volume is not known. @throws RepositoryError VolumeFull */
export function checkRoom(layout: Layout, descriptor: Descriptor): void {
  const { bavail, bfree, bsize } = statfsSync(layout.volume);
  const available = (process.geteuid?.() === 0 ? bfree : bavail) * bsize;
  const { agent, compression, snapshot_id } = descriptor;
  // No file takes more than its size and a block, unless it is one of many names of the same.
  if (agent && agent.size + agent.entries * bsize <= available) return;
  const needed = compression ? uncompressed(descriptor) : allocated(layout, descriptor);
  if (needed <= available) return;
  throw new RepositoryError(
    'VolumeFull',
    `bringing snapshot ${snapshot_id} back needs ${needed} bytes, and ${available} bytes are available on the volume: ` +
      'delete files or snapshots, or raise spec.storage',
  );
}

/** Bytes that a compressed snapshot's files take when they are restored; where that is not known, at least. */
export function uncompressed({ agent }: Descriptor): number {
  return agent?.restored_bytes ?? (agent && !agent.hard_links ? agent.size : 0);
}

/** Bytes on disk of the snapshot's files, each counted once. */
function allocated(layout: Layout, { snapshot_id, agent }: Descriptor): number {
  const several = agent?.hard_links !== 0 ? new Set<number | bigint>() : undefined;
  using root = Directory.open(layout.snapshot(snapshot_id));
  let bytes = 0;
  for (const file of filesBelow(root, several)) bytes += file?.allocated ?? 0;
  return bytes;
}
