// Small files of the repository itself, replaced as a whole.
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { hasCode } from './errors.ts';

/**
 * Replaces the file's content at once: a reader, also one after a power cut, finds the old or the new.
 * `durable: false` promises that to running readers only. The new one is safe after the next sync.
 * `folder`, of the same filesystem: where a crash may leave a half-written file; beside the file where not given.
 */
export function writeAtomic(
  path: string,
  content: string,
  options: { mode?: number; durable?: boolean; folder?: string } = {},
): void {
  const folder = options.folder ?? dirname(path);
  // The jvs binary removes files of this prefix as debris, and so do we.
  const temporary = join(folder, `.jvs-tmp-${basename(path)}-${randomBytes(4).toString('hex')}`);
  const fd = openSync(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    try {
      fchmodSync(fd, options.mode ?? 0o644);
      writeFileSync(fd, content);
      if (options.durable !== false) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Undefined where there is no such file. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Mode 0755 whatever the umask; no error where it is there. */
export function ensureDirectory(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return;
    throw error;
  }
  chmodSync(path, 0o755);
}
