// Contents of files: copied and hashed in one pass, holes kept.
import { createHash, hash } from 'node:crypto';
import { ftruncateSync, readSync } from 'node:fs';
import { beginWriting } from './fs/at.ts';
import { writeFully } from './fs/io.ts';

const CHUNK = 1 << 20;
const PAGE = 4096;
/** From so much on, the disk works while the rest is read. */
const FLUSH = 8 * CHUNK;
let chunk: Buffer | undefined;
let zeros: Buffer | undefined;

export interface Content {
  /** SHA-256, 32 bytes. */
  hash: Buffer;
  /** Bytes read: fewer than asked for where the file was cut short. */
  size: number;
}

/**
 * Reads at most `size` bytes of `from`, from its start, and writes them to `to` where given. `sparse` leaves
 * pages of zeros unwritten. `onBytes` is called for every piece, and may throw to stop.
 */
export function readContent(
  from: number,
  size: number,
  onBytes: (bytes: number) => void,
  to?: { fd: number; sparse: boolean },
): Content {
  chunk ??= Buffer.allocUnsafeSlow(CHUNK);
  const whole = size <= CHUNK;
  const digest = whole ? undefined : createHash('sha256');
  let done = 0;
  while (done < size) {
    const n = readSync(from, chunk, whole ? done : 0, Math.min(CHUNK, size - done), done);
    if (n === 0) break;
    const piece = whole ? chunk.subarray(done, done + n) : chunk.subarray(0, n);
    digest?.update(piece);
    if (to) (to.sparse ? writeSparse : writeFully)(to.fd, piece, done);
    if (to && (done % FLUSH) + n >= FLUSH) beginWriting(to.fd, done + n - FLUSH, FLUSH);
    done += n;
    onBytes(n);
  }
  if (to?.sparse) ftruncateSync(to.fd, done);
  return {
    hash: digest ? digest.digest() : hash('sha256', chunk.subarray(0, done), 'buffer'),
    size: done,
  };
}

/** Where, by pages, there is more than zeros. */
function* data(bytes: Buffer): Generator<{ start: number; end: number }, void, undefined> {
  zeros ??= Buffer.alloc(PAGE);
  let start = 0;
  for (let at = 0; at < bytes.length; at += PAGE) {
    const page = bytes.subarray(at, at + PAGE);
    if (!page.equals(zeros.subarray(0, page.length))) continue;
    if (at > start) yield { start, end: at };
    start = at + page.length;
  }
  if (start < bytes.length) yield { start, end: bytes.length };
}

/** What `writeSparse` writes of it, bytes. */
export function sparseBytes(bytes: Buffer): number {
  let sum = 0;
  for (const { start, end } of data(bytes)) sum += end - start;
  return sum;
}

/** Pages of zeros are left as they are, which in a new file is a hole. */
export function writeSparse(fd: number, bytes: Buffer, position: number): void {
  for (const { start, end } of data(bytes)) writeFully(fd, bytes.subarray(start, end), position + start);
}
