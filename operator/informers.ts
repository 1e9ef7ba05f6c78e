// The caches that the controllers read, one watch each.
import type { Logger } from '../shared/log.ts';
import { type Snapshot, snapshots } from './api/snapshot.ts';
import { type Workspace, workspaces } from './api/workspace.ts';
import type { KubeClient } from './runtime/client.ts';
import { Informer } from './runtime/informer.ts';
import {
  type CSIDriver,
  csiDrivers,
  type Deployment,
  deployments,
  type Event,
  events,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
  pods,
  pvcs,
  pvs,
  type StorageClass,
  storageClasses,
} from './runtime/resources.ts';
import { workspaceLabel } from './workspace/objects.ts';

export interface Informers {
  workspaces: Informer<Workspace>;
  /** Indexes: `workspace` by namespace/name of the workspace, `uid`. */
  snapshots: Informer<Snapshot>;
  claims: Informer<PersistentVolumeClaim>;
  volumes: Informer<PersistentVolume>;
  storageClasses: Informer<StorageClass>;
  csiDrivers: Informer<CSIDriver>;
  /** What nodes say of volumes that they can not mount. Index `pod` by namespace/name. */
  mountFailures: Informer<Event>;
  deployments: Informer<Deployment>;
  /** Index `workspace` by namespace/name of the workspace. */
  pods: Informer<Pod>;
}

/** Of the `namespaces`; of all when there are none. */
export function createInformers(
  client: KubeClient,
  log: Logger,
  namespaces: readonly string[] = [],
): Informers {
  const common = { log, namespaces };
  const labelled = { ...common, labelSelector: workspaceLabel };
  return {
    workspaces: new Informer(client, workspaces, common),
    snapshots: new Informer(client, snapshots, {
      ...common,
      indexes: {
        workspace: ({ metadata, spec }) => [`${metadata.namespace}/${spec.workspace}`],
        uid: ({ metadata }) => [metadata.uid ?? ''],
      },
    }),
    // Every claim, not only ours: one of somebody else under our name has to be seen.
    claims: new Informer(client, pvcs, common),
    volumes: new Informer(client, pvs, common),
    storageClasses: new Informer(client, storageClasses, common),
    csiDrivers: new Informer(client, csiDrivers, common),
    mountFailures: new Informer(client, events, {
      ...common,
      fieldSelector: 'reason=FailedMount',
      indexes: { pod: ({ regarding }) => [`${regarding?.namespace}/${regarding?.name}`] },
    }),
    deployments: new Informer(client, deployments, common),
    pods: new Informer(client, pods, {
      ...labelled,
      indexes: {
        workspace: ({ metadata }) => [`${metadata.namespace}/${metadata.labels?.[workspaceLabel]}`],
      },
    }),
  };
}
