// The conditions of a Workspace. Each message says what is the matter and what to do. Pure.
import { isAgent } from '../api/agent.ts';
import { conditionOf } from '../api/conditions.ts';
import { quantityValue } from '../api/quantity.ts';
import { isSaid, reasonHeld } from '../deletion/hold.ts';
import type { PersistentVolumeClaim, Pod } from '../runtime/resources.ts';
import { assessVolume, joinProblems, knownProblems, opened, type Problem } from './health.ts';
import { assessJuiceFs, fatalObstacles, findObstacle, isStatic } from './juicefs.ts';
import { lostNode } from './nodes.ts';
import { classOf, isOurClaim, isOurDeployment, objectName } from './objects.ts';
import type { Finding, Observed } from './observed.ts';
import { isForerunners } from './repository.ts';
import { outdated } from './skew.ts';

export interface Findings {
  storage: Finding;
  agent: Finding;
  /** Only where juiceFsConfig is set. */
  juiceFs?: Finding;
  degraded: Finding;
  ready: Finding;
  /** Nothing will change until someone changes something. */
  fatal: boolean;
}

export function assess(observed: Observed, refusals: readonly Finding[]): Findings {
  const storage = assessStorage(observed);
  const agent = assessAgent(observed);
  const juiceFs = assessJuiceFs(observed);
  const refused = refusals.find(({ type }) => type === 'Ready');
  const blocker = refused ?? findBlocker(observed, juiceFs);
  const ready = blocker
    ? { ...blocker, type: 'Ready', status: 'False' as const }
    : assessReady(observed, storage);
  const fatal = blocker !== undefined || fatalStorage.has(storage.reason);
  const degraded = assessDegraded([
    ...assessVolume(observed),
    ...refusals.filter(({ type }) => type === 'Degraded'),
    ...assessOperation(observed, agent, ready),
  ]);
  return { storage, agent, juiceFs, degraded, ready, fatal };
}

/** Conditions of a claim. */
const resizeErrors = new Set(['ControllerResizeError', 'NodeResizeError']);

const fatalStorage = new Set(['ClaimNotOurs', 'VolumeLost', ...fatalObstacles]);

function assessStorage(observed: Observed): Finding {
  const { workspace, claim, storageClasses } = observed;
  const { spec, metadata } = workspace;
  const name = objectName(metadata.name);
  const not = (reason: string, message: string): Finding => finding('StorageReady', 'False', reason, message);
  const obstacle = isStatic(observed) && claim?.status?.phase !== 'Bound' && findObstacle(observed);
  if (obstacle) return not(obstacle.reason, obstacle.message);
  if (!claim) return not('ClaimMissing', `PersistentVolumeClaim ${name} is being made`);
  if (!isOurClaim(claim, metadata.name)) {
    return not(
      'ClaimNotOurs',
      `PersistentVolumeClaim ${name} exists and was not made by this operator: it is left alone. Delete it, or name the Workspace otherwise`,
    );
  }
  switch (claim.status?.phase) {
    case 'Bound':
      return finding(
        'StorageReady',
        'True',
        'Bound',
        `Volume ${claim.spec?.volumeName} is bound to claim ${name}${growing(claim)}`,
      );
    case 'Lost':
      return not(
        'VolumeLost',
        `The volume of claim ${name} is gone: restore it from a backup, or delete the claim`,
      );
  }
  const className = claim.spec?.storageClassName;
  const known = storageClasses.map((storageClass) => storageClass.metadata.name).join(', ') || 'none';
  if (className === undefined) {
    return not(
      'NoDefaultStorageClass',
      `spec.storageClassName is not set and the cluster has no default class; classes there are: ${known}`,
    );
  }
  if (className !== '' && !storageClasses.some((storageClass) => storageClass.metadata.name === className)) {
    return not(
      'StorageClassNotFound',
      `spec.storageClassName: no StorageClass ${className}; create it, or delete the Workspace and name one of: ${known}`,
    );
  }
  const pods = spec.replicas === 0 ? '; a class that waits for a first consumer binds when a pod starts' : '';
  return not('WaitingForVolume', `Claim ${name} is not bound yet, see kubectl describe pvc ${name}${pods}`);
}

/** Said while the volume is smaller than what was asked of it. */
function growing({ spec, status }: PersistentVolumeClaim): string {
  const [is = '', wanted = ''] = [status?.capacity?.storage, spec?.resources?.requests?.storage];
  if (!is || (quantityValue(is) ?? 0) >= (quantityValue(wanted) ?? 0)) return '';
  const waits = status?.conditions?.some(
    ({ type, status }) => type === 'FileSystemResizePending' && status === 'True',
  );
  return `; it grows from ${is} to ${wanted}${waits ? ' when a pod mounts it' : ''}`;
}

