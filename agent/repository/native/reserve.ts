// Deleting needs a little room itself, which a full volume does not have: some is kept for that.
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { RepositoryError } from '../repository.ts';
import { hasCode } from './fs/errors.ts';
import type { Layout } from './layout.ts';

const BYTES = 128 * 1024;
/** A filesystem that has no inodes left has no room either. */
const INODES = 16;

/** The first has the bytes. */
function files({ reserve }: Layout): string[] {
  return Array.from({ length: INODES }, (_, i) => (i === 0 ? reserve : `${reserve}-${i}`));
}

/** No error where there is no room for it. */
export function keepReserve(layout: Layout): void {
  for (const file of files(layout)) {
    if (existsSync(file)) continue;
    try {
      writeFileSync(file, file === layout.reserve ? Buffer.alloc(BYTES, 'reserve ') : '');
    } catch (error) {
      rmSync(file, { force: true });
      if (!hasCode(error, 'ENOSPC', 'EDQUOT')) throw error;
    }
  }
}

/** Does work that frees room: once more with the reserve where there is none left. */
export async function withReserve<T>(layout: Layout, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const full = hasCode(error, 'ENOSPC', 'EDQUOT') || isVolumeFull(error);
    const reserve = files(layout).filter((file) => existsSync(file));
    if (!full || !reserve.length) throw error;
    for (const file of reserve) rmSync(file, { force: true });
    try {
      return await work();
    } finally {
      // Where the work is refused too, before others take the room.
      keepReserve(layout);
    }
  }
}

export function isVolumeFull(error: unknown): boolean {
  return error instanceof RepositoryError && error.reason === 'VolumeFull';
}
