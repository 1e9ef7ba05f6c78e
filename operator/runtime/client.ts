import { type Connect, connectByKubeconfig, connectDefault } from './connection.ts';
import { ApiError, type Status, Unreachable } from './errors.ts';
import { type Exchange, exchange, readText } from './http.ts';
import type { Applied, KubeList, KubeObject, ObjectRef, Resource, Selection } from './types.ts';

export { ApiError };

export interface CallOptions {
  signal?: AbortSignal;
  /** Of the whole call, in milliseconds. */
  timeoutMs?: number;
}

export interface WatchEvent<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  object: T;
}

export interface WatchOptions extends Selection {
  resourceVersion: string;
  /** The server ends the watch after this. */
  timeoutSeconds: number;
  /** The watch is given up when nothing at all has come for this long. The server sends a bookmark every minute. */
  idleTimeoutMs: number;
  signal: AbortSignal;
  /** The server has accepted the watch. */
  onOpen?: () => void;
}

export interface TokenReviewStatus {
  authenticated?: boolean;
  audiences?: string[];
  error?: string;
  user?: { username?: string; uid?: string; groups?: string[]; extra?: Record<string, string[]> };
}

type Query = Record<string, string | number | boolean | undefined>;

const TIMEOUT_MS = 30_000;

/**
 * A thin client: JSON in, JSON out, no models, so that no field is ever dropped. One per process.
 * Calls throw ApiError for answers that are errors, the signal's reason when aborted, Unreachable without an answer.
 */
export class KubeClient {
  readonly #connect: Connect;
  readonly #onWarning: (warning: string) => void;
  readonly #connectToChange: Connect;
  #serverTime: Date | undefined;

  /** `onWarning` gets what the server says about deprecated or unknown fields. */
  constructor(
    connect: Connect,
    onWarning: (warning: string) => void = () => {},
    connectToChange: Connect = connect,
  ) {
    this.#connect = connect;
    this.#onWarning = onWarning;
    this.#connectToChange = connectToChange;
  }

  /** Of the last answer, to the second, by the API server's clock. */
  get serverTime(): Date | undefined {
    return this.#serverTime;
  }

  /** KUBECONFIG, else the pod's ServiceAccount, else ~/.kube/config. */
  static fromDefault(onWarning?: (warning: string) => void): KubeClient {
    return new KubeClient(connectDefault(), onWarning);
  }

  static fromKubeconfig(file: string, onWarning?: (warning: string) => void): KubeClient {
    return new KubeClient(connectByKubeconfig(file), onWarning);
  }

  /** The same, but nothing is changed any more when `check` throws, asked at the moment at which a change is sent. */
  fenced(check: () => void): KubeClient {
    const connect: Connect = async () => {
      const endpoint = await this.#connect();
      check();
      return endpoint;
    };
    return new KubeClient(this.#connect, this.#onWarning, connect);
  }

  /** undefined when there is none. */
  async get<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    options: CallOptions = {},
  ): Promise<T | undefined> {
    try {
      return await this.#call<T>({ method: 'GET', path: pathOf(resource, ref), ...options });
    } catch (error) {
      if (ApiError.is(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  /** One page when `limit` is given: go on with `metadata.continue`. */
  async list<T extends KubeObject>(
    resource: Resource<T>,
    options: Selection & { limit?: number; continue?: string } & CallOptions = {},
  ): Promise<KubeList<T>> {
    const { namespace, labelSelector, fieldSelector, limit, continue: token, ...call } = options;
    const query = { labelSelector, fieldSelector, limit, continue: token };
    const list = await this.#call<KubeList<T>>({
      method: 'GET',
      path: pathOf(resource, { namespace }, '', query),
      ...call,
    });
    // The items of a list come without them.
    for (const item of list.items) Object.assign(item, typeMeta(resource));
    return list;
  }

  create<T extends KubeObject>(resource: Resource<T>, object: T, options: CallOptions = {}): Promise<T> {
    return this.#call<T>({
      method: 'POST',
      path: pathOf(resource, { namespace: namespaceFor(resource, object.metadata) }),
      body: { ...typeMeta(resource), ...object },
      ...options,
    });
  }

