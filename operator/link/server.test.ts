import { once } from 'node:events';
import { createConnection } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { within } from '../../shared/testing.ts';
import type { TokenReviewStatus } from '../runtime/client.ts';
import type { AgentPod } from './identity.ts';
import { LINGER_MS } from './registry.ts';
import { LinkServer } from './server.ts';
import {
  breakable,
  helloOf,
  podOfWorkspace,
  quietLog,
  reviewOf,
  rotatable,
  snapshotOf,
  TestAgent,
  type TestCa,
  testCa,
} from './testing.ts';

let ca: TestCa;
let certificates: ReturnType<typeof rotatable>;
let link: LinkServer;
let agents: TestAgent[];
/** What the API server knows: tokens and pods. */
let tokens: Map<string, TokenReviewStatus>;
let pods: Map<string, AgentPod>;
let podHandlers: ((namespace: string, name: string, pod: AgentPod | undefined) => void)[];
let apiServerDown: boolean;
/** ms that the server's clock is ahead. */
let ahead: number;
let changes: [string, readonly string[]][];

beforeAll(async () => {
  ca = await testCa();
});

beforeEach(async () => {
  tokens = new Map([
    ['token-of-a', reviewOf('ns', 'a')],
    ['token-of-b', reviewOf('ns', 'b')],
  ]);
  pods = new Map([
    ['ns/a', podOfWorkspace('ns', 'a')],
    ['ns/b', podOfWorkspace('ns', 'b')],
  ]);
  podHandlers = [];
  apiServerDown = false;
  ahead = 0;
  changes = [];
  agents = [];
  certificates = rotatable(await ca.issue());
  const ask = async <T>(answer: T): Promise<T> => {
    if (apiServerDown) throw new Error('connection refused');
    return answer;
  };
  link = new LinkServer({
    certificates,
    reviewToken: (token) => ask(tokens.get(token) ?? { authenticated: false, error: 'invalid bearer token' }),
    pods: {
      get: (namespace, name) => pods.get(`${namespace}/${name}`),
      fetch: (namespace, name) => ask(pods.get(`${namespace}/${name}`)),
      onChange: (handler) => podHandlers.push(handler),
    },
    log: quietLog(),
    version: '9.9.9',
    port: 0,
    clock: { wall: () => Date.now(), monotonic: () => performance.now() + ahead },
    helloTimeoutMs: 3_000,
  });
  link.agents.onChange((workspace, uids) => changes.push([workspace, uids]));
  await link.start();
});

afterEach(async () => {
  for (const agent of agents) agent.close();
  await link.stop();
});

function dial(token: string | undefined, trusted = ca.pem, port = link.port ?? 0): TestAgent {
  const agent = new TestAgent(port, trusted, token);
  agents.push(agent);
  return agent;
}

async function connected(pod: string, session?: string): Promise<TestAgent> {
  const agent = dial(`token-of-${pod}`).send({ hello: helloOf(pod, 'ws', session) });
  await vi.waitFor(() => expect(agent.welcome).toEqual({ version: '9.9.9', heartbeatSeconds: 20 }), within);
  return agent;
}