function assessAgent({ workspace, claim, agent, pods, linkSettled }: Observed): Finding {
  if (agent) {
    const who = `Agent of pod ${agent.pod} on node ${agent.node}`;
    const age = outdated(agent.version);
    return age
      ? finding('AgentConnected', 'True', 'Outdated', `${who}: ${age}`)
      : finding('AgentConnected', 'True', 'Connected', who);
  }
  const known = conditionOf(workspace, 'AgentConnected');
  if (known && !linkSettled) return known;
  const runs = pods.some(({ status }) => status?.phase === 'Running');
  // Pods that hold the volume of the Workspace before are that one's too.
  return runs && !isForerunners(workspace, claim)
    ? finding(
        'AgentConnected',
        'False',
        'NotConnected',
        'Pods run but no agent of theirs is connected: the log of their container jvs-agent says why',
      )
    : finding('AgentConnected', 'False', 'NoPods', 'No pod of the workspace runs');
}

/** Blockers that are seen without an agent. What else made a Workspace fail, its agent has said. */
const seenHere = new Set([
  'DeploymentNotOurs',
  'InvalidTemplate',
  'VolumeRefused',
  'NotJuiceFS',
  ...fatalStorage,
]);

/** What keeps the workspace from working until someone acts. */
function findBlocker(observed: Observed, juiceFs: Finding | undefined): Finding | undefined {
  const { workspace, deployment, agent, linkSettled } = observed;
  const name = objectName(workspace.metadata.name);
  if (deployment && !isOurDeployment(deployment, workspace)) {
    return finding(
      'Ready',
      'False',
      'DeploymentNotOurs',
      `Deployment ${name} exists and was not made for this Workspace: it is left alone. Delete it, or name the Workspace otherwise`,
    );
  }
  if (agent?.status?.problem && !agent.status.awaitsInitial && agent.status.problemReason !== 'Starting') {
    return finding('Ready', 'False', agent.status.problemReason || 'AgentProblem', agent.status.problem);
  }
  const said = conditionOf(workspace, 'Ready');
  if (!agent?.status && !linkSettled && workspace.status?.phase === 'Failed' && said) {
    if (said.status === 'False' && !seenHere.has(said.reason)) return said;
  }
  if (juiceFs?.reason === 'NotJuiceFS' && workspace.spec.defaultEngine === 'juicefs-clone') {
    return { ...juiceFs, message: `spec.defaultEngine is juicefs-clone, but: ${juiceFs.message}` };
  }
  return undefined;
}

function assessReady(observed: Observed, storage: Finding): Finding {
  const { workspace, deployment, initial, pods } = observed;
  const { replicas } = workspace.spec;
  const not = (reason: string, message: string): Finding => finding('Ready', 'False', reason, message);
  if (workspace.metadata.deletionTimestamp) return not('Terminating', 'The Workspace is being deleted');
  if (storage.status !== 'True') return not(storage.reason, storage.message);
  if (!deployment) return not('DeploymentMissing', 'The Deployment is being made');
  if (initial) return not(initial.reason, initial.message);
  const { observedGeneration, readyReplicas = 0, updatedReplicas = 0, conditions } = deployment.status ?? {};
  const current = observedGeneration === deployment.metadata.generation;
  if (current && readyReplicas === replicas && updatedReplicas === replicas) {
    return replicas === 0
      ? finding('Ready', 'True', 'Stopped', 'The volume is ready; spec.replicas is 0, so no pod runs')
      : finding('Ready', 'True', 'PodsReady', `${replicas} of ${replicas} pods are ready`);
  }
  const refused = conditions?.find(({ type, status }) => type === 'ReplicaFailure' && status === 'True');
  if (refused) return not('PodsRefused', refused.message ?? 'The pods can not be made');
  const lost = lostNode(pods);
  if (lost) return not('NodeLost', `${readyReplicas} of ${replicas} pods are ready: ${lost}`);
  return not('PodsNotReady', `${readyReplicas} of ${replicas} pods are ready${whyNotReady(observed)}`);
}

