import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { manifest, quiet, TestVolume } from '../testing/volume.ts';

const ask = { worktree: 'main', origin: 'manual' as const };

async function prepared() {
  const volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  const at = (...path: string[]) => join(volume.main, ...path);
  mkdirSync(at('dir'));
  writeFileSync(at('text'), 'text '.repeat(10_000));
  writeFileSync(at('empty'), '');
  writeFileSync(at('large'), Buffer.alloc(9 * 1024 * 1024 + 5, 'large content'));
  writeFileSync(at('exact'), Buffer.alloc(4 * 1024 * 1024, 1));
  writeFileSync(at('own.gz'), gzipSync("a user's own"));
  writeFileSync(at('own'), 'beside own.gz');
  writeFileSync(at('own.zst'), 'not really');
  writeFileSync(at('dir', '.READY'), 'not hashed, but kept');
  linkSync(at('text'), at('dir', 'again'));
  symlinkSync('nowhere', at('dangling'));
  chmodSync(at('own'), 0o4710);
  chmodSync(at('dir'), 0o555);
  return { volume, engine, at };
}

test.for(['gzip', 'zstd'] as const)(
  'a %s snapshot is smaller, verifies, and brings everything back',
  async (type) => {
    const { volume: made, engine, at } = await prepared();
    using volume = made;
    const plain = await engine.snapshot(ask, quiet);
    const before = manifest(volume.snapshotPath(plain.snapshot_id));
    const packed = await engine.snapshot({ ...ask, compression: { type, level: 6 } }, quiet);
    expect(packed).toMatchObject({
      compression: { type, level: 6 },
      payload_root_hash: plain.payload_root_hash,
    });
    expect(packed.agent?.size).toBe(plain.agent?.size);
    expect(packed.agent?.unique_bytes).toBeLessThan((packed.agent?.size ?? 0) / 20);
    for (const { snapshot_id } of [plain, packed]) {
      expect(await engine.verify(snapshot_id, quiet)).toMatchObject({
        descriptorValid: true,
        payloadValid: true,
      });
    }
    expect(manifest(volume.snapshotPath(plain.snapshot_id))).toEqual(before);
    const tree = manifest(volume.main);
    writeFileSync(at('own.gz'), 'lost');
    writeFileSync(at('more'), 'more');
    await engine.restore({ worktree: 'main', snapshotId: packed.snapshot_id }, quiet);
    expect(manifest(volume.main)).toEqual(tree);
    expect(statSync(at('text')).ino).toBe(statSync(at('dir', 'again')).ino);
    const next = await engine.snapshot(ask, quiet);
    expect(next.payload_root_hash).toBe(plain.payload_root_hash);
    expect(manifest(volume.snapshotPath(next.snapshot_id))).toEqual(tree);
  },
);

test.for(['gzip', 'zstd'] as const)('holes are holes again when a %s snapshot is restored', async (type) => {
  const { volume: made, engine, at } = await prepared();
  using volume = made;
  writeFileSync(at('sparse'), 'start');
  truncateSync(at('sparse'), 33 * 1024 * 1024 + 7);
  appendFileSync(at('sparse'), 'middle');
  truncateSync(at('sparse'), 50 * 1024 * 1024 + 1);
  const before = manifest(volume.main);
  const { snapshot_id } = await engine.snapshot({ ...ask, compression: { type, level: 1 } }, quiet);
  await engine.restore({ worktree: 'main', snapshotId: snapshot_id }, quiet);
  expect(manifest(volume.main)).toEqual(before);
  expect(statSync(at('sparse')).blocks * 512).toBeLessThan(64 * 1024);
});

test('what gzip stores, gzip reads', async () => {
  const { volume: made, engine } = await prepared();
  using volume = made;
  const { snapshot_id } = await engine.snapshot({ ...ask, compression: { type: 'gzip', level: 1 } }, quiet);
  const path = (name: string) => join(volume.snapshotPath(snapshot_id), name);
  const content = execFileSync('gzip', ['-dc', path('large.gz')], { maxBuffer: 1 << 24 });
  expect(content.equals(Buffer.alloc(9 * 1024 * 1024 + 5, 'large content'))).toBe(true);
  expect(
    execFileSync('sh', ['-c', 'gzip -dc "$0" | gzip -dc', path('own.gz.gz')], { encoding: 'utf8' }),
  ).toBe("a user's own");
});

test('a snapshot after compressed ones shares with the nearest that is not', async () => {
  const { volume: made, engine, at } = await prepared();
  using volume = made;
  const plain = await engine.snapshot(ask, quiet);
  const shared = (id: string) => statSync(join(volume.snapshotPath(id), 'large')).ino;
  for (const type of ['gzip', 'zstd'] as const) {
    await engine.snapshot({ ...ask, compression: { type, level: 1 } }, quiet);
  }
  writeFileSync(at('new'), 'new');
  const next = await engine.snapshot(ask, quiet);
  expect(next.agent?.unique_bytes).toBe('new'.length);
  expect(shared(next.snapshot_id)).toBe(shared(plain.snapshot_id));
  expect(manifest(volume.snapshotPath(next.snapshot_id))).toEqual(manifest(volume.main));
  expect(await engine.verify(plain.snapshot_id, quiet)).toMatchObject({ payloadValid: true });
});

test.for(['gzip', 'zstd'] as const)('damage to a %s snapshot is found, and not restored', async (type) => {
  const { volume: made, engine } = await prepared();
  using volume = made;
  const { snapshot_id } = await engine.snapshot({ ...ask, compression: { type, level: 3 } }, quiet);
  const suffix = type === 'gzip' ? '.gz' : '.zst';
  truncateSync(join(volume.snapshotPath(snapshot_id), `large${suffix}`), 50);
  expect(await engine.verify(snapshot_id, quiet)).toMatchObject({
    payloadValid: false,
    error: expect.stringMatching(/cut short/),
  });
  const before = manifest(volume.main);
  await expect(engine.restore({ worktree: 'main', snapshotId: snapshot_id }, quiet)).rejects.toMatchObject({
    reason: 'DamagedRepository',
  });
  expect(manifest(volume.main)).toEqual(before);
});

test('what can not be compressed is said, and leaves nothing', async () => {
  const { volume: made, engine, at } = await prepared();
  using volume = made;
  const refused = (compression: object) =>
    engine
      .snapshot({ ...ask, compression: compression as { type: 'gzip'; level: number } }, quiet)
      .catch((e) => e);
  expect(await refused({ type: 'lzma', level: 1 })).toMatchObject({ reason: 'InvalidArgument' });
  expect(await refused({ type: 'gzip', level: 10 })).toMatchObject({ reason: 'InvalidArgument' });
  writeFileSync(at('n'.repeat(254)), '');
  expect(await refused({ type: 'gzip', level: 1 })).toMatchObject({
    reason: 'InvalidArgument',
    message: expect.stringMatching(/too long/),
  });
  rmSync(at('n'.repeat(254)));
  symlinkSync('nowhere', at('text.gz'));
  expect(await refused({ type: 'gzip', level: 1 })).toMatchObject({
    reason: 'InvalidArgument',
    message: expect.stringMatching(/text\.gz: .* rename one of the two/),
  });
  expect(readdirSync(join(volume.jvs, 'snapshots'))).toEqual([]);
});
