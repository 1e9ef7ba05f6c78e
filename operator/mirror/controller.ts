// Shows what happens on the volumes: Snapshot resources for snapshots that nobody made one for, the end of those whose
// snapshots are gone, and the agents' notices as events. Every pass of a workspace does things in the order in which
// they happened, one after another.
import type { Logger } from '../../shared/log.ts';
import { assertReadable, isReadable } from '../api/parse.ts';
import { type Snapshot, snapshots } from '../api/snapshot.ts';
import type { Workspace } from '../api/workspace.ts';
import type { Informers } from '../informers.ts';
import { limits } from '../link/agent-state.ts';
import type { Agents, ConnectedAgent } from '../link/agents.ts';
import type { Meters } from '../metrics.ts';
import type { KubeClient } from '../runtime/client.ts';
import { Controller } from '../runtime/controller.ts';
import { Denials } from '../runtime/denials.ts';
import { ApiError } from '../runtime/errors.ts';
import type { EventRecorder } from '../runtime/events.ts';
import { keyOf } from '../runtime/types.ts';
import { isShown } from '../snapshot/request.ts';
import { objectName } from '../workspace/objects.ts';
import { ownAgent } from '../workspace/repository.ts';
import { type Gone, type MirrorPlan, planMirror } from './plan.ts';

const fieldManager = 'jvs-mirror-controller';
/** An agent tells why snapshots went right after its inventory; it has this long, in milliseconds. */
const graceTime = 3_000;
/** Of one workspace at a time; its snapshots one by one. So many requests run at once, however many there are. */
const workers = 4;
const namesInEvent = 10;
/** API servers keep events for so long at least, in milliseconds: within it, what is told again is the same event. */
const eventTime = 60 * 60_000;
/** Between what was heard and its time in a status, and between the clocks of nodes; in milliseconds. */
const tolerance = 10 * 60_000;

export interface Dependencies {
  client: KubeClient;
  informers: Pick<Informers, 'workspaces' | 'snapshots' | 'claims'>;
  agents: Agents;
  events: EventRecorder;
  /** Resources made for each Workspace at most. */
  historyLimit: number;
  meters: Meters;
  log: Logger;
}

