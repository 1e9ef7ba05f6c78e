import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serialize } from 'node:v8';
import { expect, test } from 'vitest';
import type { Compression, Descriptor } from '../repository.ts';
import { asUser, manifest, quiet, TestVolume } from '../testing/volume.ts';
import { exportSnapshot, storedBytes } from './export.ts';
import { abandonImport, type Received } from './import.ts';
import { Layout } from './layout.ts';
import { headOf, listSnapshots } from './reader.ts';
import { type Position, start, type TransferEntry } from './transfer.ts';

const PROGRAM = fileURLToPath(new URL('../testing/receive.ts', import.meta.url));
const keepTag = (tag: string) => !tag.startsWith('k8s-');

async function source(compression?: Compression): Promise<{ volume: TestVolume; descriptor: Descriptor }> {
  const volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  const at = (...path: string[]) => join(volume.main, ...path);
  mkdirSync(at('deep', 'er', 'est'), { recursive: true });
  mkdirSync(at('empty'));
  writeFileSync(at('deep', 'er', 'file'), 'content');
  chmodSync(at('deep', 'er', 'file'), 0o4751);
  writeFileSync(at('large'), Buffer.alloc(700_000, 'some content '));
  writeFileSync(at('nothing'), '');
  writeFileSync(Buffer.concat([Buffer.from(`${volume.main}/latin `), Buffer.from([0xe9])]), 'not UTF-8');
  symlinkSync('../nowhere', at('link'));
  linkSync(at('large'), at('deep', 'second name'));
  writeFileSync(at('holes'), 'begin');
  truncateSync(at('holes'), 3_000_000);
  writeFileSync(at('holes'), 'end', { flag: 'a' });
  mkdirSync(at('read-only'));
  writeFileSync(at('read-only', 'inside'), 'kept');
  chmodSync(at('read-only'), 0o555);
  chmodSync(at('deep'), 0o2750);
  for (const name of ['deep', 'empty', 'nothing', 'holes']) utimesSync(at(name), 1000, 1000);
  // Of a link, times are kept to about 0.1 µs: not where that is the border of what is compared.
  lutimesSync(at('link'), 1000.5, 1000.5);
  await engine.snapshot({ worktree: 'main', origin: 'manual' }, quiet);
  const descriptor = await engine.snapshot(
    {
      worktree: 'main',
      origin: 'manual',
      note: 'of there',
      tags: ['release'],
      requestTag: 'k8s-u1',
      ...(compression && { compression }),
    },
    quiet,
  );
  return { volume, descriptor };
}

async function opened(): Promise<TestVolume> {
  const volume = new TestVolume();
  await volume.engine().open();
  return volume;
}

/** As the other agent sends it; `until` says after which item the connection breaks. */
const sender = (volume: TestVolume, descriptor: Descriptor, until = Number.POSITIVE_INFINITY) => {
  const layout = new Layout(volume.path);
  return async function* fetch(from: Position): AsyncGenerator<Received> {
    const text = readFileSync(layout.descriptor(descriptor.snapshot_id), 'utf8');
    yield { descriptor: text, storedBytes: await storedBytes(layout, descriptor) };
    let count = 0;
    for await (const item of exportSnapshot(layout, descriptor, from)) {
      if (count++ >= until) throw new Error('the connection broke');
      yield item;
    }
  };
};

