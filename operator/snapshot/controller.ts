// Brings each Snapshot's request to the agents, and what became of it into its status.
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '../../shared/log.ts';
import { parseSnapshot, type Snapshot, type SnapshotStatus, snapshots } from '../api/snapshot.ts';
import { parseWorkspace } from '../api/workspace.ts';
import type { Informers } from '../informers.ts';
import type { Agents, ConnectedAgent } from '../link/agents.ts';
import type { Meters } from '../metrics.ts';
import type { KubeClient } from '../runtime/client.ts';
import { Controller, type Result } from '../runtime/controller.ts';
import { TerminalError } from '../runtime/errors.ts';
import type { EventRecorder } from '../runtime/events.ts';
import { refOf } from '../runtime/types.ts';
import { planSnapshot } from './plan.ts';
import { isFinished, planDesired } from './request.ts';

const fieldManager = 'jvs-snapshot-controller';
/** A status is written no more often than this, in milliseconds, but for the outcome of a request, which never waits. */
const writeInterval = 1_000;
/** What each new snapshot changes about older ones is written no more often than this, in milliseconds. */
const detailInterval = 60_000;

export interface Dependencies {
  client: KubeClient;
  informers: Informers;
  agents: Agents;
  events: EventRecorder;
  meters: Meters;
  log: Logger;
}

/** Two controllers on the same caches: one by workspace asks the agents, one by Snapshot writes what came of it. */
export function createSnapshotControllers(dependencies: Dependencies): Controller[] {
  const { client, informers, agents, events, meters, log } = dependencies;
  /** Epoch ms, by Snapshot. */
  const lastWrite = new Map<string, number>();
  const lastSeen = new Map<string, ConnectedAgent | undefined>();

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
    const agent = agents.primary(workspace);
    const before = lastSeen.get(workspace);
    lastSeen.set(workspace, agent);
    const damaged = !isDeepStrictEqual(agent?.status?.damaged ?? [], before?.status?.damaged ?? []);
    if (agent && (damaged || agent.snapshots !== before?.snapshots)) enqueueAll(workspace);
    else if (uids.length === 0) enqueueWaiting(workspace);
    for (const uid of uids) {
      for (const { metadata } of informers.snapshots.byIndex('uid', uid)) {
        statuses.enqueue(`${metadata.namespace}/${metadata.name}`);
      }
    }
  });

  function enqueueAll(workspace: string): void {
    for (const { metadata } of informers.snapshots.byIndex('workspace', workspace)) {
      statuses.enqueue(`${metadata.namespace}/${metadata.name}`);
    }
  }

  function enqueueWaiting(workspace: string): void {
    for (const snapshot of informers.snapshots.byIndex('workspace', workspace)) {
      if (isFinished(snapshot)) continue;
      statuses.enqueue(`${snapshot.metadata.namespace}/${snapshot.metadata.name}`);
    }
  }

  async function request(workspaceKey: string): Promise<void> {
    const workspace = informers.workspaces.get(workspaceKey);
    if (!workspace) lastSeen.delete(workspaceKey);
    if (!workspace || workspace.metadata.deletionTimestamp) return;
    const all = informers.snapshots.byIndex('workspace', workspaceKey).map(parse);
    agents.setDesired(workspaceKey, planDesired(parseWorkspace(workspace), all));
  }

  async function reconcile(key: string): Promise<Result> {
    const raw = informers.snapshots.get(key);
    if (!raw || raw.metadata.deletionTimestamp) {
      lastWrite.delete(key);
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

    const wait = waitOf(key, snapshot, plan.status);
    if (wait > 0) return { requeueAfter: wait };
    const { name, uid } = snapshot.metadata;
    await client.applyStatus(
      snapshots,
      { metadata: { name, namespace, uid }, status: plan.status },
      { fieldManager },
    );
    lastWrite.set(key, Date.now());
    meters.statusWrites.inc({ kind: 'Snapshot' });
    if (plan.event) events.emit(snapshot, plan.event.type, plan.event.reason, plan.event.message);
  }

  function waitOf(key: string, snapshot: Snapshot, after: SnapshotStatus): number {
    const before = snapshot.status ?? {};
    const outcome = isFinished({ ...snapshot, status: after }) && after.phase !== before.phase;
    if (outcome) return 0;
    const details = isFinished(snapshot) && isDeepStrictEqual(withoutDetails(before), withoutDetails(after));
    return (lastWrite.get(key) ?? 0) + (details ? detailInterval : writeInterval) - Date.now();
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

const withoutDetails = ({
  keepReasons: _,
  verifiedAt: __,
  uniqueBytes: ___,
  parentID: ____,
  ...status
}: SnapshotStatus): unknown => status;
