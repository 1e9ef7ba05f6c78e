// stat, link and open of an entry of an open directory, without the way through /proc/self/fd, and what else of a copy
// costs more by Node's functions. Where these can not do it, what Node has does, and says why it can not.
import type { Stats } from 'node:fs';
import { libc } from './libc.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: the bytes that latin1 and UTF-8 have in common
const ASCII = /^[\x00-\x7f]*$/;

/** Whether the name, raw bytes held as latin1, is the same in UTF-8. */
export function isAscii(name: string): boolean {
  return ASCII.test(name);
}

/** Whether it was made: false says no more than that Node is to try. */
export function linkAt(from: number, fromName: string, to: number, toName: string): boolean {
  if (!isAscii(fromName) || !isAscii(toName)) return false;
  return libc()?.linkat(from, fromName, to, toName, 0) === 0;
}

const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
const O_CLOEXEC = 0o2000000;
const STATX_BASIC_STATS = 0x7ff;
/** `struct statx`, the same on every architecture but for the order of bytes. */
const buffer = Buffer.alloc(256);
const view = new DataView(buffer.buffer, buffer.byteOffset);
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
  if (!isAscii(name)) return undefined;
  const failed = libc()?.statx(directory, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, buffer);
  return failed === 0 ? decode() : undefined;
}

/** As fstat; undefined says no more than that Node is to try. */
export function statOpen(fd: number): EntryStats | undefined {
  return libc()?.statx(fd, '', AT_EMPTY_PATH, STATX_BASIC_STATS, buffer) === 0 ? decode() : undefined;
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
  if (!isAscii(name)) return undefined;
  const fd = libc()?.openat(directory, name, flags | O_CLOEXEC, mode) ?? -1;
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

/** Modification time to the nanosecond, of access too. False says no more than that Node is to try. */
export function copyTimesOpen(from: number, to: number): boolean {
  const c = libc();
  if (c?.statx(from, '', AT_EMPTY_PATH, STATX_BASIC_STATS, buffer) !== 0) return false;
  for (const at of [0, 16]) {
    timesView.setInt32(at + HIGH, view.getInt32(112 + HIGH, little), little);
    timesView.setUint32(at + LOW, view.getUint32(112 + LOW, little), little);
    timesView.setUint32(at + 8 + HIGH, 0, little);
    timesView.setUint32(at + 8 + LOW, view.getUint32(120, little), little);
  }
  return c.futimens(to, times) === 0;
}
