// What a Workspace needs done in the cluster, from what is there. Pure.
import { quantityValue } from '../api/quantity.ts';
import type { Workspace } from '../api/workspace.ts';
import type { ConnectedAgent } from '../link/agents.ts';
import type {
  Deployment,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  StorageClass,
} from '../runtime/resources.ts';
import { claimOf, deploymentOf, isApplied, isOurClaim, isOurDeployment } from './objects.ts';

export const finalizer = 'jvs.io/workspace';

export interface Observed {
  workspace: Workspace;
  claim?: PersistentVolumeClaim;
  /** The volume that the claim is bound to. */
  volume?: PersistentVolume;
  storageClasses: readonly StorageClass[];
  deployment?: Deployment;
  /** Every pod with the workspace's label, ours and the user's. */
  pods: readonly Pod[];
  agent?: ConnectedAgent;
  /** The link has been open long enough for agents to have come back: now absence means something. */
  linkSettled: boolean;
}

export type Action =
  | { type: 'addFinalizer' }
  | { type: 'createClaim'; claim: PersistentVolumeClaim }
  | { type: 'expandClaim'; claim: PersistentVolumeClaim }
  | { type: 'applyDeployment'; deployment: Deployment }
  | { type: 'deleteDeployment'; deployment: Deployment }
  | { type: 'deleteClaim'; claim: PersistentVolumeClaim }
  | { type: 'removeFinalizer' };

/** Steps in order; a later one may rely on an earlier one. `drifted`: someone else changed the Deployment's spec. */
export function planActions(observed: Observed, drifted: boolean): Action[] {
  const { workspace, claim, deployment } = observed;
  if (workspace.metadata.deletionTimestamp) return planDeletion(observed);
  const actions: Action[] = [];
  if (!workspace.metadata.finalizers?.includes(finalizer)) actions.push({ type: 'addFinalizer' });

  if (!claim) return [...actions, { type: 'createClaim', claim: claimOf(workspace) }];
  // What is not ours is not touched, and no pod of ours mounts it.
  if (!isOurClaim(claim, workspace.metadata.name)) return actions;
  const wanted = claimOf(workspace);
  if (isSmaller(claim, wanted)) actions.push({ type: 'expandClaim', claim: wanted });

  if (deployment && !isOurDeployment(deployment, workspace)) return actions;
  const desired = deploymentOf(workspace, claim);
  if (!deployment || drifted || !isApplied(deployment, desired)) {
    actions.push({ type: 'applyDeployment', deployment: desired });
  }
  return actions;
}

/** Pods first, then the claim where the policy says so; the finalizer last, whatever was gone already. */
function planDeletion({ workspace, claim, deployment }: Observed): Action[] {
  if (!workspace.metadata.finalizers?.includes(finalizer)) return [];
  const actions: Action[] = [];
  if (deployment && isOurDeployment(deployment, workspace) && !deployment.metadata.deletionTimestamp) {
    actions.push({ type: 'deleteDeployment', deployment });
  }
  const deletesVolume = workspace.spec.reclaimPolicy === 'Delete';
  if (claim && deletesVolume && isOurClaim(claim, workspace.metadata.name)) {
    actions.push({ type: 'deleteClaim', claim });
  }
  return [...actions, { type: 'removeFinalizer' }];
}

const requested = (claim: PersistentVolumeClaim): number =>
  quantityValue(claim.spec?.resources?.requests?.storage ?? '0') ?? 0;

const isSmaller = (live: PersistentVolumeClaim, wanted: PersistentVolumeClaim): boolean =>
  requested(live) < requested(wanted);
