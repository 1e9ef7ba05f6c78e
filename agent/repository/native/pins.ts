// The jvs binary's `gc` takes every snapshot older than a day that no worktree's head descends from. A side
// branch, such as what is newer than a restored snapshot, is pinned so that it stays.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Descriptor, RepositoryError } from '../repository.ts';
import { indentedJson } from './format/json.ts';
import { rfc3339 } from './format/time.ts';
import { ensureDirectory, writeAtomic } from './fs/files.ts';
import type { Layout } from './layout.ts';
import { readConfig } from './publish.ts';
import { listSnapshots } from './reader.ts';

const PREFIX = 'agent-';

/** Snapshots that are no ancestor of a head. */
export function sideBranches(all: readonly Descriptor[], heads: readonly string[]): string[] {
  const parents = new Map(all.map((d) => [d.snapshot_id, d.parent_id]));
  const reached = new Set<string>();
  for (let id of heads as readonly (string | undefined)[]) {
    while (id && !reached.has(id)) {
      reached.add(id);
      id = parents.get(id);
    }
  }
  return [...parents.keys()].filter((id) => !reached.has(id));
}

/** Keeps our pins to exactly the side branches; other pins are not touched. */
function pinSideBranches(layout: Layout, all: readonly Descriptor[], heads: readonly string[]): void {
  const wanted = new Set(sideBranches(all, heads).map((id) => `${PREFIX}${id}.json`));
  const there = existsSync(layout.pins) ? readdirSync(layout.pins).filter((f) => f.startsWith(PREFIX)) : [];
  for (const file of there) if (!wanted.has(file)) rmSync(join(layout.pins, file), { force: true });
  if (wanted.size > 0) ensureDirectory(layout.pins);
  for (const file of wanted) {
    if (there.includes(file)) continue;
    const pin = {
      snapshot_id: file.slice(PREFIX.length, -'.json'.length),
      pinned_at: rfc3339(Date.now()),
      reason: 'kept by the jvs agent: on a side branch',
    };
    writeAtomic(join(layout.pins, file), indentedJson(pin));
  }
}

/**
 * The same for what is on the volume now, with the heads of all worktrees but `gone`. In 0.4, history is a line: there
 * are no side branches.
 */
export async function pin(layout: Layout, gone?: string): Promise<void> {
  if (layout.generation === '0.4') return;
  const names = readdirSync(layout.worktrees).filter((name) => name !== gone);
  const heads = names.flatMap((name) => knownHead(layout, name) ?? []);
  pinSideBranches(layout, await listSnapshots(layout), heads);
}

/** One that can not be known only means more pins. */
function knownHead(layout: Layout, worktree: string): string | undefined {
  try {
    return readConfig(layout, worktree)?.head_snapshot_id;
  } catch (error) {
    if (error instanceof RepositoryError) return undefined;
    throw error;
  }
}
