import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { within } from '../../shared/testing.ts';
import { KubeClient } from './client.ts';
import { type Answer, FakeServer, json } from './fake-server.ts';
import { Informer, type InformerOptions } from './informer.ts';
import { type ConfigMap, configMaps } from './resources.ts';

const expired = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' };

function object(name: string, version: string, data: Record<string, string> = {}): ConfigMap {
  const metadata = { namespace: 'ns', name, uid: `uid-${name}`, resourceVersion: version };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data };
}
const line = (type: string, object: unknown) => `${JSON.stringify({ type, object })}\n`;

let server: FakeServer;
let stop: AbortController;
let logged: { msg: string }[];
let changes: string[];

/** Lists are answered by `list`, watches by `watch`, which keeps the connection open unless it ends it. */
async function serve(list: Answer, watch: Answer): Promise<void> {
  server = await new FakeServer((request, response, url) => {
    if (!url.searchParams.has('watch')) return list(request, response, url);
    response.writeHead(200).flushHeaders();
    return watch(request, response, url);
  }).start();
}

function inform(options: Partial<InformerOptions<ConfigMap>> = {}): Informer<ConfigMap> {
  const log = pino({}, { write: (line) => logged.push(JSON.parse(line)) });
  const informer = new Informer(new KubeClient(server.connect), configMaps, {
    backoff: { baseMs: 20, capMs: 20 },
    log,
    ...options,
  });
  informer.onChange((key, now, before) => {
    changes.push(`${key} ${before?.metadata.resourceVersion ?? '-'}→${now?.metadata.resourceVersion ?? '-'}`);
  });
  informer.start(stop.signal);
  return informer;
}

const listOf = (version: string, ...items: ConfigMap[]): Answer => {
  return (_request, response) => json(response, 200, { metadata: { resourceVersion: version }, items });
};
const watches = () => server.requests.filter(({ url }) => url.searchParams.has('watch'));
const lists = () => server.requests.filter(({ url }) => !url.searchParams.has('watch'));

beforeEach(() => {
  stop = new AbortController();
  logged = [];
  changes = [];
});
afterEach(async () => {
  stop.abort();
  await server[Symbol.asyncDispose]();
});

