// Keeps claim, Deployment and status of each Workspace as its spec says.
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '../../shared/log.ts';
import { conditionOf } from '../api/conditions.ts';
import { assertReadable } from '../api/parse.ts';
import type { Restore } from '../api/restore.ts';
import type { Snapshot } from '../api/snapshot.ts';
import { type Workspace, type WorkspaceStatus, workspaces } from '../api/workspace.ts';
import { caConfigMap, caKey } from '../certs/ca-config-map.ts';
import type { CertificateSource } from '../certs/source.ts';
import type { Informers } from '../informers.ts';
import { type Agents, settleMs } from '../link/agents.ts';
import { isMaintenance } from '../maintenance/pod.ts';
import type { Meters } from '../metrics.ts';
import type { KubeClient } from '../runtime/client.ts';
import { Controller, type Result } from '../runtime/controller.ts';
import { type EventRecorder, tellUnreadable } from '../runtime/events.ts';
import { Pace } from '../runtime/pace.ts';
import { configMaps, type Deployment, type Event, type Pod } from '../runtime/resources.ts';
import { keyOf, refOf } from '../runtime/types.ts';
import { WrittenOver } from '../runtime/written-over.ts';
import type { Transfers } from '../transfer/transfers.ts';
import { applyAction, fieldManager, refusalOf } from './apply.ts';
import { isUninjected } from './findings.ts';
import { driverName, isStatic, volumeName } from './juicefs.ts';
import { objectName, prefix, workspaceLabel } from './objects.ts';
import type { Finding, Observed } from './observed.ts';
import { type Action, planActions } from './plan.ts';
import { planStatus } from './status.ts';

/** A status is written no more often than this, in milliseconds. */
const writeInterval = 1_000;
/** What was refused may be allowed by and by: a quota grows, a policy changes. In milliseconds. */
const refusedInterval = 20_000;
/** An agent says several things of each snapshot, and the Snapshot itself goes first. In milliseconds. */
const agentInterval = 100;
/** Usage changes all the time; it is not worth a write of its own more often than this, in milliseconds. */
const usageInterval = 60_000;
/** With these a Workspace begins: nothing is amiss yet, and nobody has to do anything. */
const beginnings = new Set(['ClaimMissing', 'DeploymentMissing', 'NoPods', 'NotConfigured']);

export interface Dependencies {
  client: KubeClient;
  informers: Informers;
  agents: Agents;
  events: EventRecorder;
  /** Initial snapshots on their way. */
  transfers: Transfers;
  /** Agents check the operator's certificate with the bundle of these. */
  certificates: CertificateSource;
  meters: Meters;
  log: Logger;
}

