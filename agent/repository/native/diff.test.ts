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
import type { Change, Difference, DiffOptions } from '../repository.ts';
import { quiet, TestVolume } from '../testing/volume.ts';
import type { Engine } from './engine.ts';
import { openNative } from './native.ts';

type Found = Record<Difference['how'], Change[]>;

async function diff(engine: Engine, from: string, to: DiffOptions['to']): Promise<Found> {
  const found: Found = { added: [], removed: [], modified: [] };
  await engine.diff(from, to, quiet, (how, change) => found[how].push(change));
  return found;
}

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
  const paths = (d: Found) => ({
    added: d.added.map((c) => c.path),
    removed: d.removed.map((c) => c.path),
    modified: d.modified.map((c) => c.path),
  });
  expect(paths(await diff(engine, first.snapshot_id, { worktree: 'main' }))).toEqual(expected);
  const second = await engine.snapshot(ask, quiet);
  const difference = await diff(engine, first.snapshot_id, { snapshotId: second.snapshot_id });
  expect(paths(difference)).toEqual(expected);
  expect(difference.modified.at(-1)).toEqual({
    path: 'size',
    type: 'file',
    mode: '0644',
    size: 6,
    old_size: 4,
  });
  const nothing = { added: [], removed: [], modified: [] };
  expect(await diff(engine, second.snapshot_id, { worktree: 'main' })).toEqual(nothing);
  renameSync(at('same'), at('moved'));
  await expect(diff(engine, '1795492626332-00000000', { worktree: 'main' })).rejects.toMatchObject({
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
  expect(await diff(engine, gzip.snapshot_id, { worktree: 'main' })).toEqual(nothing);
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
  expect(await diff(engine, gzip.snapshot_id, { snapshotId: zstd.snapshot_id })).toEqual(difference);
  expect(await diff(engine, gzip.snapshot_id, { worktree: 'main' })).toEqual(difference);
  const plain = await engine.snapshot(ask, quiet);
  expect(await diff(engine, zstd.snapshot_id, { snapshotId: plain.snapshot_id })).toEqual(nothing);
  expect(await diff(engine, plain.snapshot_id, { snapshotId: gzip.snapshot_id })).toMatchObject({
    added: [{ path: 'whole', size: 4 * 1024 * 1024 }],
  });
});

test('what a process of its own finds is in order, does not depend on how fast it is read, and ends with the reader', async () => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  const empty = await engine.snapshot(ask, quiet);
  for (const directory of ['b', 'b-', 'c']) mkdirSync(join(volume.main, directory));
  // More than pipes and batches hold.
  for (let i = 0; i < 3000; i++) writeFileSync(join(volume.main, 'b', `${i} ${'x'.repeat(60)}`), '');
  writeFileSync(join(volume.main, 'b-', 'a'), '');
  const repository = openNative({ volume: volume.path, engine: 'copy', holder: 'test' });
  const request = { from: empty.snapshot_id, to: { worktree: 'main' } };
  const paths: string[] = [];
  for await (const { how, change } of repository.diff(request)) {
    expect(how).toBe('added');
    paths.push(change.type === 'dir' ? `${change.path}/` : change.path);
  }
  expect(paths).toHaveLength(3004);
  expect(paths).toEqual(paths.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));

  for await (const { change } of repository.diff(request)) {
    expect(change.path).toBe('b-');
    break; // its process ends, or the test would not
  }
  const unknown = repository.diff({ ...request, from: '1795492626332-00000000' });
  await expect(unknown[Symbol.asyncIterator]().next()).rejects.toMatchObject({ reason: 'NotFound' });
  const signal = AbortSignal.abort();
  const cancelled = repository
    .diff({ ...request, signal })
    [Symbol.asyncIterator]()
    .next();
  await expect(cancelled).rejects.toMatchObject({ reason: 'Aborted' });
  await repository.close();
});
