import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import type { Progress, RepositoryError } from '../repository.ts';
import { TestVolume } from '../testing/volume.ts';
import { Directory, removeTree } from './fs/directory.ts';
import { openNative } from './native.ts';

test('the repository works through its process: open, snapshot, list, get, head, verify, usage', async () => {
  using volume = new TestVolume();
  const repository = openNative({ volume: volume.path, engine: 'copy', holder: 'test' });
  try {
    expect(await repository.open()).toMatchObject({
      filesystem: expect.stringMatching(/./),
      effectiveEngine: 'copy',
    });
    expect(await repository.head('main')).toBeUndefined();
    writeFileSync(join(volume.main, 'a'), Buffer.alloc(3_000_000));
    const progress: Progress[] = [];
    const made = await repository.snapshot({
      worktree: 'main',
      origin: 'manual',
      onProgress: (p) => progress.push(p),
    });
    expect(progress.at(-1)?.bytesDone).toBeGreaterThan(0);
    expect(await repository.list()).toEqual([made]);
    expect(await repository.get(made.snapshot_id)).toEqual(made);
    expect(await repository.head('main')).toBe(made.snapshot_id);
    expect(await repository.verify(made.snapshot_id)).toMatchObject({
      descriptorValid: true,
      payloadValid: true,
    });
    const { usedBytes, capacityBytes } = await repository.usage();
    expect(capacityBytes).toBeGreaterThan(usedBytes);
    await expect(repository.get('1795492626332-5e52a2d2')).rejects.toMatchObject({ reason: 'NotFound' });
    await expect(repository.verify('1795492626332-5e52a2d2')).rejects.toMatchObject({ reason: 'NotFound' });
    await expect(repository.get('../x')).rejects.toMatchObject({ reason: 'InvalidArgument' });
    await expect(repository.head('other')).rejects.toMatchObject({ reason: 'NotFound' });
  } finally {
    await repository.close();
  }
});

test('errors keep reason and cause on their way out of its process', async () => {
  using volume = new TestVolume();
  writeFileSync(join(volume.path, '.jvs'), '');
  const repository = openNative({ volume: volume.path, engine: 'copy', holder: 'test' });
  try {
    const error = (await repository.open().catch((e) => e)) as RepositoryError;
    expect(error).toMatchObject({ name: 'RepositoryError', reason: 'ForeignRepository', transient: false });
    expect(error.stack).toMatch(/initialize\.ts/);
  } finally {
    await repository.close();
  }
});

test('a worktree that can not be read is not one that is gone', async () => {
  using volume = new TestVolume();
  const repository = openNative({ volume: volume.path, engine: 'copy', holder: 'test' });
  try {
    await repository.open();
    const folder = join(volume.jvs, 'worktrees/exp');
    mkdirSync(folder);
    writeFileSync(join(volume.jvs, 'worktrees/note'), 'is none');
    expect(await repository.worktrees()).toMatchObject([{ name: 'main' }]);
    mkdirSync(join(folder, 'config.json')); // stands for an error of the disk
    await expect(repository.worktrees()).rejects.toMatchObject({ reason: 'Internal', transient: true });
  } finally {
    await repository.close();
  }
});

test('opening can be cancelled, and tried again', async () => {
  using volume = new TestVolume();
  const repository = openNative({ volume: volume.path, engine: 'copy', holder: 'test' });
  try {
    const stop = new AbortController();
    const opening = repository.open(stop.signal);
    setImmediate(() => stop.abort());
    await expect(opening).rejects.toMatchObject({ reason: 'Aborted' });
    expect(await repository.open()).toMatchObject({ formatVersion: 1 });
  } finally {
    await repository.close();
  }
});

