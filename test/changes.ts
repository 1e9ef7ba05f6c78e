// What the operator changed, by the API server's audit log (test/cluster/audit.ts).
import { open } from 'node:fs/promises';

interface AuditEvent {
  verb: string;
  stage: string;
  requestReceivedTimestamp: string;
  user: { extra?: Record<string, string[]> };
  objectRef?: { resource?: string; name?: string };
  responseStatus?: { code?: number };
}

const writes = new Set(['create', 'update', 'patch', 'delete', 'deletecollection']);

/**
 * Each change that the API server took after `since` (epoch ms), as `verb resource name`; of the replica with the
 * token of `pod` where one is given.
 */
export async function changesIn(log: string, since: number, pod?: string): Promise<string[]> {
  const file = await open(log);
  const found: string[] = [];
  try {
    for await (const line of file.readLines()) {
      if (!line.endsWith('}')) continue; // the API server is writing it
      const { verb, stage, user, objectRef, responseStatus, ...event } = JSON.parse(line) as AuditEvent;
      if (pod && user.extra?.['authentication.kubernetes.io/pod-name']?.[0] !== pod) continue;
      if (stage !== 'ResponseComplete' || !writes.has(verb) || (responseStatus?.code ?? 500) >= 300) continue;
      if (Date.parse(event.requestReceivedTimestamp) > since)
        found.push(`${verb} ${objectRef?.resource} ${objectRef?.name ?? ''}`.trim());
    }
  } finally {
    await file.close();
  }
  return found;
}
