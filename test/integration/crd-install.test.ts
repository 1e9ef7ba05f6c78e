// That the manifests install, that both ways install the same, and what their RBAC and webhook allow.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { secretName, servingNames } from '../../operator/certs/manager.ts';
import { ApiError, KubeClient } from '../../operator/runtime/client.ts';
import {
  type Deployment,
  deployments,
  mutatingWebhookConfigurations,
  namespaces,
  type Pod,
  pods,
} from '../../operator/runtime/resources.ts';
import { defineResource, type KubeObject } from '../../operator/runtime/types.ts';
import type { ApiServer } from '../cluster/apiserver.ts';
import { type Kubectl, root, startWithKubectl } from './kubectl.ts';

const folders = ['config/crd/bases/', 'config/rbac/', 'config/manager/'];

let server: ApiServer;
let kubectl: Kubectl;
let client: KubeClient;

beforeAll(async () => {
  ({ server, kubectl } = await startWithKubectl());
  client = KubeClient.fromKubeconfig(server.kubeconfig);
  for (const folder of folders) await kubectl('apply', '-f', folder);
  // No controller manager makes it here, and no pod starts without.
  for (const namespace of ['default', 'kube-system']) {
    await client.create(serviceAccounts, { metadata: { namespace, name: 'default' } });
  }
}, 900_000);

afterAll(() => server?.stop());

const serviceAccounts = defineResource<KubeObject>('v1', 'ServiceAccount', 'serviceaccounts');

function objectsIn(text: string): KubeObject[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as KubeObject)
    .sort((a, b) => name(a).localeCompare(name(b)));
}

function name({ kind, metadata }: KubeObject): string {
  return `${kind}/${metadata.namespace}/${metadata.name}`;
}

test('kustomize renders what the three folders hold', async () => {
  const files = await Promise.all(
    folders.map(async (folder) =>
      (await readdir(join(root, folder)))
        .filter((file) => /\.(ya?ml|json)$/.test(file))
        .map((file) => readFile(join(root, folder, file), 'utf8')),
    ),
  );
  const manifests = (await Promise.all(files.flat())).join('\n---\n');
  expect(objectsIn(await kubectl('kustomize', 'config/default'))).toEqual(objectsIn(manifests));
});

test('after the three applies, kustomize has nothing left to change, nor takes the CA bundle of the operator', async () => {
  const webhook = { name: 'jvs-operator' };
  const withBundle = { name: 'pods.jvs.io', clientConfig: { caBundle: btoa(await certificate()) } };
  await kubectl(
    'patch',
    'mutatingwebhookconfiguration',
    webhook.name,
    '-p',
    JSON.stringify({ webhooks: [withBundle] }),
  );
  const lines = (await kubectl('apply', '-k', 'config/default')).trim().split('\n');
  expect(lines.length).toBeGreaterThan(10);
  // kubectl replaces the selector of a PodDisruptionBudget each time, by the same.
  const changed = lines.filter((line) => !/ unchanged$|^poddisruptionbudget/.test(line));
  expect(changed).toEqual([]);
  const after = await client.get(mutatingWebhookConfigurations, webhook);
  expect(after?.webhooks).toMatchObject([withBundle]);
});

async function certificate(): Promise<string> {
  const view = JSON.parse(await kubectl('config', 'view', '--raw', '--flatten', '-o', 'json'));
  return atob(view.clusters[0].cluster['certificate-authority-data']);
}

test('the development overlay changes the images and nothing else', async () => {
  const rendered = await kubectl('kustomize', 'config/dev');
  const base = await kubectl('kustomize', 'config/default');
  const images = rendered.matchAll(/jvs-(operator|agent):dev/g);
  expect([...images].map(([image]) => image).sort()).toEqual(['jvs-agent:dev', 'jvs-operator:dev']);
  expect(rendered.replaceAll(/jvs-(operator|agent):dev/g, 'ghcr.io/jvs-project/jvs-$1:0.1.0')).toBe(base);
});

test.each<[overlay: string, made: number]>([
  ['namespaced', 1],
  ['network', 1],
  ['juicefs', 2],
])('the overlay config/%s is accepted as it is', async (overlay, made) => {
  await client.apply(namespaces, { metadata: { name: 'team-a' } }, { fieldManager: 'test' });
  const lines = (await kubectl('apply', '-k', `config/${overlay}`, '--dry-run=server')).trim().split('\n');
  expect(lines.filter((line) => / created /.test(line))).toHaveLength(made);
});

