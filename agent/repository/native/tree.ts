// Copies a payload into a new snapshot and writes its index. What did not change since the index at hand is
// neither read nor copied.
import { closeSync, constants, copyFileSync, readSync } from 'node:fs';
import { RepositoryError } from '../repository.ts';
import { codecOf, decompressContent } from './compression.ts';
import type { Meter } from './control.ts';
import { readContent } from './copy.ts';
import { READY, sha256, walkKey } from './format/payload.ts';
import { sameAttributes } from './fs/attributes.ts';
import { type Directory, type Entry, OpenFile, openPath, setMetadata, statOf } from './fs/directory.ts';
import { asRepositoryError, hasCode } from './fs/errors.ts';
import type { FileRecord, IndexCursor, IndexWriter, Known } from './index-file.ts';
import { missingPath, type Selection } from './partial.ts';
import { withoutSuffix } from './verify.ts';

export interface TreeOptions {
  index: IndexWriter;
  /** Reflink instead of hard links and copies. */
  reflink: boolean;
  meter: Meter;
  /** Called with the bytes of a file that was written. */
  written?(bytes: number): void;
  /** Keep hard links: two entries with one inode in the source become two with one in the copy. */
  hardLinks: boolean;
  /** The same was done for the snapshot to share files with: one file of it can have several of the names. */
  previousHasLinks?: boolean;
  /** The copy becomes the payload and the source is a snapshot: the index describes them that way round. */
  restoring?: boolean;
  /** Only this part of the source; undefined is all of it. */
  selection?: Selection;
  /** The source's files are compressed so, and have its suffix. */
  decompress?: string;
}

export interface TreeResult {
  entries: number;
  size: number;
  uniqueBytes: number;
  /** Files that went on changing, and entries that went on being replaced, whenever they were tried. */
  changed: number;
  skipped: { fifo: number; socket: number; device: number };
  /** Entries beyond the first that name a file of the tree once more. */
  hardLinks: number;
  /** Why files were copied though reflinks were asked for. */
  fallback?: string;
}

export function emptyResult(): TreeResult {
  return {
    entries: 0,
    size: 0,
    uniqueBytes: 0,
    changed: 0,
    skipped: { fifo: 0, socket: 0, device: 0 },
    hardLinks: 0,
  };
}

/** Directories one in another: to no more of them a path can lead. */
const DEEPEST = 2048;
const ATTEMPTS = 3;
/** Larger files are not read again when they changed: they would only change again. */
const RETRY_BYTES = 64 * 1024 * 1024;
/** To read one of them twice, now and then, costs less than a look at each. */
const SMALL = 1024 * 1024;
/** From so many entries in one directory on, their stats are not kept but taken twice. */
const KEPT_STATS = 50_000;

/** An entry was replaced by one of another kind between two looks at it. */
class Replaced extends Error {}

export class TreeCopier {
  readonly result: TreeResult = emptyResult();
  readonly #options: TreeOptions;
  /** First copy of each payload file with several names: its directory, relative to the target's root. */
  readonly #links = new Map<
    number | bigint,
    { path: string[]; record: FileRecord; left: number; seen: Entry }
  >();
  readonly #trail: string[] = [];
  #target: Directory | undefined;

  constructor(options: TreeOptions) {
    this.#options = options;
  }

  /**
   * `target` is empty and stays private (mode 0700) until it is whole. `previous` holds the files that `known`
   * describes. @throws RepositoryError
   */
  copy(source: Directory, target: Directory, previous?: Directory, known?: IndexCursor): void {
    this.#target = target;
    try {
      if (!this.#options.restoring) checkRoot(source);
      if (!mayRead(source.stat())) this.#checkOwn(target.stat());
      this.#directory(source, target, this.#options.selection ?? 'all', previous, known);
    } catch (error) {
      throw asRepositoryError(error, `copying ${this.#place()}`);
    }
  }

  #place(): string {
    return Buffer.from(`${this.#trail.join('/')}`, 'latin1').toString() || 'the top of the worktree';
  }

