// What is native of the jvs 0.4 driver; conformance.test.ts has the rest, where there is a binary.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { quiet, TestVolume } from '../testing/volume.ts';
import { Meter } from './control.ts';
import { recognize04, repair04, withRepositoryLock } from './jvs04.ts';
import { Layout } from './layout.ts';
import { getSnapshot, headOf, listSnapshots } from './reader.ts';
import { verifySnapshot } from './verify.ts';

/** As jvs 0.4.8 writes it. */
const ID = '1795524218340-4a983d7f';
const descriptor = {
  snapshot_id: ID,
  worktree_name: 'main',
  created_at: '2026-11-24T12:43:38.342714099Z',
  note: 'x\n\njvs-agent {"tags":["a"]}',
  engine: 'copy',
  actual_engine: 'copy',
  effective_engine: 'copy',
  metadata_preservation: {
    symlinks: 'preserved',
    hardlinks: 'identity not guaranteed in v0; files may materialize independently',
    mode: 'preserved',
    timestamps: 'preserved',
    ownership: 'not preserved',
    xattrs: 'not preserved',
    acls: 'not preserved',
  },
  performance_class: 'linear-data-copy',
  payload_root_hash: 'ab3f0829cca4a0233718f3c63f2ebcf7fb518783800b2bed94cb1743d4360387',
  descriptor_checksum: '5ac139c8dd18decb8a4b807e66004ffa26c49c2d7afff33f3b82a8662c6ec734',
  integrity_state: 'verified',
};

/** A repository with one save point, of a file `a`, that is not the head yet; made where the volume was elsewhere. */
function repository() {
  const volume = new TestVolume();
  const jvs = join(volume.jvs, '.jvs');
  for (const folder of ['snapshots', 'descriptors', 'intents', 'locks', 'audit', 'worktrees/main']) {
    mkdirSync(join(jvs, folder), { recursive: true });
  }
  for (const folder of [volume.main, join(volume.jvs, 'agent')]) mkdirSync(folder);
  writeFileSync(join(jvs, 'repo_mode'), 'separated_control');
  writeFileSync(join(jvs, 'repo_id'), '4a2ecb7b-2551-4cdf-ba20-f71ca234a49d\n');
  writeFileSync(join(jvs, 'format_version'), '1\n');
  const config = { name: 'main', real_path: '/elsewhere/main', created_at: '2026-11-24T12:43:08Z' };
  writeFileSync(join(jvs, 'worktrees/main/config.json'), JSON.stringify(config));
  const layout = Layout.of(volume.path);
  mkdirSync(layout.snapshot(ID));
  writeFileSync(join(layout.snapshot(ID), '.READY'), '{}');
  writeFileSync(join(layout.snapshot(ID), 'a'), 'hi\n');
  writeFileSync(layout.descriptor(ID), JSON.stringify(descriptor, null, 2));
  return { volume, layout };
}

test('it is recognised, read and verified, with every field that only 0.4 has', async () => {
  const { volume, layout } = repository();
  using _ = volume;
  expect(layout.generation).toBe('0.4');
  expect(recognize04(layout)).toEqual({
    repositoryId: '4a2ecb7b-2551-4cdf-ba20-f71ca234a49d',
    formatVersion: 1,
  });
  expect((await listSnapshots(layout)).map((d) => d.snapshot_id)).toEqual([ID]);
  const verified = verifySnapshot(layout, await getSnapshot(layout, ID), new Meter(quiet, 0));
  expect(verified).toEqual({ snapshotId: ID, descriptorValid: true, payloadValid: true });
  writeFileSync(layout.descriptor(ID), JSON.stringify({ ...descriptor, performance_class: 'fast' }));
  const changed = verifySnapshot(layout, await getSnapshot(layout, ID), new Meter(quiet, 0));
  expect(changed).toMatchObject({ descriptorValid: false });
});

test('note, tags and what else there is to tell are in the message', async () => {
  const { volume, layout } = repository();
  using _ = volume;
  const read = async (note: string) => {
    writeFileSync(layout.descriptor(ID), JSON.stringify({ ...descriptor, note }));
    return getSnapshot(layout, ID);
  };
  const told = '{"tags":["k8s-1"],"origin":"auto","consistency":"quiesced","size":3,"entries":1}';
  const agent = { origin: 'auto', consistency: 'quiesced', size: 3, entries: 1, unique_bytes: 3 };
  expect(await read(`two\nlines\n\njvs-agent ${told}`)).toMatchObject({
    note: 'two\nlines',
    tags: ['k8s-1'],
    agent,
  });
  const bare = await read(`jvs-agent ${told}`);
  expect(bare).toMatchObject({ tags: ['k8s-1'], agent });
  expect(bare.note).toBeUndefined();
  for (const own of ['jvs-agent {}', 'about jvs-agent', descriptor.note]) {
    const { note, tags, agent } = await read(own);
    expect({ note, tags, agent }).toEqual({ note: own, tags: undefined, agent: undefined });
  }
});

test('what a killed binary left is cleared up, and its save point is the head; a lock of others is not touched', async () => {
  const { volume, layout } = repository();
  using _ = volume;
  const lock = join(layout.jvs, 'locks', 'repo.lock');
  mkdirSync(lock);
  await expect(withRepositoryLock(layout, async () => {})).rejects.toMatchObject({ reason: 'Busy' });
  repair04(layout);
  expect(existsSync(lock)).toBe(true);
  expect(JSON.parse(readFileSync(layout.worktreeConfig('main'), 'utf8'))).toMatchObject({
    real_path: volume.main,
    created_at: '2026-11-24T12:43:08Z',
  });

  writeFileSync(join(layout.agent, 'jvs-0.4-running'), '');
  const unfinished = '1795524218341-00000000';
  mkdirSync(layout.snapshot(`${unfinished}.tmp`));
  for (const id of [ID, unfinished]) writeFileSync(layout.intent(id), JSON.stringify({ snapshot_id: id }));
  writeFileSync(join(layout.intents, '.jvs-tmp-1234'), '');
  repair04(layout);
  expect(existsSync(lock)).toBe(false);
  expect(readdirSync(layout.intents)).toEqual([]);
  expect(readdirSync(layout.snapshots)).toEqual([ID]);
  expect(await headOf(layout, 'main')).toBe(ID);
  expect(JSON.parse(readFileSync(layout.worktreeConfig('main'), 'utf8'))).toMatchObject({
    real_path: volume.main,
    latest_snapshot_id: ID,
  });
});

test('while native code replaces files, nobody else may; afterwards all may', async () => {
  const { volume, layout } = repository();
  using _ = volume;
  const lock = join(layout.jvs, 'locks', 'repo.lock');
  await withRepositoryLock(layout, async () => {
    expect(readdirSync(lock)).toEqual(['owner.json']);
    await expect(withRepositoryLock(layout, async () => {})).rejects.toMatchObject({ reason: 'Busy' });
    expect(existsSync(lock)).toBe(true);
  });
  expect(existsSync(lock)).toBe(false);
});
