// Receives a snapshot of another volume: into a place of its own, from where a crash anywhere is taken up again;
// checked against the snapshot's hash there; only then published as the first of main.
import { chmodSync, existsSync, renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { type Descriptor, RepositoryError } from '../repository.ts';
import { type Control, Meter } from './control.ts';
import { parseDescriptor, readyMarker, sealed } from './format/descriptor.ts';
import { READY } from './format/payload.ts';
import { rfc3339 } from './format/time.ts';
import { Directory, makeTop, removeTree, setGivenMetadata } from './fs/directory.ts';
import { hasCode } from './fs/errors.ts';
import { ensureDirectory, readIfThere, writeAtomic } from './fs/files.ts';
import { syncFilesystem } from './fs/volume.ts';
import { TreeReceiver } from './import-tree.ts';
import { writeIntent } from './intent.ts';
import type { Layout } from './layout.ts';
import type { Lease } from './lease.ts';
import { discard, isPublished, publish } from './publish.ts';
import { getSnapshot } from './reader.ts';
import { checkDescriptor, uncompressed } from './room.ts';
import { type Position, start, type TransferItem } from './transfer.ts';
import { hashPayload } from './verify.ts';

/** Before anything else: the other volume's descriptor, JSON, and what its files take, bytes. */
export type Received = TransferItem | { descriptor: string; storedBytes: number };

export interface ImportInput {
  layout: Layout;
  snapshotId: string;
  /** The snapshot as the other volume has it, from there on. */
  fetch: (from: Position) => AsyncIterable<Received>;
  /** Which of its tags it keeps here. */
  keepTag: (tag: string) => boolean;
  /** Restoring it will share its data instead of copying. */
  reflink: boolean;
  lease: Lease;
  control: Control;
}

const journal = z.object({
  snapshot_id: z.string(),
  payload_root_hash: z.string(),
  /** Whose all is that was received: only root gives it to others, and only as it comes. */
  user: z.number(),
  entry: z.number(),
  offset: z.number(),
  bytes: z.number(),
});
type Journal = z.infer<typeof journal>;

const user = process.geteuid?.() ?? 0;

/** How much is received again after a crash, in time. */
const SAVE_MS = 1_000;

/**
 * On disk and published when it returns. What was received stays when it fails, for the next attempt, unless that is
 * what is wrong. @throws RepositoryError DamagedRepository, VolumeFull, InvalidArgument, and what `fetch` throws
 */
export async function importSnapshot(input: ImportInput): Promise<Descriptor> {
  const { layout, snapshotId } = input;
  if (isPublished(layout, snapshotId)) {
    discardImport(layout);
    return await getSnapshot(layout, snapshotId);
  }
  const begun = readJournal(layout);
  if (begun?.snapshot_id === snapshotId && begun.user === user) {
    try {
      return await receive(input, begun);
    } catch (error) {
      if (!isOfRemains(error)) throw error;
    }
  }
  // What is there is not what it should be: of another snapshot or user, or damaged by a power cut.
  discardImport(layout);
  try {
    return await receive(input, undefined);
  } catch (error) {
    if (isOfRemains(error)) discardImport(layout);
    throw error;
  }
}

/** Whether a place for what is received is there that nobody will take up again. */
export const hasAbandonedImport = (layout: Layout): boolean =>
  existsSync(layout.imports) && !existsSync(journalOf(layout));

/** Nobody will take up what was received until now; the next writer removes it. */
export function abandonImport(layout: Layout): void {
  rmSync(journalOf(layout), { force: true });
}

export function discardImport(layout: Layout): void {
  abandonImport(layout);
  using agent = Directory.open(layout.agent);
  removeTree(agent, 'import');
}

const journalOf = (layout: Layout) => join(layout.imports, 'journal.json');
const treeOf = (layout: Layout) => join(layout.imports, 'tree');

function readJournal(layout: Layout): Journal | undefined {
  const text = readIfThere(journalOf(layout));
  if (text === undefined) return undefined;
  try {
    return journal.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

const isOfRemains = (error: unknown): boolean =>
  (error instanceof RepositoryError && error.reason === 'DamagedRepository') ||
  hasCode(error, 'EACCES', 'EEXIST', 'ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP', 'EPERM');

async function receive(input: ImportInput, begun: Journal | undefined): Promise<Descriptor> {
  const { layout, snapshotId, control, lease } = input;
  ensureDirectory(layout.imports);
  const tree = treeOf(layout);
  if (begun) chmodSync(tree, 0o700);
  const from = begun ? { entry: begun.entry, offset: begun.offset } : start;
  let descriptor: Descriptor | undefined;
  let meter = new Meter(control, 0, () => lease.renew());
  let bytes = begun?.bytes ?? 0;
  {
    using root = begun ? Directory.open(tree) : makeTop(tree);
    using receiver = new TreeReceiver(root, from);
    const save = () => {
      if (!descriptor) return;
      const { payload_root_hash } = descriptor;
      const entry: Journal = {
        snapshot_id: snapshotId,
        payload_root_hash,
        user,
        ...receiver.position,
        bytes,
      };
      writeAtomic(journalOf(layout), JSON.stringify(entry), { durable: false });
    };
    let savedAt = performance.now();
    try {
      for await (const item of input.fetch(from)) {
        if ('descriptor' in item) {
          if (descriptor) continue;
          descriptor = checkSource(item.descriptor, snapshotId, begun);
          checkRoom(input, descriptor, item.storedBytes, bytes);
          meter = new Meter(control, item.storedBytes, () => lease.renew());
          meter.add(bytes, 0);
          save();
          control.step('import-begun');
          continue;
        }
        receiver.accept(item);
        const received = 'data' in item ? item.data.bytes.length : 0;
        bytes += received;
        meter.add(received, 'entry' in item ? 1 : 0);
        if (performance.now() - savedAt < SAVE_MS) continue;
        savedAt = performance.now();
        save();
      }
      receiver.finish();
    } catch (error) {
      // A full volume takes no journal either: the one before is good enough.
      whereThereIsRoom(save);
      throw error;
    }
    if (!descriptor || !receiver.rootMetadata) throw new RepositoryError('Internal', 'nothing was sent');
    checkHash(tree, descriptor, new Meter({ ...control, progress: () => {} }, 0, () => lease.renew()));
    control.step('import-verified');
    return await publishImport(input, descriptor, (fd) => {
      if (receiver.rootMetadata) setGivenMetadata(fd, receiver.rootMetadata);
    });
  }
}

function checkSource(text: string, id: string, begun: Journal | undefined): Descriptor {
  const descriptor = parseDescriptor(text, id);
  checkDescriptor(descriptor);
  if (begun && begun.payload_root_hash !== descriptor.payload_root_hash) {
    throw new RepositoryError('DamagedRepository', `snapshot ${id} is another than it was`);
  }
  if (descriptor.partial_paths?.length) {
    throw new RepositoryError(
      'InvalidArgument',
      `snapshot ${id} holds ${descriptor.partial_paths.join(', ')} only: name one of the whole worktree`,
    );
  }
  return descriptor;
}

/** For the snapshot and for the worktree that is restored from it. @throws RepositoryError VolumeFull */
function checkRoom(
  { layout, reflink }: ImportInput,
  descriptor: Descriptor,
  storedBytes: number,
  received: number,
): void {
  const { snapshot_id, compression } = descriptor;
  const { bavail, bfree, bsize } = statfsSync(layout.volume);
  const available = (process.geteuid?.() === 0 ? bfree : bavail) * bsize;
  const worktree = compression ? uncompressed(descriptor) : reflink ? 0 : storedBytes;
  const needed = storedBytes - received + worktree;
  if (needed <= available) return;
  throw new RepositoryError(
    'VolumeFull',
    `${needed} bytes are needed for snapshot ${snapshot_id} and the worktree made of it, and ${available} bytes are ` +
      'available on the volume: raise spec.storage',
  );
}

function whereThereIsRoom(save: () => void): void {
  try {
    save();
  } catch (error) {
    if (!hasCode(error, 'ENOSPC', 'EDQUOT')) throw error;
  }
}

function checkHash(tree: string, descriptor: Descriptor, meter: Meter): void {
  const found = hashPayload(tree, meter, descriptor.compression?.type);
  if (found === descriptor.payload_root_hash) return;
  throw new RepositoryError(
    'DamagedRepository',
    `the files of snapshot ${descriptor.snapshot_id} as they came do not match its hash: it is damaged where it ` +
      'comes from; name another one',
  );
}

async function publishImport(
  input: ImportInput,
  source: Descriptor,
  finishRoot: (fd: number) => void,
): Promise<Descriptor> {
  const { layout, lease, control } = input;
  const descriptor = ofThisVolume(source, input.keepTag);
  const id = descriptor.snapshot_id;
  const completedAt = descriptor.agent?.completed_at ?? descriptor.created_at;
  const intent = {
    snapshot_id: id,
    worktree_name: 'main',
    started_at: rfc3339(Date.now()),
    engine: descriptor.engine,
  };
  const temporary = layout.snapshot(`${id}.tmp`);
  try {
    writeIntent(layout, intent);
    renameSync(treeOf(layout), temporary);
    control.step('import-moved');
    const marker = join(temporary, READY);
    writeFileSync(marker, readyMarker(descriptor, completedAt), { mode: 0o644, flag: 'wx' });
    chmodSync(marker, 0o644);
    {
      using root = Directory.open(temporary);
      finishRoot(root.fd);
    }
    writeIntent(layout, intent, descriptor);
    await syncFilesystem(layout.volume);
    lease.confirm();
    publish(layout, descriptor, input);
    control.step('import-published');
  } catch (error) {
    if (lease.held) discard(layout, id);
    throw error;
  }
  await syncFilesystem(layout.volume);
  discardImport(layout);
  return descriptor;
}

/** Same id, same files; its history and its requests are of the other volume. */
function ofThisVolume(source: Descriptor, keepTag: (tag: string) => boolean): Descriptor {
  const { agent, note, compression, engine, created_at, payload_root_hash, snapshot_id } = source;
  const tags = (source.tags ?? []).filter(keepTag);
  return sealed({
    snapshot_id,
    worktree_name: 'main',
    created_at,
    ...(note ? { note } : {}),
    ...(tags.length > 0 ? { tags } : {}),
    engine,
    payload_root_hash,
    ...(compression ? { compression } : {}),
    ...(agent && {
      agent: {
        ...agent,
        completed_at: rfc3339(Date.now()),
        effective_engine: 'copy',
        origin: 'discovered',
        unique_bytes: agent.size,
      },
    }),
  });
}
