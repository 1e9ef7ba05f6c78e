// What Node has no function for, or one that takes paths only: reaching an entry by /proc/self/fd/N/name doubles what
// stat and link cost. Called through node:ffi, which Node 26 has.
import { constants } from 'node:os';

export interface Libc {
  flistxattr(fd: number, list: Buffer, size: bigint): bigint;
  fgetxattr(fd: number, name: Buffer, value: Buffer, size: bigint): bigint;
  fremovexattr(fd: number, name: Buffer): number;
  fsetxattr(fd: number, name: Buffer, value: Buffer, size: bigint, flags: number): number;
  futimens(fd: number, times: Buffer): number;
  linkat(from: number, fromName: bigint, to: number, toName: bigint, flags: number): number;
  openat(directory: number, name: bigint, flags: number, mode: number): number;
  sync_file_range(fd: number, offset: bigint, length: bigint, flags: number): number;
  syncfs(fd: number): number;
  statx(directory: number, name: bigint, flags: number, mask: number, stats: bigint): number;
  waitpid(pid: number, status: bigint, options: number): number;
  addressOf(memory: Buffer): bigint;
  /** Why the call just before failed. */
  errno(): number;
}

let functions: Libc | undefined;
let loaded = false;

/** Undefined where Node has no FFI (Node 24), or may not use it. */
export function libc(): Libc | undefined {
  if (loaded) return functions;
  loaded = true;
  // The module says on stderr that it is experimental. That it works is tried right here.
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    const ffi = process.getBuiltinModule('node:ffi');
    const library = ffi?.dlopen(null, {
      flistxattr: { return: 'int64', arguments: ['int32', 'buffer', 'uint64'] },
      fgetxattr: { return: 'int64', arguments: ['int32', 'buffer', 'buffer', 'uint64'] },
      fremovexattr: { return: 'int32', arguments: ['int32', 'buffer'] },
      fsetxattr: { return: 'int32', arguments: ['int32', 'buffer', 'buffer', 'uint64', 'int32'] },
      futimens: { return: 'int32', arguments: ['int32', 'buffer'] },
      linkat: { return: 'int32', arguments: ['int32', 'pointer', 'int32', 'pointer', 'int32'] },
      // A variable number of arguments is passed as a fixed one is, on Linux.
      openat: { return: 'int32', arguments: ['int32', 'pointer', 'int32', 'uint32'] },
      sync_file_range: { return: 'int32', arguments: ['int32', 'int64', 'int64', 'uint32'] },
      syncfs: { return: 'int32', arguments: ['int32'] },
      statx: { return: 'int32', arguments: ['int32', 'pointer', 'int32', 'uint32', 'pointer'] },
      waitpid: { return: 'int32', arguments: ['int32', 'pointer', 'int32'] },
      __errno_location: { return: 'pointer', arguments: [] },
    }).functions;
    if (ffi && library) {
      // Looked at where it is: another call would set it anew.
      const last = new Int32Array(ffi.toArrayBuffer(library.__errno_location(), 4, false));
      functions = {
        ...(library as unknown as Libc),
        addressOf: (memory) => ffi.getRawPointer(memory),
        errno: () => last[0] ?? 0,
      };
      if (
        functions.flistxattr(-1, Buffer.alloc(8), 0n) !== -1n ||
        functions.errno() !== constants.errno.EBADF
      )
        functions = undefined;
    }
  } catch {
    functions = undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
  return functions;
}
