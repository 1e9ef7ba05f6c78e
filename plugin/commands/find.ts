// From the words of the command line to what they name.
import { ApiError, isNamedNotFound, PluginError } from '../errors.ts';
import type { Kube } from '../kube.ts';
import type { Pod, Snapshot, Workspace } from '../objects.ts';

/** @throws PluginError when there is none */
export async function workspaceNamed(kube: Kube, name: string): Promise<Workspace> {
  try {
    return await kube.get<Workspace>('workspaces', name);
  } catch (cause) {
    throw isNamedNotFound(cause)
      ? new PluginError(
          `there is no Workspace ${name} in namespace ${kube.namespace}`,
          'kubectl jvs status lists them; -n chooses another namespace',
          { cause },
        )
      : cause;
  }
}

export const isSnapshotId = (text: string): boolean => /^\d{13}-[0-9a-f]{8}$/.test(text);

/** A Snapshot by its name. @throws PluginError when there is none */
export async function snapshotNamed(kube: Kube, name: string): Promise<Snapshot> {
  try {
    return await kube.get<Snapshot>('snapshots', name);
  } catch (cause) {
    throw isNamedNotFound(cause)
      ? new PluginError(
          `there is no Snapshot ${name} in namespace ${kube.namespace}`,
          'kubectl jvs history WORKSPACE lists them, with their ids, which do as well',
          { cause },
        )
      : cause;
  }
}

/** The id on the workspace's volume, of the name of a Snapshot or of itself. @throws PluginError */
export async function snapshotIdOf(kube: Kube, workspace: string, text: string): Promise<string> {
  if (isSnapshotId(text)) return text;
  const { spec, status } = await snapshotNamed(kube, text);
  if (spec.workspace !== workspace) {
    throw new PluginError(
      `Snapshot ${text} is of Workspace ${spec.workspace}, not of ${workspace}`,
      `kubectl jvs history ${workspace} lists its own`,
    );
  }
  if (!status?.snapshotID) {
    throw new PluginError(
      `Snapshot ${text} has no data yet: it is ${status?.phase ?? 'Pending'}`,
      status?.message || 'wait until it is Ready',
    );
  }
  return status.snapshotID;
}

/** The pod of the workspace's agent. @throws PluginError when no pod runs */
export async function agentPod(kube: Kube, { metadata, spec, status }: Workspace): Promise<string> {
  const { name } = metadata;
  const named = status?.agent?.pod;
  const pods = await kube.pods(`jvs.io/workspace=${name}`).catch((error: unknown): Pod[] => {
    if (named && error instanceof ApiError) return [{ metadata: { name: named } }];
    throw error;
  });
  // The operator names the last one that it heard of, which may have gone; while it is away it says nothing of others.
  if (named && pods.some((pod) => pod.metadata.name === named)) return named;
  const running = pods.find((pod) => pod.status?.phase === 'Running');
  if (running) return running.metadata.name;
  throw new PluginError(
    `no agent of Workspace ${name} runs`,
    spec.replicas === 0
      ? `it is stopped: kubectl scale jvs/${name} --replicas 1 starts it`
      : `kubectl jvs status ${name} says why`,
  );
}
