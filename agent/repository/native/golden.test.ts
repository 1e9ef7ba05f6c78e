import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { manifest, quiet, TestVolume } from '../testing/volume.ts';
import { canonicalJson, type Json } from './format/json.ts';
import { Layout } from './layout.ts';
import { headOf, listSnapshots } from './reader.ts';

const IDS = [
  '1795492626640-d8307bc1',
  '1795492626416-70616153',
  '1795492626384-933b83c1',
  '1795492626332-5e52a2d2',
];

test('what jvs 8.2 wrote reads and verifies', async () => {
  using volume = TestVolume.golden();
  const engine = volume.engine();
  expect(await engine.open()).toMatchObject({ repositoryId: '79543642-9f19-4356-a609-ca074bcd1dd1' });
  const listed = await listSnapshots(new Layout(volume.path));
  expect(listed.map((d) => d.snapshot_id)).toEqual(IDS);
  for (const id of IDS) {
    expect(await engine.verify(id, quiet)).toEqual({
      snapshotId: id,
      descriptorValid: true,
      payloadValid: true,
    });
  }
  expect(listed.at(-1)).toMatchObject({ note: 'first <&> "quoted" \\ tab\té', tags: ['release', 'v1.0'] });
});

test('tampering is found', async () => {
  using volume = TestVolume.golden();
  const [exp, third, , first] = IDS as [string, string, string, string];
  writeFileSync(join(volume.snapshotPath(third), 'a.txt'), 'other');
  const file = join(volume.jvs, 'descriptors', `${first}.json`);
  writeFileSync(file, readFileSync(file, 'utf8').replace('v1.0', 'v1.1'));
  const engine = volume.engine();
  expect(await engine.verify(third, quiet)).toMatchObject({ descriptorValid: true, payloadValid: false });
  expect(await engine.verify(first, quiet)).toMatchObject({ descriptorValid: false, payloadValid: true });
  expect(await engine.verify(exp, quiet)).toMatchObject({ descriptorValid: true, payloadValid: true });
});

test('history goes on from the head that jvs 8.2 restored, and nothing of the old is touched', async () => {
  using volume = TestVolume.golden();
  const engine = volume.engine();
  const before = manifest(volume.jvs);
  await engine.open();
  expect(manifest(volume.jvs).filter((line) => !/^agent/.test(line))).toEqual(before);

  writeFileSync(join(volume.main, 'new'), 'x');
  const made = await engine.snapshot(
    { worktree: 'main', note: 'ours', tags: ['t'], origin: 'manual' },
    quiet,
  );
  expect(made.parent_id).toBe('1795492626332-5e52a2d2');
  expect(await headOf(new Layout(volume.path), 'main')).toBe(made.snapshot_id);
  expect(await engine.verify(made.snapshot_id, quiet)).toMatchObject({
    descriptorValid: true,
    payloadValid: true,
  });
  const old = (line: string) => IDS.some((id) => line.startsWith(`snapshots/${id}`));
  expect(before.filter(old).length).toBeGreaterThan(4 * 15);
  expect(manifest(volume.jvs).filter(old)).toEqual(before.filter(old));

  let previous = '';
  for (const line of readFileSync(join(volume.jvs, 'audit', 'audit.jsonl'), 'utf8')
    .trim()
    .split('\n')) {
    const record = JSON.parse(line) as Record<string, Json>;
    expect(record.prev_hash).toBe(previous);
    const hash = createHash('sha256')
      .update(canonicalJson({ ...record, record_hash: '' }))
      .digest('hex');
    expect(record.record_hash).toBe(hash);
    previous = hash;
  }
});
