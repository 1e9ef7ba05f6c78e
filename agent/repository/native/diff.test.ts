import {
  chmodSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { quiet, TestVolume } from '../testing/volume.ts';

const ask = { worktree: 'main', origin: 'manual' as const };

test('added, removed and modified entries between snapshots, and against the worktree', async () => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  const at = (...path: string[]) => join(volume.main, ...path);
  mkdirSync(at('dir'));
  for (const name of ['same', 'size', 'content', 'mode', 'gone', 'dir/kind']) writeFileSync(at(name), 'text');
  symlinkSync('a', at('link'));
  const first = await engine.snapshot(ask, quiet);
  writeFileSync(at('size'), 'longer');
  writeFileSync(at('content'), 'TEXT');
  chmodSync(at('mode'), 0o600);
  rmSync(at('gone'));
  rmSync(at('dir/kind'));
  mkdirSync(at('dir/kind'));
  writeFileSync(at('dir/kind/new'), '');
  rmSync(at('link'));
  symlinkSync('b', at('link'));
  linkSync(at('same'), at('same too'));

  const expected = {
    added: ['dir/kind', 'dir/kind/new', 'same too'],
    removed: ['dir/kind', 'gone'],
    modified: ['content', 'link', 'mode', 'size'],
  };
  const paths = (d: Awaited<ReturnType<typeof engine.diff>>) => ({
    added: d.added.map((c) => c.path),
    removed: d.removed.map((c) => c.path),
    modified: d.modified.map((c) => c.path),
  });
  expect(paths(await engine.diff(first.snapshot_id, { worktree: 'main' }, quiet))).toEqual(expected);
  const second = await engine.snapshot(ask, quiet);
  const difference = await engine.diff(first.snapshot_id, { snapshotId: second.snapshot_id }, quiet);
  expect(paths(difference)).toEqual(expected);
  expect(difference.modified.at(-1)).toEqual({
    path: 'size',
    type: 'file',
    mode: '0644',
    size: 6,
    old_size: 4,
  });
  const nothing = { added: [], removed: [], modified: [] };
  expect(await engine.diff(second.snapshot_id, { worktree: 'main' }, quiet)).toEqual(nothing);
  renameSync(at('same'), at('moved'));
  await expect(engine.diff('1795492626332-00000000', { worktree: 'main' }, quiet)).rejects.toMatchObject({
    reason: 'NotFound',
  });
});

test('compressed snapshots are compared by what is in their files', async () => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  const at = (...path: string[]) => join(volume.main, ...path);
  mkdirSync(at('dir'));
  for (const name of ['same', 'content', 'dir/own.gz']) writeFileSync(at(name), 'text');
  writeFileSync(at('large'), Buffer.alloc(4 * 1024 * 1024 + 3, 'x'));
  writeFileSync(at('whole'), Buffer.alloc(4 * 1024 * 1024, 'x'));
  symlinkSync('a', at('link'));
  const gzip = await engine.snapshot({ ...ask, compression: { type: 'gzip', level: 1 } }, quiet);
  const nothing = { added: [], removed: [], modified: [] };
  expect(await engine.diff(gzip.snapshot_id, { worktree: 'main' }, quiet)).toEqual(nothing);
  writeFileSync(at('content'), 'TEXT');
  truncateSync(at('large'), 3);
  rmSync(at('whole'));
  const zstd = await engine.snapshot({ ...ask, compression: { type: 'zstd', level: 1 } }, quiet);
  const difference = {
    added: [],
    removed: [{ path: 'whole', type: 'file', mode: '0644', size: 4 * 1024 * 1024 }],
    modified: [
      { path: 'content', type: 'file', mode: '0644', size: 4, old_size: 4 },
      { path: 'large', type: 'file', mode: '0644', size: 3, old_size: 4 * 1024 * 1024 + 3 },
    ],
  };
  expect(await engine.diff(gzip.snapshot_id, { snapshotId: zstd.snapshot_id }, quiet)).toEqual(difference);
  expect(await engine.diff(gzip.snapshot_id, { worktree: 'main' }, quiet)).toEqual(difference);
  const plain = await engine.snapshot(ask, quiet);
  expect(await engine.diff(zstd.snapshot_id, { snapshotId: plain.snapshot_id }, quiet)).toEqual(nothing);
  expect(await engine.diff(plain.snapshot_id, { snapshotId: gzip.snapshot_id }, quiet)).toMatchObject({
    added: [{ path: 'whole', size: 4 * 1024 * 1024 }],
  });
});
