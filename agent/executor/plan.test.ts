import { expect, test } from 'vitest';
import { loadLink } from '../../shared/proto/load.ts';
import { RepositoryError } from '../repository/repository.ts';
import { VolumeUnavailable } from '../volume/volume.ts';
import { afterFailure, keyOf, mergeRequests, planNext, type Request, type RequestState } from './plan.ts';

const { serialize, deserialize } = loadLink().SnapshotRequest;
const request = (uid: string): Request => ({
  kind: 'snapshot',
  asked: deserialize(serialize({ uid, name: uid })),
});
const state = (uid: string, fields: Partial<RequestState> = {}): RequestState => ({
  request: request(uid),
  phase: 'queued',
  attempts: 0,
  notBefore: 0,
  ...fields,
});
const map = (...states: RequestState[]) => new Map(states.map((s) => [keyOf(s.request), s]));

test('what is desired keeps its state, what is not is forgotten, what is new is queued', () => {
  const known = map(state('a', { phase: 'done' }), state('b', { phase: 'failed' }));
  const merged = mergeRequests(known, [request('b'), request('c')]);
  expect([...merged.values()].map(({ request, phase }) => [request.asked.uid, phase])).toEqual([
    ['b', 'failed'],
    ['c', 'queued'],
  ]);
});

test('the oldest that may run is next; one that waits does not hold up the others', () => {
  const waiting = state('a', { phase: 'waiting', notBefore: 500 });
  const queued = state('b');
  expect(planNext(map(waiting, queued), 100)).toEqual({ run: queued });
  expect(planNext(map(waiting, queued), 500)).toEqual({ run: waiting });
  expect(planNext(map(waiting), 100)).toEqual({ wakeAt: 500 });
});

test('nothing is done again', () => {
  expect(planNext(map(state('a', { phase: 'done' }), state('b', { phase: 'failed' })), 0)).toBeUndefined();
});

test('a transient failure waits longer each time, up to a minute and a half second', () => {
  let current = state('a');
  const waits: number[] = [];
  for (let i = 0; i < 9; i++) {
    current = afterFailure(current, new RepositoryError('VolumeFull', 'make room'), 1000, () => 1);
    waits.push(current.notBefore - 1000);
  }
  expect(current.update).toEqual({
    uid: 'a',
    phase: 'PHASE_WAITING',
    reason: 'VolumeFull',
    message: 'make room',
  });
  expect(waits).toEqual([1500, 2500, 4500, 8500, 16500, 32500, 60500, 60500, 60500]);
});

test('a terminal failure is final', () => {
  const failed = afterFailure(state('a'), new RepositoryError('ParentMismatch', 'head is x'), 0, Math.random);
  expect(failed).toMatchObject({
    phase: 'failed',
    update: { phase: 'PHASE_FAILED', reason: 'ParentMismatch' },
  });
});

test('a volume that is not open keeps the request ready, with the reason of the volume', () => {
  const error = new VolumeUnavailable({ reason: 'UnsupportedFormat', message: 'format_version 7' });
  expect(afterFailure(state('a', { attempts: 3 }), error, 1000, Math.random)).toMatchObject({
    phase: 'waiting',
    notBefore: 0,
    update: { phase: 'PHASE_WAITING', reason: 'UnsupportedFormat', message: 'format_version 7' },
  });
});

test('an unknown error is tried again', () => {
  expect(afterFailure(state('a'), new Error('?'), 0, Math.random).update?.phase).toBe('PHASE_WAITING');
});

test('a failure is told in no more than the operator takes, what failed and why', () => {
  const error = new Error(`copying a/${'directory/'.repeat(2000)}: the disk failed`);
  const unavailable = new VolumeUnavailable({ reason: 'Internal', message: error.message });
  for (const failure of [error, unavailable]) {
    const { message } = afterFailure(state('a'), failure, 0, Math.random).update ?? {};
    expect(message?.length).toBeLessThan(2100);
    expect(message).toMatch(/^copying a\/directory.*: the disk failed$/);
  }
});
