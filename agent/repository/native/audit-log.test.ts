import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { quiet, TestVolume } from '../testing/volume.ts';
import { auditHas } from './audit-log.ts';
import { auditLine } from './format/audit.ts';

test('a restore that was made is not made again, however much the log has grown since', async () => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  const file = join(volume.main, 'file');
  writeFileSync(file, 'old');
  const { snapshot_id } = await engine.snapshot({ worktree: 'main', origin: 'manual' }, quiet);
  const request = { worktree: 'main', snapshotId: snapshot_id, requestTag: 'k8s-1' };
  await engine.restore(request, quiet);
  const note = 'x'.repeat(32 * 1024);
  for (let i = 0; i < 9; i++) await engine.snapshot({ worktree: 'main', origin: 'self', note }, quiet);
  writeFileSync(file, 'new work');
  await engine.restore(request, quiet);
  expect(readFileSync(file, 'utf8')).toBe('new work');
});

test('every record of a long log is found, wherever it is read in pieces', () => {
  using volume = new TestVolume();
  const path = join(volume.path, 'audit.jsonl');
  const ids = Array.from({ length: 120 }, (_, i) => `${1_795_492_626_332 + i}-5e52a2d2`);
  const lines = ids.map((snapshot_id, i) =>
    auditLine(
      { timestamp: 't', event_type: 'restore', snapshot_id, details: { x: 'x'.repeat(20_000 + i) } },
      '',
    ),
  );
  writeFileSync(path, lines.map((line) => `${line}\n`).join(''));
  expect(ids.filter((id, i) => !auditHas(path, 'restore', id, `"x":"${'x'.repeat(20_000 + i)}"`))).toEqual(
    [],
  );
  expect(auditHas(path, 'gc_run', ids[0])).toBe(false);
  expect(auditHas(path, 'restore', ids[0], '"x":"x"')).toBe(false);
});