  #directory(
    source: Directory,
    target: Directory,
    selection: Selection | 'all',
    previous?: Directory,
    known?: IndexCursor,
  ): void {
    const missing = selection === 'all' ? undefined : new Set(selection.keys());
    for (const { name, entry, isDirectory } of listing(
      source,
      this.#trail.length === 0,
      this.#options.decompress,
    )) {
      const selected = selection === 'all' ? 'all' : selection.get(name);
      if (!selected) continue;
      this.#trail.push(name);
      if (selected !== 'all' && !isDirectory) throw missingPath(this.#trail.join('/'));
      this.#entry(source, target, selected, previous, known, name, entry, isDirectory);
      this.#trail.pop();
      missing?.delete(name);
    }
    for (const name of missing ?? []) throw missingPath([...this.#trail, name].join('/'));
  }

  #entry(
    source: Directory,
    target: Directory,
    selection: Selection | 'all',
    previous: Directory | undefined,
    known: IndexCursor | undefined,
    name: string,
    first: Entry | undefined,
    wasDirectory: boolean,
  ): void {
    let entry = first ?? source.lstat(name);
    for (let attempt = 1; entry; attempt++) {
      // Records are in walk order: what changed sides can not be put in its place any more.
      if ((entry.kind === 'dir') !== wasDirectory) break;
      try {
        this.#one(source, target, selection, previous, known, name, entry);
        return;
      } catch (error) {
        if (!(error instanceof Replaced) && !hasCode(error, 'ENOENT', 'ELOOP', 'ESTALE', 'ENXIO'))
          throw error;
        entry = source.lstat(name);
        if (attempt === ATTEMPTS) break;
      }
    }
    if (entry) this.result.changed++;
  }

  #one(
    source: Directory,
    target: Directory,
    selection: Selection | 'all',
    previous: Directory | undefined,
    known: IndexCursor | undefined,
    name: string,
    entry: Entry,
  ): void {
    const { index, meter } = this.#options;
    switch (entry.kind) {
      case 'dir': {
        using from = source.tryOpenDirectory(name);
        if (!from) throw new Replaced();
        checkDepth(this.#trail);
        const stat = from.stat();
        index.add({ kind: 'dir', name, mode: stat.mode, hash: sha256(name) });
        this.result.entries++;
        using to = target.createDirectory(name);
        const wasThere = known?.enter(name) ?? false;
        using before = wasThere ? previous?.tryOpenDirectory(name) : undefined;
        this.#directory(from, to, selection, before, wasThere ? known : undefined);
        if (wasThere) known?.leave();
        to.setMetadata(stat, from.fd);
        if (!mayRead(stat)) this.#checkOwn(to.stat());
        index.add({ kind: 'leave' });
        break;
      }
      case 'symlink': {
        const linkTarget = readlink(source, name);
        target.symlink(linkTarget, name);
        target.setLinkMetadata(name, entry);
        const hash = sha256(linkTarget);
        index.add({ kind: 'symlink', name, mode: entry.mode, hash });
        this.result.entries++;
        break;
      }
      case 'file': {
        const record = this.#file(source, target, previous, known?.file(name), name, entry);
        index.add(record);
        this.result.entries++;
        this.result.size += record.size;
        break;
      }
      default:
        this.result.skipped[entry.kind]++;
    }
    meter.add(0, 1);
  }

  #file(
    source: Directory,
    target: Directory,
    previous: Directory | undefined,
    known: Known | undefined,
    name: string,
    entry: Entry,
  ): FileRecord {
    const inode =
      this.#options.hardLinks && entry.nlink > 1 ? source.inode(this.#stored(name), entry) : undefined;
    if (inode !== undefined) {
      const linked = this.#linkWithin(target, name, entry, inode);
      if (linked) return linked;
    }
    const record =
      this.#reuse(source, target, previous, known, name, entry) ?? this.#copy(source, target, name, entry);
    if (inode !== undefined && Number.isFinite(record.ctimeMs)) {
      // The hash is a view of a whole block of the index: not to be kept.
      const kept = { ...record, hash: Buffer.from(record.hash) };
      this.#links.set(inode, {
        path: [...this.#trail],
        record: kept,
        left: entry.nlink - 1,
        seen: entry,
      });
    }
    return record;
  }

  /** A further name of a file that is in this snapshot already becomes a further name of its copy. */
  #linkWithin(target: Directory, name: string, entry: Entry, inode: number | bigint): FileRecord | undefined {
    const first = this.#links.get(inode);
    const firstName = first?.path.at(-1);
    if (!first || !firstName || !this.#target || !entry.unchangedSince(first.seen)) return undefined;
    if (--first.left === 0) this.#links.delete(inode);
    using directory = openPath(this.#target, first.path.slice(0, -1));
    try {
      target.link(directory, firstName, name);
    } catch (error) {
      if (hasCode(error, 'EMLINK')) return undefined;
      throw error;
    }
    this.result.hardLinks++;
    return { ...first.record, name };
  }

  /**
   * The published copy of an unchanged file: without reading where its stat tells, else if it reads the same.
   */
  #reuse(
    source: Directory,
    target: Directory,
    previous: Directory | undefined,
    known: Known | undefined,
    name: string,
    entry: Entry,
  ): FileRecord | undefined {
    if (!known || !previous || !sameMetadata(known.record, entry)) return undefined;
    const record =
      known.trusted && matchesFile(known.record, entry)
        ? known.record
        : this.#reread(source, previous, known.record);
    if (!record) return undefined;
    const copy = this.#options.reflink
      ? this.#reflinkPublished(previous, target, record, entry)
      : linkPublished(previous, target, record);
    if (!copy) return undefined;
    this.#options.meter.add(entry.size, 0);
    return { ...record, name, copyIno: copy.ino, copyMtimeMs: copy.mtimeMs };
  }

  /** The record brought up to date where the payload's file still has the content that it states. */
  #reread(source: Directory, previous: Directory, known: FileRecord): FileRecord | undefined {
    using from = new OpenFile(source, known.name);
    const before = from.stat();
    if (before.kind !== 'file') throw new Replaced();
    // Replaced since, it is no name of what its old names are names of, though it is the same.
    const { previousHasLinks, reflink } = this.#options;
    const isReplaced = before.ino !== known.ino || !Number.isSafeInteger(known.ino);
    if (previousHasLinks && !reflink && isReplaced) return undefined;
    const { hash } = readContent(from.fd, before.size, () => this.#options.meter.add(0, 0));
    if (!hash.equals(known.hash) || !sameMetadata(known, before)) return undefined;
    if (!from.stat().unchangedSince(before) || !sameAsPublished(from.fd, previous, known.name))
      return undefined;
    return { ...known, ino: before.ino, ctimeMs: before.ctimeMs };
  }

  #reflinkPublished(
    previous: Directory,
    target: Directory,
    known: FileRecord,
    entry: Entry,
  ): Entry | undefined {
    using from = new OpenFile(previous, known.name);
    const { ino, size, mtimeMs } = from.stat();
    if (ino !== known.copyIno || size !== known.size || mtimeMs !== known.copyMtimeMs) return undefined;
    if (!this.#clone(from.fd, target, known.name)) return undefined;
    using to = new OpenFile(target, known.name);
    return setMetadata(to.fd, entry, from.fd).copy;
  }

  /** False where the filesystem can not, which is noted. */
  #clone(from: number, target: Directory, name: string): boolean {
    const { COPYFILE_EXCL, COPYFILE_FICLONE_FORCE } = constants;
    try {
      copyFileSync(`/proc/self/fd/${from}`, target.path(name), COPYFILE_EXCL | COPYFILE_FICLONE_FORCE);
      return true;
    } catch (error) {
      if (!hasCode(error, 'ENOTSUP', 'EOPNOTSUPP', 'ENOTTY', 'ENOSYS', 'EXDEV', 'EINVAL', 'EMLINK'))
        throw error;
      this.result.fallback ??= 'the filesystem of the volume can not reflink: files are copied';
      return false;
    }
  }

  /** The name of a file in the source. */
  #stored(name: string): string {
    const { decompress } = this.#options;
    return decompress ? name + codecOf(decompress).suffix : name;
  }

  #copy(source: Directory, target: Directory, name: string, seen: Entry): FileRecord {
    // Once a file, `using` is slow.
    const from = new OpenFile(source, this.#stored(name));
    try {
      return this.#copyOpen(from, target, name, seen);
    } finally {
      from[Symbol.dispose]();
    }
  }

  #copyOpen(from: OpenFile, target: Directory, name: string, seen: Entry): FileRecord {
    for (let attempt = 1; ; attempt++) {
      // What the walk saw will do for a small file: it has to be that still when it has been read.
      const before = attempt === 1 && seen.size <= SMALL && !this.#options.reflink ? seen : from.stat();
      if (before.kind !== 'file') throw new Replaced();
      const made =
        this.#options.reflink && this.#clone(from.fd, target, name)
          ? this.#finishClone(from.fd, target, name, before)
          : this.#copyContent(from.fd, target, name, before);
      if (!mayRead(before)) this.#checkOwn(made.copy);
      const stable = made.source.unchangedSince(before);
      if (!stable && !made.atomic) {
        if (attempt < ATTEMPTS && before.size <= RETRY_BYTES) {
          target.unlink(name);
          continue;
        }
        this.result.changed++;
      }
      if (!made.atomic) {
        this.result.uniqueBytes += made.size;
        this.#options.written?.(made.size);
      }
      const [payload, published] = this.#options.restoring ? [made.copy, before] : [before, made.copy];
      return {
        kind: 'file',
        name,
        mode: payload.mode,
        uid: payload.uid,
        gid: payload.gid,
        ino: payload.ino,
        size: made.size,
        mtimeMs: payload.mtimeMs,
        // A copy of something that moved must not pass for what is there next time.
        ctimeMs: stable && before.ino === seen.ino ? payload.ctimeMs : Number.POSITIVE_INFINITY,
        copyIno: published.ino,
        copyMtimeMs: published.mtimeMs,
        hash: made.hash,
      };
    }
  }

  /** A copy that is the agent's own and that its owner may not read: no restore and no further snapshot could. */
  #checkOwn(copy: Entry): void {
    const self = process.geteuid?.();
    if (this.#options.restoring || self === 0 || copy.uid !== self) return;
    throw new RepositoryError(
      'PermissionDenied',
      `${this.#place()} may be read by others but not by its owner, and the owner of its copy is the agent, user ` +
        `${self}, who could not read that again: give its owner the right to (chmod u+rX)`,
    );
  }

  #copyContent(from: number, target: Directory, name: string, before: Entry) {
    const fd = target.createFile(name, before.mode & 0o777);
    try {
      const sparse = before.allocated < before.size;
      const onBytes = (bytes: number) => this.#options.meter.add(bytes, 0);
      const { decompress } = this.#options;
      const { hash, size } = decompress
        ? decompressContent(from, decompress, onBytes, fd)
        : readContent(from, before.size, onBytes, { fd, sparse });
      return { hash, size, atomic: false, ...setMetadata(fd, before, from) };
    } catch (error) {
      target.unlink(name);
      // Replaced since the walk saw it, it can not be read as a file is.
      if (statOf(from).kind !== 'file') throw new Replaced();
      throw error;
    } finally {
      closeSync(fd);
    }
  }

  #finishClone(from: number, target: Directory, name: string, before: Entry) {
    using to = new OpenFile(target, name);
    const { size } = to.stat();
    const { hash } = readContent(to.fd, size, (bytes) => this.#options.meter.add(bytes, 0));
    return { hash, size, atomic: true, ...setMetadata(to.fd, before, from) };
  }
}

