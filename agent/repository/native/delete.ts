// Deleting a snapshot anywhere in a chain. Its children become children of its parent, so that history stays
// whole and no other program's garbage collection takes the survivors.
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { type Descriptor, RepositoryError, type Worktree } from '../repository.ts';
import { recordOnce } from './audit-log.ts';
import type { Control } from './control.ts';
import { parseDescriptor, readyMarker, sealed, serializeDescriptor } from './format/descriptor.ts';
import { READY } from './format/payload.ts';
import { rfc3339 } from './format/time.ts';
import { serializeWorktree } from './format/worktree.ts';
import { writeTimes } from './fs/attributes.ts';
import { Directory, metadataOf, removeTree } from './fs/directory.ts';
import { hasCode } from './fs/errors.ts';
import { ensureDirectory, readIfThere, writeAtomic } from './fs/files.ts';
import { syncFilesystem } from './fs/volume.ts';
import type { Layout } from './layout.ts';
import { readConfig } from './publish.ts';

const journal = z.object({
  operation: z.string(),
  snapshot_id: z.string(),
  parent_id: z.optional(z.string()),
  /** Ids of the children. */
  children: z.array(z.string()),
  /** Worktrees that need the snapshot fall back to its parent too. */
  even_heads: z.optional(z.boolean()),
});
type Journal = z.infer<typeof journal>;

/** What has to be asked before: these go only with `evenHeads`. Undefined where deleting is fine. */
export function whyKept(id: string, worktrees: readonly Worktree[]): string | undefined {
  for (const { name, head_snapshot_id, base_snapshot_id } of worktrees) {
    if (head_snapshot_id === id) return `it is the head of worktree ${name}: restore another one there first`;
    if (base_snapshot_id === id) return `worktree ${name} is based on it: remove that worktree first`;
  }
  return undefined;
}

export function readWorktrees(layout: Layout): Worktree[] {
  return readdirSync(layout.worktrees).flatMap((name) => readConfig(layout, name) ?? []);
}

/**
 * Gone from the disk when it returns. `all`: every listed snapshot.
 * @throws RepositoryError InvalidArgument where a worktree needs the snapshot, without `evenHeads`
 */
export async function deleteSnapshot(
  layout: Layout,
  target: Descriptor,
  all: readonly Descriptor[],
  control: Pick<Control, 'step'>,
  evenHeads = false,
): Promise<void> {
  const id = target.snapshot_id;
  const kept = evenHeads ? undefined : whyKept(id, readWorktrees(layout));
  if (kept) throw new RepositoryError('InvalidArgument', `snapshot ${id} can not be deleted: ${kept}`);
  const entry: Journal = {
    operation: randomBytes(8).toString('hex'),
    snapshot_id: id,
    ...(target.parent_id ? { parent_id: target.parent_id } : {}),
    children: all.filter((d) => d.parent_id === id).map((d) => d.snapshot_id),
    ...(evenHeads ? { even_heads: true } : {}),
  };
  ensureDirectory(layout.deletions);
  writeAtomic(journalOf(layout, id), JSON.stringify(entry));
  await syncFilesystem(layout.volume);
  control.step('delete-intended');
  await finish(layout, entry, control, false);
}

/** The same for what is left of a snapshot whose files are gone. */
export async function dropBrokenSnapshot(
  layout: Layout,
  id: string,
  all: readonly (Descriptor | undefined)[],
): Promise<void> {
  const known = all.filter((d) => d !== undefined);
  const target = known.find((d) => d.snapshot_id === id);
  if (target) await deleteSnapshot(layout, target, known, { step: () => {} });
}

export function interruptedDeletions(layout: Layout): string[] {
  if (!existsSync(layout.deletions)) return [];
  return readdirSync(layout.deletions).flatMap((name) => (name.endsWith('.json') ? [name.slice(0, -5)] : []));
}

/** Deleting is finished, never taken back: a child may have its new parent already. */
export async function repairDeletion(layout: Layout, id: string): Promise<void> {
  const text = readIfThere(journalOf(layout, id));
  if (text !== undefined) await finish(layout, journal.parse(JSON.parse(text)), { step: () => {} }, true);
}

function journalOf(layout: Layout, id: string): string {
  return join(layout.deletions, `${id}.json`);
}

async function finish(
  layout: Layout,
  entry: Journal,
  control: Pick<Control, 'step'>,
  again: boolean,
): Promise<void> {
  const id = entry.snapshot_id;
  for (const child of entry.children) reparent(layout, child, entry);
  control.step('delete-reparented');
  for (const config of readWorktrees(layout)) {
    const without = fallBack(config, entry);
    if (without) writeAtomic(layout.worktreeConfig(config.name), serializeWorktree(without));
  }
  control.step('delete-fallen-back');
  rmSync(layout.descriptor(id), { force: true });
  control.step('delete-unlisted');
  const trash = layout.snapshot(`${id}.tmp`);
  if (existsSync(layout.snapshot(id))) renameSync(layout.snapshot(id), trash);
  control.step('delete-renamed');
  {
    using snapshots = Directory.open(layout.snapshots);
    removeTree(snapshots, `${id}.tmp`);
  }
  rmSync(join(layout.pins, `agent-${id}.json`), { force: true });
  control.step('delete-removed');
  const event = {
    timestamp: rfc3339(Date.now()),
    event_type: 'gc_run' as const,
    snapshot_id: id,
    details: { plan_id: `agent-${entry.operation}`, deleted_count: 1 },
  };
  recordOnce(layout.audit, event, entry.operation, again);
  rmSync(journalOf(layout, id), { force: true });
  await syncFilesystem(layout.volume);
}

/** The worktree without the snapshot; undefined where it does not name it. */
function fallBack(
  config: Worktree,
  { snapshot_id: id, parent_id, even_heads }: Journal,
): Worktree | undefined {
  const moves = (at: string | undefined) => even_heads === true && at === id;
  const { head_snapshot_id: head, base_snapshot_id: base, latest_snapshot_id: latest } = config;
  if (latest !== id && !moves(head) && !moves(base)) return undefined;
  const now = {
    ...config,
    head_snapshot_id: (moves(head) ? parent_id : head) ?? '',
    base_snapshot_id: (moves(base) ? parent_id : base) ?? '',
  };
  // What `restore HEAD` of the jvs binary goes to.
  return { ...now, latest_snapshot_id: (latest === id ? parent_id : latest) ?? now.head_snapshot_id };
}

function reparent(layout: Layout, child: string, entry: Journal): void {
  const text = readIfThere(layout.descriptor(child));
  if (text === undefined) return;
  const { parent_id, ...rest } = parseDescriptor(text, child);
  if (parent_id !== entry.snapshot_id) return;
  const moved = sealed({ ...rest, ...(entry.parent_id ? { parent_id: entry.parent_id } : {}) });
  // The marker first: the descriptor tells that this step is done.
  const marker = join(layout.snapshot(child), READY);
  try {
    using top = Directory.open(layout.snapshot(child));
    const { mtimeNs } = metadataOf(top.fd);
    // Nothing half-written among the snapshot's files: it would count as one of them.
    writeAtomic(marker, readyMarker(moved, moved.agent?.completed_at ?? moved.created_at), {
      folder: layout.deletions,
    });
    // The worktree's root had that.
    writeTimes(top.fd, mtimeNs);
  } catch (error) {
    // Nobody checks it: not worth more than a child whose files are gone, or whose top is read-only.
    if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES')) throw error;
  }
  writeAtomic(layout.descriptor(child), serializeDescriptor(moved));
}
