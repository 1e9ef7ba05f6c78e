import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { asUser, TestVolume } from '../../testing/volume.ts';
import { Directory, removeTree } from './directory.ts';

test('entries are what lstat says of them, to the bit, whatever their names, kinds and times', () => {
  using volume = new TestVolume();
  const names = ['file', 'dir', 'link', 'é', 'a b', '-', '\u0001'];
  const path = (name: string) => join(volume.path, name);
  for (const name of names) {
    if (name === 'dir') mkdirSync(path(name));
    else if (name === 'link') symlinkSync('nowhere', path(name));
    else writeFileSync(path(name), name);
  }
  chmodSync(path('file'), 0o4751);
  linkSync(path('file'), path('again'));
  chownSync(path('a b'), 4_000_000_000, 70_000);
  truncateSync(path('-'), 5_000_000_001);
  using directory = Directory.open(volume.path);
  const check = (name: string) => {
    const entry = directory.lstat(Buffer.from(name).toString('latin1'));
    const { mode, blocks, ...stats } = lstatSync(path(name));
    const { uid, gid, ino, nlink, size, mtimeMs, ctimeMs } = stats;
    const allocated = blocks * 512;
    expect(entry).toMatchObject({
      uid,
      gid,
      ino,
      nlink,
      size,
      mtimeMs,
      ctimeMs,
      allocated,
      mode: mode & 0o7777,
    });
    return entry?.kind;
  };
  expect([...names, 'again'].map(check)).toEqual(['file', 'dir', 'symlink', ...Array(5).fill('file')]);
  expect(directory.lstat('none')).toBeUndefined();
  fc.assert(
    fc.property(fc.double({ min: -(2 ** 31), max: 2 ** 33, noNaN: true }), (seconds) => {
      lutimesSync(path('link'), seconds, seconds);
      check('link');
    }),
    { numRuns: 500 },
  );
});

test('a link is made, or the reason why not is told', () => {
  using volume = new TestVolume();
  writeFileSync(join(volume.path, 'a'), '');
  using directory = Directory.open(volume.path);
  for (const name of ['b', 'é']) directory.link(directory, 'a', Buffer.from(name).toString('latin1'));
  expect(readdirSync(volume.path).sort()).toEqual(['a', 'b', 'é']);
  for (const [from, to, code] of [
    ['a', 'b', 'EEXIST'],
    ['none', 'c', 'ENOENT'],
  ] as const) {
    expect(() => directory.link(directory, from, to)).toThrow(expect.objectContaining({ code }));
  }
});

test('a tree is removed from under a program that goes on writing into it', async () => {
  using volume = new TestVolume();
  mkdirSync(join(volume.path, 'tree', 'below'), { recursive: true });
  const script = 'i=0; echo ready; while : > "$((i += 1))"; do :; done 2> /dev/null';
  const writer = spawn('sh', ['-c', script], { cwd: join(volume.path, 'tree', 'below') });
  const ended = once(writer, 'exit');
  try {
    await once(writer.stdout, 'data');
    using parent = Directory.open(volume.path);
    removeTree(parent, 'tree');
    expect(existsSync(join(volume.path, 'tree'))).toBe(false);
  } finally {
    writer.kill('SIGKILL');
    await ended;
  }
});

test('as another user than root, what can not be read is removed, and a link in its place changes nothing', () => {
  using volume = new TestVolume();
  const at = (name: string) => join(volume.path, name);
  for (const name of ['unreadable', 'swapped', 'outside']) mkdirSync(at(name));
  for (const name of ['unreadable', 'swapped']) writeFileSync(join(at(name), 'file'), '');
  for (const name of ['unreadable', 'swapped', 'outside']) chmodSync(at(name), 0);
  execFileSync('chown', ['-R', '1000:1000', volume.path]);
  const said = asUser(`
    import { renameSync, symlinkSync } from 'node:fs';
    const { Directory, removeTree } = await import(${JSON.stringify(new URL('./directory.ts', import.meta.url).href)});
    process.chdir(${JSON.stringify(volume.path)});
    const parent = Directory.open('.');
    removeTree(parent, 'unreadable');
    parent.openDirectory = (name) => {
      delete parent.openDirectory;
      try {
        return Directory.prototype.openDirectory.call(parent, name);
      } finally {
        renameSync(name, 'away');
        symlinkSync('outside', name);
      }
    };
    try {
      removeTree(parent, 'swapped');
    } catch ({ code }) {
      process.stdout.write(code);
    }`);
  expect(existsSync(at('unreadable'))).toBe(false);
  expect(lstatSync(at('outside')).mode & 0o777).toBe(0);
  expect(said).toBe('ENOTDIR');
});

test('a tree is removed however deep it is', () => {
  using volume = new TestVolume();
  using parent = Directory.open(volume.path);
  let directory = parent.createDirectory('tree');
  for (let depth = 1; depth < 12_000; depth++) {
    using above = directory;
    directory = above.createDirectory('d');
  }
  directory[Symbol.dispose]();
  removeTree(parent, 'tree');
  expect(existsSync(join(volume.path, 'tree'))).toBe(false);
}, 60_000);
