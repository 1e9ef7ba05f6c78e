// Makes the tree of a snapshot from what another volume sends of it. What is sent is hostile input as a payload is:
// every path is walked from the root without following links, and leads nowhere else.
import { closeSync, fchmodSync, ftruncateSync } from 'node:fs';
import { RepositoryError } from '../repository.ts';
import { writeSparse } from './copy.ts';
import { READY } from './format/payload.ts';
import { type Directory, type GivenMetadata, OpenFile, openPath, setGivenMetadata } from './fs/directory.ts';
import { asRepositoryError, hasCode } from './fs/errors.ts';
import { writeFully } from './fs/io.ts';
import type { Position, TransferEntry, TransferItem } from './transfer.ts';
import { mayRead } from './tree.ts';

type FileEntry = Extract<TransferEntry, { kind: 'file' }>;

export class TreeReceiver implements Disposable {
  /** Of the root directory, once it came: for who moves the tree to its place, which may need to write to it. */
  rootMetadata: GivenMetadata | undefined;
  readonly #root: Directory;
  #resumed: number;
  /** Entries that came; the last may be a file that is not whole yet. */
  #entries: number;
  #parent: { path: string; directory: Directory } | undefined;
  #file: { fd: number; entry: FileEntry; written: number } | undefined;

  /** Goes on at `from`, with a tree that has everything before it. */
  constructor(root: Directory, from: Position) {
    this.#root = root;
    this.#entries = from.entry;
    this.#resumed = from.offset;
  }

  /** Where to go on from should this end here. */
  get position(): Position {
    if (this.#file) return { entry: this.#entries - 1, offset: this.#file.written };
    // What the root has is held here only: it has to come again.
    if (this.rootMetadata) return { entry: this.#entries - 1, offset: 0 };
    return { entry: this.#entries, offset: 0 };
  }

  /** @throws RepositoryError DamagedRepository for what no snapshot holds, and system errors */
  accept(item: TransferItem): void {
    if ('data' in item) this.#write(item.data.offset, item.data.bytes);
    else this.#entry(item.entry);
  }

  /** Everything came. */
  finish(): void {
    this.#closeFile();
    if (!this.rootMetadata) throw refused('', 'has no end');
  }

  [Symbol.dispose](): void {
    if (this.#file) closeSync(this.#file.fd);
    this.#parent?.directory[Symbol.dispose]();
  }

  #entry(entry: TransferEntry): void {
    this.#closeFile();
    const resumed = this.#resumed;
    this.#resumed = 0;
    checkOwn(entry);
    if (entry.kind === 'leave') this.#leave(entry.path, entry);
    else this.#make(entry, resumed);
    this.#entries++;
  }

  #make(entry: Exclude<TransferEntry, { kind: 'leave' }>, resumed: number): void {
    const { above, name } = split(entry.path);
    const parent = this.#open(above);
    switch (entry.kind) {
      case 'dir':
        makeDirectory(parent, name);
        break;
      case 'symlink':
        removeOld(parent, name);
        parent.symlink(entry.target, name);
        parent.setLinkMetadata(name, { ...entry, mtimeMs: Number(entry.mtimeNs) / 1e6 });
        break;
      case 'link': {
        removeOld(parent, name);
        const first = split(entry.first);
        using from = openPath(this.#root, components(first.above));
        parent.link(from, first.name, name);
        break;
      }
      case 'file':
        if (resumed === 0) removeOld(parent, name);
        this.#file = {
          fd: resumed === 0 ? parent.createFile(name) : openAgain(parent, name),
          entry,
          written: resumed,
        };
    }
  }

  #write(offset: number, bytes: Buffer): void {
    const file = this.#file;
    if (!file) throw refused('', 'sends content of no file');
    if (offset < file.written || offset + bytes.length > file.entry.size) {
      throw refused(file.entry.path, 'sends more than its size');
    }
    (file.entry.sparse ? writeSparse : writeFully)(file.fd, bytes, offset);
    file.written = offset + bytes.length;
  }

  #closeFile(): void {
    const file = this.#file;
    if (!file) return;
    ftruncateSync(file.fd, file.entry.size);
    setMetadata(file.fd, file.entry.path, file.entry);
    this.#file = undefined;
    closeSync(file.fd);
  }

  #leave(path: string, metadata: GivenMetadata): void {
    if (path === '') {
      this.rootMetadata = metadata;
      return;
    }
    using directory = openPath(this.#root, components(path));
    setMetadata(directory.fd, path, metadata);
  }

  /** The last one is kept open: most entries are in the same directory as the one before. */
  #open(path: string): Directory {
    if (this.#parent?.path === path) return this.#parent.directory;
    const directory = openPath(this.#root, components(path));
    // An attempt that came further than it had written down may have made it read-only.
    directory.makeWritable();
    this.#parent?.directory[Symbol.dispose]();
    this.#parent = { path, directory };
    return directory;
  }
}

function setMetadata(fd: number, path: string, metadata: GivenMetadata): void {
  try {
    setGivenMetadata(fd, metadata);
  } catch (error) {
    throw asRepositoryError(error, `receiving ${Buffer.from(path, 'latin1')}`);
  }
}

/** An attempt that came further than it had written down may have made it read-only. */
function openAgain(parent: Directory, name: string): number {
  {
    using file = new OpenFile(parent, name);
    fchmodSync(file.fd, 0o600);
  }
  return parent.openForWriting(name);
}

/** Another user than root owns all that it receives, and could not read again what its owner may not. */
function checkOwn(entry: TransferEntry): void {
  const user = process.geteuid?.();
  if (user === 0 || !('mode' in entry)) return;
  if (mayRead({ kind: entry.kind === 'leave' ? 'dir' : 'file', mode: entry.mode })) return;
  const place = Buffer.from(entry.path, 'latin1').toString() || 'the top of the snapshot';
  throw new RepositoryError(
    'PermissionDenied',
    `${place} may not be read by its owner, who is the agent here, user ${user}: name a Snapshot taken after its ` +
      'owner was given the right to (chmod u+rX), or have the agent be root (annotation jvs.io/agent-run-as: "0")',
  );
}

/** Of an earlier attempt, which may have come further than it had written down. */
function removeOld(parent: Directory, name: string): void {
  try {
    parent.unlink(name);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

function makeDirectory(parent: Directory, name: string): void {
  try {
    using _ = parent.createDirectory(name);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    using directory = parent.openDirectory(name);
    directory.setMode(0o700);
  }
}

function split(path: string): { above: string; name: string } {
  const parts = components(path);
  const name = parts.pop();
  if (name === undefined || path === READY) throw refused(path, 'is no entry');
  return { above: parts.join('/'), name };
}

function components(path: string): string[] {
  if (path === '') return [];
  const parts = path.split('/');
  const stray = parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0'));
  if (stray) throw refused(path, 'leads out of the snapshot');
  return parts;
}

const refused = (path: string, what: string): RepositoryError =>
  new RepositoryError(
    'DamagedRepository',
    `what the other agent sends is no snapshot: ${JSON.stringify(path)} ${what}`,
  );
