// Asks the API server who an agent is.
import { type Metadata, status } from '@grpc/grpc-js';
import type { Logger } from '../../shared/log.ts';
import type { Hello } from '../../shared/proto/gen/jvs/link/v1/Hello.ts';
import type { TokenReviewStatus } from '../runtime/client.ts';
import { Blocklist } from './blocklist.ts';
import { type Clock, systemClock } from './clock.ts';
import { Gate } from './gate.ts';
import { type AgentPod, AUDIENCE, decideIdentity, denyPod, type Identity, podOf } from './identity.ts';
import { type Refusal, refusal } from './refusal.ts';

/** TokenReview for audience `jvs-operator`; rejects when the API server can not be asked. */
export type ReviewToken = (token: string, signal: AbortSignal) => Promise<TokenReviewStatus>;

/** The pods that carry the workspace label. */
export interface PodSource {
  /** From the cache: may lag, and may not be there yet. */
  get(namespace: string, name: string): AgentPod | undefined;
  /** From the API server; undefined when there is none. */
  fetch(namespace: string, name: string, signal: AbortSignal): Promise<AgentPod | undefined>;
  /** Called after every change in the cache; `pod` is undefined when it is gone or has lost the label. */
  onChange(handler: (namespace: string, name: string, pod: AgentPod | undefined) => void): void;
}

const BEARER = /^Bearer ([\x21-\x7e]{1,16384})$/i;
const BAD_TOKEN_MS = 10_000;
const FLOOD_MS = 30_000;
/** A restart of the operator brings all agents at once; the API server is asked about so many at a time. */
const REVIEWS = { atOnce: 16, waiting: 5_000 };
const TIMEOUT_MS = 5_000;

export class Authenticator {
  readonly #review: ReviewToken;
  readonly #pods: PodSource;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #blocked = new Blocklist();
  readonly #gate = new Gate(REVIEWS.atOnce, REVIEWS.waiting);

  constructor(review: ReviewToken, pods: PodSource, log: Logger, clock: Clock = systemClock) {
    this.#review = review;
    this.#pods = pods;
    this.#log = log;
    this.#clock = clock;
  }

  /** Before anything is read from the stream: whether its token is one of a pod. */
  async reviewToken(metadata: Metadata, signal: AbortSignal): Promise<TokenReviewStatus | Refusal> {
    const token = bearer(metadata);
    if (!token) {
      return refusal(
        status.UNAUTHENTICATED,
        `No token: send metadata "authorization: Bearer <projected token, audience ${AUDIENCE}>".`,
      );
    }
    const blocked = this.#blocked.find(token, this.#clock.monotonic());
    if (blocked) return { ...blocked, repeated: true };
    const review = await this.#ask((bounded) => this.#review(token, bounded), signal);
    if ('code' in review) return review;
    const ref = podOf(review);
    if ('code' in ref) {
      this.#blocked.add(token, ref, this.#clock.monotonic() + BAD_TOKEN_MS);
      return ref;
    }
    return review;
  }

  /** The cache decides when it lets the pod in; the API server does when the cache would not. */
  async identify(review: TokenReviewStatus, hello: Hello, signal: AbortSignal): Promise<Identity | Refusal> {
    const ref = podOf(review);
    if ('code' in ref) return ref;
    const cached = decideIdentity(review, this.#pods.get(ref.namespace, ref.name), hello);
    if (!('code' in cached) || cached.code !== status.PERMISSION_DENIED) return cached;
    const pod = await this.#ask(
      async (bounded) => ({ now: await this.#pods.fetch(ref.namespace, ref.name, bounded) }),
      signal,
    );
    return 'code' in pod ? pod : decideIdentity(review, pod.now, hello);
  }

  /** Why the agent may not speak for its workspace any more; nothing while it may or nobody can say. */
  async recheck({ pod, workspace }: Identity, signal: AbortSignal): Promise<Refusal | undefined> {
    const name = workspace.slice(workspace.indexOf('/') + 1);
    if (!denyPod(pod, this.#pods.get(pod.namespace, pod.name), name)) return undefined;
    const live = await this.#ask(
      async (bounded) => ({ now: await this.#pods.fetch(pod.namespace, pod.name, bounded) }),
      signal,
    );
    return 'code' in live ? undefined : denyPod(pod, live.now, name);
  }

  /** Keeps an agent that broke the rules away for a while. */
  block(metadata: Metadata, reason: Refusal): void {
    const token = bearer(metadata);
    if (token) this.#blocked.add(token, reason, this.#clock.monotonic() + FLOOD_MS);
  }

  async #ask<T>(question: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T | Refusal> {
    try {
      return await this.#gate.run(
        () => question(AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)])),
        signal,
      );
    } catch (err) {
      if (!signal.aborted) this.#log.warn({ err }, 'can not check an agent: the API server does not answer');
      return refusal(
        status.UNAVAILABLE,
        'The operator can not ask the API server who this is; try again in a moment.',
      );
    }
  }
}

function bearer(metadata: Metadata): string | undefined {
  const values = metadata.get('authorization');
  return values.length === 1 ? BEARER.exec(String(values[0]))?.[1] : undefined;
}
