// The JuiceFS behind a Workspace. Without a storage class it is a static volume of the CSI driver, with the user's
// Secret by reference: the operator never reads it. Pure.
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { conditionOf } from '../api/conditions.ts';
import type { Workspace } from '../api/workspace.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../runtime/resources.ts';
import { opened } from './health.ts';
import {
  accessModesOf,
  claimOf,
  classOf,
  isManaged,
  managedBy,
  objectName,
  workspaceLabel,
} from './objects.ts';
import type { Finding, Observed } from './observed.ts';

export const driverName = 'csi.juicefs.com';

export type VolumeAction =
  | { type: 'createVolume'; volume: PersistentVolume }
  /** Its claim was deleted: another one of that name may have it. */
  | { type: 'releaseVolume'; volume: PersistentVolume }
  | { type: 'setMountOptions'; volume: PersistentVolume }
  | { type: 'deleteVolume'; volume: PersistentVolume };

/** The driver makes the handle a label of its own pods. */
const handleLength = 63;
/** What the driver, as root on the node, makes a command line of. */
const option = /^[A-Za-z0-9_.-]+(=[A-Za-z0-9_.:/@+-]*)?$/;
const ownOptions = ['subdir', 'cache-dir'];

/** Of the static volume; its handle too. */
export function volumeName({ metadata }: Workspace): string {
  const name = `jvs-${metadata.namespace}.${metadata.name}`;
  if (name.length <= handleLength) return name;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 10);
  return `${name.slice(0, handleLength - 11).replace(/[.-]+$/, '')}-${hash}`;
}

/** Whether the Workspace's volume is, or is to be, the static one: a claim that a class filled stays as it is. */
export const isStatic = ({ workspace, claim }: Pick<Observed, 'workspace' | 'claim'>): boolean =>
  claim
    ? claim.spec?.volumeName === volumeName(workspace) && claim.spec.storageClassName === ''
    : wantsStatic(workspace);

const wantsStatic = ({ spec }: Workspace): boolean =>
  spec.juiceFsConfig !== undefined && spec.storageClassName === undefined;

/** Ours to bind and, by reclaimPolicy, to delete. */
export const isOurVolume = (volume: PersistentVolume, { metadata }: Workspace): boolean =>
  isManaged(volume) &&
  volume.metadata.labels?.[workspaceLabel] === metadata.name &&
  volume.spec?.claimRef?.namespace === metadata.namespace &&
  volume.spec?.claimRef?.name === objectName(metadata.name);

/** The claim to make for a Workspace. */
export function claimFor(workspace: Workspace): PersistentVolumeClaim {
  const claim = claimOf(workspace);
  if (!wantsStatic(workspace)) return claim;
  return { ...claim, spec: { ...claim.spec, storageClassName: '', volumeName: volumeName(workspace) } };
}

export function volumeOf(workspace: Workspace): PersistentVolume {
  const { metadata, spec } = workspace;
  const name = volumeName(workspace);
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name, labels: { ...managedBy, [workspaceLabel]: metadata.name } },
    spec: {
      capacity: { storage: spec.storage },
      accessModes: accessModesOf(workspace),
      volumeMode: 'Filesystem',
      storageClassName: '',
      persistentVolumeReclaimPolicy: 'Retain',
      claimRef: {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        namespace: metadata.namespace,
        name: objectName(metadata.name),
      },
      mountOptions: mountOptionsOf(workspace),
      csi: {
        driver: driverName,
        volumeHandle: name,
        fsType: 'juicefs',
        nodePublishSecretRef: {
          name: spec.juiceFsConfig?.secretsRef?.name,
          namespace: metadata.namespace,
        },
      },
    },
  };
}

