// Extended attributes (ACLs and capabilities are such) and times to the nanosecond: Node has no function for them,
// so libc's are called through node:ffi. Where that is not there (Node 24), they are not kept.
import { fstatSync } from 'node:fs';

interface Libc {
  flistxattr(fd: number, list: Buffer, size: bigint): bigint;
  fgetxattr(fd: number, name: Buffer, value: Buffer, size: bigint): bigint;
  fsetxattr(fd: number, name: Buffer, value: Buffer, size: bigint, flags: number): number;
  futimens(fd: number, times: Buffer): number;
}

const LARGEST = 64 * 1024;
const KEPT = /^(user\.|system\.posix_acl_(access|default)$|security\.capability$)/;

let libc: Libc | undefined;
let loaded = false;
let list: Buffer;

function load(): Libc | undefined {
  if (loaded) return libc;
  loaded = true;
  // The module says on stderr that it is experimental. That it works is tried right here.
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    const ffi = process.getBuiltinModule('node:ffi');
    libc = ffi?.dlopen(null, {
      flistxattr: { return: 'int64', arguments: ['int32', 'buffer', 'uint64'] },
      fgetxattr: { return: 'int64', arguments: ['int32', 'buffer', 'buffer', 'uint64'] },
      fsetxattr: { return: 'int32', arguments: ['int32', 'buffer', 'buffer', 'uint64', 'int32'] },
      futimens: { return: 'int32', arguments: ['int32', 'buffer'] },
    }).functions as unknown as Libc | undefined;
    list = Buffer.alloc(LARGEST);
    if (libc?.flistxattr(-1, list, 0n) !== -1n) libc = undefined;
  } catch {
    libc = undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
  return libc;
}

/** Attributes that a snapshot keeps, by name, as far as the process may read them. */
function attributesOf(c: Libc, fd: number): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  const length = Number(c.flistxattr(fd, list, BigInt(LARGEST)));
  if (length <= 0) return found;
  for (const name of list.toString('latin1', 0, length).split('\0')) {
    if (!KEPT.test(name)) continue;
    const value = Buffer.alloc(LARGEST);
    const size = Number(c.fgetxattr(fd, terminated(name), value, BigInt(LARGEST)));
    if (size >= 0) found.set(name, value.subarray(0, size));
  }
  return found;
}

export function readAttributes(fd: number): ReadonlyMap<string, Buffer> {
  const c = load();
  return c ? attributesOf(c, fd) : new Map();
}

/** Those of names that a snapshot keeps, where filesystem and process may. After owner and mode are set. */
export function writeAttributes(fd: number, attributes: ReadonlyMap<string, Buffer>): void {
  const c = load();
  if (!c) return;
  for (const [name, value] of attributes) {
    if (KEPT.test(name)) c.fsetxattr(fd, terminated(name), value, BigInt(value.length), 0);
  }
}

/** As `writeAttributes`. */
export function copyAttributes(from: number, to: number): void {
  writeAttributes(to, readAttributes(from));
}

export function sameAttributes(a: number, b: number): boolean {
  const c = load();
  if (!c) return true;
  const [left, right] = [attributesOf(c, a), attributesOf(c, b)];
  return left.size === right.size && [...left].every(([name, value]) => right.get(name)?.equals(value));
}

/** Modification time, to the nanosecond where Node's own functions lose up to 0.25 µs. */
export function copyTimes(from: number, to: number): void {
  if (load()) writeTimes(to, fstatSync(from, { bigint: true }).mtimeNs);
}

/** Unix time in nanoseconds, of access too; nothing where libc can not be called. */
export function writeTimes(fd: number, mtimeNs: bigint): void {
  const c = load();
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
