// Compressed snapshots: every file is stored as `<name>.gz` or `<name>.zst`, a user's own `.gz` files too, so that
// taking the suffix away always gives the name. Large files are cut in pieces that are whole gzip members or zstd
// frames one after another, which every decoder reads; their sizes stand in fields that decoders skip, so that
// no piece's end has to be searched for and memory stays bounded.
import { createHash } from 'node:crypto';
import { fstatSync, ftruncateSync, readSync } from 'node:fs';
import {
  crc32,
  deflateRawSync,
  inflateRawSync,
  constants as zlib,
  zstdCompressSync,
  zstdDecompressSync,
} from 'node:zlib';
import { type Compression, RepositoryError } from '../repository.ts';
import { type Content, sparseBytes, writeSparse } from './copy.ts';
import { readFully, writeFully } from './fs/io.ts';

const PIECE = 4 << 20;
/** A piece that does not get smaller grows by less. */
const LARGEST = PIECE + (1 << 20);

interface Codec {
  suffix: string;
  /** A whole piece, with its header. */
  encode(bytes: Buffer, level: number): Buffer[];
  headerLength: number;
  /** Bytes that follow the header; undefined where it is not one of ours. */
  bodyLength(header: Buffer): number | undefined;
  /** @throws Error where the body is damaged */
  decode(body: Buffer): Buffer;
}

const GZIP: Codec = {
  suffix: '.gz',
  headerLength: 20,
  // Magic, deflate, FEXTRA; no time; unknown system; 8 bytes of extra: JV, 4 bytes: length of deflate data and trailer.
  encode: (bytes, level) => {
    const body = deflateRawSync(bytes, { level });
    const header = Buffer.from([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 8, 0, 0x4a, 0x56, 4, 0, 0, 0, 0, 0]);
    header.writeUInt32LE(body.length + 8, 16);
    const trailer = Buffer.alloc(8);
    trailer.writeUInt32LE(crc32(bytes), 0);
    trailer.writeUInt32LE(bytes.length, 4);
    return [header, body, trailer];
  },
  bodyLength: (header) => (header.readUInt32BE(12) === 0x4a560400 ? header.readUInt32LE(16) : undefined),
  decode: (body) => {
    const bytes = inflateRawSync(body.subarray(0, -8), { maxOutputLength: PIECE });
    if (crc32(bytes) !== body.readUInt32LE(body.length - 8)) throw new Error('checksum of a piece');
    return bytes;
  },
};

const ZSTD_SKIPPABLE = 0x184d2a50;

const ZSTD: Codec = {
  suffix: '.zst',
  headerLength: 12,
  encode: (bytes, level) => {
    const body = zstdCompressSync(bytes, {
      params: { [zlib.ZSTD_c_compressionLevel]: level, [zlib.ZSTD_c_checksumFlag]: 1 },
    });
    const header = Buffer.alloc(12);
    header.writeUInt32LE(ZSTD_SKIPPABLE, 0);
    header.writeUInt32LE(4, 4);
    header.writeUInt32LE(body.length, 8);
    return [header, body];
  },
  bodyLength: (header) => (header.readUInt32LE(0) === ZSTD_SKIPPABLE ? header.readUInt32LE(8) : undefined),
  decode: (body) => zstdDecompressSync(body, { maxOutputLength: PIECE }),
};

const CODECS: Record<Compression['type'], Codec> = { gzip: GZIP, zstd: ZSTD };

export function codecOf(type: string): Codec {
  if (type === 'gzip' || type === 'zstd') return CODECS[type];
  throw new RepositoryError('UnsupportedFormat', `compression ${type}: this agent knows gzip and zstd`);
}

/** @throws RepositoryError InvalidArgument */
export function checkCompression(compression: Compression): Compression {
  const { type, level } = compression;
  if (!Object.hasOwn(CODECS, type)) {
    throw new RepositoryError(
      'InvalidArgument',
      `compression type ${JSON.stringify(type)}: use gzip or zstd`,
    );
  }
  if (!Number.isInteger(level) || level < 0 || level > 9) {
    throw new RepositoryError(
      'InvalidArgument',
      `compression level ${level}: use a whole number from 0 to 9`,
    );
  }
  return { type, level };
}

/** Bytes. */
export interface Compressed {
  written: number;
  /** What decompressing it writes. */
  restored: number;
}

/** Compresses all of `from`. `onBytes` is called with the bytes read. */
export function compressContent(
  from: number,
  to: number,
  { type, level }: Compression,
  onBytes: (bytes: number) => void,
): Compressed {
  const codec = codecOf(type);
  const piece = Buffer.allocUnsafe(PIECE);
  let [written, restored] = [0, 0];
  for (let first = true; ; first = false) {
    const length = readFully(from, piece);
    // An empty file is one empty piece.
    if (length === 0 && !first) return { written, restored };
    for (const part of codec.encode(piece.subarray(0, length), level)) {
      writeFully(to, part);
      written += part.length;
    }
    restored += sparseBytes(piece.subarray(0, length));
    onBytes(length);
    if (length < PIECE) return { written, restored };
  }
}

/**
 * Decompresses `from` into `to`, where given, and hashes what comes out.
 * @throws RepositoryError DamagedRepository
 */
export function decompressContent(
  from: number,
  type: string,
  onBytes: (bytes: number) => void,
  to?: number,
): Content {
  const codec = codecOf(type);
  const digest = createHash('sha256');
  const header = Buffer.alloc(codec.headerLength);
  let size = 0;
  for (let length = readFully(from, header); length > 0; length = readFully(from, header)) {
    const bytes = decodePiece(from, codec, header.subarray(0, length));
    digest.update(bytes);
    // What were holes are no more than zeros in there, and would fill the volume.
    if (to !== undefined) writeSparse(to, bytes, size);
    size += bytes.length;
    onBytes(bytes.length);
  }
  if (to !== undefined) ftruncateSync(to, size);
  return { hash: digest.digest(), size };
}

/** Bytes of what was compressed: all pieces are whole but the last. @throws RepositoryError DamagedRepository */
export function contentSize(from: number, type: string): number {
  const codec = codecOf(type);
  const header = Buffer.alloc(codec.headerLength);
  const { size } = fstatSync(from);
  for (let [at, pieces] = [0, 0]; ; pieces++) {
    if (readSync(from, header, 0, header.length, at) < header.length) throw damaged('it is cut short');
    const length = codec.bodyLength(header);
    if (length === undefined || length > LARGEST) throw damaged('it was compressed by another program');
    const end = at + header.length + length;
    if (end < size) {
      at = end;
      continue;
    }
    const body = Buffer.allocUnsafe(length);
    if (readSync(from, body, 0, length, at + header.length) < length) throw damaged('it is cut short');
    return pieces * PIECE + decode(codec, body).length;
  }
}

function decodePiece(from: number, codec: Codec, header: Buffer): Buffer {
  const length = header.length === codec.headerLength ? codec.bodyLength(header) : undefined;
  if (length === undefined || length > LARGEST) throw damaged('it was compressed by another program');
  const body = Buffer.allocUnsafe(length);
  if (readFully(from, body) < length) throw damaged('it is cut short');
  return decode(codec, body);
}

function decode(codec: Codec, body: Buffer): Buffer {
  try {
    return codec.decode(body);
  } catch (cause) {
    throw damaged('a piece does not decompress', cause);
  }
}

function damaged(what: string, cause?: unknown): RepositoryError {
  return new RepositoryError('DamagedRepository', `a compressed file can not be read: ${what}`, { cause });
}
