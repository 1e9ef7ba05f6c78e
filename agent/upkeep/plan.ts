// What retention asks for on this volume. Pure.
import type { Descriptor, Worktree } from '../repository/repository.ts';
import { isMassPrune, planRetention, type RetentionDecision } from '../retention/plan.ts';
import { requestTag } from '../snapshot.ts';
import type { Rules } from './state.ts';

export interface PrunePlan {
  /** Ids that go, oldest first; none while they are held. */
  doomed: RetentionDecision[];
  /** How many would go at once if the annotation allowed it; 0 when nothing is held. */
  held: number;
}

/** @throws RangeError for rules that retention refuses */
export function planPrune(
  snapshots: readonly Descriptor[],
  worktrees: readonly Worktree[],
  { policy, maxSnapshots, pinned, requests, allowMassPrune }: Rules,
  now: Date,
): PrunePlan {
  const inputs = snapshots.map(
    ({ snapshot_id, worktree_name, created_at, agent, tags, integrity_state }) => ({
      id: snapshot_id,
      worktree: worktree_name,
      createdAt: created_at,
      origin: agent?.origin ?? 'discovered',
      tags: tags ?? [],
      ready: integrity_state === 'verified',
    }),
  );
  // Deleted before the operator has seen it, a request would be carried out a second time.
  const asked = new Set(requests.map(requestTag));
  const untold = snapshots.filter(({ tags }) => tags?.some((tag) => asked.has(tag)));
  const plan = planRetention(
    inputs,
    { ...(policy && { policy }), ...(maxSnapshots !== undefined && { maxSnapshots }) },
    {
      worktrees: worktrees.map(({ name, head_snapshot_id, latest_snapshot_id, base_snapshot_id }) => ({
        name,
        ...(head_snapshot_id && { head: head_snapshot_id }),
        ...(latest_snapshot_id && { latest: latest_snapshot_id }),
        ...(base_snapshot_id && { base: base_snapshot_id }),
      })),
      pinned: [...pinned, ...untold.map(({ snapshot_id }) => snapshot_id)],
      restoring: [],
    },
    now,
  );
  const doomed = plan.filter(({ keep }) => !keep).reverse();
  return isMassPrune(plan) && !allowMassPrune ? { doomed: [], held: doomed.length } : { doomed, held: 0 };
}
