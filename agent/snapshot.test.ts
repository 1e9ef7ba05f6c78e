import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { loadAgent } from '../shared/proto/load.ts';
import type { Descriptor } from './repository/repository.ts';
import { toSnapshot, wireSizeBound } from './snapshot.ts';

const { serialize, deserialize } = loadAgent().Snapshot;
const overTheWire = (descriptor: Descriptor) => deserialize(serialize(toSnapshot(descriptor)));

const byJvs: Descriptor = {
  snapshot_id: '1795507921120-0badcafe',
  worktree_name: 'main',
  created_at: '2026-11-24T08:12:01.12Z',
  engine: 'copy',
  payload_root_hash: 'ab'.repeat(32),
  descriptor_checksum: 'cd'.repeat(32),
  integrity_state: 'verified',
};

test('a snapshot of ours arrives with all that its descriptor says', () => {
  const snapshot = overTheWire({
    ...byJvs,
    parent_id: '1795507921000-00000000',
    note: 'before the migration',
    tags: ['release', 'k8s-6f0d7d3a'],
    agent: {
      completed_at: '2026-11-24T08:12:02Z',
      effective_engine: 'copy',
      origin: 'manual',
      consistency: 'changed-during-copy',
      size: 2 ** 40,
      unique_bytes: 7,
      entries: 3,
      skipped: { fifo: 1, socket: 2 },
    },
  });
  expect(snapshot).toMatchObject({
    id: byJvs.snapshot_id,
    parentId: '1795507921000-00000000',
    createdAt: { seconds: 1795507921, nanos: 120_000_000 },
    completedAt: { seconds: 1795507922, nanos: 0 },
    tags: ['release', 'k8s-6f0d7d3a'],
    requestUid: '6f0d7d3a',
    integrity: 'INTEGRITY_VERIFIED',
    consistency: 'CONSISTENCY_CHANGED_DURING_COPY',
    origin: 'manual',
    sizeBytes: 2 ** 40,
    skippedCount: 3,
  });
});

test('a snapshot by the jvs binary is a discovered one, and claims nothing that nobody measured', () => {
  expect(overTheWire(byJvs)).toMatchObject({
    origin: 'discovered',
    completedAt: null,
    consistency: 'CONSISTENCY_UNSPECIFIED',
    effectiveEngine: '',
    requestUid: '',
  });
});

test('a descriptor that does not vouch for itself is tampered, one without a time has none', () => {
  expect(overTheWire({ ...byJvs, integrity_state: 'tampered' }).integrity).toBe('INTEGRITY_TAMPERED');
  expect(overTheWire({ ...byJvs, created_at: 'yesterday' }).createdAt).toBeNull();
});

test('the size bound holds', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.array(fc.string({ unit: 'binary' })), (note, tags) => {
      const descriptor = { ...byJvs, note, tags };
      expect(serialize(toSnapshot(descriptor)).length).toBeLessThanOrEqual(wireSizeBound(descriptor));
    }),
  );
});
