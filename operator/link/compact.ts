// A thousand agents with a hundred snapshots each are most of the operator's memory; this saves a third of it.
import type { Timestamp } from '../../shared/proto/gen/google/protobuf/Timestamp.ts';
import type { Snapshot } from '../../shared/proto/gen/jvs/agent/v1/Snapshot.ts';

const CAPACITY = 1000;
const LONGEST = 40;
const words = new Map<string, string>();

/** The same snapshot, its fields in one allocation and its words shared with all others. */
export function compact(snapshot: Snapshot, parent: Snapshot | undefined): Snapshot {
  const { createdAt, completedAt, verifiedAt, tags, keepReasons, ...fields } = snapshot;
  return {
    id: fields.id,
    parentId: parent?.id ?? fields.parentId,
    worktree: shared(fields.worktree),
    createdAt: createdAt && time(createdAt),
    completedAt: completedAt && time(completedAt),
    note: fields.note,
    tags: tags.map(shared),
    engine: shared(fields.engine),
    effectiveEngine: shared(fields.effectiveEngine),
    payloadRootHash: fields.payloadRootHash,
    descriptorChecksum: fields.descriptorChecksum,
    integrity: fields.integrity,
    consistency: fields.consistency,
    origin: shared(fields.origin),
    sizeBytes: fields.sizeBytes,
    uniqueBytes: fields.uniqueBytes,
    fileCount: fields.fileCount,
    skippedCount: fields.skippedCount,
    requestUid: fields.requestUid,
    keepReasons: keepReasons.map(shared),
    verifiedAt: verifiedAt && time(verifiedAt),
  };
}

const time = ({ seconds, nanos }: Timestamp): Timestamp => ({ seconds, nanos });

/** One copy of words that come again and again: worktrees, engines, tags. */
function shared(word: string): string {
  const known = words.get(word);
  if (known !== undefined) return known;
  if (words.size < CAPACITY && word.length <= LONGEST) words.set(word, word);
  return word;
}
