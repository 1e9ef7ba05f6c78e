// stat and link of an entry of an open directory, without the way through /proc/self/fd: most of what a snapshot that
// finds nothing changed costs. Where these can not do it, what Node has does, and says why it can not.
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

/** As lstat; undefined says no more than that Node is to try. */
export function statAt(
  directory: number,
  name: string,
):
  | Pick<Stats, 'mode' | 'uid' | 'gid' | 'ino' | 'nlink' | 'size' | 'blocks' | 'mtimeMs' | 'ctimeMs'>
  | undefined {
  if (!isAscii(name)) return undefined;
  const failed = libc()?.statx(directory, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, buffer);
  if (failed !== 0) return undefined;
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
