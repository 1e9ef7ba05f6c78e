import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { manifest, quiet, TestVolume } from '../testing/volume.ts';
import { Layout } from './layout.ts';
import { listSnapshots } from './reader.ts';

const [THIRD, SECOND, FIRST] = [
  '1795492626416-70616153',
  '1795492626384-933b83c1',
  '1795492626332-5e52a2d2',
] as const;

/** Later, so that what was just made counts as settled. */
async function later<T>(work: () => Promise<T>, minutes = 120): Promise<T> {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + minutes * 60_000 });
  try {
    return await work();
  } finally {
    vi.useRealTimers();
  }
}

async function repaired(volume: TestVolume) {
  const engine = volume.engine();
  await engine.open();
  const before = await later(() => engine.doctor(false));
  const findings = await later(() => engine.doctor(true));
  expect(findings.map(({ repaired, ...rest }) => rest)).toEqual(before.map(({ repaired, ...rest }) => rest));
  return { findings, after: await later(() => engine.doctor(true)) };
}

test('a healthy repository has no findings', async () => {
  using volume = TestVolume.golden();
  const engine = volume.engine();
  await engine.open();
  const before = manifest(volume.path).filter((line) => !line.includes('.jvs/agent'));
  expect(await later(() => engine.doctor(true))).toEqual([]);
  const after = manifest(volume.path).filter(
    (line) => !line.includes('.jvs/agent') && !line.includes('.jvs/pins'),
  );
  expect(after.map((line) => line.replace(/^(\.jvs \S+ \S+) \d+/, '$1'))).toEqual(
    before.map((line) => line.replace(/^(\.jvs \S+ \S+) \d+/, '$1')),
  );
});

test('debris of the jvs binary and of ours is removed', async () => {
  using volume = TestVolume.golden();
  const at = (...path: string[]) => join(volume.path, ...path);
  mkdirSync(at('.jvs-reflink-test-123'));
  writeFileSync(at('.jvs', 'descriptors', '.jvs-tmp-55'), '');
  mkdirSync(at('main.restore-tmp-aabbccdd'));
  writeFileSync(at('main.restore-tmp-aabbccdd', 'half'), '');
  mkdirSync(at('main.restore-backup-aabbccdd'));
  const { findings, after } = await repaired(volume);
  expect(findings).toHaveLength(4);
  expect(findings.every((f) => f.category === 'debris' && f.repaired)).toBe(true);
  expect(after).toEqual([]);
});

test('a snapshot that the jvs binary was killed in is cleared when nobody can be at work on it', async () => {
  using volume = TestVolume.golden();
  const id = '1795492627000-00000000';
  mkdirSync(join(volume.snapshotPath(`${id}.tmp`), 'half'), { recursive: true });
  utimesSync(volume.snapshotPath(`${id}.tmp`), 1.7e9, 1.7e9);
  writeFileSync(
    join(volume.jvs, 'intents', `${id}.json`),
    JSON.stringify({ snapshot_id: id, worktree_name: 'main' }),
  );
  await later(() => volume.engine().open());
  expect(existsSync(volume.snapshotPath(`${id}.tmp`))).toBe(false);
  expect(existsSync(join(volume.jvs, 'intents', `${id}.json`))).toBe(false);
});

test('what the jvs binary is at work on is left alone for an hour', async () => {
  using volume = TestVolume.golden();
  const copy = `${volume.main}.restore-tmp-aabbccdd`;
  mkdirSync(copy);
  const id = `${Date.now()}-00000000`;
  mkdirSync(volume.snapshotPath(`${id}.tmp`));
  writeFileSync(
    join(volume.jvs, 'intents', `${id}.json`),
    JSON.stringify({ snapshot_id: id, worktree_name: 'main' }),
  );
  const engine = volume.engine();
  await later(() => engine.open(), 55);
  await later(() => engine.doctor(true), 55);
  for (const path of [copy, volume.snapshotPath(`${id}.tmp`), join(volume.jvs, 'intents', `${id}.json`)])
    expect(existsSync(path)).toBe(true);
});

test('a payload that a killed restore moved away is moved back', async () => {
  using volume = TestVolume.golden();
  const before = manifest(volume.main);
  renameSync(volume.main, `${volume.main}.restore-backup-01234567`);
  mkdirSync(`${volume.main}.restore-tmp-01234567`);
  await volume.engine().open();
  const findings = await volume.engine().doctor(true);
  expect(findings).toMatchObject([{ category: 'worktree', severity: 'critical', repaired: true }]);
  expect(manifest(volume.main)).toEqual(before);
  await repaired(volume);
  expect(readdirSync(volume.path).sort()).toEqual(['.jvs', 'main', 'worktrees']);
});

test('a payload that was made again, empty, gives way to the one that a killed restore moved away', async () => {
  using volume = TestVolume.golden();
  const before = manifest(volume.main);
  chmodSync(volume.main, 0o2750);
  renameSync(volume.main, `${volume.main}.restore-backup-01234567`);
  mkdirSync(volume.main);
  const { ino } = statSync(volume.main);
  await volume.engine().open();
  expect(await volume.engine().doctor(true)).toMatchObject([{ severity: 'critical', repaired: false }]);
  expect(readdirSync(volume.main)).toEqual([]);
  const { findings, after } = await repaired(volume);
  expect(findings).toMatchObject([{ category: 'worktree', severity: 'critical', repaired: true }]);
  expect(manifest(volume.main)).toEqual(before);
  // Who has it mounted sees them.
  expect(statSync(volume.main)).toMatchObject({ ino, mode: 0o42750 });
  expect(readdirSync(volume.path)).not.toContain('main.moving-back');
  expect(after).toEqual([]);
});

