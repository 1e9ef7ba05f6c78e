// A thousand agents with a hundred snapshots each are most of the operator's memory; this saves a third of it.
import type { Timestamp } from '../../shared/proto/gen/google/protobuf/Timestamp.ts';
import type { Snapshot } from '../../shared/proto/gen/jvs/agent/v1/Snapshot.ts';
import { sharedWord } from '../runtime/words.ts';

/** The same snapshot, its fields in one allocation and its words shared with all others. */
export function compact(snapshot: Snapshot, parent: Snapshot | undefined): Snapshot {
  const { createdAt, completedAt, verifiedAt, tags, keepReasons, ...fields } = snapshot;
  return {
    id: fields.id,
    parentId: parent?.id ?? fields.parentId,
    worktree: sharedWord(fields.worktree),
    createdAt: createdAt && time(createdAt),
    completedAt: completedAt && time(completedAt),
    note: fields.note,
    tags: tags.map(sharedWord),
    engine: sharedWord(fields.engine),
    effectiveEngine: sharedWord(fields.effectiveEngine),
    payloadRootHash: fields.payloadRootHash,
    descriptorChecksum: fields.descriptorChecksum,
    integrity: fields.integrity,
    consistency: fields.consistency,
    origin: sharedWord(fields.origin),
    sizeBytes: fields.sizeBytes,
    uniqueBytes: fields.uniqueBytes,
    fileCount: fields.fileCount,
    skippedCount: fields.skippedCount,
    requestUid: fields.requestUid,
    keepReasons: keepReasons.map(sharedWord),
    verifiedAt: verifiedAt && time(verifiedAt),
  };
}

const time = ({ seconds, nanos }: Timestamp): Timestamp => ({ seconds, nanos });
