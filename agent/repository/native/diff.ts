// What differs between two trees, walked together in one order. Contents are read only where nothing else
// tells: one inode is one content, another size another.
import type { Meter } from './control.ts';
import { readContent } from './copy.ts';
import { READY, walkKey } from './format/payload.ts';
import { type Directory, type Entry, OpenFile } from './fs/directory.ts';
import { hasCode } from './fs/errors.ts';

export interface Change {
  /** Below the tree's root; bytes that are no UTF-8 are replaced. */
  path: string;
  type: 'dir' | 'file' | 'symlink';
  /** Permission bits, octal. */
  mode: string;
  size?: number;
  old_size?: number;
}

export interface Difference {
  added: Change[];
  removed: Change[];
  modified: Change[];
}

/** Special files are in no snapshot, so they are no difference. */
export function compareTrees(from: Directory, to: Directory, meter: Meter): Difference {
  const found: Difference = { added: [], removed: [], modified: [] };
  compare(from, to, '', found, meter);
  return found;
}

interface Listed {
  name: string;
  key: string;
  entry: Entry;
}

function list(directory: Directory | undefined, isRoot: boolean): Listed[] {
  const listed: Listed[] = [];
  for (const name of directory?.names() ?? []) {
    const entry = isRoot && name === READY ? undefined : directory?.lstat(name);
    if (!entry || ['fifo', 'socket', 'device'].includes(entry.kind)) continue;
    listed.push({ name, key: walkKey(name, entry.kind === 'dir'), entry });
  }
  return listed.sort((a, b) => (a.key < b.key ? -1 : 1));
}

function compare(
  from: Directory | undefined,
  to: Directory | undefined,
  prefix: string,
  found: Difference,
  meter: Meter,
): void {
  const [left, right] = [list(from, prefix === ''), list(to, prefix === '')];
  for (let i = 0, j = 0; i < left.length || j < right.length; ) {
    const [a, b] = [left[i], right[j]];
    if (a && (!b || a.key < b.key)) {
      found.removed.push(change(prefix, a));
      descend(from, undefined, a, prefix, found, meter);
      i++;
    } else if (b && (!a || b.key < a.key)) {
      found.added.push(change(prefix, b));
      descend(undefined, to, b, prefix, found, meter);
      j++;
    } else if (a && b) {
      if (differs(from, to, a, b, meter)) {
        const old = a.entry.kind === 'file' ? { old_size: a.entry.size } : {};
        found.modified.push({ ...change(prefix, b), ...old });
      }
      descend(from, to, a, prefix, found, meter);
      i++;
      j++;
    }
    meter.add(0, 1);
  }
}

function descend(
  from: Directory | undefined,
  to: Directory | undefined,
  { name, entry }: Listed,
  prefix: string,
  found: Difference,
  meter: Meter,
): void {
  if (entry.kind !== 'dir') return;
  using left = from?.tryOpenDirectory(name);
  using right = to?.tryOpenDirectory(name);
  compare(left, right, `${prefix}${name}/`, found, meter);
}

function change(prefix: string, { name, entry }: Listed): Change {
  return {
    path: Buffer.from(prefix + name, 'latin1').toString(),
    type: entry.kind as Change['type'],
    mode: (entry.mode & 0o777).toString(8).padStart(4, '0'),
    ...(entry.kind === 'file' ? { size: entry.size } : {}),
  };
}

function differs(
  from: Directory | undefined,
  to: Directory | undefined,
  a: Listed,
  b: Listed,
  meter: Meter,
): boolean {
  if (a.entry.kind !== b.entry.kind || (a.entry.mode & 0o777) !== (b.entry.mode & 0o777)) return true;
  if (!from || !to || a.entry.kind === 'dir') return false;
  // Trees of one volume: an inode that both have is a hard link.
  if (a.entry.ino === b.entry.ino && a.entry.ctimeMs === b.entry.ctimeMs) return false;
  if (a.entry.kind === 'file' && a.entry.size !== b.entry.size) return true;
  try {
    return !content(from, a, meter).equals(content(to, b, meter));
  } catch (error) {
    // Changed or gone while it was looked at.
    if (hasCode(error, 'ENOENT', 'ELOOP', 'EINVAL', 'ENXIO', 'ESTALE')) return true;
    throw error;
  }
}

function content(directory: Directory, { name, entry }: Listed, meter: Meter): Buffer {
  if (entry.kind === 'symlink') return directory.readlink(name);
  using file = new OpenFile(directory, name);
  return readContent(file.fd, file.stat().size, (bytes) => meter.add(bytes, 0)).hash;
}
