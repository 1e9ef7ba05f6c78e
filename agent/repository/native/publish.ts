// The steps that make a finished copy a snapshot. `<id>.tmp` and its intent with the descriptor are on disk when
// the first one runs; from then on a crash is repaired forward by running them again.
import { existsSync, lstatSync, renameSync, rmSync } from 'node:fs';
import type { Descriptor, Worktree } from '../repository.ts';
import { appendAudit, auditHas } from './audit-log.ts';
import type { Control } from './control.ts';
import { serializeDescriptor } from './format/descriptor.ts';
import { parseWorktree, serializeWorktree } from './format/worktree.ts';
import { Directory, removeTree } from './fs/directory.ts';
import { hasCode } from './fs/errors.ts';
import { readIfThere, writeAtomic } from './fs/files.ts';
import { removeIntent } from './intent.ts';
import type { Layout } from './layout.ts';
import type { Lease } from './lease.ts';

/** Leaves the repository as it was where a step fails, disk full included. */
export function publish(
  layout: Layout,
  descriptor: Descriptor,
  { lease, control }: { lease: Lease; control: Pick<Control, 'step'> },
): void {
  const id = descriptor.snapshot_id;
  const undo: (() => void)[] = [];
  try {
    renameSync(layout.snapshot(`${id}.tmp`), layout.snapshot(id));
    undo.push(() => renameSync(layout.snapshot(id), layout.snapshot(`${id}.tmp`)));
    control.step('renamed');
    undo.push(() => rmSync(layout.descriptor(id), { force: true }));
    writeAtomic(layout.descriptor(id), serializeDescriptor(descriptor));
    control.step('descriptor-written');
    const record = appendAudit(layout.audit, auditEvent(descriptor));
    undo.push(() => record.undo());
    control.step('audited');
    advanceHead(layout, descriptor);
    control.step('advanced');
  } catch (error) {
    // Who has taken over has finished it: there is nothing to take back any more.
    if (lease.held) for (const step of undo.reverse()) step();
    throw error;
  }
  removeIntent(layout, id);
}

/** The same after a crash: every step may have been done. */
export function publishAgain(layout: Layout, descriptor: Descriptor): void {
  // A power cut can leave the file without its content.
  writeAtomic(layout.descriptor(descriptor.snapshot_id), serializeDescriptor(descriptor));
  if (!auditHas(layout.audit, 'snapshot_create', descriptor.snapshot_id)) {
    appendAudit(layout.audit, auditEvent(descriptor));
  }
  advanceHead(layout, descriptor);
  removeIntent(layout, descriptor.snapshot_id);
}

/** Removes an unpublished copy and its intent. */
export function discard(layout: Layout, id: string): void {
  using snapshots = Directory.open(layout.snapshots);
  removeTree(snapshots, `${id}.tmp`);
  removeIntent(layout, id);
}

export function isPublished(layout: Layout, id: string): boolean {
  return existsSync(layout.snapshot(id)) && lstatSync(layout.snapshot(id)).isDirectory();
}

export function readConfig(layout: Layout, worktree: string): Worktree | undefined {
  try {
    const text = readIfThere(layout.worktreeConfig(worktree));
    return text === undefined ? undefined : parseWorktree(text, worktree);
  } catch (error) {
    if (hasCode(error, 'ENOTDIR')) return undefined; // somebody's file among the worktrees
    throw error;
  }
}

function advanceHead(layout: Layout, descriptor: Descriptor): void {
  const config = readConfig(layout, descriptor.worktree_name);
  if (!config || (config.head_snapshot_id ?? '') !== (descriptor.parent_id ?? '')) return;
  const id = descriptor.snapshot_id;
  const advanced = { ...config, head_snapshot_id: id, latest_snapshot_id: id };
  writeAtomic(layout.worktreeConfig(config.name), serializeWorktree(advanced));
}

function auditEvent(d: Descriptor) {
  return {
    timestamp: d.agent?.completed_at ?? d.created_at,
    event_type: 'snapshot_create' as const,
    snapshot_id: d.snapshot_id,
    worktree_name: d.worktree_name,
    details: { engine: d.engine, note: d.note ?? '', checksum: d.descriptor_checksum },
  };
}
