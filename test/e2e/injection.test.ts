import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { volumePath } from '../cluster/cluster.ts';
import { apply, eventually, get, kubectl } from '../kubectl.ts';
import {
  applyRestore,
  createSnapshot,
  createWorkspace,
  exec,
  idleContainer,
  podSpec,
  useNamespace,
} from './world.ts';

const namespace = useNamespace({ 'pod-security.kubernetes.io/enforce': 'restricted' });

interface Pod {
  spec: { initContainers?: { name: string; restartPolicy?: string }[]; containers: { name: string }[] };
  status: { phase: string };
}

const labels = { 'jvs.io/workspace': 'shared' };
const metadata = (name: string, more: object = {}) => ({ name, namespace, labels, ...more });
const running = (name: string) =>
  eventually(`pod ${name} runs`, async () => {
    const pod = await get<Pod>('pod', name, namespace);
    return pod.status.phase === 'Running' && pod;
  });

test('a Job of the user works on a ready tree, completes, and its agent goes with it', async () => {
  await createWorkspace(namespace, 'shared', { replicas: 0 });
  await apply({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'job', namespace },
    spec: {
      template: {
        metadata: { labels },
        spec: {
          ...podSpec(
            idleContainer('main', 'test -d "$JVS_WORKSPACE" && echo done > "$JVS_WORKSPACE/result"'),
          ),
          restartPolicy: 'Never',
        },
      },
    },
  });
  await kubectl('-n', namespace, 'wait', '--for=condition=Complete', 'job/job', '--timeout=180s');
  const volume = await volumePath(namespace, 'jvs-shared');
  expect(await readdir(join(volume, 'main'))).toEqual(['result']);
});

test("a user's own pod gets volume and agent, and a Snapshot is taken in it", async () => {
  await apply({ apiVersion: 'v1', kind: 'Pod', metadata: metadata('own'), spec: podSpec(idleContainer()) });
  const { spec } = await running('own');
  expect(spec.initContainers).toMatchObject([{ name: 'jvs-agent', restartPolicy: 'Always' }]);
  await createSnapshot(namespace, 'of-own-pod', { workspace: 'shared' });
  expect(await exec(namespace, 'own', 'main', 'cat /workspace/.jvs/snapshots/*/result')).toBe('done\n');
  await kubectl('-n', namespace, 'delete', 'pod', 'own');
});

test('a pod of a worktree waits until it is there, says so, and works in it', async () => {
  const annotations = { 'jvs.io/worktree': 'exp' };
  const forked = { apiVersion: 'v1', kind: 'Pod', metadata: metadata('forked', { annotations }) };
  await apply({ ...forked, spec: podSpec(idleContainer()) });
  await eventually('its agent says what it waits for', async () =>
    (await kubectl('-n', namespace, 'logs', 'forked', '-c', 'jvs-agent')).includes(
      'the pod waits for worktree exp',
    ),
  );
  expect((await get<Pod>('pod', 'forked', namespace)).status.phase).toBe('Pending');
  await applyRestore(namespace, 'fork', {
    workspace: 'shared',
    snapshot: 'of-own-pod',
    newWorktree: 'exp',
  });
  await running('forked');
  const seen = 'echo "$JVS_WORKSPACE"; cat "$JVS_WORKSPACE/result"';
  expect(await exec(namespace, 'forked', 'main', seen)).toBe('/workspace/worktrees/exp\ndone\n');
  await kubectl('-n', namespace, 'delete', 'pod', 'forked');
});

test('a StatefulSet gets it too', async () => {
  await apply({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'set', namespace },
    spec: {
      serviceName: 'set',
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: podSpec(idleContainer()) },
    },
  });
  const { spec } = await running('set-0');
  expect(spec.initContainers?.map(({ name }) => name)).toEqual(['jvs-agent']);
  await kubectl('-n', namespace, 'delete', 'statefulset', 'set');
});

test('the agent has no way to the Kubernetes API', async () => {
  await apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: metadata('tokens'),
    spec: podSpec(idleContainer()),
  });
  await running('tokens');
  const files = await exec(
    namespace,
    'tokens',
    'jvs-agent',
    'ls /var/run/secrets/kubernetes.io/serviceaccount',
  );
  expect(files).toBe('');
  await kubectl('-n', namespace, 'delete', 'pod', 'tokens');
});

test('a label that names no Workspace of the namespace is refused with what to do', async () => {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'lost', namespace, labels: { 'jvs.io/workspace': 'nowhere' } },
    spec: podSpec(idleContainer()),
  };
  await expect(apply(pod)).rejects.toThrow(/no Workspace "nowhere" in namespace/);
});
