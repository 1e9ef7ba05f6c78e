// stat, link and open of an entry of an open directory, without the way through /proc/self/fd, and what else of a copy
// costs more by Node's functions. Where these can not do it, what Node has does, and says why it can not.
import type { Stats } from 'node:fs';
import { libc } from './libc.ts';

/** The longest name that a filesystem takes, bytes. */
export const NAME_BYTES = 255;

/** Memory that C reads and writes, where it stays: FFI takes longer to convert strings and buffers than to call. */
class Place {
  readonly bytes: Buffer;
  #address: bigint | undefined;

  constructor(size: number) {
    this.bytes = Buffer.alloc(size);
  }

  get address(): bigint {
    this.#address ??= libc()?.addressOf(this.bytes) ?? 0n;
    return this.#address;
  }

  /** False where what is raw bytes, held as latin1, can not be a name. */
  holds(name: string): boolean {
    if (name.length > NAME_BYTES || name.includes('\0')) return false;
    this.bytes[this.bytes.write(name, 'latin1')] = 0;
    return true;
  }
}

const nowhere = new Place(NAME_BYTES + 1);
const one = new Place(NAME_BYTES + 1);
const other = new Place(NAME_BYTES + 1);

/** Whether it was made: false says no more than that Node is to try. */
export function linkAt(from: number, fromName: string, to: number, toName: string): boolean {
  if (!one.holds(fromName) || !other.holds(toName)) return false;
  return libc()?.linkat(from, one.address, to, other.address, 0) === 0;
}

const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
const O_CLOEXEC = 0o2000000;
const STATX_BASIC_STATS = 0x7ff;
/** `struct statx`, the same on every architecture but for the order of bytes. */
const stats = new Place(256);
const view = new DataView(stats.bytes.buffer, stats.bytes.byteOffset);
const little = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
const HIGH = little ? 4 : 0;
const LOW = little ? 0 : 4;
const TWO_32 = 2 ** 32;

const u64 = (at: number) => view.getUint32(at + HIGH, little) * TWO_32 + view.getUint32(at + LOW, little);
const i64 = (at: number) => view.getInt32(at + HIGH, little) * TWO_32 + view.getUint32(at + LOW, little);
/** To the bit what Node makes of it: both are compared. */
const milliseconds = (at: number) => i64(at) * 1000 + view.getUint32(at + 8, little) / 1_000_000;

type EntryStats = Pick<
  Stats,
  'mode' | 'uid' | 'gid' | 'ino' | 'nlink' | 'size' | 'blocks' | 'mtimeMs' | 'ctimeMs'
>;

/** As lstat; undefined says no more than that Node is to try. */
export function statAt(directory: number, name: string): EntryStats | undefined {
  if (!one.holds(name)) return undefined;
  const failed = libc()?.statx(directory, one.address, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, stats.address);
  return failed === 0 ? decode() : undefined;
}

/** Immutable and append-only files, which nobody moves (`chattr +i`, `+a`). */
const FIXED = 0x10 | 0x20;

/** Whether the entry is such a one, as far as the filesystem tells. */
export function isFixed(directory: number, name: string): boolean {
  return statAt(directory, name) !== undefined && (view.getUint32(8 + LOW, little) & FIXED) !== 0;
}

/** As fstat; undefined says no more than that Node is to try. */
export function statOpen(fd: number): EntryStats | undefined {
  const failed = libc()?.statx(fd, nowhere.address, AT_EMPTY_PATH, STATX_BASIC_STATS, stats.address);
  return failed === 0 ? decode() : undefined;
}

function decode(): EntryStats {
  return {
    nlink: view.getUint32(16, little),
    uid: view.getUint32(20, little),
    gid: view.getUint32(24, little),
    mode: view.getUint16(28, little),
    ino: u64(32),
    size: u64(40),
    blocks: u64(48),
    ctimeMs: milliseconds(96),
    mtimeMs: milliseconds(112),
  };
}

/** Not inherited by programs that are started. Undefined says no more than that Node is to try. */
export function openAt(directory: number, name: string, flags: number, mode = 0): number | undefined {
  if (!one.holds(name)) return undefined;
  const fd = libc()?.openat(directory, one.address, flags | O_CLOEXEC, mode) ?? -1;
  return fd < 0 ? undefined : fd;
}

const SYNC_FILE_RANGE_WRITE = 2;

/** The disk gets to work on what was written there, and nobody waits for it; what is left is the later sync's. */
export function beginWriting(fd: number, offset: number, length: number): void {
  libc()?.sync_file_range(fd, BigInt(offset), BigInt(length), SYNC_FILE_RANGE_WRITE);
}

/** Two of `struct timespec`. */
const times = Buffer.alloc(32);
const timesView = new DataView(times.buffer, times.byteOffset);

/**
 * Modification time to the nanosecond, of access too. Returns what `from` was then; undefined says no more than that
 * Node is to try.
 */
export function copyTimesOpen(from: number, to: number): EntryStats | undefined {
  const c = libc();
  const seen = statOpen(from);
  if (!c || !seen) return undefined;
  for (const at of [0, 16]) {
    timesView.setInt32(at + HIGH, view.getInt32(112 + HIGH, little), little);
    timesView.setUint32(at + LOW, view.getUint32(112 + LOW, little), little);
    timesView.setUint32(at + 8 + HIGH, 0, little);
    timesView.setUint32(at + 8 + LOW, view.getUint32(120, little), little);
  }
  return c.futimens(to, times) === 0 ? seen : undefined;
}
