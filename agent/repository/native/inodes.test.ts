// Filesystems like Lustre have inode numbers beyond 2^53, where neighbours are the same number to JavaScript.
import { execFileSync } from 'node:child_process';
import { linkSync, readFileSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { quiet, TestVolume } from '../testing/volume.ts';
import { exportSnapshot, storedBytes } from './export.ts';
import { Layout } from './layout.ts';
import { start } from './transfer.ts';

const faked = vi.hoisted(() => ({ ino: 2 ** 60, ctimeMs: 1 }) as { ino: number; ctimeMs?: number });

vi.mock('./fs/at.ts', async (load) => {
  const real = await load<typeof import('./fs/at.ts')>();
  const rounded = <T extends object>(stats: T | undefined) => stats && { ...stats, ...faked };
  return {
    ...real,
    statAt: (directory: number, name: string) => rounded(real.statAt(directory, name)),
    statOpen: (fd: number) => rounded(real.statOpen(fd)),
    copyTimesOpen: (from: number, to: number) => rounded(real.copyTimesOpen(from, to)),
  };
});

const NAMES = ['a', 'b', 'c', 'd'];

test.for([undefined, { type: 'gzip', level: 1 } as const])(
  'files with the same rounded inode number are not mixed up, compressed by %o',
  async (compression) => {
    using volume = new TestVolume();
    const engine = volume.engine();
    await engine.open();
    const at = (name: string) => join(volume.main, name);
    for (const [first, second] of [NAMES.slice(0, 2), NAMES.slice(2)] as [string, string][]) {
      writeFileSync(at(first), `content ${first}`);
      linkSync(at(first), at(second));
    }
    for (const name of NAMES) utimesSync(at(name), 1000, 1000);
    const ask = { worktree: 'main', origin: 'manual' as const, ...(compression && { compression }) };
    const made = await engine.snapshot(ask, quiet);
    expect(await engine.verify(made.snapshot_id, quiet)).toMatchObject({ payloadValid: true });
    const layout = new Layout(volume.path);
    const sent: string[] = [];
    for await (const item of exportSnapshot(layout, made, start)) {
      if ('entry' in item && item.entry.kind === 'link')
        sent.push(`${item.entry.path} is ${item.entry.first}`);
    }
    const suffix = compression ? '.gz' : '';
    expect(sent).toEqual([`b${suffix} is a${suffix}`, `d${suffix} is c${suffix}`]);
    if (!compression) expect(await storedBytes(layout, made)).toBe(2 * 'content a'.length);
    await engine.fork({ name: 'exp', snapshotId: made.snapshot_id }, quiet);
    const fork = (name: string) => join(volume.path, 'worktrees', 'exp', name);
    expect(NAMES.map((name) => readFileSync(fork(name), 'utf8'))).toEqual([
      ...['content a', 'content a', 'content c', 'content c'],
    ]);
    expect(statSync(fork('b')).ino).toBe(statSync(fork('a')).ino);
    writeFileSync(at('a'), 'other');
    const { snapshot_id } = await engine.snapshot(ask, quiet);
    const changed: string[] = [];
    await engine.diff(made.snapshot_id, { snapshotId: snapshot_id }, quiet, (_, { path }) =>
      changed.push(path),
    );
    expect(changed).toEqual(['a', 'b']);
  },
);

test('a hard link that was broken stays broken', async () => {
  delete faked.ctimeMs;
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  const at = (name: string) => join(volume.main, name);
  writeFileSync(at('a'), 'content');
  linkSync(at('a'), at('b'));
  await engine.snapshot({ worktree: 'main', origin: 'manual' }, quiet);
  execFileSync('cp', ['-p', at('b'), at('c')]);
  renameSync(at('c'), at('b'));
  const { snapshot_id } = await engine.snapshot({ worktree: 'main', origin: 'manual' }, quiet);
  const [a, b] = ['a', 'b'].map((name) => statSync(join(volume.snapshotPath(snapshot_id), name)).ino);
  expect(a).not.toBe(b);
});
