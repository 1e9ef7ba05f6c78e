// AdmissionReview v1 in and out.
import * as z from 'zod';
import { InvalidResource } from '../api/parse.ts';
import type { Pod } from '../runtime/resources.ts';
import { workspaceLabel } from '../workspace/objects.ts';
import type { AgentConfig } from './agent-container.ts';
import { injectAgent } from './inject.ts';
import type { WorkspaceLookup } from './lookup.ts';
import { diff } from './patch.ts';
import { Refusal } from './refusal.ts';

export const injectLabel = 'jvs.io/inject';

const container = z.looseObject({
  name: z.string(),
  volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })).optional(),
  env: z.array(z.looseObject({ name: z.string() })).optional(),
});
/** As far as the injection looks; the rest is the API server's, which has checked it. */
const podShape = z.looseObject({
  metadata: z.looseObject({
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  spec: z.looseObject({
    containers: z.array(container),
    initContainers: z.array(container).optional(),
    volumes: z.array(z.looseObject({ name: z.string() })).optional(),
  }),
});

const reviewSchema = z.object({
  apiVersion: z.literal('admission.k8s.io/v1'),
  kind: z.literal('AdmissionReview'),
  request: z.object({
    uid: z.string(),
    /** Of the request: a pod that is being created may not carry its own yet. */
    namespace: z.string(),
    object: z.custom<Pod>((value) => podShape.safeParse(value).success, 'must be a Pod'),
  }),
});

type PodReview = z.infer<typeof reviewSchema>['request'];

export interface AdmissionResponse {
  uid: string;
  allowed: boolean;
  status?: { code: number; reason: string; message: string };
  patchType?: 'JSONPatch';
  /** A JSON patch in base64. */
  patch?: string;
  warnings?: string[];
}

export interface AdmissionReview {
  apiVersion: 'admission.k8s.io/v1';
  kind: 'AdmissionReview';
  response: AdmissionResponse;
}

/** What was sent is no AdmissionReview of a pod. */
export class MalformedReview extends Error {
  override readonly name = 'MalformedReview';
}

/** Answers the body of a request to the webhook. */
export type Reviewer = (body: unknown, signal: AbortSignal) => Promise<AdmissionReview>;

/**
 * Has no effects, so dry runs are no special case. The reviewer throws MalformedReview, and what the lookup throws:
 * then there is no answer, and the API server refuses the pod.
 */
export function podReviewer(lookup: WorkspaceLookup, config: AgentConfig): Reviewer {
  return async (body, signal) => {
    const parsed = reviewSchema.safeParse(body);
    if (!parsed.success) throw new MalformedReview(z.prettifyError(parsed.error), { cause: parsed.error });
    const { request } = parsed.data;
    const response = await review(request, lookup, config, signal).catch((error: unknown) => {
      if (error instanceof Refusal) return deny(error.message);
      throw error;
    });
    return {
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      response: { uid: request.uid, ...response },
    };
  };
}

type Answer = Omit<AdmissionResponse, 'uid'>;

async function review(
  { namespace, object: pod }: PodReview,
  lookup: WorkspaceLookup,
  config: AgentConfig,
  signal: AbortSignal,
): Promise<Answer> {
  const labels = pod.metadata.labels ?? {};
  const name = labels[workspaceLabel];
  // The webhook's selector says the same; somebody may have changed it.
  if (name === undefined || labels[injectLabel] === 'false') return { allowed: true };
  if (name === '')
    return deny(
      `label ${workspaceLabel} is empty. Give it the name of a Workspace, or remove the label to run without one`,
    );
  const label = `label ${workspaceLabel}: ${name}`;
  const workspace = await lookup(namespace, name, signal).catch((error: unknown) => {
    if (!(error instanceof InvalidResource)) throw error;
    throw new Refusal(`${label}: the Workspace can not be read: ${error.message}`, { cause: error });
  });
  if (!workspace)
    return deny(
      `${label}: there is no Workspace "${name}" in namespace ${namespace}. Create it first, correct the label, or remove the label to run without it`,
    );
  if (workspace.metadata.deletionTimestamp)
    return deny(
      `${label}: Workspace "${name}" in namespace ${namespace} is being deleted. Wait until it is gone and create it anew, or remove the label`,
    );
  const { pod: injected, warnings } = injectAgent(pod, workspace, config);
  const operations = diff(pod, injected);
  return {
    allowed: true,
    ...(operations.length > 0 && {
      patchType: 'JSONPatch',
      patch: Buffer.from(JSON.stringify(operations)).toString('base64'),
    }),
    ...(warnings.length > 0 && { warnings }),
  };
}

const deny = (message: string): Answer => ({
  allowed: false,
  status: { code: 403, reason: 'Forbidden', message },
});
