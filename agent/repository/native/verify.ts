import { existsSync, readFileSync } from 'node:fs';
import { type Descriptor, RepositoryError, type Verification } from '../repository.ts';
import { codecOf, decompressContent } from './compression.ts';
import type { Meter } from './control.ts';
import { type Content, readContent } from './copy.ts';
import { descriptorChecksum } from './format/descriptor.ts';
import { isDescriptorValid04 } from './format/descriptor04.ts';
import {
  ENTRY_TYPES,
  type EntryType,
  isHashed as isHashedBy8,
  PayloadHash,
  READY,
  sha256,
  walkKey,
} from './format/payload.ts';
import { Directory, OpenFile } from './fs/directory.ts';
import { hasCode } from './fs/errors.ts';
import type { Layout } from './layout.ts';
import { isPublished } from './publish.ts';
import { noSnapshot } from './reader.ts';

/** Whether entries of this name are hashed, below the root, where the marker never is. */
type NameFilter = (name: string) => boolean;

export function hashedNames(layout: Layout): NameFilter {
  return layout.generation === '0.4' ? () => true : isHashedBy8;
}

/** Hashes a snapshot's descriptor and files again. @throws RepositoryError NotFound where it was deleted meanwhile */
export function verifySnapshot(layout: Layout, descriptor: Descriptor, meter: Meter): Verification {
  const id = descriptor.snapshot_id;
  const descriptorValid = isDescriptorValid(layout, descriptor);
  const problem = payloadProblem(layout, descriptor, meter);
  // When it is deleted, the descriptor goes before the first file.
  const isThere = existsSync(layout.descriptor(id)) && isPublished(layout, id);
  if (problem && !isThere) throw noSnapshot(id);
  const error = descriptorValid ? problem : 'the descriptor does not match its checksum';
  return { snapshotId: id, descriptorValid, payloadValid: !problem, ...(error ? { error } : {}) };
}

/** Whether nobody changed it after it was written. */
export function isDescriptorValid(layout: Layout, descriptor: Descriptor): boolean {
  if (layout.generation === '0.4') {
    return isDescriptorValid04(readFileSync(layout.descriptor(descriptor.snapshot_id), 'utf8'));
  }
  return descriptorChecksum(descriptor) === descriptor.descriptor_checksum;
}

function payloadProblem(layout: Layout, descriptor: Descriptor, meter: Meter): string | undefined {
  try {
    const root = layout.snapshot(descriptor.snapshot_id);
    const found = hashPayload(root, meter, descriptor.compression?.type, hashedNames(layout));
    if (found === descriptor.payload_root_hash) return undefined;
    return `the files hash to ${found}, the descriptor says ${descriptor.payload_root_hash}`;
  } catch (error) {
    if (error instanceof RepositoryError && error.reason === 'DamagedRepository') return error.message;
    // What the storage can not give back is lost to who needs it, whatever it once was.
    if (hasCode(error, 'EIO', 'EUCLEAN', 'EBADMSG', 'ENOENT')) return `its files can not be read: ${error}`;
    throw error;
  }
}

/** The payload root hash of a tree that does not change, in three walks, so that memory stays bounded. */
export function hashPayload(
  root: string,
  meter: Meter,
  compression?: string,
  isHashed: NameFilter = isHashedBy8,
): string {
  using directory = Directory.open(root);
  const hash = new PayloadHash();
  for (const type of ENTRY_TYPES) addLines(directory, '', type, hash, meter, compression, isHashed);
  return hash.digest();
}

function addLines(
  directory: Directory,
  prefix: string,
  type: EntryType,
  hash: PayloadHash,
  meter: Meter,
  compression: string | undefined,
  isHashed: NameFilter,
): void {
  const entries = directory.names().flatMap((stored) => {
    const entry = directory.lstat(stored);
    if (!entry) throw damaged(prefix + stored, 'vanished');
    // The marker is not compressed.
    if (prefix === '' && stored === READY) return [];
    const name = compression && entry.kind === 'file' ? withoutSuffix(stored, compression) : stored;
    return [{ name, stored, entry, key: walkKey(name, entry.kind === 'dir') }];
  });
  entries.sort((a, b) => (a.key < b.key ? -1 : 1));
  for (const { name, stored, entry } of entries) {
    const path = prefix + name;
    const hashed = isHashed(name);
    switch (entry.kind) {
      case 'dir': {
        if (type === 'dir' && hashed) hash.add('dir', path, entry.mode, sha256(name).toString('hex'));
        using below = directory.openDirectory(name);
        addLines(below, `${path}/`, type, hash, meter, compression, isHashed);
        break;
      }
      case 'symlink':
        if (type === 'symlink' && hashed) {
          hash.add('symlink', path, entry.mode, sha256(directory.readlink(name)).toString('hex'));
        }
        break;
      case 'file':
        if (type === 'file' && hashed) {
          const found = contentOf(directory, stored, meter, compression);
          hash.add('file', path, entry.mode, found.hash.toString('hex'), found.size);
        }
        break;
      default:
        throw damaged(path, `is a ${entry.kind}, which no snapshot holds`);
    }
    meter.add(0, type === 'file' ? 1 : 0);
  }
}

/** Hash and size of a snapshot's file, whose own compression is undone. @throws RepositoryError DamagedRepository */
export function contentOf(directory: Directory, name: string, meter: Meter, compression?: string): Content {
  using file = new OpenFile(directory, name);
  const onBytes = (bytes: number) => meter.add(bytes, 0);
  if (compression) return decompressContent(file.fd, compression, onBytes);
  return readContent(file.fd, file.stat().size, onBytes);
}

/** @throws RepositoryError DamagedRepository for a file that is not compressed */
export function withoutSuffix(stored: string, compression: string): string {
  const { suffix } = codecOf(compression);
  if (stored.endsWith(suffix)) return stored.slice(0, -suffix.length);
  throw damaged(stored, 'is not compressed, in a compressed snapshot');
}

function damaged(path: string, what: string): RepositoryError {
  return new RepositoryError('DamagedRepository', `${Buffer.from(path, 'latin1')} ${what}`);
}
