// Bringing a snapshot's files into a worktree: in place, or as a new worktree. The files are copied beside the
// repository first, checked against the snapshot's hash and synced; only then the worktree is touched, by
// renames that a crash anywhere is repaired forward from.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { type Descriptor, RepositoryError } from '../repository.ts';
import { auditHas, recordOnce } from './audit-log.ts';
import { type Control, Meter } from './control.ts';
import { rfc3339 } from './format/time.ts';
import { serializeWorktree } from './format/worktree.ts';
import { Directory, makeTop, metadataOf, openPath, removeTree } from './fs/directory.ts';
import { asRepositoryError, hasCode } from './fs/errors.ts';
import { ensureDirectory, readIfThere, writeAtomic } from './fs/files.ts';
import { syncFilesystem } from './fs/volume.ts';
import { IndexWriter, payloadHashOfIndex } from './index-file.ts';
import type { Layout } from './layout.ts';
import type { Lease } from './lease.ts';
import {
  checkMovable,
  checkWritable,
  type Mode,
  narrowMode,
  notMovable,
  notRemovable,
  setModes,
  takeMetadata,
  tryRemove,
  widen,
  widenAll,
} from './movable.ts';
import { type Selection, selectPaths } from './partial.ts';
import { readConfig } from './publish.ts';
import { TreeCopier } from './tree.ts';
import { hashedNames } from './verify.ts';

const journal = z.object({
  /** Names this run in the audit log, so that its record is written once. */
  operation: z.string(),
  kind: z.enum(['restore', 'fork']),
  worktree: z.string(),
  snapshot_id: z.string(),
  request: z.optional(z.string()),
  started_at: z.string(),
  /** `staging` is rolled back, `placing` is finished. */
  phase: z.enum(['staging', 'placing']),
  /** Top-level names of the new tree, latin1. */
  names: z.array(z.string()),
  /** Its root's mtime, Unix nanoseconds, which moving these out of it changes. Older journals have none. */
  mtime_ns: z.optional(z.string()),
  /** Top-level names of the tree that gives way: what a workload has made since stays. Older journals have none. */
  there: z.optional(z.array(z.string())),
  /** Of a partial snapshot: only these are replaced, and the rest of the worktree is left alone. */
  paths: z.optional(z.array(z.string())),
  /** What was made writable to be moved gets these when all is in place. */
  modes: z.optional(z.array(z.tuple([z.string(), z.number()]))),
});
type Journal = z.infer<typeof journal>;

export interface RestoreInput {
  layout: Layout;
  descriptor: Descriptor;
  kind: 'restore' | 'fork';
  worktree: string;
  request?: string | undefined;
  reflink: boolean;
  /** Ticks of the volume's clock are shorter, ms. */
  clockTickMs: number;
  lease: Lease;
  control: Control;
}

/**
 * On disk when it returns. Before the new tree is complete, a failure changes nothing in the worktree.
 * @throws RepositoryError DamagedRepository where the snapshot does not match its hash
 */
export async function bringBack(input: RestoreInput): Promise<void> {
  const { layout, descriptor, kind, worktree, control, lease } = input;
  const places = placesOf(layout, worktree);
  const paths = kind === 'restore' && descriptor.partial_paths?.length ? descriptor.partial_paths : undefined;
  const check = () => {
    if (kind === 'restore') checkWay(layout, worktree, paths && selectPaths(paths).selection);
    else checkFolder(layout);
  };
  check();
  const entry: Journal = {
    operation: randomBytes(8).toString('hex'),
    kind,
    worktree,
    snapshot_id: descriptor.snapshot_id,
    ...(input.request ? { request: input.request } : {}),
    started_at: rfc3339(Date.now()),
    phase: 'staging',
    names: [],
    ...(paths ? { paths } : {}),
  };
  ensureDirectory(layout.restores);
  if (!removeStaging(places)) throw notRemovable(`restore/${worktree}.d`);
  writeJournal(places, entry);
  try {
    control.step('restore-staging');
    const mtimeNs = stage(input, places, paths !== undefined);
    const names = readdirSync(places.fresh, 'latin1');
    const modes = widenStaged(layout, places, entry, names);
    await syncFilesystem(layout.volume);
    control.step('restore-staged');
    lease.confirm();
    // Copying took its time.
    check();
    const there = kind === 'restore' && !paths ? namesThere(layout, worktree) : undefined;
    const placing = { ...entry, phase: 'placing' as const, names, mtime_ns: String(mtimeNs), modes };
    writeJournal(places, { ...placing, ...(there ? { there } : {}) });
    await syncFilesystem(layout.volume);
    control.step('restore-placing');
  } catch (error) {
    // Another's restore has the same place.
    if (lease.held) discardStaging(places);
    throw error;
  }
  try {
    await complete(layout, places, control, false);
  } catch (cause) {
    // Another who took over finishes it; without the new tree, it is in place, or was refused.
    if (!lease.held || !existsSync(places.fresh)) throw cause;
    const { reason, message } = asRepositoryError(cause, 'exchanging the files');
    const text = `worktree ${worktree} is restored in part only, and the rest follows when it can: ${message}`;
    throw new RepositoryError(reason, text, { cause });
  }
}

