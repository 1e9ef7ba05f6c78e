// Keeps the finalizer of each Restore as its policy says, and writes what became of it into its status.
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '../../shared/log.ts';
import { assertReadable, isReadable } from '../api/parse.ts';
import { type Restore, restores } from '../api/restore.ts';
import type { Informers } from '../informers.ts';
import type { Agents } from '../link/agents.ts';
import type { Meters } from '../metrics.ts';
import type { KubeClient } from '../runtime/client.ts';
import { Controller, type Result } from '../runtime/controller.ts';
import { ApiError } from '../runtime/errors.ts';
import { type EventRecorder, tellUnreadable } from '../runtime/events.ts';
import { keepFinalizer } from '../runtime/finalizer.ts';
import { Pace } from '../runtime/pace.ts';
import { keyOf, refOf } from '../runtime/types.ts';
import { WrittenOver } from '../runtime/written-over.ts';
import { objectName } from '../workspace/objects.ts';
import { planStatus } from './plan.ts';
import { planQueue } from './queue.ts';
import type { RefusedRestores } from './refused.ts';
import { fieldManager, finalizer, isOver, isRecorded, isWanted, needsFinalizer } from './request.ts';

/**
 * A status is written no more often than this, in milliseconds, but for the outcome and what agents are asked for only
 * then: those never wait.
 */
const writeInterval = 1_000;

export interface Dependencies {
  client: KubeClient;
  informers: Pick<Informers, 'workspaces' | 'snapshots' | 'restores' | 'claims'>;
  agents: Agents;
  events: EventRecorder;
  refused: RefusedRestores;
  meters: Meters;
  log: Logger;
}

export function createRestoreController(dependencies: Dependencies): Controller {
  const { client, informers, agents, events, refused, meters, log } = dependencies;
  const writes = new Pace();
  const writtenOver = new WrittenOver();
  const controller = new Controller({ name: 'restore', reconcile, workers: 4, log });

  informers.restores.onChange((key, now, before) => {
    controller.enqueue(key);
    const restore = now ?? before;
    // Those behind it wait for it.
    if (restore && (!now || isOver(now)))
      enqueueWaiting(`${restore.metadata.namespace}/${restore.spec.workspace}`);
  });
  informers.workspaces.onChange((key) => enqueueWaiting(key));
  informers.snapshots.onChange((key, now, before) => {
    const snapshot = now ?? before;
    if (snapshot) enqueueWaiting(`${snapshot.metadata.namespace}/${snapshot.spec.workspace}`);
    // By name, too: a Restore may name one of another workspace, which is told then.
    enqueueWaiting(key, 'snapshot');
  });
  agents.onChange((workspace) => enqueueWaiting(workspace));

  function enqueueWaiting(value: string, index: 'workspace' | 'snapshot' = 'workspace'): void {
    for (const restore of informers.restores.byIndex(index, value)) {
      if (!isOver(restore)) controller.enqueue(keyOf(restore));
    }
  }

  async function reconcile(key: string, signal: AbortSignal): Promise<Result> {
    const restore = informers.restores.get(key);
    if (!restore) {
      writes.delete(key);
      writtenOver.delete(key);
      refused.delete(key);
      return;
    }
    assertReadable(restore, (message) => tellUnreadable(events, restore, message));
    try {
      const result = await keep(key, restore, signal);
      refused.delete(key);
      return result;
    } catch (error) {
      if (ApiError.isDenial(error)) tellRefused(key, restore, error);
      throw error;
    }
  }

  /** It is tried again, and the Restores behind it do not wait for it. */
  function tellRefused(key: string, restore: Restore, { message }: ApiError): void {
    refused.add(key, `${restore.metadata.namespace}/${restore.spec.workspace}`);
    const effect =
      isWanted(restore) && isRecorded(restore)
        ? 'what becomes of it is not said'
        : 'it is not carried out, and others do not wait for it';
    events.emit(
      restore,
      'Warning',
      'RestoreRefused',
      `The API server refuses what the operator writes to it, and until that is allowed ${effect}: ${message}`,
    );
  }

  async function keep(key: string, restore: Restore, signal: AbortSignal): Promise<Result> {
    const { name, uid, resourceVersion = '' } = restore.metadata;
    // What was written is on its way here, and calls again.
    if (writtenOver.has(key, resourceVersion)) return;
    let kept: string | undefined;
    const options = { fieldManager, signal };
    // Before anything is asked for.
    if (!restore.metadata.deletionTimestamp)
      kept = await keepFinalizer(client, restores, restore, finalizer, needsFinalizer(restore), options);
    // One that was begun is told of to its end, so that what it made can go with it.
    else if (restore.status?.phase !== 'InProgress') return;

    const { namespace } = refOf(key);
    const workspaceKey = `${namespace}/${restore.spec.workspace}`;
    const plan = planStatus(
      {
        restore,
        workspace: informers.workspaces.get(workspaceKey),
        claim: informers.claims.get(`${namespace}/${objectName(restore.spec.workspace)}`),
        agent: agents.primary(workspaceKey),
        queue: planQueue(
          informers.restores.byIndex('workspace', workspaceKey).filter(isReadable),
          informers.snapshots.byIndex('workspace', workspaceKey).filter(isReadable),
        ),
        byName: (name) => informers.snapshots.get(`${namespace}/${name}`),
      },
      new Date(),
    );
    if (!plan || isDeepStrictEqual(plan.status, restore.status ?? {})) return;
    const after = { ...restore, status: plan.status };
    const outcome = isOver(after) && !isOver(restore);
    const wait = writes.wait(key, writeInterval);
    if (wait > 0 && !outcome && isRecorded(after) === isRecorded(restore)) return { requeueAfter: wait };
    const written = await client.applyStatus(
      restores,
      { metadata: { name, namespace, uid }, status: plan.status },
      options,
    );
    writes.mark(key);
    writtenOver.set(key, written.metadata.resourceVersion, resourceVersion, kept);
    meters.statusWrites.inc({ kind: 'Restore' });
    if (outcome) meters.restores.inc({ outcome: plan.status.phase === 'Completed' ? 'completed' : 'failed' });
    if (plan.event) events.emit(restore, plan.event.type, plan.event.reason, plan.event.message);
  }

  return controller;
}
