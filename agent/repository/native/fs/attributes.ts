// Extended attributes (ACLs and capabilities are such) and times to the nanosecond: Node has no function for them. Where
// libc's can not be called, they are not kept.
import { statfsSync } from 'node:fs';
import { constants } from 'node:os';
import { type Libc, libc } from './libc.ts';

const LARGEST = 64 * 1024;
const LARGEST_SIZE = BigInt(LARGEST);
const OF_USER = /^user\./;
const KEPT = /^(user\.|system\.posix_acl_(access|default)$|security\.capability$)/;

/** What a filesystem or a process says of an attribute that it can not keep, or may not. */
const UNABLE = [constants.errno.EPERM, constants.errno.EINVAL, constants.errno.EOPNOTSUPP];

let list: Buffer | undefined;

/** Attributes that a snapshot keeps, by name, as far as the process may read them. */
function attributesOf(c: Libc, fd: number): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  list ??= Buffer.alloc(LARGEST);
  const length = Number(c.flistxattr(fd, list, LARGEST_SIZE));
  if (length <= 0) return found;
  for (const name of list.toString('latin1', 0, length).split('\0')) {
    if (!KEPT.test(name)) continue;
    const value = Buffer.alloc(LARGEST);
    const size = Number(c.fgetxattr(fd, terminated(name), value, LARGEST_SIZE));
    if (size >= 0) found.set(name, value.subarray(0, size));
  }
  return found;
}

export type Attributes = ReadonlyMap<string, Buffer>;

export function readAttributes(fd: number): Attributes {
  const c = libc();
  return c ? attributesOf(c, fd) : new Map();
}

export const NONE: Attributes = new Map();

/** Those that need leave to write, by the mode; ACLs and capabilities do not, and have to be set after the mode. */
export function userAttributes(attributes: Attributes): Attributes {
  return new Map([...attributes].filter(([name]) => OF_USER.test(name)));
}

/**
 * Those that a snapshot keeps, where filesystem and process may, but the ones that are `done`. In their order: ext4 has
 * little room for them, and what fitted may not in another. @throws system errors; E2BIG where only the file has no room
 */
export function writeAttributes(fd: number, attributes: Attributes, done = NONE): void {
  const c = libc();
  if (!c) return;
  for (const [name, value] of attributes) {
    if (!KEPT.test(name) || done.has(name)) continue;
    if (c.fsetxattr(fd, terminated(name), value, BigInt(value.length), 0) === 0) continue;
    let errno = c.errno();
    if (UNABLE.includes(errno)) continue;
    if (errno === constants.errno.ENOSPC && hasRoom(fd)) errno = constants.errno.E2BIG;
    const [code] = Object.entries(constants.errno).find(([, number]) => number === errno) ?? [
      `errno ${errno}`,
    ];
    throw Object.assign(new Error(`${code}: the attribute ${name} can not be set`), { code });
  }
}

/** Whether the volume has: a file's attributes have less, on ext4 a block. */
function hasRoom(fd: number): boolean {
  const { bavail, bsize } = statfsSync(`/proc/self/fd/${fd}`);
  return bavail * bsize > 4 * LARGEST;
}

/** Of those that a snapshot keeps, the ones that are not `kept`. */
export function removeOtherAttributes(fd: number, kept: Attributes): void {
  for (const name of readAttributes(fd).keys())
    if (!kept.has(name)) libc()?.fremovexattr(fd, terminated(name));
}

export function sameAttributes(a: number, b: number): boolean {
  const c = libc();
  if (!c) return true;
  const [left, right] = [attributesOf(c, a), attributesOf(c, b)];
  return left.size === right.size && [...left].every(([name, value]) => right.get(name)?.equals(value));
}

/** Unix time in nanoseconds, of access too; nothing where libc can not be called. */
export function writeTimes(fd: number, mtimeNs: bigint): void {
  const c = libc();
  if (!c) return;
  const seconds = mtimeNs / 1_000_000_000n - (mtimeNs % 1_000_000_000n < 0n ? 1n : 0n);
  const times = Buffer.alloc(32);
  for (const at of [0, 16]) {
    times.writeBigInt64LE(seconds, at);
    times.writeBigInt64LE(mtimeNs - seconds * 1_000_000_000n, at + 8);
  }
  c.futimens(fd, times);
}

function terminated(name: string): Buffer {
  return Buffer.from(`${name}\0`, 'latin1');
}