const eventOf = { restore: 'restore', fork: 'worktree_fork' } as const;

/** Whether one that carries this request tag was finished before. */
export function wasRestored(
  layout: Layout,
  kind: Journal['kind'],
  snapshotId: string,
  request: string,
): boolean {
  return auditHas(layout.audit, eventOf[kind], snapshotId, `"request":"${request}"`);
}

/** Worktrees with a restore that a crash interrupted. */
export function interruptedRestores(layout: Layout): string[] {
  if (!existsSync(layout.restores)) return [];
  return readdirSync(layout.restores).flatMap((name) => (name.endsWith('.json') ? [name.slice(0, -5)] : []));
}

/** Finishes a restore whose new tree was complete, removes what there is of any other. */
export async function repairRestore(layout: Layout, worktree: string): Promise<'finished' | 'removed'> {
  const places = placesOf(layout, worktree);
  const entry = readJournal(places);
  if (entry?.phase !== 'placing') {
    discardStaging(places);
    return 'removed';
  }
  try {
    await complete(layout, places, { step: () => {} }, true);
    return 'finished';
  } catch (error) {
    if (!(error instanceof RepositoryError && error.reason === 'InvalidArgument')) throw error;
    return 'removed';
  }
}

/** The journal goes before the last sync: it is gone from the disk only where all before it is there. */
async function complete(
  layout: Layout,
  places: Places,
  control: Pick<Control, 'step'>,
  again: boolean,
): Promise<void> {
  const entry = readJournal(places);
  if (!entry) throw new RepositoryError('Internal', `${places.journal} vanished`);
  await finish(layout, entry, places, control, again);
  rmSync(places.journal);
  await syncFilesystem(layout.volume);
  control.step('restore-done');
  removeStaging(places);
}

interface Places {
  folder: string;
  journal: string;
  staging: string;
  /** The new tree. */
  fresh: string;
  /** What it replaces, numbered. */
  replaced: string;
  index: string;
}

function placesOf(layout: Layout, worktree: string): Places {
  const staging = join(layout.restores, `${worktree}.d`);
  return {
    folder: layout.restores,
    journal: join(layout.restores, `${worktree}.json`),
    staging,
    fresh: join(staging, 'new'),
    replaced: join(staging, 'old'),
    index: join(staging, 'index'),
  };
}

function writeJournal(places: Places, entry: Journal): void {
  writeAtomic(places.journal, JSON.stringify(entry));
}

function readJournal(places: Places): Journal | undefined {
  const text = readIfThere(places.journal);
  return text === undefined ? undefined : journal.parse(JSON.parse(text));
}

/** Whether nothing is left of it. */
function removeStaging(places: Places): boolean {
  if (!existsSync(places.folder)) return true;
  using folder = Directory.open(places.folder);
  return tryRemove(folder, lastPart(places.staging));
}

function discardStaging(places: Places): void {
  rmSync(places.journal, { force: true });
  removeStaging(places);
}

const lastPart = (path: string) => path.slice(path.lastIndexOf('/') + 1);

