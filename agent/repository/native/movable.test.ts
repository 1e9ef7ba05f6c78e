import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Operation } from '../testing/crash.ts';
import { Mounted } from '../testing/filesystem.ts';
import { crashProgram } from '../testing/program.ts';
import { manifest, quiet, TestVolume } from '../testing/volume.ts';
import { Engine } from './engine.ts';
import { Layout } from './layout.ts';
import { headOf, listSnapshots, listWorktrees } from './reader.ts';

const PROGRAM = await crashProgram();
const snapshot: Operation = { snapshot: { worktree: 'main', origin: 'manual' } };

/** As the agent's user, who is not root and owns all that the test does not give to others. */
function run(volume: TestVolume, operation: Operation, step = '') {
  const user = ['--reuid', '1000', '--regid', '1000', '--clear-groups', process.execPath];
  return spawnSync('setpriv', [...user, PROGRAM, volume.path, JSON.stringify(operation), step], {
    encoding: 'utf8',
  });
}

function done(volume: TestVolume, operation: Operation): string {
  const { status, stdout, stderr } = run(volume, operation);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

function refused(volume: TestVolume, operation: Operation, message: RegExp): void {
  const { status, stderr } = run(volume, operation);
  expect(stderr).toMatch(message);
  expect(stderr).toMatch(/reason: 'PermissionDenied'/);
  expect(status).not.toBe(0);
}

/** A snapshot of main after `prepare`, with `data/f` in it, which has changed since. */
async function saved(prepare: (at: (...path: string[]) => string) => void = () => {}) {
  const volume = new TestVolume();
  const at = (...path: string[]) => join(volume.main, ...path);
  mkdirSync(at('data'), { recursive: true });
  for (const name of ['top', 'data/f']) writeFileSync(at(name), 'old');
  execFileSync('chown', ['-R', '1000:1000', volume.path]);
  prepare(at);
  done(volume, { open: true });
  done(volume, snapshot);
  const layout = new Layout(volume.path);
  const id = (await headOf(layout, 'main')) ?? '';
  for (const name of ['top', 'data/f']) writeFileSync(at(name), 'new');
  return { volume, at, layout, id, restore: { restore: { worktree: 'main', snapshotId: id } } };
}

/** The worktree has all of the snapshot, its top included, and nothing is left of what led there. */
function expectRestored(volume: TestVolume, id: string, path = volume.main): void {
  const root = volume.snapshotPath(id);
  expect(manifest(path)).toEqual(manifest(root));
  expect(statSync(path).mode).toBe(statSync(root).mode);
  const { restores } = new Layout(volume.path);
  expect(existsSync(restores) ? readdirSync(restores) : []).toEqual([]);
}

test('a directory that became read-only gives way to a restore', async () => {
  const { volume: made, at, id, restore } = await saved();
  using volume = made;
  execFileSync('chmod', ['-R', 'a-w', at()]);
  done(volume, restore);
  expectRestored(volume, id);
  done(volume, snapshot);
});

const readOnly = (at: (...path: string[]) => string) => {
  for (const path of [at('data'), at()]) chmodSync(path, 0o555);
};

test.for(['', 'restore-staged', 'restore-placing', 'restore-entry', 'restore-moved', 'restore-placed'])(
  'read-only directories are brought back, read-only in the end, whether or not killed at a step: "%s"',
  async (step) => {
    const { volume: made, at, id, restore } = await saved(readOnly);
    using volume = made;
    for (const path of [at(), at('data')]) chmodSync(path, 0o755);
    expect(run(volume, restore, step).signal).toBe(step ? 'SIGKILL' : null);
    done(volume, { open: true });
    if (step === 'restore-staged') {
      expect(readFileSync(at('top'), 'utf8')).toBe('new');
      done(volume, restore);
    }
    expectRestored(volume, id);
    expect(statSync(at()).mtimeMs).toBe(statSync(volume.snapshotPath(id)).mtimeMs);
    done(volume, snapshot);
  },
);

test.for(['', 'restore-placing', 'restore-moved'])(
  'a worktree is forked from what is read-only, and removed, whether or not killed at a step: "%s"',
  async (step) => {
    const { volume: made, layout, id } = await saved(readOnly);
    using volume = made;
    const path = join(volume.path, 'worktrees', 'exp');
    run(volume, { fork: { name: 'exp', snapshotId: id } }, step);
    done(volume, { open: true });
    expectRestored(volume, id, path);
    done(volume, { removeWorktree: 'exp' });
    expect(existsSync(path)).toBe(false);
    expect((await listWorktrees(layout)).map((w) => w.name)).toEqual(['main']);
  },
);

test('a snapshot goes whose child is read-only at its top', async () => {
  const { volume: made, at, layout, id } = await saved();
  using volume = made;
  chmodSync(at(), 0o555);
  done(volume, snapshot);
  done(volume, { delete: id });
  const [child, ...more] = await listSnapshots(layout);
  expect(more).toEqual([]);
  expect(child?.parent_id).toBeUndefined();
  done(volume, snapshot);
});

test.for(['', 'restore-placing', 'restore-moved'])(
  'a part is brought back through read-only directories, which stay so, whether or not killed at a step: "%s"',
  async (step) => {
    const {
      volume: made,
      at,
      layout,
    } = await saved((at) => {
      mkdirSync(at('way', 'part'), { recursive: true });
      writeFileSync(at('way', 'part', 'f'), 'old');
      execFileSync('chown', ['-R', '1000:1000', at('way')]);
      execFileSync('chmod', ['-R', 'a-w', at('way')]);
    });
    using volume = made;
    done(volume, { snapshot: { worktree: 'main', origin: 'manual', paths: ['way/part'] } });
    const snapshotId = (await headOf(layout, 'main')) ?? '';
    writeFileSync(at('way', 'part', 'f'), 'new');
    chmodSync(at(), 0o555);
    run(volume, { restore: { worktree: 'main', snapshotId } }, step);
    done(volume, { open: true });
    const modes = [at(), at('way'), at('way', 'part'), at('way', 'part', 'f')].map(
      (p) => statSync(p).mode & 0o777,
    );
    expect(modes).toEqual([0o555, 0o555, 0o555, 0o444]);
    expect(readFileSync(at('way', 'part', 'f'), 'utf8')).toBe('old');
    expect(readFileSync(at('top'), 'utf8')).toBe('new');
  },
);

test('a part is brought back through what became read-only since it was begun, and stays so', async () => {
  const {
    volume: made,
    at,
    layout,
  } = await saved((at) => {
    mkdirSync(at('way', 'to', 'part'), { recursive: true });
    writeFileSync(at('way', 'to', 'part', 'f'), 'old');
    execFileSync('chown', ['-R', '1000:1000', at('way')]);
  });
  using volume = made;
  done(volume, { snapshot: { worktree: 'main', origin: 'manual', paths: ['way/to/part'] } });
  const snapshotId = (await headOf(layout, 'main')) ?? '';
  writeFileSync(at('way', 'to', 'part', 'f'), 'new');
  const restore = { restore: { worktree: 'main', snapshotId } };
  expect(run(volume, restore, 'restore-placing').signal).toBe('SIGKILL');
  const modes = { '': 0o555, way: 0o400, 'way/to': 0 };
  for (const [path, mode] of Object.entries(modes).toReversed()) chmodSync(at(path), mode);
  expect(JSON.parse(done(volume, { open: true })).unrepaired).toBeUndefined();
  for (const [path, mode] of Object.entries(modes)) expect(statSync(at(path)).mode & 0o777).toBe(mode);
  expect(readFileSync(at('way', 'to', 'part', 'f'), 'utf8')).toBe('old');
  expect(readdirSync(layout.restores)).toEqual([]);
});

test('a worktree whose root is of another who lets the agent write there is restored, and keeps what it has itself', async () => {
  const { volume: made, at, layout, id, restore } = await saved();
  using volume = made;
  done(volume, { snapshot: { worktree: 'main', origin: 'manual', paths: ['data/f'] } });
  const part = (await headOf(layout, 'main')) ?? '';
  chownSync(at(), 0, 0);
  // Not even that is needed for a part further down.
  done(volume, { restore: { worktree: 'main', snapshotId: part } });
  chmodSync(at(), 0o777);
  execFileSync('setfattr', ['-n', 'user.theirs', '-v', 'kept', at()]);
  done(volume, restore);
  expect(manifest(volume.main)).toEqual(manifest(volume.snapshotPath(id)));
  expect(statSync(at()).mode & 0o777).toBe(0o777);
  expect(execFileSync('getfattr', ['-n', 'user.theirs', '--only-values', at()], { encoding: 'utf8' })).toBe(
    'kept',
  );
  done(volume, snapshot);
});

test('an agent that is root gives no directory another mode on the way', async () => {
  const { volume: made, at, id } = await saved(readOnly);
  using volume = made;
  const engine = volume.engine();
  await engine.fork({ name: 'exp', snapshotId: id }, quiet);
  const steps: string[] = [];
  const step = (point: string) => {
    steps.push(point);
    if (/restore-(placing|entry|moved)/.test(point)) expect(statSync(at()).mode & 0o777).toBe(0o555);
    if (point !== 'remove-renamed') return;
    const { removals } = new Layout(volume.path);
    const modes = readdirSync(join(removals, 'exp.d')).map(
      (name) => statSync(join(removals, 'exp.d', name)).mode & 0o777,
    );
    expect(modes).toEqual([0o555]);
  };
  await engine.restore({ worktree: 'main', snapshotId: id }, { ...quiet, step });
  await engine.removeWorktree('exp', { step });
  expect(steps).toEqual(expect.arrayContaining(['restore-entry', 'remove-renamed']));
  expectRestored(volume, id);
});

/** As an init container that runs as root makes it. */
function makeOthers(path: string): void {
  mkdirSync(path);
  writeFileSync(join(path, 'file'), 'of root');
}

test('what belongs to another is not moved: said before anything is touched, and all else goes on', async () => {
  const { volume: made, at, restore } = await saved();
  using volume = made;
  makeOthers(at('theirs'));
  const before = manifest(volume.main);
  refused(volume, restore, /main\/theirs belongs to user 0.*user 1000.*agent-run-as/);
  rmSync(at('theirs'), { recursive: true });
  chmodSync(at(), 0o1777);
  chownSync(at(), 0, 0);
  writeFileSync(at('theirs'), '');
  refused(volume, restore, /main\/theirs belongs to user 0/);
  rmSync(at('theirs'));
  chmodSync(at(), 0o755);
  refused(volume, restore, /main\/ belongs to user 0/);
  expect(manifest(volume.main)).toEqual(before.filter((line) => !line.startsWith('theirs')));
  done(volume, snapshot);
});

test('what a killed doctor was moving back keeps its mode', async () => {
  const { volume: made, at } = await saved();
  using volume = made;
  const moving = join(volume.path, 'main.moving-back');
  mkdirSync(moving);
  renameSync(at('data'), join(moving, 'data'));
  for (const path of [join(moving, 'data'), moving]) chmodSync(path, 0o555);
  chownSync(moving, 1000, 1000);
  expect(JSON.parse(done(volume, { doctor: true }))).toMatchObject([{ repaired: true }]);
  expect(statSync(at('data')).mode & 0o777).toBe(0o555);
  expect(readFileSync(at('data', 'f'), 'utf8')).toBe('new');
});

test('of what is replaced, all goes but what the agent may not remove', async () => {
  const { volume: made, at, layout, restore } = await saved();
  using volume = made;
  for (const name of ['a', 'm', 'z']) {
    makeOthers(at('data', name));
    mkdirSync(at('data', `${name}-ours`));
    writeFileSync(at('data', `${name}-ours`, 'large'), '');
  }
  // Nobody but its owner may remove it from there, though all may write.
  mkdirSync(at('data', 'sticky'));
  writeFileSync(at('data', 'sticky', 'of root'), '');
  chmodSync(at('data', 'sticky'), 0o1777);
  execFileSync('chown', ['1000:1000', ...['a', 'm', 'z'].map((name) => at('data', `${name}-ours`))]);
  done(volume, restore);
  const left = readdirSync(join(layout.restores, 'main.d'), { recursive: true, encoding: 'utf8' });
  expect(left.filter((path) => /(ours|large|f)$/.test(path))).toEqual([]);
  expect(left.filter((path) => /(file|of root)$/.test(path))).toHaveLength(4);
  done(volume, snapshot);
});

test.for(['remove-renamed', 'remove-removed', 'remove-unlisted'])(
  'killed at %s, a removal is finished, whatever the workload made again and the agent may not remove',
  async (step) => {
    const { volume: made, layout, id } = await saved();
    using volume = made;
    const path = join(volume.path, 'worktrees', 'exp');
    done(volume, { fork: { name: 'exp', snapshotId: id } });
    makeOthers(join(path, 'data', 'theirs'));
    expect(run(volume, { removeWorktree: 'exp' }, step).signal).toBe('SIGKILL');
    mkdirSync(path);
    chownSync(path, 1000, 1000);
    writeFileSync(join(path, 'since'), 'again');
    expect(JSON.parse(done(volume, { open: true })).unrepaired).toBeUndefined();
    done(volume, snapshot);
    expect((await listWorktrees(layout)).map((w) => w.name)).toEqual(['main']);
    // Once it is no worktree any more, what is there is not the agent's to remove.
    expect(existsSync(join(path, 'since'))).toBe(step === 'remove-unlisted');
  },
);

test('what the agent may not remove is tried by who opens the volume, and by no operation after that', async () => {
  const { volume: made, at, layout, restore } = await saved();
  using volume = made;
  makeOthers(at('data', 'theirs'));
  done(volume, restore);
  const left = join(layout.restores, 'main.d');
  const logged: object[] = [];
  const log = { info: (about: object) => logged.push(about) };
  const engine = new Engine({ volume: volume.path, engine: 'copy', holder: 'test', log });
  await engine.snapshot({ worktree: 'main', origin: 'manual' }, quiet);
  expect(logged).toEqual([]);
  expect(readdirSync(left)).not.toEqual([]);
  await engine.open();
  expect(existsSync(left)).toBe(false);
});

test('what can not be finished is told by who opens the volume, and nothing is built on it until it can', async () => {
  const { volume: made, at, layout, id, restore } = await saved();
  using volume = made;
  expect(run(volume, restore, 'restore-placing').signal).toBe('SIGKILL');
  rmSync(at('data'), { recursive: true });
  for (const name of ['data', 'since']) makeOthers(at(name));
  const { unrepaired } = JSON.parse(done(volume, { open: true }));
  expect(unrepaired).toMatchObject({ reason: 'PermissionDenied', message: expect.stringMatching(/data/) });
  refused(
    volume,
    snapshot,
    /what was begun before can not be finished: data in worktree main belongs to user 0/,
  );
  expect(await listSnapshots(layout)).toHaveLength(1);
  chmodSync(at('data'), 0o777);
  expect(JSON.parse(done(volume, { open: true })).unrepaired).toBeUndefined();
  // In nobody's way.
  expect(readFileSync(at('since', 'file'), 'utf8')).toBe('of root');
  rmSync(at('since'), { recursive: true });
  expectRestored(volume, id);
  done(volume, snapshot);
});

test('what a restore replaced and the agent may not remove stops neither it nor what comes after', async () => {
  const { volume: made, at, layout, id, restore } = await saved();
  using volume = made;
  makeOthers(at('data', 'theirs'));
  done(volume, restore);
  expect(manifest(volume.main)).toEqual(manifest(volume.snapshotPath(id)));
  expect(readdirSync(layout.restores)).toEqual(['main.d']);
  expect(JSON.parse(done(volume, { doctor: true }))).toMatchObject([
    { severity: 'warning', path: join(layout.restores, 'main.d'), repaired: false },
  ]);
  done(volume, snapshot);
  refused(volume, restore, /main\.d.*has parts that the agent may not remove/);
  done(volume, { fork: { name: 'exp', snapshotId: id } });
  makeOthers(join(volume.path, 'worktrees', 'exp', 'data', 'theirs'));
  done(volume, { removeWorktree: 'exp' });
  done(volume, snapshot);
  for (const folder of [layout.restores, layout.removals])
    for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
  done(volume, restore);
  expectRestored(volume, id);
});

test.for([
  ['file', 0o040],
  ['dir', 0o055],
] as const)(
  'what others may read but not its owner is in no snapshot that the agent could not read: a %s',
  async ([kind, mode]) => {
    const { volume: made, at, layout } = await saved();
    using volume = made;
    if (kind === 'dir') makeOthers(at('theirs'));
    else writeFileSync(at('theirs'), 'of root');
    chownSync(at('theirs'), 0, 1000);
    chmodSync(at('theirs'), mode);
    refused(volume, snapshot, /theirs may be read by others but not by its owner.*chmod u\+rX/);
    expect(await listSnapshots(layout)).toHaveLength(1);
    execFileSync('chmod', ['u+rX', at('theirs')]);
    done(volume, snapshot);
    done(volume, snapshot);
    const name = 'exp';
    done(volume, { fork: { name, snapshotId: (await headOf(layout, 'main')) ?? '' } });
  },
);

test('a worktree that others may read but not its owner is in no such snapshot either', async () => {
  const { volume: made, at, layout } = await saved();
  using volume = made;
  chownSync(at(), 0, 1000);
  chmodSync(at(), 0o075);
  refused(
    volume,
    snapshot,
    /the top of the worktree may be read by others but not by its owner.*chmod u\+rX/,
  );
  expect(await listSnapshots(layout)).toHaveLength(1);
  chmodSync(at(), 0o775);
  done(volume, snapshot);
  done(volume, snapshot);
});

test('a worktree whose root hands down a group that the agent is not in goes on doing so after a restore', async () => {
  const {
    volume: made,
    at,
    restore,
  } = await saved((at) => {
    chownSync(at(), 1000, 5000);
    chmodSync(at(), 0o2775);
  });
  using volume = made;
  const before = statSync(at());
  expect(before.mode & 0o7777).toBe(0o2775);
  done(volume, restore);
  expect(statSync(at())).toMatchObject({ mode: before.mode, uid: 1000, gid: 5000 });
});

test('what is immutable or append-only is not moved: said before anything is touched', {
  timeout: 120_000,
}, async () => {
  using mounted = Mounted.loop('ext4', 64);
  const at = (name: string) => join(mounted.path, 'main', name);
  const engine = new Engine({ volume: mounted.path, engine: 'copy', holder: 'test' });
  await engine.open();
  for (const name of ['a', 'b', 'c']) writeFileSync(at(name), 'old');
  const take = () => engine.snapshot({ worktree: 'main', origin: 'manual' }, quiet);
  const { snapshot_id: snapshotId } = await take();
  await engine.fork({ snapshotId, name: 'w' }, quiet);
  for (const name of ['a', 'b', 'c']) writeFileSync(at(name), 'new');
  mkdirSync(at('log'));
  const change = (...how: string[]) => execFileSync('chattr', how);
  const attempt = (path: string) => ({
    rejects: expect(
      path === '../worktrees/w'
        ? engine.removeWorktree('w', quiet)
        : engine.restore({ worktree: 'main', snapshotId }, quiet),
    ).rejects,
  });
  for (const [flag, name] of [
    ['i', 'b'],
    ['a', 'log'],
    ['a', '.'],
    ['i', '../worktrees/w'],
  ] as const) {
    change(`+${flag}`, at(name));
    try {
      await attempt(name).rejects.toMatchObject({
        reason: 'PermissionDenied',
        message: expect.stringMatching(/immutable or append-only.*chattr/),
      });
      expect(['a', 'b', 'c'].map((one) => readFileSync(at(one), 'utf8'))).toEqual(['new', 'new', 'new']);
      expect(readFileSync(at('../worktrees/w/a'), 'utf8')).toBe('old');
      await take();
    } finally {
      change(`-${flag}`, at(name));
    }
  }
  await engine.restore({ worktree: 'main', snapshotId }, quiet);
  expect(readdirSync(at('.')).sort()).toEqual(['a', 'b', 'c']);
});
