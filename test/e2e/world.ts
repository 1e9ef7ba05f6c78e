// A namespace for a test file, and the objects of the tests as the API server has them.
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import type { Restore } from '../../operator/api/restore.ts';
import type { Snapshot } from '../../operator/api/snapshot.ts';
import type { Workspace } from '../../operator/api/workspace.ts';
import { volumePath } from '../cluster/cluster.ts';
import { apply, eventually, get, kinds, kubectl } from '../kubectl.ts';

/** Of a fresh namespace that lives as long as the test file. */
export function useNamespace(labels: Record<string, string> = {}): string {
  const name = `e2e-${randomBytes(4).toString('hex')}`;
  beforeAll(() => apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }));
  afterAll(() => kubectl('delete', 'namespace', name, '--wait=false'));
  return name;
}

/** Applies a Workspace and waits for the phase; its status says why when it does not come. */
export async function createWorkspace(
  namespace: string,
  name: string,
  spec: object = {},
): Promise<Workspace> {
  await apply(workspaceOf(namespace, name, { storage: '1Gi', ...spec }));
  return workspaceIn(namespace, name, 'Ready');
}

export const workspaceOf = (namespace: string, name: string, spec: object): object => ({
  apiVersion: 'jvs.io/v1alpha1',
  kind: 'Workspace',
  metadata: { namespace, name },
  spec,
});

export const workspaceIn = (namespace: string, name: string, phase: string): Promise<Workspace> =>
  inPhase<Workspace>(kinds.workspace, namespace, name, phase);

export async function createSnapshot(namespace: string, name: string, spec: object): Promise<Snapshot> {
  await applySnapshot(namespace, name, spec);
  return snapshotIn(namespace, name, 'Ready');
}

export const applySnapshot = (namespace: string, name: string, spec: object): Promise<string> =>
  apply({ apiVersion: 'jvs.io/v1alpha1', kind: 'Snapshot', metadata: { namespace, name }, spec });

export const snapshotIn = (namespace: string, name: string, phase: string): Promise<Snapshot> =>
  inPhase<Snapshot>(kinds.snapshot, namespace, name, phase);

/** Of a worktree of a Workspace, once; waits for the phase. */
export async function restoreIn(namespace: string, name: string, phase: string): Promise<Restore> {
  return inPhase<Restore>(kinds.restore, namespace, name, phase);
}

export const applyRestore = (namespace: string, name: string, spec: object): Promise<string> =>
  apply({ apiVersion: 'jvs.io/v1alpha1', kind: 'Restore', metadata: { namespace, name }, spec });

/** Waits for the phase; the error has the status that there was instead. */
export async function inPhase<T extends { status?: { phase?: string; message?: string } }>(
  kind: string,
  namespace: string,
  name: string,
  phase: string,
  seconds = 240,
): Promise<T> {
  let last: T | undefined;
  try {
    return await eventually(
      `${kind} ${name} is ${phase}`,
      async () => {
        last = await get<T>(kind, name, namespace);
        return last.status?.phase === phase && last;
      },
      seconds,
    );
  } catch (cause) {
    throw new Error(`${kind} ${name} is not ${phase}: ${JSON.stringify(last?.status)}`, { cause });
  }
}

/** Waits for a condition of a Workspace with that reason, and returns its message. */
export const conditionOf = (namespace: string, name: string, type: string, reason: string): Promise<string> =>
  eventually(`condition ${type} of Workspace ${name} has reason ${reason}`, async () => {
    const { status } = await get<Workspace>(kinds.workspace, name, namespace);
    return status?.conditions?.find((condition) => condition.type === type && condition.reason === reason)
      ?.message;
  });

/** A user's container that does nothing, with the restricted Pod Security Standard met. */
export const idleContainer = (name = 'main', command = 'trap exit TERM; tail -f /dev/null & wait') => ({
  name,
  image: 'busybox:dev',
  command: ['sh', '-c', command],
  securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
});

