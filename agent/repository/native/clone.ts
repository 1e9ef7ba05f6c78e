// Indexes a snapshot that the filesystem cloned as a whole, and takes out of it what no snapshot holds. Files
// are read in the clone, where they do not change, unless the payload's own stat tells that they are known.
import { readContent } from './copy.ts';
import { READY, sha256, walkKey } from './format/payload.ts';
import {
  type Directory,
  type Entry,
  metadataOf,
  OpenFile,
  openPath,
  setGivenMetadata,
} from './fs/directory.ts';
import { asRepositoryError } from './fs/errors.ts';
import type { FileRecord, IndexCursor, Known } from './index-file.ts';
import { checkDepth, emptyResult, matchesFile, type TreeOptions, type TreeResult } from './tree.ts';

export class CloneIndexer {
  readonly result: TreeResult = emptyResult();
  readonly #options: TreeOptions;
  /** Where in the clone the first name of each payload file with several is. */
  readonly #links = new Map<number | bigint, { path: string[]; seen: Entry; record: FileRecord }>();
  readonly #trail: string[] = [];
  #root: Directory | undefined;

  constructor(options: TreeOptions) {
    this.#options = options;
  }

  /**
   * What changes in `payload` from the clone on is caught by the index being racy from before it. `_previous` is
   * not needed: data is shared by the filesystem. @throws RepositoryError
   */
  copy(payload: Directory, clone: Directory, _previous?: Directory, known?: IndexCursor): void {
    this.#root = clone;
    try {
      // Its marker is to be written too; its own mode comes last.
      clone.makeWritable();
      this.#directory(payload, clone, known);
    } catch (error) {
      const place = Buffer.from(this.#trail.join('/'), 'latin1').toString();
      throw asRepositoryError(error, `indexing ${place || 'the clone'}`);
    }
  }

  #directory(payload: Directory | undefined, clone: Directory, known: IndexCursor | undefined): void {
    const entries = clone.names().flatMap((name) => {
      const entry = clone.lstat(name);
      return entry ? [{ name, entry, key: walkKey(name, entry.kind === 'dir') }] : [];
    });
    entries.sort((a, b) => (a.key < b.key ? -1 : 1));
    for (const { name, entry } of entries) {
      this.#trail.push(name);
      // Where another program restored a snapshot, its marker came along.
      if (this.#trail.length === 1 && name === READY) clone.unlink(name);
      else this.#entry(payload, clone, known, name, entry);
      this.#trail.pop();
    }
  }

  #entry(
    payload: Directory | undefined,
    clone: Directory,
    known: IndexCursor | undefined,
    name: string,
    entry: Entry,
  ): void {
    const { index, meter } = this.#options;
    switch (entry.kind) {
      case 'dir': {
        checkDepth(this.#trail);
        index.add({ kind: 'dir', name, mode: entry.mode, hash: sha256(name) });
        this.result.entries++;
        using from = payload?.tryOpenDirectory(name);
        using directory = clone.openDirectory(name);
        const own = metadataOf(directory.fd);
        const wasThere = known?.enter(name) ?? false;
        this.#directory(from, directory, wasThere ? known : undefined);
        if (wasThere) known?.leave();
        // Its own entries were taken out or linked again.
        setGivenMetadata(directory.fd, own);
        index.add({ kind: 'leave' });
        break;
      }
      case 'symlink':
        index.add({ kind: 'symlink', name, mode: entry.mode, hash: sha256(clone.readlink(name)) });
        this.result.entries++;
        break;
      case 'file': {
        const record = this.#file(payload, clone, known?.file(name), name, entry);
        index.add(record);
        this.result.entries++;
        this.result.size += record.size;
        break;
      }
      default:
        clone.makeWritable();
        clone.unlink(name);
        this.result.skipped[entry.kind]++;
    }
    meter.add(0, 1);
  }

  #file(
    payload: Directory | undefined,
    clone: Directory,
    known: Known | undefined,
    name: string,
    copy: Entry,
  ): FileRecord {
    const source = payload?.lstat(name);
    const several = source?.kind === 'file' && source.nlink > 1;
    const inode = several ? payload?.inode(name, source) : undefined;
    const first = inode === undefined ? undefined : this.#links.get(inode);
    if (first && source?.unchangedSince(first.seen)) return this.#linkAgain(clone, name, first);
    const trusted =
      known?.trusted && source && matchesFile(known.record, source) && copy.mtimeMs === source.mtimeMs;
    const hash = trusted ? known.record.hash : this.#read(clone, name);
    if (trusted) this.#options.meter.add(copy.size, 0);
    const same = source?.kind === 'file' && source.size === copy.size && source.mtimeMs === copy.mtimeMs;
    const record: FileRecord = {
      kind: 'file',
      name,
      mode: copy.mode,
      uid: copy.uid,
      gid: copy.gid,
      ino: source?.ino ?? 0,
      size: copy.size,
      mtimeMs: copy.mtimeMs,
      ctimeMs: same ? source.ctimeMs : Number.POSITIVE_INFINITY,
      copyIno: copy.ino,
      copyMtimeMs: copy.mtimeMs,
      hash,
    };
    if (inode !== undefined && same) {
      const kept = { ...record, hash: Buffer.from(hash) };
      this.#links.set(inode, { path: [...this.#trail], seen: source, record: kept });
    }
    return record;
  }

  /** The filesystem made a file of each name. */
  #linkAgain(clone: Directory, name: string, first: { path: string[]; record: FileRecord }): FileRecord {
    const firstName = first.path.at(-1);
    if (!this.#root || firstName === undefined) throw new Error('no clone is being indexed');
    using directory = openPath(this.#root, first.path.slice(0, -1));
    clone.makeWritable();
    clone.unlink(name);
    clone.link(directory, firstName, name);
    this.result.hardLinks++;
    return { ...first.record, name };
  }

  #read(clone: Directory, name: string): Buffer {
    using file = new OpenFile(clone, name);
    return readContent(file.fd, file.stat().size, (bytes) => this.#options.meter.add(bytes, 0)).hash;
  }
}
