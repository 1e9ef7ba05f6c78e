import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { CertificateManager, secretName, servingNames } from '../../operator/certs/manager.ts';
import type { Lifetimes } from '../../operator/certs/plan.ts';
import { renew } from '../../operator/certs/renew.ts';
import type { KubeClient } from '../../operator/runtime/client.ts';
import { KubeClient as Client } from '../../operator/runtime/client.ts';
import { secrets } from '../../operator/runtime/resources.ts';
import { createLogger } from '../../shared/log.ts';
import type { ApiServer } from '../cluster/apiserver.ts';
import { startWithKubectl } from './kubectl.ts';
import { operatorClient } from './operator-client.ts';

const namespace = 'jvs-system';
const ref = { namespace, name: secretName };
const names = servingNames(namespace);
const day = 24 * 3_600_000;
const within = { timeout: 40_000, interval: 100 };
const base64 = (text: string) => Buffer.from(text, 'utf8').toString('base64');

let server: ApiServer;
let client: KubeClient;
let admin: KubeClient;
const stops: AbortController[] = [];

beforeAll(async () => {
  const { server: started, kubectl } = await startWithKubectl();
  server = started;
  await kubectl('apply', '-f', 'config/rbac/');
  admin = Client.fromKubeconfig(server.kubeconfig);
  client = await operatorClient(server);
}, 900_000);
afterAll(async () => {
  for (const stop of stops) stop.abort();
  await server?.stop();
});

/** Several replicas that start at the same moment. */
async function replicas(count: number, lifetimes?: Lifetimes) {
  const stop = new AbortController();
  stops.push(stop);
  const log = createLogger('test');
  log.level = 'silent';
  const managers = Array.from(
    { length: count },
    () => new CertificateManager({ client, namespace, names, log, lifetimes }),
  );
  await Promise.all(managers.map((manager) => manager.start(stop.signal)));
  const agreed = () => {
    const [first, ...others] = managers.map((manager) => manager.current());
    for (const other of others) expect(other).toEqual(first);
    if (!first) throw new Error('no replica');
    return first;
  };
  return { managers, agreed, stop: () => stop.abort() };
}

test('replicas that start at once agree on one authority, and so does one that comes later', async () => {
  const { agreed, stop } = await replicas(3);
  const current = await vi.waitFor(agreed, within);
  const late = await replicas(1);
  expect(late.agreed()).toEqual(current);
  const secret = await admin.get(secrets, ref);
  expect(Buffer.from(secret?.data?.['ca.crt'] ?? '', 'base64').toString()).toBe(current.caBundle);
  expect(current.expiresAt.getTime() - Date.now()).toBeGreaterThan(80 * day);
  stop();
  late.stop();
});

test('a Secret that is deleted or damaged is made anew, and all replicas use it', async () => {
  const { agreed, stop } = await replicas(2);
  const before = await vi.waitFor(agreed, within);
  await admin.delete(secrets, ref);
  const after = await vi.waitFor(() => {
    const now = agreed();
    expect(now.caBundle).not.toBe(before.caBundle);
    return now;
  }, within);
  await admin.mergePatch(secrets, ref, { data: { 'tls.key': 'bm8ga2V5' } });
  await vi.waitFor(() => {
    const now = agreed();
    expect(now.key).not.toBe(after.key);
    expect(now.caBundle).toBe(after.caBundle);
  }, within);
  stop();
});

test('certificates that run out are replaced in time, the authority too, and everybody is told', async () => {
  await admin.delete(secrets, ref);
  const { managers, agreed, stop } = await replicas(2, { authority: 15_000, serving: 4_000 });
  const { caBundle } = await vi.waitFor(agreed, within);
  const seen = managers.map((manager) => {
    const states = [manager.current()];
    manager.onChange(() => states.push(manager.current()));
    return states;
  });
  await vi.waitFor(() => {
    for (const states of seen) {
      expect(new Set(states.map(({ cert }) => cert)).size).toBeGreaterThan(2);
      const overlap = states.find((state) => state.caBundle !== caBundle);
      expect(overlap?.caBundle.endsWith(caBundle)).toBe(true);
    }
    expect(agreed().expiresAt.getTime()).toBeGreaterThan(Date.now());
  }, within);
  stop();
});

