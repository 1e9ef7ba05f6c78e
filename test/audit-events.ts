// What an API server's audit log says (test/cluster/audit.ts): an event a line, without bodies.
import { open } from 'node:fs/promises';

export interface AuditEvent {
  verb: string;
  stage: 'ResponseStarted' | 'ResponseComplete' | 'Panic';
  requestReceivedTimestamp: string;
  user: { extra?: Record<string, string[]> };
  /** Without one it is of no resource: `/version`. */
  objectRef?: {
    apiGroup?: string;
    resource?: string;
    subresource?: string;
    namespace?: string;
    name?: string;
  };
  annotations?: Record<string, string>;
  responseStatus?: { code?: number };
}

/**
 * From byte `start` on; without what the API server is writing, and the rest of a line that it was writing at `start`,
 * where that was the file's size.
 */
export async function* auditEvents(log: string, start = 0): AsyncGenerator<AuditEvent> {
  await using file = await open(log);
  for await (const line of file.readLines({ start })) {
    if (line.startsWith('{') && line.endsWith('}')) yield JSON.parse(line) as AuditEvent;
  }
}
