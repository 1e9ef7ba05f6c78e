// The engines on the filesystems that they are for.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { EngineName } from '../repository.ts';
import { Mounted } from '../testing/filesystem.ts';
import { manifest, quiet } from '../testing/volume.ts';
import { Engine } from './engine.ts';
import { juicefsClone } from './fs/juicefs.ts';

const ask = { worktree: 'main', origin: 'manual' as const };
const BIG = 24 * 1024 * 1024;

async function prepared(mounted: Mounted, name: EngineName) {
  const engine = new Engine({ volume: mounted.path, engine: name, holder: 'test' });
  const info = await engine.open();
  const at = (...path: string[]) => join(mounted.path, 'main', ...path);
  mkdirSync(at('dir', 'empty'), { recursive: true });
  writeFileSync(at('big'), Buffer.alloc(BIG, 'content'));
  writeFileSync(at('a'), 'a');
  writeFileSync(at('dir', 'setuid'), 'x');
  chownSync(at('dir', 'setuid'), 1234, 2345);
  chmodSync(at('dir', 'setuid'), 0o4751);
  linkSync(at('a'), at('dir', 'again'));
  symlinkSync('nowhere', at('dangling'));
  writeFileSync(Buffer.concat([Buffer.from(at('bad')), Buffer.from([0xff])]), '');
  execFileSync('mkfifo', [at('fifo')]);
  utimesSync(at('dir'), 1e9, 1.2e9);
  const snapshotPath = (id: string) => join(mounted.path, '.jvs', 'snapshots', id);
  return { engine, info, at, main: at(), snapshotPath };
}

/** Bytes in use on the filesystem, everything written. */
function used(path: string): number {
  execFileSync('sync', ['-f', path]);
  const [line = ''] = execFileSync('stat', ['-f', '-c', '%b %f %S', path], { encoding: 'utf8' }).split('\n');
  const [blocks = 0, free = 0, size = 0] = line.split(' ').map(Number);
  return (blocks - free) * size;
}

/** First, unchanged, changed, restored, deleted: what holds for every engine on every filesystem. */
async function life(mounted: Mounted, name: EngineName) {
  const { engine, info, at, main, snapshotPath } = await prepared(mounted, name);
  const first = await engine.snapshot(ask, quiet);
  expect(manifest(snapshotPath(first.snapshot_id))).toEqual(manifest(main));
  expect(first.agent?.skipped).toMatchObject({ fifo: 1 });
  expect(statSync(join(snapshotPath(first.snapshot_id), 'a')).nlink).toBeGreaterThan(1);
  const tree = manifest(main);

  writeFileSync(at('a'), 'b');
  writeFileSync(at('dir', 'new'), 'new');
  rmSync(at('dangling'));
  truncateSync(at('big'), BIG - 1);
  truncateSync(at('big'), BIG);
  const second = await engine.snapshot(ask, quiet);
  const third = await engine.snapshot(ask, quiet);
  expect(third.payload_root_hash).toBe(second.payload_root_hash);
  for (const { snapshot_id } of [second, third]) {
    expect(manifest(snapshotPath(snapshot_id))).toEqual(manifest(main));
  }
  for (const { snapshot_id } of [first, second, third]) {
    expect(await engine.verify(snapshot_id, quiet)).toMatchObject({
      descriptorValid: true,
      payloadValid: true,
    });
  }
  rmSync(at('fifo'));
  await engine.restore({ worktree: 'main', snapshotId: first.snapshot_id }, quiet);
  expect(manifest(main)).toEqual(tree);
  writeFileSync(at('a'), 'written to after the restore');
  await engine.delete({ id: second.snapshot_id }, quiet);
  for (const { snapshot_id } of [first, third]) {
    expect(await engine.verify(snapshot_id, quiet)).toMatchObject({
      descriptorValid: true,
      payloadValid: true,
    });
  }
  expect(await engine.doctor(false)).toEqual([]);
  return { info, first, second, third };
}