describe('Informer', () => {
  it('watches the namespaces it is given and no others: what one of them lists is no word on the others', async () => {
    const inNamespace = (namespace: string, name: string): ConfigMap => ({
      ...object(name, '1'),
      metadata: { ...object(name, '1').metadata, namespace },
    });
    const namespaceOf = (url: URL) => url.pathname.split('/')[4] ?? '';
    const listed: Record<string, number> = {};
    await serve(
      (request, response, url) => {
        const namespace = namespaceOf(url);
        listed[namespace] = (listed[namespace] ?? 0) + 1;
        const items = namespace === 'a' && listed.a === 1 ? ['goes', 'stays'] : ['stays'];
        return listOf('10', ...items.map((name) => inNamespace(namespace, name)))(request, response, url);
      },
      (_request, response, url) => {
        if (namespaceOf(url) === 'a' && listed.a === 1) response.write(line('ERROR', expired));
      },
    );
    const informer = inform({ namespaces: ['a', 'b'] });
    await informer.synced();
    await vi.waitFor(() => expect(changes.at(-1)).toBe('a/goes 1→-'), within);
    expect(
      informer
        .list()
        .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)
        .sort(),
    ).toEqual(['a/stays', 'b/stays']);
    expect(listed).toEqual({ a: 2, b: 1 });
  });

  it('lists again when the watch is told that its version is too old, and tells what it missed', async () => {
    const worlds = [
      listOf('10', object('stays', '1'), object('changes', '2'), object('goes', '3')),
      listOf('20', object('stays', '1'), object('changes', '12'), object('comes', '13')),
    ];
    await serve(
      (...args) => worlds[Math.min(lists().length, 2) - 1]?.(...args),
      (_request, response) => {
        if (watches().length === 1) response.write(line('ERROR', expired));
      },
    );
    const informer = inform();
    await vi.waitFor(() => expect(changes).toHaveLength(6), within);
    expect(changes).toEqual([
      'ns/stays -→1',
      'ns/changes -→2',
      'ns/goes -→3',
      'ns/goes 3→-',
      'ns/changes 2→12',
      'ns/comes -→13',
    ]);
    expect(informer.get('ns/goes')).toBeUndefined();
    await vi.waitFor(
      () => expect(watches().at(-1)?.url.searchParams.get('resourceVersion')).toBe('20'),
      within,
    );
  });

  it('tells of an object that was deleted and made anew in between as gone and as new', async () => {
    const anew = { ...object('a', '9'), metadata: { ...object('a', '9').metadata, uid: 'another' } };
    await serve(
      (...args) => (lists().length === 1 ? listOf('5', object('a', '1')) : listOf('10', anew))(...args),
      (_request, response) => void (watches().length === 1 && response.write(line('ERROR', expired))),
    );
    inform();
    await vi.waitFor(() => expect(changes).toEqual(['ns/a -→1', 'ns/a 1→-', 'ns/a -→9']), within);
  });

  it('goes on from the last version, without a list, when the server ends the watch as it does every few minutes', async () => {
    await serve(listOf('10'), (_request, response) => {
      if (watches().length > 1) return;
      response.write(line('ADDED', object('a', '11')));
      response.end(line('BOOKMARK', { metadata: { resourceVersion: '15' } }));
    });
    inform();
    await vi.waitFor(() => expect(watches()).toHaveLength(2), within);
    expect(watches()[1]?.url.searchParams.get('resourceVersion')).toBe('15');
    expect(lists()).toHaveLength(1);
  });

  it('gives a silent watch up and goes on', async () => {
    // One that was given up before it had heard anything begins where it did.
    const goesOn = () => watches().at(-1)?.url.searchParams.get('resourceVersion') === '12';
    await serve(listOf('10'), (_request, response) => {
      response.write(line('BOOKMARK', { metadata: { resourceVersion: '12' } }));
      if (goesOn()) response.write(line('ADDED', object('a', '13')));
    });
    const informer = inform({ idleTimeoutMs: 100 });
    await vi.waitFor(() => expect(informer.get('ns/a')).toBeDefined(), within);
    expect(lists()).toHaveLength(1);
  });

  it('takes what arrives in pieces, cut anywhere', async () => {
    const bytes = Buffer.from(line('ADDED', object('a', '11', { text: 'größer ✓' })));
    await serve(listOf('10'), (_request, response) => {
      let at = 0;
      const next = () => {
        if (at < bytes.length && !response.destroyed)
          response.write(bytes.subarray(at, ++at), () => setImmediate(next));
      };
      next();
    });
    const informer = inform();
    await vi.waitFor(() => expect(informer.get('ns/a')?.data).toEqual({ text: 'größer ✓' }), within);
  });

  it('lists without pages when the pages have expired under its hands', async () => {
    await serve(
      (request, response, url) => {
        const { searchParams } = url;
        if (searchParams.has('continue')) return json(response, 410, expired);
        if (searchParams.has('limit'))
          return json(response, 200, {
            metadata: { resourceVersion: '5', continue: 'x' },
            items: [object('a', '1')],
          });
        return listOf('10', object('a', '1'), object('b', '2'))(request, response, url);
      },
      () => {},
    );
    const informer = inform();
    await informer.synced();
    expect(informer.list().map(({ metadata }) => metadata.name)).toEqual(['a', 'b']);
  });

  it('keeps trying until the first list succeeds, and not in a tight loop', async () => {
    let healthy = false;
    await serve(
      (...args) => {
        if (healthy) listOf('10', object('a', '1'))(...args);
        else args[1].destroy();
      },
      () => {},
    );
    const started = performance.now();
    const informer = inform({ random: () => 1 });
    await vi.waitFor(() => expect(lists().length).toBeGreaterThan(3), within);
    expect(lists().length).toBeLessThanOrEqual(1 + (performance.now() - started) / 19);
    healthy = true;
    await informer.synced();
    expect(informer.list()).toHaveLength(1);
  });

  it('waits for no list that is forbidden where it may be, and has what is there once it is allowed', async () => {
    let allowed = false;
    await serve(
      (...args) => {
        if (allowed) listOf('10', object('a', '1'))(...args);
        else json(args[1], 403, { kind: 'Status', code: 403, reason: 'Forbidden', message: 'no' });
      },
      () => {},
    );
    const informer = inform({ optional: true });
    await informer.synced();
    expect([informer.refused, informer.list()]).toEqual([true, []]);
    allowed = true;
    await vi.waitFor(() => expect(changes).toEqual(['ns/a -→1']), within);
    expect(informer.refused).toBe(false);
  });

  it('does not loop tightly when every watch is ended at once', async () => {
    await serve(listOf('10'), (_request, response) => void response.end());
    const started = performance.now();
    inform({ random: () => 1 });
    await vi.waitFor(() => expect(watches().length).toBeGreaterThan(3), within);
    expect(watches().length).toBeLessThanOrEqual(1 + (performance.now() - started) / 19);
  });

  it('survives a handler that throws, and the other handlers hear of the change', async () => {
    await serve(listOf('10', object('a', '1')), (_request, response) => {
      response.write(line('MODIFIED', object('a', '11')));
    });
    const informer = inform();
    informer.onChange(() => {
      throw new Error('bad handler');
    });
    const heard: (string | undefined)[] = [];
    informer.onChange((_key, now) => heard.push(now?.metadata.resourceVersion));
    await vi.waitFor(() => expect(heard).toEqual(['1', '11']), within);
    expect(logged.filter(({ msg }) => msg === 'a change handler threw')).toHaveLength(2);
  });

  it('finds objects by index as they change, and keeps neither managedFields nor what the transform drops', async () => {
    const withManager = object('a', '1', { owner: 'x', bulk: 'much' });
    Object.assign(withManager.metadata, { managedFields: [{ manager: 'kubectl' }] });
    await serve(listOf('10', withManager), (_request, response) => {
      response.write(line('MODIFIED', object('a', '11', { owner: 'y' })));
      response.write(line('ADDED', object('b', '12', { owner: 'y' })));
      response.write(line('DELETED', object('a', '13', { owner: 'y' })));
    });
    const seen: unknown[] = [];
    const informer = inform({
      indexes: { owner: ({ data }) => (data?.owner ? [data.owner] : []) },
      transform: ({ data, ...rest }) => ({ ...rest, data: { owner: data?.owner ?? '' } }),
    });
    informer.onChange((key, now) => {
      if (key === 'ns/a')
        seen.push(now, informer.byIndex('owner', 'x').length, informer.byIndex('owner', 'y').length);
    });
    await vi.waitFor(() => expect(changes).toHaveLength(4), within);
    expect(seen).toEqual([
      object('a', '1', { owner: 'x' }),
      1,
      0,
      object('a', '11', { owner: 'y' }),
      0,
      1,
      undefined,
      0,
      1,
    ]);
    expect(informer.list('ns')).toEqual([object('b', '12', { owner: 'y' })]);
    expect(informer.list('other')).toEqual([]);
    expect(() => informer.byIndex('none', 'x')).toThrow('no index none');
  });

  it('tells a handler that comes late about what is there', async () => {
    await serve(listOf('10', object('a', '1')), () => {});
    const informer = inform();
    await informer.synced();
    const heard: string[] = [];
    informer.onChange((key) => heard.push(key));
    expect(heard).toEqual(['ns/a']);
  });

  it('rejects synced() when it is stopped before', async () => {
    await serve(
      () => {},
      () => {},
    );
    const informer = inform();
    const reason = new Error('stopping');
    stop.abort(reason);
    await expect(informer.synced()).rejects.toBe(reason);
  });
});
