import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { quiet, TestVolume } from '../testing/volume.ts';
import { exportSnapshot, storedBytes } from './export.ts';
import { Directory } from './fs/directory.ts';
import { Layout } from './layout.ts';

const FILES = 40;

test('where looking at files is slow the process has its turns, and who is gone is not gone on for', async () => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  mkdirSync(join(volume.main, 'd'));
  for (let i = 0; i < FILES; i++) writeFileSync(join(volume.main, 'd', `${i}`), '');
  const made = await engine.snapshot({ worktree: 'main', origin: 'manual' }, quiet);
  const layout = new Layout(volume.path);
  const never = new Int32Array(new SharedArrayBuffer(4));
  const { lstat } = Directory.prototype;
  let looked = 0;
  vi.spyOn(Directory.prototype, 'lstat').mockImplementation(function (this: Directory, name) {
    looked += 1;
    Atomics.wait(never, 0, 0, 10);
    return lstat.call(this, name);
  });
  const hangUp = () => {
    looked = 0;
    const gone = new AbortController();
    setImmediate(() => gone.abort(new Error('gone')));
    return gone.signal;
  };
  await expect(storedBytes(layout, made, hangUp())).rejects.toThrow('gone');
  expect(looked).toBeLessThan(FILES);
  const skipped = exportSnapshot(layout, made, { entry: FILES * 2, offset: 0 }, hangUp());
  await expect(skipped.next()).rejects.toThrow('gone');
  expect(looked).toBeLessThan(FILES);
  vi.restoreAllMocks();
  expect(await storedBytes(layout, made)).toBe(0);

  // The last one: nothing comes after the hole.
  writeFileSync(join(volume.main, 'e'), '');
  truncateSync(join(volume.main, 'e'), 2 ** 30);
  const sparse = await engine.snapshot({ worktree: 'main', origin: 'manual' }, quiet);
  const items = exportSnapshot(layout, sparse, { entry: 0, offset: 0 }, hangUp());
  const drain = async () => {
    for await (const _ of items);
  };
  await expect(drain()).rejects.toThrow('gone');
});
