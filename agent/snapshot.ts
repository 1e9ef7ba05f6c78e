// A descriptor or worktree on the disk, as the gRPC contracts say it: for the debug API and for the operator.
import type { SnapshotInput } from '../shared/proto/gen/jvs/agent/v1/Snapshot.ts';
import type { WorktreeInput } from '../shared/proto/gen/jvs/agent/v1/Worktree.ts';
import { toTimestamp } from '../shared/proto/timestamp.ts';
import type { AgentExtension, Descriptor, Worktree } from './repository/repository.ts';

const requestTagPrefix = 'k8s-';

/** The tag that ties a snapshot to the Snapshot resource it was made for. */
export const requestTag = (uid: string): string => `${requestTagPrefix}${uid}`;

/** The tag of what was taken before a restore; later ones of the same restore have a number added. */
export const beforeTag = (uid: string): string => `${requestTag(uid)}-before`;

/** Whether it ties a snapshot to a resource. */
export const isRequestTag = (tag: string): boolean => tag.startsWith(requestTagPrefix);

/** The tag that ties a snapshot to the run of the schedule it was made for. */
export const scheduleTag = (scheduledFor: Date): string => `auto-${scheduledFor.getTime() / 1000}`;

const isScheduleTag = (tag: string): boolean => /^auto-\d+$/.test(tag);

/** Tags that make a snapshot the answer to something: whoever else used one would keep that from being made. */
export const isReservedTag = (tag: string): boolean => isRequestTag(tag) || isScheduleTag(tag);

/** What is known of a snapshot beyond its descriptor. */
export interface SnapshotNotes {
  /** Why retention keeps it; none where it would go. */
  keepReasons?: readonly string[];
  /** RFC 3339: when its files were last read and compared with their hash. */
  verifiedAt?: string;
  /** What did not hold then. */
  damage?: string;
}

const consistency = {
  quiesced: 'CONSISTENCY_QUIESCED',
  'crash-consistent': 'CONSISTENCY_CRASH_CONSISTENT',
  'changed-during-copy': 'CONSISTENCY_CHANGED_DURING_COPY',
} as const satisfies Record<AgentExtension['consistency'], SnapshotInput['consistency']>;

export function toSnapshot(descriptor: Descriptor, notes: SnapshotNotes = {}): SnapshotInput {
  const { agent, tags = [] } = descriptor;
  return {
    id: descriptor.snapshot_id,
    parentId: descriptor.parent_id,
    worktree: descriptor.worktree_name,
    createdAt: timestamp(descriptor.created_at),
    completedAt: timestamp(agent?.completed_at),
    note: descriptor.note,
    // Its note says for when it was scheduled.
    tags: tags.filter((tag) => !isScheduleTag(tag)),
    engine: descriptor.engine,
    effectiveEngine: agent?.effective_engine,
    payloadRootHash: descriptor.payload_root_hash,
    descriptorChecksum: descriptor.descriptor_checksum,
    integrity: isDamaged(descriptor, notes) ? 'INTEGRITY_TAMPERED' : 'INTEGRITY_VERIFIED',
    consistency: agent ? consistency[agent.consistency] : 'CONSISTENCY_UNSPECIFIED',
    origin: agent?.origin ?? 'discovered',
    sizeBytes: agent?.size,
    uniqueBytes: agent?.unique_bytes,
    fileCount: agent?.entries,
    skippedCount: Object.values(agent?.skipped ?? {}).reduce((sum, count) => sum + count, 0),
    requestUid: tags.find(isRequestTag)?.slice(requestTagPrefix.length),
    keepReasons: [...(notes.keepReasons ?? [])],
    verifiedAt: timestamp(notes.verifiedAt),
  };
}

export function toWorktree(worktree: Worktree): WorktreeInput {
  return {
    name: worktree.name,
    baseSnapshotId: worktree.base_snapshot_id,
    headSnapshotId: worktree.head_snapshot_id,
    latestSnapshotId: worktree.latest_snapshot_id,
    createdAt: timestamp(worktree.created_at),
  };
}

/** By what its descriptor says or what was found when it was last verified. */
export const isDamaged = ({ integrity_state }: Descriptor, { damage }: SnapshotNotes = {}): boolean =>
  integrity_state !== 'verified' || damage !== undefined;

// A descriptor that someone wrote by hand must not keep the others from being listed.
function timestamp(rfc3339: string | undefined) {
  try {
    return rfc3339 === undefined ? null : toTimestamp(rfc3339);
  } catch {
    return null;
  }
}

/**
 * Upper bound of the snapshot's bytes on the wire, without serialising it: strings at three bytes a UTF-16 unit,
 * and room for the numbers, hashes and tags' framing.
 */
export function wireSizeBound(
  { note, tags = [], ...descriptor }: Descriptor,
  { keepReasons = [] }: SnapshotNotes = {},
): number {
  const strings = [note ?? '', descriptor.worktree_name, ...tags, ...keepReasons];
  return 512 + strings.reduce((sum, text) => sum + 4 + 3 * text.length, 0);
}
