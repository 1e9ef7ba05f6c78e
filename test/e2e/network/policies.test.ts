// config/network on a network that enforces it: what is needed gets through, and what is not does not.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkout } from '../../cluster/paths.ts';
import { apply, eventually, kubectl } from '../../kubectl.ts';
import {
  conditionOf,
  createSnapshot,
  createWorkspace,
  exec,
  idleContainer,
  podOf,
  podSpec,
  useNamespace,
  workspaceIn,
  workspaceOf,
} from '../world.ts';
import { enforcePolicies } from './enforcer.ts';

const [open, closed, unprepared] = [useNamespace(), useNamespace(), useNamespace()];
const template = { spec: podSpec(idleContainer()) };
const policies = (file: string) => join(checkout, 'config/network', file);
let enforcer: AsyncDisposable;

const denyAll = (namespace: string) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { namespace, name: 'deny-all' },
  spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
});

async function makeStranger(namespace: string): Promise<void> {
  const metadata = { namespace, name: 'stranger' };
  await apply({ apiVersion: 'v1', kind: 'Pod', metadata, spec: podSpec(idleContainer()) });
  await kubectl('-n', namespace, 'wait', 'pod/stranger', '--for=condition=Ready', '--timeout=180s');
}

const addressOf = (namespace: string, selector: string): Promise<string> =>
  eventually(`a pod of ${namespace} with ${selector} has an address`, () =>
    kubectl('-n', namespace, 'get', 'pods', '-l', selector, '-o', 'jsonpath={.items[0].status.podIP}'),
  );

/** Only on it the link is open. */
const leader = () => addressOf('jvs-system', 'jvs.io/leader=true');

/** Whether the container of that pod gets a connection. */
async function reaches(namespace: string, pod: string, address: string, port: number): Promise<boolean> {
  const answer = await exec(
    namespace,
    pod,
    'main',
    `nc -w 2 ${address} ${port} < /dev/null && echo open || echo closed`,
  );
  return answer.trim() === 'open';
}

beforeAll(async () => {
  await createWorkspace(open, 'before', { template });
  for (const namespace of [open, closed]) await makeStranger(namespace);
  await kubectl('apply', '-f', policies('policy.yaml'));
  for (const namespace of [closed, unprepared]) await apply(denyAll(namespace));
  await kubectl('apply', '-n', closed, '-f', policies('workspaces.yaml'));
  const operator = await leader();
  expect(await reaches(open, 'stranger', operator, 8443)).toBe(true);
  enforcer = await enforcePolicies();
  await eventually(
    'the policies are enforced',
    async () => !(await reaches(open, 'stranger', operator, 8443)),
  );
});

afterAll(async () => {
  await kubectl('delete', '--ignore-not-found', '-f', policies('policy.yaml'));
  await enforcer?.[Symbol.asyncDispose]();
});

test('the operator serves webhook, agents and metrics, and nobody else reaches its link', async () => {
  // All of its connections are new.
  await kubectl('-n', 'jvs-system', 'delete', 'pod', '-l', 'app.kubernetes.io/name=jvs-operator');
  await kubectl('-n', 'jvs-system', 'rollout', 'status', 'deploy/jvs-operator', '--timeout=180s');
  await createWorkspace(open, 'after', { template });
  await createSnapshot(open, 'first', { workspace: 'after' });
  await createSnapshot(open, 'second', { workspace: 'before' });
  const operator = await leader();
  expect(await reaches(open, await podOf(open, 'after'), operator, 8443)).toBe(true);
  expect(await reaches(open, 'stranger', operator, 8443)).toBe(false);
  expect(await reaches(open, 'stranger', operator, 8080)).toBe(true);
});

test('in a namespace that denies all, workspaces.yaml lets agents work and copy from each other, and no more', async () => {
  await createWorkspace(closed, 'golden', { template });
  const golden = await podOf(closed, 'golden');
  await exec(closed, golden, 'main', 'echo v1 > "$JVS_WORKSPACE/model"');
  await createSnapshot(closed, 'base', { workspace: 'golden' });
  await apply(workspaceOf(closed, 'young', { storage: '1Gi', template, initialSnapshot: 'base' }));
  await workspaceIn(closed, 'young', 'Ready');
  const young = await podOf(closed, 'young');
  expect(await exec(closed, young, 'main', 'cat "$JVS_WORKSPACE/model"')).toContain('v1');

  // The agent listens there only while it is asked for a copy: this is somebody else on its port.
  await exec(closed, golden, 'main', 'nc -ll -p 7445 -e true > /dev/null 2>&1 &');
  const copies = await addressOf(closed, 'jvs.io/workspace=golden');
  expect(await reaches(closed, young, copies, 7445)).toBe(true);
  expect(await reaches(closed, 'stranger', copies, 7445)).toBe(false);
  expect(await reaches(open, 'stranger', copies, 7445)).toBe(false);
  expect(await reaches(open, await podOf(open, 'before'), copies, 7445)).toBe(false);
  expect(await reaches(open, 'stranger', copies, 7444)).toBe(true);
});

test('without workspaces.yaml the Workspace says that its agent is not there; with it, it comes', async () => {
  await apply(workspaceOf(unprepared, 'cut-off', { storage: '1Gi', template }));
  const message = await conditionOf(unprepared, 'cut-off', 'AgentConnected', 'NotConnected');
  expect(message).toContain('jvs-agent');
  await kubectl('apply', '-n', unprepared, '-f', policies('workspaces.yaml'));
  await conditionOf(unprepared, 'cut-off', 'AgentConnected', 'Connected');
});