describe('an agent with the token of its pod', () => {
  it('is told the whole desired state and is heard', async () => {
    const desired = { engine: 'copy', snapshots: [] };
    const nothingElse = {
      ...{ schedule: null, retention: null, pinned: [], allowMassPrune: false, restores: [], deletions: [] },
      ...{ hooks: null, finalSnapshot: false, initial: null, exports: [] },
    };
    link.agents.setDesired('ns/ws', desired);
    const agent = await connected('a');
    await vi.waitFor(
      () => expect(agent.desired).toEqual({ role: 'ROLE_PRIMARY', ...desired, ...nothingElse }),
      within,
    );
    agent.send({ inventory: { snapshots: [snapshotOf('s1')], last: false } });
    agent.send({ inventory: { snapshots: [snapshotOf('s2', 'uid-2')], last: true } });
    agent.send({ status: { repositoryId: 'repo', snapshotCount: 2 } });
    await vi.waitFor(() => expect(link.agents.primary('ns/ws')?.status?.snapshotCount).toBe(2), within);
    const seen = link.agents.primary('ns/ws');
    expect(seen).toMatchObject({ pod: 'a', node: 'node-1', version: '1.2.3', inventoryComplete: true });
    expect([...(seen?.snapshots.keys() ?? [])]).toEqual(['s1', 's2']);
    expect(changes.flatMap(([, uids]) => uids)).toContain('uid-2');
    expect(link.stats()).toEqual({ agents: 1, workspaces: 1 });
  });

  it('is gone at once when it hangs up', async () => {
    const agent = await connected('a');
    agent.hangUp();
    expect(await agent.status).toMatchObject({ code: status.OK });
    const sooner = { ...within, timeout: LINGER_MS - 1_000 };
    await vi.waitFor(() => expect(link.agents.connected('ns/ws')).toEqual([]), sooner);
  });

  it('keeps its place for a moment when its connection breaks', async () => {
    link.agents.setDesired('ns/ws', { engine: 'copy', snapshots: [] });
    const way = await breakable(link.port ?? 0);
    const a = dial('token-of-a', ca.pem, way.port).send({ hello: helloOf('a') });
    await vi.waitFor(() => expect(a.welcome).toBeDefined(), within);
    const b = await connected('b');
    way.cut();
    await vi.waitFor(() => expect(link.stats().agents).toBe(1), within);
    expect(link.agents.primary('ns/ws')?.pod).toBe('a');
    const again = await connected('a');
    await vi.waitFor(() => expect(again.desired?.role).toBe('ROLE_PRIMARY'), within);
    expect(b.desired?.role).toBe('ROLE_STANDBY');
  });

  it('replaces its own older stream', async () => {
    const first = await connected('a');
    const second = await connected('a');
    expect(await first.status).toMatchObject({ code: status.ABORTED });
    link.agents.setDesired('ns/ws', { engine: 'copy', snapshots: [] });
    await vi.waitFor(() => expect(second.desired?.role).toBe('ROLE_PRIMARY'), within);
    expect(link.agents.connected('ns/ws')).toHaveLength(1);
  });

  it('is hung up on when its pod is deleted, and when its label changes', async () => {
    const a = await connected('a');
    const b = await connected('b');
    pods.delete('ns/a');
    pods.set('ns/b', podOfWorkspace('ns', 'b', 'other'));
    for (const name of ['a', 'b'])
      for (const handler of podHandlers) handler('ns', name, pods.get(`ns/${name}`));
    expect(await a.status).toMatchObject({
      code: status.PERMISSION_DENIED,
      details: expect.stringMatching(/does not exist/),
    });
    expect(await b.status).toMatchObject({
      code: status.PERMISSION_DENIED,
      details: /jvs.io\/workspace=other/,
    });
    expect(link.agents.connected('ns/ws')).toEqual([]);
  });

  it('is hung up on when its workspace is forgotten', async () => {
    const agent = await connected('a');
    link.agents.forget('ns/ws');
    expect(await agent.status).toMatchObject({ code: status.NOT_FOUND });
  });

  it('gets only the newest state when it is slow to read', async () => {
    const agent = await connected('a');
    agent.pause();
    const rest = { name: 'snap', worktree: 'main', tags: [], engine: '', expectedParent: '' };
    for (let n = 1; n <= 200; n++) {
      const note = `${n}${'x'.repeat(200_000)}`;
      link.agents.setDesired('ns/ws', { engine: `engine-${n}`, snapshots: [{ uid: 'u', note, ...rest }] });
      await turn();
    }
    agent.resume();
    await vi.waitFor(() => expect(agent.desired?.engine).toBe('engine-200'), within);
    // What the agent's own gRPC takes in before it pushes back, and not all 200.
    expect(agent.received.length).toBeLessThan(100);
  });
});

