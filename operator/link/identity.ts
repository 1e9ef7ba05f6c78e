// Who an agent is, from what the API server says of its token and its pod. Pure.
import { status } from '@grpc/grpc-js';
import type { Hello } from '../../shared/proto/gen/jvs/link/v1/Hello.ts';
import type { TokenReviewStatus } from '../runtime/client.ts';
import { type Refusal, refusal } from './refusal.ts';

export const AUDIENCE = 'jvs-operator';
export const WORKSPACE_LABEL = 'jvs.io/workspace';

/** A Pod, as far as it is read here. */
export interface AgentPod {
  metadata: {
    name: string;
    namespace?: string;
    uid?: string;
    deletionTimestamp?: string;
    labels?: Record<string, string>;
  };
  spec?: { nodeName?: string };
  status?: { phase?: string };
}

/** The pod that a token is bound to. */
export interface PodRef {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** The agent in `pod` may speak for `workspace` (`namespace/name`) and for no other. */
export interface Identity {
  readonly pod: PodRef;
  readonly node: string;
  readonly workspace: string;
  /** The pod is being deleted. */
  readonly leaving?: boolean;
}

const USERNAME = /^system:serviceaccount:([^:]+):[^:]+$/;
const MAX_FIELD = 256;

/** The pod that the reviewed token is bound to; UNAUTHENTICATED when it is no token of a pod for our audience. */
export function podOf(review: TokenReviewStatus): PodRef | Refusal {
  if (!review.authenticated) {
    return unauthenticated(`the API server does not accept it (${review.error || 'no reason given'})`);
  }
  if (!review.audiences?.includes(AUDIENCE)) return unauthenticated('it is for another audience');
  const { username = '', extra = {} } = review.user ?? {};
  const namespace = USERNAME.exec(username)?.[1];
  if (!namespace) return unauthenticated('it does not belong to a ServiceAccount');
  const name = extra['authentication.kubernetes.io/pod-name']?.[0];
  const uid = extra['authentication.kubernetes.io/pod-uid']?.[0];
  if (!name || !uid) return unauthenticated('it is not bound to a pod');
  return { namespace, name, uid };
}

function unauthenticated(why: string): Refusal {
  return refusal(
    status.UNAUTHENTICATED,
    `Token refused: ${why}. Send the projected token of this pod with audience ${AUDIENCE}, read from its file at every connect.`,
  );
}

/**
 * Whether the bearer of the reviewed token may speak for the workspace it names.
 * `pod`: the pod of that namespace and name now, undefined when there is none.
 */
export function decideIdentity(
  review: TokenReviewStatus,
  pod: AgentPod | undefined,
  hello: Hello,
): Identity | Refusal {
  const ref = podOf(review);
  if ('code' in ref) return ref;
  const malformed = [hello.workspace, hello.pod, hello.node, hello.session, hello.version].some(
    (field) => field.length > MAX_FIELD,
  );
  if (malformed) {
    return refusal(status.INVALID_ARGUMENT, `A field of Hello is longer than ${MAX_FIELD} characters.`);
  }
  if (hello.pod !== ref.name) {
    return refusal(
      status.PERMISSION_DENIED,
      `Hello.pod is ${JSON.stringify(hello.pod)}, but the token belongs to pod ${ref.name}: set JVS_POD to metadata.name of the agent's own pod.`,
    );
  }
  const denied = denyPod(ref, pod, hello.workspace);
  return (
    denied ?? {
      pod: ref,
      node: pod?.spec?.nodeName ?? hello.node,
      workspace: `${ref.namespace}/${hello.workspace}`,
      ...(pod?.metadata.deletionTimestamp && { leaving: true }),
    }
  );
}

/** Why the pod that a token is bound to does not, or does no longer, speak for `workspace` (its name alone). */
export function denyPod(ref: PodRef, pod: AgentPod | undefined, workspace: string): Refusal | undefined {
  const named = `Pod ${ref.namespace}/${ref.name}`;
  const deny = (message: string) => refusal(status.PERMISSION_DENIED, message);
  if (!pod) return deny(`${named} does not exist any more; its agent has no work left.`);
  if (pod.metadata.uid !== ref.uid) {
    return deny(`${named} has been replaced by another of the same name; its agent has no work left.`);
  }
  const phase = pod.status?.phase;
  if (phase === 'Succeeded' || phase === 'Failed') {
    return deny(`${named} is finished (${phase}); its agent has no work left.`);
  }
  const label = pod.metadata.labels?.[WORKSPACE_LABEL];
  if (!label || label !== workspace) {
    return deny(
      label
        ? `${named} has label ${WORKSPACE_LABEL}=${label} and may not speak for Workspace ${JSON.stringify(workspace)}: let Hello.workspace (JVS_WORKSPACE_NAME) and the label name the same Workspace.`
        : `${named} has no label ${WORKSPACE_LABEL}: add it with the name of its Workspace.`,
    );
  }
  return undefined;
}
