// Nodes that no longer say anything; the operator sees them in the pods there, for it may not look at nodes. Pure.
import type { Pod } from '../runtime/resources.ts';

/** What is to be said where the node of a pod is lost; undefined where none is. */
export function lostNode(pods: readonly Pod[]): string | undefined {
  const pod = pods.find(isOnLostNode);
  if (!pod) return undefined;
  const { namespace, name } = pod.metadata;
  return `node ${pod.spec?.nodeName} of pod ${name} does not answer; what runs there may go on writing. All goes on when it is back. Where it is gone for good, or certainly off: kubectl -n ${namespace} delete pod ${name} --force`;
}

/** The control plane calls such a pod not ready, and leaves what the kubelet has said of its containers. */
function isOnLostNode({ status }: Pod): boolean {
  const conditions = new Map(status?.conditions?.map((condition) => [condition.type, condition]));
  const ready = conditions.get('Ready');
  // A kubelet gives a reason, such as ReadinessGatesNotReady.
  return ready?.status === 'False' && !ready.reason && conditions.get('ContainersReady')?.status === 'True';
}
