// Which of the operator's requests is next. Pure: time and random are given.

import { type Backoff, backoffMs } from '../../shared/backoff.ts';
import type { Deletion } from '../../shared/proto/gen/jvs/link/v1/Deletion.ts';
import type { DesiredState } from '../../shared/proto/gen/jvs/link/v1/DesiredState.ts';
import type { RequestUpdateInput } from '../../shared/proto/gen/jvs/link/v1/RequestUpdate.ts';
import type { RestoreRequest } from '../../shared/proto/gen/jvs/link/v1/RestoreRequest.ts';
import type { SnapshotRequest } from '../../shared/proto/gen/jvs/link/v1/SnapshotRequest.ts';
import { RepositoryError } from '../repository/repository.ts';
import { VolumeUnavailable } from '../volume/volume.ts';

/** What the operator asks for, of whatever kind. */
export type Request =
  | { readonly kind: 'snapshot'; readonly asked: SnapshotRequest }
  | { readonly kind: 'restore'; readonly asked: RestoreRequest }
  | { readonly kind: 'deletion'; readonly asked: Deletion };

/** A request and how far this agent is with it. Replaced, never changed. */
export interface RequestState {
  readonly request: Request;
  readonly phase: 'queued' | 'running' | 'waiting' | 'failed' | 'done';
  readonly attempts: number;
  /** Milliseconds of the monotonic clock; a waiting request is not tried before. */
  readonly notBefore: number;
  /** Latest word to the operator; none while queued, and none when done where the inventory is the word. */
  readonly update?: RequestUpdateInput;
}

/** By `keyOf`: a resource may be deleted while another thing is asked for under its uid. */
export type Requests = ReadonlyMap<string, RequestState>;

export const keyOf = ({ kind, asked }: Request): string => `${kind} ${asked.uid}`;

/** What is there of each kind is in its order; what brings data back comes before what lets it go. */
export function requestsOf({
  snapshots,
  restores,
  deletions,
}: Pick<DesiredState, 'snapshots' | 'restores' | 'deletions'>): Request[] {
  return [
    ...snapshots.map((asked) => ({ kind: 'snapshot', asked }) as const),
    ...restores.map((asked) => ({ kind: 'restore', asked }) as const),
    ...deletions.map((asked) => ({ kind: 'deletion', asked }) as const),
  ];
}

/** Known requests keep their place and state, vanished ones are dropped, new ones follow. */
export function mergeRequests(known: Requests, desired: readonly Request[]): Requests {
  const wanted = new Map(desired.map((request) => [keyOf(request), request]));
  const merged = new Map([...known].filter(([key]) => wanted.has(key)));
  for (const [key, request] of wanted) {
    if (!merged.has(key)) merged.set(key, { request, phase: 'queued', attempts: 0, notBefore: 0 });
  }
  return merged;
}

export type Next = { run: RequestState } | { wakeAt: number } | undefined;

/** The first request that may run now, else when to look again, else nothing to do. */
export function planNext(requests: Requests, now: number): Next {
  let wakeAt = Number.POSITIVE_INFINITY;
  for (const state of requests.values()) {
    if (state.phase !== 'queued' && state.phase !== 'waiting') continue;
    if (state.notBefore <= now) return { run: state };
    wakeAt = Math.min(wakeAt, state.notBefore);
  }
  return Number.isFinite(wakeAt) ? { wakeAt } : undefined;
}

/** The name of a restore that has not ended and needs this snapshot. */
export function neededBy(requests: Requests, snapshotId: string): string | undefined {
  for (const { request, phase } of requests.values()) {
    if (request.kind !== 'restore' || phase === 'done' || phase === 'failed') continue;
    if (request.asked.snapshotId === snapshotId) return request.asked.name || request.asked.uid;
  }
  return undefined;
}

const retry: Backoff = { baseMs: 1000, capMs: 60_000 };

/** The operator hangs up on a text of 16 KiB, and a path in one can be as long. What failed stands first, why last. */
const clip = (text: string) => (text.length > 2048 ? `${text.slice(0, 1024)} … ${text.slice(-1021)}` : text);

/** Where a request stands after an attempt that failed. What a restore has taken before it stays told. */
export function afterFailure(
  state: RequestState,
  error: unknown,
  now: number,
  random: () => number,
): RequestState {
  const { uid } = state.request.asked;
  const { preRestoreSnapshotId } = state.update ?? {};
  const told = { uid, ...(preRestoreSnapshotId && { preRestoreSnapshotId }) };
  const message = clip(error instanceof Error ? error.message : String(error));
  if (error instanceof VolumeUnavailable) {
    // Tried again as soon as the volume opens; how long that takes says nothing about the request.
    const update = { ...told, phase: 'PHASE_WAITING', reason: error.problem.reason, message } as const;
    return { ...state, phase: 'waiting', notBefore: 0, update };
  }
  if (error instanceof RepositoryError && error.reason === 'Aborted') {
    return { ...state, phase: 'queued', update: undefined };
  }
  const reason = error instanceof RepositoryError ? error.reason : 'Internal';
  if (error instanceof RepositoryError && !error.transient) {
    return { ...state, phase: 'failed', update: { ...told, phase: 'PHASE_FAILED', reason, message } };
  }
  return {
    ...state,
    phase: 'waiting',
    attempts: state.attempts + 1,
    // Never at once: a full volume or a busy lease does not change within milliseconds.
    notBefore: now + retry.baseMs / 2 + backoffMs(retry, state.attempts, random),
    update: { ...told, phase: 'PHASE_WAITING', reason, message },
  };
}