test('what is due is served with as long as it is good and nothing else can be written', async () => {
  await admin.delete(secrets, ref);
  const lifetimes = { authority: 365 * day, serving: 90 * day };
  const made = new Date(Date.now() - 70 * day);
  const { caBundle, caKey, cert, key } = await renew('authority', undefined, names, made, lifetimes);
  const data = {
    'ca.crt': base64(caBundle),
    'ca.key': base64(caKey),
    'tls.crt': base64(cert),
    'tls.key': base64(key),
  };
  await admin.create(secrets, { metadata: { ...ref }, type: 'kubernetes.io/tls', immutable: true, data });
  const { managers, agreed, stop } = await replicas(1);
  expect(agreed()).toMatchObject({ caBundle, cert, key });
  await admin.delete(secrets, ref);
  await vi.waitFor(() => expect(managers[0]?.current().cert).not.toBe(cert), within);
  stop();
});

test('what only a clock that is behind finds early is kept, what is early by all others is made anew', async () => {
  const { agreed, stop } = await replicas(1);
  const before = await vi.waitFor(agreed, within);
  stop();
  const log = createLogger('test');
  log.level = 'silent';
  const late = new AbortController();
  stops.push(late);
  const behind = () => new Date(Date.now() - day);
  const options = { client, namespace, names: [...names, 'late'], log };
  const manager = new CertificateManager({ ...options, now: behind });
  await manager.start(late.signal);
  await vi.waitFor(() => expect(manager.current().cert).not.toBe(before.cert), within);
  expect(manager.current().caBundle).toBe(before.caBundle);
  late.abort();

  const ahead = await renew('authority', undefined, names, new Date(Date.now() + day), {
    authority: 365 * day,
    serving: 90 * day,
  });
  await admin.mergePatch(secrets, ref, {
    data: {
      'ca.crt': base64(ahead.caBundle),
      'ca.key': base64(ahead.caKey),
      'tls.crt': base64(ahead.cert),
      'tls.key': base64(ahead.key),
    },
  });
  const right = await replicas(1);
  await vi.waitFor(
    () =>
      expect(new X509Certificate(right.agreed().cert).validFromDate.getTime()).toBeLessThanOrEqual(
        Date.now(),
      ),
    within,
  );
  right.stop();
});

test('a start that is given up is no hang', async () => {
  const log = createLogger('test');
  log.level = 'silent';
  const manager = new CertificateManager({ client, namespace: 'nowhere', names: ['a'], log });
  const stop = new AbortController();
  const started = manager.start(stop.signal);
  expect(() => manager.current()).toThrow('no certificates yet');
  stop.abort(new Error('given up'));
  await expect(started).rejects.toThrow('given up');
});

test("somebody else's certificates are waited for, taken as they are, and never written", async () => {
  const made = await replicas(1);
  const { caBundle, cert, key } = made.agreed();
  made.stop();
  await admin.delete(secrets, ref);
  const log = createLogger('test');
  log.level = 'silent';
  const stop = new AbortController();
  stops.push(stop);
  // Names that the certificate lacks and no authority's key: reasons to make a new one, if it were its own.
  const manager = new CertificateManager({ client, namespace, names: ['elsewhere'], external: true, log });
  const started = manager.start(stop.signal);
  const data = { 'ca.crt': base64(caBundle), 'tls.crt': base64(cert), 'tls.key': base64('no key') };
  const metadata = { ...ref };
  const { metadata: broken } = await admin.create(secrets, { metadata, type: 'kubernetes.io/tls', data });
  expect(() => manager.current()).toThrow('no certificates yet');
  await admin.mergePatch(secrets, ref, { data: { 'tls.key': base64(key) } });
  await started;
  expect(manager.current()).toMatchObject({ caBundle, cert, key });
  await admin.mergePatch(secrets, ref, { data: { 'ca.crt': '' } });
  const after = await admin.get(secrets, ref);
  expect(after?.metadata.uid).toBe(broken.uid);
  expect(manager.current()).toMatchObject({ caBundle, cert, key });
});
