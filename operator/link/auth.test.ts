import { Metadata, status } from '@grpc/grpc-js';
import { beforeEach, describe, expect, it } from 'vitest';
import type { TokenReviewStatus } from '../runtime/client.ts';
import { Authenticator } from './auth.ts';
import type { AgentPod } from './identity.ts';
import { helloOf, podOfWorkspace, quietLog, reviewOf } from './testing.ts';

const { signal } = new AbortController();
const { UNAUTHENTICATED, PERMISSION_DENIED, RESOURCE_EXHAUSTED, UNAVAILABLE } = status;
const good = reviewOf('ns', 'a');

let now: number;
let answer: TokenReviewStatus | Error;
let cached: AgentPod | undefined;
let live: AgentPod | undefined | Error;
let auth: Authenticator;

beforeEach(() => {
  now = 0;
  answer = good;
  cached = live = podOfWorkspace('ns', 'a');
  const ask = async <T>(said: T | Error): Promise<T> => {
    if (said instanceof Error) throw said;
    return said;
  };
  const pods = { get: () => cached, fetch: () => ask(live), onChange: () => {} };
  auth = new Authenticator(() => ask(answer), pods, quietLog(), { wall: () => now, monotonic: () => now });
});

function bearing(...authorization: string[]): Metadata {
  const metadata = new Metadata();
  for (const value of authorization) metadata.add('authorization', value);
  return metadata;
}

describe('tokens', () => {
  it.each([[[]], [['Basic abc']], [['Bearer']], [['Bearer a b']], [['Bearer a', 'Bearer b']]])(
    'metadata %j has none',
    async (values) => {
      expect(await auth.reviewToken(bearing(...values), signal)).toMatchObject({ code: UNAUTHENTICATED });
    },
  );

  it('a bad one is refused without asking again for ten seconds, others are not', async () => {
    answer = { authenticated: false };
    expect(await auth.reviewToken(bearing('Bearer x'), signal)).toMatchObject({ code: UNAUTHENTICATED });
    answer = good;
    now = 9_999;
    expect(await auth.reviewToken(bearing('Bearer x'), signal)).toMatchObject({ code: UNAUTHENTICATED });
    expect(await auth.reviewToken(bearing('Bearer y'), signal)).toBe(good);
    now = 10_000;
    expect(await auth.reviewToken(bearing('Bearer x'), signal)).toBe(good);
  });

  it('is not taken for a bad one because the API server did not answer', async () => {
    answer = new Error('connection refused');
    expect(await auth.reviewToken(bearing('Bearer x'), signal)).toMatchObject({ code: UNAVAILABLE });
    answer = good;
    expect(await auth.reviewToken(bearing('Bearer x'), signal)).toBe(good);
  });

  it('of an agent that broke the rules is refused for half a minute', async () => {
    auth.block(bearing('Bearer x'), { code: RESOURCE_EXHAUSTED, message: 'slow down' });
    expect(await auth.reviewToken(bearing('Bearer x'), signal)).toMatchObject({ code: RESOURCE_EXHAUSTED });
    now = 30_000;
    expect(await auth.reviewToken(bearing('Bearer x'), signal)).toBe(good);
  });

  it('the oldest bad one is forgotten first, so that memory has a bound', async () => {
    answer = { authenticated: false };
    for (let n = 0; n <= 4096; n++) await auth.reviewToken(bearing(`Bearer t${n}`), signal);
    answer = good;
    expect(await auth.reviewToken(bearing('Bearer t1'), signal)).toMatchObject({ code: UNAUTHENTICATED });
    expect(await auth.reviewToken(bearing('Bearer t0'), signal)).toBe(good);
  });
});

describe('pods', () => {
  const identify = (workspace = 'ws') => auth.identify(good, helloOf('a', workspace), signal);

  it.each([
    ['does not know yet', undefined],
    ['knows by its predecessor', podOfWorkspace('ns', 'a', 'ws', 'older')],
    ['knows without its label', podOfWorkspace('ns', 'a', 'other')],
  ])('one that the cache %s is looked up', async (_, inCache) => {
    cached = inCache;
    expect(await identify()).toMatchObject({ workspace: 'ns/ws' });
  });

  it('one that the cache knows needs no API server', async () => {
    live = new Error('connection refused');
    expect(await identify()).toMatchObject({ workspace: 'ns/ws' });
    expect(await identify('other')).toMatchObject({ code: UNAVAILABLE });
  });

  it('one that is nowhere is refused', async () => {
    cached = live = undefined;
    expect(await identify()).toMatchObject({ code: PERMISSION_DENIED });
  });

  it('one that is admitted stays so until the API server itself says otherwise', async () => {
    const identity = { pod: { namespace: 'ns', name: 'a', uid: 'uid-of-a' }, node: 'n', workspace: 'ns/ws' };
    expect(await auth.recheck(identity, signal)).toBeUndefined();
    cached = undefined;
    live = new Error('connection refused');
    expect(await auth.recheck(identity, signal)).toBeUndefined();
    live = undefined;
    expect(await auth.recheck(identity, signal)).toMatchObject({ code: PERMISSION_DENIED });
  });
});
