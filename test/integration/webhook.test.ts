// The webhook as the API server sees it: what is asked of it, what becomes of pods, and what happens without it.
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Workspace, workspaces } from '../../operator/api/workspace.ts';
import { CertificateManager, servingNames } from '../../operator/certs/manager.ts';
import { renew } from '../../operator/certs/renew.ts';
import type { CertificateSource, Certificates } from '../../operator/certs/source.ts';
import { KubeClient } from '../../operator/runtime/client.ts';
import { Informer } from '../../operator/runtime/informer.ts';
import {
  type Container,
  type MutatingWebhookConfiguration,
  mutatingWebhookConfigurations,
  namespaces,
  type Pod,
  pods,
} from '../../operator/runtime/resources.ts';
import { defineResource, type KubeObject } from '../../operator/runtime/types.ts';
import { keepWebhookConfigurations } from '../../operator/webhook/configuration.ts';
import { lookupIn } from '../../operator/webhook/lookup.ts';
import { podReviewer, type Reviewer } from '../../operator/webhook/review.ts';
import { podsPath, WebhookServer, workspacesPath } from '../../operator/webhook/server.ts';
import { agentConfig } from '../../operator/webhook/testing.ts';
import { reviewWorkspace } from '../../operator/webhook/validate.ts';
import { deploymentOf } from '../../operator/workspace/objects.ts';
import { createLogger } from '../../shared/log.ts';
import type { ApiServer } from '../cluster/apiserver.ts';
import { type Kubectl, startInstalled } from './kubectl.ts';
import { operatorClient } from './operator-client.ts';

const serviceAccounts = defineResource<KubeObject>('v1', 'ServiceAccount', 'serviceaccounts');
const within = { timeout: 40_000, interval: 100 };
const tokenPath = '/var/run/secrets/kubernetes.io/serviceaccount';
const log = createLogger('test');
log.level = 'silent';

let server: ApiServer;
let kubectl: Kubectl;
let admin: KubeClient;
let operator: KubeClient;
let certificates: CertificateManager;
let webhook: WebhookServer;
const stop = new AbortController();
const warnings: string[] = [];

