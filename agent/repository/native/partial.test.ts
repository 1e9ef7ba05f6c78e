import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { manifest, quiet, TestVolume } from '../testing/volume.ts';
import { selectPaths } from './partial.ts';

const ask = { worktree: 'main', origin: 'manual' as const };

test('a partial snapshot holds its paths and where they are, and nothing else', async () => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  const at = (...path: string[]) => join(volume.main, ...path);
  mkdirSync(at('data', 'models', 'deep'), { recursive: true });
  mkdirSync(at('other'));
  for (const name of ['a', 'data/b', 'data/models/w', 'data/models/deep/x', 'other/c', 'é'])
    writeFileSync(at(name), name);
  const whole = await engine.snapshot(ask, quiet);
  const part = await engine.snapshot({ ...ask, paths: ['é', 'data/models/', 'data/models/deep'] }, quiet);
  expect(part).toMatchObject({
    parent_id: whole.snapshot_id,
    partial_paths: ['data/models', 'data/models/deep', 'é'],
  });
  const names = (lines: string[]) => lines.map((line) => line.split(' ')[0]);
  const expected = ['data', 'data/models', 'data/models/deep', 'data/models/deep/x', 'data/models/w'];
  expect(names(manifest(volume.snapshotPath(part.snapshot_id)))).toEqual([
    ...expected,
    Buffer.from('é').toString('latin1'),
  ]);
  expect(part.agent?.unique_bytes).toBe(0);
  expect(await engine.verify(part.snapshot_id, quiet)).toMatchObject({
    descriptorValid: true,
    payloadValid: true,
  });

  const before = manifest(volume.main);
  const restore = engine.restore({ worktree: 'main', snapshotId: part.snapshot_id }, quiet);
  await expect(restore).rejects.toMatchObject({
    reason: 'InvalidArgument',
    message: expect.stringMatching(/fork/),
  });
  expect(manifest(volume.main)).toEqual(before);
  await engine.fork({ snapshotId: part.snapshot_id, name: 'part' }, quiet);
  expect(names(manifest(join(volume.path, 'worktrees', 'part')))).toHaveLength(6);
  const next = await engine.snapshot(ask, quiet);
  expect(next).toMatchObject({ payload_root_hash: whole.payload_root_hash, agent: { unique_bytes: 0 } });
});

test('paths that lead out, through links, or nowhere are refused', async () => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  mkdirSync(join(volume.main, 'dir'));
  writeFileSync(join(volume.main, 'file'), '');
  symlinkSync('/etc', join(volume.main, 'link'));
  for (const path of [
    '..',
    '../x',
    '/etc',
    'a//b',
    '',
    './dir',
    'dir/..',
    'dir/none',
    'none',
    'link/passwd',
    'file/x',
  ]) {
    const refused = await engine.snapshot({ ...ask, paths: [path] }, quiet).catch((e) => e);
    expect({ path, reason: refused.reason }).toEqual({ path, reason: 'InvalidArgument' });
  }
  const link = await engine.snapshot({ ...ask, paths: ['link'] }, quiet);
  expect(readdirSync(volume.snapshotPath(link.snapshot_id)).sort()).toEqual(['.READY', 'link']);
  expect(readdirSync(join(volume.jvs, 'snapshots'))).toHaveLength(1);
});

test('a path within another adds nothing', () => {
  expect(selectPaths(['a/b', 'a', 'c/d/e']).selection).toEqual(
    new Map<string, unknown>([
      ['a', 'all'],
      ['c', new Map([['d', new Map([['e', 'all']])]])],
    ]),
  );
});