  /** Server-side apply: creates the object or sets the fields given, and removes those of ours not given any more. */
  apply<T extends KubeObject>(
    resource: Resource<T>,
    object: Applied<T>,
    options: { fieldManager: string; force?: boolean } & CallOptions,
  ): Promise<T> {
    return this.#apply(resource, object, '', options);
  }

  /** Server-side apply of the status; the rest of `object` but its name is ignored by the server. */
  applyStatus<T extends KubeObject>(
    resource: Resource<T>,
    object: Applied<T>,
    options: { fieldManager: string; force?: boolean } & CallOptions,
  ): Promise<T> {
    return this.#apply(resource, object, '/status', options);
  }

  /** With `metadata.resourceVersion` in the patch it fails with Conflict when the object has changed since. */
  mergePatch<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    patch: object,
    options: { fieldManager?: string; subresource?: 'status' | 'scale' } & CallOptions = {},
  ): Promise<T> {
    const { fieldManager, subresource, ...call } = options;
    return this.#call<T>({
      method: 'PATCH',
      path: pathOf(resource, named(resource, ref), subresource && `/${subresource}`, { fieldManager }),
      contentType: 'application/merge-patch+json',
      body: patch,
      ...call,
    });
  }

  /** Success when there is none. With `uid`, Conflict when another object has taken the name. */
  async delete<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    options: {
      uid?: string;
      resourceVersion?: string;
      propagationPolicy?: 'Foreground' | 'Background' | 'Orphan';
      gracePeriodSeconds?: number;
    } & CallOptions = {},
  ): Promise<void> {
    const { uid, resourceVersion, propagationPolicy, gracePeriodSeconds, ...call } = options;
    const body = { preconditions: { uid, resourceVersion }, propagationPolicy, gracePeriodSeconds };
    try {
      await this.#call({ method: 'DELETE', path: pathOf(resource, named(resource, ref)), body, ...call });
    } catch (error) {
      if (!ApiError.is(error, 'NotFound')) throw error;
    }
  }

  /** Changes from `resourceVersion` on, until the server ends the watch. Throws ApiError `Expired` when that is too old. */
  async *watch<T extends KubeObject>(
    resource: Resource<T>,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>, void, void> {
    const { namespace, idleTimeoutMs, signal, onOpen, ...query } = options;
    const path = pathOf(resource, { namespace }, '', { watch: true, allowWatchBookmarks: true, ...query });
    const response = await exchange(this.#connect, { method: 'GET', path, signal, timeoutMs: TIMEOUT_MS });
    const idle = setTimeout(
      () => response.destroy(new Error(`nothing for ${idleTimeoutMs} ms`)),
      idleTimeoutMs,
    );
    try {
      onOpen?.();
      response.setEncoding('utf8');
      let rest = '';
      for await (const chunk of response) {
        idle.refresh();
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) yield parseEvent<T>(path, line);
      }
    } catch (cause) {
      signal.throwIfAborted();
      if (cause instanceof ApiError) throw cause;
      throw new Unreachable(`watch ${path} broke off: ${cause instanceof Error ? cause.message : cause}`, {
        cause,
      });
    } finally {
      clearTimeout(idle);
      response.destroy();
    }
  }

  /** Who the bearer of a token is, if it is for one of `audiences`. */
  async tokenReview(
    token: string,
    audiences: string[],
    options: CallOptions = {},
  ): Promise<TokenReviewStatus> {
    const { status } = await this.#call<{ status: TokenReviewStatus }>({
      method: 'POST',
      path: '/apis/authentication.k8s.io/v1/tokenreviews',
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token, audiences } },
      ...options,
    });
    return status;
  }

  /** A token of a ServiceAccount; bound to a pod when one is given, as a projected volume's is. */
  async createToken(
    serviceAccount: ObjectRef,
    spec: { audiences: string[]; expirationSeconds?: number; pod?: { name: string; uid: string } },
    options: CallOptions = {},
  ): Promise<string> {
    const { pod, ...rest } = spec;
    const boundObjectRef = pod && { apiVersion: 'v1', kind: 'Pod', ...pod };
    const { status } = await this.#call<{ status: { token: string } }>({
      method: 'POST',
      path: `/api/v1/namespaces/${serviceAccount.namespace}/serviceaccounts/${serviceAccount.name}/token`,
      body: {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { ...rest, boundObjectRef },
      },
      ...options,
    });
    return status.token;
  }

  #apply<T extends KubeObject>(
    resource: Resource<T>,
    object: Applied<T>,
    subresource: string,
    { fieldManager, force = true, ...call }: { fieldManager: string; force?: boolean } & CallOptions,
  ): Promise<T> {
    return this.#call<T>({
      method: 'PATCH',
      path: pathOf(resource, named(resource, object.metadata), subresource, { fieldManager, force }),
      contentType: 'application/apply-patch+yaml', // JSON is YAML; the JSON-only type is not known to 1.29
      body: { ...object, ...typeMeta(resource) },
      ...call,
    });
  }

  async #call<T>(options: Omit<Exchange, 'timeoutMs'> & CallOptions): Promise<T> {
    const { timeoutMs = TIMEOUT_MS, method, path, signal } = options;
    const deadline = performance.now() + timeoutMs;
    const connect = method === 'GET' ? this.#connect : this.#connectToChange;
    const response = await exchange(connect, { ...options, timeoutMs });
    if (response.headers.date) this.#serverTime = new Date(response.headers.date);
    for (const header of response.headersDistinct.warning ?? []) this.#onWarning(warningText(header));
    try {
      return JSON.parse(await readText(response, deadline - performance.now())) as T;
    } catch (cause) {
      signal?.throwIfAborted();
      throw new Unreachable(`${method} ${path}: the answer broke off or is no JSON`, { cause });
    }
  }
}

