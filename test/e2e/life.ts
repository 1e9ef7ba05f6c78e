// npm run test:life: a day that nobody has lived yet, unless JVS_LIFE_SEED names one.
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';

const seed = process.env.JVS_LIFE_SEED ?? String(randomInt(1_000_000));
console.log(`The seed of the day: JVS_LIFE_SEED=${seed}`);
const { status } = spawnSync('node', ['test/e2e/run.ts', 'test/e2e/disruptive/life.test.ts'], {
  cwd: join(import.meta.dirname, '../..'),
  stdio: 'inherit',
  env: { ...process.env, JVS_LIFE_SEED: seed },
});
process.exitCode = status ?? 1;
