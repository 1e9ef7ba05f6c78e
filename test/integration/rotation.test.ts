// Certificates that live for seconds, under load: no pod is refused and no agent is turned away, through several
// authorities.
import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { workspaces } from '../../operator/api/workspace.ts';
import { CertificateManager, servingNames } from '../../operator/certs/manager.ts';
import { podSource } from '../../operator/link/pods.ts';
import { LinkServer } from '../../operator/link/server.ts';
import { helloOf, quietLog, TestAgent } from '../../operator/link/testing.ts';
import { KubeClient } from '../../operator/runtime/client.ts';
import { Informer } from '../../operator/runtime/informer.ts';
import { mutatingWebhookConfigurations, pods } from '../../operator/runtime/resources.ts';
import { defineResource, type KubeObject } from '../../operator/runtime/types.ts';
import { keepWebhookConfigurations } from '../../operator/webhook/configuration.ts';
import { lookupIn } from '../../operator/webhook/lookup.ts';
import { podReviewer } from '../../operator/webhook/review.ts';
import { podsPath, WebhookServer, workspacesPath } from '../../operator/webhook/server.ts';
import { agentConfig } from '../../operator/webhook/testing.ts';
import { reviewWorkspace } from '../../operator/webhook/validate.ts';
import type { ApiServer } from '../cluster/apiserver.ts';
import { startInstalled } from './kubectl.ts';
import { operatorClient } from './operator-client.ts';

const serviceAccounts = defineResource<KubeObject>('v1', 'ServiceAccount', 'serviceaccounts');
const lifetimes = { authority: 45_000, serving: 12_000 };
/** A node shows a new bundle to its pods so much later; within what is left of the old authority's life. */
const bundleDelayMs = 7_500;
const log = quietLog();

let server: ApiServer;
let admin: KubeClient;
let operator: KubeClient;
const stop = new AbortController();

beforeAll(async () => {
  ({ server } = await startInstalled(['config/manager/']));
  admin = KubeClient.fromKubeconfig(server.kubeconfig);
  operator = await operatorClient(server);
  await admin.create(serviceAccounts, { metadata: { namespace: 'default', name: 'default' } });
  await admin.create(workspaces, { metadata: { namespace: 'default', name: 'ws' }, spec: {} } as never);
}, 900_000);
afterAll(async () => {
  stop.abort();
  await server?.stop();
});

test('pods are admitted and agents are let in all the while', { timeout: 300_000 }, async () => {
  const certificates = new CertificateManager({
    ...{ client: operator, namespace: 'jvs-system', names: servingNames('jvs-system'), lifetimes, log },
  });
  await certificates.start(stop.signal);
  const informer = new Informer(operator, workspaces, { log });
  informer.start(stop.signal);
  await informer.synced();
  const podInformer = new Informer(operator, pods, { labelSelector: 'jvs.io/workspace', log });
  const reviewers = {
    [podsPath]: podReviewer(lookupIn(informer, operator), agentConfig),
    [workspacesPath]: reviewWorkspace,
  };
  const webhook = new WebhookServer({ port: 0, certificates, reviewers, log });
  await webhook.start();
  const link = new LinkServer({
    ...{ certificates, log, version: 'test', port: 0 },
    reviewToken: async () => ({ authenticated: false }),
    pods: podSource(operator, podInformer),
  });
  await link.start();
  const kept = keepWebhookConfigurations(
    { client: operator, certificates, webhookUrl: `https://127.0.0.1:${webhook.port}`, log },
    stop.signal,
  );
  const configuration = async () =>
    (await admin.get(mutatingWebhookConfigurations, { name: 'jvs-operator' }))?.webhooks?.[0]?.clientConfig;
  await vi.waitFor(async () => expect((await configuration())?.caBundle).toBeTruthy(), { timeout: 40_000 });

  const authorities = new Set<string>();
  const bundles: { since: number; pem: string }[] = [];
  const note = () => {
    const { caBundle } = certificates.current();
    if (bundles.at(-1)?.pem !== caBundle) bundles.push({ since: Date.now(), pem: caBundle });
    authorities.add(caBundle.slice(0, caBundle.indexOf('-----END')));
  };
  note();
  certificates.onChange(note);
  /** What the pods of a slow node still trust. */
  const stale = () =>
    bundles.findLast(({ since }) => since < Date.now() - bundleDelayMs)?.pem ?? bundles[0]?.pem ?? '';

  let made = 0;
  // Through several authorities, until those before the last are trusted by nobody any more.
  const isThrough = () => authorities.size > 3 && Date.now() - (bundles.at(-1)?.since ?? 0) > bundleDelayMs;
  for (; !isThrough(); await sleep(50)) {
    const metadata = { namespace: 'default', name: `pod-${++made}`, labels: { 'jvs.io/workspace': 'ws' } };
    const pod = await admin.create(pods, { metadata, spec: { containers: [{ name: 'app', image: 'app' }] } });
    expect(pod.spec?.initContainers?.map(({ name }) => name)).toEqual(['jvs-agent']);
    // Without a token it gets no further than the handshake, which is what is asked here.
    const agent = new TestAgent(link.port ?? 0, stale(), 'nobody').send({ hello: helloOf('a', 'ws') });
    expect((await agent.status).code).toBe(status.UNAUTHENTICATED);
    agent.close();
  }
  stop.abort();
  await Promise.all([kept, link.stop(), webhook.stop()]);
});
