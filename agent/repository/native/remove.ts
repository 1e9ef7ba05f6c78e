// Removing a worktree: its configuration and its files. Its snapshots stay; those that no other worktree descends
// from become side branches, pinned against `jvs gc`.
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { RepositoryError, type Worktree } from '../repository.ts';
import { recordOnce } from './audit-log.ts';
import type { Control } from './control.ts';
import { checkWorktree } from './format/names.ts';
import { rfc3339 } from './format/time.ts';
import { Directory, openPath, removeTree } from './fs/directory.ts';
import { hasCode } from './fs/errors.ts';
import { ensureDirectory, readIfThere, writeAtomic } from './fs/files.ts';
import { syncFilesystem } from './fs/volume.ts';
import type { Layout } from './layout.ts';
import { checkMovable, checkWritable, notRemovable, tryRemove, widen } from './movable.ts';
import { pin } from './pins.ts';

const journal = z.object({
  operation: z.string(),
  worktree: z.string(),
  head_snapshot_id: z.optional(z.string()),
});
type Journal = z.infer<typeof journal>;

/**
 * Gone from the disk when it returns.
 * @throws RepositoryError InvalidArgument for main, and where its files are a mount of their own
 */
export async function removeWorktree(
  layout: Layout,
  { name, head_snapshot_id }: Worktree,
  control: Pick<Control, 'step'>,
): Promise<void> {
  if (name === 'main') throw new RepositoryError('InvalidArgument', 'worktree main is never removed');
  const entry: Journal = {
    operation: randomBytes(8).toString('hex'),
    worktree: name,
    ...(head_snapshot_id ? { head_snapshot_id } : {}),
  };
  ensureDirectory(layout.removals);
  checkPlaces(layout, name);
  writeAtomic(journalOf(layout, name), JSON.stringify(entry));
  await syncFilesystem(layout.volume);
  control.step('remove-intended');
  await finish(layout, entry, control, false);
}

export function interruptedRemovals(layout: Layout): string[] {
  if (!existsSync(layout.removals)) return [];
  return readdirSync(layout.removals).flatMap((name) => (name.endsWith('.json') ? [name.slice(0, -5)] : []));
}

/** Removing is finished, never taken back: of the files some are gone already. */
export async function repairRemoval(layout: Layout, worktree: string): Promise<void> {
  const text = readIfThere(journalOf(layout, worktree));
  if (text === undefined) return;
  const entry = journal.parse(JSON.parse(text));
  checkWorktree(entry.worktree);
  await finish(layout, entry, { step: () => {} }, true);
}

/** Asked before anything is touched. @throws RepositoryError PermissionDenied */
function checkPlaces(layout: Layout, worktree: string): void {
  using removals = Directory.open(layout.removals);
  if (!tryRemove(removals, `${worktree}.d`)) throw notRemovable(`remove/${worktree}.d`);
  using volume = Directory.open(layout.volume);
  using folder = volume.tryOpenDirectory('worktrees');
  const entry = folder?.lstat(worktree);
  if (!folder || !entry) return;
  checkWritable(folder, 'worktrees');
  checkMovable(folder, worktree, entry, `worktrees/${worktree}`);
}

function journalOf(layout: Layout, worktree: string): string {
  return join(layout.removals, `${worktree}.json`);
}

async function finish(
  layout: Layout,
  entry: Journal,
  control: Pick<Control, 'step'>,
  again: boolean,
): Promise<void> {
  const { worktree } = entry;
  // Unlisted, it is gone: what is there by now is the workload's own.
  if (existsSync(layout.worktreeConfig(worktree))) setAside(layout, worktree);
  control.step('remove-renamed');
  // First of all, for what follows needs room, which a full volume gets by this.
  {
    using removals = Directory.open(layout.removals);
    tryRemove(removals, `${worktree}.d`);
  }
  control.step('remove-removed');
  // Before the head that protects them goes.
  await pin(layout, worktree);
  {
    using worktrees = Directory.open(layout.worktrees);
    removeTree(worktrees, worktree);
  }
  rmSync(layout.index(worktree), { force: true });
  control.step('remove-unlisted');
  const event = {
    timestamp: rfc3339(Date.now()),
    event_type: 'worktree_remove' as const,
    worktree_name: worktree,
    details: { head_snapshot_id: entry.head_snapshot_id ?? '', operation: entry.operation },
  };
  recordOnce(layout.audit, event, entry.operation, again);
  rmSync(journalOf(layout, worktree), { force: true });
  await syncFilesystem(layout.volume);
}

/**
 * Out of the workload's reach, whatever is there by now: a link, too, is moved, not followed. Beside what was moved before
 * a crash, should the workload have made it again.
 */
function setAside(layout: Layout, worktree: string): void {
  using removals = Directory.open(layout.removals);
  const place = `${worktree}.d`;
  tryRemove(removals, place);
  using aside = removals.tryOpenDirectory(place) ?? removals.createDirectory(place);
  using volume = Directory.open(layout.volume);
  try {
    using folder = openPath(volume, layout.payload(worktree).slice(0, -1));
    // Its mode does not matter any more.
    widen(folder, worktree);
    folder.rename(worktree, aside, randomBytes(8).toString('hex'));
  } catch (cause) {
    if (hasCode(cause, 'ENOENT', 'ENOTDIR', 'ELOOP')) return;
    if (!hasCode(cause, 'EXDEV', 'EBUSY')) throw cause;
    tryRemove(removals, place);
    rmSync(journalOf(layout, worktree), { force: true });
    throw new RepositoryError(
      'InvalidArgument',
      `worktrees/${worktree} is a mount of its own: unmount it, then remove the worktree`,
      { cause },
    );
  }
}
