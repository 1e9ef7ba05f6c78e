// Volumes and trees for tests.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Control } from '../native/control.ts';
import { Engine } from '../native/engine.ts';

export const quiet: Control = { progress: () => {}, step: () => {} };

/** A directory that is removed when it goes out of scope. */
export class TestVolume implements Disposable {
  readonly path: string;
  readonly main: string;
  readonly jvs: string;

  constructor() {
    this.path = mkdtempSync(join(tmpdir(), 'jvs-volume-'));
    this.main = join(this.path, 'main');
    this.jvs = join(this.path, '.jvs');
  }

  static golden(): TestVolume {
    const volume = new TestVolume();
    const archive = fileURLToPath(new URL('../../../test/fixtures/golden-8.2.tar.gz', import.meta.url));
    execFileSync('tar', ['xzpf', archive, '-C', volume.path, '--strip-components=1']);
    return volume;
  }

  engine(engine: 'copy' | 'reflink-copy' | 'juicefs-clone' = 'copy'): Engine {
    return new Engine({ volume: this.path, engine, holder: 'test' });
  }

  makeMain(): void {
    mkdirSync(this.main, { recursive: true });
  }

  snapshotPath(id: string): string {
    return join(this.jvs, 'snapshots', id);
  }

  descriptor(id: string): Record<string, unknown> {
    return JSON.parse(readFileSync(join(this.jvs, 'descriptors', `${id}.json`), 'utf8'));
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Runs the code of a module as another user than root, 1000, in a process of its own. What it prints. */
export function asUser(code: string): string {
  const become = 'process.setgroups([]); process.setgid(1000); process.setuid(1000);';
  return execFileSync(process.execPath, ['--input-type=module', '-e', `${become}\n${code}`], {
    encoding: 'utf8',
  });
}

/**
 * One line an entry with all that a snapshot has to keep: type, mode, owner, mtime, content or target. Special
 * files and the marker at the root are left out.
 */
export function manifest(root: string, options: { times?: boolean } = {}): string[] {
  const lines: string[] = [];
  const walk = (directory: Buffer, prefix: string): void => {
    for (const name of readdirSync(directory, { encoding: 'buffer' })) {
      const path = Buffer.concat([directory, Buffer.from('/'), name]);
      const relative = `${prefix}${name.toString('latin1')}`;
      if (relative === '.READY') continue;
      const stats = lstatSync(path);
      const content = stats.isFile()
        ? createHash('sha256').update(readFileSync(path)).digest('hex')
        : stats.isSymbolicLink()
          ? readlinkSync(path, 'latin1')
          : '';
      if (!stats.isFile() && !stats.isSymbolicLink() && !stats.isDirectory()) continue;
      const time = options.times === false ? '' : ` ${Math.trunc(stats.mtimeMs)}`;
      lines.push(`${relative} ${stats.mode.toString(8)} ${stats.uid}:${stats.gid}${time} ${content}`);
      if (stats.isDirectory()) walk(path, `${relative}/`);
    }
  };
  walk(Buffer.from(root), '');
  return lines.sort();
}
