// All controllers of the operator, with its rights, against a test's API server, with agents that say what the test says.
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { createDesiredController } from '../../operator/desired/controller.ts';
import { createInformers, type Informers } from '../../operator/informers.ts';
import { quietLog, rotatable } from '../../operator/link/testing.ts';
import { createMaintenanceController } from '../../operator/maintenance/controller.ts';
import { createMeters } from '../../operator/metrics.ts';
import { createMirrorController } from '../../operator/mirror/controller.ts';
import { FakeAgents } from '../../operator/mirror/testing.ts';
import { createRestoreController } from '../../operator/restore/controller.ts';
import { RefusedRestores } from '../../operator/restore/refused.ts';
import { KubeClient } from '../../operator/runtime/client.ts';
import { EventRecorder } from '../../operator/runtime/events.ts';
import { namespaces } from '../../operator/runtime/resources.ts';
import { defineResource, type KubeObject } from '../../operator/runtime/types.ts';
import { createSnapshotController } from '../../operator/snapshot/controller.ts';
import { createTransferController } from '../../operator/transfer/controller.ts';
import { Transfers } from '../../operator/transfer/transfers.ts';
import { createWorkspaceController } from '../../operator/workspace/controller.ts';
import type { ApiServer } from '../cluster/apiserver.ts';
import { startInstalled } from './kubectl.ts';
import { operatorClient } from './operator-client.ts';

const log = quietLog();
const serviceAccounts = defineResource<KubeObject>('v1', 'ServiceAccount', 'serviceaccounts');
const certificates = rotatable({ key: '', cert: '', caBundle: 'ca', expiresAt: new Date(0) });

export interface Controllers {
  informers: Informers;
  registry: Registry;
  stop(): Promise<void>;
}

// What a test works with. They are set anew: the first two for the file, the others for each test.
export let admin: KubeClient;
/** With the operator's rights. */
export let client: KubeClient;
export let agents: FakeAgents;
export let controllers: Controllers;
/** Of the test's own, with the account that pods need. */
export let namespace: string;

/** At the top level of a file: an API server for its tests. */
export function useServer(): void {
  let server: ApiServer | undefined;
  beforeAll(async () => {
    ({ server } = await startInstalled());
    admin = KubeClient.fromKubeconfig(server.kubeconfig);
    client = await operatorClient(server);
  }, 900_000);
  afterAll(() => server?.stop());
}

/** At the top level of a file: also a namespace, agents and controllers for each test. `before` they run. */
export function useControllers(name: string, before: () => void = () => {}): void {
  useServer();
  let made = 0;
  beforeEach(async () => {
    made += 1;
    namespace = `${name}-${made}`;
    await admin.create(namespaces, { metadata: { name: namespace } });
    await admin.create(serviceAccounts, { metadata: { namespace, name: 'default' } });
    agents = new FakeAgents();
    before();
    await resumeControllers();
  });
  afterEach(() => controllers.stop());
}

/** After `controllers.stop()`. */
export async function resumeControllers(): Promise<void> {
  controllers = await startControllers(client, agents);
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
  const refused = new RefusedRestores();
  const shared = { client, informers, agents, events, transfers, refused, meters, log };
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
