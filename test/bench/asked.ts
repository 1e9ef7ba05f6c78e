// Objects that a benchmark asks for, and the moment when a watch says that each is what was asked.

import type { KubeClient } from '../../operator/runtime/client.ts';
import { Informer } from '../../operator/runtime/informer.ts';
import { type KubeObject, keyOf, type Resource } from '../../operator/runtime/types.ts';
import { createLogger } from '../../shared/log.ts';

const label = 'bench.jvs.io/measured';
const givesUpMs = 600_000;

/** Runs `work` for all, so many at a time; results in their order. */
export async function each<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
  atOnce = 20,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < items.length; i = next++) results[i] = await work(items[i] as T);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}

export class Asked<T extends KubeObject> {
  readonly #client: KubeClient;
  readonly #resource: Resource<T>;
  readonly #ready = new Map<string, () => void>();

  /** Watches until aborted. */
  constructor(
    client: KubeClient,
    resource: Resource<T>,
    isReady: (object: T) => boolean,
    signal: AbortSignal,
  ) {
    this.#client = client;
    this.#resource = resource;
    const informer = new Informer(client, resource, { labelSelector: label, log: createLogger('bench') });
    informer.onChange((key, now) => {
      if (!now || !isReady(now)) return;
      this.#ready.get(key)?.();
      this.#ready.delete(key);
    });
    informer.start(signal);
  }

  /** Milliseconds from making the object until it is ready. */
  time(object: T): Promise<number> {
    return this.timeAll([object]);
  }

  /** Milliseconds until all are ready, over no more connections than a client of an API server has. */
  async timeAll(objects: readonly T[]): Promise<number> {
    const since = performance.now();
    let ready = 0;
    const { promise: all, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(
      () => reject(new Error(`${ready} of ${objects.length} are ready after ${givesUpMs / 1000} s`)),
      givesUpMs,
    );
    for (const object of objects) {
      this.#ready.set(keyOf(object), () => {
        if (++ready === objects.length) resolve();
      });
    }
    try {
      await each(objects, (object) => this.#make(object));
      await all;
      return performance.now() - since;
    } finally {
      clearTimeout(timer);
    }
  }

  async #make(object: T): Promise<void> {
    const metadata = { ...object.metadata, labels: { [label]: 'true' } };
    await this.#client.create(this.#resource, { ...object, metadata });
  }
}