/** What is in the target when all is done: as in the source, of this volume. */
async function expectWhole(target: TestVolume, from: TestVolume, descriptor: Descriptor): Promise<void> {
  const id = descriptor.snapshot_id;
  const engine = target.engine();
  expect(manifest(target.snapshotPath(id))).toEqual(manifest(from.snapshotPath(id)));
  expect(await engine.verify(id, quiet)).toMatchObject({ descriptorValid: true, payloadValid: true });
  const layout = new Layout(target.path);
  const [only, ...others] = await listSnapshots(layout);
  expect(others).toEqual([]);
  expect(only).toMatchObject({
    snapshot_id: id,
    payload_root_hash: descriptor.payload_root_hash,
    worktree_name: 'main',
    note: 'of there',
    tags: ['release'],
    agent: { origin: 'discovered', size: descriptor.agent?.size },
  });
  expect(only?.parent_id).toBeUndefined();
  expect(await headOf(layout, 'main')).toBe(id);
  expect(existsSync(layout.imports)).toBe(false);
  expect(readdirSync(layout.snapshots)).toEqual([id]);
  await engine.restore({ snapshotId: id, worktree: 'main' }, quiet);
  expect(manifest(target.main)).toEqual(manifest(from.main));
  const changed = await engine.snapshot({ worktree: 'main', origin: 'manual', unlessUnchanged: true }, quiet);
  expect(changed.snapshot_id).toBe(id);
}

test('a snapshot arrives with everything that it holds, and main is restored from it', async () => {
  const { volume, descriptor } = await source();
  using from = volume;
  using target = await opened();
  const { snapshot_id: snapshotId } = descriptor;
  await target.engine().receive({ snapshotId, fetch: sender(from, descriptor), keepTag }, quiet);
  await expectWhole(target, from, descriptor);
  const there = (...path: string[]) => lstatSync(join(target.main, ...path));
  expect(there('large').ino).toBe(there('deep', 'second name').ino);
  expect(there('holes').blocks).toBeLessThan(1000);
  const again = await target
    .engine()
    .receive({ snapshotId, fetch: sender(from, descriptor, 0), keepTag }, quiet);
  expect(again.snapshot_id).toBe(snapshotId);
});

test('a compressed snapshot stays one', async () => {
  const { volume, descriptor } = await source({ type: 'gzip', level: 6 });
  using from = volume;
  using target = await opened();
  const { snapshot_id: snapshotId } = descriptor;
  await target.engine().receive({ snapshotId, fetch: sender(from, descriptor), keepTag }, quiet);
  await expectWhole(target, from, descriptor);
});

test('broken after every second item, it is taken up again and nothing is sent twice', async () => {
  const { volume, descriptor } = await source();
  using from = volume;
  using target = await opened();
  const { snapshot_id: snapshotId } = descriptor;
  const received: Received[] = [];
  const one = sender(from, descriptor, 2);
  async function* fetch(position: Position): AsyncGenerator<Received> {
    for await (const item of one(position)) {
      received.push(item);
      yield item;
    }
  }
  for (let attempt = 0; ; attempt++) {
    expect(attempt).toBeLessThan(200);
    try {
      await target.engine().receive({ snapshotId, fetch, keepTag }, quiet);
      break;
    } catch (error) {
      expect(String(error)).toContain('the connection broke');
    }
  }
  const bytes = received.flatMap((item) => ('data' in item ? item.data.bytes.length : []));
  expect(bytes.reduce((sum, n) => sum + n, 0)).toBeLessThan(2_000_000);
  await expectWhole(target, from, descriptor);
});

