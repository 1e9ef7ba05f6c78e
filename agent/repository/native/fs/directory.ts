// An open directory, whose entries are reached through its file descriptor: no path is looked up twice, no
// symbolic link is followed, so what another process swaps in mid-walk never leads outside.
// Names are raw bytes held as latin1 strings (see format/payload.ts).
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  type Stats,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { copyTimesOpen, linkAt, openAt, statAt, statOpen } from './at.ts';
import {
  type Attributes,
  NONE,
  readAttributes,
  removeOtherAttributes,
  userAttributes,
  writeAttributes,
  writeTimes,
} from './attributes.ts';
import { hasCode } from './errors.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: the bytes that latin1 and UTF-8 have in common
const ASCII = /^[\x00-\x7f]*$/;

export type Kind = 'dir' | 'file' | 'symlink' | 'fifo' | 'socket' | 'device';

type EntryStats = Pick<
  Stats,
  'mode' | 'uid' | 'gid' | 'ino' | 'nlink' | 'size' | 'blocks' | 'mtimeMs' | 'ctimeMs'
>;

/** What lstat says, in a third of the memory. Times are Unix milliseconds with a fraction of about 0.2 µs. */
export class Entry {
  readonly kind: Kind;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** About, beyond 2^53: see `Directory.inode`. */
  readonly ino: number;
  readonly nlink: number;
  readonly size: number;
  /** Fewer allocated bytes than `size` mean holes. */
  readonly allocated: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;

  constructor(stats: EntryStats) {
    this.kind = kindOf(stats.mode);
    this.mode = stats.mode & 0o7777;
    this.uid = stats.uid;
    this.gid = stats.gid;
    this.ino = stats.ino;
    this.nlink = stats.nlink;
    this.size = stats.size;
    this.allocated = stats.blocks * 512;
    this.mtimeMs = stats.mtimeMs;
    this.ctimeMs = stats.ctimeMs;
  }

  /** Same file, and nothing written to it in between. */
  unchangedSince(earlier: Entry): boolean {
    return (
      this.ino === earlier.ino &&
      this.size === earlier.size &&
      this.mtimeMs === earlier.mtimeMs &&
      this.ctimeMs === earlier.ctimeMs
    );
  }
}

function kindOf(mode: number): Kind {
  switch (mode & constants.S_IFMT) {
    case constants.S_IFREG:
      return 'file';
    case constants.S_IFDIR:
      return 'dir';
    case constants.S_IFLNK:
      return 'symlink';
    case constants.S_IFIFO:
      return 'fifo';
    case constants.S_IFSOCK:
      return 'socket';
    default:
      return 'device';
  }
}

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;
/** Opens what may not be read, to look at it and to change its mode. Of Linux, on all that Node runs on. */
const O_PATH = 0o10000000;
const FOLDER = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
const READ = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
const NEW = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;

const OWNER_WRITES = 0o200;

const self = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };

export class Directory implements Disposable {
  readonly fd: number;
  readonly #prefix: string;

  private constructor(fd: number) {
    this.fd = fd;
    this.#prefix = `/proc/self/fd/${this.fd}/`;
  }

  /** `path` is trusted up to its last component. */
  static open(path: string): Directory {
    return new Directory(openSync(path, FOLDER));
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }

  /** A path that resolves to the entry as long as this directory is open. */
  path(name: string): string | Buffer {
    const path = this.#prefix + name;
    return ASCII.test(name) ? path : Buffer.from(path, 'latin1');
  }

  openDirectory(name: string): Directory {
    return new Directory(openAt(this.fd, name, FOLDER) ?? openSync(this.path(name), FOLDER));
  }

  /**
   * For a directory of that name, which need not be readable: `act` gets a path to the very one, whatever is swapped in.
   * Undefined where it is gone, or no directory (any more). Links are not followed.
   */
  withDirectory<T>(name: string, act: (path: string) => T): T | undefined {
    let fd: number;
    try {
      fd = openSync(this.path(name), O_PATH | O_DIRECTORY | O_NOFOLLOW);
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
      throw error;
    }
    try {
      return act(`/proc/self/fd/${fd}`);
    } finally {
      closeSync(fd);
    }
  }

  /** Undefined where the entry vanished or is no directory (any more). */
  tryOpenDirectory(name: string): Directory | undefined {
    try {
      return this.openDirectory(name);
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ESTALE')) return undefined;
      throw error;
    }
  }

