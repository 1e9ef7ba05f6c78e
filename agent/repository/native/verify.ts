import { createHash } from 'node:crypto';
import { type Descriptor, RepositoryError, type Verification } from '../repository.ts';
import type { Meter } from './control.ts';
import { readContent } from './copy.ts';
import { descriptorChecksum } from './format/descriptor.ts';
import { ENTRY_TYPES, type EntryType, isHashed, PayloadHash, walkKey } from './format/payload.ts';
import { Directory, OpenFile } from './fs/directory.ts';
import type { Layout } from './layout.ts';

/** Hashes a snapshot's descriptor and files again. */
export function verifySnapshot(layout: Layout, descriptor: Descriptor, meter: Meter): Verification {
  const id = descriptor.snapshot_id;
  const descriptorValid = descriptorChecksum(descriptor) === descriptor.descriptor_checksum;
  const problem = payloadProblem(layout, descriptor, meter);
  const error = descriptorValid ? problem : 'the descriptor does not match its checksum';
  return { snapshotId: id, descriptorValid, payloadValid: !problem, ...(error ? { error } : {}) };
}

function payloadProblem(layout: Layout, descriptor: Descriptor, meter: Meter): string | undefined {
  try {
    const found = hashPayload(layout.snapshot(descriptor.snapshot_id), meter);
    if (found === descriptor.payload_root_hash) return undefined;
    return `the files hash to ${found}, the descriptor says ${descriptor.payload_root_hash}`;
  } catch (error) {
    if (error instanceof RepositoryError && error.reason === 'DamagedRepository') return error.message;
    throw error;
  }
}

/** The payload root hash of a tree that does not change, in three walks, so that memory stays bounded. */
export function hashPayload(root: string, meter: Meter): string {
  using directory = Directory.open(root);
  const hash = new PayloadHash();
  for (const type of ENTRY_TYPES) addLines(directory, '', type, hash, meter);
  return hash.digest();
}

function addLines(
  directory: Directory,
  prefix: string,
  type: EntryType,
  hash: PayloadHash,
  meter: Meter,
): void {
  const entries = directory.names().map((name) => {
    const entry = directory.lstat(name);
    if (!entry) throw damaged(prefix + name, 'vanished');
    return { name, entry, key: walkKey(name, entry.kind === 'dir') };
  });
  entries.sort((a, b) => (a.key < b.key ? -1 : 1));
  for (const { name, entry } of entries) {
    const path = prefix + name;
    const hashed = isHashed(name);
    switch (entry.kind) {
      case 'dir': {
        if (type === 'dir' && hashed) hash.add('dir', path, entry.mode, sha256(name));
        using below = directory.openDirectory(name);
        addLines(below, `${path}/`, type, hash, meter);
        break;
      }
      case 'symlink':
        if (type === 'symlink' && hashed) {
          hash.add('symlink', path, entry.mode, sha256(directory.readlink(name)));
        }
        break;
      case 'file':
        if (type === 'file' && hashed) {
          hash.add('file', path, entry.mode, fileHash(directory, name, meter), entry.size);
        }
        break;
      default:
        throw damaged(path, `is a ${entry.kind}, which no snapshot holds`);
    }
    meter.add(0, type === 'file' ? 1 : 0);
  }
}

function fileHash(directory: Directory, name: string, meter: Meter): string {
  using file = new OpenFile(directory, name);
  const { hash } = readContent(file.fd, file.stat().size, (bytes) => meter.add(bytes, 0));
  return hash.toString('hex');
}

function sha256(bytes: string | Buffer): string {
  const hash = createHash('sha256');
  return (typeof bytes === 'string' ? hash.update(bytes, 'latin1') : hash.update(bytes)).digest('hex');
}

function damaged(path: string, what: string): RepositoryError {
  return new RepositoryError('DamagedRepository', `${Buffer.from(path, 'latin1')} ${what}`);
}
