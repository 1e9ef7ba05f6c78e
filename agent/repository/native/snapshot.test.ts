import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { manifest, quiet, TestVolume } from '../testing/volume.ts';

const ask = { worktree: 'main', origin: 'manual' as const };

test('keeps names, modes, owners, times, links, holes and hard links; counts what it can not keep', async () => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  const at = (...path: string[]) => join(volume.main, ...path);
  mkdirSync(at('deep', 'empty'), { recursive: true });
  writeFileSync(at('plain'), 'x');
  writeFileSync(at('deep', 'setuid'), 'x');
  chownSync(at('deep', 'setuid'), 1234, 2345);
  chmodSync(at('deep', 'setuid'), 0o6751);
  chmodSync(at('deep', 'empty'), 0o1777);
  writeFileSync(Buffer.concat([Buffer.from(`${volume.main}/bad`), Buffer.from([0xff])]), 'bytes');
  writeFileSync(at('new\nline'), '');
  symlinkSync('nowhere', at('dangling'));
  symlinkSync('/dev/zero', at('device link'));
  linkSync(at('plain'), at('deep', 'second name'));
  writeFileSync(at('sparse'), '');
  truncateSync(at('sparse'), 50_000_000);
  appendFileSync(at('sparse'), 'end');
  mkdirSync(at('inner'));
  writeFileSync(at('inner', '.READY'), 'not hashed, but kept');
  chmodSync(at('inner'), 0o555);
  utimesSync(at('inner'), 1e9, 1.5e9);
  execFileSync('mkfifo', [at('fifo')]);
  execFileSync('mknod', [at('device'), 'c', '1', '3']);
  const server = createServer().listen(at('socket'));
  const umask = process.umask(0o077);
  try {
    const made = await engine.snapshot(ask, quiet);
    expect(made.agent).toMatchObject({
      consistency: 'crash-consistent',
      effective_engine: 'copy',
      entries: 12,
      skipped: { fifo: 1, socket: 1, device: 1 },
    });
    const copy = volume.snapshotPath(made.snapshot_id);
    expect(manifest(copy)).toEqual(manifest(volume.main));
    expect(statSync(join(copy, 'plain')).ino).toBe(statSync(join(copy, 'deep', 'second name')).ino);
    expect(statSync(join(copy, 'sparse')).blocks).toBeLessThan(100);
    expect(await engine.verify(made.snapshot_id, quiet)).toMatchObject({
      descriptorValid: true,
      payloadValid: true,
    });
  } finally {
    process.umask(umask);
    server.close();
  }
});

test('unchanged files are links to the published copy, changed ones are copied, history is not touched', async () => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  for (const name of ['a', 'b', 'c', 'd']) writeFileSync(join(volume.main, name), `content ${name}`);
  const first = await engine.snapshot(ask, quiet);
  const old = volume.snapshotPath(first.snapshot_id);
  const before = manifest(old);
  // Same size, and the time set back: only the inode's own time tells.
  const { atime, mtime } = statSync(join(volume.main, 'a'));
  writeFileSync(join(volume.main, 'a'), 'CONTENT A');
  utimesSync(join(volume.main, 'a'), atime, mtime);
  renameSync(join(volume.main, 'b'), join(volume.main, 'e'));
  chmodSync(join(volume.main, 'c'), 0o600);

  const second = await engine.snapshot(ask, quiet);
  const now = volume.snapshotPath(second.snapshot_id);
  expect(second.parent_id).toBe(first.snapshot_id);
  expect(manifest(now)).toEqual(manifest(volume.main));
  expect(manifest(old)).toEqual(before);
  const ino = (root: string, name: string) => statSync(join(root, name)).ino;
  expect(ino(now, 'd')).toBe(ino(old, 'd'));
  expect(ino(now, 'a')).not.toBe(ino(old, 'a'));
  expect(ino(now, 'c')).not.toBe(ino(old, 'c'));
  expect(second.agent?.unique_bytes).toBe(3 * 'content a'.length);
});

