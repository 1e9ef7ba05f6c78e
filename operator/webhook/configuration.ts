// Keeps the API server able to call the webhook.
import type { Logger } from '../../shared/log.ts';
import type { CertificateSource } from '../certs/source.ts';
import type { KubeClient } from '../runtime/client.ts';
import { Controller } from '../runtime/controller.ts';
import { Informer } from '../runtime/informer.ts';
import { mutatingWebhookConfigurations, validatingWebhookConfigurations } from '../runtime/resources.ts';
import type { Resource } from '../runtime/types.ts';
import {
  atUrl,
  configurationName,
  planTrust,
  says,
  type WebhookConfiguration,
} from './configuration-plan.ts';

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
export async function keepWebhookConfigurations(
  options: WebhookConfigurationOptions,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all([
    keep(mutatingWebhookConfigurations, options, signal),
    keep(validatingWebhookConfigurations, options, signal),
  ]);
}

/** What does not work while a configuration is missing. */
const without: Record<string, string> = {
  MutatingWebhookConfiguration: 'pods of workspaces start without volume and agent',
  ValidatingWebhookConfiguration: 'schedules that can not run are not refused',
};

async function keep<T extends WebhookConfiguration>(
  resource: Resource<T>,
  { client, certificates, webhookUrl, log }: WebhookConfigurationOptions,
  signal: AbortSignal,
): Promise<void> {
  const { kind } = resource;
  const manifest =
    webhookUrl === undefined ? undefined : await (await import('./manifest.ts')).readManifest(resource);
  const reconcile = async (name: string, signal: AbortSignal): Promise<void> => {
    const { caBundle } = certificates.current();
    const current = await client.get(resource, { name }, { signal });
    if (manifest && webhookUrl !== undefined) {
      const wanted = atUrl(manifest, webhookUrl, caBundle);
      if (!current) await client.apply(resource, wanted, { fieldManager, signal });
      else if (!says(current, wanted)) {
        // Whole: a Service that is stated beside the URL must go.
        const patch = { webhooks: wanted.webhooks };
        await client.mergePatch(resource, { name }, patch, { fieldManager, signal });
      } else return;
      log.info({ kind, url: webhookUrl }, 'the API server calls the webhook by URL');
      return;
    }
    if (!current) {
      log.error(`there is no ${kind} ${name}: ${without[kind]}. Apply config/manager`);
      return;
    }
    const trust = planTrust(current, caBundle);
    if (!trust) return;
    await client.apply(resource, trust, { fieldManager, signal });
    log.info({ kind }, 'the API server trusts the webhook');
  };

  const controller = new Controller({ name: 'webhook-configuration', reconcile, log });
  const informer = new Informer(client, resource, {
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
