// A descriptor on the disk, as the gRPC contracts say it: for the debug API and for the operator.
import type { SnapshotInput } from '../shared/proto/gen/jvs/agent/v1/Snapshot.ts';
import { toTimestamp } from '../shared/proto/timestamp.ts';
import type { AgentExtension, Descriptor } from './repository/repository.ts';

const requestTagPrefix = 'k8s-';

/** The tag that ties a snapshot to the Snapshot resource it was made for. */
export const requestTag = (uid: string): string => `${requestTagPrefix}${uid}`;

/** Tags that only requests of the operator may carry. */
export const isRequestTag = (tag: string): boolean => tag.startsWith(requestTagPrefix);

const consistency = {
  quiesced: 'CONSISTENCY_QUIESCED',
  'crash-consistent': 'CONSISTENCY_CRASH_CONSISTENT',
  'changed-during-copy': 'CONSISTENCY_CHANGED_DURING_COPY',
} as const satisfies Record<AgentExtension['consistency'], SnapshotInput['consistency']>;

export function toSnapshot(descriptor: Descriptor): SnapshotInput {
  const { agent, tags = [] } = descriptor;
  return {
    id: descriptor.snapshot_id,
    parentId: descriptor.parent_id,
    worktree: descriptor.worktree_name,
    createdAt: timestamp(descriptor.created_at),
    completedAt: timestamp(agent?.completed_at),
    note: descriptor.note,
    tags,
    engine: descriptor.engine,
    effectiveEngine: agent?.effective_engine,
    payloadRootHash: descriptor.payload_root_hash,
    descriptorChecksum: descriptor.descriptor_checksum,
    integrity: descriptor.integrity_state === 'verified' ? 'INTEGRITY_VERIFIED' : 'INTEGRITY_TAMPERED',
    consistency: agent ? consistency[agent.consistency] : 'CONSISTENCY_UNSPECIFIED',
    origin: agent?.origin ?? 'discovered',
    sizeBytes: agent?.size,
    uniqueBytes: agent?.unique_bytes,
    fileCount: agent?.entries,
    skippedCount: Object.values(agent?.skipped ?? {}).reduce((sum, count) => sum + count, 0),
    requestUid: tags.find(isRequestTag)?.slice(requestTagPrefix.length),
  };
}

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
export function wireSizeBound({ note, tags = [], ...descriptor }: Descriptor): number {
  const strings = [note ?? '', descriptor.worktree_name, ...tags];
  return 512 + strings.reduce((sum, text) => sum + 4 + 3 * text.length, 0);
}
