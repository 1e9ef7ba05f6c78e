// Whole buffers from and to open files: the system may take or give less at a time.
import { readSync, writeSync } from 'node:fs';

/** Bytes read: fewer than the buffer holds only at the end of the file. */
export function readFully(fd: number, buffer: Buffer): number {
  let done = 0;
  while (done < buffer.length) {
    const n = readSync(fd, buffer, done, buffer.length - done, null);
    if (n === 0) break;
    done += n;
  }
  return done;
}

/** `position`: where in the file; where it stands when absent. */
export function writeFully(fd: number, bytes: Buffer, position?: number): void {
  for (let done = 0; done < bytes.length; ) {
    const at = position === undefined ? null : position + done;
    done += writeSync(fd, bytes, done, bytes.length - done, at);
  }
}
