// Which snapshots on the volume want a resource, and which resources have outlived theirs. Pure.
import type { Timestamp } from '../../shared/proto/gen/google/protobuf/Timestamp.ts';
import type { Snapshot as DiskSnapshot } from '../../shared/proto/gen/jvs/agent/v1/Snapshot.ts';
import type { Snapshot } from '../api/snapshot.ts';
import type { Workspace } from '../api/workspace.ts';
import type { ConnectedAgent } from '../link/agents.ts';
import { idOf, isFinished } from '../snapshot/request.ts';
import { expectedRepository } from '../workspace/repository.ts';
import { canBeShown, isMirror, mirrorOf } from './mirrored.ts';

export interface Observed {
  workspace: Workspace;
  agent: ConnectedAgent | undefined;
  /** All of the workspace. */
  resources: readonly Snapshot[];
}

export interface Gone {
  resource: Snapshot;
  id: string;
  /** Pruned, RemovedFromVolume, or what a newer agent says. */
  reason: string;
  message: string;
}

export interface MirrorPlan {
  /** Oldest first. */
  create: Snapshot[];
  /** Their snapshots are not on the volume any more; oldest first. */
  gone: Gone[];
  /** Their snapshots are there, but too old to be shown. */
  surplus: Snapshot[];
  /** Ids that are missing for a reason that the agent has not told: it may be about to. */
  missing: string[];
}

const nothing: MirrorPlan = { create: [], gone: [], surplus: [], missing: [] };

/**
 * Concludes something from absence only when the whole inventory of the right repository is here. `givenUp`: ids of
 * which the agent has had its time to say why they are missing.
 */
export function planMirror(
  { workspace, agent, resources }: Observed,
  limit: number,
  givenUp: ReadonlySet<string>,
): MirrorPlan {
  if (workspace.metadata.deletionTimestamp || !agent?.inventoryComplete || !agent.status) return nothing;
  if (agent.status.problem || agent.status.repositoryId !== expectedRepository(workspace)) return nothing;

  const live = resources.filter(({ metadata }) => !metadata.deletionTimestamp);
  const uids = new Set<string | undefined>(resources.map(({ metadata }) => metadata.uid));
  const made = new Set(resources.filter((resource) => !isMirror(resource)).map(idOf));
  const window = [...agent.snapshots.values()]
    .filter((onDisk) => canBeShown(onDisk) && !uids.has(onDisk.requestUid) && !made.has(onDisk.id))
    .sort(byAge)
    .slice(-limit || Number.POSITIVE_INFINITY);
  const inWindow = new Set(window.map(({ id }) => id));
  const shown = new Set(resources.filter(isMirror).map(idOf));

  const gone: Gone[] = [];
  const missing: string[] = [];
  for (const resource of live) {
    const id = idOf(resource);
    // A request that has not been made is not missing; nor is what a user wants to show and never was there.
    if (id === undefined || agent.snapshots.has(id)) continue;
    if (!isFinished(resource) && !isMirror(resource)) continue;
    const said = agent.removed.get(id);
    if (said) gone.push({ resource, id, reason: said.reason || 'RemovedFromVolume', message: said.message });
    else if (givenUp.has(id)) gone.push({ resource, id, reason: 'RemovedFromVolume', message: '' });
    else missing.push(id);
  }
  return {
    create: window.filter(({ id }) => !shown.has(id)).map((onDisk) => mirrorOf(workspace, onDisk)),
    gone: gone.sort((a, b) => (a.id < b.id ? -1 : 1)),
    surplus: live.filter(
      (resource) =>
        isMirror(resource) &&
        !resource.spec.pinned &&
        // The window moves; that is no reason to lose data.
        resource.spec.deletionPolicy === 'Retain' &&
        agent.snapshots.has(resource.spec.snapshotID ?? '') &&
        !inWindow.has(resource.spec.snapshotID ?? ''),
    ),
    missing,
  };
}

function byAge(a: DiskSnapshot, b: DiskSnapshot): number {
  return compare(a.createdAt, b.createdAt) || (a.id < b.id ? -1 : 1);
}

function compare(a: Timestamp | null, b: Timestamp | null): number {
  return (a?.seconds ?? 0) - (b?.seconds ?? 0) || (a?.nanos ?? 0) - (b?.nanos ?? 0);
}
