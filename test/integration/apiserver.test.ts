import { AuthenticationV1Api, CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ApiServer, startApiServer } from '../cluster/apiserver.ts';

let server: ApiServer;
let config: KubeConfig;

beforeAll(async () => {
  server = await startApiServer();
  config = new KubeConfig();
  config.loadFromFile(server.kubeconfig);
}, 900_000);

afterAll(() => server?.stop());

test('keeps its data when killed and started again', async () => {
  const core = config.makeApiClient(CoreV1Api);
  await core.createNamespace({ body: { metadata: { name: 'before' } } });
  await server.kill();
  await expect(core.readNamespace({ name: 'before' })).rejects.toThrow();
  await server.restart();
  expect((await core.readNamespace({ name: 'before' })).status?.phase).toBe('Active');
});

test('issues ServiceAccount tokens for an audience and reviews them', async () => {
  const core = config.makeApiClient(CoreV1Api);
  const metadata = { name: 'agent' };
  await core.createNamespacedServiceAccount({ namespace: 'default', body: { metadata } });
  const { status } = await core.createNamespacedServiceAccountToken({
    name: 'agent',
    namespace: 'default',
    body: { spec: { audiences: ['jvs-operator'], expirationSeconds: 600 } },
  });
  const token = status?.token ?? '';
  const review = async (audience: string) =>
    (
      await config.makeApiClient(AuthenticationV1Api).createTokenReview({
        body: { spec: { token, audiences: [audience] } },
      })
    ).status;

  expect(await review('jvs-operator')).toMatchObject({
    authenticated: true,
    audiences: ['jvs-operator'],
    user: { username: 'system:serviceaccount:default:agent' },
  });
  expect((await review('another'))?.authenticated).toBeFalsy();
});

test('several run at once', async () => {
  const other = await startApiServer();
  try {
    const otherConfig = new KubeConfig();
    otherConfig.loadFromFile(other.kubeconfig);
    const { items } = await otherConfig.makeApiClient(CoreV1Api).listNamespace();
    expect(items.map((item) => item.metadata?.name)).not.toContain('before');
  } finally {
    await other.stop();
  }
});

test('answers again after a pause', async () => {
  const core = config.makeApiClient(CoreV1Api);
  server.pause();
  const answer = core.listNamespace().then(() => 'answered');
  const early = await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 300))]);
  server.resume();
  expect(early).toBeUndefined();
  expect(await answer).toBe('answered');
});
