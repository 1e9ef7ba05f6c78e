import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { Engine } from '../repository/native/engine.ts';
import { quiet, TestVolume } from '../repository/testing/volume.ts';
import { noRules } from '../upkeep/rules.ts';
import { runCli } from './cli.ts';

afterEach(() => vi.unstubAllEnvs());

async function cli(volume: TestVolume, ...argv: string[]) {
  const [command = '', ...rest] = argv;
  const written: Record<'stdout' | 'stderr', string[]> = { stdout: [], stderr: [] };
  const code = await runCli([command, ...rest, '--volume', volume.path], {
    stdout: { write: (text) => written.stdout.push(text) },
    stderr: { write: (text) => written.stderr.push(text) },
  });
  return { code, stdout: written.stdout.join(''), stderr: written.stderr.join('') };
}

async function json(volume: TestVolume, ...argv: string[]) {
  const { code, stdout, stderr } = await cli(volume, ...argv, '--json');
  return { code, value: stdout && JSON.parse(stdout), error: stderr && JSON.parse(stderr) };
}

test('what can not be read is an error like any other', async () => {
  using volume = new TestVolume();
  const file = join(volume.path, 'file');
  writeFileSync(file, '');
  let stderr = '';
  const code = await runCli(['history', '--json', '--volume', file], {
    stdout: { write: () => {} },
    stderr: { write: (text) => (stderr += text) },
  });
  expect(code).toBe(1);
  expect(JSON.parse(stderr)).toMatchObject({
    code: 'Internal',
    message: expect.stringContaining('history: ENOTDIR'),
  });
});

test('a life of a worktree, by commands', async () => {
  using volume = new TestVolume();
  const { value: made } = await json(volume, 'init');
  expect(made).toMatchObject({ format_version: 1, repo_root: volume.path });
  expect((await json(volume, 'init')).value).toEqual(made);
  expect((await json(volume, 'history')).value).toEqual([]);

  writeFileSync(join(volume.main, 'a'), 'one');
  const { value: first } = await json(volume, 'snapshot', '--note', 'first one', '--tag', 'x', '--tag', 'y');
  expect(first).toMatchObject({ note: 'first one', tags: ['x', 'y'], worktree_name: 'main', engine: 'copy' });
  writeFileSync(join(volume.main, 'a'), 'two');
  writeFileSync(join(volume.main, 'b'), 'new');
  expect((await cli(volume, 'diff', first.snapshot_id)).stdout).toBe('+ b\n~ a\n');
  const second = (await cli(volume, 'snapshot')).stdout.trim();
  const difference = (await json(volume, 'diff', first.snapshot_id, second)).value;
  expect(difference).toMatchObject({
    total_added: 1,
    total_modified: 1,
    total_removed: 0,
    to_snapshot_id: second,
  });

  const history = (await json(volume, 'history')).value;
  expect(history.map((d: { snapshot_id: string }) => d.snapshot_id)).toEqual([second, first.snapshot_id]);
  expect((await json(volume, 'history', '--tag', 'x')).value).toEqual([first]);
  expect((await json(volume, 'history', '-n', '1')).value).toHaveLength(1);
  expect((await json(volume, 'show', first.snapshot_id)).value).toEqual(first);

  expect((await json(volume, 'restore', first.snapshot_id)).value).toMatchObject({
    status: 'restored',
    detached: true,
  });
  expect(readFileSync(join(volume.main, 'a'), 'utf8')).toBe('one');
  expect((await json(volume, 'fork', second, 'exp')).value).toMatchObject({
    name: 'exp',
    base_snapshot_id: second,
  });
  expect(readFileSync(join(volume.path, 'worktrees', 'exp', 'a'), 'utf8')).toBe('two');
  expect((await json(volume, 'history', '--worktree', 'exp')).value).toHaveLength(2);

  expect(await json(volume, 'delete', first.snapshot_id)).toMatchObject({
    code: 1,
    error: { code: 'InvalidArgument' },
  });
  await json(volume, 'restore', second);
  expect((await json(volume, 'delete', first.snapshot_id)).value).toMatchObject({ status: 'deleted' });
  expect((await json(volume, 'remove', 'exp')).value).toEqual({ name: 'exp', status: 'removed' });
  expect((await json(volume, 'remove', 'exp')).error).toMatchObject({ code: 'NotFound' });
  const packed = await json(volume, 'snapshot', '--compression', 'zstd:5');
  expect(packed.value).toMatchObject({ compression: { type: 'zstd', level: 5 } });
  await json(volume, 'restore', second);
  await json(volume, 'delete', packed.value.snapshot_id);
  const extra = (await cli(volume, 'snapshot')).stdout.trim();
  expect((await json(volume, 'delete', extra)).code).toBe(1);
  expect((await json(volume, 'delete', extra, '--even-heads')).code).toBe(0);
  const verified = await json(volume, 'verify');
  expect(verified).toMatchObject({ code: 0, value: [{ snapshot_id: second, tamper_detected: false }] });
  expect(await json(volume, 'doctor', '--strict')).toMatchObject({
    code: 0,
    value: { healthy: true, findings: [] },
  });
});

