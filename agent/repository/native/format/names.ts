// Names that become paths: everything that reaches the filesystem as a path component passes one of these first.
import { randomBytes, randomUUID } from 'node:crypto';
import { RepositoryError } from '../../repository.ts';
import { canonicalJson } from './json.ts';

const ID = /^\d{13}-[0-9a-f]{8}$/;
/** Files of a worktree's are named after it, with up to 23 characters more until they are written. */
const NAME = /^(?!\.{1,2}$)(?!.*\.\.)[a-zA-Z0-9._-]{1,232}$/;
const TAG = /^[a-zA-Z0-9._-]{1,255}$/;
const NOTE_BYTES = 32 * 1024;
/** As JSON. An audit line beyond 64 KiB, and it has more, stops the jvs binary from ever writing another one. */
const NOTE_JSON_BYTES = 60 * 1024;

/** Unix milliseconds and 32 random bits, as the jvs binary makes them. */
export function newSnapshotId(now: number): string {
  return `${String(now).padStart(13, '0')}-${randomBytes(4).toString('hex')}`;
}

export const newRepositoryId = randomUUID;

export function isSnapshotId(text: string): boolean {
  return ID.test(text);
}

/** Unix milliseconds that the id states. */
export function idTime(id: string): number {
  return Number(id.slice(0, 13));
}

/** @throws RepositoryError InvalidArgument */
export function checkSnapshotId(id: string): string {
  if (isSnapshotId(id)) return id;
  throw new RepositoryError(
    'InvalidArgument',
    `snapshot id ${JSON.stringify(id.slice(0, 80))}: give the full id, 13 digits, a dash and 8 hex digits`,
  );
}

/** @throws RepositoryError InvalidArgument */
export function checkWorktree(name: string): string {
  if (NAME.test(name)) return name;
  throw new RepositoryError(
    'InvalidArgument',
    `worktree ${JSON.stringify(name.slice(0, 80))}: use at most 232 letters, digits, ".", "_" and "-", without ".."`,
  );
}

/** Sorted copies are not made: tags keep their order, doubles go. @throws RepositoryError InvalidArgument */
export function checkTags(tags: readonly string[]): string[] {
  for (const tag of tags) {
    if (!TAG.test(tag)) {
      throw new RepositoryError(
        'InvalidArgument',
        `tag ${JSON.stringify(tag.slice(0, 80))}: use letters, digits, ".", "_" and "-"`,
      );
    }
  }
  return [...new Set(tags)];
}

/** @throws RepositoryError InvalidArgument */
export function checkNote(note: string): string {
  const bytes = Buffer.byteLength(note);
  if (bytes > NOTE_BYTES)
    throw new RepositoryError('InvalidArgument', `note: ${bytes} bytes; at most ${NOTE_BYTES} are kept`);
  const jsonBytes = Buffer.byteLength(canonicalJson(note));
  if (jsonBytes <= NOTE_JSON_BYTES) return note.toWellFormed();
  throw new RepositoryError(
    'InvalidArgument',
    `note: ${jsonBytes} bytes as JSON, where each <, >, & and control character takes 6; at most ${NOTE_JSON_BYTES} ` +
      'are kept: shorten it',
  );
}
