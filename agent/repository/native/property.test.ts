// The whole engine against a full re-hash: whatever is done to the payload between snapshots, an incremental
// snapshot is what a first one would have been, and no earlier snapshot changes.
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { manifest, quiet, TestVolume } from '../testing/volume.ts';

const NAMES = ['a', 'b', 'a:b', 'a0', 'd', 'd/a', 'd/b', 'd/e', 'd/e/a'];
const name = fc.constantFrom(...NAMES);
type Action = (main: string) => void;

const action: fc.Arbitrary<Action> = fc.oneof(
  fc.tuple(name, fc.constantFrom('one', 'two', 'three')).map(
    ([n, text]): Action =>
      (main) => {
        writeFileSync(join(main, n), text);
      },
  ),
  // In place, size and time as before.
  fc.tuple(name, fc.constantFrom('ONE', 'TWO', 'THREE')).map(
    ([n, text]): Action =>
      (main) => {
        const { mtime, atime, size } = statSync(join(main, n));
        if (size !== text.length) return;
        writeFileSync(join(main, n), text);
        utimesSync(join(main, n), atime, mtime);
      },
  ),
  // Replaced by rename, time as before.
  fc.tuple(name, name).map(
    ([from, to]): Action =>
      (main) => {
        const { mtime, atime } = statSync(join(main, to));
        copyFileSync(join(main, from), join(main, 'temporary'));
        utimesSync(join(main, 'temporary'), atime, mtime);
        renameSync(join(main, 'temporary'), join(main, to));
      },
  ),
  fc.tuple(name, name).map(
    ([from, to]): Action =>
      (main) =>
        renameSync(join(main, from), join(main, to)),
  ),
  fc.tuple(name, name).map(
    ([from, to]): Action =>
      (main) =>
        linkSync(join(main, from), join(main, to)),
  ),
  fc.tuple(name, name).map(
    ([target, n]): Action =>
      (main) =>
        symlinkSync(target, join(main, n)),
  ),
  name.map(
    (n): Action =>
      (main) =>
        mkdirSync(join(main, n)),
  ),
  name.map(
    (n): Action =>
      (main) =>
        rmSync(join(main, n), { recursive: true }),
  ),
  fc.tuple(name, fc.constantFrom(0o600, 0o644, 0o755)).map(
    ([n, mode]): Action =>
      (main) => {
        chmodSync(join(main, n), mode);
      },
  ),
);

/** The format's hash, written a second time and as plainly as it can be. */
function fullHash(root: string): string {
  const sha = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');
  const lines: string[] = [];
  const walk = (directory: string, prefix: string): void => {
    for (const entry of readdirSync(directory)) {
      if (entry === '.READY') continue;
      const path = join(directory, entry);
      const stats = lstatSync(path);
      const mode = `mode=${(stats.mode & 0o777).toString(8).padStart(4, '0')}`;
      if (stats.isDirectory()) {
        lines.push(`dir:${prefix}${entry}:${mode}:${sha(entry)}\n`);
        walk(path, `${prefix}${entry}/`);
      } else if (stats.isSymbolicLink()) {
        lines.push(`symlink:${prefix}${entry}:${mode}:${sha(readlinkSync(path))}\n`);
      } else {
        lines.push(`file:${prefix}${entry}:${mode},size=${stats.size}:${sha(readFileSync(path))}\n`);
      }
    }
  };
  walk(root, '');
  return sha(lines.sort().join(''));
}

function attempt(act: Action, main: string): void {
  try {
    act(main);
  } catch {
    // Not possible in this tree: nothing was done.
  }
}

test('incremental snapshots equal full ones', { timeout: 300_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(action, { maxLength: 8 }), { minLength: 2, maxLength: 4 }),
      async (rounds) => {
        using volume = new TestVolume();
        const engine = volume.engine();
        await engine.open();
        mkdirSync(join(volume.main, 'd', 'e'), { recursive: true });
        for (const n of ['a', 'b', 'd/a', 'd/e/a']) writeFileSync(join(volume.main, n), 'one');
        const made: { path: string; manifest: string[] }[] = [];
        for (const acts of rounds) {
          for (const act of acts) attempt(act, volume.main);
          const { snapshot_id, payload_root_hash } = await engine.snapshot(
            { worktree: 'main', origin: 'auto' },
            quiet,
          );
          expect(payload_root_hash).toBe(fullHash(volume.main));
          const path = volume.snapshotPath(snapshot_id);
          expect(manifest(path)).toEqual(manifest(volume.main));
          expect(await engine.verify(snapshot_id, quiet)).toMatchObject({
            descriptorValid: true,
            payloadValid: true,
          });
          made.push({ path, manifest: manifest(path) });
        }
        for (const snapshot of made) expect(manifest(snapshot.path)).toEqual(snapshot.manifest);
      },
    ),
    { numRuns: 40 },
  );
});
