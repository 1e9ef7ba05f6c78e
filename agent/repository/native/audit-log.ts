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

/** Whether one of the last records is of this event and snapshot, where one is given, and mentions `text`. */
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
    const lines = readTail(fd, fstatSync(fd).size).split('\n');
    const snapshot = snapshotId === undefined ? '' : `"snapshot_id":"${snapshotId}"`;
    return lines.some((line) => line.includes(`"${type}"`) && line.includes(snapshot) && line.includes(text));
  } finally {
    closeSync(fd);
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
  const buffer = Buffer.alloc(length);
  const read = length === 0 ? 0 : readSync(fd, buffer, 0, length, size - length);
  return buffer.toString('utf8', 0, read);
}
