// The API server as the user of the kubeconfig: plain JSON, streams, and a pod's port. Loaded when it is needed: the
// Kubernetes client is large.
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { type RequestOptions, request as requestHttps } from 'node:https';
import { type Duplex, Writable } from 'node:stream';
import { json, text } from 'node:stream/consumers';
import { type KubeConfig, PortForward } from '@kubernetes/client-node';
import { loadKubeconfig } from '../shared/kubeconfig.ts';
import { ApiError, PluginError, Unreachable } from './errors.ts';
import type { KubeList, KubeObject, Pod } from './objects.ts';

/** As with kubectl, an empty one is none. */
export interface KubeOptions {
  kubeconfig?: string | undefined;
  context?: string | undefined;
  namespace?: string | undefined;
  /** Of a whole call. */
  timeoutMs?: number;
}

interface Call {
  body?: unknown;
  contentType?: string;
  signal?: AbortSignal | undefined;
}

const WATCH_SECONDS = 60;
const API = '/apis/jvs.io/v1alpha1';

/** Methods throw ApiError for answers that are errors, Unreachable without one, as when they are aborted. */
export class Kube {
  readonly namespace: string;
  readonly #config: KubeConfig;
  readonly #server: URL;
  readonly #timeoutMs: number;

  /** @throws PluginError when the kubeconfig has no such context or no cluster for it */
  constructor({ kubeconfig, context, namespace, timeoutMs = 30_000 }: KubeOptions) {
    let config: KubeConfig;
    try {
      config = loadKubeconfig(kubeconfig || undefined);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new PluginError(`the kubeconfig can not be read: ${why}`, '--kubeconfig or KUBECONFIG names it', {
        cause,
      });
    }
    if (context) config.setCurrentContext(context);
    const name = config.getCurrentContext();
    const cluster = config.getCurrentCluster();
    if (!cluster) {
      throw new PluginError(
        name
          ? `the kubeconfig has no context ${JSON.stringify(name)}, or no cluster for it`
          : 'the kubeconfig has no current context',
        'kubectl config get-contexts lists those that are there',
      );
    }
    if (!/^https?:\/\/./.test(cluster.server) || !URL.canParse(cluster.server)) {
      throw new PluginError(
        `the kubeconfig has server ${JSON.stringify(cluster.server)} for cluster ${JSON.stringify(cluster.name)}, which is no URL`,
        'it has to be one such as https://192.0.2.1:6443',
      );
    }
    // The client refuses HTTP where certificates are to be verified; kubectl does not.
    if (cluster.server.startsWith('http:')) Object.assign(cluster, { skipTLSVerify: true });
    this.#config = config;
    this.#server = new URL(cluster.server);
    this.#timeoutMs = timeoutMs;
    this.namespace = namespace || config.getContextObject(name)?.namespace || 'default';
  }

  get contexts(): string[] {
    return this.#config.getContexts().map(({ name }) => name);
  }

  /** @throws ApiError with status 404 when there is none */
  get<T extends KubeObject>(plural: string, name: string, signal?: AbortSignal): Promise<T> {
    return this.#json('GET', this.#path(plural, name), { signal });
  }

  async list<T extends KubeObject>(plural: string): Promise<T[]> {
    const { items } = await this.#json<KubeList<T>>('GET', this.#path(plural), {});
    return items;
  }

  create<T extends KubeObject>(plural: string, kind: string, object: object): Promise<T> {
    const body = { apiVersion: 'jvs.io/v1alpha1', kind, ...object };
    return this.#json('POST', this.#path(plural), { body });
  }

