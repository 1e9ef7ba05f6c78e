import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { manifest, TestVolume } from '../testing/volume.ts';

const mode = (path: string) => (lstatSync(path).mode & 0o7777).toString(8);

test('makes what jvs init makes, whatever the umask', async () => {
  using volume = new TestVolume();
  mkdirSync(join(volume.path, 'lost+found'));
  const umask = process.umask(0o077);
  try {
    const info = await volume.engine().open();
    expect(info).toMatchObject({ formatVersion: 1, engine: 'copy', effectiveEngine: 'copy' });
    expect(readFileSync(join(volume.jvs, 'repo_id'), 'utf8')).toBe(`${info.repositoryId}\n`);
  } finally {
    process.umask(umask);
  }
  expect(readFileSync(join(volume.jvs, 'format_version'), 'utf8')).toBe('1\n');
  expect(mode(join(volume.jvs, 'format_version'))).toBe('600');
  expect(mode(join(volume.jvs, 'repo_id'))).toBe('600');
  for (const path of [
    '.jvs',
    'main',
    'worktrees',
    '.jvs/worktrees/main',
    '.jvs/audit',
    '.jvs/gc',
    '.jvs/intents',
  ]) {
    expect(mode(join(volume.path, path)), path).toBe('755');
  }
  const config = JSON.parse(readFileSync(join(volume.jvs, 'worktrees/main/config.json'), 'utf8'));
  expect(config).toEqual({ name: 'main', created_at: expect.stringMatching(/^\d{4}-.*Z$/) });
});

test('an existing repository keeps its identity, and main is not made again', async () => {
  using volume = new TestVolume();
  const { repositoryId } = await volume.engine().open();
  rmSync(volume.main, { recursive: true });
  const before = manifest(volume.jvs).filter((line) => !line.startsWith('agent'));
  expect((await volume.engine().open()).repositoryId).toBe(repositoryId);
  expect(manifest(volume.jvs).filter((line) => !line.startsWith('agent'))).toEqual(before);
  expect(existsSync(volume.main)).toBe(false);
});

test('what an agent left that was stopped while it made the repository is removed', async () => {
  using volume = new TestVolume();
  mkdirSync(join(volume.path, '.jvs-init-abc'));
  await volume.engine().open();
  expect(existsSync(join(volume.path, '.jvs-init-abc'))).toBe(false);
});

test('files that are there before stay, in main too', async () => {
  using volume = new TestVolume();
  volume.makeMain();
  writeFileSync(join(volume.main, 'data'), 'x');
  const inode = statSync(volume.main).ino;
  await volume.engine().open();
  expect(readFileSync(join(volume.main, 'data'), 'utf8')).toBe('x');
  expect(statSync(volume.main).ino).toBe(inode);
});

test('of several agents on a fresh volume one makes the repository', async () => {
  using volume = new TestVolume();
  const infos = await Promise.all(Array.from({ length: 6 }, () => volume.engine().open()));
  expect(new Set(infos.map((info) => info.repositoryId)).size).toBe(1);
  expect(manifest(volume.path).filter((line) => line.startsWith('.jvs-init'))).toEqual([]);
});

test.for<[string, string, (volume: TestVolume) => void]>([
  ['a newer format', 'UnsupportedFormat', (v) => writeFileSync(join(v.jvs, 'format_version'), '2\n')],
  [
    'a repository of jvs 0.4',
    'UnsupportedFormat',
    (v) => writeFileSync(join(v.jvs, 'repo_mode'), 'embedded\n'),
  ],
  ['a file named .jvs', 'ForeignRepository', (v) => replace(v, (path) => writeFileSync(path, '{}'))],
  ['a link named .jvs', 'ForeignRepository', (v) => replace(v, (path) => symlinkSync('/tmp', path))],
  ['a .jvs of something else', 'ForeignRepository', (v) => rmSync(join(v.jvs, 'format_version'))],
  [
    'a format_version of garbage',
    'ForeignRepository',
    (v) => writeFileSync(join(v.jvs, 'format_version'), 'x'),
  ],
  [
    'a repository without descriptors/',
    'ForeignRepository',
    (v) => rmSync(join(v.jvs, 'descriptors'), { recursive: true }),
  ],
  ['a repository without an id', 'DamagedRepository', (v) => rmSync(join(v.jvs, 'repo_id'))],
])('%s is refused and not changed', async ([, reason, damage]) => {
  using volume = TestVolume.golden();
  damage(volume);
  const before = manifest(volume.path);
  const error = await volume
    .engine()
    .open()
    .catch((e) => e);
  expect(error).toMatchObject({ name: 'RepositoryError', reason });
  expect(manifest(volume.path)).toEqual(before);
});

function replace(volume: TestVolume, make: (path: string) => void): void {
  rmSync(volume.jvs, { recursive: true });
  make(volume.jvs);
}