const directoryOf = ({ metadata, spec }: Workspace): string =>
  spec.juiceFsConfig?.metaDir?.replace(/^\/*/, '/') ?? `/${metadata.namespace}/${metadata.name}`;

function mountOptionsOf(workspace: Workspace): string[] {
  const { mountOptions = [], juiceFsConfig } = workspace.spec;
  const cache = juiceFsConfig?.cacheDir ? [`cache-dir=${juiceFsConfig.cacheDir}`] : [];
  return [...mountOptions, `subdir=${directoryOf(workspace)}`, ...cache];
}

/** What the static volume needs before the claim, which binds to it. Nothing while there is an obstacle. */
export function planVolume(observed: Observed): VolumeAction[] {
  const { workspace, claim, staticVolume: live } = observed;
  if (!workspace.spec.juiceFsConfig || findObstacle(observed)) return [];
  const bound = claim?.status?.phase === 'Bound' || claim?.status?.phase === 'Lost';
  const wanted = volumeOf(workspace);
  if (!live) return bound ? [] : [{ type: 'createVolume', volume: wanted }];
  const actions: VolumeAction[] = [];
  // Only the volume's own controller knows that the claim of its uid is gone and not merely unseen yet.
  if (live.status?.phase === 'Released' && !bound) actions.push({ type: 'releaseVolume', volume: live });
  // Another directory is other data: that one stays, and `assessJuiceFs` says so.
  const kept = subdirOf(live);
  const mountOptions = wanted.spec?.mountOptions?.map((one) => (kept && isSubdir(one) ? kept : one));
  if (!isDeepStrictEqual(live.spec?.mountOptions, mountOptions)) {
    actions.push({ type: 'setMountOptions', volume: { ...live, spec: { ...live.spec, mountOptions } } });
  }
  return actions;
}

const isSubdir = (option: string): boolean => option.startsWith('subdir=');
const subdirOf = ({ spec }: PersistentVolume): string | undefined => spec?.mountOptions?.find(isSubdir);

type Obstacle = Pick<Finding, 'reason' | 'message'>;

/** These stay until somebody changes the Workspace or what is in its way. */
export const fatalObstacles = [
  'SecretRequired',
  'SecretKeysNotSupported',
  'MountOptionRefused',
  'VolumeNotOurs',
];

/** Why the static volume can not be made, or not be mounted. */
export function findObstacle({
  workspace,
  staticVolumes,
  staticVolume,
  juiceFsDriver,
}: Pick<Observed, 'workspace' | 'staticVolumes' | 'staticVolume' | 'juiceFsDriver'>): Obstacle | undefined {
  const { juiceFsConfig } = workspace.spec;
  if (!juiceFsConfig) return undefined;
  if (!juiceFsConfig.secretsRef) {
    return {
      reason: 'SecretRequired',
      message:
        'spec.juiceFsConfig.secretsRef is not set: without spec.storageClassName the JuiceFS CSI driver mounts the volume with a Secret in this namespace (keys name, metaurl, and storage, bucket, access-key, secret-key to format with). Name it, or set spec.storageClassName in another Workspace',
    };
  }
  const renamed = Object.entries(juiceFsConfig.secretsRef.keys ?? {}).find(([name, key]) => name !== key);
  if (renamed) {
    return {
      reason: 'SecretKeysNotSupported',
      message: `spec.juiceFsConfig.secretsRef.keys: ${renamed[0]} is to come from key ${renamed[1]}, but the JuiceFS CSI driver reads fixed keys of the Secret. Give the value key ${renamed[0]} in Secret ${juiceFsConfig.secretsRef.name}, and remove it from keys`,
    };
  }
  const refused = refusedOption(workspace);
  if (refused) return { reason: 'MountOptionRefused', message: refused };
  if (!staticVolumes) {
    return {
      reason: 'VolumesNotAllowed',
      message:
        'spec.juiceFsConfig without spec.storageClassName takes a PersistentVolume, and this operator is installed without the right to make any: kubectl apply -k config/juicefs, or with Helm --set juicefs.enabled=true. Or name a storage class of the JuiceFS CSI driver in another Workspace',
    };
  }
  const name = volumeName(workspace);
  if (staticVolume && !isOurVolume(staticVolume, workspace)) {
    return {
      reason: 'VolumeNotOurs',
      message: `PersistentVolume ${name} exists and was not made for this Workspace: it is left alone. Delete it, or name the Workspace otherwise`,
    };
  }
  if (!juiceFsDriver) {
    return {
      reason: 'DriverMissing',
      message: `The cluster has no CSIDriver ${driverName}: install the JuiceFS CSI driver. The Workspace goes on by itself when it is there`,
    };
  }
  if (staticVolume?.metadata.deletionTimestamp) {
    return {
      reason: 'VolumeTerminating',
      message: `PersistentVolume ${name} is being deleted; a new one is made when it is gone. Its data stays in JuiceFS`,
    };
  }
  return undefined;
}

function refusedOption(workspace: Workspace): string | undefined {
  for (const given of workspace.spec.mountOptions ?? []) {
    const name = given.split('=', 1)[0] ?? '';
    if (ownOptions.includes(name)) {
      const field = name === 'subdir' ? 'metaDir' : 'cacheDir';
      return `spec.mountOptions: ${given} is for spec.juiceFsConfig.${field} to say`;
    }
  }
  const bad = mountOptionsOf(workspace).find((one) => !option.test(one) || one.includes('..'));
  return (
    bad &&
    `Mount option ${JSON.stringify(bad)} of spec.mountOptions or spec.juiceFsConfig must be a word, or a word, = and a value of letters, digits and . : / @ _ + - without ..`
  );
}

/** By an agent that has seen the volume. */
const told = new Set(['JuiceFS', 'NotJuiceFS']);

/** Undefined without juiceFsConfig. */
export function assessJuiceFs(observed: Observed): Finding | undefined {
  const { workspace, claim, pods } = observed;
  if (!workspace.spec.juiceFsConfig) return undefined;
  const finding = (status: Finding['status'], reason: string, message: string): Finding => ({
    type: 'JuiceFS',
    status,
    reason,
    message,
  });
  if (isStatic(observed)) {
    const obstacle = findObstacle(observed);
    if (obstacle) return finding('False', obstacle.reason, obstacle.message);
    const differs = differenceOf(observed);
    if (differs) return finding('False', 'VolumeDiffers', differs);
    if (claim?.status?.phase !== 'Bound') {
      return finding('Unknown', 'NotBound', 'The volume is not bound yet');
    }
  }
  const filesystem = opened(observed)?.filesystem;
  const madeByDriver = isStatic(observed) || classOf(observed)?.provisioner === driverName;
  if (madeByDriver || filesystem?.includes('juicefs')) {
    return finding('True', 'JuiceFS', 'The volume is JuiceFS');
  }
  const said = conditionOf(workspace, 'JuiceFS');
  if (filesystem === undefined && pods.length > 0 && said && told.has(said.reason)) return said;
  if (filesystem === undefined) return finding('Unknown', 'NotSeen', 'No agent has looked at the volume yet');
  return finding(
    'False',
    'NotJuiceFS',
    `spec.juiceFsConfig is set but the storage class made a volume of type ${filesystem || 'unknown'}: it is used as it is, without JuiceFS clones`,
  );
}

/** What of the volume the spec says otherwise, and no update can change. */
function differenceOf({ workspace, staticVolume }: Observed): string | undefined {
  if (!staticVolume) return undefined;
  const secret = staticVolume.spec?.csi?.nodePublishSecretRef?.name;
  const wantedSecret = workspace.spec.juiceFsConfig?.secretsRef?.name;
  const directory = subdirOf(staticVolume)?.slice('subdir='.length);
  const wantedDirectory = directoryOf(workspace);
  const differences = [
    ...(secret === wantedSecret ? [] : [`Secret ${secret} where spec.juiceFsConfig names ${wantedSecret}`]),
    ...(directory === wantedDirectory
      ? []
      : [`directory ${directory} where spec.juiceFsConfig means ${wantedDirectory}`]),
  ];
  if (differences.length === 0) return undefined;
  const { name } = workspace.metadata;
  return `PersistentVolume ${staticVolume.metadata.name} has ${differences.join(', and ')}, which no volume can change: it is used as it is. Put the spec back; or scale the Workspace to 0, delete claim ${objectName(name)} and the PersistentVolume (the data stays in JuiceFS), and they are made anew`;
}
