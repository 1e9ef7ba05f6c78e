import { readFileSync } from 'node:fs';
import { Agent, type RequestOptions, request } from 'node:https';
import type { KeyPairFiles } from './pki.ts';

export interface ApiResponse {
  status: number;
  body: string;
}

/**
 * The few calls that the cluster tool itself makes. Not @kubernetes/client-node: the supervisor lives as long
 * as the cluster does, and that library costs 85 MB.
 */
export class KubeClient {
  readonly #url: string;
  readonly #tls: RequestOptions;

  constructor(url: string, caFile: string, identity: KeyPairFiles) {
    this.#url = url;
    const tls = {
      ca: readFileSync(caFile),
      cert: readFileSync(identity.publicFile),
      key: readFileSync(identity.keyFile),
    };
    this.#tls = { ...tls, agent: new Agent({ ...tls, keepAlive: true }) };
  }

  /** One call; rejects only when no answer comes. */
  call(method: string, path: string, body?: unknown, type = 'application/json'): Promise<ApiResponse> {
    return new Promise((resolve, reject) => {
      const headers = body === undefined ? {} : { 'content-type': type };
      const req = request(
        `${this.#url}${path}`,
        { ...this.#tls, method, headers, timeout: 10_000 },
        (res) => {
          let text = '';
          res.setEncoding('utf8');
          res.on('data', (data) => {
            text += data;
          });
          res.once('end', () => resolve({ status: res.statusCode ?? 0, body: text }));
          res.once('error', reject);
        },
      );
      req.once('timeout', () => req.destroy(new Error(`${method} ${path}: no answer within 10 s`)));
      req.once('error', reject);
      req.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** GET that must succeed. */
  async get<T>(path: string): Promise<T> {
    const { status, body } = await this.call('GET', path);
    if (status !== 200) throw new Error(`GET ${path}: ${status} ${body}`);
    return JSON.parse(body) as T;
  }

  /** Calls `changed` whenever anything below `path` may have changed; resolves when the stream ends. */
  watch(path: string, changed: () => void): Promise<void> {
    return new Promise((resolve) => {
      const req = request(`${this.#url}${path}?watch=true`, this.#tls, (res) => {
        res.on('data', changed);
        res.once('close', resolve);
      });
      req.once('error', () => resolve());
      req.end();
    });
  }

  /** Waits until the API server says that it is ready. */
  async ready(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      try {
        if ((await this.call('GET', '/readyz')).status === 200) return;
      } catch {
        // Not listening yet.
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
