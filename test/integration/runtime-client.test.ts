import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KubeClient } from '../../operator/runtime/client.ts';
import {
  type ConfigMap,
  configMaps,
  customResourceDefinitions,
  deployments,
  namespaces,
  pods,
} from '../../operator/runtime/resources.ts';
import { defineResource, type KubeObject } from '../../operator/runtime/types.ts';
import { type ApiServer, startApiServer } from '../cluster/apiserver.ts';

const namespace = 'default';
const serviceAccounts = defineResource<KubeObject>('v1', 'ServiceAccount', 'serviceaccounts');
let api: ApiServer;
let client: KubeClient;
const warnings: string[] = [];

beforeAll(async () => {
  api = await startApiServer();
  client = KubeClient.fromKubeconfig(api.kubeconfig, (warning) => warnings.push(warning));
});
afterAll(() => api.stop());

const configMap = (name: string, data: Record<string, string>): ConfigMap => ({
  metadata: { namespace, name },
  data,
});
const deployment = {
  metadata: { namespace, name: 'sleeper' },
  spec: {
    selector: { matchLabels: { app: 'sleeper' } },
    template: {
      metadata: { labels: { app: 'sleeper' } },
      spec: { containers: [{ name: 'sleep', image: 'sleep' }] },
    },
  },
};

