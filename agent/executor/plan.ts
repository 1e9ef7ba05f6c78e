// Which of the operator's requests is next. Pure: time and random are given.

import { type Backoff, backoffMs } from '../../shared/backoff.ts';
import type { RequestUpdateInput } from '../../shared/proto/gen/jvs/link/v1/RequestUpdate.ts';
import type { SnapshotRequest } from '../../shared/proto/gen/jvs/link/v1/SnapshotRequest.ts';
import { RepositoryError } from '../repository/repository.ts';
import { VolumeUnavailable } from '../volume/volume.ts';

/** A request of the operator and how far this agent is with it. Replaced, never changed. */
export interface RequestState {
  readonly request: SnapshotRequest;
  readonly phase: 'queued' | 'running' | 'waiting' | 'failed' | 'done';
  readonly attempts: number;
  /** Milliseconds since the epoch; a waiting request is not tried before. */
  readonly notBefore: number;
  /** Latest word to the operator; none while queued, and none when done: then the snapshot itself is the word. */
  readonly update?: RequestUpdateInput;
}

export type Requests = ReadonlyMap<string, RequestState>;

/** The desired requests in their order: known ones keep their state, vanished ones are dropped. */
export function mergeRequests(known: Requests, desired: readonly SnapshotRequest[]): Requests {
  return new Map(
    desired.map((request) => [
      request.uid,
      known.get(request.uid) ?? { request, phase: 'queued', attempts: 0, notBefore: 0 },
    ]),
  );
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

const retry: Backoff = { baseMs: 1000, capMs: 60_000 };

/** Where a request stands after an attempt that failed. */
export function afterFailure(
  state: RequestState,
  error: unknown,
  now: number,
  random: () => number,
): RequestState {
  const { request } = state;
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof VolumeUnavailable) {
    // Tried again as soon as the volume opens; how long that takes says nothing about the request.
    const update = { uid: request.uid, phase: 'PHASE_WAITING', ...error.problem } as const;
    return { ...state, phase: 'waiting', notBefore: 0, update };
  }
  if (error instanceof RepositoryError && error.reason === 'Aborted') {
    return { ...state, phase: 'queued', update: undefined };
  }
  const reason = error instanceof RepositoryError ? error.reason : 'Internal';
  if (error instanceof RepositoryError && !error.transient) {
    return {
      ...state,
      phase: 'failed',
      update: { uid: request.uid, phase: 'PHASE_FAILED', reason, message },
    };
  }
  return {
    ...state,
    phase: 'waiting',
    attempts: state.attempts + 1,
    // Never at once: a full volume or a busy lease does not change within milliseconds.
    notBefore: now + retry.baseMs / 2 + backoffMs(retry, state.attempts, random),
    update: { uid: request.uid, phase: 'PHASE_WAITING', reason, message },
  };
}
