// The workspace's volume in a pod, and where it is mounted in the user's containers.
import { posix } from 'node:path';
import type { Workspace } from '../api/workspace.ts';
import type { Container, PodSpec } from '../runtime/resources.ts';
import { objectName } from '../workspace/objects.ts';
import { Refusal } from './refusal.ts';

export type Volume = NonNullable<PodSpec['volumes']>[number];
export type VolumeMount = NonNullable<Container['volumeMounts']>[number];

export const workspaceVolume = 'jvs-workspace';

export const claimVolume = (workspace: string): Volume => ({
  name: workspaceVolume,
  persistentVolumeClaim: { claimName: objectName(workspace) },
});

/**
 * The volumes with `needed` added. One of the same name is ours if it is of the same kind: then it is left as it is,
 * for the API server has filled in defaults since.
 */
export function withVolumes(stated: readonly Volume[], needed: readonly Volume[]): Volume[] {
  const missing = needed.filter((volume) => {
    const same = stated.find(({ name }) => name === volume.name);
    if (!same) return true;
    const kind = Object.keys(volume).find((key) => key !== 'name') ?? '';
    const claim = ({ persistentVolumeClaim }: Volume) => persistentVolumeClaim?.claimName;
    if (Object.hasOwn(same, kind) && claim(same) === claim(volume)) return false;
    throw new Refusal(
      `volume ${volume.name} is stated otherwise than the JVS operator needs it: name yours differently`,
    );
  });
  return [...stated, ...missing];
}

/** Where a user's container sees the workspace. Only the agent may write the history, unless the Workspace says otherwise. */
export function userMounts({ spec }: Workspace): VolumeMount[] {
  const name = workspaceVolume;
  if (spec.historyAccess === 'ReadWrite') return [{ name, mountPath: spec.mountPath }];
  return [
    { name, mountPath: `${spec.mountPath}/main`, subPath: 'main' },
    { name, mountPath: `${spec.mountPath}/worktrees`, subPath: 'worktrees' },
    { name, mountPath: `${spec.mountPath}/.jvs`, subPath: '.jvs', readOnly: true },
  ];
}

/**
 * The mounts of `container` with `needed` added. Another volume at one of these paths is refused, not left alone: the
 * container would work on files that nobody snapshots, and nobody would notice.
 */
export function withMounts(
  container: Pick<Container, 'name' | 'volumeMounts'>,
  needed: readonly VolumeMount[],
  advice: string,
): VolumeMount[] {
  const stated = container.volumeMounts ?? [];
  const missing = needed.filter((mount) => {
    const same = stated.find(({ mountPath }) => posix.resolve('/', mountPath) === mount.mountPath);
    if (!same) return true;
    if (same.name === mount.name && (same.subPath ?? '') === (mount.subPath ?? '')) return false;
    throw new Refusal(
      `container ${container.name}: mountPath ${same.mountPath} is taken by volume ${same.name}; ${advice}`,
    );
  });
  return [...stated, ...missing];
}

const allow = 'or set historyAccess: ReadWrite in the Workspace';

/**
 * Refuses what would let a user's container write the history.
 * Deeper subPaths than the payload's roots are refused too: a workload could put a link to .jvs there, and the kubelet
 * would follow it when the next pod starts.
 */
export function protectHistory(spec: PodSpec, users: readonly Container[], workspace: string): void {
  for (const field of ['shareProcessNamespace', 'hostPID'] as const) {
    if (spec[field])
      throw new Refusal(
        `spec.${field} lets containers reach the agent's files, and with them the history: remove it, ${allow}`,
      );
  }
  const claim = objectName(workspace);
  for (const { name, persistentVolumeClaim: source } of spec.volumes ?? []) {
    if (source?.claimName === claim && name !== workspaceVolume && !source.readOnly)
      throw new Refusal(
        `volume ${name} gives containers the whole of claim ${claim}, and with it the history: remove it (the JVS operator adds the volume), set its readOnly, ${allow}`,
      );
  }
  for (const container of users) {
    for (const { name, mountPath, subPath, readOnly } of container.volumeMounts ?? []) {
      if (name !== workspaceVolume || readOnly || subPath === 'main' || subPath === 'worktrees') continue;
      throw new Refusal(
        `container ${container.name}: volume ${workspaceVolume} is mounted writable at ${mountPath}, and only its subPaths main and worktrees may be: set readOnly: true, ${allow}`,
      );
    }
  }
}