test('the sample of a policy for agents is accepted in any namespace', async () => {
  const sample = 'config/network/workspaces.yaml';
  expect(await kubectl('apply', '-n', 'default', '-f', sample, '--dry-run=server')).toMatch(/ created /);
});

test('the overlay config/cert-manager adds certificates for the names by which the operator is called', async () => {
  const objects = objectsIn(await kubectl('kustomize', 'config/cert-manager'));
  const certificate = objects.find((object) => name(object) === 'Certificate/jvs-system/jvs-operator');
  const names = servingNames('jvs-system').filter((name) => name.includes('.svc'));
  expect(certificate).toMatchObject({ spec: { secretName, dnsNames: names } });
  const env = { name: 'JVS_CERTIFICATES', value: 'external' };
  const operator = objects.find(({ kind }) => kind === 'Deployment') as Deployment;
  expect(operator.spec?.template.spec?.containers[0]?.env).toContainEqual(env);
});

test('the operator meets the restricted Pod Security Standard, which its namespace enforces', async () => {
  const { spec } = (await client.get(deployments, {
    namespace: 'jvs-system',
    name: 'jvs-operator',
  })) as Deployment;
  const pod = {
    metadata: { namespace: 'jvs-system', name: 'as-deployed' },
    spec: spec?.template.spec,
  } as Pod;
  expect((await client.create(pods, pod)).metadata.uid).toBeTruthy();
  const container = { name: 'c', image: 'i', securityContext: { privileged: true } };
  const privileged = {
    metadata: { ...pod.metadata, name: 'privileged' },
    spec: { ...pod.spec, containers: [container] },
  };
  await expect(client.create(pods, privileged as Pod)).rejects.toThrow('violates PodSecurity');
});

describe('the webhook, while no operator answers', () => {
  const create = (podName: string, labels: Record<string, string>, namespace = 'default') =>
    client.create(pods, {
      metadata: { name: podName, namespace, labels },
      spec: { containers: [{ name: 'c', image: 'i' }] },
    } as Pod);
  const label = { 'jvs.io/workspace': 'w' };

  test('refuses pods of a workspace, which would run without their volume', async () => {
    const error = await create('labelled', label).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ message: expect.stringContaining('failed calling webhook "pods.jvs.io"') });
  });

  test.each<[what: string, labels: Record<string, string>, namespace?: string]>([
    ['any other pod', { app: 'x' }],
    ['a pod that opts out', { ...label, 'jvs.io/inject': 'false' }],
    ['kube-system', label, 'kube-system'],
  ])('lets through %s', async (what, labels, namespace) => {
    const { metadata } = await create(what.replaceAll(' ', '-'), labels, namespace);
    expect(metadata.uid).toBeTruthy();
  });
});

