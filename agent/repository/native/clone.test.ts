import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { asUser, TestVolume } from '../testing/volume.ts';

test('as another user than root, what is in read-only directories is put right too', () => {
  using volume = new TestVolume();
  const at = (...path: string[]) => join(volume.path, ...path);
  for (const name of ['links', 'fifo']) mkdirSync(at('main', name), { recursive: true });
  writeFileSync(at('main', 'links', 'a'), 'x');
  linkSync(at('main', 'links', 'a'), at('main', 'links', 'b'));
  execFileSync('mkfifo', [at('main', 'fifo', 'pipe'), at('main', 'pipe')]);
  for (const path of ['main/links', 'main/fifo', 'main']) chmodSync(at(path), 0o555);
  // As JuiceFS does it.
  execFileSync('cp', ['-a', '--no-preserve=links', at('main'), at('clone')]);
  execFileSync('chown', ['-R', '1000:1000', volume.path]);
  const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  asUser(`
    const { CloneIndexer } = await import(${url('./clone.ts')});
    const { Directory } = await import(${url('./fs/directory.ts')});
    const { IndexWriter } = await import(${url('./index-file.ts')});
    const { Meter } = await import(${url('./control.ts')});
    const [index, main, clone] = ${JSON.stringify([at('index'), at('main'), at('clone')])};
    const meter = new Meter({ progress() {}, step() {} }, 0);
    const indexer = new CloneIndexer({ index: new IndexWriter(index), reflink: false, hardLinks: true, meter });
    indexer.copy(Directory.open(main), Directory.open(clone));`);
  expect(statSync(at('clone', 'links', 'a')).ino).toBe(statSync(at('clone', 'links', 'b')).ino);
  expect(readdirSync(at('clone'), { recursive: true }).sort()).toEqual([
    'fifo',
    'links',
    'links/a',
    'links/b',
  ]);
  for (const name of ['links', 'fifo']) expect(statSync(at('clone', name)).mode & 0o777).toBe(0o555);
});