function whyNotReady({ pods, mountFailures }: Observed): string {
  for (const { metadata, status } of pods) {
    const unscheduled = status?.conditions?.find(
      ({ type, status }) => type === 'PodScheduled' && status === 'False',
    );
    if (unscheduled) return `: pod ${metadata.name} is not scheduled, ${unscheduled.message}`;
    const unmounted = starts(status) && mountFailures.get(metadata.uid ?? '');
    if (unmounted) return `: pod ${metadata.name} can not mount its volume, ${unmounted}`;
    for (const container of [
      ...(status?.initContainerStatuses ?? []),
      ...(status?.containerStatuses ?? []),
    ]) {
      const waiting = container.state?.waiting;
      if (waiting?.reason && waiting.reason !== 'PodInitializing' && waiting.reason !== 'ContainerCreating') {
        const detail = waiting.message ? ` (${waiting.message})` : '';
        return `: container ${container.name} of pod ${metadata.name} waits with ${waiting.reason}${detail}`;
      }
    }
  }
  return '';
}

/** None of its containers has been made yet: that needs the volume. */
const starts = (status: Pod['status']): boolean =>
  [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].every(
    ({ state, lastState }) => state?.waiting && !lastState?.terminated,
  );

/** The gravest gives the reason; the message has them all. */
function assessDegraded([first, ...rest]: readonly Problem[]): Finding {
  if (!first) return finding('Degraded', 'False', 'AsExpected', 'Nothing is amiss');
  const { reason, message } = joinProblems([first, ...rest]);
  return finding('Degraded', 'True', reason, message);
}

function assessOperation(observed: Observed, agentFinding: Finding, ready: Finding): Problem[] {
  const { workspace, agent, claim, pods, resources } = observed;
  const problems: Problem[] = [];
  const degraded = (reason: string, message: string) => problems.push({ reason, message });
  const bare = pods.find(isUninjected);
  if (bare) {
    degraded(
      'PodNotInjected',
      `Pod ${bare.metadata.name} has the label jvs.io/workspace but no agent: delete it so that it is made again through the webhook, or label it jvs.io/inject=false`,
    );
  }
  const held = resources.filter((resource) => isSaid(resource, reasonHeld)).length;
  if (held > 0) {
    const { name } = workspace.metadata;
    degraded(
      reasonHeld,
      `${held} Snapshots are being deleted, more than 10 of them within a minute, and their data stays until you confirm it by kubectl annotate jvs ${name} jvs.io/allow-mass-delete=true; or set spec.deletionPolicy of those to Retain whose data is to be kept`,
    );
  }
  const failed = claim?.status?.conditions?.find(
    ({ type, status }) => resizeErrors.has(type) && status === 'True',
  );
  if (failed) {
    degraded(
      'ExpansionFailed',
      `The volume does not grow to ${claim?.spec?.resources?.requests?.storage}: ${failed.message || failed.reason}. It is tried again; see kubectl describe pvc ${claim?.metadata.name}`,
    );
  }
  const storageClass = classOf(observed);
  const ignored = (workspace.spec.mountOptions ?? []).filter(
    (one) => !storageClass?.mountOptions?.includes(one),
  );
  if (storageClass && claim?.spec?.volumeName && ignored.length > 0) {
    degraded(
      'MountOptionsIgnored',
      `spec.mountOptions: the volume is not mounted with ${ignored.join(', ')}. A volume of a StorageClass has the mountOptions of its class: set them there and make another Workspace, or remove them here`,
    );
  }
  if (agent?.status?.engineFallback) degraded('EngineFallback', agent.status.engineFallback);
  else if (!opened(observed) && pods.length > 0) {
    problems.push(...knownProblems(workspace).filter(({ reason }) => reason === 'EngineFallback'));
  }
  if (workspace.spec.replicas > 1 && claim && !claim.spec?.accessModes?.includes('ReadWriteMany')) {
    degraded(
      'ReplicasNeedSharedVolume',
      `spec.replicas is ${workspace.spec.replicas}, but the volume is ${claim.spec?.accessModes?.join(', ')}: pods on other nodes can not mount it`,
    );
  }
  if (ready.status === 'True' && agentFinding.reason === 'NotConnected') {
    degraded(
      'AgentNotConnected',
      'The pods are ready, but no agent is connected to the operator: snapshots that are asked for wait. See the log of container jvs-agent',
    );
  }
  return problems;
}

export function isUninjected({ metadata, spec, status }: Pod): boolean {
  const containers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
  return (
    status?.phase === 'Running' && metadata.labels?.['jvs.io/inject'] !== 'false' && !containers.some(isAgent)
  );
}

const finding = (type: string, status: Finding['status'], reason: string, message: string): Finding => ({
  type,
  status,
  reason,
  message,
});
