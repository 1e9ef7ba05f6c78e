// For what runs inside the cluster (`npm run cluster -- run -- CMD`), as e2e tests and the demo do: the API
// server is reached by $KUBECONFIG; here is what the API cannot do, the node's side of things.
import { callControl, readStatus } from './control.ts';
import { clusterDir, clusterId } from './paths.ts';
import { output } from './process.ts';

/** Whether this process runs inside this checkout's cluster. */
export function insideCluster(): boolean {
  return process.env.JVS_CLUSTER === clusterId;
}

/** Ends the API server, by kill -9 if so asked; it stays down until startApiServer(). Pods go on. */
export async function stopApiServer(how: 'stop' | 'kill' = 'stop'): Promise<void> {
  await callControl(clusterDir, 'POST', `/kube-apiserver/${how}`);
}

/**
 * Starts the API server again and resolves when it answers. Those that waited for it meanwhile, longer and longer, a minute
 * in the end, start anew: in a cluster with more than one of each they would have lost their lease and ended, and would
 * not take what they missed for the silence of the nodes.
 */
export async function startApiServer(): Promise<void> {
  const call = (name: string, action: string) => callControl(clusterDir, 'POST', `/${name}/${action}`);
  const waiting = ['kube-controller-manager', 'kube-scheduler', 'kube-proxy'];
  for (const name of waiting) await call(name, 'kill');
  await call('kube-apiserver', 'start');
  await answers(120_000);
  for (const name of waiting) await call(name, 'start');
}

async function answers(withinMs: number): Promise<void> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    try {
      await output('kubectl', ['get', '--raw', '/readyz', '--request-timeout', '2s']);
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

/** Ends the kubelet: the node says nothing any more, and its containers go on. */
export async function stopKubelet(): Promise<void> {
  await callControl(clusterDir, 'POST', '/kubelet/kill');
}

/** Starts it again and resolves when the node is ready. */
export async function startKubelet(): Promise<void> {
  await callControl(clusterDir, 'POST', '/kubelet/start');
  await output('kubectl', ['wait', 'nodes', '--all', '--for=condition=Ready', '--timeout=180s']);
}

/** Pids inside the cluster's namespace of etcd, kubelet and the others, by name. */
export async function componentPids(): Promise<Record<string, number | undefined>> {
  return (await readStatus(clusterDir))?.components ?? {};
}

/**
 * The node's directory that holds a claim's data, `volumes/<namespace>_<claim>_<uid>` in the cluster's
 * directory. A plain directory on the machine's disk: readable here and, as root, outside the cluster too.
 */
export async function volumePath(namespace: string, claim: string): Promise<string> {
  const get = (...args: string[]) => output('kubectl', ['get', ...args]);
  const volume = await get('pvc', claim, '--namespace', namespace, '--output', 'jsonpath={.spec.volumeName}');
  if (!volume) throw new Error(`PersistentVolumeClaim ${namespace}/${claim} is not bound`);
  return get('pv', volume, '--output', 'jsonpath={.spec.local.path}');
}

/** The node's pid of a container's first process; init containers and sidecars count. */
export async function containerPid(namespace: string, pod: string, container: string): Promise<number> {
  const json = await output('kubectl', ['get', 'pod', pod, '--namespace', namespace, '--output', 'json']);
  interface Status {
    name: string;
    containerID?: string;
  }
  const { status } = JSON.parse(json) as {
    status: { containerStatuses?: Status[]; initContainerStatuses?: Status[] };
  };
  const all = [...(status.containerStatuses ?? []), ...(status.initContainerStatuses ?? [])];
  const id = all.find(({ name }) => name === container)?.containerID?.replace('containerd://', '');
  if (!id) throw new Error(`Pod ${namespace}/${pod} has no running container ${container}`);
  // The API server may be behind, or down: whether it runs is the runtime's to say.
  const tasks = await output('ctr', ['--namespace', 'k8s.io', 'tasks', 'list']);
  const pid = tasks.match(new RegExp(`^${id}\\s+(\\d+)\\s+RUNNING`, 'm'))?.[1];
  if (!pid) throw new Error(`Container ${container} of pod ${namespace}/${pod} does not run`);
  return Number(pid);
}

/** Signals a container's first process from the node, as the kernel or an operator on the node would. */
export async function signalContainer(
  namespace: string,
  pod: string,
  container: string,
  signal: NodeJS.Signals = 'SIGKILL',
): Promise<void> {
  process.kill(await containerPid(namespace, pod, container), signal);
}
