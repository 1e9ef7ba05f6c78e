// Reads a published snapshot for another volume. Its files are sent as they are stored, compressed ones too.
import { readSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { type Descriptor, RepositoryError } from '../repository.ts';
import { filesBelow } from './files-below.ts';
import { READY } from './format/payload.ts';
import { Directory, type Entry, metadataOf, OpenFile, statOf } from './fs/directory.ts';
import type { Layout } from './layout.ts';
import type { Position, TransferItem } from './transfer.ts';

const CHUNK = 256 * 1024;
const zeros = Buffer.alloc(CHUNK);
/** Where looking at a file is slow, who waits for the first or the next one would else take the process for dead; ms. */
const TURN_MS = 50;

/**
 * From `from` on. Holds no more than a piece of a file and the names of a branch.
 * @throws RepositoryError, and why `signal` was aborted
 */
export async function* exportSnapshot(
  layout: Layout,
  descriptor: Descriptor,
  from: Position,
  signal?: AbortSignal,
): AsyncGenerator<TransferItem, void, undefined> {
  using root = Directory.open(layout.snapshot(descriptor.snapshot_id));
  const walk = new Walk(from, (descriptor.agent?.hard_links ?? 0) > 0);
  yield* givingWay(walk.contents(root, ''), signal);
  yield* givingWay(walk.leave(root, ''), signal);
}

/** What the snapshot's files take on disk, bytes, a file of several names counted once. @throws why it was aborted */
export async function storedBytes(
  layout: Layout,
  descriptor: Descriptor,
  signal?: AbortSignal,
): Promise<number> {
  const counted = (descriptor.agent?.hard_links ?? 0) > 0 ? new Set<number | bigint>() : undefined;
  using root = Directory.open(layout.snapshot(descriptor.snapshot_id));
  let bytes = 0;
  for await (const { allocated, size } of givingWay(filesBelow(root, counted, READY), signal))
    bytes += Math.min(allocated, size);
  return bytes;
}

/** What `steps` gives, and now and then a turn of the event loop. A step can have nothing to give. */
async function* givingWay<T>(
  steps: Iterable<T | undefined>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  let since = performance.now();
  for (const step of steps) {
    if (performance.now() - since > TURN_MS) {
      await turn();
      signal?.throwIfAborted();
      since = performance.now();
    }
    if (step !== undefined) yield step;
  }
}

type Step = TransferItem | undefined;

class Walk {
  readonly #from: Position;
  /** Path of the first name by inode, where the snapshot has several names of one file. */
  readonly #links: Map<number | bigint, string> | undefined;
  #next = 0;

  constructor(from: Position, hardLinks: boolean) {
    this.#from = from;
    this.#links = hardLinks ? new Map() : undefined;
  }

  *contents(directory: Directory, prefix: string): Generator<Step, void, undefined> {
    for (const name of namesOf(directory, prefix)) {
      const path = prefix + name;
      const entry = present(directory, name, path);
      switch (entry.kind) {
        case 'dir': {
          yield this.#begin() ? { entry: { kind: 'dir', path } } : undefined;
          using below = directory.openDirectory(name);
          yield* this.contents(below, `${path}/`);
          break;
        }
        case 'file':
          yield* this.#file(directory, name, path, entry);
          break;
        case 'symlink': {
          if (!this.#begin()) {
            yield undefined;
            break;
          }
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
  *leave(directory: Directory, path: string): Generator<Step, void, undefined> {
    for (const name of namesOf(directory, path)) {
      const child = path === '' ? name : `${path}/${name}`;
      if (present(directory, name, child).kind !== 'dir') {
        yield undefined;
        continue;
      }
      using below = directory.openDirectory(name);
      yield* this.leave(below, child);
    }
    if (this.#begin())
      yield { entry: { kind: 'leave', path, ...metadataOf(directory.fd, directory.stat()) } };
  }

  *#file(directory: Directory, name: string, path: string, entry: Entry): Generator<Step, void, undefined> {
    const inode = this.#links && entry.nlink > 1 ? directory.inode(name, entry) : undefined;
    const first = inode === undefined ? undefined : this.#links?.get(inode);
    if (first !== undefined) {
      yield this.#begin() ? { entry: { kind: 'link', path, first } } : undefined;
      return;
    }
    if (inode !== undefined) this.#links?.set(inode, path);
    const resumed = this.#next === this.#from.entry;
    if (!this.#begin()) {
      yield undefined;
      return;
    }
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
      yield sparse && piece.equals(zeros.subarray(0, n)) ? undefined : { data: { offset, bytes: piece } };
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

function damaged(path: string, what: string): RepositoryError {
  return new RepositoryError('DamagedRepository', `${Buffer.from(path, 'latin1')} ${what}`);
}