test('a hard link that was broken stays broken, though both files are as they were', async () => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  const at = (name: string) => join(volume.main, name);
  for (const name of ['a', 'c', 'e']) writeFileSync(at(name), `content ${name}`);
  linkSync(at('a'), at('b'));
  linkSync(at('c'), at('d'));
  await engine.snapshot(ask, quiet);
  execFileSync('cp', ['-p', at('b'), at('new b')]);
  renameSync(at('new b'), at('b'));
  const { snapshot_id, agent } = await engine.snapshot(ask, quiet);
  expect(agent).toMatchObject({ hard_links: 1, unique_bytes: 'content b'.length });
  await engine.restore({ worktree: 'main', snapshotId: snapshot_id }, quiet);
  const ino = (name: string) => statSync(at(name)).ino;
  expect(ino('d')).toBe(ino('c'));
  appendFileSync(at('a'), ', changed');
  expect(readFileSync(at('b'), 'utf8')).toBe('content a');
});

test('where there are no hard links, a file that was replaced by the same is not stored again', async () => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  writeFileSync(join(volume.main, 'a'), 'content');
  await engine.snapshot(ask, quiet);
  execFileSync('cp', ['-p', join(volume.main, 'a'), join(volume.main, 'b')]);
  renameSync(join(volume.main, 'b'), join(volume.main, 'a'));
  expect((await engine.snapshot(ask, quiet)).agent?.unique_bytes).toBe(0);
});

test('a damaged published copy is not linked again', async () => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  writeFileSync(join(volume.main, 'a'), 'content');
  const first = await engine.snapshot(ask, quiet);
  writeFileSync(join(volume.snapshotPath(first.snapshot_id), 'a'), 'CONTENT');
  const second = await engine.snapshot(ask, quiet);
  expect(manifest(volume.snapshotPath(second.snapshot_id))).toEqual(manifest(volume.main));
  expect(await engine.verify(second.snapshot_id, quiet)).toMatchObject({ payloadValid: true });
});

test.for<[string, (index: string) => void]>([
  ['missing', (index) => rmSync(index)],
  ['empty', (index) => truncateSync(index, 0)],
  ['cut short', (index) => truncateSync(index, statSync(index).size - 20)],
  ['garbage', (index) => writeFileSync(index, Buffer.alloc(5000, 7))],
  [
    'flipped in one bit',
    (index) => {
      const bytes = readFileSync(index);
      const at = Math.floor(bytes.length * 0.6);
      bytes[at] = (bytes[at] ?? 0) ^ 4;
      writeFileSync(index, bytes);
    },
  ],
])('an index that is %s only costs time', async ([, damage]) => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  for (let i = 0; i < 50; i++) writeFileSync(join(volume.main, `file ${i}`), `content ${i}`);
  await engine.snapshot(ask, quiet);
  damage(join(volume.jvs, 'agent', 'index', 'main'));
  writeFileSync(join(volume.main, 'file 30'), 'other');
  const second = await engine.snapshot(ask, quiet);
  expect(manifest(volume.snapshotPath(second.snapshot_id))).toEqual(manifest(volume.main));
  expect(await engine.verify(second.snapshot_id, quiet)).toMatchObject({ payloadValid: true });
});

test('a request makes one snapshot, however often it is repeated', async () => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  const request = { ...ask, note: 'n', tags: ['release'], requestTag: 'k8s-1234' };
  const [one, two] = await Promise.all([
    engine.snapshot(request, quiet),
    volume.engine().snapshot(request, quiet),
  ]);
  expect(one.snapshot_id).toBe(two.snapshot_id);
  expect(one.tags).toEqual(['release', 'k8s-1234']);
  await engine.snapshot({ ...ask, requestTag: 'k8s-12345' }, quiet);
  expect((await engine.snapshot(request, quiet)).snapshot_id).toBe(one.snapshot_id);
  expect(readdirSync(join(volume.jvs, 'snapshots'))).toHaveLength(2);
});

