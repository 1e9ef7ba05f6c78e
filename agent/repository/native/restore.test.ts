import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { manifest, quiet, TestVolume } from '../testing/volume.ts';
import { IndexReader } from './index-file.ts';
import { Layout } from './layout.ts';
import { headOf, listSnapshots, listWorktrees } from './reader.ts';

const ask = { worktree: 'main', origin: 'manual' as const };

/** A repository with one snapshot of a tree of every kind, and the tree changed in every way since. */
async function changedSince() {
  const volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  const at = (...path: string[]) => join(volume.main, ...path);
  mkdirSync(at('dir', 'deep'), { recursive: true });
  for (const name of ['kept', 'removed', 'dir/a', 'dir/deep/b', 'becomes dir']) writeFileSync(at(name), name);
  linkSync(at('kept'), at('dir', 'again'));
  symlinkSync('kept', at('link'));
  mkdirSync(at('becomes file'));
  chmodSync(at('dir', 'deep'), 0o500);
  const first = await engine.snapshot(ask, quiet);
  const tree = manifest(volume.main);
  rmSync(at('removed'));
  writeFileSync(at('kept'), 'changed');
  writeFileSync(at('dir', 'new'), 'new');
  rmSync(at('becomes file'), { recursive: true });
  writeFileSync(at('becomes file'), '');
  rmSync(at('becomes dir'));
  mkdirSync(at('becomes dir'));
  rmSync(at('link'));
  writeFileSync(at('extra'), 'extra');
  return { volume, engine, first, tree };
}

test('a restore in place brings the whole tree back and keeps the root, for open shells and bind mounts', async () => {
  const { volume: made, engine, first, tree } = await changedSince();
  using volume = made;
  const second = await engine.snapshot(ask, quiet);
  const inode = statSync(volume.main).ino;
  const mount = join(volume.path, 'mount');
  mkdirSync(mount);
  execFileSync('mount', ['--bind', volume.main, mount]);
  const shell = spawn('sh', ['-c', 'read go; cat kept'], { cwd: volume.main });
  try {
    await engine.restore({ worktree: 'main', snapshotId: first.snapshot_id }, quiet);
    expect(manifest(volume.main)).toEqual(tree);
    expect(manifest(mount)).toEqual(tree);
    expect(statSync(volume.main).ino).toBe(inode);
    let seen = '';
    shell.stdout.setEncoding('utf8').on('data', (text) => {
      seen += text;
    });
    const ended = new Promise((resolve) => shell.on('close', resolve));
    shell.stdin.end('go\n');
    await ended;
    expect(seen).toBe('kept');
  } finally {
    execFileSync('umount', [mount]);
  }
  const root = volume.snapshotPath(first.snapshot_id);
  expect(statSync(join(volume.main, 'kept')).ino).not.toBe(statSync(join(root, 'kept')).ino);
  expect(statSync(join(volume.main, 'kept')).nlink).toBe(2);
  const [config] = await listWorktrees(new Layout(volume.path));
  expect(config).toMatchObject({
    head_snapshot_id: first.snapshot_id,
    latest_snapshot_id: second.snapshot_id,
  });
  expect(readdirSync(join(volume.jvs, 'agent', 'restore'))).toEqual([]);
});

test('after a restore history goes on from there; what is newer stays, pinned against gc by others', async () => {
  const { volume: made, engine, first, tree } = await changedSince();
  using volume = made;
  const second = await engine.snapshot(ask, quiet);
  await engine.restore({ worktree: 'main', snapshotId: first.snapshot_id }, quiet);
  const pins = () => readdirSync(join(volume.jvs, 'pins'));
  expect(pins()).toEqual([`agent-${second.snapshot_id}.json`]);
  const third = await engine.snapshot(ask, quiet);
  expect(third).toMatchObject({ parent_id: first.snapshot_id, payload_root_hash: first.payload_root_hash });
  expect(third.agent?.unique_bytes).toBe(0);
  expect(manifest(volume.snapshotPath(third.snapshot_id))).toEqual(tree);
  expect(pins()).toEqual([`agent-${second.snapshot_id}.json`]);
  for (const { snapshot_id } of await listSnapshots(new Layout(volume.path))) {
    expect(await engine.verify(snapshot_id, quiet)).toMatchObject({
      descriptorValid: true,
      payloadValid: true,
    });
  }
  await engine.restore({ worktree: 'main', snapshotId: second.snapshot_id }, quiet);
  expect(pins()).toEqual([`agent-${third.snapshot_id}.json`]);
});

