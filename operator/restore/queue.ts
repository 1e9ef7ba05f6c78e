// All restores of a workspace in the order in which they are carried out. Pure.
import type { Restore } from '../api/restore.ts';
import type { Snapshot } from '../api/snapshot.ts';
import { isWanted, planOnCreate, planRestore, type RestoreRequest } from './request.ts';

/** A restore that is to be carried out, and the words for what asks for it. */
export interface Queued {
  request: RestoreRequest;
  owner: string;
}

/** Oldest first; what can not be asked for as things stand is left out and holds up nothing. Of one workspace. */
export function planQueue(restores: readonly Restore[], snapshots: readonly Snapshot[]): Queued[] {
  const byName = new Map(snapshots.map((snapshot) => [snapshot.metadata.name, snapshot]));
  const asked = restores.filter(isWanted).flatMap((restore) => {
    const request = planRestore(restore, (name) => byName.get(name));
    return 'uid' in request ? [{ request, owner: `Restore ${restore.metadata.name}`, of: restore }] : [];
  });
  const onCreate = snapshots.flatMap((snapshot) => {
    const request = planOnCreate(snapshot);
    return request ? [{ request, owner: `Snapshot ${snapshot.metadata.name}`, of: snapshot }] : [];
  });
  return [...asked, ...onCreate]
    .sort((a, b) => (order(a.of) < order(b.of) ? -1 : 1))
    .map(({ request, owner }) => ({ request, owner }));
}

/** By age, then by name. */
export const order = ({ metadata }: Restore | Snapshot): string =>
  `${metadata.creationTimestamp} ${metadata.name}`;
