import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { quiet, TestVolume } from '../testing/volume.ts';
import { auditHas } from './audit-log.ts';
import { auditLine } from './format/audit.ts';
import { Layout } from './layout.ts';

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

/** Bytes that this process has read. */
const bytesRead = () => Number(/^rchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);

test('a long log is not looked through for an operation that has just begun, and a repeated one is recorded once', async () => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  writeFileSync(join(volume.main, 'file'), 'old');
  const { snapshot_id } = await engine.snapshot({ worktree: 'main', origin: 'manual' }, quiet);
  const next = await engine.snapshot({ worktree: 'main', origin: 'manual' }, quiet);
  const { audit, restores } = new Layout(volume.path);
  appendFileSync(audit, `${'x'.repeat(1023)}\n`.repeat(20 * 1024));
  const journal = join(restores, 'main.json');
  let begun = '';
  const step = (point: string) => {
    if (point === 'restore-advanced') begun = readFileSync(journal, 'utf8');
  };
  const before = bytesRead();
  await engine.restore({ worktree: 'main', snapshotId: snapshot_id }, { ...quiet, step });
  await engine.fork({ name: 'exp', snapshotId: snapshot_id }, quiet);
  await engine.removeWorktree('exp', quiet);
  await engine.delete({ id: next.snapshot_id }, quiet);
  expect(bytesRead() - before).toBeLessThan(10 * 1024 * 1024);
  writeFileSync(journal, begun);
  await engine.repair();
  expect(readdirSync(restores)).toEqual([]);
  expect(readFileSync(audit, 'utf8').match(/"event_type":"restore"/g)).toHaveLength(1);
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