test('files that a killed doctor was moving back are moved back by the next, unless others have their names', async () => {
  using volume = TestVolume.golden();
  const before = manifest(volume.main);
  const moving = join(volume.path, 'main.moving-back');
  mkdirSync(moving);
  const names = ['a.txt', 'data', 'link'];
  for (const name of names) renameSync(join(volume.main, name), join(moving, name));
  const occupied = join(volume.main, 'a.txt');
  writeFileSync(occupied, 'since');
  const refused = await repaired(volume);
  expect(refused.findings).toMatchObject([{ severity: 'critical', repaired: false }]);
  expect(readdirSync(moving).sort()).toEqual(names);
  rmSync(occupied);
  expect((await repaired(volume)).after).toEqual([]);
  expect(manifest(volume.main)).toEqual(before);
});

test('of several backups of an empty payload none is removed', async () => {
  using volume = TestVolume.golden();
  const backups = ['01234567', '89abcdef'].map((id) => `${volume.main}.restore-backup-${id}`) as [
    string,
    string,
  ];
  renameSync(volume.main, backups[0]);
  for (const path of [volume.main, backups[1]]) mkdirSync(path);
  const before = manifest(volume.path).filter((line) => !line.startsWith('.jvs'));
  const { findings } = await repaired(volume);
  expect(findings).toMatchObject([
    {
      category: 'worktree',
      description: expect.stringMatching(/are in main\S+ or main\S+:/),
      repaired: false,
    },
  ]);
  expect(manifest(volume.path).filter((line) => !line.startsWith('.jvs'))).toEqual(before);
});

test('a directory without descriptor goes; a descriptor without directory gives its children away', async () => {
  using volume = TestVolume.golden();
  rmSync(volume.snapshotPath(SECOND), { recursive: true });
  mkdirSync(volume.snapshotPath('1795492627000-00000000'));
  const { findings, after } = await repaired(volume);
  expect(findings.map((f) => [f.category, f.repaired])).toEqual([
    ['snapshot', true],
    ['snapshot', true],
  ]);
  expect(after).toEqual([]);
  const listed = await listSnapshots(new Layout(volume.path));
  expect(listed.find((d) => d.snapshot_id === THIRD)?.parent_id).toBe(FIRST);
  for (const { snapshot_id } of listed) {
    expect(await volume.engine().verify(snapshot_id, quiet)).toMatchObject({
      descriptorValid: true,
      payloadValid: true,
    });
  }
});

test('of snapshots in a row whose files are gone, the child of the last gets the parent of the first', async () => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  const ids: string[] = [];
  for (const content of ['1', '2', '3', '4']) {
    writeFileSync(join(volume.main, 'file'), content);
    ids.push((await engine.snapshot({ worktree: 'main', origin: 'manual' }, quiet)).snapshot_id);
  }
  const [first, second, third, fourth] = ids as [string, string, string, string];
  for (const id of [second, third]) rmSync(volume.snapshotPath(id), { recursive: true });
  const { after } = await repaired(volume);
  expect(after).toEqual([]);
  const layout = new Layout(volume.path);
  expect(readdirSync(layout.descriptors).sort()).toEqual([`${first}.json`, `${fourth}.json`]);
  expect((await listSnapshots(layout)).map((d) => [d.snapshot_id, d.parent_id])).toEqual([
    [fourth, first],
    [first, undefined],
  ]);
  await engine.delete({ id: first }, quiet);
});

test('what can not be repaired is said, and stays as it is', async () => {
  using volume = TestVolume.golden();
  const descriptor = join(volume.jvs, 'descriptors', `${SECOND}.json`);
  writeFileSync(descriptor, readFileSync(descriptor, 'utf8').replace('"copy"', '"reflink-copy"'));
  rmSync(volume.snapshotPath(FIRST), { recursive: true });
  rmSync(join(volume.jvs, 'descriptors', `${FIRST}.json`));
  const audit = join(volume.jvs, 'audit', 'audit.jsonl');
  writeFileSync(audit, readFileSync(audit, 'utf8').replace('"third"', '"other"'));
  appendFileSync(audit, '{"torn');
  const { findings, after } = await repaired(volume);
  expect(findings.map((f) => `${f.category} ${f.severity} ${f.repaired}`)).toEqual([
    'integrity critical false',
    'worktree critical false',
    'lineage error false',
    'audit warning false',
    'audit warning false',
  ]);
  expect(after).toEqual(findings);
});

test('a worktree whose name is that of a backup of another is no debris', async () => {
  using volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  writeFileSync(join(volume.main, 'a'), 'a');
  const { snapshot_id: snapshotId } = await engine.snapshot({ worktree: 'main', origin: 'manual' }, quiet);
  const names = ['exp', 'exp.restore-backup-1', 'exp.restore-tmp-1', 'exp.moving-back'];
  for (const name of names) await engine.fork({ snapshotId, name }, quiet);
  expect(await later(() => engine.doctor(true))).toEqual([]);
  for (const name of names) expect(readFileSync(join(volume.path, 'worktrees', name, 'a'), 'utf8')).toBe('a');
});
