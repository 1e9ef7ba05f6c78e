// Keeps the finalizer of each Snapshot as its policy says, and writes what became of it into its status.
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '../../shared/log.ts';
import { assertReadable } from '../api/parse.ts';
import { type Snapshot, type SnapshotStatus, snapshots } from '../api/snapshot.ts';
import type { Informers } from '../informers.ts';
import type { Agents, ConnectedAgent } from '../link/agents.ts';
import type { Meters } from '../metrics.ts';
import { ownerUid } from '../restore/request.ts';
import type { KubeClient } from '../runtime/client.ts';
import { Controller, type Result } from '../runtime/controller.ts';
import { type EventRecorder, tellUnreadable } from '../runtime/events.ts';
import { keepFinalizer } from '../runtime/finalizer.ts';
import { Pace } from '../runtime/pace.ts';
import { keyOf, refOf } from '../runtime/types.ts';
import { WrittenOver } from '../runtime/written-over.ts';
import { objectName } from '../workspace/objects.ts';
import { planSnapshot } from './plan.ts';
import { fieldManager, finalizer, isFinished, needsFinalizer } from './request.ts';

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

export function createSnapshotController(dependencies: Dependencies): Controller {
  const { client, informers, agents, events, meters, log } = dependencies;
  const writes = new Pace();
  const writtenOver = new WrittenOver();
  const lastSeen = new Map<string, ConnectedAgent | undefined>();
  const controller = new Controller({ name: 'snapshot', reconcile, workers: 16, log });

  informers.snapshots.onChange((key, now) => {
    controller.enqueue(key);
    // Those that name this one as their source wait for it.
    if (now && isFinished(now)) enqueueWaiting(`${now.metadata.namespace}/${now.spec.workspace}`);
  });
  informers.workspaces.onChange((key, now) => {
    if (!now) lastSeen.delete(key);
    enqueueWaiting(key);
  });
  agents.onChange((workspace, uids) => {
    const agent = agents.primary(workspace);
    const before = lastSeen.get(workspace);
    if (informers.workspaces.get(workspace)) lastSeen.set(workspace, agent);
    const damaged = !isDeepStrictEqual(agent?.status?.damaged ?? [], before?.status?.damaged ?? []);
    if (agent && (damaged || agent.snapshots !== before?.snapshots)) enqueueAll(workspace);
    if (uids.length === 0) enqueueWaiting(workspace);
    for (const uid of uids) {
      for (const snapshot of informers.snapshots.byIndex('uid', ownerUid(uid))) {
        controller.enqueue(keyOf(snapshot));
      }
    }
  });

  /** What a new snapshot says of others is not urgent, and comes once for many of them. */
  function enqueueAll(workspace: string): void {
    for (const snapshot of informers.snapshots.byIndex('workspace', workspace)) {
      controller.enqueue(keyOf(snapshot), { after: isFinished(snapshot) ? writeInterval : 0 });
    }
  }

  function enqueueWaiting(workspace: string): void {
    for (const snapshot of informers.snapshots.byIndex('workspace', workspace)) {
      if (!isFinished(snapshot)) controller.enqueue(keyOf(snapshot));
    }
  }

  async function reconcile(key: string, signal: AbortSignal): Promise<Result> {
    const snapshot = informers.snapshots.get(key);
    if (!snapshot || snapshot.metadata.deletionTimestamp) {
      writes.delete(key);
      writtenOver.delete(key);
      return;
    }
    assertReadable(snapshot, (message) => tellUnreadable(events, snapshot, message));
    const { name, uid, resourceVersion = '' } = snapshot.metadata;
    // What was written is on its way here, and calls again.
    if (writtenOver.has(key, resourceVersion)) return;
    // Before anything is asked for.
    const options = { fieldManager, signal };
    const kept = await keepFinalizer(
      client,
      snapshots,
      snapshot,
      finalizer,
      needsFinalizer(snapshot),
      options,
    );
    const { namespace } = refOf(key);
    const workspaceKey = `${namespace}/${snapshot.spec.workspace}`;
    const plan = planSnapshot(
      {
        snapshot,
        workspace: informers.workspaces.get(workspaceKey),
        claim: informers.claims.get(`${namespace}/${objectName(snapshot.spec.workspace)}`),
        agent: agents.primary(workspaceKey),
        byName: (name) => informers.snapshots.get(`${namespace}/${name}`),
      },
      new Date(),
    );
    if (!plan || isDeepStrictEqual(plan.status, snapshot.status ?? {})) return;

    const wait = waitOf(key, snapshot, plan.status);
    if (wait > 0) return { requeueAfter: wait };
    const written = await client.applyStatus(
      snapshots,
      { metadata: { name, namespace, uid }, status: plan.status },
      options,
    );
    writes.mark(key);
    writtenOver.set(key, written.metadata.resourceVersion, resourceVersion, kept);
    meters.statusWrites.inc({ kind: 'Snapshot' });
    if (plan.event) events.emit(snapshot, plan.event.type, plan.event.reason, plan.event.message);
  }

  function waitOf(key: string, snapshot: Snapshot, after: SnapshotStatus): number {
    const before = snapshot.status ?? {};
    const outcome = isFinished({ ...snapshot, status: after }) && after.phase !== before.phase;
    if (outcome) return 0;
    // Most are done before anybody could read that they are under way.
    if (before.phase === undefined && isUnderWay(after) && !writes.has(key)) writes.mark(key);
    const details = isFinished(snapshot) && isDeepStrictEqual(withoutDetails(before), withoutDetails(after));
    return writes.wait(key, details ? detailInterval : writeInterval);
  }

  return controller;
}

const isUnderWay = ({ phase, conditions }: SnapshotStatus): boolean =>
  phase === 'InProgress' || conditions?.some(({ reason }) => reason === 'Requested') === true;

const withoutDetails = ({
  keepReasons: _,
  verifiedAt: __,
  uniqueBytes: ___,
  parentID: ____,
  ...status
}: SnapshotStatus): unknown => status;
