import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Operation } from '../testing/crash.ts';
import { crashProgram } from '../testing/program.ts';
import { manifest, quiet, TestVolume } from '../testing/volume.ts';
import { Layout } from './layout.ts';
import { headOf, listSnapshots, listWorktrees } from './reader.ts';

/** Of each of the random ones; more where a machine has the time. */
const RUNS = Number(process.env.JVS_CRASH_RUNS ?? 100);
/** Most of a run is waiting for the disk. */
const AT_ONCE = 4;

const PROGRAM = await crashProgram();

/** Runs it so many times, a few at once. */
async function repeatedly(times: number, run: () => Promise<void>): Promise<void> {
  let left = times;
  const runner = async () => {
    while (left-- > 0) await run();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, runner));
}

/** At a step, or after some ms. Ends with the signal that killed it; null where it came to its end. */
function crash(volume: TestVolume, operation: Operation, at: string | number): Promise<string | null> {
  const child = spawn(process.execPath, [PROGRAM, volume.path, JSON.stringify(operation), `${at}`], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return new Promise((resolve) => child.on('exit', (_, signal) => resolve(signal)));
}

/** How long the kinds of operation take, ms, as far as is known. */
const spans = new Map<string, number>();

/** Killed at a time that is drawn so that about half of them are killed, however fast the machine is. */
async function crashSometime(volume: TestVolume, operation: Operation): Promise<string | null> {
  const [kind = ''] = Object.keys(operation);
  const span = spans.get(kind) ?? 60;
  const signal = await crash(volume, operation, Math.random() * span);
  spans.set(kind, span * (signal ? 1.1 : 0.9));
  return signal;
}

async function prepared(): Promise<TestVolume> {
  const volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  for (let i = 0; i < 30; i++) writeFileSync(join(volume.main, `file ${i}`), `content ${i}`);
  await engine.snapshot({ worktree: 'main', origin: 'manual', requestTag: 'k8s-before' }, quiet);
  writeFileSync(join(volume.main, 'file 3'), 'changed');
  return volume;
}

const request = { worktree: 'main', origin: 'manual' as const, requestTag: 'k8s-uid' };

/** Opens as the next agent would, repeats the request, and looks at everything. */
async function recovered(volume: TestVolume): Promise<void> {
  const engine = volume.engine();
  await engine.open();
  const layout = new Layout(volume.path);
  expect(readdirSync(layout.intents)).toEqual([]);
  expect(readdirSync(layout.snapshots).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  const made = await engine.snapshot(request, quiet);
  const listed = await listSnapshots(layout);
  expect(listed.filter((d) => d.tags?.includes('k8s-uid')).map((d) => d.snapshot_id)).toEqual([
    made.snapshot_id,
  ]);
  expect(listed).toHaveLength(2);
  expect(made.parent_id).toBe(listed[1]?.snapshot_id);
  expect(await headOf(layout, 'main')).toBe(made.snapshot_id);
  expect(readdirSync(layout.descriptors).sort()).toEqual(listed.map((d) => `${d.snapshot_id}.json`).sort());
  expect(manifest(volume.snapshotPath(made.snapshot_id))).toEqual(manifest(volume.main));
  for (const { snapshot_id } of listed) {
    expect(await engine.verify(snapshot_id, quiet)).toMatchObject({
      descriptorValid: true,
      payloadValid: true,
    });
  }
  const audit = manifest(volume.jvs).find((line) => line.startsWith('audit/audit.jsonl'));
  expect(audit).toBeDefined();
}

test.for([
  'intended',
  'copied',
  'described',
  'synced',
  'renamed',
  'descriptor-written',
  'audited',
  'advanced',
  'published',
])(
  'killed when it has %s, a snapshot is finished or gone, and a repeated request makes exactly one',
  async (step) => {
    using volume = await prepared();
    expect(await crash(volume, { snapshot: request }, step)).toBe('SIGKILL');
    await recovered(volume);
  },
);

/** Two snapshots of different trees, and a third tree in main. */
async function withHistory() {
  const volume = await prepared();
  const engine = volume.engine();
  rmSync(join(volume.main, 'file 7'));
  mkdirSync(join(volume.main, 'dir'));
  writeFileSync(join(volume.main, 'dir', 'deep'), 'deep');
  await engine.snapshot({ worktree: 'main', origin: 'manual' }, quiet);
  const layout = new Layout(volume.path);
  const [second, first] = await listSnapshots(layout);
  if (!first || !second) throw new Error('no snapshots');
  writeFileSync(join(volume.main, 'unsaved'), 'unsaved');
  return { volume, layout, first, second };
}

async function whole(volume: TestVolume): Promise<void> {
  const engine = volume.engine();
  await engine.open();
  const layout = new Layout(volume.path);
  for (const folder of [layout.intents, layout.restores, layout.deletions, layout.removals]) {
    expect(existsSync(folder) ? readdirSync(folder) : []).toEqual([]);
  }
  expect(readdirSync(layout.snapshots).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  for (const { snapshot_id } of await listSnapshots(layout)) {
    expect(await engine.verify(snapshot_id, quiet)).toMatchObject({
      descriptorValid: true,
      payloadValid: true,
    });
  }
}

/** Main has its old tree or the whole new one, and the head says which. */
async function oldOrNew(volume: TestVolume, before: string[], wanted: string): Promise<'old' | 'new'> {
  await whole(volume);
  const now = manifest(volume.main);
  if ((await headOf(new Layout(volume.path), 'main')) === wanted) {
    expect(now).toEqual(manifest(volume.snapshotPath(wanted)));
    return 'new';
  }
  expect(now).toEqual(before);
  return 'old';
}

test.for([
  ['restore-staging', 'old'],
  ['restore-staged', 'old'],
  ['restore-placing', 'new'],
  ['restore-entry', 'new'],
  ['restore-moved', 'new'],
  ['restore-placed', 'new'],
  ['restore-advanced', 'new'],
  ['restore-done', 'new'],
])('killed at %s, a restore leaves the %s tree', async ([step = '', outcome]) => {
  const { volume: made, layout, first, second } = await withHistory();
  using volume = made;
  const before = manifest(volume.main);
  const restore = { worktree: 'main', snapshotId: first.snapshot_id };
  expect(await crash(volume, { restore }, step)).toBe('SIGKILL');
  expect(await oldOrNew(volume, before, first.snapshot_id)).toBe(outcome);
  const pins = existsSync(layout.pins) ? readdirSync(layout.pins) : [];
  expect(pins).toEqual(outcome === 'new' ? [`agent-${second.snapshot_id}.json`] : []);
});

test.for(['restore-placing', 'restore-entry', 'restore-moved', 'restore-placed', 'restore-advanced'])(
  'killed at %s, a restore is finished around what the workload has made since',
  async (step) => {
    const { volume: made, first } = await withHistory();
    using volume = made;
    const restore = { worktree: 'main', snapshotId: first.snapshot_id };
    expect(await crash(volume, { restore }, step)).toBe('SIGKILL');
    const wasPlaced = ['restore-placed', 'restore-advanced'].includes(step);
    writeFileSync(join(volume.main, 'results'), 'of hours');
    if (wasPlaced) writeFileSync(join(volume.main, 'unsaved'), 'again');
    await whole(volume);
    const since = manifest(volume.main).filter((line) => /^(results|unsaved) /.test(line));
    expect(since).toHaveLength(wasPlaced ? 2 : 1);
    expect(manifest(volume.main).filter((line) => !since.includes(line))).toEqual(
      manifest(volume.snapshotPath(first.snapshot_id)),
    );
  },
);

test('a restore that an older agent began is finished as that one would have', async () => {
  const { volume: made, layout, first } = await withHistory();
  using volume = made;
  const restore = { worktree: 'main', snapshotId: first.snapshot_id };
  expect(await crash(volume, { restore }, 'restore-entry')).toBe('SIGKILL');
  const journal = join(layout.restores, 'main.json');
  const { there, ...rest } = JSON.parse(readFileSync(journal, 'utf8'));
  expect(there).toContain('unsaved');
  writeFileSync(journal, JSON.stringify(rest));
  await whole(volume);
  expect(manifest(volume.main)).toEqual(manifest(volume.snapshotPath(first.snapshot_id)));
});

test.for([
  ['restore-staged', 'old'],
  ['restore-placing', 'new'],
  ['restore-entry', 'new'],
  ['restore-moved', 'new'],
  ['restore-placed', 'new'],
  ['restore-done', 'new'],
])(
  'killed at %s, the restore of a part leaves the %s part, and the rest alone',
  async ([step = '', outcome]) => {
    const { volume: made, layout, second } = await withHistory();
    using volume = made;
    const paths = ['dir', 'file 3'];
    const asked = { worktree: 'main', origin: 'manual' as const, paths };
    const part = await volume.engine().snapshot(asked, quiet);
    rmSync(join(volume.main, 'dir'), { recursive: true });
    for (const name of ['file 3', 'file 4']) writeFileSync(join(volume.main, name), 'edited');
    const before = manifest(volume.main);
    const restore = { worktree: 'main', snapshotId: part.snapshot_id };
    expect(await crash(volume, { restore }, step)).toBe('SIGKILL');
    await whole(volume);
    const inPart = (line: string) => /^(dir|file 3) ?/.test(line);
    const wanted = outcome === 'old' ? before : manifest(volume.snapshotPath(part.snapshot_id));
    expect(manifest(volume.main).filter(inPart)).toEqual(wanted.filter(inPart));
    expect(manifest(volume.main).filter((line) => !inPart(line))).toEqual(
      before.filter((line) => !inPart(line)),
    );
    expect(await headOf(layout, 'main')).toBe(part.snapshot_id);
    expect(part.parent_id).toBe(second.snapshot_id);
  },
);

test.for([
  'restore-staged',
  'restore-placing',
  'restore-moved',
  'restore-placed',
  'restore-advanced',
  'restore-done',
])('killed at %s, a fork is there as a whole or not at all', async (step) => {
  const { volume: made, layout, first } = await withHistory();
  using volume = made;
  expect(await crash(volume, { fork: { name: 'exp', snapshotId: first.snapshot_id } }, step)).toBe('SIGKILL');
  await whole(volume);
  const path = join(volume.path, 'worktrees', 'exp');
  const there = (await listWorktrees(layout)).some((w) => w.name === 'exp');
  expect(existsSync(path)).toBe(there);
  expect(there).toBe(step !== 'restore-staged');
  if (there) expect(manifest(path)).toEqual(manifest(volume.snapshotPath(first.snapshot_id)));
});

test.for(['delete-intended', 'delete-reparented', 'delete-unlisted', 'delete-renamed', 'delete-removed'])(
  'killed at %s, a deletion is finished, and the child has its new parent',
  async (step) => {
    const { volume: made, layout, first, second } = await withHistory();
    using volume = made;
    expect(await crash(volume, { delete: first.snapshot_id }, step)).toBe('SIGKILL');
    await whole(volume);
    const [left, ...more] = await listSnapshots(layout);
    expect(more).toEqual([]);
    expect(left).toMatchObject({ snapshot_id: second.snapshot_id });
    expect(left?.parent_id).toBeUndefined();
    expect(existsSync(volume.snapshotPath(first.snapshot_id))).toBe(false);
  },
);

test.for(['delete-intended', 'delete-reparented', 'delete-fallen-back', 'delete-unlisted', 'delete-removed'])(
  'killed at %s, the deletion of a head is finished, and the worktree is at its parent',
  async (step) => {
    const { volume: made, layout, first, second } = await withHistory();
    using volume = made;
    const before = manifest(volume.main);
    expect(await crash(volume, { delete: second.snapshot_id, evenHeads: true }, step)).toBe('SIGKILL');
    await whole(volume);
    expect((await listSnapshots(layout)).map((d) => d.snapshot_id)).toEqual([first.snapshot_id]);
    expect(await listWorktrees(layout)).toMatchObject([
      { head_snapshot_id: first.snapshot_id, latest_snapshot_id: first.snapshot_id },
    ]);
    expect(manifest(volume.main)).toEqual(before);
  },
);

test.for(['remove-intended', 'remove-renamed', 'remove-removed', 'remove-unlisted'])(
  'killed at %s, the removal of a worktree is finished, by who asks again too',
  async (step) => {
    const { volume: made, layout, first } = await withHistory();
    using volume = made;
    await volume.engine().fork({ name: 'exp', snapshotId: first.snapshot_id }, quiet);
    expect(await crash(volume, { removeWorktree: 'exp' }, step)).toBe('SIGKILL');
    await volume.engine().removeWorktree('exp', quiet);
    await whole(volume);
    expect((await listWorktrees(layout)).map((w) => w.name)).toEqual(['main']);
    expect(existsSync(join(volume.path, 'worktrees', 'exp'))).toBe(false);
    expect(await listSnapshots(layout)).toHaveLength(2);
  },
);

test('restores and deletions killed at random times', { timeout: 30_000 + RUNS * 10_000 }, async () => {
  const outcomes = new Set<string>();
  await repeatedly(RUNS, async () => {
    const { volume: made, first } = await withHistory();
    using volume = made;
    const before = manifest(volume.main);
    const restore = { worktree: 'main', snapshotId: first.snapshot_id };
    await crashSometime(volume, { restore });
    outcomes.add(await oldOrNew(volume, before, first.snapshot_id));
    for (const { snapshot_id } of await listSnapshots(new Layout(volume.path))) {
      await crashSometime(volume, { delete: snapshot_id, evenHeads: true });
    }
    // The second can have died while it wrote that it has the lease: nobody knows then that it is dead, for 15 s.
    await volume.engine().repair();
    await whole(volume);
  });
  expect([...outcomes].sort()).toEqual(['new', 'old']);
});

test('snapshots killed at random times', { timeout: 30_000 + RUNS * 10_000 }, async () => {
  let killed = 0;
  await repeatedly(RUNS, async () => {
    using volume = await prepared();
    if (await crashSometime(volume, { snapshot: request })) killed++;
    await recovered(volume);
  });
  expect(killed).toBeGreaterThan(RUNS / 5);
});
