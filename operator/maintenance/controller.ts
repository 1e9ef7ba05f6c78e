// Starts the maintenance pod of a stopped workspace when something waits for an agent, and ends it.
import type { Logger } from '../../shared/log.ts';
import { assertReadable } from '../api/parse.ts';
import { isPending } from '../desired/plan.ts';
import type { Informers } from '../informers.ts';
import { type Agents, settleMs } from '../link/agents.ts';
import type { KubeClient } from '../runtime/client.ts';
import { Controller, type Result } from '../runtime/controller.ts';
import { ApiError } from '../runtime/errors.ts';
import type { EventRecorder } from '../runtime/events.ts';
import { Pace } from '../runtime/pace.ts';
import { pods } from '../runtime/resources.ts';
import { type KubeObject, refOf } from '../runtime/types.ts';
import { objectName, workspaceLabel } from '../workspace/objects.ts';
import { planMaintenance } from './plan.ts';
import { isMaintenance } from './pod.ts';

export interface Dependencies {
  client: KubeClient;
  informers: Pick<Informers, 'workspaces' | 'claims' | 'pods'>;
  agents: Agents;
  events: EventRecorder;
  log: Logger;
}

/** A pod that ended by itself, or was refused, is tried again no sooner; milliseconds. */
const retryMs = 10_000;

export function createMaintenanceController({
  client,
  informers,
  agents,
  events,
  log,
}: Dependencies): Controller {
  const controller = new Controller({ name: 'maintenance', reconcile, workers: 4, log });
  const failures = new Pace();

  informers.workspaces.onChange((key) => controller.enqueue(key));
  informers.claims.onChange((_, now, before) => enqueueLabelled(now ?? before));
  informers.pods.onChange((_, now, before) => enqueueLabelled(now ?? before));
  agents.onChange((workspace) => controller.enqueue(workspace));

  function enqueueLabelled(object: KubeObject | undefined): void {
    const name = object?.metadata.labels?.[workspaceLabel];
    if (name) controller.enqueue(`${object.metadata.namespace}/${name}`);
  }

  async function reconcile(key: string, signal: AbortSignal): Promise<Result> {
    const { namespace, name } = refOf(key);
    const workspace = informers.workspaces.get(key);
    if (workspace) assertReadable(workspace);
    else failures.delete(key);
    const desired = agents.desiredOf(key);
    const unsettled = settleMs - agents.openFor();
    const pending = desired && (isPending(desired) || (unsettled > 0 ? undefined : false));
    const action = planMaintenance({
      workspace,
      claim: informers.claims.get(`${namespace}/${objectName(name)}`),
      pods: informers.pods.byIndex('workspace', key),
      pending,
    });
    if (!action) return desired && pending === undefined ? { requeueAfter: unsettled } : undefined;
    if (action.type === 'delete') {
      const { pod, why } = action;
      if (pod.status?.phase === 'Failed') failures.mark(key);
      await client.delete(pods, pod.metadata, { uid: pod.metadata.uid, signal });
      log.info({ workspace: key, why }, 'maintenance pod deleted');
      return;
    }
    const wait = failures.wait(key, retryMs);
    if (wait > 0) return { requeueAfter: wait };
    try {
      await client.create(pods, action.pod, { signal });
      log.info({ workspace: key }, 'maintenance pod created');
      if (workspace) {
        const message = `Pod ${action.pod.metadata.name} does what is asked of the stopped workspace, and goes`;
        events.emit(workspace, 'Normal', 'MaintenanceStarted', message);
      }
    } catch (error) {
      if (!(error instanceof ApiError) || error.status < 400 || error.status >= 500) throw error;
      const pod = action.pod.metadata.name;
      let message = `Pod ${pod} is refused, so what is asked of the stopped workspace waits: ${error.message}`;
      if (error.reason === 'AlreadyExists') {
        const there = await client.get(pods, action.pod.metadata, { signal });
        // The cache will know it, or has known what was there.
        if (!there || isMaintenance(there)) return { requeueAfter: 1_000 };
        message = `Pod ${pod} exists and was not made by this operator, so what is asked of the stopped workspace waits. Delete it, or name it otherwise`;
      }
      if (workspace) events.emit(workspace, 'Warning', 'MaintenanceRefused', message);
      failures.mark(key);
      return { requeueAfter: retryMs };
    }
  }

  return controller;
}
