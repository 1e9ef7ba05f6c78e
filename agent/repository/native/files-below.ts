import type { Directory, Entry } from './fs/directory.ts';

/**
 * The files below, for what they take: one of several names once, where `seen` tells them apart. Undefined for a further
 * name. `but`, at the top, is left out.
 */
export function* filesBelow(
  top: Directory,
  seen: Set<number | bigint> | undefined,
  but?: string,
): Generator<Entry | undefined, void, undefined> {
  for (const name of top.names()) {
    if (name === but) continue;
    const entry = top.lstat(name);
    if (entry?.kind === 'dir') {
      using below = top.openDirectory(name);
      yield* filesBelow(below, seen);
    }
    if (entry?.kind !== 'file') continue;
    const inode = seen && entry.nlink > 1 ? top.inode(name, entry) : undefined;
    const isSeen = inode !== undefined && seen?.has(inode);
    if (inode !== undefined) seen?.add(inode);
    yield isSeen ? undefined : entry;
  }
}
