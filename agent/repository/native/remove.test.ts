import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { manifest, quiet, TestVolume } from '../testing/volume.ts';
import { Layout } from './layout.ts';
import { listSnapshots, listWorktrees } from './reader.ts';

const ask = { worktree: 'main', origin: 'manual' as const };

/** A snapshot of main, and worktree exp forked from it, with a snapshot of its own. */
async function forked() {
  const volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  writeFileSync(join(volume.main, 'a'), 'a');
  const base = await engine.snapshot(ask, quiet);
  await engine.fork({ snapshotId: base.snapshot_id, name: 'exp' }, quiet);
  const exp = join(volume.path, 'worktrees', 'exp');
  mkdirSync(join(exp, 'dir'));
  writeFileSync(join(exp, 'dir', 'b'), 'b');
  const own = await engine.snapshot({ ...ask, worktree: 'exp' }, quiet);
  return { volume, engine, base, own, exp, layout: new Layout(volume.path) };
}

test('a worktree goes with its files and its configuration; its snapshots stay, pinned, and its name is free', async () => {
  const { volume: made, engine, base, own, exp, layout } = await forked();
  using volume = made;
  await engine.removeWorktree('exp', quiet);
  expect(existsSync(exp)).toBe(false);
  expect((await listWorktrees(layout)).map((w) => w.name)).toEqual(['main']);
  expect(readdirSync(layout.worktrees)).toEqual(['main']);
  expect((await listSnapshots(layout)).map((d) => d.snapshot_id)).toEqual([
    own.snapshot_id,
    base.snapshot_id,
  ]);
  expect(readdirSync(layout.pins)).toEqual([`agent-${own.snapshot_id}.json`]);
  expect(await engine.verify(own.snapshot_id, quiet)).toMatchObject({ payloadValid: true });
  for (const folder of [layout.removals, layout.indexes])
    expect(readdirSync(folder).filter((n) => n.includes('exp'))).toEqual([]);
  const [last] = readFileSync(layout.audit, 'utf8').trim().split('\n').slice(-1);
  expect(JSON.parse(last ?? '')).toMatchObject({
    event_type: 'worktree_remove',
    worktree_name: 'exp',
    details: { head_snapshot_id: own.snapshot_id },
  });
  expect(await engine.doctor(false)).toEqual([]);

  await expect(engine.removeWorktree('exp', quiet)).rejects.toMatchObject({ reason: 'NotFound' });
  await engine.fork({ snapshotId: own.snapshot_id, name: 'exp' }, quiet);
  expect(manifest(exp)).toEqual(manifest(volume.snapshotPath(own.snapshot_id)));
});

test('main and what is no name of a worktree are refused', async () => {
  const { volume: made, engine } = await forked();
  using volume = made;
  for (const name of ['main', '.', '..', '../main', './main', 'a/b', '']) {
    const refused = await engine.removeWorktree(name, quiet).catch((e) => e);
    expect({ name, reason: refused.reason }).toEqual({ name, reason: 'InvalidArgument' });
  }
  expect(readFileSync(join(volume.main, 'a'), 'utf8')).toBe('a');
});

test('links that a workload put in the place of its worktree, or in it, are removed and not followed', async () => {
  const { volume: made, engine, own, exp, layout } = await forked();
  using volume = made;
  using outside = new TestVolume();
  writeFileSync(join(outside.path, 'file'), 'precious');
  symlinkSync(outside.path, join(exp, 'dir', 'out'));
  await engine.fork({ snapshotId: own.snapshot_id, name: 'swapped' }, quiet);
  const swapped = join(volume.path, 'worktrees', 'swapped');
  renameSync(swapped, join(volume.path, 'moved'));
  symlinkSync(outside.path, swapped);
  await engine.removeWorktree('exp', quiet);
  await engine.removeWorktree('swapped', quiet);
  expect(readdirSync(join(volume.path, 'worktrees'))).toEqual([]);
  expect((await listWorktrees(layout)).map((w) => w.name)).toEqual(['main']);
  expect(readFileSync(join(outside.path, 'file'), 'utf8')).toBe('precious');
});

test('on a full volume a worktree makes room for the pins of its snapshots', async () => {
  using volume = new TestVolume();
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'none', volume.path]);
  try {
    const engine = volume.engine();
    await engine.open();
    const { snapshot_id: snapshotId } = await engine.snapshot(ask, quiet);
    await engine.fork({ snapshotId, name: 'exp' }, quiet);
    for (let i = 0; i < 40; i++) await engine.snapshot({ ...ask, worktree: 'exp' }, quiet);
    writeFileSync(join(volume.path, 'worktrees', 'exp', 'big'), Buffer.alloc(1_000_000));
    execFileSync('sh', ['-c', 'cat /dev/zero > "$0/fill" 2>/dev/null || true', volume.main]);
    await engine.removeWorktree('exp', quiet);
    const layout = new Layout(volume.path);
    expect((await listWorktrees(layout)).map((w) => w.name)).toEqual(['main']);
    expect(readdirSync(layout.pins)).toHaveLength(40);
    expect(await listSnapshots(layout)).toHaveLength(41);
  } finally {
    execFileSync('umount', [volume.path]);
  }
});
