import { X509Certificate } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { renewElsewhere } from './issuer.ts';
import { planCertificates } from './plan.ts';
import { renew } from './renew.ts';
import { canonicalName, factsOf, type Stored } from './stored.ts';

const minute = 60_000;
const lifetimes = { authority: 9 * minute, serving: 3 * minute };
const names = ['jvs-webhook.jvs-system.svc', 'localhost', '127.0.0.1'];
const ago = (minutes: number) => new Date(Date.now() - minutes * minute);
const first = (now: Date) => renew('authority', undefined, names, now, lifetimes);

/** What a client that trusts `trusts` makes of a server with the certificate of `serves`. */
async function handshake(trusts: Stored, serves: Stored, servername = 'localhost'): Promise<string> {
  const server = createServer({ cert: serves.cert, key: serves.key }, (socket) => socket.end());
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    return await new Promise((resolve) => {
      const client = connect({ port, host: '127.0.0.1', servername, ca: trusts.caBundle }, () => {
        resolve('accepted');
        client.destroy();
      });
      client.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
  } finally {
    server.close();
  }
}

describe('new certificates', async () => {
  const now = new Date();
  const stored = await first(now);

  test('are accepted for each of their names', async () => {
    for (const name of ['localhost', 'jvs-webhook.jvs-system.svc', ''])
      expect(await handshake(stored, stored, name)).toBe('accepted');
    expect(await handshake(stored, stored, 'elsewhere.svc')).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
  });

  test('are refused by a client of another authority', async () => {
    expect(await handshake(await first(now), stored)).not.toBe('accepted');
  });

  test('say what they are', () => {
    const facts = factsOf(stored);
    expect(facts?.serving?.names).toEqual(names);
    expect(facts?.serving?.notAfter.getTime()).toBeCloseTo(now.getTime() + 3 * minute, -4);
    expect(facts?.authority.notAfter.getTime()).toBeCloseTo(now.getTime() + 9 * minute, -4);
    expect(planCertificates(facts, names, now).action).toBe('keep');
  });
});

test('addresses are known again however they are written', async () => {
  const addresses = ['10.0.0.1', 'fd00::1', '2001:DB8:0::1', '::ffff:10.0.0.1'].map(canonicalName);
  const stored = await renew('authority', undefined, addresses, new Date(), lifetimes);
  expect(planCertificates(factsOf(stored), addresses, new Date()).action).toBe('keep');
  expect(planCertificates(factsOf(stored), ['fd00::2'], new Date()).action).toBe('serving');
});

describe('damage', async () => {
  const [stored, other] = await Promise.all([first(new Date()), first(new Date())]);

  test.each([
    ['no authority', { caBundle: '' }],
    ['a damaged authority', { caBundle: stored.caBundle.slice(0, 200) }],
    ["another authority's key", { caKey: other.caKey }],
    ['no key of the authority', { caKey: '' }],
  ])('%s: nothing can be signed', (_, damage) => expect(factsOf({ ...stored, ...damage })).toBeUndefined());

  test.each([
    ['no certificate', { cert: '' }],
    ["another certificate's key", { key: other.key }],
    ["another authority's certificate", { cert: other.cert, key: other.key }],
  ])('%s: only that is made anew', async (_, damage) => {
    const damaged = { ...stored, ...damage };
    const facts = factsOf(damaged);
    expect(facts).toMatchObject({ serving: undefined });
    expect(planCertificates(facts, names, new Date()).action).toBe('serving');
    const renewed = await renew('serving', damaged, names, new Date(), lifetimes);
    expect(await handshake(stored, renewed)).toBe('accepted');
  });
});

describe('rotation of certificates that live for minutes', () => {
  test('of the serving certificate: clients need not know', async () => {
    const old = await first(ago(2.5));
    expect(planCertificates(factsOf(old), names, new Date()).action).toBe('serving');
    const renewed = await renew('serving', old, names, new Date(), lifetimes);
    expect(renewed.caBundle).toBe(old.caBundle);
    expect(await handshake(old, old)).toBe('accepted');
    expect(await handshake(old, renewed)).toBe('accepted');
    expect(factsOf(renewed)?.serving?.notAfter.getTime()).toBeGreaterThan(Date.now() + 2 * minute);
  });

  test('of the authority: clients with the old and the new bundle accept the old and the new certificate', async () => {
    const begun = await first(ago(7));
    const old = await renew('serving', begun, names, ago(1), lifetimes);
    expect(planCertificates(factsOf(old), names, new Date()).action).toBe('authority');
    const renewed = await renew('authority', old, names, new Date(), lifetimes);
    expect(renewed.caBundle.endsWith(old.caBundle)).toBe(true);
    for (const trusts of [old, renewed])
      for (const serves of [old, renewed]) expect(await handshake(trusts, serves)).toBe('accepted');

    const onlyNew = { ...renewed, caBundle: renewed.caBundle.slice(0, -old.caBundle.length) };
    expect(await handshake(onlyNew, renewed)).toBe('accepted');
    expect(await handshake(onlyNew, old)).not.toBe('accepted');

    const later = await renew('serving', renewed, names, new Date(), lifetimes);
    expect(await handshake(old, later)).toBe('accepted');
    expect(planCertificates(factsOf(renewed), names, new Date()).action).toBe('keep');
  });

  test('what has expired is dropped', async () => {
    const old = await first(ago(8.9));
    const renewed = await renew('authority', old, names, ago(1), lifetimes);
    const count = (bundle: string) => bundle.match(/BEGIN/g)?.length;
    expect([count(renewed.caBundle), count(renewed.cert)]).toEqual([2, 2]);
    const later = await renew('serving', renewed, names, new Date(Date.now() + minute), lifetimes);
    expect([count(later.caBundle), count(later.cert)]).toEqual([1, 1]);
  });

  test('an authority that has expired certifies nobody', async () => {
    const renewed = await renew('authority', await first(ago(20)), names, new Date(), lifetimes);
    expect(renewed.caBundle.match(/BEGIN/g)).toHaveLength(1);
    expect(await handshake(renewed, renewed)).toBe('accepted');
  });

  test('a serving certificate ends no later than its authority', async () => {
    const renewed = await renew('serving', await first(ago(8)), names, new Date(), lifetimes);
    const [serving, authority] = [renewed.cert, renewed.caBundle].map((cert) => new X509Certificate(cert));
    expect(serving?.validToDate).toEqual(authority?.validToDate);
  });
});

test('another process makes them just so, and says why it can not', async () => {
  const made = await renewElsewhere('authority', undefined, names, new Date(), lifetimes);
  expect(factsOf(made)?.serving?.names).toEqual(names);
  const refused = renewElsewhere('serving', undefined, names, new Date(), lifetimes);
  await expect(refused).rejects.toThrow('no authority to sign');
});
