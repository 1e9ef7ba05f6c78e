import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TestVolume } from '../../testing/volume.ts';
import { Directory, removeTree } from './directory.ts';

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