test('writing to restored files does not reach the snapshot', async () => {
  const { volume: made, engine, first } = await changedSince();
  using volume = made;
  await engine.restore({ worktree: 'main', snapshotId: first.snapshot_id }, quiet);
  for (const name of ['kept', 'dir/a', 'dir/deep/b']) writeFileSync(join(volume.main, name), 'overwritten');
  expect(await engine.verify(first.snapshot_id, quiet)).toMatchObject({ payloadValid: true });
  const next = await engine.snapshot(ask, quiet);
  expect(manifest(volume.snapshotPath(next.snapshot_id))).toEqual(manifest(volume.main));
});

test('the files that a restore brought back are known up to when its tree was whole, and not read again', async () => {
  const { volume: made, engine, first } = await changedSince();
  using volume = made;
  const begun = join(volume.jvs, 'agent', 'restore', 'main.json');
  const probe = join(volume.path, 'probe');
  const step = (point: string) => {
    if (point !== 'restore-staging') return;
    // Until the volume's clock has ticked.
    do writeFileSync(probe, '');
    while (statSync(probe).ctimeMs <= statSync(begun).ctimeMs);
  };
  await engine.restore({ worktree: 'main', snapshotId: first.snapshot_id }, { ...quiet, step });
  using index = IndexReader.open(join(volume.jvs, 'agent', 'index', 'main'));
  const tickMs = 50;
  expect(index?.header.racyFromMs).toBeGreaterThanOrEqual(
    statSync(join(volume.main, 'dir/a')).ctimeMs - tickMs,
  );
});

test('a damaged snapshot is not restored, and nothing changes', async () => {
  const { volume: made, engine, first } = await changedSince();
  using volume = made;
  writeFileSync(join(volume.snapshotPath(first.snapshot_id), 'dir', 'a'), 'DIR/A');
  const before = manifest(volume.main);
  const restore = engine.restore({ worktree: 'main', snapshotId: first.snapshot_id }, quiet);
  await expect(restore).rejects.toMatchObject({ reason: 'DamagedRepository' });
  expect(manifest(volume.main)).toEqual(before);
  expect(readdirSync(join(volume.jvs, 'agent', 'restore'))).toEqual([]);
});

test('a snapshot whose descriptor was changed by hand is not restored', async () => {
  const { volume: made, engine, first } = await changedSince();
  using volume = made;
  const file = join(volume.jvs, 'descriptors', `${first.snapshot_id}.json`);
  writeFileSync(file, JSON.stringify({ ...volume.descriptor(first.snapshot_id), note: 'forged' }));
  const before = manifest(volume.main);
  const restore = engine.restore({ worktree: 'main', snapshotId: first.snapshot_id }, quiet);
  await expect(restore).rejects.toMatchObject({ reason: 'DamagedRepository' });
  expect(manifest(volume.main)).toEqual(before);
});

test('a restore that fails in the exchange says that it is half done, and is finished by the next operation', async () => {
  const { volume: made, engine, first, tree } = await changedSince();
  using volume = made;
  const step = (point: string) => {
    if (point === 'restore-entry') throw new Error('the reason');
  };
  const restore = engine.restore({ worktree: 'main', snapshotId: first.snapshot_id }, { ...quiet, step });
  await expect(restore).rejects.toMatchObject({ message: expect.stringMatching(/in part only.*the reason/) });
  const next = await engine.snapshot(ask, quiet);
  expect(next.parent_id).toBe(first.snapshot_id);
  expect(manifest(volume.main)).toEqual(tree);
});

test('a restore that fails when all is in place does not say that a part is missing', async () => {
  const { volume: made, engine, first, tree } = await changedSince();
  using volume = made;
  const step = (point: string) => {
    if (point === 'restore-placed') throw new Error('the reason');
  };
  const restore = engine.restore({ worktree: 'main', snapshotId: first.snapshot_id }, { ...quiet, step });
  await expect(restore).rejects.toMatchObject({ message: expect.not.stringMatching(/in part only/) });
  expect(manifest(volume.main)).toEqual(tree);
});

test('a worktree whose configuration is torn stops neither a restore nor what comes after', async () => {
  const { volume: made, engine, first, tree } = await changedSince();
  using volume = made;
  const second = await engine.snapshot(ask, quiet);
  for (const name of ['exp', 'gone']) await engine.fork({ snapshotId: first.snapshot_id, name }, quiet);
  writeFileSync(join(volume.jvs, 'worktrees', 'exp', 'config.json'), '{"name"');
  await engine.restore({ worktree: 'main', snapshotId: first.snapshot_id }, quiet);
  expect(manifest(volume.main)).toEqual(tree);
  expect(readdirSync(join(volume.jvs, 'pins'))).toEqual([`agent-${second.snapshot_id}.json`]);
  await engine.removeWorktree('gone', quiet);
  await engine.snapshot(ask, quiet);
});

