import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { KubeClient } from './client.ts';
import { type Answer, FakeServer, json } from './fake-server.ts';
import { Informer } from './informer.ts';
import { type ConfigMap, configMaps } from './resources.ts';
import { keyOf } from './types.ts';

type Step =
  | { do: 'put' | 'delete' | 'replace'; name: string }
  /** Watches: reset, ended in the ordinary way, silent from now on, or the next requests refused. */
  | { do: 'reset' | 'end' | 'silence' | 'refuse' }
  /** Forgets all changes up to now, so that older versions are expired. */
  | { do: 'compact' }
  | { do: 'wait'; ms: number };

const name = fc.constantFrom('a', 'b', 'c');
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('put' as const, 'delete' as const, 'replace' as const),
      name,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('reset' as const, 'end' as const, 'silence' as const, 'refuse' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('compact' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 15 }) }),
  },
);

const expired = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' };

/** As much of an API server as an informer sees: versions, pages, watches with a bounded memory, and faults. */
class World {
  readonly #history: { version: number; type: string; object: ConfigMap }[] = [];
  #version = 100;
  #compacted = 100;
  #refusals = 0;
  #watches = new Set<ServerResponse>();

  objects(at = this.#version): Map<string, ConfigMap> {
    const objects = new Map<string, ConfigMap>();
    for (const { version, type, object } of this.#history) {
      if (version > at) break;
      if (type === 'DELETED') objects.delete(keyOf(object));
      else objects.set(keyOf(object), object);
    }
    return objects;
  }

  do(step: Step): void {
    if (step.do === 'put' || step.do === 'delete') this.#change(step.do, step.name);
    else if (step.do === 'replace') {
      this.#change('delete', step.name);
      this.#change('put', step.name);
    } else if (step.do === 'compact') this.#compacted = this.#version;
    else if (step.do === 'refuse') this.#refusals += 2;
    else if (step.do !== 'wait') {
      for (const watch of this.#watches) {
        if (step.do === 'reset') watch.destroy();
        if (step.do === 'end') watch.end();
      }
      this.#watches.clear();
    }
  }

  /** Keeps watches that work from falling silent, so that nothing but the changes themselves can put things right. */
  bookmark(): void {
    const metadata = { name: '', resourceVersion: String(this.#version) };
    for (const watch of this.#watches) send(watch, 'BOOKMARK', { metadata });
  }

  #change(what: 'put' | 'delete', name: string): void {
    const before = this.objects().get(`ns/${name}`);
    if (what === 'delete' && !before) return;
    this.#version += 1;
    const uid = before?.metadata.uid ?? `uid-${this.#version}`;
    const object = { metadata: { namespace: 'ns', name, uid, resourceVersion: String(this.#version) } };
    const type = what === 'delete' ? 'DELETED' : before ? 'MODIFIED' : 'ADDED';
    this.#history.push({ version: this.#version, type, object });
    for (const watch of this.#watches) send(watch, type, object);
  }

  readonly answer: Answer = (_request, response, { searchParams }) => {
    if (this.#refusals > 0) {
      this.#refusals -= 1;
      if (this.#refusals % 2) response.destroy();
      else json(response, 503, { reason: 'ServiceUnavailable', message: 'starting' });
    } else if (searchParams.has('watch')) this.#watch(response, Number(searchParams.get('resourceVersion')));
    else this.#list(response, searchParams);
  };

  /** Too old a version is refused by the status of the answer or in the stream, both of which servers do. */
  #watch(response: ServerResponse, from: number): void {
    const old = from < this.#compacted;
    if (old && from % 2) json(response, 410, expired);
    else {
      response.writeHead(200).flushHeaders();
      if (old) send(response, 'ERROR', expired);
      else {
        const missed = this.#history.filter(({ version }) => version > from);
        for (const { type, object } of missed) send(response, type, object);
        this.#watches.add(response);
      }
    }
  }

  #list(response: ServerResponse, query: URLSearchParams): void {
    const [at = this.#version, from = 0] = query.get('continue')?.split(':').map(Number) ?? [];
    if (at < this.#compacted) json(response, 410, expired);
    else {
      const all = [...this.objects(at).values()];
      const to = from + Number(query.get('limit') ?? all.length);
      const metadata = { resourceVersion: String(at), ...(to < all.length && { continue: `${at}:${to}` }) };
      json(response, 200, { metadata, items: all.slice(from, to) });
    }
  }
}

function send(watch: ServerResponse, type: string, object: object): void {
  watch.write(`${JSON.stringify({ type, object })}\n`);
}

const versionOf = (object: ConfigMap | undefined) => Number(object?.metadata.resourceVersion);
const versions = (objects: Iterable<ConfigMap>) =>
  [...objects]
    .map((object) => `${keyOf(object)} ${object.metadata.uid} ${object.metadata.resourceVersion}`)
    .sort();

it('sees the world as it is in the end, whatever happened on the way, and tells a story without gaps', async () => {
  const check = async (steps: Step[]) => {
    const world = new World();
    await using server = await new FakeServer(world.answer).start();
    const stop = new AbortController();
    const informer = new Informer(new KubeClient(server.connect), configMaps, {
      pageSize: 2,
      idleTimeoutMs: 60,
      backoff: { baseMs: 1, capMs: 4 },
      log: pino({ level: 'silent' }),
    });
    const told = new Map<string, ConfigMap>();
    const gaps: string[] = [];
    informer.onChange((key, now, before) => {
      const uids = new Set([now, before].flatMap((object) => object?.metadata.uid ?? []));
      if (before !== told.get(key) || uids.size !== 1 || versionOf(before) >= versionOf(now)) gaps.push(key);
      if (now) told.set(key, now);
      else told.delete(key);
    });
    const bookmarks = setInterval(() => world.bookmark(), 10);
    try {
      informer.start(stop.signal);
      for (const step of steps) {
        world.do(step);
        if (step.do === 'wait') await sleep(step.ms);
      }
      const truth = versions(world.objects().values());
      await expect
        .poll(() => [versions(informer.list()), versions(told.values())], { timeout: 60_000, interval: 2 })
        .toEqual([truth, truth]);
      expect(gaps).toEqual([]);
    } finally {
      stop.abort();
      clearInterval(bookmarks);
    }
  };
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), check), {
    numRuns: 150,
    interruptAfterTimeLimit: 60_000,
  });
}, 120_000);
