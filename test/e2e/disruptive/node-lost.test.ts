import { expect, test } from 'vitest';
import { startKubelet, stopKubelet } from '../../cluster/cluster.ts';
import { kubectl } from '../../kubectl.ts';
import {
  applySnapshot,
  conditionOf,
  createSnapshot,
  createWorkspace,
  eventOf,
  exec,
  idleContainer,
  madeFor,
  podOf,
  podSpec,
  snapshotIn,
  useNamespace,
  workspaceIn,
} from '../world.ts';

const namespace = useNamespace();

test('a node is lost and its pod deleted by force: the Workspace says so, nothing is made twice, all is well afterwards', async () => {
  await createWorkspace(namespace, 'far', { template: { spec: podSpec(idleContainer()) } });
  await exec(namespace, 'deploy/jvs-far', 'main', 'echo precious > "$JVS_WORKSPACE/file"');
  const snapshots = [await createSnapshot(namespace, 'before', { workspace: 'far' })];
  const pod = await podOf(namespace, 'far');
  await stopKubelet();
  try {
    // After the 50 s that a cluster waits for a node.
    expect(await conditionOf(namespace, 'far', 'Ready', 'NodeLost')).toContain(
      `of pod ${pod} does not answer`,
    );
    await eventOf(namespace, 'far', /^NodeLost: /);
    // Only its kubelet is silent: the agent takes what it is asked for.
    snapshots.push(await createSnapshot(namespace, 'meanwhile', { workspace: 'far' }));
    await kubectl('-n', namespace, 'delete', 'pod', pod, '--force');
    await applySnapshot(namespace, 'abandoned', { workspace: 'far' });
  } finally {
    await startKubelet();
  }
  await kubectl('-n', 'jvs-system', 'rollout', 'status', 'deploy/jvs-operator', '--timeout=180s');
  await workspaceIn(namespace, 'far', 'Ready');
  snapshots.push(await snapshotIn(namespace, 'abandoned', 'Ready'));
  for (const snapshot of snapshots) expect(await madeFor(snapshot)).toEqual([snapshot.status?.snapshotID]);
  expect(await podOf(namespace, 'far')).not.toBe(pod);
  expect(await exec(namespace, 'deploy/jvs-far', 'main', 'cat "$JVS_WORKSPACE/file"')).toBe('precious\n');
  await exec(namespace, 'deploy/jvs-far', 'jvs-agent', 'jvs-agent verify --all');
});
