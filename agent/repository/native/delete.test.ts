import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Descriptor, RepositoryError } from '../repository.ts';
import { manifest, quiet, TestVolume } from '../testing/volume.ts';
import { Layout } from './layout.ts';
import { sideBranches } from './pins.ts';
import { headOf, listSnapshots, listWorktrees } from './reader.ts';

const ask = { worktree: 'main', origin: 'manual' as const };

async function chain(length: number) {
  const volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  const made: Descriptor[] = [];
  writeFileSync(join(volume.main, 'same'), 'in all');
  for (let i = 0; i < length; i++) {
    writeFileSync(join(volume.main, `file ${i}`), `content ${i}`);
    made.push(await engine.snapshot({ ...ask, note: `number ${i}` }, quiet));
  }
  return { volume, engine, ids: made.map((d) => d.snapshot_id) as [string, string, string, string] };
}

test('deleting in the middle gives the children to the parent, and all that is left verifies', async () => {
  const { volume: made, engine, ids } = await chain(4);
  using volume = made;
  const [first, second, third, fourth] = ids;
  const trees = [first, third, fourth].map((id) => manifest(volume.snapshotPath(id)));
  const time = () => statSync(volume.snapshotPath(third), { bigint: true }).mtimeNs;
  const before = time();
  await engine.delete({ id: second }, quiet);
  expect(time()).toBe(before);
  const listed = await listSnapshots(new Layout(volume.path));
  expect(listed.map((d) => [d.snapshot_id, d.parent_id])).toEqual([
    [fourth, third],
    [third, first],
    [first, undefined],
  ]);
  for (const { snapshot_id } of listed) {
    expect(await engine.verify(snapshot_id, quiet)).toMatchObject({
      descriptorValid: true,
      payloadValid: true,
    });
  }
  expect([first, third, fourth].map((id) => manifest(volume.snapshotPath(id)))).toEqual(trees);
  expect(JSON.parse(readFileSync(join(volume.snapshotPath(third), '.READY'), 'utf8'))).toMatchObject({
    snapshot_id: third,
    descriptor_checksum: volume.descriptor(third).descriptor_checksum,
  });
  expect(listed[1]?.note).toBe('number 2');
  expect(existsSync(volume.snapshotPath(second))).toBe(false);
  expect(readdirSync(join(volume.jvs, 'agent', 'delete'))).toEqual([]);
});

test('a file of somebody among the worktrees keeps nothing from being deleted, nor the repository from opening', async () => {
  const { volume: made, engine, ids } = await chain(2);
  using volume = made;
  writeFileSync(join(volume.jvs, 'worktrees/.DS_Store'), '');
  await engine.delete({ id: ids[0] }, quiet);
  expect((await listSnapshots(new Layout(volume.path))).map((d) => d.snapshot_id)).toEqual([ids[1]]);
  await volume.engine().open();
});

test('the oldest can go; heads and bases can not', async () => {
  const { volume: made, engine, ids } = await chain(3);
  using volume = made;
  const [first, second, third] = ids;
  await engine.fork({ snapshotId: second, name: 'exp' }, quiet);
  await expect(engine.delete({ id: third }, quiet)).rejects.toMatchObject({
    reason: 'InvalidArgument',
    message: expect.stringMatching(/head of worktree main/),
  });
  writeFileSync(join(volume.path, 'worktrees', 'exp', 'x'), 'x');
  await engine.snapshot({ worktree: 'exp', origin: 'manual' }, quiet);
  await expect(engine.delete({ id: second }, quiet)).rejects.toMatchObject({
    message: expect.stringMatching(/based on it/),
  });
  await engine.delete({ id: first }, quiet);
  await expect(engine.delete({ id: first }, quiet)).rejects.toMatchObject({ reason: 'NotFound' });
  expect(
    (await listSnapshots(new Layout(volume.path))).find((d) => d.snapshot_id === second)?.parent_id,
  ).toBeUndefined();
});

test('deleting what was the latest of a restored worktree leaves no reference to it', async () => {
  const { volume: made, engine, ids } = await chain(3);
  using volume = made;
  const [first, second, third] = ids;
  await engine.restore({ worktree: 'main', snapshotId: first }, quiet);
  await engine.delete({ id: third }, quiet);
  const [config] = await listWorktrees(new Layout(volume.path));
  expect(config).toMatchObject({ head_snapshot_id: first, latest_snapshot_id: second });
  expect(readdirSync(join(volume.jvs, 'pins'))).toEqual([`agent-${second}.json`]);
});

