// What is sent of a snapshot, as the contract has it (jvs.transfer.v1), and back.
import type { Entry, EntryInput } from '../../shared/proto/gen/jvs/transfer/v1/Entry.ts';
import type { Item, ItemInput } from '../../shared/proto/gen/jvs/transfer/v1/Item.ts';
import type { GivenMetadata } from '../repository/native/fs/directory.ts';
import type { TransferEntry, TransferItem } from '../repository/native/transfer.ts';
import { RepositoryError } from '../repository/repository.ts';

export function toWire(item: TransferItem): ItemInput {
  return 'data' in item ? { data: item.data } : { entry: entryToWire(item.entry) };
}

/** About what it takes on the wire, bytes. */
export function wireSize({ entry, data }: ItemInput): number {
  const attributes = entry?.attributes ?? [];
  const parts = [data?.bytes, entry?.path, entry?.target, ...attributes.map(({ value }) => value)];
  return parts.reduce((sum, part) => sum + (part?.length ?? 0), 256);
}

function entryToWire(entry: TransferEntry): EntryInput {
  const path = bytesOf(entry.path);
  switch (entry.kind) {
    case 'dir':
      return { kind: 'KIND_DIRECTORY', path };
    case 'link':
      return { kind: 'KIND_HARD_LINK', path, target: bytesOf(entry.first) };
    case 'symlink': {
      const { target, uid, gid, mtimeNs } = entry;
      return { kind: 'KIND_SYMLINK', path, target, uid, gid, mtimeNs: String(mtimeNs) };
    }
    case 'leave':
      return { kind: 'KIND_LEAVE', path, ...metadataToWire(entry) };
    case 'file':
      return { kind: 'KIND_FILE', path, size: entry.size, sparse: entry.sparse, ...metadataToWire(entry) };
  }
}

function metadataToWire({ uid, gid, mode, mtimeNs, attributes }: GivenMetadata): EntryInput {
  const told = [...attributes].map(([name, value]) => ({ name, value }));
  return { uid, gid, mode, mtimeNs: String(mtimeNs), attributes: told };
}

/** @throws RepositoryError InvalidArgument for what this agent does not know */
export function fromWire({ entry, data }: Item): TransferItem {
  if (data) return { data };
  if (entry) return { entry: entryFromWire(entry) };
  throw unknown();
}

function entryFromWire(entry: Entry): TransferEntry {
  const path = textOf(entry.path);
  const { uid, gid, target } = entry;
  switch (entry.kind) {
    case 'KIND_DIRECTORY':
      return { kind: 'dir', path };
    case 'KIND_HARD_LINK':
      return { kind: 'link', path, first: textOf(target) };
    case 'KIND_SYMLINK':
      return { kind: 'symlink', path, target, uid, gid, mtimeNs: timeOf(entry) };
    case 'KIND_LEAVE':
      return { kind: 'leave', path, ...metadataFromWire(entry) };
    case 'KIND_FILE':
      return { kind: 'file', path, size: entry.size, sparse: entry.sparse, ...metadataFromWire(entry) };
    default:
      throw unknown();
  }
}

function metadataFromWire(entry: Entry): GivenMetadata {
  const { uid, gid, mode } = entry;
  const attributes = new Map(entry.attributes.map(({ name, value }) => [name, value]));
  return { uid, gid, mode: mode & 0o7777, mtimeNs: timeOf(entry), attributes };
}

function timeOf({ mtimeNs }: Entry): bigint {
  if (!/^-?\d{1,19}$/.test(mtimeNs)) throw unknown();
  return BigInt(mtimeNs);
}

const bytesOf = (latin1: string): Buffer => Buffer.from(latin1, 'latin1');
const textOf = (bytes: Buffer): string => bytes.toString('latin1');

const unknown = () =>
  new RepositoryError(
    'InvalidArgument',
    'the other agent sends what this one does not know: upgrade this one',
  );
