// What the volume's filesystem is and can do.
import { closeSync, openSync, readFileSync, realpathSync, statfsSync } from 'node:fs';
import { RepositoryError } from '../../repository.ts';
import { libc } from './libc.ts';
import { runTool } from './tool.ts';

/** Everything written to the filesystem of `path` so far is on disk. @throws RepositoryError Internal, VolumeFull; system errors */
export async function syncFilesystem(path: string): Promise<void> {
  const answer = isBrief(path) ? syncfs(path) : undefined;
  if (answer === 0) return;
  await syncAside(path);
  // The kernel says once that something could not be written, and has.
  if (answer !== undefined) throw new RepositoryError('Internal', `the disk of ${path} failed: see dmesg`);
}

/**
 * The same by coreutils' `sync -f`: this process goes on with its work, and renews its lease, however long that takes.
 * @throws RepositoryError Internal, VolumeFull
 */
export async function syncAside(path: string): Promise<void> {
  await runTool('sync', ['-f', path]);
}

/** A file takes no less, bytes. */
const BLOCK = 4096;
/** Worth a sync, bytes, and as a part of what was written before: so they are few, and little is left. */
const MUCH = 8 * 1024 * 1024;
const PART = 1 / 8;

/** Has the disk at work while a tree is still being copied: a sync at its end has little left to wait for. */
export class EarlySync {
  readonly #path: string;
  readonly #begun: Promise<void>[] = [];
  #before = 0;
  #since = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** A file of so many bytes. */
  wrote(bytes: number): void {
    this.#since += Math.max(bytes, BLOCK);
    if (this.#since < Math.max(MUCH, this.#before * PART)) return;
    this.#before += this.#since;
    this.#since = 0;
    const sync = syncAside(this.#path);
    // Its failure counts, below, where nothing else fails before.
    sync.catch(() => {});
    this.#begun.push(sync);
  }

  /**
   * All that was begun: the kernel says once only that something could not be written.
   * @throws RepositoryError Internal, VolumeFull
   */
  async done(): Promise<void> {
    await Promise.all(this.#begun);
  }
}

/** Of disks, as statfs(2) has them: ext4, XFS, Btrfs. */
const LOCAL = new Set([0xef53, 0x58465342, 0x9123683e]);
const LITTLE_KIB = 64 * 1024;

/** The disk is this node's, and little on the node waits to be written: not worth a process. */
function isBrief(path: string): boolean {
  if (!LOCAL.has(statfsSync(path).type)) return false;
  const said = readFileSync('/proc/meminfo', 'utf8');
  const kib = (name: string) => Number(new RegExp(`^${name}: +(\\d+) kB`, 'm').exec(said)?.[1]);
  return kib('Dirty') + kib('Writeback') < LITTLE_KIB;
}

/** -1 for a failure; undefined without FFI. */
function syncfs(path: string): number | undefined {
  const fd = openSync(path, 'r');
  try {
    return libc()?.syncfs(fd);
  } finally {
    closeSync(fd);
  }
}

/** Filesystem type as in /proc/self/mounts, of the mount that holds `path`. */
export function filesystemType(path: string, mounts = readFileSync('/proc/self/mounts', 'utf8')): string {
  const target = `${realpathSync(path)}/`;
  let best = { length: 0, type: 'unknown' };
  for (const line of mounts.split('\n')) {
    const [, escaped = '', type = ''] = line.split(' ');
    const point = escaped.replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(parseInt(octal, 8)),
    );
    const prefix = point.endsWith('/') ? point : `${point}/`;
    // A later mount on the same point hides the earlier one.
    if (point && target.startsWith(prefix) && prefix.length >= best.length)
      best = { length: prefix.length, type };
  }
  return best.type;
}
