import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, expect, test, vi } from 'vitest';
import type { DesiredState } from '../../shared/proto/gen/jvs/link/v1/DesiredState.ts';
import { Emitter } from '../emitter.ts';
import { Engine } from '../repository/native/engine.ts';
import type { Received } from '../repository/native/import.ts';
import { openNative } from '../repository/native/native.ts';
import type { Descriptor, WorktreeRepository } from '../repository/repository.ts';
import { ensurePackage, Mounted } from '../repository/testing/filesystem.ts';
import { manifest, quiet, TestVolume } from '../repository/testing/volume.ts';
import { StateStore } from '../state.ts';
import { standstill } from '../testing/standstill.ts';
import type { Problem } from '../volume/volume.ts';
import { selfSigned, sha256 } from './certificate.ts';
import { fetchSnapshot, type Source } from './client.ts';
import { Exporter } from './exporter.ts';
import { InitialSnapshot } from './initial.ts';
import { TransferServer } from './server.ts';

const log = pino({ level: 'silent' });
const within = { timeout: 60_000, interval: 20 };
const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function source(files = 30): Promise<{ volume: TestVolume; descriptor: Descriptor }> {
  const volume = new TestVolume();
  stops.push(() => volume[Symbol.dispose]());
  const engine = volume.engine();
  await engine.open();
  mkdirSync(join(volume.main, 'folder'));
  for (let i = 0; i < files; i++)
    writeFileSync(join(volume.main, 'folder', `${i}`), Buffer.alloc(40_000, `${i}`));
  const descriptor = await engine.snapshot({ worktree: 'main', origin: 'manual' }, quiet);
  return { volume, descriptor };
}

async function served(files?: number) {
  const { volume, descriptor } = await source(files);
  return { volume, descriptor, ...(await serve(volume.path, descriptor)) };
}

async function serve(path: string, { snapshot_id: snapshotId }: Descriptor) {
  const server = await TransferServer.start(path, 0);
  stops.push(() => server.close());
  server.setExports([{ snapshotId, tokenSha256: sha256('secret') }]);
  const from: Source = {
    snapshotId,
    address: `127.0.0.1:${server.port}`,
    certificateSha256: server.certificateSha256,
    token: 'secret',
  };
  return { server, from };
}

async function all(from: Source, entry = 0): Promise<Received[]> {
  return await rest(fetchSnapshot(from, { entry, offset: 0 }));
}

async function rest(received: AsyncIterable<Received>): Promise<Received[]> {
  const items: Received[] = [];
  for await (const item of received) items.push(item);
  return items;
}

test('the certificate is one that programs can read, and every process has its own', () => {
  const { cert, sha256: hash } = selfSigned();
  const parsed = new X509Certificate(cert);
  expect(parsed.fingerprint256.replaceAll(':', '').toLowerCase()).toBe(hash);
  expect(parsed.verify(parsed.publicKey)).toBe(true);
  expect(parsed.subject).toBe('CN=jvs-agent');
  expect(Date.parse(parsed.validTo)).toBeGreaterThan(Date.parse('2049-01-01'));
  expect(selfSigned().sha256).not.toBe(hash);
});

test('who shows the token gets the snapshot, from anywhere in it', async () => {
  const { from, descriptor } = await served();
  const [first, ...items] = await all(from);
  expect(first).toMatchObject({ storedBytes: 1_200_000 });
  expect(JSON.parse((first as { descriptor: string }).descriptor).snapshot_id).toBe(descriptor.snapshot_id);
  const entries = items.filter((item) => 'entry' in item);
  expect(entries).toHaveLength(1 + 30 + 2);
  const later = await all(from, 31);
  expect(later.filter((item) => 'entry' in item)).toEqual(entries.slice(31));
});

test('what files have beside their content is sent in pieces as small as that', async () => {
  ensurePackage('setfattr', 'attr');
  const xfs = Mounted.loop('xfs');
  stops.push(() => xfs[Symbol.dispose]());
  const engine = new Engine({ volume: xfs.path, engine: 'copy', holder: 'test' });
  await engine.open();
  const files = Array.from({ length: 100 }, (_, i) => join(xfs.path, 'main', `${i}`));
  for (const file of files) writeFileSync(file, '');
  execFileSync('setfattr', ['-n', 'user.large', '-v', 'x'.repeat(60_000), ...files]);
  const { from } = await serve(
    xfs.path,
    await engine.snapshot({ worktree: 'main', origin: 'manual' }, quiet),
  );
  const items = await all(from);
  const sizes = items.flatMap((item) =>
    'entry' in item && item.entry.kind === 'file' ? item.entry.attributes.get('user.large')?.length : [],
  );
  expect(sizes).toEqual(files.map(() => 60_000));
});

