import { expect, test } from 'vitest';
import { auditLine, checkAuditLine, lastRecordHash } from './audit.ts';
import { descriptorChecksum, parseDescriptor, sealed, serializeDescriptor } from './descriptor.ts';
import { canonicalJson, indentedJson } from './json.ts';
import { checkNote, checkSnapshotId, checkTags, checkWorktree, idTime, newSnapshotId } from './names.ts';
import { rfc3339, trimFraction } from './time.ts';

test('canonical JSON is that of Go', () => {
  expect(canonicalJson({ b: [1, 'x'], a: '<&>"\\\t\b\f\n\r\u0001\u2028é\u007f', z: undefined })).toBe(
    `${String.raw`{"a":"\u003c\u0026\u003e\"\\\t\b\f\n\r\u0001\u2028é`}\u007f","b":[1,"x"]}`,
  );
  expect(canonicalJson({ é: 1, z: 2, Z: 3 })).toBe('{"Z":3,"z":2,"é":1}');
  expect(canonicalJson({ a: '\ud800' })).toBe('{"a":"\ufffd"}');
  expect(indentedJson({ a: 'x', list: ['y'], none: [] })).toBe(
    '{\n  "a": "x",\n  "list": [\n    "y"\n  ],\n  "none": []\n}',
  );
});

test('times lose trailing zeros', () => {
  expect(trimFraction('2026-11-24T03:57:05.120Z')).toBe('2026-11-24T03:57:05.12Z');
  expect(trimFraction('2026-11-24T03:57:05.000Z')).toBe('2026-11-24T03:57:05Z');
  expect(trimFraction('2026-11-24T03:57:10Z')).toBe('2026-11-24T03:57:10Z');
  expect(rfc3339(1_795_492_626_332)).toBe('2026-11-24T03:57:06.332Z');
});

test('a descriptor keeps its checksum through the disk, whatever its extension says', () => {
  const d = sealed({
    snapshot_id: newSnapshotId(1_795_492_626_332),
    worktree_name: 'main',
    created_at: '2026-11-24T03:57:06.33Z',
    note: 'a <b>',
    tags: ['x'],
    engine: 'copy',
    payload_root_hash: '00',
    agent: {
      completed_at: '2026-11-24T03:57:07Z',
      effective_engine: 'copy',
      origin: 'manual',
      consistency: 'crash-consistent',
      size: 5,
      unique_bytes: 5,
      entries: 1,
      skipped: { fifo: 2 },
    },
  });
  const back = parseDescriptor(serializeDescriptor(d), d.snapshot_id);
  expect(back).toEqual(d);
  expect(descriptorChecksum(back)).toBe(d.descriptor_checksum);
  expect(descriptorChecksum({ ...back, note: 'other' })).not.toBe(d.descriptor_checksum);
  const damaged = serializeDescriptor(d).replace('"size": 5', '"size": "many"');
  expect(parseDescriptor(damaged, d.snapshot_id).agent).toBeUndefined();
  expect(() => parseDescriptor('{}', d.snapshot_id)).toThrow(/can not be read/);
  expect(() => parseDescriptor(serializeDescriptor(d), '1795492626332-00000000')).toThrow(/is of snapshot/);
});

test('audit records chain over torn lines', () => {
  const first = auditLine({ timestamp: 't', event_type: 'restore', details: { b: 1, a: true } }, '');
  expect(first).toMatch(/"details":\{"a":true,"b":1\},"prev_hash":"","record_hash":"[0-9a-f]{64}"\}$/);
  const hash = lastRecordHash(`{"torn":${'\n'}${first}\n{"timestamp":"2026`);
  expect(hash).toBe(JSON.parse(first).record_hash);
  expect(lastRecordHash('')).toBe('');
});

test('names that reach paths are checked', () => {
  expect(idTime(newSnapshotId(1234))).toBe(1234);
  for (const id of ['', '../../main/evil', '1795492626332-5e52a2d', '1795492626332-5E52A2D2']) {
    expect(() => checkSnapshotId(id)).toThrow(/full id/);
  }
  for (const name of ['', '.', '..', 'a..b', 'a/b', './main', 'ä']) {
    expect(() => checkWorktree(name)).toThrow(/worktree/);
  }
  expect(checkWorktree('exp-1.a_b')).toBe('exp-1.a_b');
  expect(checkTags(['a', 'b', 'a'])).toEqual(['a', 'b']);
  expect(() => checkTags(['a,b'])).toThrow(/tag/);
  expect(() => checkNote('x'.repeat(40_000))).toThrow(/32768/);
});

test('no note makes an audit line that ends the log for the jvs binary; what is kept, it has whole', () => {
  const previous = 'f'.repeat(64);
  const isKept = (note: string) => {
    try {
      return checkNote(note) === note;
    } catch {
      return false;
    }
  };
  expect(['<'.repeat(10_000), 'x\n'.repeat(16_384)].map(isKept)).toEqual([true, true]);
  for (const text of ['<', '\u0001', '\n', 'ä', '💾', 'x']) {
    for (const times of [5_000, 10_000, 15_000, 30_000, 100_000]) {
      const note = text.repeat(times);
      const line = auditLine({ timestamp: 't', event_type: 'snapshot_create', details: { note } }, previous);
      expect(Buffer.byteLength(line)).toBeLessThan(65_536);
      expect(checkAuditLine(line, previous).valid).toBe(true);
      if (isKept(note)) expect(JSON.parse(line).details.note).toBe(note);
    }
  }
  expect(() => checkNote('<'.repeat(20_000))).toThrow(/^note: 120002 bytes as JSON/);
});