test('where nothing changed, none is made if so asked, and nothing is left', async () => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  const again = { ...ask, unlessUnchanged: true };
  writeFileSync(join(volume.main, 'a'), '1');
  const first = await engine.snapshot(again, quiet);
  const files = () =>
    readdirSync(volume.jvs, { recursive: true, encoding: 'utf8' })
      .filter((path) => !path.startsWith('agent/lease/'))
      .sort();
  const before = files();
  writeFileSync(join(volume.main, 'a'), '1'); // another mtime
  expect(await engine.snapshot({ ...again, requestTag: 'auto-1' }, quiet)).toEqual(first);
  expect(files()).toEqual(before);
  chmodSync(join(volume.main, 'a'), 0o600);
  const second = await engine.snapshot({ ...again, requestTag: 'auto-1' }, quiet);
  expect(second).toMatchObject({ parent_id: first.snapshot_id, tags: ['auto-1'] });
  expect(await engine.snapshot({ ...ask, paths: ['a'] }, quiet)).not.toEqual(second);
  // A part has no say about the whole.
  expect((await engine.snapshot(again, quiet)).partial_paths).toBeUndefined();
  expect(readdirSync(join(volume.jvs, 'snapshots'))).toHaveLength(4);
});

test('bad requests are refused and leave nothing', async () => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  const refused = (request: object) => engine.snapshot({ ...ask, ...request }, quiet).catch((e) => e);
  expect(await refused({ worktree: 'other' })).toMatchObject({ reason: 'NotFound' });
  expect(await refused({ worktree: '../x' })).toMatchObject({ reason: 'InvalidArgument' });
  expect(await refused({ expectedParent: 'other' })).toMatchObject({ reason: 'ParentMismatch' });
  expect(await refused({ note: 'x'.repeat(50_000) })).toMatchObject({ reason: 'InvalidArgument' });
  mkdirSync(join(volume.main, '.READY'));
  expect(await refused({})).toMatchObject({
    reason: 'InvalidArgument',
    message: expect.stringMatching(/\.READY/),
  });
  rmSync(volume.main, { recursive: true });
  symlinkSync('/etc', volume.main);
  expect(await refused({})).toMatchObject({ reason: 'NotFound' });
  for (const folder of ['snapshots', 'descriptors', 'intents'])
    expect(readdirSync(join(volume.jvs, folder))).toEqual([]);
});

test('a marker that a restore by the jvs binary left in the worktree is no payload', async () => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  writeFileSync(join(volume.main, '.READY'), '{"snapshot_id":"1795492626332-5e52a2d2"}');
  const made = await engine.snapshot(ask, quiet);
  expect(made.agent?.entries).toBe(0);
});

test('a file that never stops changing is reported', async () => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  const file = join(volume.main, 'log');
  writeFileSync(file, Buffer.alloc(20_000_000));
  const pace = () => appendFileSync(file, 'more');
  const made = await engine.snapshot({ ...ask, quiesced: true }, { ...quiet, pace });
  expect(made.agent?.consistency).toBe('changed-during-copy');
  expect(await engine.verify(made.snapshot_id, quiet)).toMatchObject({ payloadValid: true });
  const next = await engine.snapshot(ask, quiet);
  expect(next.agent?.consistency).toBe('crash-consistent');
  const still = await engine.snapshot({ ...ask, quiesced: true }, quiet);
  expect(still.agent?.consistency).toBe('quiesced');
  expect(manifest(volume.snapshotPath(next.snapshot_id))).toEqual(manifest(volume.main));
});

