import { expect, test } from 'vitest';
import { MalformedReview } from './review.ts';
import { reviewWorkspace } from './validate.ts';

const review = async (autoSnapshot: unknown) => {
  const request = { uid: 'u', object: { spec: { autoSnapshot } } };
  const body = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request };
  return (await reviewWorkspace(body, AbortSignal.timeout(1000))).response;
};

test('a schedule that can run is allowed, and none at all', async () => {
  for (const good of [
    undefined,
    {},
    { schedule: '@daily' },
    { schedule: '0 4 * * 1-5', timeZone: 'Europe/Berlin' },
  ]) {
    expect(await review(good)).toEqual({ uid: 'u', allowed: true });
  }
});

test.each([
  [{ schedule: '0 0 30 2 *' }, 'spec.autoSnapshot: schedule "0 0 30 2 *": no such month has a day 30'],
  [{ schedule: '30-10 * * * *' }, 'ends before it begins'],
  [
    { schedule: '@daily', timeZone: 'Europe/Atlantis' },
    'timeZone "Europe/Atlantis" is not known: it must be the IANA',
  ],
])('%j is refused with the reason', async (bad, message) => {
  const { allowed, status } = await review(bad);
  expect(allowed).toBe(false);
  expect(status?.message).toContain(message);
});

test('what is no review is said to be none', async () => {
  await expect(reviewWorkspace({ kind: 'Pod' }, AbortSignal.timeout(1000))).rejects.toThrow(MalformedReview);
});
