// The operator: every replica serves the webhook; the leader reconciles and takes the agents' connections.
import { setTimeout } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { createLogger } from '../shared/log.ts';
import { version } from '../shared/version.ts';
import { CertificateManager, servingNames } from './certs/manager.ts';
import { type Config, parseConfig } from './config.ts';
import { createDesiredController } from './desired/controller.ts';
import { healthListener, metricsListener, serve } from './endpoints.ts';
import { createInformers } from './informers.ts';
import { leaderLabel } from './leader-label.ts';
import { podSource, tokenReviewer } from './link/pods.ts';
import { LinkServer } from './link/server.ts';
import { createMaintenanceController } from './maintenance/controller.ts';
import { createMeters, measure } from './metrics.ts';
import { createMirrorController } from './mirror/controller.ts';
import { createRestoreController } from './restore/controller.ts';
import { RefusedRestores } from './restore/refused.ts';
import { KubeClient } from './runtime/client.ts';
import { EventRecorder } from './runtime/events.ts';
import { LeaderElection } from './runtime/leader.ts';
import { createSnapshotController } from './snapshot/controller.ts';
import { createTransferController } from './transfer/controller.ts';
import { Transfers } from './transfer/transfers.ts';
import { keepWebhookConfigurations } from './webhook/configuration.ts';
import { lookupIn } from './webhook/lookup.ts';
import { podReviewer } from './webhook/review.ts';
import { podsPath, WebhookServer, workspacesPath } from './webhook/server.ts';
import { reviewWorkspace } from './webhook/validate.ts';
import { createWorkspaceController } from './workspace/controller.ts';

const log = createLogger('operator');

async function main(config: Config, stop: AbortSignal): Promise<void> {
  const { namespace, ports } = config;
  log.level = config.logLevel;
  const client = KubeClient.fromDefault((warning) => log.warn({ warning }, 'the API server warns'));
  const informers = createInformers(client, log, config);
  const certificates = new CertificateManager({
    client,
    namespace,
    names: [...servingNames(namespace), ...config.certificateNames, ...hostOf(config.webhookUrl)],
    external: config.certificates === 'external',
    log,
  });
  let problem: string | undefined = 'starting';
  await serve(
    healthListener(() => problem ?? outdated(certificates)),
    ports.health,
    stop,
  );

  await certificates.start(stop);

  for (const informer of Object.values(informers)) informer.start(stop);
  const webhook = new WebhookServer({
    port: ports.webhook,
    certificates,
    reviewers: {
      [podsPath]: podReviewer(lookupIn(informers.workspaces, client), config.agent),
      [workspacesPath]: reviewWorkspace,
    },
    log,
  });
  await webhook.start();
  const trusted = keepWebhookConfigurations(
    { client, certificates, webhookUrl: config.webhookUrl, log },
    stop,
  );
  await Promise.all(Object.values(informers).map((informer) => informer.synced()));

  const election =
    config.leaderElection &&
    new LeaderElection(client, {
      namespace,
      ...{ name: 'jvs-operator', identity: config.pod || 'jvs-operator', log },
    });
  const leading = election ? client.fenced(() => election.assertLeading()) : client;
  const events = new EventRecorder(leading, {
    controller: 'jvs.io/operator',
    instance: config.pod || 'jvs-operator',
    log,
  });
  const link = new LinkServer({
    certificates,
    reviewToken: tokenReviewer(client),
    pods: podSource(client, informers.pods),
    log,
    version,
    port: ports.link,
  });
  const { agents } = link;
  const registry = new Registry();
  const meters = createMeters(registry);
  const transfers = new Transfers();
  const refused = new RefusedRestores();
  const controllers = [
    createWorkspaceController({
      client: leading,
      informers,
      agents,
      events,
      transfers,
      certificates,
      meters,
      log,
    }),
    createDesiredController({
      client: leading,
      informers,
      agents,
      events,
      transfers,
      refused,
      log,
    }),
    createMaintenanceController({ client: leading, informers, agents, events, log }),
    createTransferController({ informers, agents, transfers, log }),
    createSnapshotController({ client: leading, informers, agents, events, meters, log }),
    createRestoreController({ client: leading, informers, agents, events, refused, meters, log }),
    createMirrorController({
      client: leading,
      informers,
      agents,
      events,
      historyLimit: config.historyLimit,
      meters,
      log,
    }),
  ];
  measure(registry, { controllers, link, workspaces: informers.workspaces });
  await serve(metricsListener(registry), ports.metrics, stop);
  problem = undefined;
  log.info({ version, ports }, 'serving');

  const lead = async (signal: AbortSignal): Promise<void> => {
    await link.start();
    try {
      const runners = [events, ...controllers, leaderLabel(leading, config, log)];
      await Promise.all(runners.map((runner) => runner.start(signal)));
    } finally {
      await link.stop();
    }
  };
  await (election ? election.lead(stop, lead) : lead(stop));
  await trusted;
  // API servers go on calling this pod until they know that it leaves the Service.
  if (config.pod) await setTimeout(drainMs);
  await webhook.stop();
}

const drainMs = 5_000;

/** No API server and no agent takes an expired certificate. */
const outdated = (certificates: CertificateManager): string | undefined =>
  certificates.current().expiresAt < new Date() ? 'the certificate has expired' : undefined;

/** By which the API server calls an operator outside the cluster. */
const hostOf = (url: string | undefined): string[] =>
  url ? [new URL(url).hostname.replace(/^\[(.*)\]$/, '$1')] : [];

const stopping = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => stopping.abort(new Error(`stopped by ${signal}`)));
}
try {
  await main(parseConfig(process.argv.slice(2), process.env), stopping.signal);
  log.info('stopped');
  process.exit(0);
} catch (err) {
  if (stopping.signal.aborted) process.exit(0);
  log.fatal({ err }, 'the operator ends');
  process.exit(1);
}
