import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { within } from '../../shared/testing.ts';
import { StateStore } from '../state.ts';
import { type HookFailure, Quiesce } from './quiesce.ts';

const log = pino({ level: 'silent' });
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quiesce-'));
  mkdirSync(join(directory, '.jvs'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Where the hooks, and what they are around, write their names. */
const trace = () => join(directory, 'trace');
const traced = () => (existsSync(trace()) ? readFileSync(trace(), 'utf8').split('\n').slice(0, -1) : []);
const note = (line: string) => writeFileSync(trace(), `${line}\n`, { flag: 'a' });
const marker = () => join(directory, '.jvs/agent/quiesced.json');
const hook = (name: string, rest = '', timeout = 5000) => ({
  exec: { command: ['sh', '-c', `echo ${name} >> ${trace()}; ${rest}`] },
  timeout,
});

function start(pod = 'ml-0', now = () => 0) {
  const store = new StateStore(directory, log);
  const quiesce = new Quiesce({ store, pod, volume: directory, log, now });
  const failures: HookFailure[] = [];
  quiesce.failures.subscribe((failure) => failures.push(failure));
  const around = (signal = new AbortController().signal, deserted = false) =>
    quiesce.around({ worktree: 'main', deserted, signal }, async (quiesced) => {
      note(`copy ${quiesced ? 'quiesced' : 'as it is'}${existsSync(marker()) ? ', marked' : ''}`);
      return 'made';
    });
  return { quiesce, failures, around };
}

test('without hooks, nothing is called and nothing is claimed', async () => {
  expect(await start().around()).toBe('made');
  expect(traced()).toEqual(['copy as it is']);
});

test('pre, copy, post; meanwhile the volume says that a post hook is owed', async () => {
  const { quiesce, failures, around } = start();
  quiesce.use({ pre: hook('pre'), post: hook('post') });
  await around();
  expect(traced()).toEqual(['pre', 'copy quiesced, marked', 'post']);
  expect(existsSync(marker())).toBe(false);
  quiesce.use({ pre: hook('pre') });
  await around();
  quiesce.use({ post: hook('post') });
  await around();
  expect(traced().slice(3)).toEqual(['pre', 'copy quiesced', 'copy as it is, marked', 'post']);
  expect(failures).toEqual([]);
});

test('a pre hook that fails or hangs: copied all the same, post runs, said once until it works again', async () => {
  let now = 1000;
  const { quiesce, failures, around } = start('ml-0', () => now);
  const post = hook('post');
  quiesce.use({ pre: hook('pre', 'echo no lock; exit 1'), post });
  await around();
  now = 2000;
  quiesce.use({ pre: { exec: { command: ['sleep', '1000'] }, timeout: 50 }, post });
  await around();
  expect(traced()).toEqual(['pre', 'copy as it is, marked', 'post', 'copy as it is, marked', 'post']);
  expect(failures).toEqual([
    { id: 'hook-preSnapshot-1000', message: expect.stringContaining('exit status 1: no lock') },
  ]);
  quiesce.use({ pre: hook('pre'), post });
  await around();
  now = 3000;
  quiesce.use({ pre: hook('pre', 'exit 1'), post });
  await around();
  expect(failures.map(({ id }) => id)).toEqual(['hook-preSnapshot-1000', 'hook-preSnapshot-3000']);
});

test('post runs whatever becomes of the copy', async () => {
  const { quiesce } = start();
  quiesce.use({ pre: hook('pre'), post: hook('post') });
  const options = { worktree: 'main', deserted: false, signal: new AbortController().signal };
  const failing = quiesce.around(options, async () => {
    throw new Error('the volume is full');
  });
  await expect(failing).rejects.toThrow('the volume is full');
  expect(traced()).toEqual(['pre', 'post']);
});

test('cancelled during the pre hook: that ends, post runs, and it is nobody’s failure', async () => {
  const { quiesce, failures, around } = start();
  quiesce.use({ pre: hook('pre', 'sleep 1000', 60_000), post: hook('post') });
  const controller = new AbortController();
  const ended = around(controller.signal);
  await vi.waitFor(() => expect(traced()).toEqual(['pre']), within);
  controller.abort();
  await ended; // the copy is told by the same signal
  expect(traced()).toEqual(['pre', 'copy as it is, marked', 'post']);
  expect(failures).toEqual([]);
});

test('a post hook that fails is said, stays owed, and runs before the next copy', async () => {
  const { quiesce, failures, around } = start();
  quiesce.use({ post: hook('post', `test -e ${join(directory, 'ok')}`) });
  await around();
  expect(quiesce.frozen).toBe(true);
  expect(failures).toMatchObject([{ message: expect.stringContaining('spec.hooks.postSnapshot') }]);
  writeFileSync(join(directory, 'ok'), '');
  await quiesce.recover(true);
  expect(quiesce.frozen).toBe(false);
  expect(existsSync(marker())).toBe(false);
  expect(traced()).toEqual(['copy as it is, marked', 'post', 'post']);
});

test('a post hook that is corrected thaws what the one before could not', async () => {
  const { quiesce, around } = start();
  quiesce.use({ pre: hook('pre'), post: hook('wrong', 'exit 1') });
  await around();
  quiesce.use({ pre: hook('pre'), post: hook('corrected') });
  await quiesce.recover(true);
  expect(traced()).toEqual(['pre', 'copy quiesced, marked', 'wrong', 'wrong', 'corrected']);
  expect(quiesce.frozen).toBe(false);
  expect(existsSync(marker())).toBe(false);
});

test('what a killed agent left frozen is thawed by the next one: with the hook of then, of its own pod at once', async () => {
  const first = start();
  first.quiesce.use({ pre: hook('pre'), post: hook('post of then') });
  const signal = new AbortController().signal;
  const never = new Promise<never>(() => {});
  void first.quiesce.around({ worktree: 'main', deserted: false, signal }, () => never);
  await vi.waitFor(() => expect(traced()).toEqual(['pre']), within);

  const other = start('ml-1');
  await other.quiesce.recover(false);
  expect(traced()).toEqual(['pre']); // it may be at work
  const again = start();
  again.quiesce.use({ post: hook('post of now') });
  await again.quiesce.recover(false);
  expect(traced()).toEqual(['pre', 'post of then']);
  await again.quiesce.recover(false);
  expect(traced()).toEqual(['pre', 'post of then']);
});

test('while it can not be read whether files are frozen, they may be', async () => {
  mkdirSync(marker(), { recursive: true });
  const { quiesce } = start();
  await expect(quiesce.recover(true)).rejects.toThrow('quiesced.json can not be read');
  expect(quiesce.frozen).toBe(true);
  rmSync(marker(), { recursive: true });
  await quiesce.recover(true);
  expect(quiesce.frozen).toBe(false);
});

test('what was frozen by HTTP in a pod that has gone is thawed', async () => {
  const first = start();
  const gone = { http: { port: 1, path: '/' }, timeout: 5000 };
  first.quiesce.use({ post: gone });
  await first.around();
  expect(existsSync(marker())).toBe(true);
  const { quiesce, failures } = start('jvs-ml-maintenance');
  await quiesce.recover(true);
  expect(existsSync(marker())).toBe(false);
  expect(failures).toEqual([]);
});

test('where it can not be written that files are frozen, they are not', async () => {
  writeFileSync(join(directory, '.jvs/agent'), 'no folder');
  const { quiesce, failures, around } = start();
  quiesce.use({ pre: hook('pre'), post: hook('post') });
  await around();
  expect(traced()).toEqual(['copy as it is', 'post']);
  expect(failures).toMatchObject([{ message: expect.stringContaining('can not write to the volume') }]);
});

test('when user containers have exited, one that does not answer is no failure', async () => {
  const { quiesce, failures, around } = start();
  const gone = { http: { port: 1, path: '/' }, timeout: 5000 };
  quiesce.use({ pre: gone, post: gone });
  await around(undefined, true);
  expect(failures).toEqual([]);
  expect(existsSync(marker())).toBe(false);
  await around();
  expect(failures.map(({ id }) => id)).toEqual(['hook-preSnapshot-0', 'hook-postSnapshot-0']);
});

test('what is owed to user containers that have exited is no failure either, nor owed any more', async () => {
  const gone = { http: { port: 1, path: '/' }, timeout: 5000 };
  const before = start();
  before.quiesce.use({ post: gone });
  await before.around();
  const { failures, around } = start();
  await around(undefined, true);
  expect(failures).toEqual([]);
  expect(existsSync(marker())).toBe(false);
});
