// What a crash left behind, put right. To be called under the lease only.
import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../../../shared/log.ts';
import { interruptedDeletions, repairDeletion } from './delete.ts';
import { idTime, isSnapshotId } from './format/names.ts';
import { Directory } from './fs/directory.ts';
import { discardImport, hasAbandonedImport } from './import.ts';
import { readIntents } from './intent.ts';
import type { Layout } from './layout.ts';
import { tryRemove } from './movable.ts';
import { discard, isPublished, publishAgain } from './publish.ts';
import { interruptedRemovals, repairRemoval } from './remove.ts';
import { interruptedRestores, repairRestore } from './restore.ts';

/** The jvs binary takes no lease: its traces are debris only when nothing can be at work on them any more. */
export const FOREIGN_MS = 3_600_000;

export type RepairLog = Pick<Logger, 'info'>;

/** Whether `repair` would have anything to look at. */
export function hasDebris(layout: Layout): boolean {
  return (
    readdirSync(layout.intents).length > 0 ||
    temporarySnapshots(layout).length > 0 ||
    interruptedRestores(layout).length > 0 ||
    interruptedDeletions(layout).length > 0 ||
    interruptedRemovals(layout).length > 0 ||
    hasAbandonedImport(layout)
  );
}

/** Finishes what was committed before a crash and removes what was not. */
export async function repair(layout: Layout, now: number, log?: RepairLog): Promise<void> {
  for (const id of interruptedDeletions(layout)) {
    await repairDeletion(layout, id);
    log?.info({ snapshot: id }, 'finished deleting a snapshot');
  }
  repairSnapshots(layout, now, log);
  for (const worktree of interruptedRestores(layout)) {
    const outcome = await repairRestore(layout, worktree);
    log?.info({ worktree }, `${outcome} a restore that a crash interrupted`);
  }
  for (const worktree of interruptedRemovals(layout)) {
    await repairRemoval(layout, worktree);
    log?.info({ worktree }, 'finished removing a worktree');
  }
  if (hasAbandonedImport(layout)) {
    discardImport(layout);
    log?.info({}, 'removed what was received of a snapshot that nobody waits for any more');
  }
}

function repairSnapshots(layout: Layout, now: number, log?: RepairLog): void {
  const foreign = new Set<string>();
  for (const { id, ours, descriptor } of readIntents(layout)) {
    const published = isPublished(layout, id);
    if (ours && published && descriptor) {
      publishAgain(layout, descriptor);
      log?.info({ snapshot: id }, 'finished a snapshot that was published before a crash');
    } else if (ours || !recent(layout, id, now)) {
      discard(layout, id);
      log?.info({ snapshot: id }, 'removed what a crash left of an unfinished snapshot');
    } else {
      foreign.add(id);
    }
  }
  for (const id of temporarySnapshots(layout)) {
    if (foreign.has(id) || recent(layout, id, now)) continue;
    discard(layout, id);
    log?.info({ snapshot: id }, 'removed an unfinished snapshot that no program is working on');
  }
}

/**
 * What restores and removals replaced, and a crash or its owner kept from being removed. For who opens the volume: what
 * may not be removed is walked each time. Whether something was there.
 */
export function removeReplaced(layout: Layout, log?: RepairLog): boolean {
  const all = replaced(layout);
  for (const { folder, name } of all) {
    using directory = Directory.open(folder);
    if (tryRemove(directory, name)) continue;
    const path = join(folder, name);
    log?.info({ path }, 'the agent may not remove all that was replaced: remove it as root');
  }
  return all.length > 0;
}

/** What restores and removals have replaced and is there still. */
export function replaced({ restores, removals }: Layout): { folder: string; name: string }[] {
  return [restores, removals].flatMap((folder) =>
    namesIn(folder).flatMap((name) => (name.endsWith('.d') ? { folder, name } : [])),
  );
}

/** Removes our half-written small files. Theirs is another name: `.jvs-tmp-` and a number. */
export function removeTemporaryFiles(layout: Layout): void {
  const { descriptors, intents, indexes, leases, restores, deletions, removals, pins, imports } = layout;
  const folders = [descriptors, intents, indexes, leases, restores, deletions, removals, pins, imports];
  for (const worktree of readdirSync(layout.worktrees)) folders.push(join(layout.worktrees, worktree));
  // Of an agent that was stopped while it made the repository, or that is about to see that there is one.
  for (const name of namesIn(layout.volume)) {
    if (name.startsWith('.jvs-init-')) rmSync(join(layout.volume, name), { recursive: true, force: true });
  }
  for (const folder of folders) {
    for (const name of namesIn(folder)) {
      if (/^\.jvs-tmp-.+-[0-9a-f]{8}$/.test(name)) rmSync(join(folder, name), { force: true });
    }
  }
}

function temporarySnapshots(layout: Layout): string[] {
  return readdirSync(layout.snapshots).flatMap((name) => {
    const id = name.replace(/\.tmp$/, '');
    return name !== id && isSnapshotId(id) ? [id] : [];
  });
}

function recent(layout: Layout, id: string, now: number): boolean {
  const stats = lstatSync(layout.snapshot(`${id}.tmp`), { throwIfNoEntry: false });
  return now - Math.max(idTime(id), stats?.mtimeMs ?? 0) < FOREIGN_MS;
}

export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
