// A writer that is paused in the middle of its work (a frozen cgroup, a hung node), loses its lease, and wakes up when
// another has gone on: whatever it does then, what the other has made stays as it is.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Operation } from '../testing/crash.ts';
import { manifest, quiet, TestVolume } from '../testing/volume.ts';
import { Layout } from './layout.ts';
import { listSnapshots } from './reader.ts';

const PROGRAM = fileURLToPath(new URL('../testing/crash.ts', import.meta.url));

/** Two snapshots, an unsaved change, and a process that stops itself at a step of an operation on the older one. */
async function pausedAt(step: string, operation: (older: string) => Operation) {
  const volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  for (let i = 0; i < 5; i++) writeFileSync(join(volume.main, `file ${i}`), `content ${i}`);
  const older = await engine.snapshot({ worktree: 'main', origin: 'manual' }, quiet);
  mkdirSync(join(volume.main, 'dir'));
  writeFileSync(join(volume.main, 'dir', 'deep'), 'deep');
  rmSync(join(volume.main, 'file 1'));
  await engine.snapshot({ worktree: 'main', origin: 'manual' }, quiet);
  writeFileSync(join(volume.main, 'file 3'), 'changed');
  const program = [PROGRAM, volume.path, JSON.stringify(operation(older.snapshot_id)), step, 'SIGSTOP'];
  // In a pid namespace of its own, as an agent of another pod: others can not see whether it lives. A shell is its
  // init, which can not stop itself.
  const child = spawn(
    'unshare',
    ['--pid', '--fork', '--mount-proc', 'sh', '-c', '"$@"; exit $?', 'sh', process.execPath, ...program],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  return { volume, older, child, paused: await stoppedBelow(child) };
}

/** Its pid, when a process below `child` has stopped. */
async function stoppedBelow(child: ChildProcess): Promise<number> {
  for (const deadline = Date.now() + 200_000; Date.now() < deadline; await sleep(20)) {
    let pid = child.pid;
    for (let depth = 0; pid && depth < 2; depth++) {
      pid = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0]);
    }
    if (pid && /\) T /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))) return pid;
  }
  throw new Error('nothing has stopped');
}

async function state(volume: TestVolume) {
  const layout = new Layout(volume.path);
  return {
    main: manifest(volume.main),
    snapshots: await listSnapshots(layout),
    files: readdirSync(layout.snapshots).sort(),
    worktrees: readdirSync(layout.worktrees).map((name) => [
      name,
      readFileSync(layout.worktreeConfig(name), 'utf8'),
    ]),
    audit: readFileSync(layout.audit, 'utf8'),
  };
}

const snapshot = { snapshot: { worktree: 'main', origin: 'manual' as const, requestTag: 'k8s-uid' } };
const restore = (snapshotId: string) => ({ restore: { worktree: 'main', snapshotId } });

const matrix: [string, (older: string) => Operation][] = [
  ...[
    'intended',
    'copied',
    'described',
    'synced',
    'renamed',
    'descriptor-written',
    'audited',
    'advanced',
  ].map((step): [string, () => Operation] => [step, () => snapshot]),
  ...[
    ...['restore-staging', 'restore-staged', 'restore-placing', 'restore-entry', 'restore-placed'],
    ...['restore-advanced', 'restore-done'],
  ].map((step): [string, (older: string) => Operation] => [step, restore]),
  ...[
    ...['delete-intended', 'delete-reparented', 'delete-fallen-back', 'delete-unlisted', 'delete-renamed'],
    'delete-removed',
  ].map((step): [string, (older: string) => Operation] => [step, (id) => ({ delete: id })]),
];

test.concurrent.for(matrix)(
  'paused at %s until another has taken over, a writer changes nothing any more',
  { timeout: 300_000 },
  async ([step, operation]) => {
    const { volume: made, child, paused } = await pausedAt(step, operation);
    using volume = made;
    const errors = text(child.stderr);
    const ended = once(child, 'exit');
    try {
      const engine = volume.engine();
      await engine.open();
      // Waits until the lease is dead, repairs, and goes on: the same request, and work that uses the same names.
      await engine.snapshot(snapshot.snapshot, quiet);
      const [newest] = await listSnapshots(new Layout(volume.path));
      writeFileSync(join(volume.main, 'file 4'), 'of the new holder');
      await engine.restore(
        { worktree: 'main', snapshotId: newest?.snapshot_id ?? '', requestTag: 'k8s-r' },
        quiet,
      );
      writeFileSync(join(volume.main, 'unsaved'), 'unsaved');
      const before = await state(volume);
      process.kill(paused, 'SIGCONT');
      const [code] = await ended;
      expect(await state(volume)).toEqual(before);
      expect(code).not.toBe(0);
      expect(await errors).toMatch(/another writer took the repository over/);
      for (const { snapshot_id } of before.snapshots) {
        expect(await engine.verify(snapshot_id, quiet)).toMatchObject({ payloadValid: true });
      }
    } finally {
      if (child.exitCode === null) process.kill(paused, 'SIGKILL');
      await ended;
    }
  },
);
