// All controllers of the operator against a test's API server, with agents that say what the test says.
import { Registry } from 'prom-client';
import { createDesiredController } from '../../operator/desired/controller.ts';
import { createInformers, type Informers } from '../../operator/informers.ts';
import { quietLog, rotatable } from '../../operator/link/testing.ts';
import { createMaintenanceController } from '../../operator/maintenance/controller.ts';
import { createMeters } from '../../operator/metrics.ts';
import { createMirrorController } from '../../operator/mirror/controller.ts';
import type { FakeAgents } from '../../operator/mirror/testing.ts';
import { createRestoreController } from '../../operator/restore/controller.ts';
import type { KubeClient } from '../../operator/runtime/client.ts';
import { EventRecorder } from '../../operator/runtime/events.ts';
import { createSnapshotController } from '../../operator/snapshot/controller.ts';
import { createTransferController } from '../../operator/transfer/controller.ts';
import { Transfers } from '../../operator/transfer/transfers.ts';
import { createWorkspaceController } from '../../operator/workspace/controller.ts';

const log = quietLog();
const certificates = rotatable({ key: '', cert: '', caBundle: 'ca', expiresAt: new Date(0) });

export interface Controllers {
  informers: Informers;
  registry: Registry;
  stop(): Promise<void>;
}

/** As a new process: caches, queues and memory are empty. What agents say is what they say. */
export async function startControllers(
  client: KubeClient,
  agents: FakeAgents,
  historyLimit = 100,
): Promise<Controllers> {
  const stop = new AbortController();
  const informers = createInformers(client, log);
  for (const informer of Object.values(informers)) informer.start(stop.signal);
  await Promise.all(Object.values(informers).map((informer) => informer.synced()));
  const registry = new Registry();
  const meters = createMeters(registry);
  const events = new EventRecorder(client, { controller: 'jvs.io/operator', instance: 'test', log });
  const transfers = new Transfers();
  const shared = { client, informers, agents, events, transfers, meters, log };
  const runners = [
    events,
    createWorkspaceController({ ...shared, certificates }),
    createDesiredController(shared),
    createMaintenanceController(shared),
    createTransferController(shared),
    createSnapshotController(shared),
    createRestoreController(shared),
    createMirrorController({ ...shared, historyLimit }),
  ];
  const running = Promise.all(runners.map((runner) => runner.start(stop.signal)));
  return {
    informers,
    registry,
    stop: async () => {
      stop.abort();
      await running;
    },
  };
}
