// What holds whoever takes the snapshots: the native code, or a jvs 8 binary where one is given.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Implementation } from '../repository.ts';
import { manifest, quiet, TestVolume } from '../testing/volume.ts';
import { Engine } from './engine.ts';
import { Layout } from './layout.ts';
import { headOf, listSnapshots } from './reader.ts';

type Kind = { implementation: Implementation; binary?: string };

/** JVS_BINARY may name several, of either generation, with `:` between them. */
const binaries = (process.env.JVS_BINARY ?? '').split(':').filter(Boolean);
const implementations: Kind[] = [
  { implementation: 'native' },
  ...binaries.map((binary): Kind => {
    const help = execFileSync(binary, ['--no-color', '--help'], { encoding: 'utf8' });
    return { implementation: /^\s+save\s/m.test(help) ? 'jvs-0.4' : 'jvs-8', binary };
  }),
];

const ask = { worktree: 'main', origin: 'manual' as const };

async function opened(kind: Kind) {
  const volume = new TestVolume();
  const make = () => new Engine({ volume: volume.path, engine: 'copy', holder: 'test', ...kind });
  const engine = make();
  await engine.open();
  const layout = Layout.of(volume.path);
  return { volume, engine, make, layout };
}

const names = implementations.map(({ implementation }) => implementation);
for (const missing of (['jvs-8', 'jvs-0.4'] as const).filter((name) => !names.includes(name))) {
  test.skip(`${missing}: not tried, as JVS_BINARY names no such binary`);
}

