// The webhook's configuration as clusters have it installed. A file of its own: only an operator outside the cluster
// loads it, and what reads YAML with it.
import { readFile } from 'node:fs/promises';
import { parseAllDocuments } from 'yaml';
import type { Resource } from '../runtime/types.ts';
import type { WebhookConfiguration } from './configuration-plan.ts';

/** What holds in clusters holds for development too. */
export async function readManifest<T extends WebhookConfiguration>({ kind }: Resource<T>): Promise<T> {
  const file = new URL('../../config/manager/webhook.yaml', import.meta.url);
  const all = parseAllDocuments(await readFile(file, 'utf8')).map((document) => document.toJS() as T);
  const found = all.find((manifest) => manifest.kind === kind);
  if (!found) throw new Error(`config/manager/webhook.yaml has no ${kind}`);
  return found;
}
