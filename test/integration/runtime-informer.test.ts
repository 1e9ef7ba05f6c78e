import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { KubeClient } from '../../operator/runtime/client.ts';
import { connectByKubeconfig } from '../../operator/runtime/connection.ts';
import { Controller } from '../../operator/runtime/controller.ts';
import { Informer, type InformerOptions } from '../../operator/runtime/informer.ts';
import { type ConfigMap, configMaps, namespaces } from '../../operator/runtime/resources.ts';
import { keyOf, refOf } from '../../operator/runtime/types.ts';
import { type ApiServer, startApiServer } from '../cluster/apiserver.ts';
import { Relay } from './runtime-relay.ts';

const log = pino({ level: 'silent' });
const eventually = { timeout: 60_000, interval: 50 };
/** How long the API server stays away. */
const OUTAGE_MS = 60_000;

let api: ApiServer;
let client: KubeClient;
let namespace: string;
let stop: AbortController;
let count = 0;

beforeAll(async () => {
  api = await startApiServer();
  client = KubeClient.fromKubeconfig(api.kubeconfig);
});
afterAll(() => api.stop());
beforeEach(async () => {
  stop = new AbortController();
  namespace = `informer-${++count}`;
  await client.create(namespaces, { metadata: { name: namespace } });
});
afterEach(() => stop.abort());

const put = (name: string, data: Record<string, string> = {}) =>
  client.apply(configMaps, { metadata: { namespace, name }, data }, { fieldManager: 'test' });
const remove = (name: string) => client.delete(configMaps, { namespace, name });

async function putMany(names: string[]): Promise<void> {
  const rest = names.values();
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (const name of rest) await put(name);
    }),
  );
}

/** An informer and what somebody who only hears of its changes believes. */
function inform(options: Partial<InformerOptions<ConfigMap>> = {}, by = client) {
  const informer = new Informer(by, configMaps, { namespace, log, ...options });
  const believed = new Map<string, ConfigMap>();
  const contradictions: string[] = [];
  informer.onChange((key, now, before) => {
    if (before !== believed.get(key)) contradictions.push(key);
    if (now) believed.set(key, now);
    else believed.delete(key);
  });
  informer.start(stop.signal);
  return { informer, believed, contradictions };
}

const versions = (objects: Iterable<ConfigMap>) =>
  [...objects].map((object) => `${keyOf(object)}@${object.metadata.resourceVersion}`).sort();

async function expectTrue({ informer, believed, contradictions }: ReturnType<typeof inform>): Promise<void> {
  await expect
    .poll(async () => {
      const truth = versions((await client.list(configMaps, { namespace })).items);
      return [versions(informer.list()), versions(believed.values())].map(
        (view) => view.join() === truth.join(),
      );
    }, eventually)
    .toEqual([true, true]);
  expect(contradictions).toEqual([]);
}

describe('Informer', () => {
  it('gathers more objects than fit a page, and follows what is added, changed and removed', async () => {
    await putMany(Array.from({ length: 1050 }, (_, n) => `many-${n}`));
    const view = inform();
    await view.informer.synced();
    expect(view.informer.list()).toHaveLength(1050);
    expect(view.informer.list().filter(({ metadata }) => 'managedFields' in metadata)).toEqual([]);
    await Promise.all([put('many-7', { changed: 'yes' }), put('another'), remove('many-9')]);
    await expectTrue(view);
    expect(view.informer.get(`${namespace}/many-7`)?.data).toEqual({ changed: 'yes' });
  });

  it('gets over kill -9 of the API server: all work is done, nothing is lost, nothing is restarted', async () => {
    const view = inform();
    const controller = new Controller({
      name: 'marker',
      workers: 4,
      log,
      reconcile: async (key, signal) => {
        const object = view.informer.get(key);
        if (!object || object.metadata.labels?.seen === object.data?.n) return;
        const metadata = { ...refOf(key), labels: { seen: object.data?.n ?? '' } };
        await client.apply(configMaps, { metadata }, { fieldManager: 'marker', signal });
      },
    });
    view.informer.onChange((key) => controller.enqueue(key));
    const stopped = controller.start(stop.signal);
    const unmarked = async () => {
      const { items } = await client.list(configMaps, { namespace });
      return items.filter(({ metadata, data }) => metadata.labels?.seen !== data?.n).map(keyOf);
    };

    await Promise.all(Array.from({ length: 60 }, (_, n) => put(`work-${n}`, { n: '1' })));
    await api.kill(); // in the midst of marking
    await sleep(OUTAGE_MS);
    await api.restart();
    await Promise.all([put('work-1', { n: '2' }), put('late', { n: '1' }), remove('work-2')]);

    await expect.poll(unmarked, eventually).toEqual([]);
    await expectTrue(view);
    expect(view.informer.list()).toHaveLength(60);
    stop.abort();
    await stopped;
  }, 180_000);

  it('notices by itself that a frozen API server does not answer, and goes on when it does', async () => {
    await using relay = await Relay.start(api.url);
    const view = inform(
      { idleTimeoutMs: 1000 },
      new KubeClient(relay.through(connectByKubeconfig(api.kubeconfig))),
    );
    await put('before');
    await expectTrue(view);
    const accepted = relay.accepted;
    api.pause();
    try {
      // Nothing else uses the relay: a new connection means that the old one was given up.
      await expect.poll(() => relay.accepted, eventually).toBeGreaterThan(accepted);
    } finally {
      api.resume();
    }
    await Promise.all([put('after'), remove('before')]);
    await expectTrue(view);
  });

  it('finds what changed and what was deleted while it was cut off, and the API server restarted meanwhile', async () => {
    await using relay = await Relay.start(api.url);
    await putMany(['stays', 'changes', 'goes', 'is-replaced']);
    const view = inform(
      { idleTimeoutMs: 1000 },
      new KubeClient(relay.through(connectByKubeconfig(api.kubeconfig))),
    );
    await expectTrue(view);
    const uid = view.believed.get(`${namespace}/is-replaced`)?.metadata.uid;

    relay.lose();
    await Promise.all([put('changes', { n: '2' }), put('comes'), remove('goes'), remove('is-replaced')]);
    await put('is-replaced');
    // Its memory of changes begins anew, so that going on from an old version is refused with 410.
    await api.kill();
    await api.restart();
    relay.heal();

    await expectTrue(view);
    expect([...view.believed.keys()].sort()).toEqual(
      ['changes', 'comes', 'is-replaced', 'stays'].map((name) => `${namespace}/${name}`),
    );
    expect(view.believed.get(`${namespace}/is-replaced`)?.metadata.uid).not.toBe(uid);
  });

  it('is refused a watch from a version that is compacted away, with status 410', async () => {
    const { metadata } = await put('old');
    await put('old', { n: '2' });
    await api.kill();
    await api.restart();
    await put('new');
    const watch = client.watch(configMaps, {
      namespace,
      resourceVersion: metadata.resourceVersion ?? '',
      timeoutSeconds: 60,
      idleTimeoutMs: 60_000,
      signal: stop.signal,
    });
    await expect(watch.next()).rejects.toMatchObject({ status: 410, reason: 'Expired' });
  });
});