beforeAll(async () => {
  ({ server, kubectl } = await startInstalled(['config/manager/']));
  admin = KubeClient.fromKubeconfig(server.kubeconfig, (warning) => warnings.push(warning));
  operator = await operatorClient(server);
  await admin.create(namespaces, {
    metadata: { name: 'strict', labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
  });
  for (const namespace of ['default', 'strict']) {
    // No controller manager makes it here, and no pod is accepted without.
    await admin.create(serviceAccounts, { metadata: { namespace, name: 'default' } });
    await admin.create(workspaces, workspaceIn(namespace, 'ws'));
  }
  const names = servingNames('jvs-system');
  certificates = new CertificateManager({ client: operator, namespace: 'jvs-system', names, log });
  await certificates.start(stop.signal);
}, 900_000);
afterAll(async () => {
  stop.abort();
  await webhook?.stop();
  await server?.stop();
});

const workspaceIn = (namespace: string, name: string, metadata = {}): Workspace =>
  ({ metadata: { namespace, name, ...metadata }, spec: {} }) as Workspace;

let made = 0;
function podOf(spec: Partial<Pod['spec']> = {}, metadata: Partial<Pod['metadata']> = {}): Pod {
  made += 1;
  return {
    metadata: {
      name: `pod-${made}`,
      namespace: 'default',
      labels: { 'jvs.io/workspace': 'ws' },
      ...metadata,
    },
    spec: { containers: [{ name: 'app', image: 'busybox' }], ...spec },
  };
}
const create = (...args: Parameters<typeof podOf>) => admin.create(pods, podOf(...args));
const containersOf = ({ spec }: Pod): Container[] => [
  ...(spec?.initContainers ?? []),
  ...(spec?.containers ?? []),
];
const mountsOf = (pod: Pod, name: string): [string, string][] =>
  containersOf(pod)
    .filter((container) => container.name === name)
    .flatMap(({ volumeMounts }) => volumeMounts ?? [])
    .map((mount) => [mount.name, mount.mountPath]);
const userMounts = [
  ['jvs-workspace', '/workspace/main'],
  ['jvs-workspace', '/workspace/worktrees'],
  ['jvs-workspace', '/workspace/.jvs'],
];
const agentMounts = [
  ['jvs-workspace', '/jvs'],
  ['jvs-agent-link', '/var/run/jvs-link'],
  ['jvs-agent-no-token', tokenPath],
];

/** Labels of pods that are none of the webhook's business. */
const aside: Record<string, string>[] = [{ 'jvs.io/workspace': 'ws', 'jvs.io/inject': 'false' }, {}];

const configuration = { name: 'jvs-operator' };
async function clientConfig() {
  const { webhooks } = (await admin.get(mutatingWebhookConfigurations, configuration)) ?? {};
  return webhooks?.[0]?.clientConfig;
}
const encoded = (caBundle: string) => Buffer.from(caBundle).toString('base64');

describe('the installed configuration', () => {
  test('gets the bundle, and gets it back when somebody removes or changes it', async () => {
    const keeping = new AbortController();
    const kept = keepWebhookConfigurations({ client: operator, certificates, log }, keeping.signal);
    const expected = encoded(certificates.current().caBundle);
    const trusted = () =>
      vi.waitFor(async () => expect((await clientConfig())?.caBundle).toBe(expected), within);
    await trusted();
    await kubectl('replace', '-f', 'config/manager/webhook.yaml');
    await trusted();
    const { caBundle } = await renew('authority', undefined, ['other'], new Date(), {
      authority: 60_000,
      serving: 60_000,
    });
    await admin.apply(
      mutatingWebhookConfigurations,
      {
        metadata: configuration,
        webhooks: [{ name: 'pods.jvs.io', clientConfig: { caBundle: encoded(caBundle) } }],
      } as MutatingWebhookConfiguration,
      { fieldManager: 'somebody' },
    );
    await trusted();
    expect((await clientConfig())?.service?.name).toBe('jvs-webhook');
    await admin.delete(mutatingWebhookConfigurations, configuration);
    await kubectl('apply', '-f', 'config/manager/webhook.yaml');
    await trusted();
    keeping.abort();
    await kept;
  });
});

describe('by URL', () => {
  beforeAll(async () => {
    const informer = new Informer(operator, workspaces, { log });
    informer.start(stop.signal);
    await informer.synced();
    webhook = new WebhookServer({
      port: 0,
      host: '127.0.0.1',
      certificates,
      reviewers: {
        [podsPath]: podReviewer(lookupIn(informer, operator), agentConfig),
        [workspacesPath]: reviewWorkspace,
      },
      log,
    });
    await webhook.start();
    const webhookUrl = `https://127.0.0.1:${webhook.port}`;
    void keepWebhookConfigurations({ client: operator, certificates, webhookUrl, log }, stop.signal);
    // The API server calls it from some moment on.
    await vi.waitFor(
      () =>
        expect(create({}, { labels: { 'jvs.io/workspace': 'none' } })).rejects.toThrow(
          'there is no Workspace',
        ),
      within,
    );
  });

  test('the Service has given way to the URL', async () => {
    expect(await clientConfig()).toEqual({
      url: `https://127.0.0.1:${webhook.port}/mutate-pods`,
      caBundle: encoded(certificates.current().caBundle),
    });
  });

  test('a pod of a workspace gets volume and agent, and the agent no token of the API server', async () => {
    const pod = await create({ initContainers: [{ name: 'fetch', image: 'busybox' }] });
    const { initContainers, volumes } = pod.spec ?? {};
    expect(initContainers?.map(({ name }) => name)).toEqual(['jvs-agent', 'fetch']);
    expect(initContainers?.[0]).toMatchObject({ image: agentConfig.image, restartPolicy: 'Always' });
    expect(mountsOf(pod, 'jvs-agent')).toEqual(agentMounts);
    const token = volumes?.find(({ name }) => name.startsWith('kube-api-access-'))?.name;
    expect(token).toBeDefined();
    for (const name of ['app', 'fetch'])
      expect(mountsOf(pod, name)).toEqual(expect.arrayContaining([...userMounts, [token, tokenPath]]));
  });

  test('a second pass changes nothing', async () => {
    const first = await create({ securityContext: { runAsUser: 1000, fsGroup: 1000 } });
    const again = await create(first.spec);
    expect(again.spec).toEqual(first.spec);
  });

  test("the operator's own pod without a template is the agent alone", async () => {
    const workspace = (await admin.get(workspaces, { namespace: 'strict', name: 'ws' })) as Workspace;
    const { template } = deploymentOf(workspace, { metadata: { name: 'jvs-ws' } }).spec ?? {};
    const pod = await create(template?.spec, { ...template?.metadata, namespace: 'strict' });
    expect(containersOf(pod).map(({ name, image }) => [name, image])).toEqual([
      ['jvs-agent', agentConfig.image],
    ]);
    expect(mountsOf(pod, 'jvs-agent')).toEqual(agentMounts);
    expect(pod.spec?.containers[0]).toMatchObject({ imagePullPolicy: agentConfig.imagePullPolicy });
  });

  test("a pod that carries an agent loses the API server's token there", async () => {
    const containers = ['app', 'jvs-agent'].map((name) => ({ name, image: 'jvs-agent' }));
    const pod = await create({ containers });
    expect(containersOf(pod).map(({ name }) => name)).toEqual(['jvs-agent', 'app']);
    expect(mountsOf(pod, 'jvs-agent')).toEqual(agentMounts);
  });

  test('a namespace of the restricted standard takes an injected pod that says who it is', async () => {
    const securityContext = {
      runAsUser: 1000,
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    };
    const own = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
    const containers = [{ name: 'app', image: 'busybox', securityContext: own }];
    const pod = await create({ securityContext, containers }, { namespace: 'strict' });
    expect(containersOf(pod).map(({ name }) => name)).toEqual(['jvs-agent', 'app']);
    const root = create(
      { securityContext: { ...securityContext, runAsUser: 0 }, containers },
      { namespace: 'strict' },
    );
    await expect(root).rejects.toThrow('violates PodSecurity "restricted');
  });

  test('refusals and warnings reach the user', async () => {
    await expect(create({}, { labels: { 'jvs.io/workspace': 'none' } })).rejects.toThrow(
      'admission webhook "pods.jvs.io" denied the request: label jvs.io/workspace: none: there is no Workspace "none" in namespace default. Create it first',
    );
    await expect(create({ shareProcessNamespace: true })).rejects.toThrow('spec.shareProcessNamespace lets');
    await create({}, { annotations: { 'jvs.io/agent-memory': '1Gi' } });
    expect(warnings.some((warning) => warning.includes('jvs.io/agent-memory is not known'))).toBe(true);
  });

  test('a pod right after its Workspace is injected; one of a Workspace that is being deleted is refused', async () => {
    const labels = { 'jvs.io/workspace': 'late' };
    const late = workspaceIn('default', 'late', { finalizers: ['test.jvs.io/stay'] });
    await admin.create(workspaces, late);
    expect(mountsOf(await create({}, { labels }), 'jvs-agent')).toEqual(agentMounts);
    await admin.delete(workspaces, late.metadata);
    await vi.waitFor(() => expect(create({}, { labels })).rejects.toThrow('is being deleted'), within);
  });

  test('a pod that opts out, and one without the label, are left as they are', async () => {
    for (const labels of aside)
      expect(containersOf(await create({}, { labels })).map(({ name }) => name)).toEqual(['app']);
  });

  const scheduled = (name: string, autoSnapshot: object) =>
    admin.create(workspaces, { ...workspaceIn('default', name), spec: { autoSnapshot } } as Workspace);

  test('a schedule that can not run is refused with the reason, and a good one accepted', async () => {
    await vi.waitFor(
      () =>
        expect(scheduled('never', { schedule: '0 0 30 2 *' })).rejects.toThrow(
          'spec.autoSnapshot: schedule "0 0 30 2 *": no such month has a day 30',
        ),
      within,
    );
    await expect(scheduled('nowhere', { schedule: '@daily', timeZone: 'Europe/Atlantis' })).rejects.toThrow(
      'timeZone "Europe/Atlantis" is not known',
    );
    await scheduled('good', { schedule: '@daily', timeZone: 'Europe/Berlin' });
    const ref = { namespace: 'default', name: 'good' };
    await expect(
      admin.mergePatch(workspaces, ref, { spec: { autoSnapshot: { schedule: '9-1 * * * *' } } }),
    ).rejects.toThrow('ends before it begins');
    await admin.mergePatch(workspaces, ref, { spec: { replicas: 0 } });
  });

  describe('with another webhook that adds a container', () => {
    const image = 'other';
    let other: WebhookServer;
    beforeAll(async () => {
      // The API server knows only the old authority, the webhook has gone on to the new one.
      const lifetimes = { authority: 600_000, serving: 180_000 };
      const old = await renew('authority', undefined, ['127.0.0.1'], new Date(), lifetimes);
      const current = await renew('authority', old, ['127.0.0.1'], new Date(), lifetimes);
      other = new WebhookServer({
        port: 0,
        host: '127.0.0.1',
        certificates: fixed({ ...current, expiresAt: new Date() }),
        reviewers: { [podsPath]: addContainer({ name: 'late', image }) },
        log,
      });
      await other.start();
      await admin.create(mutatingWebhookConfigurations, {
        metadata: { name: 'other' },
        webhooks: [
          {
            name: 'other.example.com',
            admissionReviewVersions: ['v1'],
            sideEffects: 'None',
            objectSelector: { matchLabels: { other: 'yes' } },
            rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
            clientConfig: {
              url: `https://127.0.0.1:${other.port}/mutate-pods`,
              caBundle: encoded(old.caBundle),
            },
          },
        ],
      });
    });
    afterAll(() => other?.stop());

    test('it gets the volume too, the agent stays one, and a rotated certificate is trusted', async () => {
      await vi.waitFor(async () => {
        const pod = await create({}, { labels: { 'jvs.io/workspace': 'ws', other: 'yes' } });
        expect(containersOf(pod).map(({ name }) => name)).toEqual(['jvs-agent', 'app', 'late']);
        expect(mountsOf(pod, 'late')).toEqual(expect.arrayContaining(userMounts));
        expect(mountsOf(pod, 'jvs-agent')).toEqual(agentMounts);
      }, within);
    });
  });

  describe('when it is down', () => {
    beforeAll(() => webhook.stop());

    test('Workspaces are accepted', async () => {
      await scheduled('unseen', { schedule: '0 0 30 2 *' });
    });

    test('pods of workspaces are refused, and all others start', async () => {
      await expect(create()).rejects.toThrow('failed calling webhook "pods.jvs.io"');
      for (const labels of aside)
        expect(containersOf(await create({}, { labels })).map(({ name }) => name)).toEqual(['app']);
    });
  });
});

const fixed = (certificates: Certificates): CertificateSource => ({
  current: () => certificates,
  onChange: () => () => {},
});

/** A webhook such as a service mesh has. */
function addContainer(container: Container): Reviewer {
  return async (body) => {
    const { request } = body as { request: { uid: string; object: Pod } };
    const present = request.object.spec?.containers.some(({ name }) => name === container.name);
    const patch = JSON.stringify(
      present ? [] : [{ op: 'add', path: '/spec/containers/-', value: container }],
    );
    return {
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      response: {
        uid: request.uid,
        allowed: true,
        patchType: 'JSONPatch',
        patch: Buffer.from(patch).toString('base64'),
      },
    };
  };
}
