import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ensurePackage, Mounted } from '../../testing/filesystem.ts';
import { asUser, manifest, quiet, TestVolume } from '../../testing/volume.ts';
import { Engine } from '../engine.ts';
import { exportSnapshot, storedBytes } from '../export.ts';
import type { Received } from '../import.ts';
import { Layout } from '../layout.ts';
import type { Position } from '../transfer.ts';

const ask = { worktree: 'main', origin: 'manual' as const };

function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8' });
}

/** Attributes of everything below, as getfattr lists them. */
function attributes(folder: string): string {
  return execFileSync('getfattr', ['-R', '-d', '-m', '-', '-e', 'hex', '.'], {
    cwd: folder,
    encoding: 'utf8',
  });
}

test('attributes, ACLs and nanoseconds go into a snapshot and come back', async () => {
  ensurePackage('setfacl', 'acl');
  ensurePackage('setfattr', 'attr');
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  const at = (...path: string[]) => join(volume.main, ...path);
  mkdirSync(at('dir'));
  for (const name of ['file', 'dir/below', 'plain']) writeFileSync(at(name), name);
  run('setfattr', '-n', 'user.note', '-v', 'a value', at('file'));
  run('setfattr', '-n', 'user.of-dir', '-v', 'x', at('dir'));
  run('setfacl', '-m', 'u:1234:rw,g:2345:r', at('dir', 'below'));
  run('setfacl', '-d', '-m', 'u:1234:rwx', at('dir'));
  run('touch', '-d', '2001-02-03 04:05:06.123456789', at('file'), at('dir'), at());
  const before = attributes(volume.main);
  expect(before).toMatch(/user\.note/);
  expect(before).toMatch(/posix_acl_default/);

  const first = await engine.snapshot(ask, quiet);
  const copy = volume.snapshotPath(first.snapshot_id);
  expect(attributes(copy)).toBe(before);
  const nanoseconds = (path: string) => statSync(path, { bigint: true }).mtimeNs;
  const expectTimes = (root: string) => {
    for (const name of ['file', 'dir', '.'])
      expect([name, nanoseconds(join(root, name)) % 1_000_000_000n]).toEqual([name, 123456789n]);
  };
  expectTimes(copy);

  // Only the attribute changes: content, size and mtime are the same.
  run('setfattr', '-n', 'user.note', '-v', 'other', at('file'));
  const second = await engine.snapshot(ask, quiet);
  expect(attributes(volume.snapshotPath(second.snapshot_id))).toBe(attributes(volume.main));
  expect(attributes(copy)).toBe(before);

  // The worktree's root stays, but not what it had no attribute of then.
  run('setfattr', '-n', 'user.since', '-v', 'x', volume.main);
  run('setfacl', '-m', 'u:1234:rwx,d:u:1234:rwx', volume.main);
  await engine.restore({ worktree: 'main', snapshotId: first.snapshot_id }, quiet);
  expect(attributes(volume.main)).toBe(before);
  expect(statSync(volume.main).mode).toBe(statSync(copy).mode);
  expectTimes(volume.main);
  const packed = await engine.snapshot({ ...ask, compression: { type: 'zstd', level: 1 } }, quiet);
  await engine.fork({ snapshotId: packed.snapshot_id, name: 'exp' }, quiet);
  expect(attributes(join(volume.path, 'worktrees', 'exp'))).toBe(before);
  for (const path of [volume.snapshotPath(packed.snapshot_id), join(volume.path, 'worktrees', 'exp')])
    expect(nanoseconds(join(path, 'dir')) % 1_000_000_000n).toBe(123456789n);
  expect(nanoseconds(join(volume.path, 'worktrees', 'exp')) % 1_000_000_000n).toBe(123456789n);
});

test('as another user than root, attributes of what nobody may write to are kept too', async () => {
  using volume = new TestVolume();
  await volume.engine().open();
  const at = (...path: string[]) => join(volume.main, ...path);
  mkdirSync(at('dir'));
  writeFileSync(at('file'), 'x');
  for (const [name, mode] of [
    ['dir', 0o555],
    ['file', 0o440],
  ] as const) {
    run('setfattr', '-n', 'user.note', '-v', name, at(name));
    chmodSync(at(name), mode);
    run('setfacl', '-m', 'u:1234:r', at(name));
  }
  run('chown', '-R', '1000:1000', volume.path);
  chmodSync(volume.path, 0o755);
  const before = [attributes(volume.main), manifest(volume.main)];
  const engine = (work: string) =>
    asUser(`
      const { Engine } = await import(${JSON.stringify(new URL('../engine.ts', import.meta.url).href)});
      const engine = new Engine({ volume: ${JSON.stringify(volume.path)}, engine: 'copy', holder: 'x' });
      const control = { progress() {}, step() {} };
      ${work}`);
  const id = engine(`
    const { snapshot_id } = await engine.snapshot({ worktree: 'main', origin: 'manual' }, control);
    process.stdout.write(snapshot_id);`);
  const copy = volume.snapshotPath(id);
  expect([attributes(copy), manifest(copy)]).toEqual(before);
  engine(`await engine.fork({ name: 'exp', snapshotId: ${JSON.stringify(id)} }, control);`);
  const fork = join(volume.path, 'worktrees', 'exp');
  expect([attributes(fork), manifest(fork)]).toEqual(before);
});

