// Keeps a copy of a kind's objects, true to the API server through restarts of either side.
import { type Backoff, backoffMs } from '../../shared/backoff.ts';
import type { Logger } from '../../shared/log.ts';
import type { KubeClient } from './client.ts';
import { ApiError } from './errors.ts';
import { pause } from './pause.ts';
import { type Indexes, Store } from './store.ts';
import { type KubeObject, keyOf, type Resource, type Selection } from './types.ts';
import { shareWords } from './words.ts';

/** `now` is undefined when the object is gone, `before` when it is new. Handlers only enqueue. */
export type ChangeHandler<T> = (key: string, now: T | undefined, before: T | undefined) => void;

export interface InformerOptions<T> extends Selection {
  /** Only these, each with a watch of its own; ignored for cluster-scoped kinds. All, or `namespace`, when empty. */
  namespaces?: readonly string[];
  indexes?: Indexes<T>;
  /** What is kept of an object, to save memory. managedFields and kubectl's last-applied copy never are. Neither it nor an index may throw. */
  transform?: (object: T) => T;
  /** Synced, with nothing in it, while the API server forbids to see it: `refused`. */
  optional?: boolean;
  pageSize?: number;
  /** A watch that is silent for longer is dead. The API server sends a bookmark every minute. */
  idleTimeoutMs?: number;
  backoff?: Backoff;
  random?: () => number;
  log: Logger;
}

const WATCH_SECONDS = 300;
const LIST_TIMEOUT_MS = 60_000;
const HEALTHY_AFTER_MS = 5_000;

export class Informer<T extends KubeObject> {
  readonly #client: KubeClient;
  readonly #resource: Resource<T>;
  /** One list and watch each. */
  readonly #selections: readonly Selection[];
  readonly #options: Required<Omit<InformerOptions<T>, keyof Selection | 'namespaces'>>;
  readonly #log: Logger;
  readonly #store: Store<T>;
  readonly #handlers: ChangeHandler<T>[] = [];
  readonly #synced = Promise.withResolvers<void>();
  #refused = false;