test('a running snapshot can be cancelled, and closing ends everything', async () => {
  using volume = new TestVolume();
  const repository = openNative({ volume: volume.path, engine: 'copy', holder: 'test' });
  await repository.open();
  writeFileSync(join(volume.main, 'big'), Buffer.alloc(300_000_000));
  const stop = new AbortController();
  const onProgress = () => stop.abort();
  const call = repository.snapshot({ worktree: 'main', origin: 'auto', signal: stop.signal, onProgress });
  await expect(call).rejects.toMatchObject({ reason: 'Aborted' });
  expect(await repository.list()).toEqual([]);
  for (const folder of ['snapshots', 'intents']) expect(readdirSync(join(volume.jvs, folder))).toEqual([]);
  await expect(
    repository.snapshot({ worktree: 'main', origin: 'auto', signal: stop.signal }),
  ).rejects.toMatchObject({
    reason: 'Aborted',
  });
  await repository.close();
  await expect(repository.open()).rejects.toMatchObject({ reason: 'Aborted' });
});

test('a call that comes just when the idle process is ended gets another one', async () => {
  using volume = new TestVolume();
  const repository = openNative({ volume: volume.path, engine: 'copy', holder: 'test' });
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    await repository.open();
    vi.advanceTimersByTime(30_000);
    const { snapshot_id } = await repository.snapshot({ worktree: 'main', origin: 'manual' });
    expect(await repository.head('main')).toBe(snapshot_id);
  } finally {
    vi.useRealTimers();
    await repository.close();
  }
});

test('verifying reads no faster than it may, and can be cancelled meanwhile', async () => {
  using volume = new TestVolume();
  const repository = openNative({ volume: volume.path, engine: 'copy', holder: 'test' });
  try {
    await repository.open();
    writeFileSync(join(volume.main, 'a'), Buffer.alloc(3_000_000));
    const { snapshot_id } = await repository.snapshot({ worktree: 'main', origin: 'manual' });
    const started = performance.now();
    expect(await repository.verify(snapshot_id, { bytesPerSecond: 10_000_000 })).toMatchObject({
      payloadValid: true,
    });
    expect(performance.now() - started).toBeGreaterThan(250);
    const stop = new AbortController();
    const forever = repository.verify(snapshot_id, { bytesPerSecond: 1, signal: stop.signal });
    setTimeout(() => stop.abort(), 200);
    await expect(forever).rejects.toMatchObject({ reason: 'Aborted' });
    expect(await repository.verify(snapshot_id)).toMatchObject({ payloadValid: true });
  } finally {
    await repository.close();
  }
});

test('the event loop stays free while a snapshot runs', async () => {
  using volume = new TestVolume();
  const repository = openNative({ volume: volume.path, engine: 'copy', holder: 'test' });
  try {
    await repository.open();
    for (let i = 0; i < 2000; i++) writeFileSync(join(volume.main, `${i}`), 'x'.repeat(4096));
    let turns = 0;
    const timer = setInterval(() => turns++, 5);
    await repository.snapshot({ worktree: 'main', origin: 'auto' });
    clearInterval(timer);
    expect(turns).toBeGreaterThan(5);
  } finally {
    await repository.close();
  }
});

test('a tree is saved twelve hundred directories deep; one deeper than a path can lead is refused in few words', async () => {
  using volume = new TestVolume();
  const repository = openNative({ volume: volume.path, engine: 'copy', holder: 'test' });
  const nest = (below: string, levels: number) => {
    let directory = Directory.open(below);
    for (let level = 0; level < levels; level++) {
      using above = directory;
      directory = above.createDirectory('d');
    }
    directory[Symbol.dispose]();
  };
  const save = () => repository.snapshot({ worktree: 'main', origin: 'manual' });
  try {
    await repository.open();
    nest(volume.main, 1200);
    await save();
    mkdirSync(join(volume.main, 'deeper'));
    nest(join(volume.main, 'deeper'), 2048);
    await expect(save()).rejects.toMatchObject({
      reason: 'InvalidArgument',
      message: expect.stringMatching(
        /^d\w*\/d\/d\/… in the worktree is nested deeper than 2048 directories.{0,99}$/,
      ),
    });
  } finally {
    await repository.close();
    using parent = Directory.open(volume.path);
    for (const name of parent.names()) removeTree(parent, name);
  }
}, 120_000);