export function createMirrorController(dependencies: Dependencies): Controller {
  const { client, informers, agents, events, historyLimit, meters, log } = dependencies;
  /** Since when ids are missing, by workspace; monotonic ms. */
  const missingSince = new Map<string, Map<string, number>>();
  const lastSeen = new Map<string, ConnectedAgent | undefined>();
  /** The latest notices that are events already, by workspace. */
  const told = new Map<string, Set<string>>();
  /** Until when leaders before this term have heard of each workspace; epoch ms. */
  const heardUntil = new Map<string, number>();
  const controller = new Controller({ name: 'mirror', reconcile, workers, log });

  informers.workspaces.onChange((key) => controller.enqueue(key));
  informers.snapshots.onChange((_, now, before) => {
    const snapshot = now ?? before;
    if (snapshot) controller.enqueue(`${snapshot.metadata.namespace}/${snapshot.spec.workspace}`);
  });
  agents.onChange((workspace) => {
    // The term has ended, and others hear of it before the next one.
    if (agents.openFor() === 0) heardUntil.delete(workspace);
    const agent = agents.primary(workspace);
    // Heartbeats are most of what agents say.
    if (tellsNews(lastSeen.get(workspace), agent)) controller.enqueue(workspace);
    lastSeen.set(workspace, agent);
  });

  async function reconcile(key: string, signal: AbortSignal): Promise<void> {
    const workspace = informers.workspaces.get(key);
    if (!workspace) {
      missingSince.delete(key);
      lastSeen.delete(key);
      told.delete(key);
      heardUntil.delete(key);
      return;
    }
    assertReadable(workspace);
    if (!heardUntil.has(key)) heardUntil.set(key, Date.parse(workspace.status?.agent?.lastSeen ?? '') || 0);
    const claim = informers.claims.get(
      `${workspace.metadata.namespace}/${objectName(workspace.metadata.name)}`,
    );
    // What the agent of a Workspace before has to tell is that one's.
    const agent = ownAgent({ workspace, claim, agent: agents.primary(key) });
    if (agent) passOnNotices(key, workspace, agent);

    const resources = informers.snapshots.byIndex('workspace', key).filter(isReadable);
    const plan = planMirror({ workspace, agent, resources }, historyLimit, givenUp(key));
    const denials = new Denials();
    await endAll(workspace, plan.gone, denials, signal);
    // First, as a quota may have no room for others before.
    for (const { metadata } of plan.surplus) {
      const remove = async () => {
        // A pin of this moment must win.
        const { uid, resourceVersion } = metadata;
        await client.delete(snapshots, metadata, { uid, resourceVersion, signal });
        meters.removed.inc({ reason: 'Window' });
      };
      await denials.attempt(remove, (denial) => tellKept(workspace, metadata.name, denial));
    }
    remember(key, plan);
    for (const snapshot of plan.create) await create(workspace, snapshot, signal);
    if (denials.last) throw denials.last;
  }

  /**
   * An agent has its last notices for as long as they fit, and the API server forgets events after an hour: what leaders
   * before this one have told is not told again.
   */
  function passOnNotices(key: string, workspace: Workspace, agent: ConnectedAgent): void {
    const before = told.get(key) ?? new Set();
    const notices = [...agent.notices.values()].filter(({ id }) => !before.has(id));
    // More than an agent has: it begins anew with each stream, and tells them one by one.
    const ids = [...before, ...notices.map(({ id }) => id)];
    told.set(key, new Set(ids.slice(-2 * limits.notices)));
    notices.sort(
      (a, b) =>
        (a.time?.seconds ?? 0) - (b.time?.seconds ?? 0) || (a.time?.nanos ?? 0) - (b.time?.nanos ?? 0),
    );
    const now = Date.now();
    const old = Math.min((heardUntil.get(key) ?? 0) - tolerance, now - eventTime);
    for (const { id, time, warning, reason, message } of notices) {
      const at = new Date(time ? time.seconds * 1000 + time.nanos / 1e6 : now);
      if (at.getTime() < old) continue;
      events.emitOnce(workspace, warning ? 'Warning' : 'Normal', reason, message, { id, at });
    }
  }

  async function create(workspace: Workspace, snapshot: Snapshot, signal: AbortSignal): Promise<void> {
    const { namespace, name } = snapshot.metadata;
    const refused = (reason: string, message: string) => events.emit(workspace, 'Warning', reason, message);
    try {
      await client.create(snapshots, snapshot, { signal });
      meters.mirrored.inc({ origin: snapshot.metadata.labels?.['jvs.io/origin'] ?? 'other' });
    } catch (error) {
      if (ApiError.is(error, 'AlreadyExists')) {
        // Ours, and not in the cache yet, or a request that somebody gave this name: that one stays what it is.
        const there = await client.get(snapshots, { namespace, name }, { signal });
        if (there && !isShown(there)) {
          refused(
            'SnapshotNameTaken',
            `Snapshot ${name} is somebody's own, so that snapshot ${snapshot.spec.snapshotID} on the volume can not be shown; delete it`,
          );
        }
      } else if (ApiError.isDenial(error)) {
        refused(
          'SnapshotNotShown',
          `Snapshot ${snapshot.spec.snapshotID} on the volume can not be shown: ${error.message}`,
        );
        // A quota may grow.
        if (error.status === 403) throw error;
      } else throw error;
    }
  }

  function tellKept(workspace: Workspace, name: string, { message }: ApiError): void {
    const kept = `Snapshot ${name} is to go, and is kept from it: ${message}`;
    events.emit(workspace, 'Warning', 'SnapshotNotRemoved', kept);
  }

  /** Says of each that it removed, and only once: the cache may show for a while what has gone already. */
  async function endAll(
    workspace: Workspace,
    all: readonly Gone[],
    denials: Denials,
    signal: AbortSignal,
  ): Promise<void> {
    const ended: Gone[] = [];
    try {
      for (const gone of all) {
        const remove = async () => {
          if (await end(workspace, gone, signal)) ended.push(gone);
        };
        await denials.attempt(remove, (denial) => tellKept(workspace, gone.resource.metadata.name, denial));
      }
    } finally {
      tell(workspace, ended);
    }
  }

  /** People that watch see it go. False when it had gone. */
  async function end(
    workspace: Workspace,
    { resource, reason, message }: Gone,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { metadata } = resource;
    const status = { phase: 'Expiring', message: sentence(reason, message) };
    try {
      await client.mergePatch(
        snapshots,
        metadata,
        { metadata: { uid: metadata.uid }, status },
        { fieldManager, subresource: 'status', signal },
      );
      await client.delete(snapshots, metadata, { uid: metadata.uid, signal });
    } catch (error) {
      // Gone, or another of that name: not the one that is meant.
      if (ApiError.is(error, 'NotFound') || ApiError.is(error, 'Conflict')) return false;
      throw error;
    }
    meters.removed.inc({ reason: asAsked.has(reason) ? reason : 'RemovedFromVolume' });
    log.info({ workspace: keyOf(workspace), snapshot: metadata.name, reason }, 'a snapshot has gone');
    return true;
  }

  /** An event for each reason, whatever their number. */
  function tell(workspace: Workspace, all: readonly Gone[]): void {
    for (const [reason, group] of Map.groupBy(all, (gone) => gone.reason)) {
      const names = group
        .slice(0, namesInEvent)
        .map(({ resource, id }) => `${resource.metadata.name} (${id})`);
      const rest = group.length > namesInEvent ? ` and ${group.length - namesInEvent} more` : '';
      const why = sentence(reason, group[0]?.message ?? '');
      const message = `${group.length === 1 ? 'Snapshot' : 'Snapshots'} ${names.join(', ')}${rest}: ${why}`;
      events.emit(workspace, asAsked.has(reason) ? 'Normal' : 'Warning', reason, message);
    }
  }

  function givenUp(key: string): Set<string> {
    const since = missingSince.get(key) ?? new Map<string, number>();
    return new Set([...since].filter(([, at]) => performance.now() - at >= graceTime).map(([id]) => id));
  }

  /** Neither what else is refused in this pass nor passes in between make those that are missing wait for longer. */
  function remember(key: string, { missing, gone }: MirrorPlan): void {
    const before = missingSince.get(key);
    const now = performance.now();
    // What was given up, and may not be deleted, is not waited for again.
    const kept = gone.map(({ id }) => id).filter((id) => before?.has(id));
    const since = new Map([...missing, ...kept].map((id) => [id, before?.get(id) ?? now]));
    if (since.size > 0) missingSince.set(key, since);
    else missingSince.delete(key);
    if (missing.length === 0) return;
    const first = Math.min(...missing.map((id) => since.get(id) ?? now));
    controller.enqueue(key, { after: first + graceTime - now });
  }

  return controller;
}

/** By retention or by a person. */
const asAsked = new Set(['Pruned', 'Deleted']);

const sentence = (reason: string, message: string): string =>
  message ||
  (reason === 'Pruned'
    ? 'pruned by retention'
    : 'it is not on the volume any more, and the agent did not delete it');

function tellsNews(before: ConnectedAgent | undefined, now: ConnectedAgent | undefined): boolean {
  return (
    before?.inventoryComplete !== now?.inventoryComplete ||
    before?.snapshots !== now?.snapshots ||
    before?.removed !== now?.removed ||
    before?.notices !== now?.notices ||
    before?.status?.repositoryId !== now?.status?.repositoryId ||
    before?.status?.problem !== now?.status?.problem
  );
}
