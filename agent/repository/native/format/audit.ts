// The audit log: one JSON record a line, each with the hash of the one before.
import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import { canonicalJson, compactJson, type Json } from './json.ts';

export interface AuditEvent {
  timestamp: string;
  event_type: 'snapshot_create' | 'restore' | 'worktree_fork' | 'worktree_remove' | 'gc_run';
  snapshot_id?: string;
  worktree_name?: string;
  details: { [key: string]: Json };
}

const record = z.looseObject({ prev_hash: z.string(), record_hash: z.string() });
const link = z.object({ record_hash: z.string() });

/** The jvs binary never appends to a log with a line beyond 64 KiB. */
const LINE_BYTES = 64_000;
/** So many UTF-16 units take no more than six times as many bytes. */
const SHORT_NOTE = 8 * 1024;

/**
 * The record's line without its newline. `details` is written in byte order of its keys, as a Go map is. A note that
 * is too long for it, of a snapshot that another program made, is cut there: the descriptor has the whole.
 */
export function auditLine(event: AuditEvent, previousHash: string): string {
  const line = lineOf(event, previousHash);
  const { note } = event.details;
  if (typeof note !== 'string' || Buffer.byteLength(line) <= LINE_BYTES) return line;
  const details = { ...event.details, note: `${note.slice(0, SHORT_NOTE)}…` };
  return lineOf({ ...event, details }, previousHash);
}

function lineOf(event: AuditEvent, previousHash: string): string {
  const record = {
    timestamp: event.timestamp,
    event_type: event.event_type,
    snapshot_id: event.snapshot_id,
    worktree_name: event.worktree_name,
    details: Object.fromEntries(Object.entries(event.details).sort(([a], [b]) => (a < b ? -1 : 1))),
    prev_hash: previousHash,
    record_hash: '',
  };
  const hash = createHash('sha256').update(canonicalJson(record)).digest('hex');
  return compactJson({ ...record, record_hash: hash });
}

/** `record_hash` of the last line that parses; `''` where none does. `tail` may begin within a line. */
export function lastRecordHash(tail: string): string {
  for (const line of tail.split('\n').reverse()) {
    const parsed = link.safeParse(tryJson(line));
    if (parsed.success) return parsed.data.record_hash;
  }
  return '';
}

/** Whether the line is a record that follows `previousHash`; `hash` is what the next one has to follow. */
export function checkAuditLine(line: string, previousHash: string): { valid: boolean; hash?: string } {
  const parsed = record.safeParse(tryJson(line));
  if (!parsed.success) return { valid: false };
  const { prev_hash, record_hash } = parsed.data;
  const canonical = canonicalJson({ ...parsed.data, record_hash: '' } as Json);
  const own = createHash('sha256').update(canonical).digest('hex');
  return { valid: prev_hash === previousHash && record_hash === own, hash: record_hash };
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
