import { expect, test } from 'vitest';
import { InvalidResource } from '../api/parse.ts';
import type { Pod } from '../runtime/resources.ts';
import type { WorkspaceLookup } from './lookup.ts';
import type { Operation } from './patch.ts';
import { type AdmissionResponse, MalformedReview, podReviewer } from './review.ts';
import { agentConfig, applyPatch, podWith, workspaceNamed } from './testing.ts';

const { signal } = new AbortController();
const known = workspaceNamed('ws');
const going = workspaceNamed('going');
going.metadata.deletionTimestamp = '2030-01-01T00:00:00Z';
const lookup: WorkspaceLookup = async (namespace, name) => {
  if (name === 'odd') throw new InvalidResource('spec.storage: must be a quantity');
  if (name === '') throw new Error('nobody has no name');
  if (name === 'unreachable') throw new Error('connect ECONNREFUSED');
  return [known, going].find(({ metadata }) => metadata.name === name && metadata.namespace === namespace);
};
const reviewer = podReviewer(lookup, agentConfig);

const reviewOf = (object: unknown, namespace = 'default') => ({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  request: { uid: 'u1', namespace, object },
});
const answer = async (pod: Pod, namespace?: string): Promise<AdmissionResponse> =>
  (await reviewer(reviewOf(pod, namespace), signal)).response;
const labelled = (name: string, more = {}) =>
  podWith({}, { labels: { 'jvs.io/workspace': name, ...more }, annotations: { 'jvs.io/agent-typo': '' } });

test('a pod of a workspace is allowed and patched', async () => {
  const pod = labelled('ws');
  const { uid, allowed, patchType, patch, warnings } = await answer(pod);
  expect({ uid, allowed, patchType }).toEqual({ uid: 'u1', allowed: true, patchType: 'JSONPatch' });
  expect(warnings).toHaveLength(1);
  const operations = JSON.parse(Buffer.from(patch ?? '', 'base64').toString()) as Operation[];
  const injected = applyPatch(pod, operations) as Pod;
  expect(injected.spec?.initContainers?.map(({ name }) => name)).toEqual(['jvs-agent']);
  expect(await answer(injected)).toEqual({ uid: 'u1', allowed: true, warnings });
});

test.each([
  ['no', 'label jvs.io/workspace: no: there is no Workspace "no" in namespace default. Create it first'],
  ['going', 'label jvs.io/workspace: going: Workspace "going" in namespace default is being deleted.'],
  ['', 'label jvs.io/workspace is empty. Give it the name of a Workspace'],
  ['odd', 'label jvs.io/workspace: odd: the Workspace can not be read: spec.storage: must be a quantity'],
])('a pod of workspace %s is denied with what to do', async (name, message) => {
  const { allowed, status, patch } = await answer(labelled(name));
  expect(allowed).toBe(false);
  expect(status?.code).toBe(403);
  expect(status?.message.startsWith(message)).toBe(true);
  expect(patch).toBeUndefined();
});

test('a Workspace of the same name in another namespace does not count', async () => {
  expect((await answer(labelled('ws'), 'other')).status?.message).toMatch(/in namespace other/);
});

test('a pod that can not be injected is denied with the reason', async () => {
  const { status } = await answer({
    ...labelled('ws'),
    spec: { containers: [{ name: 'a' }], hostPID: true },
  });
  expect(status?.message).toMatch(/^spec\.hostPID/);
});

test.each([
  ['without the label', podWith({}, { labels: {} })],
  ['without labels', podWith({}, { labels: undefined })],
  ['that opts out', labelled('no', { 'jvs.io/inject': 'false' })],
])('a pod %s is left alone', async (_, pod) =>
  expect(await answer(pod)).toEqual({ uid: 'u1', allowed: true }),
);

test('without an answer of the API server there is none of ours', async () => {
  await expect(answer(labelled('unreachable'))).rejects.toThrow('ECONNREFUSED');
});

test.each([
  ['nothing', undefined],
  ['another version', { ...reviewOf(podWith({})), apiVersion: 'admission.k8s.io/v1beta1' }],
  ['no pod', reviewOf({ metadata: {}, spec: { replicas: 1 } })],
])('%s is malformed', async (_, body) => {
  await expect(reviewer(body, signal)).rejects.toBeInstanceOf(MalformedReview);
});
