// Two replicas of the operator on a real API server: whoever has lost the lead, unknowingly, changes nothing any more.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Workspace, workspaces } from '../../operator/api/workspace.ts';
import { KubeClient } from '../../operator/runtime/client.ts';
import { deployments, leases } from '../../operator/runtime/resources.ts';
import { AuditLog } from '../audit-log.ts';
import { changesIn } from '../changes.ts';
import type { ApiServer } from '../cluster/apiserver.ts';
import { startInstalled } from './kubectl.ts';
import { operatorKubeconfig } from './operator-client.ts';
import { type OperatorProcess, startOperator } from './operator-process.ts';

const namespace = 'default';
const within = { timeout: 40_000, interval: 100 };

let server: ApiServer;
let admin: KubeClient;
/** Only of this one the API server writes down what it asks. */
let audited: OperatorProcess;
let other: OperatorProcess;

beforeAll(async () => {
  ({ server } = await startInstalled(['config/manager/'], { audit: true }));
  admin = KubeClient.fromKubeconfig(server.kubeconfig);
  audited = await startOperator(await operatorKubeconfig(server), [], { webhookUrl: false });
}, 900_000);

afterAll(async () => {
  audited?.child.kill('SIGCONT');
  await audited?.stop();
  await other?.stop();
  await server?.stop();
});

const make = async (name: string) => {
  await admin.create(workspaces, { metadata: { namespace, name }, spec: {} } as unknown as Workspace);
  await vi.waitFor(
    async () => expect(await admin.get(deployments, { namespace, name: `jvs-${name}` })).toBeDefined(),
    within,
  );
};
const lease = async () =>
  (await admin.get(leases, { namespace: 'jvs-system', name: 'jvs-operator' }))?.spec ?? {};
const log = () => join(server.dir, 'audit.log');

test('a leader that was paused while another took its place changes nothing when it wakes', {
  timeout: 300_000,
}, async () => {
  await make('before');
  // The API server writes it down when it has answered, which may be later than others can see it.
  await vi.waitFor(
    async () => expect(await changesIn(log(), 0)).toContain('patch deployments jvs-before'),
    within,
  );
  const { holderIdentity } = await lease();
  other = await startOperator(server.kubeconfig, [], { webhookUrl: false });

  // What it has decided and not sent yet when it is stopped goes out when it wakes: no client can take that back.
  await new AuditLog(log()).silence(2_000);
  audited.child.kill('SIGSTOP');
  await make('meanwhile');
  const { holderIdentity: next, acquireTime } = await lease();
  expect(next).not.toBe(holderIdentity);
  const lostAt = Date.parse(String(acquireTime));
  const { length } = await readFile(log());
  audited.child.kill('SIGCONT');
  // It has ended its work, and waits for its turn.
  await vi.waitFor(
    async () => expect((await readFile(log())).toString('utf8', length)).toContain('"resource":"leases"'),
    within,
  );
  await make('afterwards');
  expect(await changesIn(log(), lostAt)).toEqual([]);
  expect((await lease()).holderIdentity).toBe(next);
});
