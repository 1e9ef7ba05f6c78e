// The snapshots of a workspace, wherever they are known from, and which of them a question is about. Pure.
import type { Snapshot as AgentSnapshot } from '../shared/proto/gen/jvs/agent/v1/Snapshot.ts';
import type { Worktree as AgentWorktree } from '../shared/proto/gen/jvs/agent/v1/Worktree.ts';
import { toRfc3339 } from '../shared/proto/timestamp.ts';
import type { Snapshot, Worktree } from './objects.ts';

/** Of the output of `history -o json`. Absent is unknown; sizes in bytes. */
export interface HistoryEntry {
  id: string;
  parent?: string | undefined;
  worktree: string;
  /** Of a Snapshot that shows it. */
  name?: string | undefined;
  createdAt?: string | undefined;
  size: number;
  uniqueBytes: number;
  origin: string;
  consistency?: string | undefined;
  damaged: boolean;
  pinned: boolean;
  note: string;
  tags: string[];
  keepReasons: string[];
}

/** Of what the agent lists; `shown` are the Snapshots in the cluster. */
export function entriesOfAgent(listed: readonly AgentSnapshot[], shown: readonly Snapshot[]): HistoryEntry[] {
  const byId = new Map(shown.map((snapshot) => [idOf(snapshot), snapshot]));
  return listed.map((one) => {
    const resource = byId.get(one.id);
    return {
      id: one.id,
      parent: one.parentId || undefined,
      worktree: one.worktree,
      name: resource?.metadata.name,
      createdAt: one.createdAt ? toRfc3339(one.createdAt) : undefined,
      size: one.sizeBytes,
      uniqueBytes: one.uniqueBytes,
      origin: one.origin,
      consistency: word(one.consistency, 'CONSISTENCY_'),
      damaged: one.integrity === 'INTEGRITY_TAMPERED',
      pinned: resource?.spec.pinned ?? false,
      note: one.note,
      tags: userTags(one.tags),
      keepReasons: one.keepReasons,
    };
  });
}

/** Of the Snapshots of a workspace whose data is on its volume. */
export function entriesOfCluster(shown: readonly Snapshot[]): HistoryEntry[] {
  return shown.flatMap((snapshot) => {
    const { metadata, spec, status = {} } = snapshot;
    const id = idOf(snapshot);
    if (!id) return [];
    return {
      id,
      parent: status.parentID || undefined,
      worktree: spec.worktree ?? 'main',
      name: metadata.name,
      createdAt: status.createdAt,
      size: status.size ?? 0,
      uniqueBytes: status.uniqueBytes ?? 0,
      origin: status.origin ?? '',
      consistency: status.consistency,
      damaged: status.integrityState === 'tampered',
      pinned: spec.pinned ?? false,
      note: spec.note ?? '',
      tags: userTags(spec.tags ?? []),
      keepReasons: status.keepReasons ?? [],
    };
  });
}

export const worktreesOfAgent = (listed: readonly AgentWorktree[]): Worktree[] =>
  listed.map(({ name, baseSnapshotId, headSnapshotId, latestSnapshotId }) => ({
    name,
    base: baseSnapshotId,
    head: headSnapshotId,
    latest: latestSnapshotId,
  }));

/** Worktrees by the snapshots that they stand at: `main` at its head, `newest of main` where that is another. */
export function marksOf(worktrees: readonly Worktree[]): Map<string, string[]> {
  const marks = new Map<string, string[]>();
  const mark = (id: string | undefined, text: string) => {
    if (id) marks.set(id, [...(marks.get(id) ?? []), text]);
  };
  for (const { name, head, latest } of worktrees) {
    mark(head, name);
    if (latest !== head) mark(latest, `newest of ${name}`);
  }
  return marks;
}

const idOf = ({ spec, status }: Snapshot) => status?.snapshotID ?? spec.snapshotID;

/** Requests and runs of the schedule have tags of their own, which say nothing to people. */
const userTags = (tags: readonly string[]) => tags.filter((tag) => !/^(k8s|auto)-/.test(tag));

function word(value: string, prefix: string): string | undefined {
  const text = value.replace(prefix, '');
  return text === 'UNSPECIFIED' ? undefined : text.toLowerCase().replaceAll('_', '-');
}