test.each<[string, (from: Source) => Source, string]>([
  ['another token', (from) => ({ ...from, token: 'wrong' }), 'PERMISSION_DENIED'],
  ['no token', (from) => ({ ...from, token: '' }), 'PERMISSION_DENIED'],
  [
    'another certificate',
    (from) => ({ ...from, certificateSha256: sha256('other') }),
    'its certificate is another',
  ],
  ['nobody there', (from) => ({ ...from, address: '127.0.0.1:1' }), 'can not be reached'],
])('%s gets nothing', async (_, change, message) => {
  const { from } = await served();
  await expect(all(change(from))).rejects.toThrow(message);
});

test('the token is for one snapshot, not for the others of the volume', async () => {
  const { from, volume } = await served();
  writeFileSync(join(volume.main, 'more'), 'secret of theirs');
  const other = await volume.engine().snapshot({ worktree: 'main', origin: 'manual' }, quiet);
  await expect(all({ ...from, snapshotId: other.snapshot_id })).rejects.toThrow('PERMISSION_DENIED');
  await expect(all({ ...from, snapshotId: '../../..' })).rejects.toThrow('PERMISSION_DENIED');
});

test('the token is shown to nobody but the owner of the certificate', async () => {
  const { from } = await served();
  const heard: Buffer[] = [];
  const { promise, resolve } = Promise.withResolvers<number>();
  const listener = createServer((socket) => {
    socket.on('data', (bytes: Buffer) => {
      heard.push(bytes);
      socket.destroy();
    });
    socket.on('error', () => {});
  }).listen(0, () => resolve((listener.address() as { port: number }).port));
  stops.push(() => listener.close());
  const { volume: theirs } = await source(1);
  const impostor = await TransferServer.start(theirs.path, 0);
  stops.push(() => impostor.close());
  impostor.setExports([{ snapshotId: from.snapshotId, tokenSha256: sha256('secret') }]);
  await expect(all({ ...from, address: `127.0.0.1:${impostor.port}` })).rejects.toThrow(
    'certificate is another',
  );
  const address = `127.0.0.1:${await promise}`;
  await expect(all({ ...from, address })).rejects.toThrow('can not be reached');
  expect(heard.length).toBeGreaterThan(0);
  expect(Buffer.concat(heard).includes('secret')).toBe(false);
});

test('an export that is withdrawn ends where it is', async () => {
  const { from, server } = await served(500);
  const received = fetchSnapshot(from, { entry: 0, offset: 0 });
  await received.next();
  server.setExports([]);
  await expect(rest(received)).rejects.toThrow('PERMISSION_DENIED');
});

interface Target {
  volume: TestVolume;
  repository: WorktreeRepository;
  desired: Emitter<[DesiredState]>;
  told: Problem[];
  /** As the agent's start does. */
  bring: (wanted?: string) => { done: Promise<void>; stop: () => Promise<void> };
}

function target(): Target {
  const volume = new TestVolume();
  const repository = openNative({ volume: volume.path, engine: 'copy', holder: 'target' });
  stops.push(async () => {
    await repository.close();
    volume[Symbol.dispose]();
  });
  const desired = new Emitter<[DesiredState]>();
  const told: Problem[] = [];
  const bring = (wanted: string | undefined = 'golden') => {
    const controller = new AbortController();
    const initial = new InitialSnapshot({
      wanted: wanted || undefined,
      path: volume.path,
      store: new StateStore(volume.path, log),
      holder: 'target',
      desired,
      log,
      retry: { baseMs: 50, capMs: 200 },
    });
    const done = repository
      .open()
      .then(() => initial.bring(repository, controller.signal, (problem) => told.push(problem)));
    const stop = async () => {
      controller.abort();
      await done.catch(() => {});
    };
    stops.push(stop);
    return { done, stop };
  };
  return { volume, repository, desired, told, bring };
}

const wants = (initial: Source | null, role: DesiredState['role'] = 'ROLE_PRIMARY') =>
  ({ role, initial, exports: [] }) as unknown as DesiredState;

/** The same, but most of it never comes. */
const halfway = async (from: Source, { port }: TransferServer): Promise<Source> => ({
  ...from,
  address: `127.0.0.1:${await standstill(port, 1_000_000, stops)}`,
});

