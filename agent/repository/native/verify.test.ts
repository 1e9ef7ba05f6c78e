import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { quiet, TestVolume } from '../testing/volume.ts';

const PROGRAM = fileURLToPath(new URL('../testing/crash.ts', import.meta.url));
const ask = { worktree: 'main', origin: 'manual' as const };

/** A snapshot that is not the head, and how it is verified while something happens after so many files. */
async function prepared() {
  const volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  for (const folder of ['a', 'b']) {
    mkdirSync(join(volume.main, folder));
    for (const name of ['1', '2', '3']) writeFileSync(join(volume.main, folder, name), name);
  }
  const { snapshot_id: id } = await engine.snapshot(ask, quiet);
  writeFileSync(join(volume.main, 'later'), '');
  await engine.snapshot(ask, quiet);
  const verify = (files: number, happens: () => void) => {
    let seen = 0;
    const pace = (_: number, more: number) => {
      seen += more;
      if (seen < files) return;
      seen = Number.NEGATIVE_INFINITY;
      happens();
    };
    return engine.verify(id, { ...quiet, pace });
  };
  return { volume, id, verify };
}

test.for([0, 1, 3, 5])(
  'a snapshot that is deleted while it is verified is gone, not damaged: after %i files',
  async (files) => {
    const { volume: made, id, verify } = await prepared();
    using volume = made;
    const remove = () =>
      execFileSync(process.execPath, [PROGRAM, volume.path, JSON.stringify({ delete: id }), 'never']);
    await expect(verify(files, remove)).rejects.toMatchObject({ reason: 'NotFound' });
  },
);

test.for([0, 1, 3, 5])(
  'files that go away meanwhile by themselves are damage: after %i files',
  async (files) => {
    const { volume: made, id, verify } = await prepared();
    using volume = made;
    const lose = () => rmSync(join(volume.snapshotPath(id), 'b'), { recursive: true });
    expect(await verify(files, lose)).toMatchObject({ payloadValid: false });
  },
);
