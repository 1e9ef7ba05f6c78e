// The HTTPS server that the API server calls.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Logger } from '../../shared/log.ts';
import type { CertificateSource } from '../certs/source.ts';
import { MalformedReview, type Reviewer } from './review.ts';

export const podsPath = '/mutate-pods';
export const workspacesPath = '/validate-workspaces';

/** An object has at most about 1.5 MiB in etcd, and a review carries up to two. */
const maxBodyBytes = 3 * 2 ** 20;
/** The API server waits for less (timeoutSeconds of the configuration). */
const answerWithinMs = 10_000;
/** Longer than the API server keeps idle connections (90 s), so that it never sends into one that is being closed. */
const keepAliveMs = 120_000;
const stopWithinMs = 5_000;

export interface WebhookOptions {
  /** 0 takes any that is free. */
  port: number;
  /** All addresses when absent. */
  host?: string;
  certificates: CertificateSource;
  /** By path. */
  reviewers: Readonly<Record<string, Reviewer>>;
  log: Logger;
}

/** Serves with the certificate of the moment: a new one needs no restart. */
export class WebhookServer {
  readonly #options: WebhookOptions;
  readonly #server: Server;
  readonly #stopping = new AbortController();
  #closing = false;

  constructor(options: WebhookOptions) {
    this.#options = options;
    this.#server = createServer(
      {
        minVersion: 'TLSv1.2',
        keepAliveTimeout: keepAliveMs,
        requestTimeout: answerWithinMs,
        headersTimeout: answerWithinMs,
      },
      (request, response) => void this.#serve(request, response),
    );
    this.#server.on('tlsClientError', (err) => options.log.debug({ err }, 'TLS handshake failed'));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Resolves once it listens. Needs certificates to be there. */
  async start(): Promise<void> {
    const { port, host, certificates, log } = this.#options;
    const renew = () => {
      const { key, cert } = certificates.current();
      this.#server.setSecureContext({ key, cert, minVersion: 'TLSv1.2' });
    };
    renew();
    this.#server.once('close', certificates.onChange(renew));
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    this.#server.on('error', (err) => log.error({ err }, 'webhook server failed'));
    log.info({ port: this.port }, 'webhook is listening');
  }

  /** Lets the answers under way go out first. */
  async stop(): Promise<void> {
    this.#closing = true;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    const timer = setTimeout(() => {
      this.#stopping.abort(new Error('the webhook is stopping'));
      this.#server.closeAllConnections();
    }, stopWithinMs);
    await closed;
    clearTimeout(timer);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const send = (status: number, body: string, headers: Record<string, string> = {}) => {
      const close = this.#closing || status === 413 ? { connection: 'close' } : {};
      response
        .writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...close, ...headers })
        .end(body);
    };
    const { reviewers, log } = this.#options;
    try {
      const path = request.url?.split('?')[0] ?? '';
      const review = Object.hasOwn(reviewers, path) ? reviewers[path] : undefined;
      if (!review) return send(404, 'not found');
      if (request.method !== 'POST') return send(405, 'POST an AdmissionReview', { allow: 'POST' });
      const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(answerWithinMs)]);
      const answer = await review(await readJson(request), signal);
      send(200, JSON.stringify(answer), { 'content-type': 'application/json' });
    } catch (err) {
      if (response.destroyed) return log.info({ err }, 'the API server did not wait for the answer');
      if (err instanceof BadRequest) return send(err.status, err.message);
      if (err instanceof MalformedReview) return send(400, err.message);
      log.error({ err }, 'no answer to an admission review');
      // The API server hands this on to the user.
      const reason = err instanceof Error ? err.message : String(err);
      send(500, `the JVS operator could not look at the object, try again: ${reason}`);
    }
  }
}

class BadRequest extends Error {
  override readonly name = 'BadRequest';
  readonly status: number;
  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  // The connection outlives the loop, to carry the answer to a body that is too large.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBodyBytes) throw new BadRequest(413, `the body is larger than ${maxBodyBytes} bytes`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (cause) {
    throw new BadRequest(400, 'the body is no JSON', { cause });
  }
}