  constructor(client: KubeClient, resource: Resource<T>, options: InformerOptions<T>) {
    const { namespace, namespaces = [], labelSelector, fieldSelector, ...rest } = options;
    this.#client = client;
    this.#resource = resource;
    const scopes = resource.namespaced && namespaces.length > 0 ? namespaces : [namespace];
    this.#selections = scopes.map((scope) => ({
      ...(scope && { namespace: scope }),
      ...(labelSelector && { labelSelector }),
      ...(fieldSelector && { fieldSelector }),
    }));
    this.#options = {
      indexes: {},
      transform: (object) => object,
      optional: false,
      pageSize: 500,
      idleTimeoutMs: 90_000,
      backoff: { baseMs: 200, capMs: 10_000 },
      random: Math.random,
      ...rest,
    };
    this.#log = options.log.child({ informer: resource.plural });
    this.#store = new Store(this.#options.indexes);
    this.#synced.promise.catch(() => {}); // not everybody waits for it
  }

  /** Runs until the signal aborts. */
  start(signal: AbortSignal): void {
    const stopped = () => this.#synced.reject(signal.reason);
    if (signal.aborted) stopped();
    signal.addEventListener('abort', stopped, { once: true });
    const first = this.#selections.map(
      (selection) => new Promise<void>((listed) => void this.#run(selection, signal, listed)),
    );
    void Promise.all(first).then(() => this.#synced.resolve());
  }

  /** Resolves once the first list of each namespace is here and the handlers have seen it; rejects when stopped before. */
  synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** The API server forbids to list it; asked again by and by. */
  get refused(): boolean {
    return this.#refused;
  }

  /** By `namespace/name`, or `name` where the kind is cluster-scoped. What is returned must not be changed. */
  get(key: string): T | undefined {
    return this.#store.get(key);
  }

  list(namespace?: string): T[] {
    return this.#store.list(namespace);
  }

  /** Throws when there is no such index. */
  byIndex(name: string, value: string): T[] {
    return this.#store.byIndex(name, value);
  }

  /** A handler is told about the objects already here at once. */
  onChange(handler: ChangeHandler<T>): void {
    this.#handlers.push(handler);
    for (const object of this.#store.list()) this.#call(handler, keyOf(object), object, undefined);
  }

  async #run(selection: Selection, signal: AbortSignal, listed: () => void): Promise<void> {
    const { backoff, random } = this.#options;
    let version: string | undefined;
    let failures = 0;
    while (!signal.aborted) {
      let error: unknown;
      let healthy = false;
      let openedAt = Number.POSITIVE_INFINITY;
      try {
        version ??= await this.#list(selection, signal);
        this.#refused = false;
        listed();
        const onOpen = () => {
          openedAt = performance.now();
        };
        for await (const event of this.#watch(selection, version, signal, onOpen)) {
          healthy = true;
          version = event.object.metadata.resourceVersion ?? version;
          if (event.type === 'DELETED') this.#remove(keyOf(event.object));
          else if (event.type !== 'BOOKMARK') this.#set(this.#kept(event.object));
        }
      } catch (err) {
        error = err;
        if (this.#options.optional && err instanceof ApiError && err.status === 403) {
          this.#refused = true;
          listed();
        }
      }
      if (signal.aborted) return;
      if (healthy || performance.now() - openedAt > HEALTHY_AFTER_MS) failures = 0;
      else error ??= new Error('the server ended the watch at once');
      if (!error) continue;
      // A connection may just have gone away: the first time, go on where it broke off. Else look at everything anew.
      if (failures > 0 || (error instanceof ApiError && error.status === 410)) version = undefined;
      const asked = error instanceof ApiError ? error.retryAfter : 0;
      const retryInMs = Math.round(Math.max(asked, backoffMs(backoff, failures, random)));
      this.#log[failures === 0 ? 'debug' : 'warn'](
        { err: error, failures, retryInMs },
        'list or watch broke off',
      );
      failures += 1;
      await pause(retryInMs, signal);
    }
  }

  #watch(selection: Selection, resourceVersion: string, signal: AbortSignal, onOpen: () => void) {
    return this.#client.watch(this.#resource, {
      ...selection,
      resourceVersion,
      timeoutSeconds: Math.round(WATCH_SECONDS * (1 + this.#options.random())),
      idleTimeoutMs: this.#options.idleTimeoutMs,
      signal,
      onOpen,
    });
  }

  /** Takes over the state of now, telling the handlers what is different; returns its resourceVersion. */
  async #list(selection: Selection, signal: AbortSignal): Promise<string> {
    const { pageSize } = this.#options;
    const { objects, version } = await this.#pages(selection, pageSize, signal).catch((error: unknown) => {
      // The pages' snapshot was compacted away in between; one big answer cannot fall apart.
      if (error instanceof ApiError && error.status === 410) return this.#pages(selection, undefined, signal);
      throw error;
    });
    const gone = new Set(this.#store.keys(selection.namespace));
    for (const object of objects) gone.delete(keyOf(object));
    for (const key of gone) this.#remove(key);
    for (const object of objects) this.#set(object);
    return version;
  }

  async #pages(
    selection: Selection,
    limit: number | undefined,
    signal: AbortSignal,
  ): Promise<{ objects: T[]; version: string }> {
    const objects: T[] = [];
    let token: string | undefined;
    for (;;) {
      const page = await this.#client.list(this.#resource, {
        ...selection,
        ...(limit && { limit }),
        ...(token && { continue: token }),
        signal,
        timeoutMs: LIST_TIMEOUT_MS,
      });
      for (const object of page.items) objects.push(this.#kept(object));
      token = page.metadata.continue;
      if (!token) return { objects, version: page.metadata.resourceVersion };
    }
  }

  #kept(object: T): T {
    delete (object.metadata as { managedFields?: unknown }).managedFields;
    delete object.metadata.annotations?.['kubectl.kubernetes.io/last-applied-configuration'];
    return shareWords(this.#options.transform(object));
  }

  #set(now: T): void {
    const key = keyOf(now);
    const known = this.#store.get(key);
    if (known?.metadata.resourceVersion === now.metadata.resourceVersion) return;
    if (known && known.metadata.uid !== now.metadata.uid) this.#remove(key); // deleted and made anew in between
    const before = this.#store.get(key);
    this.#store.set(now);
    this.#emit(key, now, before);
  }

  #remove(key: string): void {
    const before = this.#store.get(key);
    if (!before) return;
    this.#store.delete(key);
    this.#emit(key, undefined, before);
  }

  #emit(key: string, now: T | undefined, before: T | undefined): void {
    for (const handler of this.#handlers) this.#call(handler, key, now, before);
  }

  #call(handler: ChangeHandler<T>, key: string, now: T | undefined, before: T | undefined): void {
    try {
      handler(key, now, before);
    } catch (err) {
      this.#log.error({ err, key }, 'a change handler threw');
    }
  }
}