describe.for(['xfs', 'btrfs'] as const)('%s', { timeout: 300_000 }, (type) => {
  test('reflink-copy keeps everything and shares the data', async () => {
    using mounted = Mounted.loop(type);
    const { info, third } = await life(mounted, 'reflink-copy');
    expect(info).toMatchObject({ filesystem: type, effectiveEngine: 'reflink-copy' });
    expect(info.fallback).toBeUndefined();
    expect(third).toMatchObject({
      engine: 'reflink-copy',
      agent: { effective_engine: 'reflink-copy', unique_bytes: 0 },
    });
    const before = used(mounted.path);
    const engine = new Engine({ volume: mounted.path, engine: 'reflink-copy', holder: 'test' });
    for (let i = 0; i < 3; i++) await engine.snapshot(ask, quiet);
    expect(used(mounted.path) - before).toBeLessThan(BIG / 4);
  });

  test('copy works too', async () => {
    using mounted = Mounted.loop(type);
    expect((await life(mounted, 'copy')).info).toMatchObject({ effectiveEngine: 'copy' });
  });
});

test('ext4: what it can not do is stated, and recorded', { timeout: 300_000 }, async () => {
  using mounted = Mounted.loop('ext4');
  const { info, first } = await life(mounted, 'reflink-copy');
  expect(info).toMatchObject({
    engine: 'reflink-copy',
    effectiveEngine: 'copy',
    fallback: expect.stringMatching(/ext4/),
  });
  expect(first).toMatchObject({ engine: 'reflink-copy', agent: { effective_engine: 'copy' } });
});

test('JuiceFS: a clone keeps everything, and takes no room for its data', { timeout: 300_000 }, async () => {
  using mounted = Mounted.juicefs();
  const { info, third } = await life(mounted, 'juicefs-clone');
  expect(info).toMatchObject({ filesystem: 'fuse.juicefs', effectiveEngine: 'juicefs-clone' });
  expect(third.agent).toMatchObject({ effective_engine: 'juicefs-clone', unique_bytes: 0 });
});

test('JuiceFS: what keeps it from cloning is stated, and leaves nothing behind', {
  timeout: 300_000,
}, async () => {
  using mounted = Mounted.juicefs();
  mkdirSync(join(mounted.path, 'below'));
  using bound = mounted.bind('below');
  const { info } = await prepared(bound, 'juicefs-clone');
  expect(info).toMatchObject({ filesystem: 'fuse.juicefs', effectiveEngine: 'copy' });
  expect(info.fallback).toMatch(/root of a mount of JuiceFS 1\.3 or newer.*not in reach/);
  const agent = join(bound.path, '.jvs', 'agent');
  expect(readdirSync(agent).filter((name) => name.startsWith('.jvs-tmp-'))).toEqual([]);
  const [file, taken] = [join(mounted.path, 'file'), join(mounted.path, 'taken')];
  for (const path of [file, taken]) writeFileSync(path, path);
  await expect(juicefsClone(file, taken)).rejects.toMatchObject({ code: 'EEXIST' });
  expect(readFileSync(taken, 'utf8')).toBe(taken);
});

test('JuiceFS: a folder with folders is cloned whole', { timeout: 300_000 }, async () => {
  using mounted = Mounted.juicefs();
  const at = (...path: string[]) => join(mounted.path, ...path);
  for (let folder = 0; folder < 5; folder++) {
    mkdirSync(at('tree', `${folder}`), { recursive: true });
    for (let file = 0; file < 40; file++)
      writeFileSync(at('tree', `${folder}`, `${file}`), `${folder}/${file}`);
  }
  await juicefsClone(at('tree'), at('copy'));
  expect(manifest(at('copy'))).toEqual(manifest(at('tree')));
});

test('JuiceFS: engine copy', { timeout: 300_000 }, async () => {
  using mounted = Mounted.juicefs();
  expect((await life(mounted, 'copy')).info).toMatchObject({ effectiveEngine: 'copy' });
});
