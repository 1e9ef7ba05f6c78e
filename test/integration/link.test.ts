import { createPrivateKey, sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { podSource, tokenReviewer } from '../../operator/link/pods.ts';
import { LinkServer } from '../../operator/link/server.ts';
import { helloOf, quietLog, rotatable, TestAgent, testCa } from '../../operator/link/testing.ts';
import { KubeClient } from '../../operator/runtime/client.ts';
import { Informer } from '../../operator/runtime/informer.ts';
import { pods } from '../../operator/runtime/resources.ts';
import { defineResource, type KubeObject } from '../../operator/runtime/types.ts';
import { within } from '../../shared/testing.ts';
import { type ApiServer, startApiServer } from '../cluster/apiserver.ts';

const namespace = 'default';
const AUDIENCE = 'jvs-operator';
const serviceAccount = { namespace, name: 'agent' };
const serviceAccounts = defineResource<KubeObject>('v1', 'ServiceAccount', 'serviceaccounts');
const { UNAUTHENTICATED, PERMISSION_DENIED, UNAVAILABLE } = status;

let api: ApiServer;
let client: KubeClient;
let link: LinkServer;
let ca: string;
const stop = new AbortController();
const agents: TestAgent[] = [];

beforeAll(async () => {
  api = await startApiServer();
  client = KubeClient.fromKubeconfig(api.kubeconfig);
  await client.create(serviceAccounts, { metadata: serviceAccount });
  const informer = new Informer(client, pods, { labelSelector: 'jvs.io/workspace', log: quietLog() });
  informer.start(stop.signal);
  await informer.synced();
  const testing = await testCa();
  ca = testing.pem;
  link = new LinkServer({
    certificates: rotatable(await testing.issue()),
    reviewToken: tokenReviewer(client),
    pods: podSource(client, informer),
    log: quietLog(),
    version: 'test',
    port: 0,
  });
  await link.start();
});
afterEach(() => {
  for (const agent of agents.splice(0)) agent.close();
});
afterAll(async () => {
  await link?.stop();
  stop.abort();
  await api?.stop();
});

async function createPod(name: string, workspace: string) {
  const pod = await client.create(pods, {
    metadata: { namespace, name, labels: { 'jvs.io/workspace': workspace } },
    spec: {
      serviceAccountName: serviceAccount.name,
      automountServiceAccountToken: false,
      containers: [{ name: 'sleep', image: 'sleep' }],
    },
  });
  const bound = { name, uid: pod.metadata.uid ?? '' };
  return {
    token: (audience = AUDIENCE) => client.createToken(serviceAccount, { audiences: [audience], pod: bound }),
  };
}

function dial(token: string, pod: string, workspace: string): TestAgent {
  const agent = new TestAgent(link.port ?? 0, ca, token).send({ hello: helloOf(pod, workspace) });
  agents.push(agent);
  return agent;
}

async function admitted(agent: TestAgent): Promise<TestAgent> {
  await vi.waitFor(() => expect(agent.welcome).toMatchObject({ version: 'test' }), { timeout: 40_000 });
  return agent;
}

const refused = async (agent: TestAgent) => (await agent.status).code;

/** The same token, signed with the cluster's own key as if it had been issued two hours ago for one. */
async function expired(token: string): Promise<string> {
  const [header = '', payload = ''] = token.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const now = Math.floor(Date.now() / 1000);
  Object.assign(claims, { iat: now - 7200, nbf: now - 7200, exp: now - 3600 });
  const body = `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
  const key = createPrivateKey(await readFile(join(api.dir, 'pki', 'service-account.key')));
  const signature = sign('sha256', Buffer.from(body), { key, dsaEncoding: 'ieee-p1363' });
  return `${body}.${signature.toString('base64url')}`;
}

describe('a token of the API server', () => {
  it('opens the link for the workspace of its pod, even right after the pod was made', async () => {
    const pod = await createPod('right', 'alpha');
    await admitted(dial(await pod.token(), 'right', 'alpha'));
    expect(link.agents.primary('default/alpha')).toMatchObject({ pod: 'right' });
  });

  it('opens it for no other workspace, nor in the name of another pod', async () => {
    const pod = await createPod('mine', 'alpha');
    await createPod('theirs', 'beta');
    const token = await pod.token();
    expect(await refused(dial(token, 'mine', 'beta'))).toBe(PERMISSION_DENIED);
    expect(await refused(dial(token, 'theirs', 'beta'))).toBe(PERMISSION_DENIED);
    expect(link.agents.connected('default/beta')).toEqual([]);
  });

  it('is refused when it is for another audience, expired, not bound to a pod, or no token', async () => {
    const pod = await createPod('wrong', 'alpha');
    const good = await pod.token();
    const unbound = await client.createToken(serviceAccount, { audiences: [AUDIENCE] });
    const old = dial(await expired(good), 'wrong', 'alpha');
    expect(await old.status).toMatchObject({ details: expect.stringContaining('expired') });
    const bad = [await pod.token('vault'), unbound, `${good}x`, 'garbage'];
    for (const token of bad) expect(await refused(dial(token, 'wrong', 'alpha'))).toBe(UNAUTHENTICATED);
    await admitted(dial(good, 'wrong', 'alpha'));
  });

  it('is refused when its pod has finished', async () => {
    const pod = await createPod('finished', 'alpha');
    const finished = { status: { phase: 'Succeeded' } };
    await client.mergePatch(pods, { namespace, name: 'finished' }, finished, { subresource: 'status' });
    expect(await refused(dial(await pod.token(), 'finished', 'alpha'))).toBe(PERMISSION_DENIED);
  });
});

describe('an open link', () => {
  it('ends when the pod is deleted, and its token opens it no more, not even for a pod of the same name', async () => {
    const pod = await createPod('short-lived', 'alpha');
    const token = await pod.token();
    const agent = await admitted(dial(token, 'short-lived', 'alpha'));
    await client.delete(pods, { namespace, name: 'short-lived' }, { gracePeriodSeconds: 0 });
    expect(await refused(agent)).toBe(PERMISSION_DENIED);
    // The API server may remember for ten seconds that the token was good.
    const either = [UNAUTHENTICATED, PERMISSION_DENIED];
    expect(either).toContain(await refused(dial(token, 'short-lived', 'alpha')));
    const next = await createPod('short-lived', 'alpha');
    expect(either).toContain(await refused(dial(token, 'short-lived', 'alpha')));
    await admitted(dial(await next.token(), 'short-lived', 'alpha'));
  });

  it.each([
    ['is taken away', null],
    ['names another workspace', 'beta'],
  ])('ends when the label of the pod %s', async (what, label) => {
    const name = what.replaceAll(' ', '-');
    const pod = await createPod(name, 'alpha');
    const agent = await admitted(dial(await pod.token(), name, 'alpha'));
    const labels = { 'jvs.io/workspace': label };
    await client.mergePatch(pods, { namespace, name }, { metadata: { labels } });
    expect(await refused(agent)).toBe(PERMISSION_DENIED);
  });

  it('is refused in time, and not for good, while the API server gives no answer', async () => {
    const pod = await createPod('patient', 'delta');
    const token = await pod.token();
    api.pause();
    const answer = await dial(token, 'patient', 'delta').status;
    api.resume();
    expect(answer).toMatchObject({ code: UNAVAILABLE, details: expect.stringContaining('try again') });
    await admitted(dial(token, 'patient', 'delta'));
  });

  it('stays through a restart of the API server; until that is back, others are told to try again', async () => {
    const [one, two] = [await createPod('one', 'gamma'), await createPod('two', 'gamma')];
    const agent = await admitted(dial(await one.token(), 'one', 'gamma'));
    const token = await two.token();
    await api.kill();
    expect(await refused(dial(token, 'two', 'gamma'))).toBe(UNAVAILABLE);
    link.agents.setDesired('default/gamma', { engine: 'copy', snapshots: [] });
    await vi.waitFor(() => expect(agent.desired?.role).toBe('ROLE_PRIMARY'), within);
    await api.restart();
    const other = await admitted(dial(token, 'two', 'gamma'));
    await vi.waitFor(() => expect(other.desired?.role).toBe('ROLE_STANDBY'), within);
    expect(link.agents.primary('default/gamma')?.pod).toBe('one');
  });
});
