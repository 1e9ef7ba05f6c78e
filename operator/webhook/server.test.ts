import { Agent, type RequestOptions, request } from 'node:https';
import { afterEach, expect, test } from 'vitest';
import { createLogger } from '../../shared/log.ts';
import { renew } from '../certs/renew.ts';
import type { CertificateSource } from '../certs/source.ts';
import type { Stored } from '../certs/stored.ts';
import { MalformedReview, type Reviewer } from './review.ts';
import { WebhookServer } from './server.ts';

const lifetimes = { authority: 600_000, serving: 180_000 };
const make = (stored?: Stored) =>
  renew(stored ? 'serving' : 'authority', stored, ['localhost'], new Date(), lifetimes);
const stored = await make();

class Certificates implements CertificateSource {
  readonly #handlers = new Set<() => void>();
  #stored = stored;
  current = () => ({ ...this.#stored, expiresAt: new Date() });
  onChange = (handler: () => void) => {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  };
  change(to: Stored) {
    this.#stored = to;
    for (const handler of this.#handlers) handler();
  }
  get watched() {
    return this.#handlers.size > 0;
  }
}

const ended: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});

const allowed = {
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  response: { uid: 'u', allowed: true },
} as const;

async function start(reviewPod: Reviewer = async () => allowed) {
  const certificates = new Certificates();
  const log = createLogger('test');
  log.level = 'silent';
  const server = new WebhookServer({
    port: 0,
    host: '127.0.0.1',
    certificates,
    reviewers: { '/mutate-pods': reviewPod },
    log,
  });
  await server.start();
  const { port } = server;
  ended.push(() => server.stop());
  const agent = new Agent({ keepAlive: true });
  ended.push(() => agent.destroy());
  const call = (body: string, options: RequestOptions = {}) =>
    new Promise<{ status: number | undefined; body: string; serial: string; connection: string | undefined }>(
      (resolve, reject) => {
        const ca = stored.caBundle;
        const at = { host: '127.0.0.1', port, servername: 'localhost', path: '/mutate-pods' };
        const sent = request({ ...at, method: 'POST', ca, agent, ...options }, async (response) => {
          const { serialNumber } = (response.socket as import('node:tls').TLSSocket).getPeerCertificate();
          let text = '';
          for await (const chunk of response) text += chunk;
          const { connection } = response.headers;
          resolve({ status: response.statusCode, body: text, serial: serialNumber, connection });
        });
        sent.on('error', reject).end(body);
      },
    );
  return { server, certificates, call };
}

test('answers a review', async () => {
  const seen: unknown[] = [];
  const { call } = await start(async (body) => {
    seen.push(body);
    return allowed;
  });
  const { status, body } = await call('{"kind":"AdmissionReview"}', { path: '/mutate-pods?timeout=5s' });
  expect([status, JSON.parse(body)]).toEqual([200, allowed]);
  expect(seen).toEqual([{ kind: 'AdmissionReview' }]);
});

test('says what is wrong with a request, and goes on', async () => {
  const { call } = await start(async (body) => {
    if (body === 1) throw new MalformedReview('not this');
    if (body === 2) throw new Error('connect ECONNREFUSED');
    return allowed;
  });
  expect(await call('{')).toMatchObject({ status: 400, body: 'the body is no JSON' });
  expect(await call('1')).toMatchObject({ status: 400, body: 'not this' });
  expect(await call('2')).toMatchObject({ status: 500, body: expect.stringMatching(/try again: connect/) });
  expect(await call('', { path: '/' })).toMatchObject({ status: 404 });
  expect(await call('', { method: 'GET' })).toMatchObject({ status: 405 });
  expect(await call('3')).toMatchObject({ status: 200 });
});

test('takes bodies up to 3 MiB', async () => {
  const { call } = await start();
  const quoted = (bytes: number) => `"${'x'.repeat(bytes - 2)}"`;
  expect(await call(quoted(3 * 2 ** 20))).toMatchObject({ status: 200 });
  const answer = call(quoted(3 * 2 ** 20 + 1), { headers: { expect: '100-continue' } });
  expect(await answer).toMatchObject({ status: 413, connection: 'close' });
});

test('serves a new certificate without a restart', async () => {
  const { call, certificates } = await start();
  const once = { agent: false };
  const { serial } = await call('1', once);
  expect((await call('1', once)).serial).toBe(serial);
  certificates.change(await make(stored));
  const renewed = await call('1', once);
  expect(renewed.status).toBe(200);
  expect(renewed.serial).not.toBe(serial);
});

test('stops after the answers under way, and takes no more', async () => {
  const arrived = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const { server, certificates, call } = await start(async () => {
    arrived.resolve();
    await go.promise;
    return allowed;
  });
  const answer = call('1');
  await arrived.promise;
  const stopped = server.stop();
  await expect(call('1', { agent: false })).rejects.toThrow('ECONNREFUSED');
  go.resolve();
  expect(await answer).toMatchObject({ status: 200, connection: 'close' });
  await stopped;
  expect(certificates.watched).toBe(false);
});
