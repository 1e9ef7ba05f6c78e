// All restores of a workspace in the order in which they are carried out. Pure.
import type { Restore } from '../api/restore.ts';
import type { Snapshot } from '../api/snapshot.ts';
import { isRecorded, isWanted, planOnCreate, planRestore, type RestoreRequest } from './request.ts';

/** A restore that is to be carried out, and the words for what asks for it. */
export interface Queued {
  request: RestoreRequest;
  owner: string;
  /** Which snapshot that is, is not to be found out again. */
  recorded: boolean;
}

/** Oldest first; what can not be asked for as things stand is left out and holds up nothing. Of one workspace. */
export function planQueue(restores: readonly Restore[], snapshots: readonly Snapshot[]): Queued[] {
  const byName = new Map(snapshots.map((snapshot) => [snapshot.metadata.name, snapshot]));
  const asked = restores.filter(isWanted).flatMap((restore) => {
    const request = planRestore(restore, (name) => byName.get(name));
    const owner = `Restore ${restore.metadata.name}`;
    return 'uid' in request ? [{ request, owner, recorded: isRecorded(restore), of: restore }] : [];
  });
  const onCreate = snapshots.flatMap((snapshot) => {
    const request = planOnCreate(snapshot);
    const owner = `Snapshot ${snapshot.metadata.name}`;
    return request ? [{ request, owner, recorded: true, of: snapshot }] : [];
  });
  return [...asked, ...onCreate]
    .sort((a, b) => (order(a.of) < order(b.of) ? -1 : 1))
    .map(({ of: _, ...queued }) => queued);
}

/**
 * What agents may be asked for: its Snapshot may go once they were, and nobody would know any more what they carry out.
 * None before one that is older, but for one in whose status nothing can be written: that may last for ever.
 * `isRefused` tells those, by the Restore's name.
 */
export function askable(
  queue: readonly Queued[],
  isRefused: (name: string) => boolean = () => false,
): RestoreRequest[] {
  const able = queue.filter(({ request, recorded }) => recorded || !isRefused(request.name ?? ''));
  const first = able.findIndex(({ recorded }) => !recorded);
  return able.slice(0, first < 0 ? able.length : first).map(({ request }) => request);
}

/** By age, then by name. */
export const order = ({ metadata }: Restore | Snapshot): string =>
  `${metadata.creationTimestamp} ${metadata.name}`;