test('deleted even so, heads and bases fall back to the parent, files stay, and history goes on from there', async () => {
  const { volume: made, engine, ids } = await chain(3);
  using volume = made;
  const [first, second, third] = ids;
  await engine.fork({ snapshotId: third, name: 'exp' }, quiet);
  const tree = manifest(volume.main);
  await engine.delete({ id: third, evenHeads: true }, quiet);
  const layout = new Layout(volume.path);
  const at = { head_snapshot_id: second, latest_snapshot_id: second };
  expect(await listWorktrees(layout)).toMatchObject([
    { name: 'exp', base_snapshot_id: second, ...at },
    { name: 'main', ...at },
  ]);
  expect(manifest(volume.main)).toEqual(tree);
  const next = await engine.snapshot(ask, quiet);
  // What third had beyond second is written again, and no more.
  expect(next).toMatchObject({ parent_id: second, agent: { unique_bytes: 'content 2'.length } });
  expect(manifest(volume.snapshotPath(next.snapshot_id))).toEqual(tree);
  for (const id of [next.snapshot_id, second, first]) await engine.delete({ id, evenHeads: true }, quiet);
  const none = await listWorktrees(layout);
  expect(none.flatMap((w) => [w.base_snapshot_id, w.head_snapshot_id, w.latest_snapshot_id])).toEqual(
    Array(6).fill(undefined),
  );
  expect(readdirSync(layout.snapshots)).toEqual([]);
  const again = await engine.snapshot(ask, quiet);
  expect(again.parent_id).toBeUndefined();
  expect(manifest(volume.snapshotPath(again.snapshot_id))).toEqual(tree);
  expect(await engine.doctor(false)).toEqual([]);
});

test('the next snapshot stands on its own when what its index knew is deleted', async () => {
  const { volume: made, engine, ids } = await chain(2);
  using volume = made;
  await engine.restore({ worktree: 'main', snapshotId: ids[0] }, quiet);
  await engine.delete({ id: ids[1] }, quiet);
  const next = await engine.snapshot(ask, quiet);
  expect(manifest(volume.snapshotPath(next.snapshot_id))).toEqual(manifest(volume.main));
});

/** Takes all the room that there is. */
function fill(folder: string): void {
  const script = 'cat /dev/zero >> "$0/fill" 2>/dev/null; echo x >> "$0/fill 2" || true';
  execFileSync('sh', ['-c', script, folder], { stdio: 'ignore' });
}

test('a full volume opens, and gets room by deleting', async () => {
  using volume = new TestVolume();
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'none', volume.path]);
  try {
    const engine = volume.engine();
    await engine.open();
    writeFileSync(join(volume.main, 'big'), Buffer.alloc(1_000_000, 1));
    const first = await engine.snapshot(ask, quiet);
    writeFileSync(join(volume.main, 'big'), Buffer.alloc(1_000_000, 2));
    const second = await engine.snapshot(ask, quiet);
    fill(volume.main);
    await expect(engine.snapshot(ask, quiet)).rejects.toMatchObject({ reason: 'VolumeFull' });
    const next = volume.engine();
    expect(await next.open()).toMatchObject({ formatVersion: 1 });
    // One that is refused takes nothing from the next.
    await expect(next.delete({ id: second.snapshot_id }, quiet)).rejects.toMatchObject({
      reason: 'InvalidArgument',
    });
    fill(volume.main);
    await next.delete({ id: first.snapshot_id }, quiet);
    const listed = await listSnapshots(new Layout(volume.path));
    expect(listed.map((d) => [d.snapshot_id, d.parent_id])).toEqual([[second.snapshot_id, undefined]]);
    expect(await next.verify(second.snapshot_id, quiet)).toMatchObject({
      descriptorValid: true,
      payloadValid: true,
    });
    writeFileSync(join(volume.main, 'room'), Buffer.alloc(500_000));
  } finally {
    execFileSync('umount', [volume.path]);
  }
});

test('why an operation failed is told on a volume that takes nothing any more, too', async () => {
  using volume = new TestVolume();
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', volume.path]);
  try {
    const engine = volume.engine();
    await engine.open();
    const { snapshot_id: id } = await engine.snapshot(ask, quiet);
    const step = (point: string) => {
      if (point !== 'delete-intended') return;
      execFileSync('sh', ['-c', 'cat /dev/zero > "$0/fill" 2>/dev/null || true', volume.main]);
      throw new Error('the reason');
    };
    const failing = engine.delete({ id, evenHeads: true }, { ...quiet, step });
    await expect(failing).rejects.toMatchObject({
      reason: 'Internal',
      message: expect.stringMatching(/the reason/),
    });
  } finally {
    execFileSync('umount', [volume.path]);
  }
});

