// What the kubelet and Prometheus ask of the operator, over plain HTTP.

import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { Registry } from 'prom-client';

/** `problem` says why the operator is not ready; undefined when it is. */
export function healthListener(problem: () => string | undefined): RequestListener {
  return (request, response) => {
    const message = request.url === '/readyz' ? problem() : undefined;
    const known = request.url === '/healthz' || request.url === '/readyz';
    response.writeHead(known ? (message ? 503 : 200) : 404, { 'content-type': 'text/plain' });
    response.end(known ? (message ?? 'ok') : 'not found');
  };
}

export function metricsListener(registry: Registry): RequestListener {
  return async (request, response) => {
    if (request.url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    response.setHeader('content-type', registry.contentType);
    response.end(await registry.metrics());
  };
}

/** Listens on all addresses. Rejects when the port can not be had. */
export async function serve(listener: RequestListener, port: number, signal: AbortSignal): Promise<Server> {
  const server = createServer(listener);
  server.listen(port);
  await once(server, 'listening', { signal });
  signal.addEventListener('abort', () => server.close().closeAllConnections(), { once: true });
  return server;
}
