import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Lease } from './lease.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'jvs-lease-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const acquire = (waitMs: number, holder = 'me') => Lease.acquire({ directory, holder, waitMs });
const file = (number: number) => join(directory, `${number}.json`);
const read = (number: number) => JSON.parse(readFileSync(file(number), 'utf8'));
const change = (number: number, fields: object) =>
  writeFileSync(file(number), JSON.stringify({ ...read(number), ...fields }));

test('a second writer is told who holds it, and gets it after the release with a higher number', async () => {
  {
    await using first = await acquire(0, 'pod-1');
    first.renew();
    await expect(acquire(150)).rejects.toMatchObject({
      reason: 'Busy',
      message: expect.stringMatching(/^pod-1 /),
    });
  }
  await using second = await acquire(0);
  second.confirm();
  expect(readdirSync(directory)).toEqual(['2.json']);
});

test('who waits gets it when it is free', async () => {
  const first = await acquire(0);
  const waiting = acquire(5_000);
  await first[Symbol.asyncDispose]();
  await using second = await waiting;
  second.confirm();
});

test('a dead process is taken over at once', async () => {
  const child = spawn('sleep', ['60']);
  await using own = await acquire(0);
  const stat = readFileSync(`/proc/${child.pid}/stat`, 'latin1');
  change(1, { pid: child.pid, pid_started: stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] });
  await expect(acquire(0)).rejects.toMatchObject({ reason: 'Busy' });
  const ended = new Promise((resolve) => child.on('exit', resolve));
  child.kill('SIGKILL');
  await ended;
  await using second = await acquire(0);
  second.confirm();
  expect(() => own.confirm()).toThrow(/took the repository over/);
});

test('a pid that another process has now is no sign of life', async () => {
  await (await acquire(0))[Symbol.asyncDispose]();
  change(1, { released: false, pid: 1, pid_started: '1' });
  await using second = await acquire(0);
  second.confirm();
});

test('a holder on another node lives until its expiry is long past', async () => {
  await (await acquire(0))[Symbol.asyncDispose]();
  change(1, { released: false, boot_id: 'elsewhere' });
  await expect(acquire(0)).rejects.toMatchObject({ reason: 'Busy' });
  change(1, { expires_at: Date.now() - 400_000 });
  await using second = await acquire(0);
  second.confirm();
});

test('a lease that is being written is not taken for dead', async () => {
  writeFileSync(file(1), '{"holder":');
  await expect(acquire(0)).rejects.toMatchObject({ reason: 'Busy' });
});

test('what fails of a filesystem that turned read-only is told, not that the lease can not be released', async () => {
  execFileSync('mount', ['-t', 'tmpfs', 'none', directory]);
  try {
    const work = async () => {
      await using lease = await acquire(0);
      execFileSync('mount', ['-o', 'remount,ro', directory]);
      lease.confirm();
    };
    await expect(work()).rejects.toMatchObject({ code: 'EROFS' });
  } finally {
    execFileSync('umount', [directory]);
  }
});

test('of many who want it, never two have it', async () => {
  let holders = 0;
  let most = 0;
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      await using lease = await acquire(20_000);
      holders++;
      most = Math.max(most, holders);
      await new Promise((resolve) => setImmediate(resolve));
      lease.confirm();
      holders--;
    }),
  );
  expect(most).toBe(1);
  expect(readdirSync(directory)).toEqual(['8.json']);
});
