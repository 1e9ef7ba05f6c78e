import { chmodSync, lstatSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type AgentExtension,
  type Compression,
  type Descriptor,
  type EngineName,
  RepositoryError,
  type Worktree,
} from '../repository.ts';
import { CloneIndexer } from './clone.ts';
import { compressTree } from './compress-tree.ts';
import { type Control, Meter } from './control.ts';
import { readyMarker, sealed } from './format/descriptor.ts';
import { newSnapshotId } from './format/names.ts';
import { READY } from './format/payload.ts';
import { rfc3339 } from './format/time.ts';
import {
  Directory,
  type GivenMetadata,
  makeTop,
  metadataOf,
  openPath,
  setGivenMetadata,
} from './fs/directory.ts';
import { hasCode } from './fs/errors.ts';
import { ensureDirectory } from './fs/files.ts';
import { juicefsClone } from './fs/juicefs.ts';
import { EarlySync, syncFilesystem } from './fs/volume.ts';
import { IndexCursor, IndexReader, IndexWriter, payloadHashOfIndex } from './index-file.ts';
import { writeIntent } from './intent.ts';
import type { Layout } from './layout.ts';
import type { Lease } from './lease.ts';
import type { Selection } from './partial.ts';
import { discard, publish } from './publish.ts';
import { tryDescriptor } from './reader.ts';
import { TreeCopier, type TreeResult } from './tree.ts';

export interface SnapshotInput {
  layout: Layout;
  config: Worktree;
  note: string;
  tags: string[];
  engine: EngineName;
  effectiveEngine: EngineName;
  origin: AgentExtension['origin'];
  /** Nothing writes to the worktree meanwhile, the caller says. */
  quiesced: boolean;
  compression: Compression | undefined;
  /** Returned instead of a snapshot that would have the same payload. */
  unlessLike: Descriptor | undefined;
  /** Only these paths, and where they are. */
  partial: { selection: Selection; normalized: string[] } | undefined;
  /** Ticks of the volume's clock are shorter, ms. */
  clockTickMs: number;
  /** Bytes of the parent's payload, as a first estimate of the work. */
  expectedBytes: number;
  lease: Lease;
  control: Control;
}

/**
 * Copies the worktree and publishes the copy; on disk when it returns. A failure leaves nothing behind.
 * @throws RepositoryError and system errors
 */
export async function takeSnapshot(input: SnapshotInput): Promise<Descriptor> {
  const { layout, lease, control, config } = input;
  const id = newSnapshotId(Date.now());
  const index = join(layout.indexes, `.jvs-tmp-${config.name}-${id.slice(-8)}`);
  // A page that is dirty already takes further stores through mmap without a new ctime: clean pages do not.
  await syncFilesystem(layout.volume);
  const intent = {
    snapshot_id: id,
    worktree_name: config.name,
    started_at: rfc3339(Date.now()),
    engine: input.engine,
  };
  try {
    writeIntent(layout, intent);
    control.step('intended');
    const copied = await copyPayload(input, id, index);
    control.step('copied');
    if (input.unlessLike?.payload_root_hash === copied.hash) {
      rmSync(index);
      discard(layout, id);
      return input.unlessLike;
    }
    const descriptor = describe(input, id, copied);
    const temporary = layout.snapshot(`${id}.tmp`);
    const marker = readyMarker(descriptor, descriptor.agent?.completed_at ?? descriptor.created_at);
    writeFileSync(join(temporary, READY), marker, { mode: 0o644, flag: 'wx' });
    chmodSync(join(temporary, READY), 0o644);
    writeIntent(layout, intent, descriptor);
    setTop(temporary, copied.top);
    control.step('described');
    await syncFilesystem(layout.volume);
    control.step('synced');
    lease.confirm();
    publish(layout, descriptor, input);
    // The index of a part would make the rest be copied again.
    if (input.partial) rmSync(index);
    else renameSync(index, layout.index(config.name));
    control.step('published');
    await syncFilesystem(layout.volume);
    return descriptor;
  } catch (error) {
    rmSync(index, { force: true });
    if (lease.held) discard(layout, id);
    throw error;
  }
}

interface Copied extends TreeResult {
  hash: string;
  /** What the worktree's root has beside its entries. */
  top: GivenMetadata;
  /** Of a compressed one. */
  restoredBytes?: number;
}

