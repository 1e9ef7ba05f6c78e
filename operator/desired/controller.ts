// Tells each workspace's agents all that is asked of them, and ends what is being deleted when they are done with it.
import type { Logger } from '../../shared/log.ts';
import { conditionOf } from '../api/conditions.ts';
import { assertReadable, isReadable } from '../api/parse.ts';
import type { Restore } from '../api/restore.ts';
import type { Snapshot } from '../api/snapshot.ts';
import { parseWorkspace, type Workspace, workspaces } from '../api/workspace.ts';
import { Deleter } from '../deletion/apply.ts';
import {
  type Decision,
  decideRestores,
  decideSnapshots,
  type KnownFor,
  type Observed,
} from '../deletion/plan.ts';
import type { Informers } from '../informers.ts';
import { limits } from '../link/agent-state.ts';
import type { Agents } from '../link/agents.ts';
import type { RefusedRestores } from '../restore/refused.ts';
import * as restore from '../restore/request.ts';
import type { KubeClient } from '../runtime/client.ts';
import { Controller, type Result } from '../runtime/controller.ts';
import { Denials } from '../runtime/denials.ts';
import type { EventRecorder } from '../runtime/events.ts';
import { namespaces } from '../runtime/resources.ts';
import { type KubeObject, keyOf, refOf } from '../runtime/types.ts';
import * as snapshot from '../snapshot/request.ts';
import type { Transfers } from '../transfer/transfers.ts';
import { objectName, workspaceLabel } from '../workspace/objects.ts';
import { isForerunners } from '../workspace/repository.ts';
import { planCrashes } from './crashes.ts';
import { planDesired } from './plan.ts';

export interface Dependencies {
  client: KubeClient;
  informers: Pick<Informers, 'workspaces' | 'snapshots' | 'restores' | 'claims' | 'pods'>;
  agents: Agents;
  events: EventRecorder;
  transfers: Transfers;
  refused: RefusedRestores;
  log: Logger;
}

