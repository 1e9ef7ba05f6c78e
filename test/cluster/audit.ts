// What is asked of an API server, written down by the API server.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export const auditedUser = 'system:serviceaccount:jvs-system:jvs-operator';

/**
 * Arguments for kube-apiserver, which then writes `<directory>/audit.log`: one JSON event a line, no bodies, of what
 * `users` ask.
 */
export async function auditArgs(directory: string, users = [auditedUser]): Promise<string[]> {
  const policy = join(directory, 'audit-policy.yaml');
  const rules = [{ level: 'Metadata', users }, { level: 'None' }];
  const file = { apiVersion: 'audit.k8s.io/v1', kind: 'Policy', omitStages: ['RequestReceived'], rules };
  await writeFile(policy, JSON.stringify(file));
  return [
    ...['--audit-policy-file', policy, '--audit-log-path', join(directory, 'audit.log')],
    ...['--audit-log-maxsize', '1000', '--audit-log-maxbackup', '1'],
  ];
}