/** Pod spec of user 1000 that fits the restricted Pod Security Standard. */
export const podSpec = (...containers: object[]) => ({
  terminationGracePeriodSeconds: 5,
  securityContext: {
    runAsNonRoot: true,
    runAsUser: 1000,
    fsGroup: 1000,
    seccompProfile: { type: 'RuntimeDefault' },
  },
  containers,
});

/** Runs a shell script in a container and resolves to what it prints. */
export const exec = (namespace: string, target: string, container: string, script: string): Promise<string> =>
  kubectl('-n', namespace, 'exec', target, '-c', container, '--', 'sh', '-c', script);

/** The name of a Workspace's only pod. */
export const podOf = (namespace: string, workspace: string): Promise<string> =>
  kubectl(
    ...['-n', namespace, 'get', 'pods', '-l', `jvs.io/workspace=${workspace}`],
    ...['-o', 'jsonpath={.items[0].metadata.name}'],
  );

/** Ids on the volume of what was made for a Snapshot resource. */
export async function madeFor(snapshot: Snapshot): Promise<string[]> {
  const { metadata, spec } = snapshot;
  const volume = await volumePath(metadata.namespace ?? '', `jvs-${spec.workspace}`);
  const ids: string[] = [];
  for (const file of await readdir(join(volume, '.jvs/descriptors'))) {
    if (!file.endsWith('.json')) continue;
    const { tags = [] } = JSON.parse(await readFile(join(volume, '.jvs/descriptors', file), 'utf8'));
    if (tags.includes(`k8s-${metadata.uid}`)) ids.push(file.slice(0, -'.json'.length));
  }
  return ids;
}

/** Waits for an event about an object, which is written a little after what it tells of; resolves to it. */
export const eventOf = (namespace: string, name: string, what: RegExp): Promise<string> =>
  eventually(`an event about ${name} matches ${what}`, async () =>
    (await eventsOf(namespace, name)).find((event) => what.test(event)),
  );

/** Reason and message of the events about an object. */
async function eventsOf(namespace: string, name: string): Promise<string[]> {
  const list = JSON.parse(
    await kubectl(
      '-n',
      namespace,
      'get',
      'events',
      '--field-selector',
      `involvedObject.name=${name}`,
      '-o',
      'json',
    ),
  ) as { items: { reason: string; message: string }[] };
  return list.items.map(({ reason, message }) => `${reason}: ${message}`);
}

/** A directory of the node as the volume of a Workspace; resolves to its StorageClass. */
export async function useStaticVolume(
  namespace: string,
  workspace: string,
  path: string,
  size: string,
): Promise<string> {
  const node = (await kubectl('get', 'nodes', '-o', 'jsonpath={.items[0].metadata.name}')).trim();
  const storageClassName = `static-${namespace}`;
  await apply({
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: storageClassName },
    provisioner: 'kubernetes.io/no-provisioner',
  });
  await apply({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `${workspace}-${namespace}` },
    spec: {
      capacity: { storage: size },
      accessModes: ['ReadWriteOnce'],
      storageClassName,
      claimRef: { namespace, name: `jvs-${workspace}` },
      local: { path },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] },
          ],
        },
      },
    },
  });
  return storageClassName;
}

/** Does `work` while no replica of the operator is left, then starts as many as before and waits for them. */
export async function withoutOperator(work: () => Promise<void>): Promise<void> {
  const operator = (...args: string[]) => kubectl('-n', 'jvs-system', ...args);
  const deployment = 'deploy/jvs-operator';
  const replicas = await operator('get', deployment, '-o', 'jsonpath={.spec.replicas}');
  await operator('scale', deployment, '--replicas=0');
  try {
    const selector = 'app.kubernetes.io/name=jvs-operator';
    await operator('wait', '--for=delete', 'pod', '-l', selector, '--timeout=180s');
    await work();
  } finally {
    await operator('scale', deployment, `--replicas=${replicas}`);
    await operator('rollout', 'status', deployment, '--timeout=180s');
  }
}
