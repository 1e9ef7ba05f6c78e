// What differs between two trees, walked together in one order. Contents are read only where nothing else
// tells: one inode is one content, another size another.
import type { Change, Difference } from '../repository.ts';
import { contentSize } from './compression.ts';
import type { Meter } from './control.ts';
import { READY, walkKey } from './format/payload.ts';
import { type Directory, type Entry, OpenFile } from './fs/directory.ts';
import { hasCode } from './fs/errors.ts';
import { contentOf, withoutSuffix } from './verify.ts';

/** Takes what is found, in byte order of the paths, those of directories as if they ended in a slash. */
export type Found = (how: Difference['how'], change: Change) => void;

/** A tree and how its files are stored. */
export interface Side {
  root: Directory;
  /** Type of the compression; undefined where there is none. */
  compression?: string | undefined;
}

/** Special files are in no snapshot, so they are no difference. @throws RepositoryError DamagedRepository */
export function compareTrees(from: Side, to: Side, meter: Meter, found: Found): void {
  new Comparison(found, meter).compare(from, to, '');
}

interface Listed {
  name: string;
  /** The name of the file that holds it. */
  stored: string;
  key: string;
  entry: Entry;
  /** Of the content, of files. */
  size: number;
}

function list({ root, compression }: Side, isRoot: boolean): Listed[] {
  const listed: Listed[] = [];
  for (const stored of root.names()) {
    const entry = isRoot && stored === READY ? undefined : root.lstat(stored);
    if (!entry || ['fifo', 'socket', 'device'].includes(entry.kind)) continue;
    const packed = entry.kind === 'file' ? compression : undefined;
    const name = packed ? withoutSuffix(stored, packed) : stored;
    const size = packed ? sizeOf(root, stored, packed) : entry.size;
    listed.push({ name, stored, key: walkKey(name, entry.kind === 'dir'), entry, size });
  }
  return listed.sort((a, b) => (a.key < b.key ? -1 : 1));
}

const inode = ({ root }: Side, { stored, entry }: Listed): number | bigint => root.inode(stored, entry);

function sizeOf(directory: Directory, stored: string, compression: string): number {
  using file = new OpenFile(directory, stored);
  return contentSize(file.fd, compression);
}

class Comparison {
  readonly #found: Found;
  readonly #meter: Meter;

  constructor(found: Found, meter: Meter) {
    this.#found = found;
    this.#meter = meter;
  }

  compare(from: Side | undefined, to: Side | undefined, prefix: string): void {
    const left = from ? list(from, prefix === '') : [];
    const right = to ? list(to, prefix === '') : [];
    for (let i = 0, j = 0; i < left.length || j < right.length; ) {
      const [a, b] = [left[i], right[j]];
      if (a && (!b || a.key < b.key)) {
        this.#found('removed', change(prefix, a));
        this.#descend(from, undefined, a, prefix);
        i++;
      } else if (b && (!a || b.key < a.key)) {
        this.#found('added', change(prefix, b));
        this.#descend(undefined, to, b, prefix);
        j++;
      } else if (a && b) {
        if (this.#differs(from, to, a, b)) {
          const old = a.entry.kind === 'file' ? { old_size: a.size } : {};
          this.#found('modified', { ...change(prefix, b), ...old });
        }
        this.#descend(from, to, a, prefix);
        i++;
        j++;
      }
      this.#meter.add(0, 1);
    }
  }

  #descend(from: Side | undefined, to: Side | undefined, { name, entry }: Listed, prefix: string): void {
    if (entry.kind !== 'dir') return;
    using left = from?.root.tryOpenDirectory(name);
    using right = to?.root.tryOpenDirectory(name);
    this.compare(left && { ...from, root: left }, right && { ...to, root: right }, `${prefix}${name}/`);
  }

  #differs(from: Side | undefined, to: Side | undefined, a: Listed, b: Listed): boolean {
    if (a.entry.kind !== b.entry.kind || (a.entry.mode & 0o777) !== (b.entry.mode & 0o777)) return true;
    if (!from || !to || a.entry.kind === 'dir') return false;
    // Trees of one volume: an inode that both have is a hard link.
    if (a.entry.ctimeMs === b.entry.ctimeMs && inode(from, a) === inode(to, b)) return false;
    if (a.entry.kind === 'file' && a.size !== b.size) return true;
    try {
      return !this.#content(from, a).equals(this.#content(to, b));
    } catch (error) {
      // Changed or gone while it was looked at.
      if (hasCode(error, 'ENOENT', 'ELOOP', 'EINVAL', 'ENXIO', 'ESTALE')) return true;
      throw error;
    }
  }

  #content({ root, compression }: Side, { stored, entry }: Listed): Buffer {
    if (entry.kind === 'symlink') return root.readlink(stored);
    return contentOf(root, stored, this.#meter, compression).hash;
  }
}

function change(prefix: string, { name, entry, size }: Listed): Change {
  return {
    path: Buffer.from(prefix + name, 'latin1').toString(),
    type: entry.kind as Change['type'],
    mode: (entry.mode & 0o777).toString(8).padStart(4, '0'),
    ...(entry.kind === 'file' ? { size } : {}),
  };
}