describe('refused, with what to do', () => {
  const cases: [string, () => TestAgent, number, RegExp][] = [
    ['no token', () => dial(undefined), status.UNAUTHENTICATED, /audience jvs-operator/],
    ['a bad token', () => dial('garbage'), status.UNAUTHENTICATED, /invalid bearer token/],
    ['a token with line breaks', () => dial('a b'), status.UNAUTHENTICATED, /No token/],
    [
      "another pod's workspace",
      () => dial('token-of-a').send({ hello: helloOf('a', 'other') }),
      status.PERMISSION_DENIED,
      /may not speak for Workspace "other"/,
    ],
    [
      'a stream that does not begin with Hello',
      () => dial('token-of-a').send({ status: {} }),
      status.INVALID_ARGUMENT,
      /has to be Hello/,
    ],
    ['a stream without Hello', () => dial('token-of-a'), status.DEADLINE_EXCEEDED, /send it first/],
    [
      'a second Hello',
      () =>
        dial('token-of-a')
          .send({ hello: helloOf('a') })
          .send({ hello: helloOf('a') }),
      status.INVALID_ARGUMENT,
      /once/,
    ],
    [
      'a snapshot without id',
      () =>
        dial('token-of-a')
          .send({ hello: helloOf('a') })
          .send({ snapshot: {} }),
      status.INVALID_ARGUMENT,
      /without an id/,
    ],
    [
      'bytes that are no message',
      () =>
        dial('token-of-a')
          .send({ hello: helloOf('a') })
          .send(Buffer.from('0affffffffff', 'hex')),
      status.INTERNAL,
      /deserializing/,
    ],
    [
      'a message over 4 MiB',
      () =>
        dial('token-of-a')
          .send({ hello: helloOf('a') })
          .send({ snapshot: { id: 'x'.repeat(5_000_000) } }),
      status.RESOURCE_EXHAUSTED,
      /larger than max/,
    ],
  ];
  it.each(cases)('%s', async (_, dialled, code, details) => {
    expect(await dialled().status).toMatchObject({ code, details: expect.stringMatching(details) });
    // and the server lives on
    await connected('b');
    expect(link.agents.connected('ns/ws').map(({ pod }) => pod)).toContain('b');
  });

  it('everyone, while the API server is down, until it is back', async () => {
    apiServerDown = true;
    expect(await dial('token-of-a').status).toMatchObject({ code: status.UNAVAILABLE });
    apiServerDown = false;
    await connected('a');
  });

  it('a flood, and for a while whoever sent it', async () => {
    const agent = await connected('a');
    for (let n = 0; n < 15_000; n++) agent.send({ status: { snapshotCount: n } });
    expect(await agent.status).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    expect(link.agents.connected('ns/ws')).toEqual([]);
    for (ahead of [0, 20_000]) {
      expect(await dial('token-of-a').status).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    }
    await connected('b');
    ahead = 31_000; // having tried again meanwhile does not count against it
    await connected('a');
  });
});

describe('the server', () => {
  it('shows a new certificate to new connections and keeps the old ones', async () => {
    const before = await connected('a');
    const nextCa = await testCa();
    certificates.rotate(await nextCa.issue());
    expect(await dial('token-of-b').status).toMatchObject({ code: status.UNAVAILABLE });
    const after = dial('token-of-b', nextCa.pem).send({ hello: helloOf('b') });
    await vi.waitFor(() => expect(after.welcome).toBeDefined(), within);
    link.agents.setDesired('ns/ws', { engine: 'copy', snapshots: [] });
    await vi.waitFor(() => expect(before.desired?.engine).toBe('copy'), within);
  });

  it('keeps the certificate it has when the new one does not work', async () => {
    const [one, other] = [await ca.issue(), await ca.issue()];
    certificates.rotate({ ...one, key: other.key });
    await connected('a');
  });

  it('is not impressed by peers that speak no TLS, or nothing at all', async () => {
    const garbage = createConnection(link.port ?? 0, 'localhost');
    const silent = createConnection(link.port ?? 0, 'localhost');
    await Promise.all([garbage, silent].map((socket) => once(socket, 'connect')));
    garbage.on('error', () => {}); // reset is one way to be refused
    garbage.write('GET / HTTP/1.1\r\n\r\n');
    await once(garbage, 'close');
    await connected('a');
    await link.stop();
    silent.destroy();
  });

  it('says so when it can not have its port', async () => {
    const { port } = link;
    const options = { certificates, log: quietLog(), version: '9.9.9', port };
    const noPods = { get: () => undefined, fetch: async () => undefined, onChange: () => {} };
    const second = new LinkServer({ ...options, reviewToken: async () => ({}), pods: noPods });
    await expect(second.start()).rejects.toThrow(/EADDRINUSE/);
    await second.stop();
  });

  it('stops even when an agent does not read what it is sent', async () => {
    const stuck = await connected('a');
    stuck.pause();
    const rest = { name: 'snap', worktree: 'main', tags: [], engine: '', expectedParent: '' };
    for (let n = 1; n <= 50; n++) {
      const note = `${n}${'x'.repeat(200_000)}`;
      link.agents.setDesired('ns/ws', { engine: 'copy', snapshots: [{ uid: 'u', note, ...rest }] });
      await turn();
    }
    await link.stop();
    stuck.resume();
    expect(await stuck.status).toMatchObject({ code: status.UNAVAILABLE });
  });

  it('hangs up on everyone when stopped, and can be started again', async () => {
    const agent = await connected('a');
    const waiting = dial('token-of-b');
    await link.stop();
    expect(await agent.status).toMatchObject({ code: status.UNAVAILABLE });
    expect(await waiting.status).toMatchObject({ code: status.UNAVAILABLE });
    expect(link.agents.connected('ns/ws')).toEqual([]);
    expect(link.agents.openFor()).toBe(0);
    await link.start();
    await connected('a');
    expect(link.agents.openFor()).toBeGreaterThan(0);
  });
});