describe('KubeClient', () => {
  it('creates, gets, patches and deletes; what is not there is undefined, and deleting it is success', async () => {
    const ref = { namespace, name: 'crud' };
    expect(await client.get(configMaps, ref)).toBeUndefined();
    const created = await client.create(configMaps, configMap('crud', { a: '1', b: '2' }));
    expect(created).toMatchObject({ kind: 'ConfigMap', data: { a: '1', b: '2' } });
    await client.mergePatch(configMaps, ref, { data: { a: null, c: '3' } });
    expect((await client.get(configMaps, ref))?.data).toEqual({ b: '2', c: '3' });
    await client.delete(configMaps, ref);
    expect(await client.get(configMaps, ref)).toBeUndefined();
    await client.delete(configMaps, ref);
  });

  it('says what is wrong by reason and field', async () => {
    await client.create(configMaps, configMap('twice', {}));
    await expect(client.create(configMaps, configMap('twice', {}))).rejects.toMatchObject({
      status: 409,
      reason: 'AlreadyExists',
    });
    await expect(client.create(configMaps, configMap('Bad_Name', {}))).rejects.toMatchObject({
      status: 422,
      reason: 'Invalid',
      message: expect.stringContaining('metadata.name'),
      details: { causes: [expect.objectContaining({ field: 'metadata.name' })] },
    });
  });

  it('guards a patch by resourceVersion and a deletion by uid', async () => {
    const first = await client.create(configMaps, configMap('guarded', { n: '1' }));
    const { resourceVersion } = first.metadata;
    await client.mergePatch(configMaps, first.metadata, { metadata: { resourceVersion }, data: { n: '2' } });
    const stale = { metadata: { resourceVersion }, data: { n: '3' } };
    await expect(client.mergePatch(configMaps, first.metadata, stale)).rejects.toMatchObject({
      reason: 'Conflict',
    });
    const foreign = { uid: '00000000-0000-0000-0000-000000000000' };
    await expect(client.delete(configMaps, first.metadata, foreign)).rejects.toMatchObject({
      reason: 'Conflict',
    });
    expect((await client.get(configMaps, first.metadata))?.data).toEqual({ n: '2' });
    await client.delete(configMaps, first.metadata, { uid: first.metadata.uid ?? '' });
    expect(await client.get(configMaps, first.metadata)).toBeUndefined();
  });

  it('applies what it owns, drops what it no longer wants, and leaves the fields of others alone', async () => {
    await client.apply(configMaps, configMap('shared', { mine: '1', old: '1' }), { fieldManager: 'jvs' });
    await client.apply(configMaps, configMap('shared', { theirs: '1' }), { fieldManager: 'other' });
    const applied = await client.apply(configMaps, configMap('shared', { mine: '2' }), {
      fieldManager: 'jvs',
    });
    expect(applied.data).toEqual({ mine: '2', theirs: '1' });

    const contested = configMap('shared', { theirs: '2' });
    await expect(
      client.apply(configMaps, contested, { fieldManager: 'jvs', force: false }),
    ).rejects.toMatchObject({ reason: 'Conflict', message: expect.stringContaining('other') });
    expect((await client.apply(configMaps, contested, { fieldManager: 'jvs' })).data).toEqual({
      theirs: '2',
    });
  });

  it('writes nothing when it applies what is there already', async () => {
    const apply = () => client.apply(deployments, deployment, { fieldManager: 'jvs' });
    const first = await apply();
    const second = await apply();
    expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
    expect(second.metadata.generation).toBe(1);
  });

  it('applies the status without touching the spec, and to no effect when it is the same', async () => {
    const created = await client.apply(deployments, deployment, { fieldManager: 'jvs' });
    const status = { metadata: deployment.metadata, status: { replicas: 3, observedGeneration: 1 } };
    const first = await client.applyStatus(deployments, status, { fieldManager: 'jvs-status' });
    expect(first.status?.replicas).toBe(3);
    expect(first.spec).toEqual(created.spec);
    const second = await client.applyStatus(deployments, status, { fieldManager: 'jvs-status' });
    expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
  });

  it('lists page by page, and every item says what it is', async () => {
    await client.create(namespaces, { metadata: { name: 'paged' } });
    for (const name of ['a', 'b', 'c'])
      await client.create(configMaps, { metadata: { namespace: 'paged', name, labels: { page: 'yes' } } });
    const selection = { namespace: 'paged', labelSelector: 'page=yes', limit: 2 };
    const first = await client.list(configMaps, selection);
    expect(first.items.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
      'ConfigMap a',
      'ConfigMap b',
    ]);
    const rest = await client.list(configMaps, { ...selection, continue: first.metadata.continue ?? '' });
    expect(rest.items.map(({ metadata }) => metadata.name)).toEqual(['c']);
    expect(rest.metadata.continue ?? '').toBe('');
  });

  it('keeps fields that no model knows, in lists as well, and passes on that a field is unknown', async () => {
    const widgets = defineResource<KubeObject & { spec?: object }>('example.com/v1', 'Widget', 'widgets');
    const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
    const closed = { type: 'object', properties: { known: { type: 'string' } } };
    await client.create(customResourceDefinitions, {
      metadata: { name: 'widgets.example.com' },
      spec: {
        group: 'example.com',
        names: { kind: 'Widget', plural: 'widgets' },
        scope: 'Namespaced',
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: 'object', properties: { spec: open, closed } } },
          },
        ],
      },
    });
    await expect.poll(() => client.list(widgets).catch(() => undefined), { timeout: 40_000 }).toBeDefined();
    const widget = { metadata: { namespace, name: 'w' }, spec: { deep: [{ unknown: 1 }] } };
    await client.apply(widgets, widget, { fieldManager: 'jvs' });
    expect((await client.list(widgets)).items).toMatchObject([
      { kind: 'Widget', spec: { deep: [{ unknown: 1 }] } },
    ]);
    const typo = { closed: { typo: 'x' } };
    await expect(client.apply(widgets, { ...widget, ...typo }, { fieldManager: 'jvs' })).rejects.toThrow(
      'closed.typo',
    );
    await client.mergePatch(widgets, widget.metadata, typo);
    expect(warnings).toContainEqual(expect.stringContaining('closed.typo'));
  });

  it('reviews tokens for the audience asked for, and learns the pod that a token is bound to', async () => {
    const account = { namespace, name: 'agent' };
    await client.create(serviceAccounts, { metadata: account });
    const spec = { serviceAccountName: 'agent', containers: [{ name: 'c', image: 'i' }] };
    const pod = await client.create(pods, { metadata: { namespace, name: 'bound' }, spec });
    const token = await client.createToken(account, {
      audiences: ['jvs-operator'],
      expirationSeconds: 600,
      pod: { name: 'bound', uid: pod.metadata.uid ?? '' },
    });
    expect(await client.tokenReview(token, ['jvs-operator'])).toMatchObject({
      authenticated: true,
      audiences: ['jvs-operator'],
      user: {
        username: 'system:serviceaccount:default:agent',
        extra: { 'authentication.kubernetes.io/pod-name': ['bound'] },
      },
    });
    expect((await client.tokenReview(token, ['another'])).authenticated ?? false).toBe(false);
    expect((await client.tokenReview('garbage', ['jvs-operator'])).authenticated ?? false).toBe(false);
  });

  it('gives up on a frozen API server, and works again afterwards', async () => {
    api.pause();
    try {
      await expect(client.list(configMaps, { timeoutMs: 300 })).rejects.toThrow('within 300 ms');
    } finally {
      api.resume();
    }
    await client.list(configMaps, { namespace });
  });
});
