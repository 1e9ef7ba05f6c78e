import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { manifest, quiet, TestVolume } from '../testing/volume.ts';
import { Layout } from './layout.ts';
import { selectPaths } from './partial.ts';
import { headOf } from './reader.ts';

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

  await engine.fork({ snapshotId: part.snapshot_id, name: 'part' }, quiet);
  expect(names(manifest(join(volume.path, 'worktrees', 'part')))).toHaveLength(6);
  const next = await engine.snapshot(ask, quiet);
  expect(next).toMatchObject({ payload_root_hash: whole.payload_root_hash, agent: { unique_bytes: 0 } });
});

test('restored in place, a partial snapshot replaces its paths and nothing else', async () => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  const at = (...path: string[]) => join(volume.main, ...path);
  const text = (...path: string[]) => readFileSync(at(...path), 'utf8');
  mkdirSync(at('data', 'models', 'deep'), { recursive: true });
  for (const name of ['a', 'data/b', 'data/models/w', 'data/models/deep/x', 'é'])
    writeFileSync(at(name), name);
  chmodSync(at('data'), 0o750);
  const paths = ['é', 'data/models', 'data/models/deep'];
  const part = await engine.snapshot({ ...ask, paths }, quiet);
  const selected = (lines: string[]) => lines.filter((line) => /^(data\/models|Ã©)/.test(line));
  const tree = selected(manifest(volume.main));

  writeFileSync(at('a'), 'edited');
  writeFileSync(at('data', 'b'), 'edited');
  rmSync(at('data', 'models'), { recursive: true });
  writeFileSync(at('data', 'models'), 'a file now');
  writeFileSync(at('é'), 'edited');
  const whole = await engine.snapshot(ask, quiet);
  const rest = manifest(volume.main, { times: false }).filter((line) => !/^(data\/models|Ã©)/.test(line));
  const restore = { worktree: 'main', snapshotId: part.snapshot_id, requestTag: 'k8s-part' };
  await engine.restore(restore, quiet);
  const now = manifest(volume.main, { times: false });
  expect(selected(manifest(volume.main))).toEqual(tree);
  expect(now.filter((line) => !/^(data\/models|Ã©)/.test(line))).toEqual(rest);
  expect([text('a'), text('data', 'b')]).toEqual(['edited', 'edited']);
  expect(await headOf(new Layout(volume.path), 'main')).toBe(whole.snapshot_id);
  writeFileSync(at('é'), 'edited again');
  await engine.restore(restore, quiet);
  expect(text('é')).toBe('edited again');
  const next = await engine.snapshot(ask, quiet);
  expect(next.parent_id).toBe(whole.snapshot_id);
  expect(manifest(volume.snapshotPath(next.snapshot_id))).toEqual(manifest(volume.main));

  // Directories on the way come back where they are missing; what is in the way otherwise is not touched.
  rmSync(at('data'), { recursive: true });
  await engine.restore({ ...restore, requestTag: 'k8s-again' }, quiet);
  expect(selected(manifest(volume.main))).toEqual(tree);
  expect(statSync(at('data')).mode & 0o777).toBe(0o750);
  rmSync(at('data'), { recursive: true });
  symlinkSync('/etc', at('data'));
  const refused = engine.restore({ ...restore, requestTag: 'k8s-link' }, quiet);
  await expect(refused).rejects.toMatchObject({
    reason: 'InvalidArgument',
    message: expect.stringMatching(/^data is no directory/),
  });
  expect(readlinkSync(at('data'))).toBe('/etc');
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