test.each([1, 9, 20])('killed after %i items, the next process goes on', async (items) => {
  const { volume, descriptor } = await source();
  using from = volume;
  using target = await opened();
  const { snapshot_id: snapshotId } = descriptor;
  const { signal } = spawnSync(
    process.execPath,
    [PROGRAM, from.path, target.path, snapshotId, String(items)],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  expect(signal).toBe('SIGKILL');
  expect(await listSnapshots(new Layout(target.path))).toEqual([]);
  await target.engine().open();
  await target.engine().receive({ snapshotId, fetch: sender(from, descriptor), keepTag }, quiet);
  await expectWhole(target, from, descriptor);
});

test.each([
  'import-begun',
  'import-verified',
  'import-moved',
  'renamed',
  'descriptor-written',
  'advanced',
  'import-published',
])('killed at %s, the snapshot is there once, whole', async (step) => {
  const { volume, descriptor } = await source();
  using from = volume;
  using target = await opened();
  const { snapshot_id: snapshotId } = descriptor;
  const { signal } = spawnSync(process.execPath, [PROGRAM, from.path, target.path, snapshotId, step], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  expect(signal).toBe('SIGKILL');
  await target.engine().open();
  await target.engine().receive({ snapshotId, fetch: sender(from, descriptor), keepTag }, quiet);
  await expectWhole(target, from, descriptor);
});

test('what a power cut left of the files before is found and received again', async () => {
  const { volume, descriptor } = await source();
  using from = volume;
  using target = await opened();
  const { snapshot_id: snapshotId } = descriptor;
  const attempt = (until?: number) =>
    target.engine().receive({ snapshotId, fetch: sender(from, descriptor, until), keepTag }, quiet);
  await expect(attempt(20)).rejects.toThrow('the connection broke');
  const tree = join(target.jvs, 'agent', 'import', 'tree');
  truncateSync(join(tree, 'deep', 'er', 'file'), 2);
  await attempt();
  await expectWhole(target, from, descriptor);
});

test('damage is found before anything is published, and leaves nothing behind', async () => {
  const { volume, descriptor } = await source();
  using from = volume;
  using target = await opened();
  const { snapshot_id: snapshotId } = descriptor;
  writeFileSync(join(from.snapshotPath(snapshotId), 'deep', 'er', 'file'), 'CONTENT');
  await expect(
    target.engine().receive({ snapshotId, fetch: sender(from, descriptor), keepTag }, quiet),
  ).rejects.toMatchObject({
    reason: 'DamagedRepository',
    message: expect.stringContaining('damaged where it'),
  });
  const layout = new Layout(target.path);
  expect(readdirSync(layout.snapshots)).toEqual([]);
  expect(existsSync(layout.imports)).toBe(false);
});

test('what nobody waits for any more goes with the next write', async () => {
  const { volume, descriptor } = await source();
  using from = volume;
  using target = await opened();
  const { snapshot_id: snapshotId } = descriptor;
  const broken = target.engine().receive({ snapshotId, fetch: sender(from, descriptor, 5), keepTag }, quiet);
  await expect(broken).rejects.toThrow('the connection broke');
  const layout = new Layout(target.path);
  expect(existsSync(layout.imports)).toBe(true);
  abandonImport(layout);
  await target.engine().repair();
  expect(existsSync(layout.imports)).toBe(false);
});

test('holes of a compressed snapshot need no room in the volume that it comes into', async () => {
  const { volume, descriptor } = await source({ type: 'zstd', level: 1 });
  using from = volume;
  using target = await opened();
  const { snapshot_id: snapshotId } = descriptor;
  const layout = new Layout(from.path);
  const stored = JSON.parse(readFileSync(layout.descriptor(snapshotId), 'utf8'));
  stored.agent.size = 1e15;
  writeFileSync(layout.descriptor(snapshotId), JSON.stringify(stored));
  expect(stored.agent.restored_bytes).toBeLessThan(1_500_000);
  await target.engine().receive({ snapshotId, fetch: sender(from, descriptor), keepTag }, quiet);
  await target.engine().restore({ worktree: 'main', snapshotId }, quiet);
  expect(manifest(target.main)).toEqual(manifest(from.main));
});

test('a volume that is too small says so before anything is sent', async () => {
  const { volume, descriptor } = await source();
  using from = volume;
  using target = await opened();
  const { snapshot_id: snapshotId } = descriptor;
  async function* fetch(): AsyncGenerator<Received> {
    const text = readFileSync(new Layout(from.path).descriptor(snapshotId), 'utf8');
    yield { descriptor: text, storedBytes: 1e15 };
    throw new Error('more was asked for');
  }
  await expect(target.engine().receive({ snapshotId, fetch, keepTag }, quiet)).rejects.toMatchObject({
    reason: 'VolumeFull',
    message: expect.stringContaining('raise spec.storage'),
  });
});

const metadata = { uid: 0, gid: 0, mode: 0o644, mtimeNs: 0n, attributes: new Map<string, Buffer>() };
const file = (path: string): TransferEntry => ({ kind: 'file', path, size: 4, sparse: false, ...metadata });
test.each<[string, TransferEntry[]]>([
  ['a path upwards', [file('../outside')]],
  ['an absolute path', [file('/outside')]],
  [
    'a path through a symbolic link',
    [{ kind: 'symlink', path: 'l', target: Buffer.from('..'), ...metadata }, file('l/outside')],
  ],
  ['a file in place of the marker', [file('.READY')]],
  ['a hard link from outside', [{ kind: 'link', path: 'x', first: '../../initial.json' }]],
])('%s is refused', async (_, entries) => {
  const { volume, descriptor } = await source();
  using from = volume;
  using target = await opened();
  writeFileSync(join(target.jvs, 'agent', 'initial.json'), '{}');
  const { snapshot_id: snapshotId } = descriptor;
  async function* fetch(): AsyncGenerator<Received> {
    const text = readFileSync(new Layout(from.path).descriptor(snapshotId), 'utf8');
    yield { descriptor: text, storedBytes: 10 };
    for (const entry of entries) yield { entry };
  }
  const before = readdirSync(target.path).sort();
  await expect(target.engine().receive({ snapshotId, fetch, keepTag }, quiet)).rejects.toMatchObject({
    name: 'RepositoryError',
  });
  expect(readdirSync(target.path).sort()).toEqual(before);
  expect(readdirSync(new Layout(target.path).snapshots)).toEqual([]);
  rmSync(join(target.jvs, 'agent', 'initial.json'));
});

test('a connection that breaks after the last item costs no more than that item', async () => {
  const { volume, descriptor } = await source();
  using from = volume;
  using target = await opened();
  const { snapshot_id: snapshotId } = descriptor;
  const engine = target.engine();
  const broken = async function* (position: Position) {
    yield* sender(from, descriptor)(position);
    throw new Error('the connection broke');
  };
  await expect(engine.receive({ snapshotId, fetch: broken, keepTag }, quiet)).rejects.toThrow(/broke/);
  let items = 0;
  const counted = async function* (position: Position) {
    for await (const item of sender(from, descriptor)(position)) {
      items++;
      yield item;
    }
  };
  await engine.receive({ snapshotId, fetch: counted, keepTag }, quiet);
  expect(items).toBe(2);
  await expectWhole(target, from, descriptor);
});

async function all(received: AsyncIterable<Received>): Promise<Received[]> {
  const items: Received[] = [];
  for await (const item of received) items.push(item);
  return items;
}

/** Receives `items` as another user than root, in a process of its own that runs `code` before each of them. */
function receiveAsUser(target: TestVolume, snapshotId: string, items: Received[], code = '') {
  writeFileSync(join(target.path, 'items'), serialize(items));
  chownSync(target.path, 1000, 1000);
  return asUser(`
    import { readFileSync } from 'node:fs';
    import { deserialize } from 'node:v8';
    const { Engine } = await import(${JSON.stringify(new URL('engine.ts', import.meta.url).href)});
    const volume = ${JSON.stringify(target.path)};
    const engine = new Engine({ volume, engine: 'copy', holder: 'x' });
    await engine.open();
    let now = performance.now();
    performance.now = () => now;
    const asked = [];
    async function* fetch(from) {
      asked.push(from);
      let entry = -1;
      for (const item of deserialize(readFileSync(volume + '/items'))) {
        if (item.entry) entry++;
        if (entry >= 0 && entry < from.entry) continue;
        if (item.data && entry === from.entry && item.data.offset < from.offset) continue;
        ${code}
        yield item;
      }
    }
    const input = { snapshotId: ${JSON.stringify(snapshotId)}, fetch, keepTag: () => true };
    await engine.receive(input, { progress() {}, step() {} }).then(
      () => process.stdout.write(JSON.stringify(asked)),
      ({ reason, message }) => process.stdout.write(reason + ': ' + message),
    );
  `);
}

test.each([
  ['theirs', 'file', 0o040],
  ['theirs', 'dir', 0o055],
  ['the top of the snapshot', 'top', 0o055],
] as const)('what only root can read is said to another user at once: %s, a %s', async (name, kind, mode) => {
  using from = await opened();
  const at = kind === 'top' ? from.main : join(from.main, name);
  if (kind === 'dir') mkdirSync(at);
  if (kind === 'file') writeFileSync(at, 'of root');
  chmodSync(at, mode);
  const descriptor = await from.engine().snapshot({ worktree: 'main', origin: 'manual' }, quiet);
  using target = new TestVolume();
  const items = await all(sender(from, descriptor)(start));
  expect(receiveAsUser(target, descriptor.snapshot_id, items)).toMatch(
    `PermissionDenied: ${name} may not be read by its owner`,
  );
  expect(readdirSync(new Layout(target.path).snapshots)).toEqual([]);
});

test('as root after another user was refused, everything has the owner that it had', async () => {
  using from = await opened();
  writeFileSync(join(from.main, 'first'), 'of somebody');
  chownSync(join(from.main, 'first'), 2000, 2000);
  writeFileSync(join(from.main, 'theirs'), 'of root');
  chmodSync(join(from.main, 'theirs'), 0o040);
  const descriptor = await from.engine().snapshot({ worktree: 'main', origin: 'manual' }, quiet);
  const { snapshot_id: snapshotId } = descriptor;
  using target = new TestVolume();
  const items = await all(sender(from, descriptor)(start));
  expect(receiveAsUser(target, snapshotId, items)).toMatch('annotation jvs.io/agent-run-as: "0"');
  const fetch = sender(from, descriptor);
  await target.engine().receive({ snapshotId, fetch, keepTag }, quiet);
  expect(manifest(target.snapshotPath(snapshotId))).toEqual(manifest(from.snapshotPath(snapshotId)));
});

test.each<[what: string, path: string, mode: number, written: string, position: Position]>([
  ['a file', 'large', 0o755, 'item.data?.offset === 0', { entry: 0, offset: 262_144 }],
  ['the folder of a file', 'folder/large', 0o555, "item.entry?.kind === 'dir'", { entry: 1, offset: 0 }],
])(
  'killed when %s has just become read-only, the next process of another user than root goes on',
  async (_, path, mode, written, position) => {
    using from = await opened();
    const at = join(from.main, path);
    mkdirSync(dirname(at), { recursive: true });
    writeFileSync(at, Buffer.alloc(700_000, 'some content '), { mode: 0o444 });
    chmodSync(dirname(at), mode);
    const descriptor = await from.engine().snapshot({ worktree: 'main', origin: 'manual' }, quiet);
    const { snapshot_id: snapshotId } = descriptor;
    using target = new TestVolume();
    const items = await all(sender(from, descriptor)(start));
    // How far it is is written down once, before that.
    const die = `
    if (${written}) now += 2_000;
    if (item.entry?.kind === 'leave') {
      yield item;
      process.kill(process.pid, 'SIGKILL');
    }`;
    expect(() => receiveAsUser(target, snapshotId, items, die)).toThrow('Command failed');
    expect(JSON.parse(receiveAsUser(target, snapshotId, items))).toEqual([position]);
    const copy = join(target.snapshotPath(snapshotId), path);
    expect([copy, dirname(copy)].map((one) => lstatSync(one).mode & 0o777)).toEqual([0o444, mode]);
    expect(readFileSync(copy).equals(readFileSync(at))).toBe(true);
  },
);
