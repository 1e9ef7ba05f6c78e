// Carries out what plan.ts decided for a Workspace.
import { restores } from '../api/restore.ts';
import { snapshots } from '../api/snapshot.ts';
import type { Workspace } from '../api/workspace.ts';
import { workspaces } from '../api/workspace.ts';
import type { KubeClient } from '../runtime/client.ts';
import { ApiError } from '../runtime/errors.ts';
import { type Deployment, deployments, pvcs } from '../runtime/resources.ts';
import type { Finding } from './findings.ts';
import { type Action, finalizer } from './plan.ts';

export const fieldManager = 'jvs-workspace-controller';

/** Returns the live Deployment after an `applyDeployment`. Deleting what is gone is success. @throws ApiError */
export async function applyAction(
  client: KubeClient,
  workspace: Workspace,
  action: Action,
): Promise<Deployment | undefined> {
  const { name, namespace, uid } = workspace.metadata;
  switch (action.type) {
    case 'addFinalizer':
      await client.apply(
        workspaces,
        { metadata: { name, namespace, uid, finalizers: [finalizer] } },
        { fieldManager },
      );
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
    case 'deleteResource': {
      const { kind, metadata } = action.resource;
      if (kind === 'Snapshot') await client.delete(snapshots, metadata, { uid: metadata.uid });
      else await client.delete(restores, metadata, { uid: metadata.uid });
      return undefined;
    }
    case 'removeFinalizer':
      // An apply without them gives up our finalizer and leaves those of others.
      await client.apply(workspaces, { metadata: { name, namespace, uid } }, { fieldManager });
      return undefined;
  }
}

/** What the API server refuses for good becomes a condition; anything else is an error to retry. */
export function refusalOf(action: Action, error: unknown): Finding | undefined {
  if (
    !(error instanceof ApiError) ||
    (error.status !== 422 && error.status !== 403 && error.status !== 400)
  ) {
    return undefined;
  }
  const reasons: Partial<Record<Action['type'], string>> = {
    applyDeployment: 'InvalidTemplate',
    createClaim: 'VolumeRefused',
    expandClaim: 'ExpansionRefused',
  };
  const reason = reasons[action.type];
  return reason ? { type: 'Ready', status: 'False', reason, message: error.message } : undefined;
}