async function copyPayload(input: SnapshotInput, id: string, index: string): Promise<Copied> {
  const { layout, config, effectiveEngine, control, lease } = input;
  ensureDirectory(layout.indexes);
  using volume = Directory.open(layout.volume);
  using source = openPayload(volume, layout, config.name);
  // The intent is the newest file on the volume: its time is the volume's own now.
  const racyFromMs = lstatSync(layout.intent(id)).ctimeMs - input.clockTickMs;
  const temporary = layout.snapshot(`${id}.tmp`);
  const cloning = effectiveEngine === 'juicefs-clone';
  if (cloning) await juicefsClone(join(layout.volume, ...layout.payload(config.name)), temporary);
  using target = cloning ? Directory.open(temporary) : makeTop(temporary);
  const meter = new Meter(control, input.expectedBytes, () => lease.renew());
  using writer = new IndexWriter(index);
  const writing = new EarlySync(layout.volume);
  const reflink = effectiveEngine === 'reflink-copy';
  using known = IndexReader.open(layout.index(config.name));
  const shared = known && openShared(layout, known.header.snapshotId, config.head_snapshot_id);
  using previous = shared?.files;
  const copier = new (cloning ? CloneIndexer : TreeCopier)({
    index: writer,
    reflink,
    meter,
    written: (bytes) => writing.wrote(bytes),
    hardLinks: true,
    previousHasLinks: shared?.hasLinks ?? false,
    ...(input.partial ? { selection: input.partial.selection } : {}),
  });
  copier.copy(source, target, previous, known && new IndexCursor(known));
  writer.finish({ version: 1, snapshotId: id, racyFromMs });
  const hash = payloadHashOfIndex(index);
  await writing.done();
  if (!hash) throw new RepositoryError('Internal', 'the index just written can not be read back; try again');
  const top = metadataOf(source.fd);
  if (!input.compression) return { ...copier.result, hash, top };
  // The hash is of what was read; what is stored is another form of it.
  const packed = compressTree(target, input.compression, new Meter(control, 0, () => lease.renew()));
  return { ...copier.result, hash, top, uniqueBytes: packed.written, restoredBytes: packed.restored };
}

/** Last: what is read-only then takes no marker. */
function setTop(temporary: string, metadata: GivenMetadata): void {
  using top = Directory.open(temporary);
  setGivenMetadata(top.fd, metadata);
}

/** @throws RepositoryError NotFound */
export function openPayload(volume: Directory, layout: Layout, worktree: string): Directory {
  const path = layout.payload(worktree);
  try {
    return openPath(volume, path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw error;
    throw new RepositoryError(
      'NotFound',
      `${path.join('/')} is no directory on the volume: create it, or restore a snapshot into it`,
      { cause: error },
    );
  }
}

/**
 * The snapshot to share files with: what the index describes, or, where that is deleted, compressed or a part, the
 * nearest ancestor that is not. Of its files those are shared that are the very ones in the index.
 */
function openShared(
  layout: Layout,
  indexed: string,
  head: string | undefined,
): { files: Directory; hasLinks: boolean } | undefined {
  const seen = new Set<string>();
  let next: string | undefined = indexed;
  while (next && !seen.has(next)) {
    seen.add(next);
    const descriptor = tryDescriptor(layout, next);
    const files = descriptor && openSnapshot(layout, next);
    if (files && !descriptor.compression && !descriptor.partial_paths?.length) {
      return { files, hasLinks: (descriptor.agent?.hard_links ?? 0) > 0 };
    }
    files?.[Symbol.dispose]();
    next = descriptor ? descriptor.parent_id : head;
  }
  return undefined;
}

function openSnapshot(layout: Layout, id: string): Directory | undefined {
  try {
    return Directory.open(layout.snapshot(id));
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
    throw error;
  }
}

function describe(input: SnapshotInput, id: string, copied: Copied): Descriptor {
  const { config, effectiveEngine } = input;
  const { fifo, socket, device } = copied.skipped;
  const now = rfc3339(Date.now());
  return sealed({
    snapshot_id: id,
    ...(config.head_snapshot_id ? { parent_id: config.head_snapshot_id } : {}),
    worktree_name: config.name,
    created_at: now,
    ...(input.note ? { note: input.note } : {}),
    ...(input.tags.length > 0 ? { tags: input.tags } : {}),
    engine: input.engine,
    payload_root_hash: copied.hash,
    ...(input.partial ? { partial_paths: input.partial.normalized } : {}),
    ...(input.compression ? { compression: input.compression } : {}),
    agent: {
      completed_at: now,
      effective_engine: copied.fallback ? 'copy' : effectiveEngine,
      origin: input.origin,
      consistency:
        copied.changed > 0 ? 'changed-during-copy' : input.quiesced ? 'quiesced' : 'crash-consistent',
      size: copied.size,
      unique_bytes: copied.uniqueBytes,
      entries: copied.entries,
      hard_links: copied.hardLinks,
      ...(copied.restoredBytes === undefined ? {} : { restored_bytes: copied.restoredBytes }),
      ...(fifo + socket + device > 0 ? { skipped: { fifo, socket, device } } : {}),
    },
  });
}
