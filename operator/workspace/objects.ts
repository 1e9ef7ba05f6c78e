// The objects that the operator makes for a Workspace. Pure.

import { createHash } from 'node:crypto';
import { agentContainer } from '../api/agent.ts';
import type { Workspace } from '../api/workspace.ts';
import type { Deployment, PersistentVolumeClaim, StorageClass } from '../runtime/resources.ts';
import type { KubeObject } from '../runtime/types.ts';
import type { Observed } from './observed.ts';

export const managedBy = { 'app.kubernetes.io/managed-by': 'jvs-operator' };
export const workspaceLabel = 'jvs.io/workspace';

/** Made by the operator, or by a Deployment of its making. */
export const isManaged = ({ metadata }: KubeObject): boolean =>
  metadata.labels?.['app.kubernetes.io/managed-by'] === managedBy['app.kubernetes.io/managed-by'];
const specHash = 'jvs.io/spec-hash';

/** Name of the claim and of the Deployment of a Workspace. */
export const objectName = (workspace: string): string => `${prefix}${workspace}`;
export const prefix = 'jvs-';

/** Ours to expand and, by reclaimPolicy, to delete. It outlives its Workspace, so it has no owner reference. */
export const isOurClaim = (claim: PersistentVolumeClaim, workspace: string): boolean =>
  isManaged(claim) && claim.metadata.labels?.[workspaceLabel] === workspace;

export const isOurDeployment = ({ metadata }: Deployment, workspace: Workspace): boolean =>
  metadata.ownerReferences?.some(({ uid }) => uid === workspace.metadata.uid) ?? false;

type AccessMode = NonNullable<Workspace['spec']['accessModes']>[number];

export const accessModesOf = ({ spec }: Workspace): AccessMode[] =>
  spec.accessModes ?? [spec.replicas > 1 ? 'ReadWriteMany' : 'ReadWriteOnce'];

/** The StorageClass that the claim's volume is of, where there is one. */
export const classOf = ({
  claim,
  storageClasses,
}: Pick<Observed, 'claim' | 'storageClasses'>): StorageClass | undefined =>
  storageClasses.find(({ metadata }) => metadata.name === claim?.spec?.storageClassName);

export function claimOf(workspace: Workspace): PersistentVolumeClaim {
  const { spec, metadata } = workspace;
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: objectName(metadata.name),
      namespace: metadata.namespace,
      labels: { ...managedBy, [workspaceLabel]: metadata.name },
    },
    spec: {
      accessModes: accessModesOf(workspace),
      ...(spec.storageClassName !== undefined && { storageClassName: spec.storageClassName }),
      resources: { requests: { storage: spec.storage } },
    },
  };
}

/**
 * The Deployment that runs `replicas` pods. Injection adds volume and agent when the pods are made, so nothing
 * here changes with the operator's version, and an upgrade restarts no pod.
 */
export function deploymentOf(workspace: Workspace, claim: PersistentVolumeClaim): Deployment {
  const { spec, metadata } = workspace;
  const labels = { ...managedBy, [workspaceLabel]: metadata.name };
  const user: NonNullable<Workspace['spec']['template']> = spec.template ?? agentOnly;
  // One volume that one node may mount: the old pod has to be gone before the new one starts.
  const shared = claim.spec?.accessModes?.includes('ReadWriteMany');
  const deployment: Deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: objectName(metadata.name),
      namespace: metadata.namespace,
      labels,
      ownerReferences: [ownerOf(workspace)],
    },
    spec: {
      replicas: spec.replicas,
      strategy: shared ? rolling : { type: 'Recreate' },
      selector: { matchLabels: labels },
      template: {
        ...user,
        metadata: { ...user.metadata, labels: { ...user.metadata?.labels, ...labels } },
      },
    },
  };
  const hash = createHash('sha256').update(JSON.stringify(deployment)).digest('hex').slice(0, 16);
  return { ...deployment, metadata: { ...deployment.metadata, annotations: { [specHash]: hash } } };
}

/** As the API server would fill it in; but then it would not go where the next volume is for one node. */
const rolling = { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } };

export const ownerOf = ({ metadata }: Workspace) => ({
  apiVersion: 'jvs.io/v1alpha1',
  kind: 'Workspace',
  name: metadata.name,
  uid: metadata.uid ?? '',
  controller: true,
  blockOwnerDeletion: true,
});

/** Without a user's template the pod is the agent alone. */
export const agentOnly = {
  metadata: {},
  spec: {
    automountServiceAccountToken: false,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 1000,
      runAsGroup: 1000,
      fsGroup: 1000,
      fsGroupChangePolicy: 'OnRootMismatch',
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [agentContainer],
  },
};

/** Whether a live Deployment was applied from this desired one. */
export const isApplied = (live: Deployment, desired: Deployment): boolean =>
  live.metadata.annotations?.[specHash] === desired.metadata.annotations?.[specHash];
