// Carries out what plan.ts decided for a Workspace.
import { restores } from '../api/restore.ts';
import { snapshots } from '../api/snapshot.ts';
import type { Workspace } from '../api/workspace.ts';
import { workspaces } from '../api/workspace.ts';
import type { KubeClient } from '../runtime/client.ts';
import { ApiError } from '../runtime/errors.ts';
import { addFinalizer, removeFinalizer } from '../runtime/finalizer.ts';
import { type Deployment, deployments, type PersistentVolume, pvcs, pvs } from '../runtime/resources.ts';
import type { Finding } from './observed.ts';
import { type Action, finalizer } from './plan.ts';

export const fieldManager = 'jvs-workspace-controller';

/** Returns the live Deployment after an `applyDeployment`. Deleting what is gone is success. @throws ApiError */
export async function applyAction(
  client: KubeClient,
  workspace: Workspace,
  action: Action,
): Promise<Deployment | undefined> {
  switch (action.type) {
    case 'addFinalizer':
      await addFinalizer(client, workspaces, workspace, finalizer, { fieldManager });
      return undefined;
    case 'createClaim':
      // Never an apply: it would take over a claim of that name that someone made a moment ago.
      await client.create(pvcs, action.claim);
      return undefined;
    case 'expandClaim':
      await client.mergePatch(
        pvcs,
        action.claim.metadata,
        { spec: { resources: action.claim.spec?.resources } },
        { fieldManager },
      );
      return undefined;
    case 'applyDeployment':
      return await client.apply(deployments, action.deployment, { fieldManager });
    case 'deleteDeployment':
      // Foreground: the claim is let go only after its pods.
      await client.delete(deployments, action.deployment.metadata, {
        uid: action.deployment.metadata.uid,
        propagationPolicy: 'Foreground',
      });
      return undefined;
    case 'deleteClaim':
      await client.delete(pvcs, action.claim.metadata, { uid: action.claim.metadata.uid });
      return undefined;
    case 'createVolume':
      await client.create(pvs, action.volume);
      return undefined;
    case 'releaseVolume': {
      const { metadata } = action.volume;
      const claimRef = { uid: null, resourceVersion: null };
      await client.mergePatch(pvs, metadata, unchanged(action.volume, { claimRef }), { fieldManager });
      return undefined;
    }
    case 'setMountOptions': {
      const { metadata, spec } = action.volume;
      const options = { mountOptions: spec?.mountOptions };
      await client.mergePatch(pvs, metadata, unchanged(action.volume, options), { fieldManager });
      return undefined;
    }
    case 'deleteVolume':
      await client.delete(pvs, action.volume.metadata, { uid: action.volume.metadata.uid });
      return undefined;
    case 'deleteResource': {
      const { kind, metadata } = action.resource;
      if (kind === 'Snapshot') await client.delete(snapshots, metadata, { uid: metadata.uid });
      else await client.delete(restores, metadata, { uid: metadata.uid });
      return undefined;
    }
    case 'removeFinalizer':
      await removeFinalizer(client, workspaces, workspace, finalizer, { fieldManager });
      return undefined;
  }
}

/** A patch of the volume as it was seen: Conflict when it has changed since. */
const unchanged = ({ metadata }: PersistentVolume, spec: object) => ({
  metadata: { resourceVersion: metadata.resourceVersion },
  spec,
});

type Attempt = Action['type'] | 'applyAuthority';

/** What the API server refuses for good becomes a condition; anything else is an error to retry. */
export function refusalOf(type: Attempt, error: unknown): Finding | undefined {
  if (!(error instanceof ApiError) || !isRefused(error)) return undefined;
  const reasons: Partial<Record<Attempt, string>> = {
    applyAuthority: 'AuthorityRefused',
    applyDeployment: 'InvalidTemplate',
    createClaim: 'VolumeRefused',
    createVolume: 'VolumeRefused',
    setMountOptions: 'MountOptionsRefused',
    expandClaim: 'ExpansionRefused',
    deleteDeployment: 'DeletionRefused',
    deleteClaim: 'DeletionRefused',
    deleteVolume: 'DeletionRefused',
    deleteResource: 'DeletionRefused',
    removeFinalizer: 'DeletionRefused',
  };
  const reason = reasons[type];
  if (!reason) return undefined;
  const message = `${error.message}${advice[type] ?? ''}`;
  // The volume is there, as it was, and pods that run have the authority that they began with.
  if (type === 'expandClaim' || type === 'setMountOptions' || type === 'applyAuthority')
    return { type: 'Degraded', status: 'True', reason, message };
  return { type: 'Ready', status: 'False', reason, message };
}

/** An unknown field, or a list with one key twice, is the server's own failure by its status; only the words tell. */
const isRefused = ({ status, reason, message }: ApiError): boolean =>
  [400, 403, 422].includes(status) ||
  (status === 500 && !reason && message.includes('failed to create typed patch object'));

const stays = '. The Workspace stays until that is allowed';
const staysWithVolume = `${stays}; with spec.reclaimPolicy Retain it goes without its volume`;

const advice: Partial<Record<Attempt, string>> = {
  deleteDeployment: stays,
  deleteClaim: staysWithVolume,
  deleteVolume: staysWithVolume,
  deleteResource: stays,
  removeFinalizer: stays,
  applyAuthority:
    '. Without ConfigMap jvs-operator-ca new pods can not start, and agents do not trust new certificates of the operator: allow it',
  expandClaim:
    '. The volume stays as it is: spec.storage grows only where the storage class has allowVolumeExpansion and the quota allows it',
};
