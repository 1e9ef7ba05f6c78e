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
    const { readOnly } = same.persistentVolumeClaim ?? {};
    if (Object.hasOwn(same, kind) && claim(same) === claim(volume) && !readOnly) return false;
    throw new Refusal(
      `volume ${volume.name} is stated otherwise than the JVS operator needs it: name yours differently`,
    );
  });
  return [...stated, ...missing];
}

/** Where a user's container sees the files of a worktree. */
export const worktreePath = ({ spec }: Workspace, name = 'main'): string =>
  `${spec.mountPath}/${name === 'main' ? name : `worktrees/${name}`}`;

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

type WithMounts = Pick<Container, 'name' | 'volumeMounts'>;

/**
 * The mounts of `container` with `needed` added. Another volume at one of these paths is refused, not left alone: the
 * container would work on files that nobody snapshots, and nobody would notice.
 */
export function withMounts(
  container: WithMounts,
  needed: readonly VolumeMount[],
  advice: string,
): VolumeMount[] {
  const stated = container.volumeMounts ?? [];
  const missing = needed.filter((mount) => {
    const same = mountAt(container, mount.mountPath);
    if (!same) return true;
    if (same.name === mount.name && (same.subPath ?? '') === (mount.subPath ?? '')) return false;
    throw taken(container, same, advice);
  });
  return [...stated, ...missing];
}

/** The same for what is below the mount of the whole volume, and for the worktree that the container works in. */
export function checkRoots(
  container: WithMounts,
  volumes: readonly Volume[],
  workspace: Workspace,
  worktree: string | undefined,
  advice: string,
): void {
  const { mountPath } = workspace.spec;
  const roots = ['main', 'worktrees', '.jvs'].map((root) => `${mountPath}/${root}`);
  const claim = objectName(workspace.metadata.name);
  for (const path of [...roots, worktreePath(workspace, worktree)]) {
    const there = mountAt(container, path);
    if (!there || there.name === workspaceVolume) continue;
    const volume = volumes.find(({ name }) => name === there.name);
    if (volume?.persistentVolumeClaim?.claimName !== claim) throw taken(container, there, advice);
  }
}

const mountAt = ({ volumeMounts }: WithMounts, path: string): VolumeMount | undefined =>
  volumeMounts?.find(({ mountPath }) => posix.resolve('/', mountPath) === path);

const taken = (container: WithMounts, { mountPath, name }: VolumeMount, advice: string): Refusal =>
  new Refusal(`container ${container.name}: mountPath ${mountPath} is taken by volume ${name}; ${advice}`);