describe.for(implementations)('$implementation', (kind) => {
  test('a snapshot holds the tree, its note and tags, and verifies', async () => {
    const { volume: made, engine, layout } = await opened(kind);
    using volume = made;
    mkdirSync(join(volume.main, 'dir', 'empty'), { recursive: true });
    writeFileSync(join(volume.main, 'dir', 'file'), 'x');
    chmodSync(join(volume.main, 'dir', 'file'), 0o666);
    symlinkSync('dir', join(volume.main, 'link'));
    writeFileSync(Buffer.concat([Buffer.from(`${volume.main}/bad`), Buffer.from([0xff])]), '');
    const d = await engine.snapshot(
      { ...ask, note: '-n <note>\n2', tags: ['a', 'b'], requestTag: 'k8s-1' },
      quiet,
    );
    expect(d).toMatchObject({
      note: '-n <note>\n2',
      tags: ['a', 'b', 'k8s-1'],
      engine: 'copy',
      worktree_name: 'main',
    });
    expect(d.agent).toMatchObject({ origin: 'manual', effective_engine: 'copy', size: 1, entries: 5 });
    const modes = (lines: string[]) => lines.map((line) => line.split(' ').slice(0, 2).join(' '));
    expect(modes(manifest(layout.snapshot(d.snapshot_id)))).toEqual(modes(manifest(volume.main)));
    expect(await engine.verify(d.snapshot_id, quiet)).toMatchObject({
      descriptorValid: true,
      payloadValid: true,
    });
    expect(await listSnapshots(layout)).toEqual([d]);
    expect(await headOf(layout, 'main')).toBe(d.snapshot_id);
  });

  test('a request makes one snapshot, and an expected parent is insisted on', async () => {
    const { volume, engine, make, layout } = await opened(kind);
    using _ = volume;
    const request = { ...ask, requestTag: 'k8s-uid' };
    const [one, two] = await Promise.all([engine.snapshot(request, quiet), make().snapshot(request, quiet)]);
    expect(one?.snapshot_id).toBe(two?.snapshot_id);
    const other = engine.snapshot({ ...ask, expectedParent: '1795492626332-5e52a2d2' }, quiet);
    await expect(other).rejects.toMatchObject({ reason: 'ParentMismatch' });
    const next = await engine.snapshot({ ...ask, expectedParent: one.snapshot_id }, quiet);
    expect(next.parent_id).toBe(one.snapshot_id);
    expect(await listSnapshots(layout)).toHaveLength(2);
    expect(readdirSync(layout.jvs)).toContain('audit');
  });

  test('restore, a branch from there, fork and delete', async () => {
    const { volume: made, engine, layout } = await opened(kind);
    using volume = made;
    writeFileSync(join(volume.main, 'a'), 'one');
    const first = await engine.snapshot(ask, quiet);
    const tree = manifest(volume.main, { times: false });
    writeFileSync(join(volume.main, 'a'), 'two');
    const second = await engine.snapshot(ask, quiet);
    await engine.restore({ worktree: 'main', snapshotId: first.snapshot_id }, quiet);
    expect(manifest(volume.main, { times: false })).toEqual(tree);
    const third = await engine.snapshot(ask, quiet);
    if (kind.implementation === 'jvs-0.4') {
      expect(third).toMatchObject({
        parent_id: second.snapshot_id,
        payload_root_hash: first.payload_root_hash,
      });
      const refused = { reason: 'Unsupported', message: expect.stringMatching(/0\.4/) };
      const fork = engine.fork({ snapshotId: second.snapshot_id, name: 'exp' }, quiet);
      await expect(fork).rejects.toMatchObject(refused);
      await expect(engine.delete({ id: first.snapshot_id }, quiet)).rejects.toMatchObject(refused);
      await expect(engine.removeWorktree('exp', quiet)).rejects.toMatchObject(refused);
      for (const { snapshot_id } of await listSnapshots(layout)) {
        expect(await engine.verify(snapshot_id, quiet)).toMatchObject({
          descriptorValid: true,
          payloadValid: true,
        });
      }
      expect(await engine.doctor(false)).toEqual([]);
      return;
    }
    expect(third).toMatchObject({ parent_id: first.snapshot_id, payload_root_hash: first.payload_root_hash });
    expect(readdirSync(join(volume.jvs, 'pins'))).toEqual([`agent-${second.snapshot_id}.json`]);
    await engine.fork({ snapshotId: second.snapshot_id, name: 'exp' }, quiet);
    const forked = await engine.snapshot({ ...ask, worktree: 'exp' }, quiet);
    expect(forked).toMatchObject({ parent_id: second.snapshot_id, worktree_name: 'exp' });
    await engine.delete({ id: first.snapshot_id }, quiet);
    const parents = (await listSnapshots(layout)).map((d) => [d.snapshot_id, d.parent_id]);
    expect(parents).toEqual([
      [forked.snapshot_id, second.snapshot_id],
      [third.snapshot_id, undefined],
      [second.snapshot_id, undefined],
    ]);
    for (const [id = ''] of parents) {
      expect(await engine.verify(id, quiet)).toMatchObject({ descriptorValid: true, payloadValid: true });
    }
    expect(await engine.doctor(true)).toEqual([]);
  });

  test('what it can not take is refused in a sentence, or counted, and nothing is left', {
    timeout: 20_000,
  }, async () => {
    const { volume: made, engine, layout } = await opened(kind);
    using volume = made;
    execFileSync('mkfifo', [join(volume.main, 'fifo')]);
    symlinkSync('nowhere', join(volume.main, 'dangling'));
    const outcome = await engine.snapshot(ask, quiet).catch((e) => e);
    const refuses = kind.implementation !== 'native';
    if (refuses)
      expect(outcome).toMatchObject({ reason: 'InvalidArgument', message: expect.stringMatching(/native/) });
    else expect(outcome).toMatchObject({ agent: { skipped: { fifo: 1 }, entries: 1 } });
    expect(await listSnapshots(layout)).toHaveLength(refuses ? 0 : 1);
    expect(readdirSync(layout.intents)).toEqual([]);
    rmSync(join(volume.main, 'fifo'));
  });
});

test.for(['jvs-8', 'jvs-0.4'] as const)('a binary that is no %s is refused', async (implementation) => {
  using volume = new TestVolume();
  const engine = new Engine({
    volume: volume.path,
    engine: 'copy',
    holder: 'test',
    implementation,
    binary: 'true',
  });
  await expect(engine.open()).rejects.toMatchObject({
    reason: 'UnsupportedFormat',
    message: expect.stringMatching(/JVS_BINARY/),
  });
  expect(readdirSync(volume.path)).toEqual([]);
});