test('a new workspace begins on the tree of another one', async () => {
  const from = await source();
  const exporting = new Emitter<[DesiredState]>();
  const exporter = new Exporter({ path: from.volume.path, port: 17_445, desired: exporting, log });
  stops.push(() => exporter.stop());
  const { snapshot_id: snapshotId } = from.descriptor;
  exporting.emit({
    role: 'ROLE_PRIMARY',
    exports: [{ snapshotId, tokenSha256: sha256('secret') }],
  } as unknown as DesiredState);
  await vi.waitFor(() => expect(exporter.certificateSha256).toMatch(/^[0-9a-f]{64}$/), within);

  const { volume, repository, desired, told, bring } = target();
  const { done } = bring();
  await vi.waitFor(() => expect(told.at(-1)?.reason).toBe('WaitingForInitialSnapshot'), within);
  const { certificateSha256 } = exporter;
  desired.emit(wants({ snapshotId, address: '127.0.0.1:17445', certificateSha256, token: 'secret' }));
  await done;
  expect(manifest(volume.main)).toEqual(manifest(from.volume.main));
  expect((await repository.list()).map(({ snapshot_id }) => snapshot_id)).toEqual([snapshotId]);
  expect(told.map(({ reason }) => reason)).toContain('CopyingInitialSnapshot');

  // Once: what the user makes of it is theirs.
  rmSync(join(volume.main, 'folder'), { recursive: true });
  await bring().done;
  expect(readdirSync(volume.main)).toEqual([]);

  exporting.emit({ role: 'ROLE_PRIMARY', exports: [] } as unknown as DesiredState);
  await vi.waitFor(() => expect(exporter.certificateSha256).toBe(''), within);
});

test('stopped in the middle, it goes on; and says what is wrong meanwhile', async () => {
  const { from, volume: there, server } = await served(500);
  const { volume, desired, told, bring } = target();
  const first = bring();
  desired.emit(wants({ ...from, token: 'old' }));
  await vi.waitFor(() => expect(told.at(-1)?.message).toContain('PERMISSION_DENIED'), within);
  desired.emit(wants(await halfway(from, server)));
  await vi.waitFor(
    () => expect(existsSync(join(volume.jvs, 'agent/import/journal.json'))).toBe(true),
    within,
  );
  await first.stop();
  const { token: _, ...nowhere } = from;
  const second = bring();
  desired.emit(wants({ ...nowhere, token: 'secret', address: '127.0.0.1:1' }));
  await vi.waitFor(() => expect(told.at(-1)?.message).toContain('can not be reached'), within);
  desired.emit(wants({ ...from, address: `localhost:${server.port}` }));
  await second.done;
  expect(manifest(volume.main)).toEqual(manifest(there.main));
  expect(existsSync(join(volume.jvs, 'agent/import'))).toBe(false);
});

test('a kept volume keeps what is on it', async () => {
  const { volume, repository, desired, bring } = target();
  await repository.open();
  writeFileSync(join(volume.main, 'mine'), 'kept');
  desired.emit(wants(null));
  await bring().done;
  expect(readFileSync(join(volume.main, 'mine'), 'utf8')).toBe('kept');
});

test('a standby begins when the primary is done', async () => {
  const { volume, desired, told, bring } = target();
  const { done } = bring();
  await vi.waitFor(() => expect(told).not.toEqual([]), within);
  desired.emit(wants(null, 'ROLE_STANDBY'));
  writeFileSync(join(volume.jvs, 'agent/initial.json'), JSON.stringify({ phase: 'done', snapshotId: 's' }));
  await done;
});

test('what an earlier Workspace of the volume waited for is given up', async () => {
  const { from, server } = await served(500);
  const { volume, repository, desired, bring } = target();
  const first = bring();
  await vi.waitFor(() => expect(existsSync(join(volume.jvs, 'agent'))).toBe(true), within);
  desired.emit(wants(await halfway(from, server)));
  await vi.waitFor(
    () => expect(existsSync(join(volume.jvs, 'agent/import/journal.json'))).toBe(true),
    within,
  );
  await first.stop();
  await bring('').done;
  await repository.snapshot({ worktree: 'main', origin: 'manual' });
  expect(readdirSync(join(volume.jvs, 'agent')).sort()).not.toContain('import');
  expect(existsSync(join(volume.jvs, 'agent/initial.json'))).toBe(false);
});
