// What becomes of a resource that is being deleted and has our finalizer, and of the data that goes with it. Pure.
import type { DeletionInput } from '../../shared/proto/gen/jvs/link/v1/Deletion.ts';
import type { ExportInput } from '../../shared/proto/gen/jvs/link/v1/Export.ts';
import { isReadable } from '../api/parse.ts';
import type { Restore } from '../api/restore.ts';
import type { Snapshot } from '../api/snapshot.ts';
import type { Workspace } from '../api/workspace.ts';
import type { Identified } from '../link/agents.ts';
import type { ObjectMeta } from '../runtime/types.ts';
import { idOf } from '../snapshot/request.ts';
import { canBeSent } from '../transfer/plan.ts';
import { expectedRepository } from '../workspace/repository.ts';
import { type Ended, heldDeletions, reasonHeld } from './hold.ts';
import { type Place, whyLetGo, witness } from './place.ts';

/** Until a request that was called back has been heard of, and until a mass deletion is seen whole; milliseconds. */
const settleTime = 3_000;
/** An agent tells of so many worktrees at most. */
const mostWorktrees = 1_000;

export type Decision =
  /** The finalizer goes. `why` in words, for the log. */
  | { type: 'letGo'; why: string }
  /** For `forMs`, or until something changes. `snapshotID`: what was found to have been taken for it. */
  | { type: 'wait'; reason: string; message: string; forMs?: number; snapshotID?: string }
  | { type: 'delete'; request: Identified<DeletionInput>; reason: string; message: string };

/** All resources of one workspace, and where their data is. */
export interface Observed extends Place {
  workspaceName: string;
  snapshots: readonly Snapshot[];
  restores: readonly Restore[];
  /** What is on its way to others. */
  exports?: readonly ExportInput[];
  /** Workspaces of the namespace, which may be to begin with one of the snapshots. */
  neighbours?: readonly Workspace[];
  ended?: Ended;
}

/** For how long it is known here that a resource is being deleted, by its uid; ms. The API server's clock may be another. */
export type KnownFor = (uid: string) => number;

/** By uid, for every Snapshot in `deleting`. */
export function decideSnapshots(
  observed: Observed,
  deleting: readonly Snapshot[],
  knownFor: KnownFor,
): Map<string, Decision> {
  const mayTakeData = deleting.filter(
    (snapshot) => idOf(snapshot) !== undefined && snapshot.spec.deletionPolicy === 'Delete',
  );
  const held = heldDeletions(observed.workspace, mayTakeData, observed.agent, observed.ended);
  return new Map(
    deleting.map((snapshot) => [snapshot.metadata.uid ?? '', decide(observed, snapshot, held, knownFor)]),
  );
}

function decide(
  observed: Observed,
  snapshot: Snapshot,
  held: ReadonlySet<string>,
  knownFor: KnownFor,
): Decision {
  const { metadata, spec, status } = snapshot;
  const { agent, workspaceName } = observed;
  const gone = whyLetGo(observed, metadata);
  if (gone) return letGo(gone);
  if (!isReadable(snapshot)) return unreadable;
  if (spec.deletionPolicy === 'Retain') return letGo('spec.deletionPolicy is Retain');
  if (status?.phase === 'Expiring' && !status.conditions?.some(({ type }) => type === 'Deleting')) {
    return letGo('its snapshot has gone from the volume before');
  }
  const uid = metadata.uid ?? '';
  const sure = witness(observed);
  const id = idOf(snapshot);
  if (id === undefined) {
    const snapshotID = agent?.byRequest.get(uid);
    // Its status says it first, so that it is known to be gone when it is.
    return snapshotID === undefined
      ? withoutData(observed, snapshot, knownFor)
      : { ...wait('Deleting', `Snapshot ${snapshotID} was taken, and is about to be deleted`), snapshotID };
  }
  if (sure && !sure.snapshots.has(id)) return letGo(`snapshot ${id} is not on the volume any more`);
  const other = observed.snapshots.find(
    (one) => one.metadata.uid !== uid && !one.metadata.deletionTimestamp && idOf(one) === id,
  );
  if (other) return letGo(`Snapshot ${other.metadata.name} stands for ${id} as well`);
  if (held.has(metadata.name)) {
    return wait(
      reasonHeld,
      `More than 10 Snapshots of Workspace ${workspaceName} were deleted within a minute: their data stays until you confirm it by kubectl annotate jvs ${workspaceName} jvs.io/allow-mass-delete=true; or set spec.deletionPolicy of those to Retain whose data is to be kept`,
    );
  }
  const young = settling(metadata, knownFor);
  if (young > 0) return wait('Deleting', `Snapshot ${id} is about to be deleted from the volume`, young);
  const restore = observed.restores.find(
    ({ status }) => status?.phase === 'InProgress' && status.snapshotID === id,
  );
  if (restore) return wait('WaitsForRestore', `Restore ${restore.metadata.name} needs snapshot ${id}`);
  const beginner = observed.neighbours?.find((workspace) => isToBegin(workspace, snapshot));
  if (beginner || observed.exports?.some(({ snapshotId }) => snapshotId === id)) {
    const who = beginner ? `Workspace ${beginner.metadata.name}` : 'A Workspace';
    return wait(
      'WaitsForCopy',
      `${who} begins with snapshot ${id}, by its spec.initialSnapshot, and does not have it yet; ${ways}`,
    );
  }
  return ask(observed, { uid, snapshotId: id }, `snapshot ${id}`);
}

