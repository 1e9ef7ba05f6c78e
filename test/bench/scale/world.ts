// What the measured operator finds in the cluster: Workspaces, their pods, and Snapshots that are asked for.
import { type Snapshot, snapshots } from '../../../operator/api/snapshot.ts';
import { type Workspace, workspaces } from '../../../operator/api/workspace.ts';
import { caKey, caName } from '../../../operator/certs/ca-config-map.ts';
import type { KubeClient } from '../../../operator/runtime/client.ts';
import { configMaps, namespaces, pods } from '../../../operator/runtime/resources.ts';
import { defineResource, type KubeObject } from '../../../operator/runtime/types.ts';
import { eventually } from '../../kubectl.ts';
import { Asked, each } from '../asked.ts';
import type { Command } from './fleet.ts';

const serviceAccounts = defineResource<KubeObject>('v1', 'ServiceAccount', 'serviceaccounts');
const perNamespace = 50;

export interface Place {
  namespace: string;
  name: string;
}

export const placesOf = (count: number): Place[] =>
  Array.from({ length: count }, (_, i) => ({
    namespace: `bench-${Math.floor(i / perNamespace)}`,
    name: `w${i}`,
  }));

export class World {
  readonly #client: KubeClient;
  readonly #snapshots: Asked<Snapshot>;

  constructor(client: KubeClient, signal: AbortSignal) {
    this.#client = client;
    this.#snapshots = new Asked(client, snapshots, ({ status }) => status?.phase === 'Ready', signal);
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

  /** What the agents of the place trust, in PEM, as soon as the operator has published it. */
  authority({ namespace }: Place): Promise<string> {
    return eventually(
      'the CA is published',
      async () => (await this.#client.get(configMaps, { namespace, name: caName }))?.data?.[caKey],
    );
  }

  /** Milliseconds until it is Ready, as a watch sees it. */
  snapshot(place: Place, name: string): Promise<number> {
    return this.#snapshots.time(snapshotOf(place, name));
  }

  /** Milliseconds until all are Ready. */
  allSnapshots(asked: readonly { place: Place; name: string }[]): Promise<number> {
    return this.#snapshots.timeAll(asked.map(({ place, name }) => snapshotOf(place, name)));
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

const snapshotOf = ({ namespace, name: workspace }: Place, name: string): Snapshot =>
  ({ metadata: { namespace, name }, spec: { workspace } }) as unknown as Snapshot;
