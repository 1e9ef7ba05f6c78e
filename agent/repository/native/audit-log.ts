import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { type AuditEvent, auditLine, checkAuditLine, lastRecordHash } from './format/audit.ts';
import { ensureDirectory, readIfThere } from './fs/files.ts';

/** A record is far shorter: notes are limited. */
const TAIL = 256 * 1024;
const PIECE = 1024 * 1024;

/** Appends a record, durably, and returns how to take it back. */
export function appendAudit(path: string, event: AuditEvent): { undo(): void } {
  ensureDirectory(dirname(path));
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_APPEND, 0o644);
  try {
    const { size } = fstatSync(fd);
    if (size === 0) fchmodSync(fd, 0o644);
    const tail = readTail(fd, size);
    // A line that a crash cut short must not swallow this one.
    const start = tail === '' || tail.endsWith('\n') ? '' : '\n';
    const bytes = Buffer.from(`${start}${auditLine(event, lastRecordHash(tail))}\n`);
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
      fsyncSync(fd);
    } catch (error) {
      ftruncateSync(fd, size);
      throw error;
    }
    return { undo: () => truncate(path, size) };
  } finally {
    closeSync(fd);
  }
}

/** What an operation has done, once: after a crash (`again`) its record may be there, and only then all is looked through. */
export function recordOnce(path: string, event: AuditEvent, operation: string, again: boolean): void {
  if (!again || !auditHas(path, event.event_type, event.snapshot_id, operation)) appendAudit(path, event);
}

/** Whether a record is of this event and snapshot, where one is given, and mentions `text`. */
export function auditHas(
  path: string,
  type: AuditEvent['event_type'],
  snapshotId: string | undefined,
  text = '',
): boolean {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY);
  } catch {
    return false;
  }
  try {
    const wanted = [`"${type}"`, snapshotId === undefined ? '' : `"snapshot_id":"${snapshotId}"`, text];
    for (const lines of piecesFromEnd(fd)) {
      // All of a long log is looked through, most of it only for what few records mention.
      if (!wanted.slice(1).every((part) => lines.includes(part))) continue;
      const found = lines.toString().split('\n');
      if (found.some((line) => wanted.every((part) => line.includes(part)))) return true;
    }
    return false;
  } finally {
    closeSync(fd);
  }
}

/** Whole lines, the last ones first. */
function* piecesFromEnd(fd: number): Generator<Buffer> {
  for (let end = fstatSync(fd).size; end > 0; ) {
    const start = Math.max(0, end - PIECE);
    const piece = readAt(fd, start, end - start);
    // A line that begins before is the next piece's.
    const cut = start === 0 ? 0 : piece.subarray(0, -1).indexOf('\n') + 1;
    yield piece.subarray(cut);
    end = start + cut;
  }
}

/**
 * Numbers of the lines whose `prev_hash` is not the hash of the last line that parses before them, or that were
 * changed. The log is read as a whole.
 */
export function brokenAuditLines(path: string): number[] {
  let previous = '';
  return (readIfThere(path) ?? '').split('\n').flatMap((line, i) => {
    if (line === '') return [];
    const checked = checkAuditLine(line, previous);
    previous = checked.hash ?? previous;
    return checked.valid ? [] : [i + 1];
  });
}

function truncate(path: string, size: number): void {
  const fd = openSync(path, constants.O_WRONLY);
  try {
    ftruncateSync(fd, size);
  } finally {
    closeSync(fd);
  }
}

function readTail(fd: number, size: number): string {
  const length = Math.min(size, TAIL);
  return readAt(fd, size - length, length).toString();
}

function readAt(fd: number, position: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  return buffer.subarray(0, length === 0 ? 0 : readSync(fd, buffer, 0, length, position));
}
