// The schedule of an agent that is killed again and again, without an operator, on a real volume with the real engine.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { TestVolume } from '../repository/testing/volume.ts';
import type { Rules } from './rules.ts';

const program = join(import.meta.dirname, '../testing/timed-agent.ts');
/** A minute of the schedule is a second. */
const speed = 60;
const minute = 60;

let child: ChildProcess | undefined;
afterEach(() => child?.kill('SIGKILL'));

async function end(signal: NodeJS.Signals): Promise<void> {
  const exited = child && once(child, 'exit');
  child?.kill(signal);
  await exited;
}

const autoTag = /^auto-(\d+)$/;

/** Unix times of the runs that have a snapshot, one for each snapshot. */
function runs(volume: TestVolume): number[] {
  if (!existsSync(join(volume.jvs, 'descriptors'))) return [];
  return readdirSync(join(volume.jvs, 'descriptors'))
    .filter((name) => /^[\w-]+\.json$/.test(name))
    .flatMap((name) => volume.descriptor(name.replace('.json', '')).tags as string[])
    .map((tag) => Number(autoTag.exec(tag)?.[1]))
    .sort((a, b) => a - b);
}

test('each run has one snapshot or is told to be missed, wherever the agent is killed', {
  timeout: 300_000,
}, async () => {
  using volume = new TestVolume();
  volume.makeMain();
  for (let i = 0; i < 100; i++) writeFileSync(join(volume.main, `file-${i}`), String(i));
  await volume.engine().open();
  // What an operator once said.
  const rules: Rules = {
    schedule: { cron: '* * * * *', timeZone: 'UTC', tags: [], suspend: false, skipUnchanged: false },
    ...{ pinned: [], requests: [], restores: [], finalSnapshot: false },
    allowMassPrune: false,
  };
  mkdirSync(join(volume.jvs, 'agent'), { recursive: true });
  writeFileSync(join(volume.jvs, 'agent/rules.json'), JSON.stringify(rules));

  const since = String(Date.now());
  const start = () => {
    child = spawn(process.execPath, [program, volume.path, String(speed), since, since], {
      stdio: 'ignore',
      env: { PATH: process.env.PATH },
    });
  };
  for (let life = 0; life < 10; life++) {
    const before = runs(volume).length;
    start();
    // Each life gets at least one run done, then dies a little later, wherever it is by then.
    await vi.waitFor(() => expect(runs(volume).length).toBeGreaterThan(before), {
      timeout: 20_000,
      interval: 5,
    });
    await new Promise((resolve) => setTimeout(resolve, life * 97));
    await end('SIGKILL');
    // Once it is away for a few runs.
    if (life === 5) await new Promise((resolve) => setTimeout(resolve, 3500));
  }
  const before = runs(volume).length;
  start();
  await vi.waitFor(() => expect(runs(volume).length).toBeGreaterThan(before), { timeout: 20_000 });
  await end('SIGTERM');

  const taken = runs(volume);
  expect(new Set(taken).size).toBe(taken.length);
  const [first = 0, last = 0] = [taken[0], taken.at(-1)];
  expect(taken.every((time) => time % minute === 0)).toBe(true);
  const asked = (last - first) / minute + 1;
  const { notices } = JSON.parse(readFileSync(join(volume.jvs, 'agent/journal.json'), 'utf8'));
  const missed = (notices as { reason: string; message: string }[])
    .filter(({ reason }) => reason === 'SnapshotMissed')
    .reduce((sum, { message }) => sum + Number.parseInt(message, 10), 0);
  expect(missed).toBeGreaterThan(0);
  // Killed between writing that and going on, it may say it again.
  expect(missed).toBeGreaterThanOrEqual(asked - taken.length);
  expect(notices).not.toContainEqual(expect.objectContaining({ reason: 'ScheduledSnapshotFailed' }));
});
