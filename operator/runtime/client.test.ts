import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { KubeClient } from './client.ts';
import { connectAsServiceAccount } from './connection.ts';
import { type Answer, FakeServer, json } from './fake-server.ts';
import { ManualClock } from './manual-clock.ts';
import { configMaps, deployments, nodes } from './resources.ts';

const fake = (answer: Answer) => new FakeServer(answer).start();
const ok: Answer = (_request, response) => json(response, 200, { metadata: { name: 'x' }, items: [] });

describe('KubeClient', () => {
  it('addresses core and grouped, namespaced and cluster-scoped kinds, one or many', async () => {
    await using server = await fake(ok);
    const client = new KubeClient(server.connect);
    await client.get(configMaps, { namespace: 'ns', name: 'a' });
    await client.get(nodes, { name: 'n' });
    await client.list(deployments);
    await client.list(deployments, { namespace: 'ns', labelSelector: 'a=b', limit: 5 });
    await client.mergePatch(deployments, { namespace: 'ns', name: 'a' }, {}, { subresource: 'scale' });
    expect(server.requests.map(({ method, url }) => `${method} ${url.pathname}${url.search}`)).toEqual([
      'GET /api/v1/namespaces/ns/configmaps/a',
      'GET /api/v1/nodes/n',
      'GET /apis/apps/v1/deployments',
      'GET /apis/apps/v1/namespaces/ns/deployments?labelSelector=a%3Db&limit=5',
      'PATCH /apis/apps/v1/namespaces/ns/deployments/a/scale',
    ]);
  });

  it('refuses to write a namespaced object without a namespace, naming the field', async () => {
    await using server = await fake(ok);
    const client = new KubeClient(server.connect);
    const apply = async () => client.apply(configMaps, { metadata: { name: 'a' } }, { fieldManager: 'test' });
    await expect(apply()).rejects.toThrow('ConfigMap a: metadata.namespace is missing');
    expect(server.requests).toEqual([]);
  });

  it('makes an ApiError of an answer that is no Status', async () => {
    await using server = await fake((_request, response) => {
      response.writeHead(503, { 'retry-after': '7' }).end('apiserver is shutting down');
    });
    const error = await new KubeClient(server.connect).list(nodes).catch((error: unknown) => error);
    expect(error).toMatchObject({
      name: 'ApiError',
      status: 503,
      reason: '',
      retryAfter: 7000,
      message: 'GET /api/v1/nodes: apiserver is shutting down',
    });
  });

  it('names the request and keeps the cause when the server cannot be reached', async () => {
    const server = await fake(ok);
    const endpoint = await server.connect();
    await server[Symbol.asyncDispose]();
    const client = new KubeClient(async () => endpoint);
    const error = await client.get(nodes, { name: 'n' }).catch((error: unknown) => error);
    expect(error).toMatchObject({
      message: expect.stringMatching(/^GET \/api\/v1\/nodes\/n: .*ECONNREFUSED/),
    });
    expect(error).toHaveProperty('cause.code', 'ECONNREFUSED');
  });

  it('gives up when no answer comes, or only the beginning of one', async () => {
    await using server = await fake(() => {});
    const client = new KubeClient(server.connect);
    await expect(client.list(nodes, { timeoutMs: 50 })).rejects.toThrow('no answer within 50 ms');
    server.answer = (_request, response) => void response.writeHead(200).write('{"items":');
    await expect(client.list(nodes, { timeoutMs: 50 })).rejects.toHaveProperty(
      'cause.message',
      expect.stringMatching(/^the answer was not complete within \d+ ms$/),
    );
  });

  it('rejects with the reason of the signal', async () => {
    await using server = await fake(() => {});
    const stop = new AbortController();
    const listing = new KubeClient(server.connect).list(nodes, { signal: stop.signal });
    const reason = new Error('stopping');
    stop.abort(reason);
    await expect(listing).rejects.toBe(reason);
  });

  it('sends a request again, unless it creates, when the kept-alive connection turns out to be closed', async () => {
    await using server = await fake(ok);
    const client = new KubeClient(server.connect);
    let closed = 0;
    const closing: Answer = (request) => {
      closed += 1;
      server.answer = ok;
      request.socket.destroy();
    };
    await client.list(nodes);
    server.answer = closing;
    await client.list(nodes);
    expect(closed).toBe(1);
    server.answer = closing;
    await expect(client.create(nodes, { metadata: { name: 'n' } })).rejects.toThrow('POST /api/v1/nodes');
  });

  it("passes on the server's warnings", async () => {
    await using server = await fake((_request, response) => {
      response.setHeader('warning', ['299 - "unknown field \\"spec.foo\\""', '299 - "deprecated"']);
      json(response, 200, {});
    });
    const warnings: string[] = [];
    await new KubeClient(server.connect, (warning) => warnings.push(warning)).get(nodes, { name: 'n' });
    expect(warnings).toEqual(['unknown field "spec.foo"', 'deprecated']);
  });
});

describe('connectAsServiceAccount', () => {
  it('uses the new token within a minute of its rotation', async () => {
    await using server = await fake(ok);
    const directory = await mkdtemp(join(tmpdir(), 'service-account-'));
    try {
      const clock = new ManualClock();
      const write = (token: string) => writeFile(join(directory, 'token'), token);
      await Promise.all([write('first\n'), writeFile(join(directory, 'ca.crt'), '')]);
      const client = new KubeClient(connectAsServiceAccount(server.url, directory, clock));
      await client.list(nodes);
      await write('second');
      await client.list(nodes);
      clock.advance(60_001);
      await client.list(nodes);
      expect(server.requests.map(({ headers }) => headers.authorization)).toEqual([
        'Bearer first',
        'Bearer first',
        'Bearer second',
      ]);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('reads again on the next request when the files were not there', async () => {
    await using server = await fake(ok);
    const directory = await mkdtemp(join(tmpdir(), 'service-account-'));
    try {
      const client = new KubeClient(connectAsServiceAccount(server.url, directory, new ManualClock()));
      await expect(client.list(nodes)).rejects.toHaveProperty('cause.code', 'ENOENT');
      await Promise.all(['token', 'ca.crt'].map((name) => writeFile(join(directory, name), 'x')));
      await client.list(nodes);
      expect(server.requests).toHaveLength(1);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

describe('connectDefault', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('says what is missing where nothing names a cluster', async () => {
    vi.stubEnv('HOME', '/nonexistent');
    for (const name of ['KUBECONFIG', 'KUBERNETES_SERVICE_HOST']) vi.stubEnv(name, undefined);
    await expect(KubeClient.fromDefault().list(nodes)).rejects.toThrow('no cluster is known: set KUBECONFIG');
  });
});