function parseEvent<T>(path: string, line: string): WatchEvent<T> {
  const event = JSON.parse(line) as WatchEvent<T> | { type: 'ERROR'; object: Status };
  if (event.type === 'ERROR')
    throw new ApiError(`watch ${path.split('?')[0]}`, event.object.code ?? 500, event.object);
  return event;
}

/** `299 - "text"` */
function warningText(header: string): string {
  return header.replace(/^299 \S+ "(.*)"$/s, '$1').replaceAll('\\"', '"');
}

function typeMeta({ apiVersion, kind }: Resource<KubeObject>) {
  return { apiVersion, kind };
}

function namespaceFor(resource: Resource<KubeObject>, ref: ObjectRef): string | undefined {
  if (resource.namespaced && !ref.namespace)
    throw new Error(`${resource.kind} ${ref.name}: metadata.namespace is missing`);
  return ref.namespace;
}

function named(resource: Resource<KubeObject>, ref: ObjectRef): ObjectRef {
  if (!ref.name) throw new Error(`${resource.kind}: metadata.name is missing`);
  const namespace = namespaceFor(resource, ref);
  return namespace ? { namespace, name: ref.name } : { name: ref.name };
}

function pathOf(
  { apiVersion, plural, namespaced }: Resource<KubeObject>,
  { namespace, name }: { namespace?: string | undefined; name?: string },
  subresource = '',
  query: Query = {},
): string {
  const prefix = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const scope = namespaced && namespace ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  const object = name ? `/${encodeURIComponent(name)}` : '';
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query))
    if (value !== undefined && value !== '') search.set(key, String(value));
  return `${prefix}${scope}/${plural}${object}${subresource}${search.size > 0 ? `?${search}` : ''}`;
}
