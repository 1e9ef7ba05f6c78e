// Looks for everything that a crash, ours or the jvs binary's, or a hand on the volume can leave behind, and
// repairs what can be repaired without guessing. To be called under the lease only.
import { lstatSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Descriptor, Finding, Worktree } from '../repository.ts';
import { brokenAuditLines } from './audit-log.ts';
import { dropBrokenSnapshot, readWorktrees } from './delete.ts';
import { descriptorChecksum, parseDescriptor } from './format/descriptor.ts';
import { isSnapshotId } from './format/names.ts';
import { Directory, metadataOf, removeTree } from './fs/directory.ts';
import { readIfThere } from './fs/files.ts';
import type { Layout } from './layout.ts';
import { setModes, takeMetadata, widen } from './movable.ts';
import { FOREIGN_MS, namesIn, replaced } from './repair.ts';

interface Problem extends Omit<Finding, 'repaired'> {
  fix?: () => void | Promise<void>;
}

/** Without `repair` nothing is changed. */
export async function examine(layout: Layout, repair: boolean, now: number): Promise<Finding[]> {
  const descriptors = readDescriptors(layout);
  const worktrees = readWorktrees(layout);
  const problems = [
    ...leftovers(layout, now),
    ...unremoved(layout),
    ...payloads(layout, worktrees, now),
    ...halves(layout, descriptors, worktrees, now),
    ...references(layout, descriptors, worktrees),
    ...audit(layout),
  ];
  const findings: Finding[] = [];
  for (const { fix, ...problem } of problems) {
    if (repair) await fix?.();
    findings.push({ ...problem, repaired: repair && fix !== undefined });
  }
  return findings;
}

function readDescriptors(layout: Layout): Map<string, Descriptor | undefined> {
  const found = new Map<string, Descriptor | undefined>();
  for (const name of readdirSync(layout.descriptors)) {
    const id = name.replace(/\.json$/, '');
    const text = isSnapshotId(id) ? readIfThere(layout.descriptor(id)) : undefined;
    if (text === undefined) continue;
    try {
      found.set(id, parseDescriptor(text, id));
    } catch {
      found.set(id, undefined);
    }
  }
  return found;
}

/** Whether no program is at work there any more. */
function settled(path: string, now: number): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats !== undefined && now - Math.max(stats.mtimeMs, stats.ctimeMs) > FOREIGN_MS;
}

function remove(parent: string, name: string): () => void {
  return () => {
    using directory = Directory.open(parent);
    removeTree(directory, name);
  };
}

/** Temporary files and directories of either program. */
function* leftovers(layout: Layout, now: number): Generator<Problem> {
  const places: [string, RegExp][] = [
    [layout.volume, /^\.jvs-(reflink-test-|init-)/],
    ...[layout.jvs, layout.descriptors, layout.intents, join(layout.jvs, 'gc')].map(
      (folder): [string, RegExp] => [folder, /^\.jvs-tmp-/],
    ),
    ...readdirSync(layout.worktrees).map((name): [string, RegExp] => [
      join(layout.worktrees, name),
      /^\.jvs-tmp-/,
    ]),
    [layout.snapshots, /^\d{13}-[0-9a-f]{8}\.tmp$/],
    [layout.agent, /^import$/],
  ];
  for (const [folder, pattern] of places) {
    for (const name of namesIn(folder)) {
      const path = join(folder, name);
      if (!pattern.test(name) || !settled(path, now)) continue;
      yield {
        category: 'debris',
        severity: 'warning',
        description: 'left by a program that was stopped',
        path,
        fix: remove(folder, name),
      };
    }
  }
  for (const name of namesIn(layout.intents)) {
    const path = join(layout.intents, name);
    if (name.startsWith('.') || !settled(path, now)) continue;
    const fix = () => rmSync(path, { force: true });
    yield {
      category: 'debris',
      severity: 'warning',
      description: 'a snapshot was begun and not finished',
      path,
      fix,
    };
  }
}

/** What who opens the volume removes first is there still: the agent may not. */
function* unremoved(layout: Layout): Generator<Problem> {
  for (const { folder, name } of replaced(layout)) {
    yield {
      category: 'debris',
      severity: 'warning',
      description: 'has parts that the agent may not remove as its user: remove it as root',
      path: join(folder, name),
    };
  }
}