test('what is changed or replaced after its directory was listed is in the snapshot as it is then, or reported', async () => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  const at = (name: string) => join(volume.main, name);
  for (const name of ['a', 'grows', 'shrinks', 'mode', 'same size', 'fifo', 'folder', 'gone', 'link'])
    writeFileSync(at(name), `old ${name}`);
  let changed = false;
  const pace = () => {
    if (changed) return;
    changed = true;
    writeFileSync(at('grows'), 'longer than it was before');
    writeFileSync(at('shrinks'), '');
    chmodSync(at('mode'), 0o600);
    writeFileSync(at('same size'), 'new same size');
    for (const name of ['fifo', 'folder', 'gone', 'link']) rmSync(at(name));
    execFileSync('mkfifo', [at('fifo')]);
    mkdirSync(at('folder'));
    symlinkSync('a', at('link'));
  };
  const made = await engine.snapshot(ask, { ...quiet, pace });
  expect(changed).toBe(true);
  const kept = manifest(volume.main).filter((line) => !line.startsWith('folder'));
  expect(manifest(volume.snapshotPath(made.snapshot_id))).toEqual(kept);
  expect(made.agent).toMatchObject({
    consistency: 'changed-during-copy',
    skipped: { fifo: 1, socket: 0, device: 0 },
  });
  expect(await engine.verify(made.snapshot_id, quiet)).toMatchObject({ payloadValid: true });
  const again = await engine.snapshot(ask, quiet);
  expect(manifest(volume.snapshotPath(again.snapshot_id))).toEqual(manifest(volume.main));
});

test('a full volume gets its space back, and the next snapshot works', async () => {
  using volume = new TestVolume();
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'none', volume.path]);
  try {
    const engine = volume.engine();
    await engine.open();
    writeFileSync(join(volume.main, 'big'), Buffer.alloc(2_000_000, 1));
    const before = manifest(volume.jvs, { times: false }).filter((line) => !line.startsWith('agent/'));
    await expect(engine.snapshot(ask, quiet)).rejects.toMatchObject({
      reason: 'VolumeFull',
      transient: true,
    });
    expect(manifest(volume.jvs, { times: false }).filter((line) => !line.startsWith('agent/'))).toEqual(
      before,
    );
    writeFileSync(join(volume.main, 'big'), 'small');
    const made = await engine.snapshot(ask, quiet);
    expect(await engine.verify(made.snapshot_id, quiet)).toMatchObject({ payloadValid: true });
  } finally {
    execFileSync('umount', [volume.path]);
  }
});

test('as another user than root: unreadable files fail with a hint, read-only directories are kept', async () => {
  using volume = new TestVolume();
  execFileSync('chown', ['1000:1000', volume.path]);
  chmodSync(volume.path, 0o755);
  const script = `
    import { mkdirSync, writeFileSync, chmodSync, readdirSync } from 'node:fs';
    process.setgroups([]); process.setgid(1000); process.setuid(1000);
    const { Engine } = await import(${JSON.stringify(new URL('./engine.ts', import.meta.url).href)});
    const control = { progress() {}, step() {} };
    const engine = new Engine({ volume: ${JSON.stringify(volume.path)}, engine: 'copy', holder: 'x' });
    await engine.open();
    const main = ${JSON.stringify(volume.main)};
    mkdirSync(main + '/fixed');
    writeFileSync(main + '/fixed/file', 'x', { mode: 0o444 });
    chmodSync(main + '/fixed', 0o555);
    const made = await engine.snapshot({ worktree: 'main', origin: 'manual' }, control);
    const again = await engine.snapshot({ worktree: 'main', origin: 'manual' }, control);
    writeFileSync(main + '/secret', 'x', { mode: 0 });
    const error = await engine.snapshot({ worktree: 'main', origin: 'manual' }, control).catch((e) => e);
    console.log(JSON.stringify({ ids: [made.snapshot_id, again.snapshot_id], error: { reason: error.reason, message: error.message }, left: readdirSync(main + '/../.jvs/snapshots') }));
  `;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  const { ids, error, left } = JSON.parse(output);
  expect(error.reason).toBe('PermissionDenied');
  expect(error.message).toMatch(/secret.*agent-run-as/);
  expect(left.sort()).toEqual(ids.sort());
  rmSync(join(volume.main, 'secret'));
  for (const id of ids) {
    expect(manifest(volume.snapshotPath(id))).toEqual(manifest(volume.main));
    expect(lstatSync(join(volume.snapshotPath(id), 'fixed')).mode & 0o777).toBe(0o555);
  }
  expect(existsSync(join(volume.jvs, 'intents'))).toBe(true);
});
