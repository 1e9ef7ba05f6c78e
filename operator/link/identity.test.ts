import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import type { TokenReviewStatus } from '../runtime/client.ts';
import { type AgentPod, decideIdentity } from './identity.ts';
import { helloOf, podOfWorkspace, reviewOf } from './testing.ts';

const review = reviewOf('ns', 'a');
const pod = podOfWorkspace('ns', 'a');
const hello = helloOf('a');
const { UNAUTHENTICATED, PERMISSION_DENIED, INVALID_ARGUMENT } = status;

describe('decideIdentity', () => {
  it('lets a pod speak for the workspace in its label', () => {
    expect(decideIdentity(review, pod, hello)).toEqual({
      pod: { namespace: 'ns', name: 'a', uid: 'uid-of-a' },
      node: 'node-1',
      workspace: 'ns/ws',
    });
  });

  it('takes the node from the pod, not from the agent', () => {
    expect(decideIdentity(review, pod, { ...hello, node: 'elsewhere' })).toMatchObject({ node: 'node-1' });
  });

  const user = { ...review.user };
  const reviews: [string, TokenReviewStatus, RegExp][] = [
    ['not authenticated', { authenticated: false, error: 'token has expired' }, /token has expired/],
    ['without a verdict', {}, /no reason given/],
    ['for another audience', { ...review, audiences: ['vault'] }, /another audience/],
    ['without audiences', { ...review, audiences: undefined }, /another audience/],
    ['of a user', { ...review, user: { ...user, username: 'kubernetes-admin' } }, /ServiceAccount/],
    [
      'of a strange user',
      { ...review, user: { ...user, username: 'system:serviceaccount:a:b:c' } },
      /ServiceAcc/,
    ],
    ['without a user', { ...review, user: undefined }, /ServiceAccount/],
    ['not bound to a pod', { ...review, user: { ...user, extra: {} } }, /not bound to a pod/],
  ];
  it.each(reviews)('refuses a token %s', (_, given, message) => {
    expect(decideIdentity(given, pod, hello)).toEqual({
      code: UNAUTHENTICATED,
      message: expect.stringMatching(message),
    });
  });

  const labels = (given: Record<string, string>): AgentPod => ({
    ...pod,
    metadata: { ...pod.metadata, labels: given },
  });
  const podCases: [string, AgentPod | undefined, RegExp][] = [
    ['that is gone', undefined, /ns\/a does not exist any more/],
    ['that was replaced', podOfWorkspace('ns', 'a', 'ws', 'another'), /replaced/],
    ['that has succeeded', { ...pod, status: { phase: 'Succeeded' } }, /finished \(Succeeded\)/],
    ['that has failed', { ...pod, status: { phase: 'Failed' } }, /finished \(Failed\)/],
    ['of another workspace', labels({ 'jvs.io/workspace': 'other' }), /jvs.io\/workspace=other/],
    ['without the label', labels({}), /no label jvs.io\/workspace/],
  ];
  it.each(podCases)('refuses a pod %s', (_, given, message) => {
    expect(decideIdentity(review, given, hello)).toEqual({
      code: PERMISSION_DENIED,
      message: expect.stringMatching(message),
    });
  });

  it('refuses an empty workspace even on a pod with an empty label', () => {
    const given = labels({ 'jvs.io/workspace': '' });
    expect(decideIdentity(review, given, helloOf('a', ''))).toMatchObject({ code: PERMISSION_DENIED });
  });

  it('refuses an agent that takes itself for another pod', () => {
    expect(decideIdentity(review, pod, helloOf('b'))).toMatchObject({ code: PERMISSION_DENIED });
  });

  it('refuses fields that nothing in Kubernetes is as long as', () => {
    const given = { ...hello, version: 'v'.repeat(257) };
    expect(decideIdentity(review, pod, given)).toMatchObject({ code: INVALID_ARGUMENT });
  });
});
