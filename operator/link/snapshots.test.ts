import { describe, expect, it } from 'vitest';
import type { Snapshot } from '../../shared/proto/gen/jvs/agent/v1/Snapshot.ts';
import { loadLink } from '../../shared/proto/load.ts';
import { SnapshotSet } from './snapshots.ts';

const connect = loadLink().Link.service.Connect;

/** As it comes from the wire, every field set. */
function received(id: string, parentId: string): Snapshot {
  const time = { seconds: 1_700_000_000, nanos: 5 };
  const bytes = connect.requestSerialize({
    snapshot: {
      ...{
        id,
        parentId,
        worktree: 'main',
        createdAt: time,
        completedAt: time,
        note: 'a note',
        tags: ['x', 'y'],
      },
      ...{ engine: 'copy', effectiveEngine: 'reflink-copy', payloadRootHash: 'aa', descriptorChecksum: 'bb' },
      ...{ integrity: 'INTEGRITY_TAMPERED', consistency: 'CONSISTENCY_QUIESCED', origin: 'auto' },
      ...{ sizeBytes: 2 ** 40, uniqueBytes: 1, fileCount: 2, skippedCount: 3, requestUid: 'u' },
    },
  });
  const { snapshot } = connect.requestDeserialize(bytes);
  if (!snapshot) throw new Error('not a snapshot');
  return snapshot;
}

describe('SnapshotSet', () => {
  it('keeps every field of a snapshot', () => {
    const set = new SnapshotSet();
    for (const [id, parent] of [
      ['s1', ''],
      ['s2', 's1'],
      ['s3', 'gone'],
    ] as const) {
      set.set(received(id, parent));
      expect(set.get(id)).toEqual(received(id, parent));
    }
    const bare = connect.requestDeserialize(connect.requestSerialize({ snapshot: { id: 's4' } })).snapshot;
    if (bare) set.set(bare);
    expect(set.get('s4')).toEqual(bare);
  });

  it('knows how much text it holds, through replacement', () => {
    const set = new SnapshotSet();
    set.set(received('s1', ''));
    const once = set.characters;
    set.set({ ...received('s1', ''), note: 'a longer note' });
    expect(set.characters).toBe(once + 'a longer note'.length - 'a note'.length);
    set.set(received('s1', ''));
    expect(set.characters).toBe(once);
  });
});
