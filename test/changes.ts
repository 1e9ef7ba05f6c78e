// What the operator changed, by the API server's audit log.
import { auditEvents } from './audit-events.ts';

const writes = new Set(['create', 'update', 'patch', 'delete', 'deletecollection']);

/**
 * Each change that the API server took after `since` (epoch ms), as `verb resource name`; of the replica with the
 * token of `pod` where one is given.
 */
export async function changesIn(log: string, since: number, pod?: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { verb, stage, user, objectRef, responseStatus, ...event } of auditEvents(log)) {
    if (pod && user.extra?.['authentication.kubernetes.io/pod-name']?.[0] !== pod) continue;
    if (stage !== 'ResponseComplete' || !writes.has(verb) || (responseStatus?.code ?? 500) >= 300) continue;
    if (Date.parse(event.requestReceivedTimestamp) > since)
      found.push(`${verb} ${objectRef?.resource} ${objectRef?.name ?? ''}`.trim());
  }
  return found;
}