/** @throws RepositoryError InvalidArgument for the names of a directory that no path leads to */
export function checkDepth(trail: readonly string[]): void {
  if (trail.length <= DEEPEST) return;
  const top = Buffer.from(trail.slice(0, 3).join('/'), 'latin1');
  throw new RepositoryError(
    'InvalidArgument',
    `${top}/… in the worktree is nested deeper than ${DEEPEST} directories, which programs can not reach by a path and ` +
      'no snapshot holds: remove it',
  );
}

/** Whether its owner may. */
export const mayRead = ({ kind, mode }: Pick<Entry, 'kind' | 'mode'>): boolean => {
  const rights = kind === 'dir' ? 0o500 : 0o400;
  return (mode & rights) === rights;
};

function readlink(directory: Directory, name: string): Buffer {
  try {
    return directory.readlink(name);
  } catch (error) {
    if (hasCode(error, 'EINVAL')) throw new Replaced();
    throw error;
  }
}

/** In walk order. Where another program restored a snapshot, its marker is left at the root; it is no payload. */
function listing(source: Directory, isRoot: boolean, decompress?: string) {
  const names = namesOf(source).filter((name) => !isRoot || name !== READY);
  const keep = names.length < KEPT_STATS || decompress !== undefined;
  const entries: { name: string; key: string; entry: Entry | undefined; isDirectory: boolean }[] = [];
  for (const stored of names) {
    const entry = source.lstat(stored);
    if (!entry) continue;
    const isDirectory = entry.kind === 'dir';
    const name = decompress && entry.kind === 'file' ? withoutSuffix(stored, decompress) : stored;
    entries.push({ name, key: walkKey(name, isDirectory), entry: keep ? entry : undefined, isDirectory });
  }
  return entries.sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** Whether the published copy has the attributes too, which a link would share. */
function sameAsPublished(fd: number, previous: Directory, name: string): boolean {
  try {
    using published = new OpenFile(previous, name);
    return sameAttributes(fd, published.fd);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ELOOP', 'EACCES')) return false;
    throw error;
  }
}

/** None of a directory that was removed while it was open. */
function namesOf(directory: Directory): string[] {
  try {
    return directory.names();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESTALE')) return [];
    throw error;
  }
}

function linkPublished(previous: Directory, target: Directory, known: FileRecord): Entry | undefined {
  const { name } = known;
  try {
    target.link(previous, name, name);
  } catch (error) {
    // Deleted or damaged by hand, or its 65,000 links are used up.
    if (hasCode(error, 'ENOENT', 'EMLINK', 'EPERM', 'EXDEV', 'ELOOP', 'ENOTDIR')) return undefined;
    throw error;
  }
  const copy = target.lstat(name);
  if (copy?.ino === known.copyIno && copy.size === known.size && copy.mtimeMs === known.copyMtimeMs)
    return copy;
  target.unlink(name);
  return undefined;
}

function checkRoot(source: Directory): void {
  const entry = source.lstat(READY);
  if (!entry || (entry.kind === 'file' && readsAsMarker(source))) return;
  throw new RepositoryError(
    'InvalidArgument',
    'the worktree has an entry named .READY at its top, which JVS keeps for itself: rename or remove it',
  );
}

function readsAsMarker(source: Directory): boolean {
  using file = new OpenFile(source, READY);
  const start = Buffer.alloc(64);
  return start.subarray(0, readSync(file.fd, start)).includes('"snapshot_id"');
}

/** What a hard link shares with the file it links to, and what tells most changes. */
function sameMetadata(known: FileRecord, entry: Entry): boolean {
  return (
    known.size === entry.size &&
    known.mtimeMs === entry.mtimeMs &&
    known.mode === entry.mode &&
    known.uid === entry.uid &&
    known.gid === entry.gid
  );
}

/** The very file that the record describes, with nothing done to it since. */
export function matchesFile(known: FileRecord, entry: Entry): boolean {
  return known.ino === entry.ino && known.ctimeMs === entry.ctimeMs && sameMetadata(known, entry);
}