test('on a volume that became full, a restore is finished and what it replaced makes room again', async () => {
  using volume = new TestVolume();
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'none', volume.path]);
  try {
    const engine = volume.engine();
    await engine.open();
    const first = await engine.snapshot(ask, quiet);
    // So many that their pins do not fit into what is reserved for deleting.
    for (let i = 0; i < 40; i++) await engine.snapshot(ask, quiet);
    writeFileSync(join(volume.main, 'big'), Buffer.alloc(1_200_000, 1));
    const step = (point: string) => {
      if (point === 'restore-advanced') throw new Error('stopped');
    };
    const restore = engine.restore({ worktree: 'main', snapshotId: first.snapshot_id }, { ...quiet, step });
    await expect(restore).rejects.toThrow('stopped');
    expect(spawnSync('dd', ['if=/dev/zero', `of=${join(volume.path, 'fill')}`, 'bs=4096']).status).not.toBe(
      0,
    );
    const [newest] = await listSnapshots(new Layout(volume.path));
    await engine.delete({ id: newest?.snapshot_id ?? '' }, quiet);
    await engine.snapshot(ask, quiet);
    expect(readdirSync(join(volume.jvs, 'pins'))).toHaveLength(39);
  } finally {
    execFileSync('umount', [volume.path]);
  }
});

test('a repeated request restores once', async () => {
  const { volume: made, engine, first, tree } = await changedSince();
  using volume = made;
  const request = { worktree: 'main', snapshotId: first.snapshot_id, requestTag: 'k8s-1' };
  await engine.restore(request, quiet);
  writeFileSync(join(volume.main, 'later'), 'work');
  await engine.restore(request, quiet);
  expect(readFileSync(join(volume.main, 'later'), 'utf8')).toBe('work');
  await engine.restore({ ...request, requestTag: 'k8s-2' }, quiet);
  expect(manifest(volume.main)).toEqual(tree);
});

test('a full volume stops a restore before anything is touched', async () => {
  using volume = new TestVolume();
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'none', volume.path]);
  try {
    const engine = volume.engine();
    await engine.open();
    writeFileSync(join(volume.main, 'big'), Buffer.alloc(1_200_000, 1));
    const { snapshot_id } = await engine.snapshot(ask, quiet);
    const before = manifest(volume.main);
    await expect(engine.restore({ worktree: 'main', snapshotId: snapshot_id }, quiet)).rejects.toMatchObject({
      reason: 'VolumeFull',
      message: expect.stringMatching(/needs 1\d{6} bytes, and 5\d{5} bytes are available/),
    });
    expect(manifest(volume.main)).toEqual(before);
    expect(readdirSync(join(volume.jvs, 'agent'))).not.toContain('restore');
  } finally {
    execFileSync('umount', [volume.path]);
  }
});

test.for([undefined, { type: 'gzip', level: 1 }] as const)(
  'what is sparse, or has several names, is brought back where there is room for no more: %s',
  async (compression) => {
    using volume = new TestVolume();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'none', volume.path]);
    try {
      const engine = volume.engine();
      await engine.open();
      writeFileSync(join(volume.main, 'sparse'), '');
      truncateSync(join(volume.main, 'sparse'), 50_000_000);
      writeFileSync(join(volume.main, 'first'), Buffer.alloc(1_200_000, 1));
      const { snapshot_id: sparse } = await engine.snapshot({ ...ask, compression }, quiet);
      await engine.restore({ worktree: 'main', snapshotId: sparse }, quiet);
      for (const name of ['second', 'third']) linkSync(join(volume.main, 'first'), join(volume.main, name));
      const { snapshot_id } = await engine.snapshot({ ...ask, compression }, quiet);
      const before = manifest(volume.main);
      await engine.restore({ worktree: 'main', snapshotId: snapshot_id }, quiet);
      expect(manifest(volume.main)).toEqual(before);
    } finally {
      execFileSync('umount', [volume.path]);
    }
  },
);

test('a fork is a worktree of its own', async () => {
  const { volume: made, engine, first, tree } = await changedSince();
  using volume = made;
  await engine.fork({ snapshotId: first.snapshot_id, name: 'exp' }, quiet);
  const path = join(volume.path, 'worktrees', 'exp');
  expect(manifest(path)).toEqual(tree);
  const layout = new Layout(volume.path);
  expect((await listWorktrees(layout)).find((w) => w.name === 'exp')).toMatchObject({
    base_snapshot_id: first.snapshot_id,
    head_snapshot_id: first.snapshot_id,
    latest_snapshot_id: first.snapshot_id,
  });
  writeFileSync(join(path, 'kept'), 'on the fork');
  const made2 = await engine.snapshot({ worktree: 'exp', origin: 'manual' }, quiet);
  expect(made2).toMatchObject({ parent_id: first.snapshot_id, worktree_name: 'exp' });
  expect(await headOf(layout, 'main')).toBe(first.snapshot_id);

  const again = engine.fork({ snapshotId: first.snapshot_id, name: 'exp' }, quiet);
  await expect(again).rejects.toMatchObject({ reason: 'InvalidArgument' });
  const request = { snapshotId: first.snapshot_id, name: 'asked', requestTag: 'k8s-1' };
  await engine.fork(request, quiet);
  await engine.fork(request, quiet); // by an agent that was killed before it could say so
  mkdirSync(join(volume.path, 'worktrees', 'occupied', 'x'), { recursive: true });
  const occupied = engine.fork({ snapshotId: first.snapshot_id, name: 'occupied' }, quiet);
  await expect(occupied).rejects.toMatchObject({
    reason: 'InvalidArgument',
    message: expect.stringMatching(/occupied/),
  });
  expect(existsSync(join(volume.jvs, 'worktrees', 'occupied'))).toBe(false);
  expect(readdirSync(join(volume.jvs, 'agent', 'restore'))).toEqual([]);
  await engine.snapshot(ask, quiet);
});

