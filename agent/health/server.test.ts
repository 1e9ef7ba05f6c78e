import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type HealthServer, startHealthServer } from './server.ts';

const checks = { started: () => undefined, ready: () => undefined, metrics: () => '' };
let server: HealthServer | undefined;
afterEach(async () => server?.close());

test('a probe passes or says why not', async () => {
  let problem: string | undefined = 'format_version 7 is newer than this agent: upgrade it';
  server = await startHealthServer(0, {
    started: () => problem,
    ready: () => undefined,
    metrics: () => 'jvs_agent_connected 1\n',
  });
  const ask = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${server?.port}${path}`);
    return [response.status, await response.text()];
  };
  expect(await ask('/startupz')).toEqual([503, 'format_version 7 is newer than this agent: upgrade it\n']);
  expect(await ask('/livez')).toEqual([200, 'ok\n']);
  expect(await ask('/readyz')).toEqual([200, 'ok\n']);
  problem = undefined;
  expect(await ask('/startupz')).toEqual([200, 'ok\n']);
  expect(await ask('/')).toEqual([404, 'Ask for one of /startupz, /livez, /readyz, /metrics\n']);
  expect(await ask('/metrics')).toEqual([200, 'jvs_agent_connected 1\n']);
});

test('who holds many connections open keeps no probe out', async () => {
  server = await startHealthServer(0, checks);
  const { port } = server;
  const idle = Array.from({ length: 100 }, () =>
    connect(port, '127.0.0.1')
      .on('error', () => {})
      .resume(),
  );
  const closed = idle.slice(0, 36).map((socket) => once(socket, 'close'));
  await Promise.all(idle.map((socket) => once(socket, 'connect')));
  await Promise.all(closed);
  for (let i = 0; i < 3; i++) {
    const { status } = await fetch(`http://127.0.0.1:${port}/livez`, { headers: { connection: 'close' } });
    expect(status).toBe(200);
  }
  for (const socket of idle) socket.destroy();
});

test('a port that is taken is an error', async () => {
  server = await startHealthServer(0, checks);
  await expect(startHealthServer(server.port, checks)).rejects.toMatchObject({ code: 'EADDRINUSE' });
});
