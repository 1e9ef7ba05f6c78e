// Clones on JuiceFS, asked of the mount by a message to its control file, as the program juicefs asks: the program is
// larger than all else in the agent's image.
import { lstatSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { getSystemErrorName } from 'node:util';
import { hasCode } from './errors.ts';

// The message of JuiceFS 1.3: later versions take it as well. Earlier ones read an empty name in it, and refuse.
const CLONE = 1006;
const PRESERVE_ATTRIBUTES = 0x02;
const UMASK = 0o022;
/** An answer is any number of these, with two counters behind them, and then an errno. */
const PROGRESS = 0xfe;
const PROGRESS_BYTES = 17;
const POLL_MS = { first: 1, most: 50 };

/**
 * Makes `to`, which must not exist, a copy of the file or folder `from` that shares its data.
 * @throws an error with the mount's errno for its code; ENOTSUP where no mount's root is in reach
 */
export async function juicefsClone(from: string, to: string): Promise<void> {
  await using control = await openControl(dirname(to));
  await control.write(cloneMessage(inode(from), inode(dirname(from)), inode(dirname(to)), basename(to)));
  const errno = await answer(control);
  if (errno === 0) return;
  const code = getSystemErrorName(-errno);
  throw Object.assign(new Error(`${code}: JuiceFS can not clone ${from} to ${to}`), { code });
}

const inode = (path: string): bigint => lstatSync(path, { bigint: true }).ino;

function cloneMessage(source: bigint, sourceParent: bigint, parent: bigint, name: string): Buffer {
  const bytes = Buffer.from(name);
  const message = Buffer.alloc(8 + 3 * 8 + 1 + bytes.length + 2 + 1);
  let at = message.writeUInt32BE(CLONE);
  at = message.writeUInt32BE(message.length - 8, at);
  for (const number of [source, sourceParent, parent]) at = message.writeBigUInt64BE(number, at);
  at = message.writeUInt8(bytes.length, at);
  at += bytes.copy(message, at);
  at = message.writeUInt16BE(UMASK, at);
  message.writeUInt8(PRESERVE_ATTRIBUTES, at);
  return message;
}

/** In the root of the mount, whose inode is 1. */
async function openControl(folder: string): Promise<FileHandle> {
  for (let path = folder; ; path = dirname(path)) {
    if (inode(path) === 1n) {
      try {
        return await open(join(path, '.control'), 'r+');
      } catch (error) {
        if (!hasCode(error, 'ENOENT')) throw error;
      }
    }
    if (path === dirname(path)) break;
  }
  throw Object.assign(new Error('ENOTSUP: the root of the JuiceFS mount is not in reach'), {
    code: 'ENOTSUP',
  });
}

/** The file answers with nothing until there is something. */
async function answer(control: FileHandle): Promise<number> {
  const buffer = Buffer.alloc(64 * 1024);
  let held = 0;
  for (let wait = POLL_MS.first; ; ) {
    const { bytesRead } = await control.read(buffer, held, buffer.length - held);
    held += bytesRead;
    let at = 0;
    while (held - at >= PROGRESS_BYTES && buffer[at] === PROGRESS) at += PROGRESS_BYTES;
    if (held - at > 0 && buffer[at] !== PROGRESS) return buffer[at] ?? 0;
    buffer.copyWithin(0, at, held);
    held -= at;
    if (bytesRead > 0) wait = POLL_MS.first;
    else {
      await sleep(wait);
      wait = Math.min(wait * 2, POLL_MS.most);
    }
  }
}
