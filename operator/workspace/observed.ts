// What is there of a Workspace and around it: what everything about it is decided from.
import type { Condition } from '../api/conditions.ts';
import type { Restore } from '../api/restore.ts';
import type { Snapshot } from '../api/snapshot.ts';
import type { Workspace } from '../api/workspace.ts';
import type { ConnectedAgent } from '../link/agents.ts';
import type {
  Deployment,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  StorageClass,
} from '../runtime/resources.ts';

export interface Observed {
  workspace: Workspace;
  claim?: PersistentVolumeClaim;
  storageClasses: readonly StorageClass[];
  /** The operator may see and make static volumes. */
  staticVolumes: boolean;
  /** What there is under the name of the static volume that juiceFsConfig means. */
  staticVolume?: PersistentVolume;
  /** The JuiceFS CSI driver is installed. */
  juiceFsDriver: boolean;
  deployment?: Deployment;
  /** Every pod with the workspace's label, ours and the user's, but the one for maintenance. */
  pods: readonly Pod[];
  /** What the node last said of volumes that it can not mount, by the pod's uid. */
  mountFailures: ReadonlyMap<string, string>;
  agent?: ConnectedAgent;
  /** What spec.initialSnapshot waits for. */
  initial?: { reason: string; message: string };
  /** All of the workspace. */
  resources: readonly (Snapshot | Restore)[];
  /** The link has been open long enough for agents to have come back: now absence means something. */
  linkSettled: boolean;
}

/** What is concluded from it, of one condition. */
export type Finding = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;