/** By workspace, whether that is there or not. */
export function createDesiredController({
  client,
  informers,
  agents,
  events,
  transfers,
  refused,
  log,
}: Dependencies): Controller {
  const controller = new Controller({ name: 'desired', reconcile, workers: 4, log });
  const deleter = new Deleter(client, events);
  /** Workspaces where what agents say next may end something. */
  const watched = new Set<string>();
  /** Crashes that have their snapshot, or can not have one, by workspace. */
  const settledCrashes = new Map<string, Set<string>>();
  /** Since when each resource is known to be deleted, by the monotonic clock, ms, by uid. */
  const deletedSince = new Map<string, number>();
  const ended = new Map<string, Map<string, number>>();

  informers.workspaces.onChange((key, now, before) => {
    controller.enqueue(key);
    enqueueSource(now ?? before);
  });
  for (const informer of [informers.snapshots, informers.restores]) {
    informer.onChange((_: string, now?: Snapshot | Restore, before?: Snapshot | Restore) => {
      const object = now ?? before;
      if (object) controller.enqueue(`${object.metadata.namespace}/${object.spec.workspace}`);
      if (now || !before) return;
      deletedSince.delete(before.metadata.uid ?? '');
      if (before.kind === 'Snapshot') rememberEnd(before);
    });
  }
  // Those behind it are carried out.
  refused.onAdd((workspace) => controller.enqueue(workspace));
  const enqueueLabelled = (object: KubeObject | undefined): void => {
    const name = object?.metadata.labels?.[workspaceLabel];
    if (name) controller.enqueue(`${object.metadata.namespace}/${name}`);
  };
  informers.claims.onChange((_, now, before) => enqueueLabelled(now ?? before));
  informers.pods.onChange((_, now, before) => enqueueLabelled(now ?? before));
  transfers.onChange((workspace) => controller.enqueue(workspace));
  agents.onChange((workspace) => {
    if (watched.has(workspace) || isUnasked(workspace)) controller.enqueue(workspace);
  });

  /** Of as many as agents tell of; on every replica, so that whoever leads next knows them. */
  function rememberEnd(gone: Snapshot): void {
    const at = Date.parse(gone.metadata.deletionTimestamp ?? '');
    const id = snapshot.idOf(gone);
    const key = `${gone.metadata.namespace}/${gone.spec.workspace}`;
    if (id === undefined || Number.isNaN(at)) return;
    const all = [...(ended.get(key) ?? []), [id, at] as const];
    ended.set(key, new Map(all.slice(-limits.removed)));
  }

  /** Where a Snapshot that is being deleted waits for a Workspace to have begun with it. */
  function enqueueSource(workspace: Workspace | undefined): void {
    if (!workspace || !isReadable(workspace)) return;
    const { metadata, spec } = workspace;
    const source = informers.snapshots.get(`${metadata.namespace}/${spec.initialSnapshot}`);
    if (source?.metadata.deletionTimestamp)
      controller.enqueue(`${metadata.namespace}/${source.spec.workspace}`);
  }

  /** What was asked of agents ends with a term, and the next one may be this process's too. */
  function isUnasked(key: string): boolean {
    const workspace = informers.workspaces.get(key);
    if (!workspace || workspace.metadata.deletionTimestamp || !isReadable(workspace)) return false;
    return !agents.desiredOf(key);
  }

  async function reconcile(key: string, signal: AbortSignal): Promise<Result> {
    const workspace = informers.workspaces.get(key);
    if (workspace) assertReadable(workspace);
    else {
      settledCrashes.delete(key);
      ended.delete(key);
    }
    const observed = await observe(key, workspace, signal);
    const deleting = {
      snapshots: informers.snapshots
        .byIndex('workspace', key)
        .filter((one) => endsWith(one, snapshot.finalizer)),
      restores: informers.restores
        .byIndex('workspace', key)
        .filter((one) => endsWith(one, restore.finalizer)),
    };
    const knownFor = knownNow([...deleting.snapshots, ...deleting.restores]);
    const decisions = new Map([
      ...decideSnapshots(observed, deleting.snapshots, knownFor),
      ...decideRestores(observed, deleting.restores, knownFor),
    ]);
    const { claim } = observed;
    if (workspace && !workspace.metadata.deletionTimestamp && !isForerunners(workspace, claim)) {
      const crashes = crashesOf(key, workspace);
      const deletions = [...decisions.values()].flatMap((one) => (one.type === 'delete' ? one.request : []));
      const initial = transfers.initial(key);
      const isRefused = (name: string) => refused.has(`${workspace.metadata.namespace}/${name}`);
      const asked = { ...observed, workspace, isRefused, deletions, crashes, initial };
      agents.setDesired(key, planDesired(asked));
      if (decisions.size > 0 || crashes.length > 0) watched.add(key);
      else watched.delete(key);
    } else watched.delete(key);
    return await end(key, [...deleting.snapshots, ...deleting.restores], decisions, signal);
  }

  function knownNow(deleting: readonly (Snapshot | Restore)[]): KnownFor {
    const now = performance.now();
    for (const object of deleting) {
      const { uid = '' } = object.metadata;
      if (deletedSince.has(uid)) continue;
      // The leader before may have waited already.
      const said = conditionOf(object, 'Deleting')?.lastTransitionTime;
      deletedSince.set(uid, now - (said ? Math.max(0, Date.now() - Date.parse(said)) : 0));
    }
    return (uid) => now - (deletedSince.get(uid) ?? now);
  }

  async function observe(
    key: string,
    workspace: Workspace | undefined,
    signal: AbortSignal,
  ): Promise<Observed> {
    const { namespace = '', name } = refOf(key);
    const snapshots = informers.snapshots.byIndex('workspace', key);
    const restores = informers.restores.byIndex('workspace', key);
    const ending = [...snapshots, ...restores].some(({ metadata }) => metadata.deletionTimestamp);
    return {
      workspaceName: name,
      workspace: ending ? workspace && (await live(workspace, signal)) : workspace,
      claim: informers.claims.get(`${namespace}/${objectName(name)}`),
      // A namespace that ends deletes what is in it in any order, so its Workspace may look as if it were to stay.
      namespaceEnds: ending && (await namespaceEnds(namespace, signal)),
      agent: agents.primary(key),
      snapshots: snapshots.filter(isReadable),
      restores: restores.filter(isReadable),
      exports: transfers.exports(key),
      ended: ended.get(key),
      neighbours: ending ? informers.workspaces.list(namespace).filter(isReadable) : [],
    };
  }

  /** As it is now: the cache may not have seen that it is being deleted, and then no data goes with what it takes along. */
  async function live({ metadata }: Workspace, signal: AbortSignal): Promise<Workspace | undefined> {
    const now = await client.get(workspaces, metadata, { signal });
    return now && parseWorkspace(now);
  }

  async function namespaceEnds(name: string, signal: AbortSignal): Promise<boolean> {
    const namespace = await client.get(namespaces, { name }, { signal });
    return !namespace || namespace.metadata.deletionTimestamp !== undefined;
  }

  function crashesOf(key: string, workspace: Workspace) {
    const agent = agents.primary(key);
    const crashes = planCrashes(workspace, informers.pods.byIndex('workspace', key), Date.now());
    const before = settledCrashes.get(key);
    const settled = crashes.filter(
      ({ uid }) =>
        before?.has(uid) || agent?.byRequest.has(uid) || agent?.requests.get(uid)?.phase === 'PHASE_FAILED',
    );
    settledCrashes.set(key, new Set(settled.map(({ uid }) => uid)));
    return crashes.filter((crash) => !settled.includes(crash));
  }

  async function end(
    key: string,
    objects: readonly (Snapshot | Restore)[],
    decisions: ReadonlyMap<string, Decision>,
    signal: AbortSignal,
  ): Promise<Result> {
    let requeueAfter = Number.POSITIVE_INFINITY;
    const denials = new Denials();
    for (const object of objects) {
      const decision = decisions.get(object.metadata.uid ?? '');
      if (!decision) continue;
      if (decision.type === 'letGo') {
        log.info({ kind: object.kind, object: keyOf(object), why: decision.why }, 'let go');
      }
      await denials.attempt(
        async () => {
          const again = await deleter.carryOut(object, decision, signal);
          if (again !== undefined) requeueAfter = Math.min(requeueAfter, again);
        },
        ({ message }) =>
          events.emit(object, 'Warning', 'DeletionRefused', `It can not be let go: ${message}`),
      );
    }
    const again = Number.isFinite(requeueAfter) ? { requeueAfter } : undefined;
    if (!denials.last) return again;
    // The others do not wait for its next turn.
    if (again) controller.enqueue(key, { after: requeueAfter });
    throw denials.last;
  }

  return controller;
}

const endsWith = ({ metadata }: Snapshot | Restore, finalizer: string): boolean =>
  metadata.deletionTimestamp !== undefined && (metadata.finalizers?.includes(finalizer) ?? false);
