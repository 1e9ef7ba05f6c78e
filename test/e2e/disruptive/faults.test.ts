import { expect, test } from 'vitest';
import type { Snapshot } from '../../../operator/api/snapshot.ts';
import type { Pod } from '../../../operator/runtime/resources.ts';
import { containerPid, signalContainer, startApiServer, stopApiServer } from '../../cluster/cluster.ts';
import { output } from '../../cluster/process.ts';
import { eventually, kinds, kubectl } from '../../kubectl.ts';
import {
  applySnapshot,
  createSnapshot,
  createWorkspace,
  idleContainer,
  inPhase,
  madeFor,
  podOf,
  podSpec,
  snapshotIn,
  useNamespace,
} from '../world.ts';

const namespace = useNamespace();
const template = { spec: podSpec(idleContainer()) };

interface OperatorPod {
  name: string;
  leads: boolean;
  restarts: number;
}

async function operatorPods(): Promise<OperatorPod[]> {
  const selector = 'app.kubernetes.io/name=jvs-operator';
  const text = await kubectl('-n', 'jvs-system', 'get', 'pods', '-l', selector, '-o', 'json');
  return (JSON.parse(text).items as Pod[]).map(({ metadata, status }) => ({
    name: metadata.name,
    leads: metadata.labels?.['jvs.io/leader'] === 'true',
    restarts: status?.containerStatuses?.[0]?.restartCount ?? 0,
  }));
}

const leader = (): Promise<OperatorPod> =>
  eventually('a replica leads', async () => (await operatorPods()).find(({ leads }) => leads));

test('an operator killed between request and answer asks for nothing twice', async () => {
  await createWorkspace(namespace, 'orphan', { template });
  const { name } = await leader();
  const requests = Promise.all(
    Array.from({ length: 5 }, (_, i) => applySnapshot(namespace, `orphan-${i}`, { workspace: 'orphan' })),
  );
  await signalContainer('jvs-system', name, 'operator');
  await requests;
  for (let i = 0; i < 5; i++) {
    const snapshot = await snapshotIn(namespace, `orphan-${i}`, 'Ready');
    expect(await madeFor(snapshot)).toEqual([snapshot.status?.snapshotID]);
  }
});

test('a minute without an API server loses nothing and needs no restart of the operator', async () => {
  await createWorkspace(namespace, 'cutoff', { template });
  const restarts = async () => (await operatorPods()).map(({ name, restarts }) => [name, restarts]);
  const before = await restarts();
  const { name: leading } = await leader();
  const pid = await containerPid(namespace, await podOf(namespace, 'cutoff'), 'jvs-agent');
  await applySnapshot(namespace, 'before-outage', { workspace: 'cutoff' });
  await stopApiServer('kill');
  const outage = new Promise((resolve) => setTimeout(resolve, 60_000));
  // As a container of the pod would call it: no kubectl works now.
  const made = await output('nsenter', [
    ...['-t', String(pid), '-n', 'grpcurl', '-plaintext', '-d', '{"note": "alone"}'],
    ...['127.0.0.1:7443', 'jvs.agent.v1.Agent/CreateSnapshot'],
  ]);
  expect(JSON.parse(made)).toMatchObject({ note: 'alone', origin: 'self' });
  await outage;
  await startApiServer();
  // The agent's longest wait between attempts is 15 s, an informer's 10 s.
  await inPhase<Snapshot>(kinds.snapshot, namespace, 'before-outage', 'Ready', 45);
  await createSnapshot(namespace, 'after-outage', { workspace: 'cutoff' });
  expect(await restarts()).toEqual(before);
  expect((await leader()).name).toBe(leading);
});
