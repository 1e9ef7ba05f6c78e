// What an API server refuses is said by the Workspace, and what else it needs is done.

import { expect, test, vi } from 'vitest';
import { type Workspace, workspaces } from '../../operator/api/workspace.ts';
import { configMaps, deployments, pvcs } from '../../operator/runtime/resources.ts';
import { defineResource, type KubeObject } from '../../operator/runtime/types.ts';
import { admin, namespace, useControllers } from './controllers.ts';

const within = { timeout: 40_000, interval: 50 };

useControllers('refusals');

const create = (spec: object) =>
  admin.create(workspaces, { metadata: { namespace, name: 'ws' }, spec } as Workspace);
const workspace = () => admin.get(workspaces, { namespace, name: 'ws' });
const condition = async (type: string) =>
  (await workspace())?.status?.conditions?.find((one) => one.type === type);

test.for([
  ['a misspelt field', { image: 'x', imagePullPolcy: 'Always' }, 'imagePullPolcy'],
  ['one variable twice', { image: 'x', env: [{ name: 'A' }, { name: 'A' }] }, 'duplicate entries for key'],
] as const)('%s in the template is refused with the words of the server', async ([, container, words]) => {
  await create({ template: { spec: { containers: [{ name: 'main', ...container }] } } });
  await vi.waitFor(async () => {
    expect(await condition('Ready')).toMatchObject({ status: 'False', reason: 'InvalidTemplate' });
    expect(await workspace()).toMatchObject({ status: { phase: 'Failed', observedGeneration: 1 } });
    expect((await condition('Ready'))?.message).toContain(words);
  }, within);
});

test('what somebody else has made under its names is in its way only as long as it is there', async () => {
  const at = { namespace, name: 'jvs-ws' };
  const volume = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
  await admin.create(pvcs, { metadata: { ...at, finalizers: [] }, spec: volume });
  const selector = { matchLabels: { app: 'x' } };
  const template = { metadata: { labels: { app: 'x' } }, spec: { containers: [{ name: 'x', image: 'x' }] } };
  await admin.create(deployments, { metadata: at, spec: { selector, template } });
  await create({});
  await vi.waitFor(async () => expect((await condition('Ready'))?.reason).toBe('DeploymentNotOurs'), within);
  await admin.delete(deployments, at);
  await vi.waitFor(async () => expect((await condition('Ready'))?.reason).toBe('ClaimNotOurs'), within);
  await admin.delete(pvcs, at);
  // As the cluster does when no pod uses it.
  await admin.mergePatch(pvcs, at, { metadata: { finalizers: null } });
  await vi.waitFor(async () => {
    expect((await admin.get(pvcs, at))?.metadata.labels).toMatchObject({ 'jvs.io/workspace': 'ws' });
    expect((await condition('Ready'))?.reason).toBe('NoDefaultStorageClass');
  }, within);
});

const policies = defineResource<KubeObject & { spec: object }>(
  'admissionregistration.k8s.io/v1',
  'ValidatingAdmissionPolicy',
  'validatingadmissionpolicies',
  { namespaced: false },
);
const bindings = defineResource<KubeObject & { spec: object }>(
  'admissionregistration.k8s.io/v1',
  'ValidatingAdmissionPolicyBinding',
  'validatingadmissionpolicybindings',
  { namespaced: false },
);

/** In the test's namespace nobody makes or changes these any more. */
async function forbid(apiGroup: string, resource: string): Promise<void> {
  const name = `no-${resource}-in-${namespace}`;
  const rule = { apiGroups: [apiGroup], apiVersions: ['*'], operations: ['CREATE', 'UPDATE'] };
  await admin.create(policies, {
    metadata: { name },
    spec: {
      matchConstraints: { resourceRules: [{ ...rule, resources: [resource] }] },
      validations: [{ expression: 'false', message: `${resource} need an owner`, reason: 'Forbidden' }],
    },
  });
  const namespaceSelector = { matchLabels: { 'kubernetes.io/metadata.name': namespace } };
  await admin.create(bindings, {
    metadata: { name },
    spec: { policyName: name, validationActions: ['Deny'], matchResources: { namespaceSelector } },
  });
}

test('where the ConfigMap of the authority is refused the claim is made, and it is said', async () => {
  await forbid('', 'configmaps');
  const probe = { metadata: { namespace, name: 'probe' } };
  // It takes the server a moment to know of a policy.
  await vi.waitFor(() => expect(admin.create(configMaps, probe)).rejects.toThrow('need an owner'), within);
  await create({});
  await vi.waitFor(async () => {
    expect(await admin.get(pvcs, { namespace, name: 'jvs-ws' })).toBeDefined();
    const said = await condition('Degraded');
    expect(said).toMatchObject({ status: 'True', reason: 'AuthorityRefused' });
    expect(said?.message).toContain('configmaps need an owner');
  }, within);
});