  mergePatch<T extends KubeObject>(plural: string, name: string, body: object): Promise<T> {
    return this.#json('PATCH', this.#path(plural, name), {
      body,
      contentType: 'application/merge-patch+json',
    });
  }

  /** The object as it changes from `resourceVersion` on, until the watch ends; undefined once it is deleted. */
  async *watch<T extends KubeObject>(
    plural: string,
    name: string,
    resourceVersion: string,
    signal: AbortSignal,
  ): AsyncGenerator<T | undefined, void, void> {
    const query = new URLSearchParams({
      watch: 'true',
      fieldSelector: `metadata.name=${name}`,
      resourceVersion,
      timeoutSeconds: String(WATCH_SECONDS),
    });
    // Where the connection is lost without a word, as what is between forgets it, the server's own end does not come.
    const either = AbortSignal.any([signal, AbortSignal.timeout((WATCH_SECONDS + 10) * 1000)]);
    const stream = await this.#open('GET', `${this.#path(plural)}?${query}`, { signal: either });
    stream.setEncoding('utf8');
    let rest = '';
    try {
      for await (const chunk of stream) {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          const { type, object } = JSON.parse(line) as { type: string; object: T };
          if (type === 'ERROR') return; // the version is too old
          yield type === 'DELETED' ? undefined : object;
        }
      }
    } catch {
      signal.throwIfAborted(); // else it broke off, which ends it as well
    }
  }

  async namespaces(): Promise<string[]> {
    const { items } = await this.#json<KubeList<KubeObject>>('GET', '/api/v1/namespaces', {});
    return items.map(({ metadata }) => metadata.name);
  }

  async pods(labelSelector: string): Promise<Pod[]> {
    const query = new URLSearchParams({ labelSelector });
    return (await this.#json<KubeList<Pod>>('GET', `${this.#pods}?${query}`, {})).items;
  }

  async *logs(pod: string, options: Record<string, string>): AsyncGenerator<Buffer, void, void> {
    const path = `${this.#pods}/${encodeURIComponent(pod)}/log?${new URLSearchParams(options)}`;
    const answer = await this.#open('GET', path, {});
    try {
      yield* answer;
    } catch (cause) {
      throw this.#brokenOff(cause as Error);
    }
  }

  /**
   * Connects `stream` with a port of a pod, until either side ends.
   * @throws ApiError, PluginError when there is no way to it
   */
  async forward(pod: string, port: number, stream: Duplex): Promise<void> {
    const refused = new Writable({
      write: (text: Buffer, _, done) => {
        // The first message is empty: the client has taken the number of the port off it.
        if (text.length > 0) stream.destroy(new Error(text.toString().trim()));
        done();
      },
    });
    const forward = new PortForward(this.#config);
    try {
      const socket = await forward.portForward(this.namespace, pod, [port], stream, refused, stream);
      if (typeof socket === 'function') throw new Error('unexpected: a connection that is made again');
      socket.onclose = () => stream.destroy();
      if (stream.destroyed) socket.close();
      else stream.once('close', () => socket.close());
    } catch (cause) {
      throw forwardError(pod, cause);
    }
  }

  #path(plural: string, name?: string): string {
    const object = name === undefined ? '' : `/${encodeURIComponent(name)}`;
    return `${API}/namespaces/${encodeURIComponent(this.namespace)}/${plural}${object}`;
  }

  get #pods(): string {
    return `/api/v1/namespaces/${encodeURIComponent(this.namespace)}/pods`;
  }

  async #json<T>(method: string, path: string, call: Call): Promise<T> {
    const signal = AbortSignal.any([
      AbortSignal.timeout(this.#timeoutMs),
      ...(call.signal ? [call.signal] : []),
    ]);
    const response = await this.#open(method, path, { ...call, signal });
    return (await json(response).catch((cause: Error) => {
      throw this.#brokenOff(cause);
    })) as T;
  }

  #brokenOff(cause: Error): Unreachable {
    return new Unreachable(`${this.#server.origin} broke off its answer: ${cause.message}`, { cause });
  }

  /** The answer, its body still to be read. */
  async #open(method: string, path: string, { body, contentType, signal }: Call): Promise<IncomingMessage> {
    const options: RequestOptions = {};
    await this.#config.applyToHTTPSOptions(options);
    const url = new URL(this.#server.pathname.replace(/\/$/, '') + path, this.#server);
    const content = body === undefined ? undefined : JSON.stringify(body);
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const request = (url.protocol === 'http:' ? requestHttp : requestHttps)(url, {
      ...options,
      method,
      ...(signal && { signal }),
      headers: {
        accept: 'application/json',
        'user-agent': 'kubectl-jvs',
        ...options.headers,
        ...(content && { 'content-type': contentType ?? 'application/json' }),
      },
    });
    request.on('response', resolve);
    request.on('error', reject);
    request.end(content);
    const response = await promise.catch((cause: NodeJS.ErrnoException) => {
      throw new Unreachable(`${url.origin} does not answer: ${cause.message || cause.code}`, { cause });
    });
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    throw new ApiError(status, messageOf(await text(response)) || `HTTP ${status}`);
  }
}

/** Of a Status; proxies answer in other ways. */
function messageOf(body: string): string {
  try {
    return String((JSON.parse(body) as { message?: string }).message ?? '');
  } catch {
    return body.slice(0, 500);
  }
}

/** The WebSocket's events are no errors, and its errors hide the status in their text. */
function forwardError(pod: string, event: unknown): Error {
  const cause = event instanceof Error ? event : (event as { error?: unknown }).error;
  const message = cause instanceof Error ? cause.message : 'the connection failed';
  if (/Unexpected server response: 403/.test(message)) {
    return new ApiError(403, `you can not create or get resource "pods/portforward" of pod ${pod}`, {
      cause,
    });
  }
  return new PluginError(`no port-forward to pod ${pod}: ${message}`, `does it run? kubectl get pod ${pod}`, {
    cause,
  });
}
