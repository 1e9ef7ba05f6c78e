// What is under way. An intent of ours carries the finished descriptor before the snapshot is published, so that
// a crash after that is repaired forward; the jvs binary ignores the additional field.
import { readdirSync, rmSync } from 'node:fs';
import * as z from 'zod/mini';
import type { Descriptor } from '../repository.ts';
import { parseDescriptor, serializeDescriptor } from './format/descriptor.ts';
import { indentedJson, type Json } from './format/json.ts';
import { isSnapshotId } from './format/names.ts';
import { readIfThere, writeAtomic } from './fs/files.ts';
import type { Layout } from './layout.ts';

export interface Intent {
  id: string;
  /** Made by this engine, not by the jvs binary. */
  ours: boolean;
  descriptor?: Descriptor;
}

const content = z.object({ agent: z.optional(z.object({ descriptor: z.optional(z.unknown()) })) });

export interface IntentFields {
  snapshot_id: string;
  worktree_name: string;
  started_at: string;
  engine: string;
}

/** Not durable by itself: the sync before publishing makes it so. */
export function writeIntent(layout: Layout, fields: IntentFields, descriptor?: Descriptor): void {
  const agent: Json = descriptor ? { descriptor: JSON.parse(serializeDescriptor(descriptor)) } : {};
  writeAtomic(layout.intent(fields.snapshot_id), indentedJson({ ...fields, agent }), { durable: false });
}

export function removeIntent(layout: Layout, id: string): void {
  rmSync(layout.intent(id), { force: true });
}

export function readIntents(layout: Layout): Intent[] {
  return readdirSync(layout.intents).flatMap((file) => {
    const id = file.replace(/\.json$/, '');
    const text = isSnapshotId(id) && file !== id ? readIfThere(layout.intent(id)) : undefined;
    return text === undefined ? [] : [parse(id, text)];
  });
}

function parse(id: string, text: string): Intent {
  try {
    const { agent } = content.parse(JSON.parse(text));
    if (!agent?.descriptor) return { id, ours: agent !== undefined };
    return { id, ours: true, descriptor: parseDescriptor(JSON.stringify(agent.descriptor), id) };
  } catch {
    // Cut short by a power cut. What the jvs binary writes is synced first, so it is ours.
    return { id, ours: true };
  }
}
