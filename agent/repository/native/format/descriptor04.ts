// Descriptors of jvs 0.4. Its command line knows neither tags nor anything else that we tell of a snapshot: that stands
// at the end of the message, after the note.
import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import type { AgentExtension, Descriptor } from '../../repository.ts';
import { parseDescriptor } from './descriptor.ts';
import { canonicalJson, type Json } from './json.ts';

const TRAILER = /(?:^|\n\n)jvs-agent (\{[^\n]*\})$/;

const trailer = z.object({
  tags: z.array(z.string()),
  origin: z.enum(['manual', 'auto', 'self', 'discovered', 'pre-restore', 'final']),
  consistency: z.enum(['quiesced', 'crash-consistent']),
  size: z.number(),
  entries: z.number(),
});
type Trailer = z.infer<typeof trailer>;

export function messageOf(note: string, told: Trailer): string {
  return [...(note ? [note] : []), `jvs-agent ${JSON.stringify(told)}`].join('\n\n');
}

/** As `parseDescriptor`, with what stands in the message taken out of it. */
export function parseDescriptor04(text: string, id: string): Descriptor {
  const { note = '', ...rest } = parseDescriptor(text, id);
  const found = TRAILER.exec(note);
  const parsed = trailer.safeParse(tryJson(found?.[1] ?? ''));
  if (!found || !parsed.success) return { ...rest, ...(note ? { note } : {}) };
  const { tags, ...told } = parsed.data;
  const agent: AgentExtension = {
    ...told,
    completed_at: rest.created_at,
    effective_engine: rest.engine,
    unique_bytes: told.size,
  };
  return {
    ...rest,
    ...(found.index > 0 ? { note: note.slice(0, found.index) } : {}),
    ...(tags.length > 0 ? { tags } : {}),
    agent,
  };
}

/** Whether its checksum holds, which covers every field, also those that only 0.4 has. */
export function isDescriptorValid04(text: string): boolean {
  const fields = JSON.parse(text) as { [key: string]: Json };
  const covered = canonicalJson({ ...fields, descriptor_checksum: '', integrity_state: '' });
  return createHash('sha256').update(covered).digest('hex') === fields.descriptor_checksum;
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
