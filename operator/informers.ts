// The caches that the controllers read, one watch each.
import type { Logger } from '../shared/log.ts';
import { parsedBy } from './api/parse.ts';
import { parseRestore, type Restore, restores } from './api/restore.ts';
import { parseSnapshot, type Snapshot, snapshots } from './api/snapshot.ts';
import { parseWorkspace, type Workspace, workspaces } from './api/workspace.ts';
import { caName } from './certs/ca-config-map.ts';
import { keptOfDeployment, keptOfPod } from './kept.ts';
import type { KubeClient } from './runtime/client.ts';
import { Informer } from './runtime/informer.ts';
import {
  type ConfigMap,
  type CSIDriver,
  configMaps,
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

/** Our own resources are parsed; those that can not be are there too, see `assertReadable`. */
export interface Informers {
  workspaces: Informer<Workspace>;
  /** Indexes: `workspace` by namespace/name of the workspace, `uid`. */
  snapshots: Informer<Snapshot>;
  /** Indexes: `workspace` by namespace/name of the workspace, `uid`, `snapshot` by namespace/name of the one it names. */
  restores: Informer<Restore>;
  claims: Informer<PersistentVolumeClaim>;
  /** Only where the operator makes static volumes. That it may not see them stops nothing else. */
  volumes?: Informer<PersistentVolume>;
  storageClasses: Informer<StorageClass>;
  csiDrivers: Informer<CSIDriver>;
  /** What nodes say of volumes that they can not mount. Index `pod` by namespace/name. */
  mountFailures: Informer<Event>;
  /** What agents trust, one in each namespace that has had a Workspace. By name: the operator may see no others. */
  authorities: Informer<ConfigMap>;
  deployments: Informer<Deployment>;
  /** Index `workspace` by namespace/name of the workspace. */
  pods: Informer<Pod>;
}

/** Of the `namespaces`; of all when there are none. */
export function createInformers(
  client: KubeClient,
  log: Logger,
  {
    namespaces = [],
    staticVolumes = false,
  }: { namespaces?: readonly string[]; staticVolumes?: boolean } = {},
): Informers {
  const common = { log, namespaces };
  const byWorkspace = {
    workspace: ({ metadata, spec }: Snapshot | Restore) => [`${metadata.namespace}/${spec.workspace}`],
    uid: ({ metadata }: Snapshot | Restore) => [metadata.uid ?? ''],
  };
  const labelled = { ...common, labelSelector: workspaceLabel };
  return {
    workspaces: new Informer(client, workspaces, { ...common, transform: parsedBy(parseWorkspace) }),
    snapshots: new Informer(client, snapshots, {
      ...common,
      transform: parsedBy(parseSnapshot),
      indexes: byWorkspace,
    }),
    restores: new Informer(client, restores, {
      ...common,
      transform: parsedBy(parseRestore),
      indexes: {
        ...byWorkspace,
        snapshot: ({ metadata, spec }) => (spec.snapshot ? [`${metadata.namespace}/${spec.snapshot}`] : []),
      },
    }),
    // Every claim, not only ours: one of somebody else under our name has to be seen.
    claims: new Informer(client, pvcs, common),
    ...(staticVolumes && { volumes: new Informer(client, pvs, { ...common, optional: true }) }),
    storageClasses: new Informer(client, storageClasses, common),
    csiDrivers: new Informer(client, csiDrivers, common),
    mountFailures: new Informer(client, events, {
      ...common,
      fieldSelector: 'reason=FailedMount',
      indexes: { pod: ({ regarding }) => [`${regarding?.namespace}/${regarding?.name}`] },
    }),
    authorities: new Informer(client, configMaps, { ...common, fieldSelector: `metadata.name=${caName}` }),
    deployments: new Informer(client, deployments, { ...common, transform: keptOfDeployment }),
    pods: new Informer(client, pods, {
      ...labelled,
      transform: keptOfPod,
      indexes: {
        workspace: ({ metadata }) => [`${metadata.namespace}/${metadata.labels?.[workspaceLabel]}`],
      },
    }),
  };
}