// The whole of snapshot, restore, fork and delete against a model of what each snapshot held.
type Step =
  | { do: 'write'; name: string; text: string }
  | { do: 'snapshot' }
  | { do: 'restore' | 'delete' | 'delete even heads' | 'fork'; which: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('write' as const),
    name: fc.constantFrom('a', 'b', 'c'),
    text: fc.constantFrom('one', 'two', 'three'),
  }),
  fc.constant({ do: 'snapshot' as const }),
  fc.record({
    do: fc.constantFrom('restore' as const, 'delete' as const, 'delete even heads' as const, 'fork' as const),
    which: fc.nat(9),
  }),
);

test('any order of snapshots, restores, forks and deletions keeps every survivor and its history', {
  timeout: 300_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      using volume = new TestVolume();
      const engine = volume.engine();
      const layout = new Layout(volume.path);
      await engine.open();
      const model = new Map<string, { tree: string[]; parent: string | undefined }>();
      let forks = 0;
      for (const s of steps) {
        const ids = [...model.keys()];
        const id = 'which' in s ? ids[s.which % Math.max(1, ids.length)] : undefined;
        if (s.do === 'write') writeFileSync(join(volume.main, s.name), s.text);
        if (s.do === 'snapshot') {
          const parent = await headOf(layout, 'main');
          const d = await engine.snapshot(ask, quiet);
          model.set(d.snapshot_id, { tree: manifest(volume.main), parent });
        }
        if (!id) continue;
        if (s.do === 'restore') {
          await engine.restore({ worktree: 'main', snapshotId: id }, quiet);
          expect(manifest(volume.main)).toEqual(model.get(id)?.tree);
        }
        if (s.do === 'fork') await engine.fork({ snapshotId: id, name: `fork-${forks++}` }, quiet);
        if (s.do === 'delete' || s.do === 'delete even heads') {
          const evenHeads = s.do === 'delete even heads';
          const refused = await engine.delete({ id, evenHeads }, quiet).catch((e) => e);
          if (refused instanceof RepositoryError) {
            expect({ evenHeads, reason: refused.reason }).toEqual({
              evenHeads: false,
              reason: 'InvalidArgument',
            });
            continue;
          }
          const gone = model.get(id);
          model.delete(id);
          for (const entry of model.values()) if (entry.parent === id) entry.parent = gone?.parent;
        }
      }
      const listed = await listSnapshots(layout);
      expect(new Map(listed.map((d) => [d.snapshot_id, d.parent_id]))).toEqual(
        new Map([...model].map(([id, { parent }]) => [id, parent])),
      );
      for (const [id, { tree }] of model) {
        expect(manifest(volume.snapshotPath(id))).toEqual(tree);
        expect(await engine.verify(id, quiet)).toMatchObject({ descriptorValid: true, payloadValid: true });
      }
      const heads = (await listWorktrees(layout)).flatMap((w) => w.head_snapshot_id ?? []);
      const pinned = existsSync(layout.pins) ? readdirSync(layout.pins) : [];
      expect(pinned.sort()).toEqual(
        sideBranches(listed, heads)
          .map((id) => `agent-${id}.json`)
          .sort(),
      );
    }),
    { numRuns: 25 },
  );
});

test('where there are no inodes left, deleting makes room', async () => {
  using volume = new TestVolume();
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'nr_inodes=200', 'none', volume.path]);
  try {
    const engine = volume.engine();
    await engine.open();
    const ids: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      mkdirSync(join(volume.main, name));
      ids.push((await engine.snapshot(ask, quiet)).snapshot_id);
    }
    const fillInodes = () => {
      for (;;) writeFileSync(join(volume.main, `${process.hrtime.bigint()}`), '');
    };
    for (const id of ids.slice(0, 2)) {
      expect(fillInodes).toThrow(/ENOSPC/);
      await engine.delete({ id }, quiet);
    }
    const listed = await listSnapshots(new Layout(volume.path));
    expect(listed.map((one) => [one.snapshot_id, one.parent_id])).toEqual([[ids[2], undefined]]);
    expect(await engine.verify(ids[2] ?? '', quiet)).toMatchObject({ payloadValid: true });
  } finally {
    execFileSync('umount', [volume.path]);
  }
});
