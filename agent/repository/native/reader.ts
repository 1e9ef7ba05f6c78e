// Reading a repository needs no lease: what is listed is published, and published files do not change.
import { readdir, readFile, statfs } from 'node:fs/promises';
import { type Descriptor, RepositoryError, type Worktree } from '../repository.ts';
import { parseDescriptor } from './format/descriptor.ts';
import { parseDescriptor04 } from './format/descriptor04.ts';
import { checkSnapshotId, checkWorktree, isSnapshotId } from './format/names.ts';
import { parseWorktree } from './format/worktree.ts';
import { asRepositoryError, hasCode } from './fs/errors.ts';
import { readIfThere } from './fs/files.ts';
import type { Layout } from './layout.ts';

/** Ids of published snapshots, newest first. */
export async function snapshotIds(layout: Layout): Promise<string[]> {
  try {
    const entries = await readdir(layout.snapshots, { withFileTypes: true });
    const ids = entries.filter((e) => e.isDirectory() && isSnapshotId(e.name)).map((e) => e.name);
    return ids.sort().reverse();
  } catch (error) {
    throw asRepositoryError(error, 'listing snapshots');
  }
}

function parse(layout: Layout, text: string, id: string): Descriptor {
  return layout.generation === '0.4' ? parseDescriptor04(text, id) : parseDescriptor(text, id);
}

/** Snapshots without a readable descriptor are left out: to other programs they do not exist either. */
export async function listSnapshots(layout: Layout): Promise<Descriptor[]> {
  const found: Descriptor[] = [];
  for (const id of await snapshotIds(layout)) {
    const descriptor = await loadDescriptor(layout, id);
    if (descriptor) found.push(descriptor);
  }
  return found;
}

/** The snapshot that carries the tag. Reads synchronously, which for many small files is several times faster. */
export async function findByTag(layout: Layout, tag: string): Promise<Descriptor | undefined> {
  for (const id of await snapshotIds(layout)) {
    // Parsing is what costs: most do not even mention it.
    if (!readIfThere(layout.descriptor(id))?.includes(tag)) continue;
    const descriptor = await loadDescriptor(layout, id);
    if (descriptor?.tags?.includes(tag)) return descriptor;
  }
  return undefined;
}

async function loadDescriptor(layout: Layout, id: string): Promise<Descriptor | undefined> {
  try {
    return parse(layout, await readFile(layout.descriptor(id), 'utf8'), id);
  } catch (error) {
    // Deleted meanwhile, or damaged.
    if (error instanceof RepositoryError || hasCode(error, 'ENOENT')) return undefined;
    throw asRepositoryError(error, `reading the descriptor of snapshot ${id}`);
  }
}

/** Undefined where there is none that can be read. */
export function tryDescriptor(layout: Layout, id: string): Descriptor | undefined {
  const text = readIfThere(layout.descriptor(id));
  try {
    return text === undefined ? undefined : parse(layout, text, id);
  } catch (error) {
    if (error instanceof RepositoryError) return undefined;
    throw error;
  }
}

/** @throws RepositoryError NotFound, DamagedRepository, InvalidArgument */
export async function getSnapshot(layout: Layout, id: string): Promise<Descriptor> {
  checkSnapshotId(id);
  try {
    const [text] = await Promise.all([readFile(layout.descriptor(id), 'utf8'), readdir(layout.snapshot(id))]);
    return parse(layout, text, id);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) throw noSnapshot(id);
    throw asRepositoryError(error, `reading snapshot ${id}`);
  }
}

/** @throws RepositoryError NotFound, DamagedRepository, InvalidArgument */
export async function headOf(layout: Layout, worktree: string): Promise<string | undefined> {
  checkWorktree(worktree);
  try {
    const text = await readFile(layout.worktreeConfig(worktree), 'utf8');
    return parseWorktree(text, worktree).head_snapshot_id || undefined;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) throw noWorktree(worktree);
    throw asRepositoryError(error, `reading worktree ${worktree}`);
  }
}

/** @throws RepositoryError DamagedRepository, or what keeps one from being read: it may still be needed */
export async function listWorktrees(layout: Layout): Promise<Worktree[]> {
  const found: Worktree[] = [];
  try {
    for (const name of (await readdir(layout.worktrees)).sort()) {
      const text = await readFile(layout.worktreeConfig(name), 'utf8').catch((error: unknown) => {
        if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
        throw error;
      });
      if (text !== undefined) found.push(parseWorktree(text, name));
    }
  } catch (error) {
    throw asRepositoryError(error, 'listing worktrees');
  }
  return found;
}

export function noSnapshot(id: string): RepositoryError {
  return new RepositoryError('NotFound', `there is no snapshot ${id}`);
}

export function noWorktree(name: string): RepositoryError {
  return new RepositoryError('NotFound', `there is no worktree ${name}`);
}

/** Bytes, of the filesystem that holds the volume. */
export async function volumeUsage(layout: Layout): Promise<{ usedBytes: number; capacityBytes: number }> {
  try {
    const { blocks, bfree, bsize } = await statfs(layout.volume);
    return { usedBytes: (blocks - bfree) * bsize, capacityBytes: blocks * bsize };
  } catch (error) {
    throw asRepositoryError(error, 'reading the usage of the volume');
  }
}
