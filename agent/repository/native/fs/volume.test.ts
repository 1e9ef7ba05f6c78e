import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { Mounted } from '../../testing/filesystem.ts';
import { EarlySync, syncAside, syncFilesystem } from './volume.ts';

it.each([
  ['by this process', syncFilesystem],
  ['by another', syncAside],
  [
    'early',
    async (path: string) => {
      const early = new EarlySync(path);
      early.wrote(1 << 30);
      await early.done();
    },
  ],
])('what was written is on the disk: %s', async (_, sync) => {
  using disk = Mounted.loop('ext4', 16);
  const content = `content ${Math.random()}`;
  const onDisk = () => readFileSync(join(dirname(disk.path), 'image')).includes(content);
  writeFileSync(join(disk.path, 'file'), content);
  expect(onDisk()).toBe(false);
  await sync(disk.path);
  expect(onDisk()).toBe(true);
});

it('a filesystem that is no disk is synced as well', async () => {
  await syncFilesystem('/dev/shm');
});

it('an early sync that failed is an error in the end', async () => {
  const early = new EarlySync('/nonexistent');
  early.wrote(100);
  await early.done();
  early.wrote(1 << 30);
  await expect(early.done()).rejects.toThrow('/nonexistent');
});

it('a path that is not there is an error', async () => {
  await expect(syncFilesystem('/nonexistent')).rejects.toThrow('/nonexistent');
});
