// One HTTP exchange with the API server.
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { text } from 'node:stream/consumers';
import type { Connect } from './connection.ts';
import { ApiError, type Status, Unreachable } from './errors.ts';

export interface Exchange {
  method: string;
  /** With the query. */
  path: string;
  body?: unknown;
  contentType?: string;
  signal?: AbortSignal | undefined;
  /** Until the answer's headers are there; the caller watches over the body. */
  timeoutMs: number;
}

/**
 * The answer's headers, its body still to be read. Throws ApiError for any status but 2xx, the signal's reason
 * when aborted, else Unreachable.
 */
export async function exchange(connect: Connect, options: Exchange): Promise<IncomingMessage> {
  const { method, path, signal } = options;
  signal?.throwIfAborted();
  let response: IncomingMessage;
  try {
    response = await attempt(connect, options).catch((error: unknown) => {
      // The server may close an idle connection just as we use it again; then nothing was done.
      if (method === 'POST' || !(error instanceof StaleConnection)) throw error;
      return attempt(connect, options);
    });
  } catch (cause) {
    signal?.throwIfAborted();
    throw new Unreachable(`${method} ${path}: ${messageOf(cause)}`, { cause });
  }
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return response;
  const body = await readText(response, options.timeoutMs).catch(() => '');
  throw new ApiError(`${method} ${path.split('?')[0]}`, status, statusOf(body, response));
}

/** The whole body, if it is there in time. */
export async function readText(response: IncomingMessage, timeoutMs: number): Promise<string> {
  const late = () =>
    response.destroy(new Error(`the answer was not complete within ${Math.round(timeoutMs)} ms`));
  const timer = setTimeout(late, timeoutMs);
  try {
    return await text(response);
  } finally {
    clearTimeout(timer);
  }
}

class StaleConnection extends Error {}

async function attempt(connect: Connect, options: Exchange): Promise<IncomingMessage> {
  const { server, headers, agent } = await connect();
  const { method, signal, timeoutMs } = options;
  const body = options.body === undefined ? undefined : Buffer.from(JSON.stringify(options.body));
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = (server.protocol === 'http:' ? requestHttp : requestHttps)({
    protocol: server.protocol,
    hostname: server.hostname.replace(/^\[|\]$/g, ''),
    port: server.port,
    path: server.pathname.replace(/\/$/, '') + options.path,
    method,
    agent,
    ...(signal && { signal }),
    headers: {
      accept: 'application/json',
      'user-agent': 'jvs-operator',
      ...headers,
      ...(body && {
        'content-type': options.contentType ?? 'application/json',
        'content-length': body.length,
      }),
    },
  });
  const timer = setTimeout(
    () => request.destroy(new Error(`no answer within ${Math.round(timeoutMs)} ms`)),
    timeoutMs,
  );
  request.on('response', resolve);
  request.on('error', (error: NodeJS.ErrnoException) => {
    const stale = request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
    reject(stale ? new StaleConnection(error.message, { cause: error }) : error);
  });
  request.end(body);
  return promise.finally(() => clearTimeout(timer));
}

function statusOf(body: string, response: IncomingMessage): Status {
  const retryAfterSeconds = Number(response.headers['retry-after']) || 0;
  try {
    const status = JSON.parse(body) as Status;
    if (status.reason !== undefined || status.message !== undefined)
      return { ...status, details: { retryAfterSeconds, ...status.details } };
  } catch {
    // Proxies and the server's own filters answer in plain text.
  }
  return { message: body.trim().slice(0, 500), details: { retryAfterSeconds } };
}

function messageOf(error: unknown): string {
  return error instanceof Error
    ? error.message || ((error as NodeJS.ErrnoException).code ?? error.name)
    : String(error);
}
