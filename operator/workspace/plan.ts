// What a Workspace needs done in the cluster, from what is there. Pure.
import { quantityValue } from '../api/quantity.ts';
import type { Restore } from '../api/restore.ts';
import type { Snapshot } from '../api/snapshot.ts';
import * as restore from '../restore/request.ts';
import type { Deployment, PersistentVolumeClaim } from '../runtime/resources.ts';
import * as snapshot from '../snapshot/request.ts';
import { claimFor, findObstacle, isOurVolume, isStatic, planVolume, type VolumeAction } from './juicefs.ts';
import { deploymentOf, isApplied, isOurClaim, isOurDeployment } from './objects.ts';
import type { Observed } from './observed.ts';

export const finalizer = 'jvs.io/workspace';

export type Action =
  | { type: 'addFinalizer' }
  | { type: 'createClaim'; claim: PersistentVolumeClaim }
  | { type: 'expandClaim'; claim: PersistentVolumeClaim }
  | { type: 'applyDeployment'; deployment: Deployment }
  | { type: 'deleteDeployment'; deployment: Deployment }
  | { type: 'deleteClaim'; claim: PersistentVolumeClaim }
  | VolumeAction
  | { type: 'deleteResource'; resource: Snapshot | Restore }
  | { type: 'removeFinalizer' };

/** Steps in order; a later one may rely on an earlier one. `drifted`: someone else changed the Deployment's spec. */
export function planActions(observed: Observed, drifted: boolean): Action[] {
  const { workspace, claim, deployment } = observed;
  if (workspace.metadata.deletionTimestamp) return planDeletion(observed);
  const actions: Action[] = [];
  if (!workspace.metadata.finalizers?.includes(finalizer)) actions.push({ type: 'addFinalizer' });

  // What is not ours is not touched, and no pod of ours mounts it.
  if (claim && !isOurClaim(claim, workspace.metadata.name)) return actions;
  const wanted = claimFor(workspace);
  const fixed = isStatic(observed);
  if (fixed) actions.push(...planVolume(observed));
  if (!claim) {
    return fixed && findObstacle(observed) ? actions : [...actions, { type: 'createClaim', claim: wanted }];
  }
  // JuiceFS has no size to grow, and the API server lets no static volume do so.
  if (!fixed && isSmaller(claim, wanted)) actions.push({ type: 'expandClaim', claim: wanted });

  if (deployment && !isOurDeployment(deployment, workspace)) return actions;
  const desired = deploymentOf(workspace, claim);
  if (!deployment || drifted || !isApplied(deployment, desired)) {
    actions.push({ type: 'applyDeployment', deployment: desired });
  }
  return actions;
}

/**
 * Pods first, then the claim where the policy says so, and what is said of the volume; the finalizer last, whatever was
 * gone already. Until then the Workspace is there to tell that none of its data goes with its Snapshots.
 */
function planDeletion({ workspace, claim, staticVolume, deployment, resources }: Observed): Action[] {
  if (!workspace.metadata.finalizers?.includes(finalizer)) return [];
  const actions: Action[] = [];
  if (deployment && isOurDeployment(deployment, workspace) && !deployment.metadata.deletionTimestamp) {
    actions.push({ type: 'deleteDeployment', deployment });
  }
  const deletesVolume = workspace.spec.reclaimPolicy === 'Delete';
  if (claim && deletesVolume && isOurClaim(claim, workspace.metadata.name)) {
    actions.push({ type: 'deleteClaim', claim });
  }
  if (staticVolume && deletesVolume && isOurVolume(staticVolume, workspace)) {
    actions.push({ type: 'deleteVolume', volume: staticVolume });
  }
  const left = resources.filter(isOurs);
  for (const resource of left) {
    if (!resource.metadata.deletionTimestamp) actions.push({ type: 'deleteResource', resource });
  }
  return left.length > 0 ? actions : [...actions, { type: 'removeFinalizer' }];
}

/** What is held by somebody else's finalizer alone is not waited for. */
const isOurs = ({ metadata }: Snapshot | Restore): boolean =>
  !metadata.deletionTimestamp ||
  (metadata.finalizers?.some((name) => name === snapshot.finalizer || name === restore.finalizer) ?? false);

const requested = (claim: PersistentVolumeClaim): number =>
  quantityValue(claim.spec?.resources?.requests?.storage ?? '0') ?? 0;

const isSmaller = (live: PersistentVolumeClaim, wanted: PersistentVolumeClaim): boolean =>
  requested(live) < requested(wanted);
