// What the kubelet and Prometheus ask, on a port of its own: the debug API is on the loopback, where they do not come.
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export interface HealthChecks {
  /** Why it is not so (yet), for who reads the probe's event; undefined when it is. */
  started(): string | undefined;
  ready(): string | undefined;
  /** In the text format of Prometheus. */
  metrics(): string;
}

export interface HealthServer {
  port: number;
  close(): Promise<void>;
}

const mostConnections = 64;

/** Whoever holds many open is hung up on, oldest first: the kubelet's is the newest. */
function keepNewest(server: Server): void {
  const open = new Set<Socket>();
  server.on('connection', (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    const [oldest] = open;
    if (open.size > mostConnections) oldest?.destroy();
  });
}

/** On all addresses; any free port for 0. Rejects when the port can not be had. */
export async function startHealthServer(port: number, checks: HealthChecks): Promise<HealthServer> {
  const probes: Record<string, () => string | undefined> = {
    '/startupz': checks.started,
    '/livez': () => undefined, // an answer is all it asks for
    '/readyz': checks.ready,
  };
  const server = createServer((request, response) => {
    if (request.url === '/metrics' && request.method === 'GET') {
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
      response.end(checks.metrics());
      return;
    }
    const probe = probes[request.url ?? ''];
    const known = probe && (request.method === 'GET' || request.method === 'HEAD');
    const problem = known ? probe() : `Ask for one of ${Object.keys(probes).join(', ')}, /metrics`;
    response.writeHead(known ? (problem === undefined ? 200 : 503) : 404, { 'content-type': 'text/plain' });
    response.end(`${problem ?? 'ok'}\n`);
  });
  keepNewest(server);
  server.headersTimeout = 5000;
  server.requestTimeout = 5000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
