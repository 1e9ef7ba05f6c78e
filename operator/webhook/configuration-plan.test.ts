import { expect, test } from 'vitest';
import type { MutatingWebhookConfiguration } from '../runtime/resources.ts';
import { atUrl, planTrust, says } from './configuration-plan.ts';

const withClient = (clientConfig: object): MutatingWebhookConfiguration => ({
  metadata: { name: 'jvs-operator' },
  webhooks: [
    {
      name: 'pods.jvs.io',
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
      clientConfig,
    },
  ],
});
const service = { name: 'jvs-webhook', namespace: 'jvs-system', path: '/mutate-pods' };
const bundle = 'PEM';
const encoded = Buffer.from(bundle).toString('base64');

test('the bundle is applied where it is missing or another, and nothing else is', () => {
  const trust = {
    metadata: { name: 'jvs-operator' },
    webhooks: [{ name: 'pods.jvs.io', clientConfig: { caBundle: encoded } }],
  };
  expect(planTrust(withClient({ service }), bundle)).toEqual(trust);
  expect(planTrust(withClient({ service, caBundle: 'b2xk' }), bundle)).toEqual(trust);
  expect(planTrust(withClient({ service, caBundle: encoded }), bundle)).toBeUndefined();
});

test('by URL: the path stays, the Service goes', () => {
  expect(atUrl(withClient({ service }), 'https://10.0.0.1:9443/', bundle)).toEqual(
    withClient({ url: 'https://10.0.0.1:9443/mutate-pods', caBundle: encoded }),
  );
});

test('defaults of the API server are no difference; another URL, bundle, rule or a Service is', () => {
  const url = 'https://10.0.0.1:9443/mutate-pods';
  const wanted = withClient({ url, caBundle: encoded });
  const defaulted = withClient({ url, caBundle: encoded });
  const [webhook] = defaulted.webhooks ?? [];
  const [rule] = webhook?.rules ?? [];
  if (!webhook || !rule) throw new Error('no webhook');
  webhook.matchPolicy = 'Equivalent';
  rule.scope = '*';
  expect(says(defaulted, wanted)).toBe(true);
  for (const operations of [['UPDATE'], ['CREATE', 'UPDATE'], []]) {
    rule.operations = operations;
    expect(says(defaulted, wanted)).toBe(false);
  }
  expect(says(withClient({ url, caBundle: encoded, service }), wanted)).toBe(false);
  expect(says(withClient({ url, caBundle: 'b2xk' }), wanted)).toBe(false);
  expect(says(withClient({ url: 'https://other', caBundle: encoded }), wanted)).toBe(false);
  expect(says({ metadata: { name: 'jvs-operator' } }, wanted)).toBe(false);
});