test.for([
  ['a link', (path: string) => symlinkSync('../main', path)],
  ['a file', (path: string) => writeFileSync(path, 'in the way')],
] as const)(
  '%s in the place of a worktree is refused at first, and gives way once its tree is exchanged',
  async ([, put]) => {
    const { volume: made, engine, first } = await changedSince();
    using volume = made;
    const fork = join(volume.path, 'worktrees', 'exp');
    await engine.fork({ snapshotId: first.snapshot_id, name: 'exp' }, quiet);
    const main = manifest(volume.main);
    const restore = { worktree: 'exp', snapshotId: first.snapshot_id };
    const swap = () => {
      rmSync(fork, { recursive: true });
      put(fork);
    };
    for (const at of ['restore-staging', 'restore-staged']) {
      const swapping = { ...quiet, step: (point: string) => point === at && swap() };
      await expect(engine.restore(restore, swapping)).rejects.toMatchObject({
        reason: 'InvalidArgument',
        message: expect.stringMatching(/worktrees\/exp is no directory/),
      });
      rmSync(fork);
      mkdirSync(fork);
    }
    const swapping = { ...quiet, step: (point: string) => point === 'restore-placing' && swap() };
    await engine.restore(restore, swapping);
    expect(manifest(fork)).toEqual(manifest(volume.snapshotPath(first.snapshot_id)));
    expect(manifest(volume.main)).toEqual(main);
    expect(readdirSync(join(volume.jvs, 'agent', 'restore'))).toEqual([]);
    await engine.snapshot(ask, quiet);
  },
);

test('unknown snapshots and worktrees are named', async () => {
  const { volume: made, engine, first } = await changedSince();
  using volume = made;
  const none = '1795492626332-00000000';
  const notFound = { reason: 'NotFound' };
  await expect(engine.restore({ worktree: 'main', snapshotId: none }, quiet)).rejects.toMatchObject(notFound);
  await expect(engine.restore({ worktree: 'x', snapshotId: first.snapshot_id }, quiet)).rejects.toMatchObject(
    notFound,
  );
  await expect(engine.fork({ name: 'y', snapshotId: none }, quiet)).rejects.toMatchObject(notFound);
  await expect(engine.restore({ worktree: 'main', snapshotId: '../x' }, quiet)).rejects.toMatchObject({
    reason: 'InvalidArgument',
  });
  expect(existsSync(volume.main)).toBe(true);
});

test('a worktree may have a name as long as its files in .jvs can have; a longer one is refused for good', async () => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  writeFileSync(join(volume.main, 'a'), 'a');
  const { snapshot_id: snapshotId } = await engine.snapshot(ask, quiet);
  const name = 'w'.repeat(232);
  await engine.fork({ snapshotId, name }, quiet);
  const taken = await engine.snapshot({ ...ask, worktree: name }, quiet);
  await engine.restore({ snapshotId: taken.snapshot_id, worktree: name }, quiet);
  await engine.removeWorktree(name, quiet);
  expect(existsSync(join(volume.path, 'worktrees', name))).toBe(false);
  await expect(engine.fork({ snapshotId, name: `${name}w` }, quiet)).rejects.toMatchObject({
    reason: 'InvalidArgument',
    transient: false,
  });
});

test('a link from before 1970 keeps its time', async () => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  const times = ['-1.5', '-86400', '-1000000.25'];
  for (const time of times) {
    symlinkSync('nowhere', join(volume.main, time));
    lutimesSync(join(volume.main, time), time, time);
  }
  const { snapshot_id: snapshotId } = await engine.snapshot(ask, quiet);
  await engine.restore({ worktree: 'main', snapshotId }, quiet);
  for (const time of times) expect(lstatSync(join(volume.main, time)).mtimeMs).toBe(Number(time) * 1000);
});
