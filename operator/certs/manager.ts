// Makes the operator's certificates and keeps them, in a Secret that all replicas share; or takes those it finds there.
import type { Logger } from '../../shared/log.ts';
import { ApiError, type KubeClient } from '../runtime/client.ts';
import { Controller, type Result } from '../runtime/controller.ts';
import { Informer } from '../runtime/informer.ts';
import { type Secret, secrets } from '../runtime/resources.ts';
import { renewElsewhere } from './issuer.ts';
import { defaultLifetimes, type Lifetimes, planCertificates } from './plan.ts';
import type { CertificateSource, Certificates } from './source.ts';
import { canonicalName, expiryOf, factsOf, problemOf, type Stored } from './stored.ts';

export const secretName = 'jvs-operator-certs';

/** Names of the operator's Services, as its clients call them, and of the machine itself. */
export const servingNames = (namespace: string): string[] => [
  ...['jvs-webhook', 'jvs-operator'].flatMap((service) => [
    `${service}.${namespace}.svc`,
    `${service}.${namespace}.svc.cluster.local`,
  ]),
  'localhost',
  '127.0.0.1',
];

export interface CertificateManagerOptions {
  client: KubeClient;
  /** Of the operator. */
  namespace: string;
  /** DNS names and IP addresses of the serving certificate. */
  names: readonly string[];
  /** Somebody else fills the Secret (cert-manager): it is only read. */
  external?: boolean;
  lifetimes?: Lifetimes;
  /** The time of day. */
  now?: () => Date;
  log: Logger;
}

/** Looks again at the latest after this, whatever timers and clock did meanwhile. */
const lookAgainMs = 10 * 60 * 1000;

export class CertificateManager implements CertificateSource {
  readonly #options: Required<CertificateManagerOptions>;
  readonly #handlers = new Set<() => void>();
  readonly #ready = Promise.withResolvers<void>();
  #current: Certificates | undefined;

  constructor(options: CertificateManagerOptions) {
    const { external = false, lifetimes = defaultLifetimes, now = () => new Date() } = options;
    const names = options.names.map(canonicalName);
    this.#options = { ...options, names, external, lifetimes, now };
    this.#ready.promise.catch(() => {}); // not everybody waits for it
  }

  /** Runs until the signal aborts; resolves once there are certificates, and rejects when it is stopped before. */
  async start(signal: AbortSignal): Promise<void> {
    const { client, namespace, log } = this.#options;
    signal.addEventListener('abort', () => this.#ready.reject(signal.reason), { once: true });
    const controller = new Controller({
      name: 'certificates',
      reconcile: (_, signal) => this.#reconcile(signal),
      backoff: { baseMs: 200, capMs: 30_000 },
      log,
    });
    const informer = new Informer(client, secrets, {
      namespace,
      fieldSelector: `metadata.name=${secretName}`,
      log,
    });
    informer.onChange((key) => controller.enqueue(key));
    controller.enqueue(`${namespace}/${secretName}`);
    informer.start(signal);
    void controller.start(signal);
    await this.#ready.promise;
  }

  current(): Certificates {
    if (!this.#current) throw new Error('there are no certificates yet');
    return this.#current;
  }

  onChange(handler: () => void): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  async #reconcile(signal: AbortSignal): Promise<Result> {
    const { client, namespace, names, external, lifetimes, now, log } = this.#options;
    const secret = await client.get(secrets, { namespace, name: secretName }, { signal });
    const stored = secret && decode(secret);
    if (external) {
      const problem = stored ? problemOf(stored) : 'it is not there';
      if (stored && !problem) this.#use(stored);
      else log.warn(`Secret ${namespace}/${secretName} can not be used: ${problem}`);
      return { requeueAfter: lookAgainMs }; // the informer tells of a change before
    }
    const facts = stored && factsOf(stored);
    const plan = planCertificates(facts, names, now(), client.serverTime);
    if (plan.action !== 'keep') {
      // Making another one may fail, and this one is good until its end.
      if (stored && facts?.serving && facts.serving.notAfter > now()) this.#use(stored);
      log.info({ reason: plan.reason }, `making a new ${plan.action} certificate`);
      await this.#write(secret, await renewElsewhere(plan.action, stored, names, now(), lifetimes), signal);
      return { requeueAfter: 0 }; // only what the Secret holds is ever used
    }
    if (stored) this.#use(stored);
    return { requeueAfter: Math.min(plan.until.getTime() - now().getTime(), lookAgainMs) };
  }

  /** Another replica may have been faster: then what it wrote counts. */
  async #write(before: Secret | undefined, stored: Stored, signal: AbortSignal): Promise<void> {
    const { client, namespace, log } = this.#options;
    const data = encode(stored);
    try {
      if (before) {
        const { resourceVersion } = before.metadata;
        const patch = { metadata: { resourceVersion }, data };
        await client.mergePatch(secrets, { namespace, name: secretName }, patch, { signal });
      } else {
        const metadata = {
          namespace,
          name: secretName,
          labels: { 'app.kubernetes.io/managed-by': 'jvs-operator' },
        };
        await client.create(secrets, { metadata, type: 'kubernetes.io/tls', data }, { signal });
      }
    } catch (error) {
      if (!ApiError.is(error, 'Conflict') && !ApiError.is(error, 'AlreadyExists')) throw error;
      log.debug('another replica has made the certificates');
    }
  }

  #use(stored: Stored): void {
    const { caBundle, cert, key } = stored;
    const before = this.#current;
    if (before?.cert === cert && before.key === key && before.caBundle === caBundle) return;
    this.#current = { caBundle, cert, key, expiresAt: expiryOf(stored) };
    this.#ready.resolve();
    for (const handler of this.#handlers) handler();
  }
}

const keys = { caBundle: 'ca.crt', caKey: 'ca.key', cert: 'tls.crt', key: 'tls.key' } as const;

function decode({ data }: Secret): Stored {
  const text = (key: string) => Buffer.from(data?.[key] ?? '', 'base64').toString('utf8');
  return {
    caBundle: text(keys.caBundle),
    caKey: text(keys.caKey),
    cert: text(keys.cert),
    key: text(keys.key),
  };
}

function encode(stored: Stored): Record<string, string> {
  const base64 = (text: string) => Buffer.from(text, 'utf8').toString('base64');
  return {
    [keys.caBundle]: base64(stored.caBundle),
    [keys.caKey]: base64(stored.caKey),
    [keys.cert]: base64(stored.cert),
    [keys.key]: base64(stored.key),
  };
}