describe('RBAC', () => {
  interface AccessReview extends KubeObject {
    spec: object;
    status?: { allowed: boolean };
  }
  const reviews = defineResource<AccessReview>(
    'authorization.k8s.io/v1',
    'SubjectAccessReview',
    'subjectaccessreviews',
    { namespaced: false },
  );

  /** `resource.group/subresource`, and the name of an object where that matters. */
  async function may(
    user: string,
    verb: string,
    what: string,
    namespace: string,
    object = '',
  ): Promise<boolean> {
    const [, resource, group, subresource] = /^([a-z]+)(?:\.([a-z.0-9]+))?(?:\/([a-z]+))?$/.exec(what) ?? [];
    const resourceAttributes = { namespace, verb, group, resource, subresource, name: object };
    const { status } = await client.create(reviews, {
      metadata: {} as never,
      spec: { user, resourceAttributes },
    });
    return status?.allowed ?? false;
  }
  const operator = 'system:serviceaccount:jvs-system:jvs-operator';
  const listed = ['list', 'watch'];
  const watched = ['get', ...listed];

  test.each<[what: string, verbs: string[], namespace: string, object?: string]>([
    ['workspaces.jvs.io', [...watched, 'patch'], 'any'],
    ['workspaces.jvs.io/status', ['patch'], 'any'],
    ['workspaces.jvs.io/finalizers', ['update'], 'any'],
    ['snapshots.jvs.io', [...watched, 'create', 'patch', 'delete'], 'any'],
    ['snapshots.jvs.io/status', ['patch'], 'any'],
    ['snapshots.jvs.io/finalizers', ['update'], 'any'],
    ['restores.jvs.io', [...listed, 'patch', 'delete'], 'any'],
    ['restores.jvs.io/status', ['patch'], 'any'],
    ['namespaces', ['get'], 'any', 'any'],
    ['persistentvolumeclaims', [...listed, 'create', 'patch', 'delete'], 'any'],
    ['deployments.apps', [...listed, 'create', 'patch', 'delete'], 'any'],
    ['pods', [...watched, 'create', 'delete'], 'any'],
    ['pods', ['list', 'patch'], 'jvs-system'],
    ['storageclasses.storage.k8s.io', listed, ''],
    ['configmaps', ['create'], 'any'],
    ['configmaps', [...listed, 'patch'], '', 'jvs-operator-ca'],
    ['events.events.k8s.io', [...watched, 'create', 'patch'], 'any'],
    ['tokenreviews.authentication.k8s.io', ['create'], ''],
    ['mutatingwebhookconfigurations.admissionregistration.k8s.io', [...watched, 'patch'], '', 'jvs-operator'],
    ['secrets', ['create'], 'jvs-system'],
    ['secrets', [...watched, 'patch'], 'jvs-system', 'jvs-operator-certs'],
    ['leases.coordination.k8s.io', ['create'], 'jvs-system'],
    ['leases.coordination.k8s.io', ['get', 'patch'], 'jvs-system', 'jvs-operator'],
  ])('the operator may: %s %j in %j %s', async (what, verbs, namespace, object) => {
    for (const verb of verbs)
      expect.soft(await may(operator, verb, what, namespace, object), verb).toBe(true);
  });

  test.each<[what: string, verb: string, namespace: string, object?: string]>([
    ['pods', 'patch', 'any'],
    ['pods/exec', 'create', 'any'],
    ['secrets', 'get', 'any', 'jvs-operator-certs'],
    ['secrets', 'list', 'any'],
    ['secrets', 'get', 'jvs-system', 'other'],
    ['secrets', 'list', 'jvs-system'],
    ['configmaps', 'get', 'any', 'jvs-operator-ca'],
    ['configmaps', 'patch', 'any', 'other'],
    ['configmaps', 'list', ''],
    ['configmaps', 'delete', 'any', 'jvs-operator-ca'],
    ['workspaces.jvs.io', 'create', 'any'],
    ['workspaces.jvs.io', 'delete', 'any'],
    ['restores.jvs.io', 'create', 'any'],
    ['namespaces', 'list', ''],
    ['namespaces', 'delete', 'any', 'any'],
    ['storageclasses.storage.k8s.io', 'create', ''],
    ['persistentvolumes', 'list', ''],
    ['persistentvolumes', 'create', ''],
    ['leases.coordination.k8s.io', 'patch', 'any', 'jvs-operator'],
    ['mutatingwebhookconfigurations.admissionregistration.k8s.io', 'patch', '', 'other'],
    ['mutatingwebhookconfigurations.admissionregistration.k8s.io', 'create', ''],
    ['clusterroles.rbac.authorization.k8s.io', 'escalate', ''],
    ['serviceaccounts/token', 'create', 'any'],
  ])('the operator may not: %s %s in %j %s', async (what, verb, namespace, object) => {
    expect(await may(operator, verb, what, namespace, object)).toBe(false);
  });

  test('the roles for users are collected by view, edit and admin', async () => {
    const labels = async (role: string) =>
      JSON.parse(await kubectl('get', 'clusterrole', role, '-o', 'json')).metadata.labels;
    expect(await labels('jvs-view')).toMatchObject({ 'rbac.authorization.k8s.io/aggregate-to-view': 'true' });
    expect(await labels('jvs-edit')).toMatchObject({
      'rbac.authorization.k8s.io/aggregate-to-edit': 'true',
      'rbac.authorization.k8s.io/aggregate-to-admin': 'true',
    });
  });
});