test('damage ends with 3', async () => {
  using volume = TestVolume.golden();
  const id = '1795492626416-70616153';
  writeFileSync(join(volume.snapshotPath(id), 'a.txt'), 'x');
  expect(await json(volume, 'verify', id)).toMatchObject({
    code: 3,
    value: { snapshot_id: id, checksum_valid: true, payload_hash_valid: false, tamper_detected: true },
  });
  expect((await cli(volume, 'verify', '--all')).code).toBe(3);
  expect((await cli(volume, 'doctor')).code).toBe(0);
  expect((await cli(volume, 'doctor', '--strict')).code).toBe(3);
  expect((await cli(volume, 'restore', id)).code).toBe(3);
  rmSync(volume.main, { recursive: true });
  expect(await json(volume, 'doctor')).toMatchObject({ code: 3, value: { healthy: false } });
});

test.for([
  ['verify', '--all'],
  ['doctor', '--strict'],
])('%s %s goes on when retention deletes a snapshot that it has yet to come to', async (command) => {
  using volume = new TestVolume();
  const [, older = ''] = await three(volume);
  const verify = Engine.prototype.verify;
  const spy = vi.spyOn(Engine.prototype, 'verify').mockImplementationOnce(async function (
    this: Engine,
    ...of
  ) {
    await this.delete({ id: older }, quiet);
    return verify.apply(this, of);
  });
  try {
    expect(await cli(volume, ...command)).toMatchObject({ code: 0, stderr: '' });
    expect(spy).toHaveBeenCalledTimes(3);
  } finally {
    spy.mockRestore();
  }
});

test('retention shows its reasons, and deletes only when told to', async () => {
  using volume = TestVolume.golden();
  const shown = await json(volume, 'retention', '--keep-min', '0', '--keep-age', '0s', '--keep-tag', 'none');
  const kept = shown.value.filter((d: { keep: boolean }) => d.keep);
  expect(kept.length).toBeGreaterThan(0);
  expect(kept.length).toBeLessThan(4);
  expect((await json(volume, 'history', '--all')).value).toHaveLength(4);
  await json(volume, 'retention', '--keep-min', '0', '--keep-age', '0s', '--keep-tag', 'none', '--apply');
  expect((await json(volume, 'history', '--all')).value).toHaveLength(kept.length);
  expect((await cli(volume, 'verify')).code).toBe(0);
});

/** What the agent of the volume would have written down. */
function write(volume: TestVolume, name: string, state: unknown) {
  mkdirSync(join(volume.path, '.jvs/agent'), { recursive: true });
  const text = typeof state === 'string' ? state : JSON.stringify(state);
  writeFileSync(join(volume.path, '.jvs/agent', `${name}.json`), text);
}

/** Three of main; its head is the last. */
async function three(volume: TestVolume): Promise<string[]> {
  await cli(volume, 'init');
  const ids: string[] = [];
  for (const text of ['one', 'two', 'three']) {
    writeFileSync(join(volume.main, 'a'), text);
    ids.push((await cli(volume, 'snapshot')).stdout.trim());
  }
  return ids;
}

const keepOne = { policy: { keepMinSnapshots: 1, keepMinAge: 0, keepTags: [] } };

test('retention goes by the policy of the Workspace unless told another, and by its pins, Restores and known damage', async () => {
  using volume = new TestVolume();
  const [a = '', b = '', c = ''] = await three(volume);
  write(volume, 'rules', { ...noRules, ...keepOne, pinned: [a] });
  write(volume, 'verify', {
    [c]: { verifiedAt: '2026-11-24T10:00:00Z', damage: 'its files hash to another' },
  });
  const reasons = async (...argv: string[]) =>
    (await json(volume, 'retention', ...argv)).value.map((d: { reasons: string[] }) => d.reasons);
  const best = ['newest Ready snapshot of worktree main', 'one of the newest 1 (keepMinSnapshots)'];
  expect(await reasons()).toEqual([['head of worktree main'], best, ['pinned']]);
  write(volume, 'rules', { ...noRules, ...keepOne, restores: [{ uid: 'r', snapshotId: a }] });
  expect((await reasons())[2]).toEqual(['needed by a running Restore']);
  expect((await cli(volume, 'retention')).stdout).toMatch(/^by the policy of the Workspace\n/);
  expect((await reasons('--keep-tag', 'x'))[0]).toContain('younger than 1d (keepMinAge)');
  expect((await cli(volume, 'retention', '--keep-min', '1', '--keep-age', '0s', '--apply')).code).toBe(0);
  expect((await json(volume, 'history')).value.map((d: { snapshot_id: string }) => d.snapshot_id)).toEqual([
    ...[c, b, a],
  ]);
});

