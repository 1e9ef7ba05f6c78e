import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import { type AgentExtension, type Descriptor, RepositoryError } from '../../repository.ts';
import { canonicalJson, compactJson, indentedJson, type Json } from './json.ts';
import { trimFraction } from './time.ts';

const ENGINES = ['copy', 'reflink-copy', 'juicefs-clone'] as const;
const ORIGINS = ['manual', 'auto', 'self', 'discovered', 'pre-restore', 'final'] as const;
const count = z.number().check(z.nonnegative());

const extension = z.object({
  completed_at: z.string(),
  effective_engine: z.enum(ENGINES),
  origin: z.enum(ORIGINS),
  consistency: z.enum(['quiesced', 'crash-consistent', 'changed-during-copy']),
  size: count,
  unique_bytes: count,
  entries: count,
  hard_links: z.optional(count),
  restored_bytes: z.optional(count),
  skipped: z.optional(
    z.object({ fifo: z.optional(count), socket: z.optional(count), device: z.optional(count) }),
  ),
});

const descriptor = z.object({
  snapshot_id: z.string(),
  parent_id: z.optional(z.string()),
  worktree_name: z.string(),
  created_at: z.string(),
  note: z.optional(z.string()),
  tags: z.optional(z.array(z.string())),
  engine: z.string(),
  payload_root_hash: z.string(),
  descriptor_checksum: z.string(),
  integrity_state: z.string(),
  partial_paths: z.optional(z.array(z.string())),
  compression: z.optional(z.object({ type: z.string(), level: z.number() })),
  // A damaged extension must not hide the snapshot.
  agent: z.catch(z.optional(extension), undefined),
});

/** @throws RepositoryError DamagedRepository */
export function parseDescriptor(text: string, id: string): Descriptor {
  let parsed: z.infer<typeof descriptor>;
  try {
    parsed = descriptor.parse(JSON.parse(text));
  } catch (cause) {
    throw new RepositoryError('DamagedRepository', `descriptor of snapshot ${id} can not be read`, { cause });
  }
  if (parsed.snapshot_id !== id) {
    throw new RepositoryError('DamagedRepository', `descriptor ${id} is of snapshot ${parsed.snapshot_id}`);
  }
  return parsed as Descriptor;
}

/** Fields that the checksum covers, in the order in which they are written. Empty ones are left out. */
function covered(d: Omit<Descriptor, 'agent'>): { [key: string]: Json | undefined } {
  return {
    snapshot_id: d.snapshot_id,
    parent_id: d.parent_id || undefined,
    worktree_name: d.worktree_name,
    created_at: trimFraction(d.created_at),
    note: d.note || undefined,
    tags: d.tags?.length ? d.tags : undefined,
    engine: d.engine,
    payload_root_hash: d.payload_root_hash,
    descriptor_checksum: d.descriptor_checksum,
    integrity_state: d.integrity_state,
    partial_paths: d.partial_paths?.length ? d.partial_paths : undefined,
    compression: d.compression,
  };
}

/** Hex SHA-256 over the canonical descriptor, checksum and state present but empty. */
export function descriptorChecksum(d: Omit<Descriptor, 'agent'>): string {
  const canonical = canonicalJson({ ...covered(d), descriptor_checksum: '', integrity_state: '' });
  return createHash('sha256').update(canonical).digest('hex');
}

/** The same descriptor with its checksum. */
export function sealed(d: Omit<Descriptor, 'descriptor_checksum' | 'integrity_state'>): Descriptor {
  const open = { ...d, descriptor_checksum: '', integrity_state: '' };
  return { ...open, descriptor_checksum: descriptorChecksum(open), integrity_state: 'verified' };
}

export function serializeDescriptor(d: Descriptor): string {
  return indentedJson({ ...covered(d), agent: d.agent && extensionJson(d.agent) });
}

function extensionJson(e: AgentExtension): Json {
  return {
    completed_at: e.completed_at,
    effective_engine: e.effective_engine,
    origin: e.origin,
    consistency: e.consistency,
    size: e.size,
    unique_bytes: e.unique_bytes,
    entries: e.entries,
    hard_links: e.hard_links,
    restored_bytes: e.restored_bytes,
    skipped: e.skipped && { ...e.skipped },
  };
}

/** The marker at the root of a published payload. */
export function readyMarker(d: Descriptor, completedAt: string): string {
  return compactJson({
    snapshot_id: d.snapshot_id,
    completed_at: completedAt,
    payload_root_hash: d.payload_root_hash,
    engine: d.engine,
    descriptor_checksum: d.descriptor_checksum,
  });
}
