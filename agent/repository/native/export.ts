// Reads a published snapshot for another volume. Its files are sent as they are stored, compressed ones too.
import { fstatSync, readSync } from 'node:fs';
import { type Descriptor, RepositoryError } from '../repository.ts';
import { READY } from './format/payload.ts';
import { readAttributes } from './fs/attributes.ts';
import { Directory, type Entry, type GivenMetadata, OpenFile, statOf } from './fs/directory.ts';
import type { Layout } from './layout.ts';
import type { Position, TransferItem } from './transfer.ts';

const CHUNK = 256 * 1024;
const zeros = Buffer.alloc(CHUNK);

/** From `from` on. Holds no more than a piece of a file and the names of a branch. @throws RepositoryError */
export function* exportSnapshot(
  layout: Layout,
  descriptor: Descriptor,
  from: Position,
): Generator<TransferItem, void, undefined> {
  using root = Directory.open(layout.snapshot(descriptor.snapshot_id));
  const walk = new Walk(from, (descriptor.agent?.hard_links ?? 0) > 0);
  yield* walk.contents(root, '');
  yield* walk.leave(root, '');
}

/** What the snapshot's files take on disk, bytes, a file of several names counted once. */
export function storedBytes(layout: Layout, descriptor: Descriptor): number {
  const counted = (descriptor.agent?.hard_links ?? 0) > 0 ? new Set<number | bigint>() : undefined;
  let bytes = 0;
  const walk = (directory: Directory, prefix: string): void => {
    for (const name of namesOf(directory, prefix)) {
      const entry = directory.lstat(name);
      if (entry?.kind === 'file') {
        const inode = counted && entry.nlink > 1 ? directory.inode(name, entry) : undefined;
        if (inode === undefined || !counted?.has(inode)) bytes += Math.min(entry.allocated, entry.size);
        if (inode !== undefined) counted?.add(inode);
      }
      if (entry?.kind !== 'dir') continue;
      using below = directory.openDirectory(name);
      walk(below, name);
    }
  };
  using root = Directory.open(layout.snapshot(descriptor.snapshot_id));
  walk(root, '');
  return bytes;
}

class Walk {
  readonly #from: Position;
  /** Path of the first name by inode, where the snapshot has several names of one file. */
  readonly #links: Map<number | bigint, string> | undefined;
  #next = 0;

  constructor(from: Position, hardLinks: boolean) {
    this.#from = from;
    this.#links = hardLinks ? new Map() : undefined;
  }

  *contents(directory: Directory, prefix: string): Generator<TransferItem, void, undefined> {
    for (const name of namesOf(directory, prefix)) {
      const path = prefix + name;
      const entry = present(directory, name, path);
      switch (entry.kind) {
        case 'dir': {
          if (this.#begin()) yield { entry: { kind: 'dir', path } };
          using below = directory.openDirectory(name);
          yield* this.contents(below, `${path}/`);
          break;
        }
        case 'file':
          yield* this.#file(directory, name, path, entry);
          break;
        case 'symlink': {
          if (!this.#begin()) break;
          const { uid, gid } = entry;
          const [target, mtimeNs] = [directory.readlink(name), directory.mtimeNs(name)];
          yield { entry: { kind: 'symlink', path, target, uid, gid, mtimeNs } };
          break;
        }
        default:
          throw damaged(path, `is a ${entry.kind}, which no snapshot holds`);
      }
    }
  }

  /** The directories below, then this one. */
  *leave(directory: Directory, path: string): Generator<TransferItem, void, undefined> {
    for (const name of namesOf(directory, path)) {
      const child = path === '' ? name : `${path}/${name}`;
      if (present(directory, name, child).kind !== 'dir') continue;
      using below = directory.openDirectory(name);
      yield* this.leave(below, child);
    }
    if (this.#begin())
      yield { entry: { kind: 'leave', path, ...metadataOf(directory.fd, directory.stat()) } };
  }

  *#file(
    directory: Directory,
    name: string,
    path: string,
    entry: Entry,
  ): Generator<TransferItem, void, undefined> {
    const inode = this.#links && entry.nlink > 1 ? directory.inode(name, entry) : undefined;
    const first = inode === undefined ? undefined : this.#links?.get(inode);
    if (first !== undefined) {
      if (this.#begin()) yield { entry: { kind: 'link', path, first } };
      return;
    }
    if (inode !== undefined) this.#links?.set(inode, path);
    const resumed = this.#next === this.#from.entry;
    if (!this.#begin()) return;
    using file = new OpenFile(directory, name);
    const stat = statOf(file.fd);
    if (stat.kind !== 'file') throw damaged(path, 'changed its kind');
    const sparse = stat.allocated < stat.size;
    yield { entry: { kind: 'file', path, size: stat.size, sparse, ...metadataOf(file.fd, stat) } };
    for (let offset = resumed ? this.#from.offset : 0; offset < stat.size; ) {
      const bytes = Buffer.allocUnsafe(Math.min(CHUNK, stat.size - offset));
      const n = readSync(file.fd, bytes, 0, bytes.length, offset);
      if (n === 0) throw damaged(path, 'was cut short');
      const piece = bytes.subarray(0, n);
      if (!sparse || !piece.equals(zeros.subarray(0, n))) yield { data: { offset, bytes: piece } };
      offset += n;
    }
  }

  /** Counts an entry, and whether it is to be sent. */
  #begin(): boolean {
    return this.#next++ >= this.#from.entry;
  }
}

/** Sorted; without the marker of a published snapshot, which is of its own volume. */
function namesOf(directory: Directory, prefix: string): string[] {
  const names = directory.names().sort();
  return prefix === '' ? names.filter((name) => name !== READY) : names;
}

function present(directory: Directory, name: string, path: string): Entry {
  const entry = directory.lstat(name);
  if (!entry) throw damaged(path, 'vanished');
  return entry;
}

function metadataOf(fd: number, { uid, gid, mode }: Entry): GivenMetadata {
  return { uid, gid, mode, mtimeNs: fstatSync(fd, { bigint: true }).mtimeNs, attributes: readAttributes(fd) };
}

function damaged(path: string, what: string): RepositoryError {
  return new RepositoryError('DamagedRepository', `${Buffer.from(path, 'latin1')} ${what}`);
}
