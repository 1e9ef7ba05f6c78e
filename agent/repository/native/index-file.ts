// The index of a worktree: what its last snapshot saw of every entry, in walk order, as a stream of records, so
// that neither writing it nor merging it with the next walk holds more than a block in memory. It is a cache:
// every block carries a checksum, and reading ends quietly at the first that does not match.
import { closeSync, constants, openSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import * as z from 'zod/mini';
import {
  ENTRY_TYPES,
  type EntryType,
  isHashed as isHashedBy8,
  PayloadHash,
  walkKey,
} from './format/payload.ts';
import { readFully, writeFully } from './fs/io.ts';

export interface IndexHeader {
  version: 1;
  /** The snapshot whose published files the records describe. */
  snapshotId: string;
  /**
   * Files changed from here on (Unix ms of the volume's clock) could have changed again within one tick of that
   * clock: their records are not to be trusted.
   */
  racyFromMs: number;
}

export interface FileRecord {
  kind: 'file';
  name: string;
  mode: number;
  uid: number;
  gid: number;
  ino: number;
  size: number;
  mtimeMs: number;
  ctimeMs: number;
  /** The published copy, to recognise it. */
  copyIno: number;
  copyMtimeMs: number;
  /** SHA-256 of the content, 32 bytes. */
  hash: Buffer;
}

export type IndexRecord =
  | FileRecord
  | { kind: 'symlink'; name: string; mode: number; hash: Buffer }
  | { kind: 'dir'; name: string; mode: number; hash: Buffer }
  | { kind: 'leave' }
  | { kind: 'end' };

const KINDS = ['end', 'dir', 'file', 'symlink', 'leave'] as const;
const HASH = 32;
/** Of a record, what follows the name. */
const ENTRY = 4 + HASH;
const FILE = ENTRY + 8 + 6 * 8;
const BLOCK = 64 * 1024;
/** Length and CRC-32 of the block, before it. */
const PREFIX = 8;
/** The first block, with its prefix; its content is padded, as it is written last. */
const HEADER = 256;

const header = z.object({ version: z.literal(1), snapshotId: z.string(), racyFromMs: z.number() });

export class IndexWriter implements Disposable {
  readonly #fd: number;
  readonly #block = Buffer.allocUnsafe(BLOCK);
  #used = PREFIX;
  #position = HEADER;

  constructor(path: string) {
    this.#fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, 0o600);
  }

  add(record: IndexRecord): void {
    const name = 'name' in record ? record.name : '';
    // 2 + name + 4 + hash + 9 numbers
    if (this.#used + name.length + 128 > BLOCK) this.#flush();
    const b = this.#block;
    let at = b.writeUInt8(KINDS.indexOf(record.kind), this.#used);
    if (record.kind !== 'leave' && record.kind !== 'end') {
      at = b.writeUInt16LE(name.length, at);
      at += b.write(name, at, 'latin1');
      at = b.writeUInt32LE(record.mode, at);
      b.set(record.hash, at);
      at += HASH;
      if (record.kind === 'file') {
        at = b.writeUInt32LE(record.uid, at);
        at = b.writeUInt32LE(record.gid, at);
        for (const field of NUMBERS) at = b.writeDoubleLE(record[field], at);
      }
    }
    this.#used = at;
  }

  /** To be called once, after the last record: only now the file is an index. */
  finish(head: IndexHeader): void {
    this.add({ kind: 'end' });
    this.#flush();
    this.#position = 0;
    this.#used += this.#block.write(JSON.stringify(head).padEnd(HEADER - PREFIX), this.#used);
    this.#flush();
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  #flush(): void {
    const content = this.#block.subarray(PREFIX, this.#used);
    this.#block.writeUInt32LE(content.length, 0);
    this.#block.writeUInt32LE(crc32(content), 4);
    writeFully(this.#fd, this.#block.subarray(0, this.#used), this.#position);
    this.#position += this.#used;
    this.#used = PREFIX;
  }
}

const NUMBERS = ['ino', 'size', 'mtimeMs', 'ctimeMs', 'copyIno', 'copyMtimeMs'] as const;

export class IndexReader implements Disposable {
  readonly header: IndexHeader;
  readonly #fd: number;
  #block: Buffer = Buffer.alloc(0);
  #at = 0;
  #peeked: IndexRecord | undefined;

  private constructor(fd: number, head: IndexHeader) {
    this.#fd = fd;
    this.header = head;
  }

  /** Undefined where there is no index that can be used. */
  static open(path: string): IndexReader | undefined {
    let fd: number;
    try {
      fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    } catch {
      return undefined;
    }
    try {
      const block = readBlock(fd);
      if (block) return new IndexReader(fd, header.parse(JSON.parse(block.toString())));
    } catch {
      // not ours, or damaged: as if it were not there
    }
    closeSync(fd);
    return undefined;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  /** The record that `next` will return; undefined at the end and where the rest is damaged. */
  peek(): IndexRecord | undefined {
    if (!this.#peeked && this.#fill()) this.#peeked = this.#decode();
    return this.#peeked;
  }

  next(): IndexRecord | undefined {
    const record = this.peek();
    this.#peeked = undefined;
    return record;
  }

  /** As `next`, of files and links only those that are `wanted`; after `peek` it would miss one. */
  nextOf(wanted: EntryType): IndexRecord | undefined {
    while (this.#fill()) {
      const kind = this.#kind();
      if (kind === wanted || (kind !== 'file' && kind !== 'symlink')) break;
      this.#at += 3 + this.#block.readUInt16LE(this.#at + 1) + (kind === 'file' ? FILE : ENTRY);
    }
    return this.next();
  }

  /** Whether there is a record. */
  #fill(): boolean {
    if (this.#at < this.#block.length) return true;
    this.#block = readBlock(this.#fd) ?? Buffer.alloc(0);
    this.#at = 0;
    return this.#block.length > 0;
  }

  #kind(): IndexRecord['kind'] {
    return KINDS[this.#block.readUInt8(this.#at)] ?? 'end';
  }

  #decode(): IndexRecord {
    const b = this.#block;
    const kind = this.#kind();
    this.#at++;
    if (kind === 'leave' || kind === 'end') return { kind };
    const length = b.readUInt16LE(this.#at);
    const name = b.toString('latin1', this.#at + 2, this.#at + 2 + length);
    this.#at += 2 + length;
    const mode = b.readUInt32LE(this.#at);
    const hash = b.subarray(this.#at + 4, this.#at + 4 + HASH);
    this.#at += 4 + HASH;
    if (kind !== 'file') return { kind, name, mode, hash };
    const [uid, gid] = [b.readUInt32LE(this.#at), b.readUInt32LE(this.#at + 4)];
    const start = this.#at + 8;
    this.#at = start + NUMBERS.length * 8;
    return {
      kind,
      name,
      mode,
      uid,
      gid,
      hash,
      ino: b.readDoubleLE(start),
      size: b.readDoubleLE(start + 8),
      mtimeMs: b.readDoubleLE(start + 16),
      ctimeMs: b.readDoubleLE(start + 24),
      copyIno: b.readDoubleLE(start + 32),
      copyMtimeMs: b.readDoubleLE(start + 40),
    };
  }
}

function readBlock(fd: number): Buffer | undefined {
  const prefix = Buffer.allocUnsafe(PREFIX);
  if (readFully(fd, prefix) < PREFIX) return undefined;
  const length = prefix.readUInt32LE(0);
  if (length > BLOCK) return undefined;
  // A block of its own, as records keep views of their hashes.
  const block = Buffer.allocUnsafeSlow(length);
  if (readFully(fd, block) < length || crc32(block) !== prefix.readUInt32LE(4)) return undefined;
  return block;
}

export interface Known {
  record: FileRecord;
  /** False where the file could have changed after it was read without a trace in its times. */
  trusted: boolean;
}

/** Follows a walk (in `walkKey` order) through the index of an earlier one. */
export class IndexCursor {
  readonly #reader: IndexReader;

  constructor(reader: IndexReader) {
    this.#reader = reader;
  }

  file(name: string): Known | undefined {
    const record = this.#seek(walkKey(name, false));
    if (record?.kind !== 'file') return undefined;
    return { record, trusted: record.ctimeMs < this.#reader.header.racyFromMs };
  }

  /** Whether the directory was there; then `leave` has to follow. */
  enter(name: string): boolean {
    return this.#seek(walkKey(name, true)) !== undefined;
  }

  leave(): void {
    for (let depth = 1; depth > 0; ) {
      const record = this.#reader.next();
      if (!record) return;
      if (record.kind === 'dir') depth++;
      if (record.kind === 'leave') depth--;
    }
  }

  #seek(key: string): IndexRecord | undefined {
    for (;;) {
      const record = this.#reader.peek();
      if (!record || record.kind === 'leave' || record.kind === 'end') return undefined;
      const at = walkKey(record.name, record.kind === 'dir');
      if (at > key) return undefined;
      this.#reader.next();
      if (at === key) return record;
      if (record.kind === 'dir') this.leave();
    }
  }
}

/** The payload root hash of the tree that an index describes; undefined where the index is not whole. */
export function payloadHashOfIndex(path: string, isHashed = isHashedBy8): string | undefined {
  const hash = new PayloadHash();
  for (const type of ENTRY_TYPES) {
    using reader = IndexReader.open(path);
    if (!reader || !addLines(reader, type, hash, isHashed)) return undefined;
  }
  return hash.digest();
}

function addLines(
  reader: IndexReader,
  type: EntryType,
  hash: PayloadHash,
  isHashed: typeof isHashedBy8,
): boolean {
  const prefixes = [''];
  for (let record = reader.nextOf(type); record; record = reader.nextOf(type)) {
    if (record.kind === 'end') return true;
    if (record.kind === 'leave') {
      prefixes.pop();
      continue;
    }
    const path = (prefixes.at(-1) ?? '') + record.name;
    if (record.kind === 'dir') prefixes.push(`${path}/`);
    if (record.kind !== type || !isHashed(record.name)) continue;
    const size = record.kind === 'file' ? record.size : undefined;
    hash.add(type, path, record.mode, record.hash.toString('hex'), size);
  }
  return false;
}
