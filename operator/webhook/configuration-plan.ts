// What the cluster's webhook configurations lack. Pure.

import type { MutatingWebhookConfiguration, ValidatingWebhookConfiguration } from '../runtime/resources.ts';
import type { Applied } from '../runtime/types.ts';
import { diff } from './patch.ts';

/** As far as both kinds are the same. */
export type WebhookConfiguration = MutatingWebhookConfiguration | ValidatingWebhookConfiguration;

export const configurationName = 'jvs-operator';

const encode = (caBundle: string) => Buffer.from(caBundle, 'utf8').toString('base64');

/** The fields to apply, so that the API server trusts the webhook; undefined when it does already. */
export function planTrust<T extends WebhookConfiguration>(
  current: T,
  caBundle: string,
): Applied<T> | undefined {
  const wanted = encode(caBundle);
  const webhooks = current.webhooks ?? [];
  if (webhooks.every(({ clientConfig }) => clientConfig.caBundle === wanted)) return undefined;
  // Partial: server-side apply merges by name, and what is required is there already.
  const trusting = webhooks.map(({ name }) => ({ name, clientConfig: { caBundle: wanted } }));
  return { metadata: { name: current.metadata.name }, webhooks: trusting } as unknown as Applied<T>;
}

/** `manifest` with the webhook at a URL instead of a Service, for an operator that runs outside the cluster. */
export function atUrl<T extends WebhookConfiguration>(manifest: T, url: string, caBundle: string): T {
  const webhooks = manifest.webhooks?.map((webhook) => {
    const path = webhook.clientConfig.service?.path ?? '';
    const clientConfig = { url: `${url.replace(/\/+$/, '')}${path}`, caBundle: encode(caBundle) };
    return { ...webhook, clientConfig };
  });
  return { ...manifest, webhooks };
}

/** Whether `current` says what `wanted` does; fields that the API server has added as defaults are no matter. */
export function says(current: WebhookConfiguration, wanted: WebhookConfiguration): boolean {
  const differences = diff(wanted.webhooks, current.webhooks);
  return differences.every(({ op, path }) => op === 'add' && !/\/(service|\d+)$/.test(path));
}