  names(): string[] {
    return readdirSync(this.#prefix, 'latin1');
  }

  lstat(name: string): Entry | undefined {
    const stats = statAt(this.fd, name) ?? lstatSync(this.path(name), { throwIfNoEntry: false });
    return stats && new Entry(stats);
  }

  stat(): Entry {
    return statOf(this.fd);
  }

  /** What tells two files apart: beyond 2^53, where `entry`, of that name, has only about the number, it looks again. */
  inode(name: string, { ino }: Entry): number | bigint {
    if (Number.isSafeInteger(ino)) return ino;
    return lstatSync(this.path(name), { bigint: true, throwIfNoEntry: false })?.ino ?? ino;
  }

  /** `mode` without the umask, and where others can not reach it only. */
  createFile(name: string, mode = 0o600): number {
    return openAt(this.fd, name, NEW, mode) ?? openSync(this.path(name), NEW, mode);
  }

  /** To go on with a file that is there. */
  openForWriting(name: string): number {
    return openSync(this.path(name), O_WRONLY | O_NOFOLLOW | O_NONBLOCK);
  }

  /** Unix time in nanoseconds of an entry that is there, of a symbolic link itself. */
  mtimeNs(name: string): bigint {
    return lstatSync(this.path(name), { bigint: true }).mtimeNs;
  }

  /** Mode 0700 until `setMetadata`. */
  createDirectory(name: string): Directory {
    mkdirSync(this.path(name), 0o700);
    return this.openDirectory(name);
  }

  readlink(name: string): Buffer {
    return readlinkSync(this.path(name), 'buffer');
  }

  symlink(target: Buffer, name: string): void {
    symlinkSync(target, this.path(name));
  }

  link(from: Directory, fromName: string, name: string): void {
    if (!linkAt(from.fd, fromName, this.fd, name)) linkSync(from.path(fromName), this.path(name));
  }

  rename(name: string, to: Directory, toName: string): void {
    renameSync(this.path(name), to.path(toName));
  }

  unlink(name: string): void {
    unlinkSync(this.path(name));
  }

  rmdir(name: string): void {
    rmdirSync(this.path(name));
  }

  /** Of a symbolic link itself. */
  setLinkMetadata(name: string, entry: Pick<Entry, 'uid' | 'gid' | 'mtimeMs'>): void {
    const path = this.path(name);
    if (entry.uid !== self.uid || entry.gid !== self.gid) {
      whereAllowed(() => lchownSync(path, entry.uid, entry.gid));
    }
    // Of a number below zero Node makes the time that it is.
    const seconds = String(entry.mtimeMs / 1000);
    lutimesSync(path, seconds, seconds);
  }

  setMetadata(entry: Entry, from: number): void {
    setMetadata(this.fd, entry, from);
  }

  setMode(mode: number): void {
    fchmodSync(this.fd, mode);
  }

  /** For changes to its entries, as who is not root. */
  makeWritable(): void {
    if ((this.stat().mode & 0o700) !== 0o700) this.setMode(0o700);
  }
}

/**
 * A new one, mode 0700, for a tree whose groups and ACLs are to be those of another: it hands none down, whatever the
 * directory that it is in hands down to it, as kubelet makes all of a volume do for an fsGroup.
 */
export function makeTop(path: string): Directory {
  mkdirSync(path, { mode: 0o700 });
  const top = Directory.open(path);
  whereAllowed(() => fchownSync(top.fd, self.uid, self.gid));
  removeOtherAttributes(top.fd, NONE);
  top.setMode(0o700);
  return top;
}

/** A directory several levels below `root`, every level opened without following links. */
export function openPath(root: Directory, components: readonly string[]): Directory {
  let directory = root.openDirectory('.');
  for (const name of components) {
    using above = directory;
    directory = above.openDirectory(name);
  }
  return directory;
}

/** A file open for reading. @throws the errors of open(2), ELOOP where the entry is a link */
export class OpenFile implements Disposable {
  readonly fd: number;

  constructor(directory: Directory, name: string) {
    this.fd = openAt(directory.fd, name, READ) ?? openSync(directory.path(name), READ);
  }

