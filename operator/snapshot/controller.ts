// Brings each Snapshot's request to the agents, and what became of it into its status.
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '../../shared/log.ts';
import { parseSnapshot, type Snapshot, snapshots } from '../api/snapshot.ts';
import { parseWorkspace } from '../api/workspace.ts';
import type { Informers } from '../informers.ts';
import type { Agents } from '../link/agents.ts';
import type { KubeClient } from '../runtime/client.ts';
import { Controller, type Result } from '../runtime/controller.ts';
import { TerminalError } from '../runtime/errors.ts';
import type { EventRecorder } from '../runtime/events.ts';
import { refOf } from '../runtime/types.ts';
import { planSnapshot } from './plan.ts';
import { isFinished, planDesired } from './request.ts';

const fieldManager = 'jvs-snapshot-controller';
/** Progress alone is written no more often than this, in milliseconds. */
const progressInterval = 1_000;

export interface Dependencies {
  client: KubeClient;
  informers: Informers;
  agents: Agents;
  events: EventRecorder;
  log: Logger;
}

/** Two controllers on the same caches: one by workspace asks the agents, one by Snapshot writes what came of it. */
export function createSnapshotControllers(dependencies: Dependencies): Controller[] {
  const { client, informers, agents, events, log } = dependencies;
  const lastProgress = new Map<string, number>();

  const requests = new Controller({ name: 'snapshot-requests', reconcile: request, workers: 4, log });
  const statuses = new Controller({ name: 'snapshot', reconcile, workers: 16, log });

  informers.snapshots.onChange((key, now, before) => {
    const snapshot = now ?? before;
    if (snapshot) requests.enqueue(`${snapshot.metadata.namespace}/${snapshot.spec.workspace}`);
    statuses.enqueue(key);
    // Those that name this one as their source wait for it.
    if (now && isFinished(now)) enqueueWaiting(`${now.metadata.namespace}/${now.spec.workspace}`);
  });
  informers.workspaces.onChange((key) => {
    requests.enqueue(key);
    enqueueWaiting(key);
  });
  agents.onChange((workspace, uids) => {
    if (uids.length === 0) enqueueWaiting(workspace);
    for (const uid of uids) {
      for (const { metadata } of informers.snapshots.byIndex('uid', uid)) {
        statuses.enqueue(`${metadata.namespace}/${metadata.name}`);
      }
    }
  });

  function enqueueWaiting(workspace: string): void {
    for (const snapshot of informers.snapshots.byIndex('workspace', workspace)) {
      if (isFinished(snapshot)) continue;
      statuses.enqueue(`${snapshot.metadata.namespace}/${snapshot.metadata.name}`);
    }
  }

  async function request(workspaceKey: string): Promise<void> {
    const workspace = informers.workspaces.get(workspaceKey);
    if (!workspace || workspace.metadata.deletionTimestamp) return;
    const all = informers.snapshots.byIndex('workspace', workspaceKey).map(parse);
    agents.setDesired(workspaceKey, planDesired(parseWorkspace(workspace), all));
  }

  async function reconcile(key: string): Promise<Result> {
    const raw = informers.snapshots.get(key);
    if (!raw || raw.metadata.deletionTimestamp) {
      lastProgress.delete(key);
      return;
    }
    const snapshot = parse(raw);
    const { namespace } = refOf(key);
    const workspaceKey = `${namespace}/${snapshot.spec.workspace}`;
    const workspace = informers.workspaces.get(workspaceKey);
    const plan = planSnapshot(
      {
        snapshot,
        workspace: workspace && parseWorkspace(workspace),
        agent: agents.primary(workspaceKey),
        byName: (name) => informers.snapshots.get(`${namespace}/${name}`),
      },
      new Date(),
    );
    if (!plan || isDeepStrictEqual(plan.status, snapshot.status ?? {})) return;

    if (onlyProgress(snapshot.status ?? {}, plan.status)) {
      const wait = (lastProgress.get(key) ?? 0) + progressInterval - Date.now();
      if (wait > 0) return { requeueAfter: wait };
      lastProgress.set(key, Date.now());
    }
    const { name, uid } = snapshot.metadata;
    await client.applyStatus(
      snapshots,
      { metadata: { name, namespace, uid }, status: plan.status },
      { fieldManager },
    );
    if (plan.event) events.emit(snapshot, plan.event.type, plan.event.reason, plan.event.message);
    if (isFinished({ ...snapshot, status: plan.status })) lastProgress.delete(key);
  }

  function parse(raw: Snapshot): Snapshot {
    try {
      return parseSnapshot(raw);
    } catch (cause) {
      throw new TerminalError(`Snapshot ${raw.metadata.name} can not be read`, { cause });
    }
  }

  return [requests, statuses];
}

function onlyProgress(
  { progress: _, ...before }: Snapshot['status'] & {},
  after: Snapshot['status'] & {},
): boolean {
  const { progress: __, ...rest } = after;
  return before.phase === 'InProgress' && isDeepStrictEqual(before, rest);
}
