// Linux moves a directory to another one only for who may write to that directory itself. A read-only one of ours
// is made writable for it; another's can only be moved by root, which is to be known before anything is moved.
import { accessSync, chmodSync, constants, futimesSync, statSync } from 'node:fs';
import { RepositoryError } from '../repository.ts';
import { isFixed } from './fs/at.ts';
import {
  Directory,
  type Entry,
  type GivenMetadata,
  openPath,
  removeTree,
  replaceMetadata,
} from './fs/directory.ts';
import { hasCode } from './fs/errors.ts';
import type { Layout } from './layout.ts';

const { W_OK, X_OK } = constants;
const OWNER = 0o700;
const STICKY = 0o1000;

/** Below a worktree's root, `/` between names, and its mode. Names are latin1, as everywhere. */
export type Mode = [path: string, mode: number];

const isWide = (mode: number): boolean => (mode & OWNER) === OWNER;

/** Root needs no leave: it would only change what a workload swaps in meanwhile, and make it another's to write to. */
function isOurs(uid: number): boolean {
  const self = process.geteuid?.();
  return self !== 0 && uid === self;
}

/** The mode of a directory of ours that has not all of its owner's rights. */
export function narrowMode(directory: Directory): number | undefined {
  const { mode, uid } = directory.stat();
  return isWide(mode) || !isOurs(uid) ? undefined : mode;
}

/** Gives a directory of ours its owner's rights. The mode before, where that was another, which is told at first. */
export function widen(
  directory: Directory,
  name: string,
  note: (mode: number) => void = () => {},
): number | undefined {
  return directory.withDirectory(name, (path) => {
    const { mode, uid } = statSync(path);
    if (isWide(mode) || !isOurs(uid)) return undefined;
    note(mode & 0o7777);
    chmodSync(path, (mode & 0o7777) | OWNER);
    return mode & 0o7777;
  });
}

/** The same for those in a worktree that are to get other modes later. */
export function widenAll(
  layout: Layout,
  worktree: string,
  paths: readonly string[],
  note: (mode: Mode) => void = () => {},
): void {
  for (const path of paths) {
    within(layout, worktree, path, (parent, name) => widen(parent, name, (mode) => note([path, mode])));
  }
}

/** What is above comes last: without its owner's rights, what is below can not be reached. */
export function setModes(layout: Layout, worktree: string, modes: readonly Mode[]): void {
  for (const [path, mode] of modes.toReversed()) {
    within(layout, worktree, path, (parent, name) => parent.withDirectory(name, (at) => chmodSync(at, mode)));
  }
}

/** All that another directory has beside its entries; one that is another's keeps what it has, all of it. */
export function takeMetadata(directory: Directory, given: GivenMetadata): void {
  const seconds = Number(given.mtimeNs) / 1e9;
  try {
    // Who may not do that may not set the mode either, but may remove attributes where all may write. To set the mode
    // to what it is would take setgid away where the agent is not in the group.
    futimesSync(directory.fd, seconds, seconds);
  } catch (error) {
    if (hasCode(error, 'EPERM')) return;
    throw error;
  }
  replaceMetadata(directory.fd, given);
}

/** @throws RepositoryError PermissionDenied where it can neither be written to nor be made writable */
export function checkWritable(directory: Directory, place: string): void {
  checkFixed(directory, '.', place);
  const { uid } = directory.stat();
  if (!mayWrite(`/proc/self/fd/${directory.fd}`, uid)) throw notMovable(place, uid);
}

/** @throws RepositoryError PermissionDenied where the entry of a writable directory can not be moved out of it */
export function checkMovable(directory: Directory, name: string, entry: Entry, place: string): void {
  checkFixed(directory, name, place);
  const above = directory.stat();
  const self = process.geteuid?.();
  const stuck = (above.mode & STICKY) !== 0 && ![0, above.uid, entry.uid].includes(self ?? 0);
  const writable = entry.kind !== 'dir' || directory.withDirectory(name, (path) => mayWrite(path, entry.uid));
  if (stuck || writable === false) throw notMovable(place, entry.uid);
}

function checkFixed(directory: Directory, name: string, place: string): void {
  if (!isFixed(directory.fd, name)) return;
  throw new RepositoryError(
    'PermissionDenied',
    `${place} is immutable or append-only, and nobody may move it: take that from it as root (chattr -i -a)`,
  );
}

function mayWrite(path: string, owner: number): boolean {
  try {
    accessSync(path, W_OK | X_OK);
    return true;
  } catch (error) {
    if (!hasCode(error, 'EACCES')) throw error;
    return owner === process.geteuid?.();
  }
}

export function notMovable(place: string, owner: number | undefined, cause?: unknown): RepositoryError {
  return new RepositoryError(
    'PermissionDenied',
    `${place} belongs to user ${owner}, and the agent, user ${process.geteuid?.()}, may not move what is there: let ` +
      'its group write to it, or run the agent as its owner (annotation jvs.io/agent-run-as)',
    { cause },
  );
}

/** Whether it is gone: a part can be of others, who let nobody remove it, and must not stop what comes after. */
export function tryRemove(parent: Directory, name: string): boolean {
  try {
    removeTree(parent, name);
    return true;
  } catch (error) {
    if (!hasCode(error, 'EACCES', 'EPERM')) throw error;
    return false;
  }
}

export function notRemovable(path: string): RepositoryError {
  return new RepositoryError(
    'PermissionDenied',
    `.jvs/agent/${path}, which an earlier operation replaced, has parts that the agent may not remove as its user: ` +
      'remove it as root',
  );
}

/** What a workload put in the place of a directory, and is none or another's, is left as it is by who is not root. */
function within(
  layout: Layout,
  worktree: string,
  path: string,
  act: (parent: Directory, name: string) => void,
): void {
  const names = [...layout.payload(worktree), ...(path ? path.split('/') : [])];
  const name = names.pop() ?? worktree;
  using volume = Directory.open(layout.volume);
  try {
    using parent = openPath(volume, names);
    act(parent, name);
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EPERM')) throw error;
  }
}
