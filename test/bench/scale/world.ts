// What the measured operator finds in the cluster: Workspaces, their pods, and Snapshots that are asked for.
import { type Snapshot, snapshots } from '../../../operator/api/snapshot.ts';
import { type Workspace, workspaces } from '../../../operator/api/workspace.ts';
import type { KubeClient } from '../../../operator/runtime/client.ts';
import { Informer } from '../../../operator/runtime/informer.ts';
import { namespaces, pods } from '../../../operator/runtime/resources.ts';
import { defineResource, type KubeObject } from '../../../operator/runtime/types.ts';
import { createLogger } from '../../../shared/log.ts';
import type { Command } from './fleet.ts';

const serviceAccounts = defineResource<KubeObject>('v1', 'ServiceAccount', 'serviceaccounts');
const perNamespace = 50;
const label = 'bench.jvs.io/measured';

export interface Place {
  namespace: string;
  name: string;
}

export const placesOf = (count: number): Place[] =>
  Array.from({ length: count }, (_, i) => ({
    namespace: `bench-${Math.floor(i / perNamespace)}`,
    name: `w${i}`,
  }));

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

export class World {
  readonly #client: KubeClient;
  readonly #measured: Informer<Snapshot>;
  readonly #ready = new Map<string, () => void>();

  constructor(client: KubeClient, signal: AbortSignal) {
    this.#client = client;
    const log = createLogger('bench');
    this.#measured = new Informer(client, snapshots, { labelSelector: label, log });
    this.#measured.onChange((key, now) => {
      if (now?.status?.phase === 'Ready') this.#ready.get(key)?.();
    });
    this.#measured.start(signal);
  }

  async makeNamespaces(places: readonly Place[]): Promise<void> {
    await each([...new Set(places.map(({ namespace }) => namespace))], async (name) => {
      await this.#client.create(namespaces, { metadata: { name } });
      await this.#client.create(serviceAccounts, { metadata: { namespace: name, name: 'default' } });
    });
  }

  async makeWorkspaces(places: readonly Place[]): Promise<void> {
    await each(places, (metadata) =>
      this.#client.create(workspaces, { metadata, spec: { storage: '1Gi' } } as unknown as Workspace),
    );
  }

  /** A pod of each that looks as if it ran, and its agent's token. */
  async makePods(places: readonly Place[]): Promise<Command['members']> {
    return each(places, async ({ namespace, name }) => {
      const pod = await this.#client.create(pods, podOf(namespace, `${name}-0`, name));
      const ref = { namespace, name: pod.metadata.name };
      const conditions = [{ type: 'Ready', status: 'True' }];
      const status = { phase: 'Running', podIP: '10.0.0.1', conditions };
      await this.#client.mergePatch(pods, ref, { status }, { subresource: 'status' });
      const token = await this.#client.createToken(
        { namespace, name: 'default' },
        { audiences: ['jvs-operator'], pod: { name: ref.name, uid: pod.metadata.uid ?? '' } },
      );
      return { workspace: name, pod: ref.name, token };
    });
  }

  /** Asks for a Snapshot; gives when it is Ready, as a watch sees it. */
  async request({ namespace, name: workspace }: Place, name: string): Promise<{ ready: Promise<void> }> {
    const { promise: ready, resolve } = Promise.withResolvers<void>();
    this.#ready.set(`${namespace}/${name}`, resolve);
    const metadata = { namespace, name, labels: { [label]: 'true' } };
    await this.#client.create(snapshots, { metadata, spec: { workspace } } as unknown as Snapshot);
    return { ready };
  }

  /** Milliseconds until it is Ready. */
  async snapshot(place: Place, name: string): Promise<number> {
    const since = performance.now();
    const { ready } = await this.request(place, name);
    await ready;
    return performance.now() - since;
  }

  /** Milliseconds for a pod to be accepted, and not kept; with a workspace it passes the webhook. */
  async admission(namespace: string, name: string, workspace?: string): Promise<number> {
    const since = performance.now();
    await this.#client.create(pods, podOf(namespace, name, workspace));
    const elapsed = performance.now() - since;
    await this.#client.delete(pods, { namespace, name }, { gracePeriodSeconds: 0 });
    return elapsed;
  }
}

const podOf = (namespace: string, name: string, workspace?: string) => ({
  metadata: { namespace, name, ...(workspace && { labels: { 'jvs.io/workspace': workspace } }) },
  spec: { nodeName: 'node', containers: [{ name: 'main', image: 'busybox' }] },
});
