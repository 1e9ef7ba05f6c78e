// Keeps the API server able to call the webhook.
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import type { Logger } from '../../shared/log.ts';
import type { CertificateSource } from '../certs/source.ts';
import type { KubeClient } from '../runtime/client.ts';
import { Controller } from '../runtime/controller.ts';
import { Informer } from '../runtime/informer.ts';
import { type MutatingWebhookConfiguration, mutatingWebhookConfigurations } from '../runtime/resources.ts';
import { atUrl, configurationName, planTrust, says } from './configuration-plan.ts';

const fieldManager = 'jvs-operator-webhook';

export interface WebhookConfigurationOptions {
  client: KubeClient;
  certificates: CertificateSource;
  /**
   * Where the API server reaches this process, for an operator outside the cluster: `https://host:port`. Then the
   * whole configuration is kept, made from the installed manifest; else only its `caBundle`.
   */
  webhookUrl?: string;
  log: Logger;
}

/** Every replica runs it: all have the same bundle. Needs certificates to be there; ends with the signal. */
export async function keepWebhookConfiguration(
  { client, certificates, webhookUrl, log }: WebhookConfigurationOptions,
  signal: AbortSignal,
): Promise<void> {
  const manifest = webhookUrl === undefined ? undefined : await readManifest();
  const reconcile = async (name: string, signal: AbortSignal): Promise<void> => {
    const { caBundle } = certificates.current();
    const current = await client.get(mutatingWebhookConfigurations, { name }, { signal });
    if (manifest && webhookUrl !== undefined) {
      const wanted = atUrl(manifest, webhookUrl, caBundle);
      if (!current) await client.apply(mutatingWebhookConfigurations, wanted, { fieldManager, signal });
      else if (!says(current, wanted)) {
        // Whole: a Service that is stated beside the URL must go.
        const patch = { webhooks: wanted.webhooks };
        await client.mergePatch(mutatingWebhookConfigurations, { name }, patch, { fieldManager, signal });
      } else return;
      log.info({ url: webhookUrl }, 'the API server calls the webhook by URL');
      return;
    }
    if (!current) {
      log.error(
        `there is no MutatingWebhookConfiguration ${name}: pods of workspaces start without volume and agent. Apply config/manager`,
      );
      return;
    }
    const trust = planTrust(current, caBundle);
    if (!trust) return;
    await client.apply(mutatingWebhookConfigurations, trust, { fieldManager, signal });
    log.info('the API server trusts the webhook');
  };

  const controller = new Controller({ name: 'webhook-configuration', reconcile, log });
  const informer = new Informer(client, mutatingWebhookConfigurations, {
    fieldSelector: `metadata.name=${configurationName}`,
    log,
  });
  informer.onChange((name) => controller.enqueue(name));
  signal.addEventListener(
    'abort',
    certificates.onChange(() => controller.enqueue(configurationName)),
  );
  controller.enqueue(configurationName);
  informer.start(signal);
  await controller.start(signal);
}

/** The one that is installed in clusters: what holds there holds for development too. */
async function readManifest(): Promise<MutatingWebhookConfiguration> {
  const file = new URL('../../config/manager/webhook.yaml', import.meta.url);
  return parse(await readFile(file, 'utf8')) as MutatingWebhookConfiguration;
}