/** A restore by the jvs binary moves the payload away, moves the new one in, and deletes the old. */
function* payloads(layout: Layout, worktrees: Worktree[], now: number): Generator<Problem> {
  const own = new Set(worktrees.map(({ name }) => join(layout.volume, ...layout.payload(name))));
  for (const { name } of worktrees) {
    const location = layout.payload(name);
    const payload = location.at(-1) ?? name;
    const folder = join(layout.volume, ...location.slice(0, -1));
    const path = join(folder, payload);
    const missing = isMissing(path);
    const siblings = namesIn(folder).filter((one) => !own.has(join(folder, one)));
    const moving = `${payload}.moving-back`;
    const begun = siblings.includes(moving);
    const backups = begun ? [moving] : siblings.filter((n) => n.startsWith(`${payload}.restore-backup-`));
    // Empty, it was made again by who mounts it: the backup is the only copy.
    const lost = begun || missing || (backups.length > 0 && isEmpty(path));
    if (lost) {
      const [backup, ...more] = backups;
      // A restore of nothing leaves an empty payload too, and may be at work.
      const certain =
        backup &&
        more.length === 0 &&
        (begun ? !haveCommon(join(folder, moving), path) : missing || settled(join(folder, backup), now));
      const fix = certain
        ? () => moveBack(layout, name, join(folder, backup), join(folder, moving))
        : undefined;
      yield {
        category: 'worktree',
        severity: 'critical',
        description: fix
          ? `the files of worktree ${name} were moved to ${backup} by a restore that was stopped`
          : backup
            ? `the files of worktree ${name} are in ${backups.join(' or ')}: move that to ${payload} if no restore is at work`
            : `the files of worktree ${name} are gone: restore a snapshot into it`,
        path,
        ...(fix ? { fix } : {}),
      };
    }
    const copies = siblings.filter((n) => n.startsWith(`${payload}.restore-tmp-`));
    for (const debris of lost ? copies : [...copies, ...backups]) {
      if (!settled(join(folder, debris), now)) continue;
      yield {
        category: 'debris',
        severity: 'warning',
        description: 'left by a restore that was stopped',
        path: join(folder, debris),
        fix: remove(folder, debris),
      };
    }
  }
}

/**
 * What runs may have the payload mounted: where it is there, it stays, and gets what is in the backup. Under the other
 * name, that is not debris beside a payload while it is moved.
 */
function moveBack(layout: Layout, worktree: string, backup: string, moving: string): void {
  const path = join(layout.volume, ...layout.payload(worktree));
  if (isMissing(path)) {
    renameSync(backup, path);
    return;
  }
  renameSync(backup, moving);
  using folder = Directory.open(dirname(path));
  const own = widen(folder, basename(moving));
  using from = Directory.open(moving);
  using to = Directory.open(path);
  for (const name of from.names()) {
    const mode = widen(from, name);
    from.rename(name, to, name);
    if (mode !== undefined) setModes(layout, worktree, [[name, mode]]);
  }
  if (own !== undefined) from.setMode(own);
  takeMetadata(to, metadataOf(from.fd));
  rmdirSync(moving);
}

function haveCommon(one: string, other: string): boolean {
  const names = new Set(namesIn(one));
  return namesIn(other).some((name) => names.has(name));
}

const isMissing = (path: string): boolean => !lstatSync(path, { throwIfNoEntry: false });

function isEmpty(path: string): boolean {
  try {
    return lstatSync(path).isDirectory() && readdirSync(path).length === 0;
  } catch {
    return false;
  }
}

/** A snapshot is its directory and its descriptor: one without the other is none. */
function* halves(
  layout: Layout,
  descriptors: Map<string, Descriptor | undefined>,
  worktrees: Worktree[],
  now: number,
): Generator<Problem> {
  const directories = new Set(readdirSync(layout.snapshots).filter(isSnapshotId));
  for (const id of directories) {
    const path = layout.snapshot(id);
    if (descriptors.has(id) || !settled(path, now)) continue;
    yield {
      category: 'snapshot',
      severity: 'error',
      description: `snapshot ${id} was stopped before it was described: its maker was not told that it is there`,
      path,
      fix: remove(layout.snapshots, id),
    };
  }
  for (const [id, descriptor] of descriptors) {
    const path = layout.descriptor(id);
    if (!descriptor) {
      yield {
        category: 'snapshot',
        severity: 'critical',
        description: `the descriptor of ${id} can not be read`,
        path,
      };
    } else if (!directories.has(id)) {
      const used = worktrees.some((w) => w.head_snapshot_id === id || w.base_snapshot_id === id);
      yield {
        category: 'snapshot',
        severity: 'critical',
        description: `the files of snapshot ${id} are gone${used ? '' : '; its children get its parent'}`,
        path,
        // Read again: another fix may have given it another parent.
        ...(used ? {} : { fix: () => dropBrokenSnapshot(layout, id, [...readDescriptors(layout).values()]) }),
      };
    } else if (descriptorChecksum(descriptor) !== descriptor.descriptor_checksum) {
      const description = `the descriptor of ${id} does not match its checksum: it was changed by hand`;
      yield { category: 'integrity', severity: 'critical', description, path };
    }
  }
}

function* references(
  layout: Layout,
  descriptors: Map<string, Descriptor | undefined>,
  worktrees: Worktree[],
): Generator<Problem> {
  for (const { name, head_snapshot_id, latest_snapshot_id } of worktrees) {
    for (const id of new Set([head_snapshot_id, latest_snapshot_id])) {
      if (!id || descriptors.has(id)) continue;
      yield {
        category: 'worktree',
        severity: id === head_snapshot_id ? 'critical' : 'error',
        description: `worktree ${name} refers to snapshot ${id}, which is gone: restore another one into it`,
        path: layout.worktreeConfig(name),
      };
    }
  }
  for (const [id, descriptor] of descriptors) {
    const parent = descriptor?.parent_id;
    if (!parent || descriptors.has(parent)) continue;
    yield {
      category: 'lineage',
      severity: 'error',
      description: `the parent of snapshot ${id}, ${parent}, is gone: history stops there`,
      path: layout.descriptor(id),
    };
  }
}

function* audit(layout: Layout): Generator<Problem> {
  for (const line of brokenAuditLines(layout.audit)) {
    yield {
      category: 'audit',
      severity: 'warning',
      description: `line ${line} of the audit log does not follow from the one before`,
      path: layout.audit,
    };
  }
}