  stat(): Entry {
    return statOf(this.fd);
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}

export function statOf(fd: number): Entry {
  return new Entry(statOpen(fd) ?? fstatSync(fd));
}

/**
 * All that `entry`, of the open `from`, has beside its content: owner where the process may, then times, mode (whatever
 * the umask; chown clears setuid) and attributes, which change no time but the one that can not be set. Returns what the
 * two are then.
 */
export function setMetadata(fd: number, entry: Entry, from: number): { source: Entry; copy: Entry } {
  setOwner(fd, entry);
  const seen = copyTimesOpen(from, fd);
  // Node's own loses up to 0.25 µs.
  if (!seen) futimesSync(fd, entry.mtimeMs / 1000, entry.mtimeMs / 1000);
  const copy = setAccess(fd, entry, readAttributes(from));
  return { source: seen ? new Entry(seen) : statOf(from), copy };
}

/** The same where what it is of is not at hand. */
export function setGivenMetadata(fd: number, given: GivenMetadata): void {
  setOwner(fd, given);
  const seconds = Number(given.mtimeNs) / 1e9;
  futimesSync(fd, seconds, seconds);
  writeTimes(fd, given.mtimeNs);
  setAccess(fd, given, given.attributes);
}

/** The same for what may have attributes that are not given: these go first, as what is read-only in the end keeps its own. */
export function replaceMetadata(fd: number, given: GivenMetadata): void {
  removeOtherAttributes(fd, given.attributes);
  setGivenMetadata(fd, given);
}

export interface GivenMetadata {
  uid: number;
  gid: number;
  mode: number;
  mtimeNs: bigint;
  attributes: Attributes;
}

export function metadataOf(fd: number, { uid, gid, mode }: Entry = statOf(fd)): GivenMetadata {
  return { uid, gid, mode, mtimeNs: fstatSync(fd, { bigint: true }).mtimeNs, attributes: readAttributes(fd) };
}

function setOwner(fd: number, { uid, gid }: Pick<Entry, 'uid' | 'gid'>): void {
  if (uid === self.uid && gid === self.gid) return;
  if (whereAllowed(() => fchownSync(fd, uid, gid))) return;
  whereAllowed(() => fchownSync(fd, self.uid, gid));
}

/** Returns what it is then. */
function setAccess(fd: number, { mode }: Pick<Entry, 'mode'>, attributes: Attributes): Entry {
  // Setting it costs several times what looking costs.
  const made = statOf(fd);
  if (made.mode === mode && attributes.size === 0) return made;
  let now = made.mode;
  // Root may always, and who may write in the end may then.
  const first = self.uid === 0 || (mode & OWNER_WRITES) !== 0 ? NONE : userAttributes(attributes);
  if (first.size > 0) {
    if ((now & OWNER_WRITES) === 0) {
      now |= OWNER_WRITES;
      fchmodSync(fd, now);
    }
    writeAttributes(fd, first);
  }
  if (now !== mode) fchmodSync(fd, mode);
  writeAttributes(fd, attributes, first);
  return statOf(fd);
}

function whereAllowed(change: () => void): boolean {
  try {
    change();
    return true;
  } catch (error) {
    if (hasCode(error, 'EPERM', 'EINVAL', 'ENOTSUP')) return false;
    throw error;
  }
}

/**
 * Removes the entry and all below it, without following links; no error where it is gone. Read-only
 * directories are made writable first, which a process that is not root needs. What may not be removed is the error in
 * the end, when all else is gone.
 */
export function removeTree(parent: Directory, name: string): void {
  removeBelow(parent, name);
}

/** Programs that run in there go on writing. */
const REMOVALS = 1000;
/** What is deeper comes up to the top before it is removed: neither the stack nor open files are to run out. */
const DEEPEST = 1000;

function removeBelow(
  parent: Directory,
  name: string,
  top?: { directory: Directory; raised: number },
  depth = 0,
) {
  try {
    parent.unlink(name);
    return;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    if (!hasCode(error, 'EISDIR')) throw error;
  }
  if (top && depth === DEEPEST) {
    withLeave(parent, name, () => parent.rename(name, top.directory, randomBytes(8).toString('hex')));
    top.raised++;
    return;
  }
  using directory = withLeave(parent, name, () => parent.openDirectory(name));
  if (!directory) return;
  const above = top ?? { directory, raised: 0 };
  for (let attempt = 1; ; attempt++) {
    const { raised } = above;
    const names = directory.names();
    if (names.length > 0) directory.makeWritable();
    let refused: unknown;
    for (const child of names) {
      try {
        removeBelow(directory, child, above, depth + 1);
      } catch (error) {
        if (!hasCode(error, 'EACCES', 'EPERM')) throw error;
        refused ??= error;
      }
    }
    if (refused) throw refused;
    try {
      parent.rmdir(name);
      return;
    } catch (error) {
      if (!hasCode(error, 'ENOTEMPTY')) throw error;
      if (above.raised > raised) attempt = 0;
      else if (attempt === REMOVALS) throw error;
    }
  }
}

/** What needs a directory's own rights; undefined where it is gone. */
function withLeave<T>(parent: Directory, name: string, act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    if (!hasCode(error, 'EACCES')) throw error;
    parent.withDirectory(name, (path) => chmodSync(path, 0o700));
    return act();
  }
}
