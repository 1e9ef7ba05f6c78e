// Two pods on one volume: one agent changes it, and its place is taken when it goes.
import { beforeAll, expect, test } from 'vitest';
import type { Snapshot } from '../../operator/api/snapshot.ts';
import type { Workspace } from '../../operator/api/workspace.ts';
import { signalContainer } from '../cluster/cluster.ts';
import { forwardAgent, grpcCall } from '../grpcurl.ts';
import { eventually, get, kinds, kubectl } from '../kubectl.ts';
import {
  applySnapshot,
  createSnapshot,
  createWorkspace,
  exec,
  idleContainer,
  madeFor,
  podSpec,
  snapshotIn,
  useNamespace,
} from './world.ts';

const namespace = useNamespace();
const name = 'team';

beforeAll(async () => {
  await createWorkspace(namespace, name, { replicas: 2, template: { spec: podSpec(idleContainer()) } });
});

const primaryPod = async () => (await get<Workspace>(kinds.workspace, name, namespace)).status?.agent?.pod;

const anotherPrimaryThan = (pod: string) =>
  eventually(`the primary is another than ${pod}`, async () => {
    const now = await primaryPod();
    return now !== pod && now;
  });

/** Pods that are there to stay and ready. */
async function readyPods(): Promise<string[]> {
  interface Pod {
    metadata: { name: string; deletionTimestamp?: string };
    status: { conditions?: { type: string; status: string }[] };
  }
  const list = ['get', 'pods', '-l', `jvs.io/workspace=${name}`, '-o', 'json'];
  const { items } = JSON.parse(await kubectl('-n', namespace, ...list)) as { items: Pod[] };
  return items
    .filter(({ metadata }) => !metadata.deletionTimestamp)
    .filter(({ status }) =>
      status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'),
    )
    .map(({ metadata }) => metadata.name);
}

const bothReady = () =>
  eventually('both pods are ready', async () => (await readyPods()).length === 2 && readyPods(), 120);

/** Asks for snapshots while something happens to the primary; each of them is made exactly once. */
async function takeover(prefix: string, happens: (primary: string) => Promise<unknown>): Promise<string> {
  await bothReady();
  const primary = await eventually('one that is ready is primary', async () => {
    const [pod, ready] = [await primaryPod(), await readyPods()];
    return ready.find((name) => name === pod);
  });
  const made = await createSnapshot(namespace, `${prefix}-before`, { workspace: name });
  const names = Array.from({ length: 6 }, (_, n) => `${prefix}-${n}`);
  const content = (text: string) =>
    exec(namespace, `pod/${primary}`, 'main', `echo ${text} > "$JVS_WORKSPACE/f"`);
  for (const [n, snapshot] of names.entries()) {
    if (n < 2) await content(snapshot);
    await applySnapshot(namespace, snapshot, { workspace: name });
    if (n === 2) await happens(primary);
  }
  for (const snapshot of [...names, `${prefix}-after`]) {
    if (snapshot.endsWith('after')) await applySnapshot(namespace, snapshot, { workspace: name });
    const ready = await snapshotIn(namespace, snapshot, 'Ready');
    expect(await madeFor(ready), snapshot).toEqual([ready.status?.snapshotID]);
  }
  // What the one before had made is no less there.
  expect((await get<Snapshot>(kinds.snapshot, made.metadata.name, namespace)).status).toMatchObject({
    phase: 'Ready',
    snapshotID: made.status?.snapshotID,
  });
  return primary;
}

test('one is primary; the other refuses what changes the volume, and says where to go', async () => {
  const pods = await bothReady();
  const primary = await eventually('there is a primary', primaryPod);
  const standby = pods.find((pod) => pod !== primary) ?? '';
  await using agent = await forwardAgent(`pod/${standby}`, namespace);
  await eventually('it has been told', async () => {
    const { role } = await grpcCall<{ role?: string }>(agent, 'Agent/GetStatus');
    return role === 'ROLE_STANDBY';
  });
  for (const [method, request] of [
    ['Agent/CreateSnapshot', { note: 'by the standby' }],
    ['Agent/Fork', { id: '1700000000000-00000000', worktree: 'mine' }],
  ] as const) {
    await expect(grpcCall(agent, method, request)).rejects.toThrow(/standby.*status\.agent\.pod/s);
  }
  await using other = await forwardAgent(`pod/${primary}`, namespace);
  expect(await grpcCall(other, 'Agent/CreateSnapshot', { note: 'by the primary' })).toMatchObject({
    note: 'by the primary',
  });
});

test('the pod of the primary is deleted: the other takes over at once', async () => {
  const before = await takeover('deleted', (pod) =>
    kubectl('-n', namespace, 'delete', 'pod', pod, '--wait=false'),
  );
  expect(await anotherPrimaryThan(before)).not.toBe(before);
});

test('the pod of the primary is gone without a word', async () => {
  const before = await takeover('gone', (pod) =>
    kubectl('-n', namespace, 'delete', 'pod', pod, '--grace-period=0', '--force'),
  );
  await anotherPrimaryThan(before);
});

test('an agent that is killed is primary again, or its place is taken', async () => {
  await takeover('killed', (pod) => signalContainer(namespace, pod, 'jvs-agent'));
});

test('an agent that hangs, and comes to itself again when another is primary, does no harm', async () => {
  const before = await takeover('hung', (pod) => signalContainer(namespace, pod, 'jvs-agent', 'SIGSTOP'));
  await anotherPrimaryThan(before);
  // The kubelet may have restarted it by now.
  await signalContainer(namespace, before, 'jvs-agent', 'SIGCONT').catch(() => {});
  const ready = await createSnapshot(namespace, 'hung-later', { workspace: name });
  expect(await madeFor(ready)).toEqual([ready.status?.snapshotID]);
});
