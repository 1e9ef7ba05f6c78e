// A payload is hostile input: what is swapped for a link while the engine walks never leads it outside.
// JVS_SOAK_SECONDS makes the race longer, or shorter.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { RepositoryError } from '../repository.ts';
import { manifest, quiet, TestVolume } from '../testing/volume.ts';

const ATTACKER = fileURLToPath(new URL('../testing/attacker.ts', import.meta.url));
const SECONDS = Number(process.env.JVS_SOAK_SECONDS ?? 75);

test('links swapped in by a racing workload never lead outside', {
  timeout: (SECONDS + 60) * 1000,
}, async () => {
  using outside = new TestVolume();
  const secret = join(outside.path, 'secret');
  mkdirSync(join(secret, 'sub'), { recursive: true });
  for (const name of ['file', 'sub/file']) writeFileSync(join(secret, name), 'TOP SECRET');
  const untouched = manifest(outside.path);

  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  mkdirSync(join(volume.main, 'dir'));
  for (let i = 0; i < 20; i++) writeFileSync(join(volume.main, 'dir', `${i}`), `own ${i}`);
  const calm = await engine.snapshot({ worktree: 'main', origin: 'manual' }, quiet);
  const attacker = spawn(process.execPath, [ATTACKER, volume.main, secret], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => attacker.on('exit', resolve));
  try {
    await new Promise((resolve) => attacker.stdout.once('data', resolve));
    const deadline = Date.now() + SECONDS * 1000;
    let rounds = 0;
    for (; Date.now() < deadline; rounds++) {
      const made = await engine.snapshot({ worktree: 'main', origin: 'auto' }, quiet);
      expect(await engine.verify(made.snapshot_id, quiet)).toMatchObject({
        descriptorValid: true,
        payloadValid: true,
      });
      await engine.diff(made.snapshot_id, { worktree: 'main' }, quiet, () => {});
      await restoreDespite(engine, calm.snapshot_id);
      if (rounds % 10 === 9) await engine.delete({ id: made.snapshot_id }, quiet).catch(() => {});
    }
    expect(rounds).toBeGreaterThan(5);
  } finally {
    attacker.kill('SIGKILL');
    await ended;
  }
  expect(manifest(outside.path)).toEqual(untouched);
  // A link to the secret may be there; its content may not. grep follows no links with -r.
  const found = execFileSync('sh', ['-c', 'grep -rl "TOP SECRET" "$0" || true', volume.path], {
    encoding: 'utf8',
  });
  expect(found).toBe('');
  await engine.restore({ worktree: 'main', snapshotId: calm.snapshot_id }, quiet);
  expect(manifest(volume.main)).toEqual(manifest(volume.snapshotPath(calm.snapshot_id)));
});

/** The workload puts things back faster than they can be set aside: then it has to be stopped first. */
async function restoreDespite(engine: ReturnType<TestVolume['engine']>, snapshotId: string): Promise<void> {
  try {
    await engine.restore({ worktree: 'main', snapshotId }, quiet);
  } catch (error) {
    if (!(error instanceof RepositoryError)) throw error;
  }
}