/**
 * It has never told of a repository of its own; its agent, which would ask for the snapshot, may be away just now. What
 * is damaged, or of that very Workspace, it never gets.
 */
const isToBegin = (workspace: Workspace, snapshot: Snapshot): boolean =>
  workspace.spec.initialSnapshot === snapshot.metadata.name &&
  workspace.metadata.name !== snapshot.spec.workspace &&
  canBeSent(snapshot) &&
  !workspace.metadata.deletionTimestamp &&
  expectedRepository(workspace) === undefined;

/** Called back before there was one; or it is being taken, which is let run to its end. */
function withoutData(observed: Observed, { metadata, status }: Snapshot, knownFor: KnownFor): Decision {
  const { agent } = observed;
  const phase = agent?.requests.get(metadata.uid ?? '')?.phase;
  const ended = status?.phase === 'Failed' || phase === 'PHASE_FAILED' || phase === 'PHASE_WAITING';
  if (!ended && (status?.phase === 'InProgress' || phase === 'PHASE_IN_PROGRESS')) {
    return wait('BeingTaken', `It is deleted when it has been taken; ${ways}`);
  }
  const young = settling(metadata, knownFor);
  if (young > 0) return wait('Deleting', 'The request is called back', young);
  if (agent && !agent.inventoryComplete) {
    return wait('WaitingForAgent', `Agent ${agent.pod} is telling what is on the volume`);
  }
  return letGo('nothing was made for it');
}

/** By uid, for every Restore in `deleting`. */
export function decideRestores(
  observed: Observed,
  deleting: readonly Restore[],
  knownFor: KnownFor,
): Map<string, Decision> {
  return new Map(
    deleting.map((restore) => [restore.metadata.uid ?? '', decideRestore(observed, restore, knownFor)]),
  );
}

function decideRestore(observed: Observed, restore: Restore, knownFor: KnownFor): Decision {
  const { metadata, spec, status } = restore;
  const uid = metadata.uid ?? '';
  const gone = whyLetGo(observed, metadata);
  if (gone) return letGo(gone);
  if (!isReadable(restore)) return unreadable;
  if (spec.deletionPolicy === 'Retain' || spec.newWorktree === undefined) {
    return letGo('no worktree goes with it');
  }
  const worktree = spec.newWorktree;
  if (status?.phase === 'InProgress') {
    return wait('BeingRestored', `Worktree ${worktree} is removed when it has been made; ${ways}`);
  }
  const young = settling(metadata, knownFor);
  if (young > 0) return wait('Deleting', `Worktree ${worktree} is about to be removed`, young);
  if (status?.phase !== 'Completed') return letGo('it has made no worktree');
  const later = observed.restores.find(
    (other) =>
      other.metadata.uid !== uid &&
      other.status?.phase === 'Completed' &&
      other.spec.newWorktree === worktree &&
      (other.status.completedAt ?? '') >= (status.completedAt ?? ''),
  );
  if (later) return letGo(`Restore ${later.metadata.name} has made worktree ${worktree} anew`);
  const worktrees = witness(observed)?.status?.worktrees;
  if (worktrees && worktrees.length < mostWorktrees && !worktrees.some(({ name }) => name === worktree)) {
    return letGo(`worktree ${worktree} is not on the volume any more`);
  }
  return ask(observed, { uid, worktree }, `worktree ${worktree}`);
}

const ways = 'to let it go at once and keep its data, set spec.deletionPolicy to Retain';

function ask(observed: Observed, request: Identified<DeletionInput>, what: string): Decision {
  const { agent, workspace, workspaceName } = observed;
  const asked = (reason: string, message: string): Decision => ({ type: 'delete', request, reason, message });
  const said = agent?.requests.get(request.uid);
  if (said?.phase === 'PHASE_FAILED' || said?.phase === 'PHASE_WAITING') {
    return asked(said.reason, `${said.message}; ${ways}`);
  }
  if (agent) return asked('Deleting', `Agent ${agent.pod} is asked to delete ${what}`);
  return workspace?.spec.replicas === 0
    ? asked(
        'WaitingForAgent',
        `A maintenance pod of Workspace ${workspaceName} is to delete ${what}; ${ways}`,
      )
    : asked(
        'WaitingForAgent',
        `No agent of Workspace ${workspaceName} is connected to delete ${what}; ${ways}`,
      );
}

const settling = ({ uid = '' }: ObjectMeta, knownFor: KnownFor): number => settleTime - knownFor(uid);

/** Of a newer operator: that it takes nothing along is all that can be said for sure. */
const unreadable: Decision = {
  type: 'wait',
  reason: 'Unreadable',
  message:
    'Its spec is of a newer operator: upgrade this one, or take its jvs.io finalizer off to keep the data',
};

const letGo = (why: string): Decision => ({ type: 'letGo', why });

const wait = (reason: string, message: string, forMs?: number): Extract<Decision, { type: 'wait' }> => ({
  type: 'wait',
  reason,
  message,
  ...(forMs !== undefined && { forMs }),
});