test('retention that would delete more than half does not, and says how to go on', async () => {
  using volume = new TestVolume();
  await three(volume);
  write(volume, 'rules', { ...noRules, ...keepOne });
  expect((await cli(volume, 'retention')).stdout).toMatch(/held, for it would delete 2 of 3 .*\n$/);
  const refused = await cli(volume, 'retention', '--apply');
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('--allow-mass-prune') });
  expect((await json(volume, 'history')).value).toHaveLength(3);
  expect((await cli(volume, 'retention', '--apply', '--allow-mass-prune')).code).toBe(0);
  expect((await json(volume, 'history')).value).toHaveLength(1);
});

test('retention does nothing without the rules of the volume where they are damaged', async () => {
  using volume = new TestVolume();
  await three(volume);
  write(volume, 'rules', '{"pinned": [');
  const { code, error } = await json(volume, 'retention', '--keep-min', '2', '--keep-age', '0s', '--apply');
  expect({ code, error }).toMatchObject({
    code: 1,
    error: { message: expect.stringContaining('move it away') },
  });
  expect((await json(volume, 'history')).value).toHaveLength(3);
  expect(readFileSync(join(volume.path, '.jvs/agent/rules.json'), 'utf8')).toBe('{"pinned": [');
});

test('errors are one line, or an object, and say what to do', async () => {
  using volume = new TestVolume();
  const none = await cli(volume, 'history');
  expect(none).toMatchObject({ code: 1, stdout: '' });
  expect(none.stderr).toMatch(/^jvs-agent: .* has no repository: jvs-agent init .*\n$/);
  await cli(volume, 'init');
  for (const argv of [
    ['bogus'],
    ['show'],
    ['show', 'a', 'b'],
    ['snapshot', '--bogus'],
    ['snapshot', '--engine', 'x'],
    ['history', '--implementation', 'x'],
    ['snapshot', '--compression', 'gzip:10'],
    ['history', '-n', 'many'],
    ['retention', '--keep-age', 'soon'],
    ['verify', 'x', '--all'],
    ['diff', 'x', 'y', '--worktree', 'main'],
  ]) {
    const { code, stdout, stderr } = await cli(volume, ...argv);
    expect({ argv, code, stdout }).toEqual({ argv, code: 2, stdout: '' });
    expect(stderr).toMatch(/^jvs-agent: [^\n]+ \(.*--help.*\)\n$/);
  }
  expect((await json(volume, 'show', '1795492626416-70616153')).error).toEqual({
    code: 'NotFound',
    message: expect.stringMatching(/no snapshot 1795492626416-70616153/),
    hint: expect.stringMatching(/history/),
  });
  mkdirSync(join(volume.main, '.READY'));
  expect(await json(volume, 'snapshot')).toMatchObject({ code: 1, error: { code: 'InvalidArgument' } });
});

test('every command explains itself', async () => {
  using volume = new TestVolume();
  const { code, stdout } = await cli(volume, 'snapshot', '--help');
  expect(code).toBe(0);
  expect(stdout).toMatch(/--note TEXT/);
  expect(stdout).toMatch(/--volume DIR/);
  expect(await cli(volume, 'help')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/snapshot .*\n.*history/s),
  });
});

test('who reads its output may have read enough', async () => {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../main.ts'), 'help']);
  child.stdout.destroy();
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const [code] = await once(child, 'close');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

test('an empty variable is one that a manifest left open', async () => {
  using volume = new TestVolume();
  vi.stubEnv('JVS_ENGINE', '');
  vi.stubEnv('JVS_IMPLEMENTATION', '');
  vi.stubEnv('JVS_POD', '');
  expect(await cli(volume, 'init')).toMatchObject({ code: 0, stderr: '' });
});

test('a tag of a request or of the schedule is refused: what it is of would not be made', async () => {
  using volume = new TestVolume();
  await cli(volume, 'init');
  for (const tag of ['k8s-4f6a', 'auto-1795507920']) {
    const { code, stderr } = await cli(volume, 'snapshot', '--tag', 'x', '--tag', tag);
    expect(code).toBe(2);
    expect(stderr).toContain(`--tag: "${tag}"`);
  }
  expect((await json(volume, 'history')).value).toEqual([]);
});
