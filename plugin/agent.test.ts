import { connect, type Socket } from 'node:net';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import { afterEach, expect, test, vi } from 'vitest';
import { loadAgent } from '../shared/proto/load.ts';
import { within } from '../shared/testing.ts';
import { call, withAgent } from './agent.ts';
import { ApiError } from './errors.ts';

let server: Server | undefined;
afterEach(() => {
  vi.useRealTimers();
  server?.forceShutdown();
});

/** A pod whose agent answers so, in reach of a port-forward. */
async function podWith(
  handlers: object,
): Promise<{ forward(pod: string, port: number, stream: unknown): Promise<void>; open: Set<Socket> }> {
  server = new Server();
  server.addService(loadAgent().Agent.service, handlers as never);
  const port = await new Promise<number>((resolve, reject) =>
    server?.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  const open = new Set<Socket>();
  return {
    open,
    async forward(_, asked, stream) {
      expect(asked).toBe(7443);
      const pod = connect(port, '127.0.0.1');
      open.add(pod);
      const ours = stream as Socket;
      pod.once('close', () => {
        open.delete(pod);
        ours.destroy();
      });
      ours.once('close', () => pod.destroy());
      pod.pipe(ours).pipe(pod);
    },
  };
}

test('an agent answers, and the connection is closed afterwards', async () => {
  const pod = await podWith({
    listSnapshots: ({ request }: never, done: (error: null, answer: object) => void) =>
      done(null, {
        snapshots: [{ id: 'x', createdAt: { seconds: 5 } }],
        nextPageToken: '',
        totalSize: 1,
        request,
      }),
  });
  const page = await withAgent(pod, 'p', (agent) => call(agent, agent.listSnapshots, { pageSize: 1 }));
  expect(page).toMatchObject({ snapshots: [{ id: 'x', integrity: 'INTEGRITY_UNSPECIFIED' }], totalSize: 1 });
  await expect.poll(() => pod.open.size, within).toBe(0);
});

test('what the agent refuses is told in its words', async () => {
  const pod = await podWith({
    getSnapshot: (_: unknown, done: (error: object) => void) =>
      done({ code: status.NOT_FOUND, details: 'no snapshot 1-2' }),
  });
  const asked = withAgent(pod, 'p', (agent) => call(agent, agent.getSnapshot, { id: '1-2' }));
  await expect(asked).rejects.toMatchObject({
    message: 'no snapshot 1-2',
    hint: 'so says the agent in pod p',
  });
});

test('an agent that does not know the call is too old', async () => {
  const pod = await podWith({});
  const asked = withAgent(pod, 'p', (agent) => call(agent, agent.getStatus, {}));
  await expect(asked).rejects.toThrow('the agent in pod p is too old for this');
});

test('a refused port-forward is the answer, at once', async () => {
  const refused = new ApiError(403, 'you can not');
  const asked = withAgent({ forward: () => Promise.reject(refused) }, 'p', async () => 'done');
  await expect(asked).rejects.toBe(refused);
});

test('an agent that says nothing is told by its pod', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  const forwarded = Promise.withResolvers<void>();
  const forward = async () => forwarded.resolve();
  const asked = withAgent({ forward }, 'p', async () => 'done');
  const told = expect(asked).rejects.toMatchObject({
    message: 'the agent in pod p is not reached: it does not answer',
    hint: 'try again',
  });
  await forwarded.promise;
  await vi.advanceTimersByTimeAsync(15_000);
  await told;
});

test('a pod that hangs up while it is asked does not leave anybody waiting', async () => {
  const pod = await podWith({ getStatus: () => {} });
  const asked = withAgent(pod, 'p', (agent) => {
    const answer = call(agent, agent.getStatus, {});
    for (const socket of pod.open) socket.destroy();
    return answer;
  });
  await expect(asked).rejects.toThrow('the agent in pod p is not reached');
});

test('a connection that is lost without a word is told while the agent is waited for', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  const lost = Promise.withResolvers<void>();
  const pod = await podWith({ getStatus: () => lost.resolve() });
  let told: unknown;
  const asked = withAgent(pod, 'p', (agent) => call(agent, agent.getStatus, {})).catch((error) => {
    told = error;
  });
  await lost.promise;
  for (const socket of pod.open) socket.unpipe().pause();
  // Moved in each poll: a ping is sent in between.
  while (!told) {
    await vi.advanceTimersByTimeAsync(5_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await asked;
  expect(told).toMatchObject({ message: expect.stringMatching(/^the agent in pod p is not reached: /) });
});