/** Copies the snapshot, never by links to it: what is restored may be written to. The root's mtime, nanoseconds. */
function stage(input: RestoreInput, places: Places, partial: boolean): bigint {
  const { layout, descriptor, control, lease } = input;
  if (input.kind === 'restore') checkMount(layout, input.worktree, places);
  for (const path of [places.staging, places.replaced]) mkdirSync(path, { mode: 0o700 });
  using source = Directory.open(layout.snapshot(descriptor.snapshot_id));
  using target = makeTop(places.fresh);
  using index = new IndexWriter(places.index);
  const meter = new Meter(control, descriptor.agent?.size ?? 0, () => lease.renew());
  const hardLinks = (descriptor.agent?.hard_links ?? 0) > 0;
  const { compression } = descriptor;
  new TreeCopier({
    index,
    reflink: input.reflink && !compression,
    meter,
    hardLinks,
    restoring: true,
    ...(compression ? { decompress: compression.type } : {}),
  }).copy(source, target);
  target.setMetadata(source.stat(), source.fd);
  // Until the tree is in place nobody else can write to it, and this was the last change to it: its records are good
  // up to now.
  const racyFromMs = target.stat().ctimeMs - input.clockTickMs;
  const { mtimeNs } = metadataOf(target.fd);
  index.finish({ version: 1, snapshotId: descriptor.snapshot_id, racyFromMs });
  const found = payloadHashOfIndex(places.index, hashedNames(layout));
  // The index of a part would make the rest be copied again.
  if (partial) rmSync(places.index);
  if (found === descriptor.payload_root_hash) return mtimeNs;
  throw new RepositoryError(
    'DamagedRepository',
    `the files of snapshot ${descriptor.snapshot_id} do not match its hash: nothing was restored; ` +
      'verify the other snapshots and restore one of them',
  );
}

/** Entries are renamed into the worktree, which no two mounts of one volume allow. */
function checkMount(layout: Layout, worktree: string, places: Places): void {
  using volume = Directory.open(layout.volume);
  using root = openWorktree(volume, layout, worktree);
  using folder = Directory.open(places.folder);
  if (mountOf(root) === mountOf(folder)) return;
  throw new RepositoryError(
    'InvalidArgument',
    `${layout.payload(worktree).join('/')} is a mount of its own: mount only the whole volume into the agent`,
  );
}

