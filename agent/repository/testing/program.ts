import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll } from 'vitest';

/** Path of crash.ts as one file, which any user can run, and which starts in half the time; until the tests are done. */
export async function crashProgram(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'jvs-crash-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  chmodSync(folder, 0o755);
  const outfile = join(folder, 'crash.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('./crash.ts', import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
  });
  return outfile;
}