export function createWorkspaceController(dependencies: Dependencies): Controller {
  const { client, informers, agents, events, transfers, certificates, meters, log } = dependencies;
  /** Generation of each Deployment as we last left it: another one is someone else's edit. */
  const left = new Map<string, number | undefined>();
  const writes = new Pace();
  const writtenOver = new WrittenOver();
  /** What we have last given to the agents of each namespace. */
  const bundles = new Map<string, string>();

  const controller = new Controller({ name: 'workspace', reconcile, workers: 8, log });
  informers.workspaces.onChange((key) => controller.enqueue(key));
  // By name: somebody else's without our label may be in the way, until it is gone.
  for (const informer of [informers.claims, informers.deployments]) {
    informer.onChange((key: string) => {
      const { namespace, name } = refOf(key);
      if (name.startsWith(prefix)) controller.enqueue(`${namespace}/${name.slice(prefix.length)}`);
    });
  }
  informers.volumes?.onChange((volume, now, before) => {
    const { namespace } = (now ?? before)?.spec?.claimRef ?? {};
    const name = (now ?? before)?.metadata.labels?.[workspaceLabel];
    if (namespace && name) controller.enqueue(`${namespace}/${name}`);
    // Its name may be too long to say whose it is.
    else if (volume.startsWith(prefix)) enqueueAll();
  });
  informers.pods.onChange((_, now, before) => enqueueLabelled(now ?? before));
  for (const informer of [informers.snapshots, informers.restores]) {
    informer.onChange((_: string, now?: Snapshot | Restore, before?: Snapshot | Restore) => {
      const object = now ?? before;
      if (!object) return;
      const workspace = `${object.metadata.namespace}/${object.spec.workspace}`;
      // Of those that come as usual the agent tells as well; a Workspace that is deleted waits for all to go.
      const ends = informers.workspaces.get(workspace)?.metadata.deletionTimestamp;
      if (!now || now.metadata.deletionTimestamp || ends) controller.enqueue(workspace);
    });
  }
  informers.storageClasses.onChange(() => enqueueAll());
  informers.csiDrivers.onChange((name) => {
    if (name === driverName) enqueueAll();
  });
  informers.mountFailures.onChange((_, now) => {
    const { namespace, name } = now?.regarding ?? {};
    enqueueLabelled(informers.pods.get(`${namespace}/${name}`));
  });
  informers.authorities.onChange((_, now, before) => {
    const { namespace = '' } = (now ?? before)?.metadata ?? {};
    if (now?.data?.[caKey] === bundles.get(namespace)) return;
    bundles.delete(namespace);
    enqueueAll(namespace);
  });
  agents.onChange((workspace) => controller.enqueue(workspace, { after: agentInterval }));
  transfers.onChange((workspace) => controller.enqueue(workspace));
  certificates.onChange(() => enqueueAll());

  function enqueueLabelled(object: { metadata: Workspace['metadata'] } | undefined): void {
    const name = object?.metadata.labels?.[workspaceLabel];
    if (name) controller.enqueue(`${object.metadata.namespace}/${name}`);
  }

  function enqueueAll(namespace?: string): void {
    for (const { metadata } of informers.workspaces.list(namespace)) {
      controller.enqueue(`${metadata.namespace}/${metadata.name}`);
    }
  }

  async function reconcile(key: string): Promise<Result> {
    const workspace = informers.workspaces.get(key);
    if (!workspace) {
      agents.forget(key);
      left.delete(key);
      writes.delete(key);
      writtenOver.delete(key);
      return;
    }
    assertReadable(workspace, (message) => tellUnreadable(events, workspace, message));
    const observed = observe(key, workspace);
    const refusals: Finding[] = [];
    const attempt = async (type: Parameters<typeof refusalOf>[0], work: () => Promise<void>) => {
      try {
        await work();
      } catch (error) {
        const refusal = refusalOf(type, error);
        if (!refusal) throw error;
        refusals.push(refusal);
        events.emit(workspace, 'Warning', refusal.reason, refusal.message);
      }
    };
    if (!workspace.metadata.deletionTimestamp) {
      await attempt('applyAuthority', () => applyCaBundle(workspace.metadata.namespace ?? ''));
    }
    const drifted = observed.deployment?.metadata.generation !== left.get(key);
    let { deployment } = observed;
    for (const action of planActions(observed, drifted)) {
      const isLast = action.type === 'removeFinalizer';
      // What is to go with it goes before it does.
      if (isLast && refusals.length > 0) break;
      await attempt(action.type, async () => {
        // What the cache has of its pods is of the spec before.
        deployment = (await carryOut(key, workspace, action)) ?? deployment;
      });
      if (isLast && refusals.length === 0) return;
    }
    const result = await writeStatus(
      key,
      observed,
      planStatus({ ...observed, deployment }, refusals, new Date()),
    );
    // Nothing tells that the operator has been given the right.
    const waitsForRight = informers.volumes?.refused && isStatic(observed);
    if (refusals.length === 0 && !waitsForRight) return result;
    return { requeueAfter: Math.min(refusedInterval, result?.requeueAfter ?? refusedInterval) };
  }

  /** The Deployment, where that is what was applied. */
  async function carryOut(
    key: string,
    workspace: Workspace,
    action: Action,
  ): Promise<Deployment | undefined> {
    const deployment = await applyAction(client, workspace, action);
    if (deployment) left.set(key, deployment.metadata.generation);
    if (action.type !== 'applyDeployment') log.info({ workspace: key, action: action.type }, 'applied');
    if (action.type === 'deleteVolume') {
      const advice = 'The data stays in JuiceFS, in the directory that its mount option subdir names';
      events.emit(workspace, 'Normal', 'DataKept', `${action.volume.metadata.name} is deleted. ${advice}`);
    }
    return deployment;
  }

  function observe(key: string, workspace: Workspace): Observed {
    const { namespace, name } = refOf(key);
    const claim = informers.claims.get(`${namespace}/${objectName(name)}`);
    const pods = informers.pods.byIndex('workspace', key).filter((pod) => !isMaintenance(pod));
    return {
      workspace,
      claim,
      storageClasses: informers.storageClasses.list(),
      staticVolumes: informers.volumes?.refused === false,
      staticVolume: informers.volumes?.get(volumeName(workspace)),
      juiceFsDriver: informers.csiDrivers.get(driverName) !== undefined,
      deployment: informers.deployments.get(`${namespace}/${objectName(name)}`),
      pods,
      mountFailures: mountFailures(pods),
      agent: agents.primary(key),
      initial: transfers.waits(key),
      resources: [
        ...informers.snapshots.byIndex('workspace', key),
        ...informers.restores.byIndex('workspace', key),
      ],
      linkSettled: agents.openFor() > settleMs,
    };
  }

  /** The latest of each pod that is still waiting for its volume. */
  function mountFailures(pods: readonly Pod[]): Map<string, string> {
    const failures = new Map<string, string>();
    for (const pod of pods) {
      if (pod.status?.phase !== 'Pending') continue;
      const [latest] = informers.mountFailures
        .byIndex('pod', keyOf(pod))
        .filter(({ regarding }) => regarding?.uid === pod.metadata.uid)
        .sort((a, b) => (said(a) < said(b) ? 1 : -1));
      if (latest?.note)
        failures.set(pod.metadata.uid ?? '', latest.note.replaceAll(/\s+/g, ' ').slice(0, 500));
    }
    return failures;
  }

  /** Agents of the namespace mount it; applied when it is new, the bundle has changed, or somebody has changed it. */
  async function applyCaBundle(namespace: string): Promise<void> {
    const bundle = certificates.current().caBundle;
    if (bundles.get(namespace) === bundle) return;
    await client.apply(configMaps, caConfigMap(namespace, bundle), { fieldManager });
    bundles.set(namespace, bundle);
  }

  async function writeStatus(key: string, observed: Observed, status: WorkspaceStatus): Promise<Result> {
    const { workspace } = observed;
    const settle = observed.linkSettled ? undefined : { requeueAfter: settleMs };
    const { name, namespace, uid, resourceVersion = '' } = workspace.metadata;
    // What was written is on its way here, and calls again.
    if (writtenOver.has(key, resourceVersion)) return settle;
    const before = workspace.status ?? {};
    const onlyVolatile = isDeepStrictEqual(withoutVolatile(before), withoutVolatile(status));
    const sameUsage = before.usedBytes === status.usedBytes && before.capacityBytes === status.capacityBytes;
    if (onlyVolatile && sameUsage) return settle;
    const wait = writes.wait(key, onlyVolatile ? usageInterval : writeInterval);
    if (wait > 0) return { requeueAfter: Math.min(wait, settle?.requeueAfter ?? wait) };
    const written = await client.applyStatus(
      workspaces,
      { metadata: { name, namespace, uid }, status },
      { fieldManager },
    );
    writes.mark(key);
    writtenOver.set(key, written.metadata.resourceVersion, resourceVersion, undefined);
    meters.statusWrites.inc({ kind: 'Workspace' });
    emitEvents(observed, status);
    return settle;
  }

  /** One event for each condition that turned, and for what needs a person. */
  function emitEvents({ workspace, pods }: Observed, status: WorkspaceStatus): void {
    for (const { type, status: is, reason, message } of status.conditions ?? []) {
      const was = conditionOf(workspace, type);
      if (was?.status === is && was.reason === reason) continue;
      const healthy = (type === 'Degraded') !== (is === 'True');
      if (!was && (healthy || beginnings.has(reason))) continue;
      events.emit(workspace, healthy ? 'Normal' : 'Warning', reason, message);
    }
    for (const pod of pods.filter(isUninjected)) {
      events.emit(pod, 'Warning', 'AgentMissing', 'The pod is labelled for a Workspace but has no agent');
    }
  }

  return controller;
}

function withoutVolatile({ usedBytes: _, capacityBytes: __, agent, ...status }: WorkspaceStatus): unknown {
  return { ...status, agent: agent && { pod: agent.pod, node: agent.node, version: agent.version } };
}

/** When an event was last seen; each reporter has its own field for it. */
const said = ({ series, deprecatedLastTimestamp, eventTime }: Event): string =>
  series?.lastObservedTime ?? deprecatedLastTimestamp ?? eventTime ?? '';
