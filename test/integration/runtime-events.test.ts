import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { KubeClient } from '../../operator/runtime/client.ts';
import { EventRecorder } from '../../operator/runtime/events.ts';
import { ManualClock } from '../../operator/runtime/manual-clock.ts';
import {
  type ConfigMap,
  configMaps,
  type Event,
  events,
  namespaces,
  nodes,
} from '../../operator/runtime/resources.ts';
import type { KubeObject } from '../../operator/runtime/types.ts';
import { type ApiServer, startApiServer } from '../cluster/apiserver.ts';

const log = pino({ level: 'silent' });
const eventually = { timeout: 40_000, interval: 20 };
let api: ApiServer;
let client: KubeClient;
let namespace: string;
let clock: ManualClock;
let stop: AbortController;
let object: ConfigMap;
let count = 0;

beforeAll(async () => {
  api = await startApiServer();
  client = KubeClient.fromKubeconfig(api.kubeconfig);
});
afterAll(() => api.stop());
beforeEach(async () => {
  clock = new ManualClock();
  stop = new AbortController();
  namespace = `events-${++count}`;
  await client.create(namespaces, { metadata: { name: namespace } });
  object = await client.create(configMaps, { metadata: { namespace, name: 'about' } });
});
afterEach(() => stop.abort());

function recorder(): EventRecorder {
  const recorder = new EventRecorder(client, { controller: 'jvs-operator', instance: 'pod-1', log, clock });
  void recorder.start(stop.signal);
  return recorder;
}

const stored = async (where = namespace) => (await client.list(events, { namespace: where })).items;
const counts = async () =>
  Object.fromEntries((await stored()).map(({ note, series }) => [note, series?.count ?? 1]));

describe('EventRecorder', () => {
  it('writes an event as kubectl describe finds it', async () => {
    recorder().emit(object, 'Warning', 'StorageMissing', 'Create the StorageClass fast-ssd or set another.');
    await expect.poll(() => stored(), eventually).toHaveLength(1);
    const [event] = await stored();
    expect(event).toMatchObject({
      type: 'Warning',
      reason: 'StorageMissing',
      note: 'Create the StorageClass fast-ssd or set another.',
      regarding: { apiVersion: 'v1', kind: 'ConfigMap', namespace, name: 'about', uid: object.metadata.uid },
      reportingController: 'jvs-operator',
      reportingInstance: 'pod-1',
    } satisfies Partial<Event>);
  });

  it('counts what is said again in the same event, over restarts too', async () => {
    const first = recorder();
    first.emit(object, 'Normal', 'Waiting', 'no agent yet');
    await expect.poll(counts, eventually).toEqual({ 'no agent yet': 1 });
    for (let n = 0; n < 4; n++) first.emit(object, 'Normal', 'Waiting', 'no agent yet');
    first.emit(object, 'Normal', 'Waiting', 'something else');
    clock.advance(10_000);
    await expect.poll(counts, eventually).toEqual({ 'no agent yet': 5, 'something else': 1 });

    const restarted = recorder();
    restarted.emit(object, 'Normal', 'Waiting', 'no agent yet');
    await expect.poll(counts, eventually).toEqual({ 'no agent yet': 6, 'something else': 1 });
  });

  it('writes it anew when the server has forgotten it', async () => {
    const events_ = recorder();
    events_.emit(object, 'Normal', 'Waiting', 'no agent yet');
    await expect.poll(() => stored(), eventually).toHaveLength(1);
    const [event] = await stored();
    if (event) await client.delete(events, event.metadata);
    events_.emit(object, 'Normal', 'Waiting', 'no agent yet');
    clock.advance(10_000);
    await expect.poll(counts, eventually).toEqual({ 'no agent yet': 2 });
  });

  it('lets no object flood the cluster, and an object is heard again later', async () => {
    const flood = recorder();
    const other = await client.create(configMaps, { metadata: { namespace, name: 'other' } });
    for (let n = 0; n < 100; n++) flood.emit(object, 'Normal', 'Noise', `number ${n}`);
    flood.emit(other, 'Normal', 'Quiet', 'heard all the same');
    await expect.poll(counts, eventually).toHaveProperty('heard all the same');
    expect(await stored()).toHaveLength(26);
    clock.advance(10 * 60_000);
    await expect
      .poll(async () => {
        flood.emit(object, 'Normal', 'Noise', 'later');
        return counts();
      }, eventually)
      .toHaveProperty('later');
  });

  it('takes cluster-scoped objects, the longest names and messages of any length', async () => {
    const node = await client.create(nodes, { metadata: { name: `n${'o'.repeat(252)}` } });
    recorder().emit(node, 'Normal', 'Long', 'ü'.repeat(2000));
    await expect
      .poll(async () => (await stored('default')).map(({ note }) => note), eventually)
      .toContainEqual(expect.stringMatching(/^ü{510}…$/));
  });

  it('never throws: what the server refuses is dropped, what it misses is sent when it is back', async () => {
    const events_ = recorder();
    const nameless: KubeObject = { metadata: { namespace, name: 'no-uid' } };
    events_.emit(nameless, 'Normal', 'Lost', 'has no uid');
    const homeless = { ...object, metadata: { ...object.metadata, namespace: 'not-there' } };
    events_.emit(homeless, 'Normal', 'Lost', 'has no namespace');
    await api.kill();
    events_.emit(object, 'Warning', 'Outage', 'the API server is away');
    await api.restart();
    await expect
      .poll(() => {
        clock.advance(1000);
        return counts();
      }, eventually)
      .toEqual({ 'the API server is away': 1 });
  });
});