function mountOf(directory: Directory): string | undefined {
  return /^mnt_id:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${directory.fd}`, 'utf8'))?.[1];
}

async function finish(
  layout: Layout,
  entry: Journal,
  places: Places,
  control: Pick<Control, 'step'>,
  again: boolean,
): Promise<void> {
  if (entry.kind === 'fork') {
    placeTree(layout, entry, places);
    control.step('restore-moved');
    setModes(layout, entry.worktree, entry.modes ?? []);
  } else if (existsSync(places.fresh)) {
    const modes = placeEntries(layout, entry, places, control);
    control.step('restore-moved');
    setModes(layout, entry.worktree, modes);
    await syncFilesystem(layout.volume);
    // From here on the worktree is the workload's again.
    using staging = Directory.open(places.staging);
    removeTree(staging, lastPart(places.fresh));
  }
  control.step('restore-placed');
  if (existsSync(places.index)) {
    ensureDirectory(layout.indexes);
    renameSync(places.index, layout.index(entry.worktree));
  }
  // The most of a worktree that a part was brought back into comes from where it did before. To jvs 0.4, files that
  // were brought back are changes like any others: its history is a line.
  if (!entry.paths && layout.generation !== '0.4') setHead(layout, entry);
  control.step('restore-advanced');
  const config = readConfig(layout, entry.worktree);
  const event = {
    timestamp: rfc3339(Date.now()),
    event_type: eventOf[entry.kind],
    snapshot_id: entry.snapshot_id,
    worktree_name: entry.worktree,
    details: {
      detached: config?.head_snapshot_id !== config?.latest_snapshot_id,
      operation: entry.operation,
      ...(entry.request ? { request: entry.request } : {}),
    },
  };
  recordOnce(layout.audit, event, entry.operation, again);
}

function setHead(layout: Layout, entry: Journal): void {
  const id = entry.snapshot_id;
  const config = readConfig(layout, entry.worktree);
  if (entry.kind === 'restore' && !config) return;
  ensureDirectory(join(layout.worktrees, entry.worktree));
  const now = config
    ? { ...config, head_snapshot_id: id }
    : {
        name: entry.worktree,
        base_snapshot_id: id,
        head_snapshot_id: id,
        latest_snapshot_id: id,
        created_at: entry.started_at,
      };
  writeAtomic(layout.worktreeConfig(entry.worktree), serializeWorktree(now));
}

/** A new worktree appears as a whole. */
function placeTree(layout: Layout, entry: Journal, places: Places): void {
  if (!existsSync(places.fresh)) return;
  ensureDirectory(join(layout.volume, 'worktrees'));
  try {
    renameSync(places.fresh, join(layout.volume, ...layout.payload(entry.worktree)));
  } catch (cause) {
    if (!hasCode(cause, 'EEXIST', 'ENOTEMPTY', 'ENOTDIR')) throw cause;
    discardStaging(places);
    throw new RepositoryError(
      'InvalidArgument',
      `${layout.payload(entry.worktree).join('/')} is there already: choose another name, or move it away`,
      { cause },
    );
  }
}

/**
 * Entry by entry, so that the root keeps its inode and those who have it open see the new tree. What is
 * replaced goes aside; a file gives way to a file without a moment in which there is none. What is to get which mode
 * then.
 */
function placeEntries(
  layout: Layout,
  entry: Journal,
  places: Places,
  control: Pick<Control, 'step'>,
): Mode[] {
  using volume = Directory.open(layout.volume);
  using fresh = Directory.open(places.fresh);
  using replaced = Directory.open(places.replaced);
  let aside = replaced.names().length;
  const setAside: SetAside = (directory, name) => {
    for (;;) {
      try {
        directory.rename(name, replaced, String(aside++));
        return;
      } catch (error) {
        if (hasCode(error, 'ENOENT')) return;
        if (hasCode(error, 'EACCES', 'EPERM')) {
          // It is removed then: its mode does not matter any more.
          if (widen(directory, name) !== undefined) continue;
          const place = `${Buffer.from(name, 'latin1')} in worktree ${entry.worktree}`;
          throw notMovable(place, directory.lstat(name)?.uid, error);
        }
        if (!hasCode(error, 'EEXIST', 'ENOTEMPTY', 'EISDIR', 'ENOTDIR')) throw error;
      }
    }
  };
  using root = openInPlace(volume, layout.payload(entry.worktree), setAside);
  if (entry.paths) {
    const { selection } = selectPaths(entry.paths);
    const modes = widenWay(layout, entry, places, selection);
    placePart(fresh, root, selection, setAside, control);
    return modes;
  }
  const modes = entry.modes ?? [];
  widenAll(layout, entry.worktree, ['', ...modes.map(([path]) => path)]);
  const names = new Set(entry.names);
  for (const name of names) {
    place(fresh, root, name, setAside);
    control.step('restore-entry');
  }
  for (const name of entry.there ?? root.names()) if (!names.has(name)) setAside(root, name);
  const given = metadataOf(fresh.fd);
  takeMetadata(root, entry.mtime_ns ? { ...given, mtimeNs: BigInt(entry.mtime_ns) } : given);
  return modes;
}

/** What leads to a part may have become read-only since it was looked at, and is to be so again, after a crash too. */
function widenWay(layout: Layout, entry: Journal, places: Places, selection: Selection): Mode[] {
  const modes = new Map(entry.modes);
  // Above before below.
  const sorted = () => [...modes].sort(([a], [b]) => (a < b ? -1 : 1));
  const paths = new Set([...waysOf(selection, ''), ...modes.keys()]);
  widenAll(layout, entry.worktree, [...paths].sort(), ([path, mode]) => {
    if (modes.has(path)) return;
    modes.set(path, mode);
    writeJournal(places, { ...entry, modes: sorted() });
  });
  return sorted();
}

function waysOf(selection: Selection, path: string): string[] {
  const below = [...selection].flatMap(([name, next]) =>
    next === 'all' ? [] : waysOf(next, path ? `${path}/${name}` : name),
  );
  return [path, ...below];
}

/**
 * What is renamed, and what it is renamed out of, writable; and the modes of those that are in the worktree in the
 * end, above before below.
 */
function widenStaged(layout: Layout, places: Places, entry: Journal, names: readonly string[]): Mode[] {
  using folder = Directory.open(places.staging);
  const root = widen(folder, lastPart(places.fresh));
  const modes: Mode[] = [];
  const note = (path: string, mode: number | undefined) => {
    if (mode !== undefined) modes.push([path, mode]);
  };
  if (!entry.paths) note('', root);
  if (entry.kind === 'fork') return modes;
  using volume = Directory.open(layout.volume);
  using worktree = openWorktree(volume, layout, entry.worktree);
  using fresh = folder.openDirectory(lastPart(places.fresh));
  const walk = (from: Directory, to: Directory, selection: Selection, path: string): void => {
    for (const [name, below] of selection) {
      const mode = widen(from, name);
      using inner = below === 'all' ? undefined : from.tryOpenDirectory(name);
      using there = inner && to.tryOpenDirectory(name);
      if (below === 'all' || !inner || !there) note(path + name, mode);
      else {
        note(path + name, narrowMode(there));
        walk(inner, there, below, `${path}${name}/`);
      }
    }
  };
  if (entry.paths) note('', narrowMode(worktree));
  walk(fresh, worktree, entry.paths ? selectPaths(entry.paths).selection : all(names), '');
  return modes;
}

function namesThere(layout: Layout, worktree: string): string[] {
  using volume = Directory.open(layout.volume);
  using root = openWorktree(volume, layout, worktree);
  return root.names();
}

const all = (names: readonly string[]): Selection => new Map(names.map((name) => [name, 'all']));

type SetAside = (directory: Directory, name: string) => void;

/** A directory that leads to what is selected is left as it is, or comes along where there is none. */
function placePart(
  fresh: Directory,
  root: Directory,
  selection: Selection,
  setAside: SetAside,
  control: Pick<Control, 'step'>,
): void {
  for (const [name, below] of selection) {
    using from = below === 'all' ? undefined : fresh.tryOpenDirectory(name);
    using to = from && root.tryOpenDirectory(name);
    if (below !== 'all' && from && to) placePart(from, to, below, setAside, control);
    else place(fresh, root, name, setAside);
    control.step('restore-entry');
  }
}

/**
 * Nothing that the snapshot does not hold gives way to it, and what has to move can be moved: asked before anything is
 * touched. `part` is what gives way, all where not given. @throws RepositoryError InvalidArgument, PermissionDenied
 */
function checkWay(layout: Layout, worktree: string, part: Selection | undefined): void {
  using volume = Directory.open(layout.volume);
  using root = openWorktree(volume, layout, worktree);
  const top = layout.payload(worktree).join('/');
  const walk = (directory: Directory, at: Selection, path: string): void => {
    const moves = !part || [...at].some(([name, below]) => below === 'all' || !directory.lstat(name));
    if (moves) checkWritable(directory, `${top}/${path}`);
    for (const [name, below] of at) {
      const there = directory.lstat(name);
      if (!there) continue;
      const place = `${path}${Buffer.from(name, 'latin1')}`;
      if (below === 'all') {
        checkMovable(directory, name, there, `${top}/${place}`);
        continue;
      }
      using next = directory.tryOpenDirectory(name);
      if (next) walk(next, below, `${place}/`);
      else {
        throw new RepositoryError(
          'InvalidArgument',
          `${place} is no directory in worktree ${worktree}, and the snapshot holds a part of one: move it away`,
        );
      }
    }
  };
  walk(root, part ?? all(root.names()), '');
}

/** Where a new worktree goes. @throws RepositoryError PermissionDenied */
function checkFolder(layout: Layout): void {
  ensureDirectory(join(layout.volume, 'worktrees'));
  using folder = Directory.open(join(layout.volume, 'worktrees'));
  checkWritable(folder, 'worktrees');
}

const ATTEMPTS = 100;

function place(fresh: Directory, root: Directory, name: string, setAside: SetAside): void {
  const entry = fresh.lstat(name);
  // Placed before a crash.
  if (!entry) return;
  for (let attempt = 1; ; attempt++) {
    const before = root.lstat(name);
    if (before && (before.kind === 'dir' || entry.kind === 'dir')) setAside(root, name);
    try {
      fresh.rename(name, root, name);
      return;
    } catch (error) {
      // A running program made the name again in between.
      if (attempt === ATTEMPTS || !hasCode(error, 'EEXIST', 'ENOTEMPTY', 'EISDIR', 'ENOTDIR')) throw error;
    }
  }
}

/** @throws RepositoryError InvalidArgument where it is no directory */
function openWorktree(volume: Directory, layout: Layout, worktree: string): Directory {
  const path = layout.payload(worktree);
  try {
    return openOrMake(volume, path);
  } catch (cause) {
    if (!hasCode(cause, 'ENOTDIR', 'ELOOP')) throw cause;
    const message = `${path.join('/')} is no directory on the volume: move it away`;
    throw new RepositoryError('InvalidArgument', message, { cause });
  }
}

/** What a workload put in the worktree's place by now goes aside. */
function openInPlace(volume: Directory, path: string[], setAside: SetAside): Directory {
  for (let attempt = 1; ; attempt++) {
    try {
      return openOrMake(volume, path);
    } catch (error) {
      if (attempt === ATTEMPTS || !hasCode(error, 'ENOTDIR', 'ELOOP', 'EEXIST')) throw error;
    }
    using above = openPath(volume, path.slice(0, -1));
    const name = path.at(-1) ?? '';
    if (above.lstat(name)?.kind !== 'dir') setAside(above, name);
  }
}

function openOrMake(volume: Directory, path: string[]): Directory {
  try {
    return openPath(volume, path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    let above = volume.openDirectory('.');
    for (const name of path) {
      using parent = above;
      above = parent.tryOpenDirectory(name) ?? parent.createDirectory(name);
    }
    return above;
  }
}