/** A repository on an ext4, with a file in main. */
async function onExt4(): Promise<[Mounted, Engine, string]> {
  const disk = Mounted.loop('ext4', 16, '-b 1024 -I 256');
  const engine = new Engine({ volume: disk.path, engine: 'copy', holder: 'test' });
  await engine.open();
  const file = join(disk.path, 'main', 'file');
  writeFileSync(file, 'x');
  return [disk, engine, file];
}

test('attributes that fill the room that a file has fit into its copy too', async () => {
  const [mounted, engine, file] = await onExt4();
  using disk = mounted;
  run('setfacl', '-m', [1234, 1235, 1236].map((uid) => `u:${uid}:r`).join(), file);
  run('setfattr', '-n', 'user.small', '-v', 'x'.repeat(20), file);
  run('setfattr', '-n', 'user.large', '-v', 'x'.repeat(920), file);
  const { snapshot_id } = await engine.snapshot(ask, quiet);
  const copy = join(disk.path, '.jvs', 'snapshots', snapshot_id);
  expect(attributes(copy)).toBe(attributes(join(disk.path, 'main')));
});

test('attributes that a file has no room for are an error that names both, and says no volume full that is not', async () => {
  const [mounted, engine, file] = await onExt4();
  using _ = mounted;
  using xfs = Mounted.loop('xfs');
  const from = new Engine({ volume: xfs.path, engine: 'copy', holder: 'test' });
  await from.open();
  const large = join(xfs.path, 'main', 'large');
  writeFileSync(large, 'x');
  run('setfattr', '-n', 'user.large', '-v', 'x'.repeat(8000), large);
  const descriptor = await from.snapshot(ask, quiet);
  const { snapshot_id: snapshotId } = descriptor;
  const layout = new Layout(xfs.path);
  async function* fetch(at: Position): AsyncGenerator<Received> {
    const text = readFileSync(layout.descriptor(snapshotId), 'utf8');
    yield { descriptor: text, storedBytes: await storedBytes(layout, descriptor) };
    yield* exportSnapshot(layout, descriptor, at);
  }
  rmSync(file);
  await expect(engine.receive({ snapshotId, fetch, keepTag: () => true }, quiet)).rejects.toMatchObject({
    reason: 'InvalidArgument',
    message: expect.stringMatching(/receiving large: the volume has room.*setfattr.*user\.large/),
  });
});

test('times before 1970 are times too', async () => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  writeFileSync(join(volume.main, 'old'), '');
  utimesSync(join(volume.main, 'old'), -100.5, -100.5);
  const { snapshot_id } = await engine.snapshot(ask, quiet);
  const { mtimeMs } = statSync(join(volume.snapshotPath(snapshot_id), 'old'));
  expect(mtimeMs).toBe(statSync(join(volume.main, 'old')).mtimeMs);
});

test("owner, attributes and ACLs of the worktree's root are those that it had, after a restore and of a fork", async () => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  writeFileSync(join(volume.main, 'file'), 'x');
  run('setfattr', '-n', 'user.note', '-v', 'then', volume.main);
  run('setfacl', '-m', 'u:1234:rwx,d:u:1234:rwx', volume.main);
  run('chown', '1000:2000', volume.main);
  const top = (folder: string) => {
    const { uid, gid, mode } = statSync(folder);
    const of = run('getfattr', '-d', '-m', '-', '-e', 'hex', '--absolute-names', folder);
    return { uid, gid, mode, of: of.replace(folder, '') };
  };
  const before = top(volume.main);
  const made = await engine.snapshot(ask, quiet);
  run('setfattr', '-n', 'user.note', '-v', 'since', volume.main);
  run('setfacl', '-b', volume.main);
  run('chown', '3000:3000', volume.main);
  await engine.restore({ worktree: 'main', snapshotId: made.snapshot_id }, quiet);
  expect(top(volume.main)).toEqual(before);
  await engine.fork({ snapshotId: made.snapshot_id, name: 'exp' }, quiet);
  expect(top(join(volume.path, 'worktrees', 'exp'))).toEqual(before);
});

test('what directories hand down, by setgid or by a default ACL, is in no copy of what has it not', async () => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  // As kubelet does for an fsGroup, and who shares a volume.
  run('chgrp', '-R', '2000', volume.path);
  run('find', volume.path, '-type', 'd', '-exec', 'chmod', 'g+s', '{}', '+');
  run('find', volume.jvs, '-type', 'd', '-exec', 'setfacl', '-d', '-m', 'u:1234:rwx', '{}', '+');
  const at = (...path: string[]) => join(volume.main, ...path);
  mkdirSync(at('dir', 'below'), { recursive: true });
  for (const name of ['file', 'dir/file']) writeFileSync(at(name), 'x', { mode: 0o640 });
  run('chgrp', '-R', '0', volume.main);
  run('setfacl', '-d', '-m', 'u:1234:rwx', at('dir', 'below'));
  writeFileSync(at('dir', 'below', 'moved here'), 'x', { mode: 0o640 });
  run('setfacl', '-b', at('dir', 'below', 'moved here'));
  const seen = () => [attributes(volume.main), ...manifest(volume.main)];
  const before = seen();
  for (const compression of [undefined, { type: 'gzip' as const, level: 1 }]) {
    const made = await engine.snapshot({ ...ask, ...(compression ? { compression } : {}) }, quiet);
    await engine.restore({ worktree: 'main', snapshotId: made.snapshot_id }, quiet);
    expect(seen()).toEqual(before);
  }
});
