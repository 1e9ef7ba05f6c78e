// The breaker: a mistake that deletes many Snapshots at once deletes no data until a person has said so. Pure.
import type { Restore } from '../api/restore.ts';
import type { Snapshot } from '../api/snapshot.ts';
import type { Workspace } from '../api/workspace.ts';
import type { ConnectedAgent } from '../link/agents.ts';
import { idOf } from '../snapshot/request.ts';

export const allowMassDelete = 'jvs.io/allow-mass-delete';

/** Of condition Deleting, Degraded of the Workspace, and the event. */
export const reasonHeld = 'MassDeletionHeld';

/** Whether the condition Deleting has this reason. */
export const isSaid = ({ status }: Snapshot | Restore, reason: string): boolean =>
  status?.conditions?.some((condition) => condition.type === 'Deleting' && condition.reason === reason) ??
  false;

/** Of one workspace within `span`. */
const most = 10;
const span = 60_000;

/**
 * When Snapshots that have gone were deleted, by the id of the snapshot on the volume; epoch ms. By the API server's clock:
 * agents have another.
 */
export type Ended = ReadonlyMap<string, number>;

/**
 * Names of those of `deleting`, whose data is to go, that are part of a mass deletion. What the agent says that it has
 * deleted counts as well, so that they can not go one by one.
 */
export function heldDeletions(
  workspace: Workspace | undefined,
  deleting: readonly Snapshot[],
  agent: ConnectedAgent | undefined,
  ended: Ended = new Map(),
): ReadonlySet<string> {
  if (!workspace || workspace.metadata.annotations?.[allowMassDelete] === 'true') return new Set();
  // Of which the data has gone, and the Snapshot is about to.
  const counted = new Set(deleting.map(idOf));
  const done = [...(agent?.removed.values() ?? [])].flatMap(({ id, reason, time }) =>
    reason === 'Deleted' && time && !counted.has(id)
      ? [{ at: ended.get(id) ?? time.seconds * 1000, name: undefined }]
      : [],
  );
  const all = [
    ...done,
    ...deleting.map(({ metadata }) => ({
      at: Date.parse(metadata.deletionTimestamp ?? ''),
      name: metadata.name,
    })),
  ].sort((a, b) => a.at - b.at);
  const held = new Set<string>();
  let first = 0;
  for (const [last, { at }] of all.entries()) {
    while ((all[first]?.at ?? at) < at - span) first += 1;
    if (last - first + 1 <= most) continue;
    for (const { name } of all.slice(first, last + 1)) if (name !== undefined) held.add(name);
  }
  return held;
}
