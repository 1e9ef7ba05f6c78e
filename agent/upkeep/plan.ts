// What retention asks for on this volume, and which snapshot is to be verified next. Pure.
import { createHash } from 'node:crypto';
import { CLOCK_SKEW_MS, type Descriptor, type Worktree } from '../repository/repository.ts';
import { isMassPrune, planRetention, type RetentionDecision } from '../retention/plan.ts';
import { selfSnapshots } from '../retention/policy.ts';
import { beforeTag, isDamaged, isRequestTag, requestTag, type SnapshotNotes } from '../snapshot.ts';
import type { Rules } from './rules.ts';

export type Notes = ReadonlyMap<string, SnapshotNotes>;

export interface PrunePlan {
  /** Of every snapshot, newest first. */
  decisions: RetentionDecision[];
  /** Those that go now, oldest first; none while they are held. */
  doomed: RetentionDecision[];
  /** How many would go at once if the annotation allowed it; 0 when nothing is held. */
  held: number;
}

/** @throws RangeError for rules that retention refuses */
export function planPrune(
  snapshots: readonly Descriptor[],
  worktrees: readonly Worktree[],
  notes: Notes,
  { policy, maxSnapshots, pinned, requests, restores, allowMassPrune, writtenAt }: Rules,
  now: Date,
): PrunePlan {
  // Deleted before the operator has seen it, a request would be carried out a second time.
  const asked = new Set(requests.map(requestTag));
  const knownUntil =
    writtenAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(writtenAt) - CLOCK_SKEW_MS;
  const unnoted = snapshots.filter(({ tags, created_at }) =>
    tags?.some((tag) => asked.has(tag) || (isRequestTag(tag) && Date.parse(created_at) >= knownUntil)),
  );
  // Without the one before, a restore that goes wrong could not be undone.
  const before = restores.map(({ uid }) => beforeTag(uid));
  const undoing = snapshots.filter(({ tags }) =>
    tags?.some((tag) => before.some((one) => tag.startsWith(one))),
  );
  const decisions = planRetention(
    snapshots.filter(isReadable).map((descriptor) => ({
      id: descriptor.snapshot_id,
      worktree: descriptor.worktree_name,
      createdAt: descriptor.created_at,
      origin: descriptor.agent?.origin ?? 'discovered',
      tags: descriptor.tags ?? [],
      ready: !isDamaged(descriptor, notes.get(descriptor.snapshot_id)),
      partial: (descriptor.partial_paths?.length ?? 0) > 0,
    })),
    {
      ...(policy && { policy }),
      ...(maxSnapshots !== undefined && { maxSnapshots }),
      maxSelf: selfSnapshots.kept,
    },
    {
      worktrees: worktrees.map(({ name, head_snapshot_id, latest_snapshot_id, base_snapshot_id }) => ({
        name,
        ...(head_snapshot_id && { head: head_snapshot_id }),
        ...(latest_snapshot_id && { latest: latest_snapshot_id }),
        ...(base_snapshot_id && { base: base_snapshot_id }),
      })),
      pinned,
      unnoted: unnoted.map(({ snapshot_id }) => snapshot_id),
      restoring: [
        ...restores.map(({ snapshotId }) => snapshotId),
        ...undoing.map(({ snapshot_id }) => snapshot_id),
      ],
    },
    now,
  );
  for (const { snapshot_id: id } of snapshots.filter((descriptor) => !isReadable(descriptor))) {
    decisions.push({ id, keep: true, reasons: ['its descriptor can not be read'] });
  }
  const doomed = decisions.filter(({ keep }) => !keep).reverse();
  if (isMassPrune(decisions) && !allowMassPrune) return { decisions, doomed: [], held: doomed.length };
  return { decisions, doomed, held: 0 };
}

/** The engine deletes none that are not. */
const isReadable = ({ descriptor_checksum }: Descriptor): boolean => descriptor_checksum !== '';

/** The same for the same policy, however many snapshots it holds up. */
export function heldId({ policy, maxSnapshots }: Rules): string {
  const text = JSON.stringify([policy, maxSnapshots]);
  return `held-${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
}

/** The one that has not been verified for longest, and when that is due; milliseconds since the epoch. */
export function planVerification(
  snapshots: readonly Descriptor[],
  notes: Notes,
  intervalMs: number,
  now: number,
): { id: string; at: number } | undefined {
  let next: { id: string; at: number } | undefined;
  for (const descriptor of snapshots) {
    const id = descriptor.snapshot_id;
    const { verifiedAt } = notes.get(id) ?? {};
    // Damaged by its descriptor, and nobody has heard of it yet: at once.
    const from = Date.parse(
      verifiedAt ?? (isDamaged(descriptor) ? new Date(0).toISOString() : descriptor.created_at),
    );
    // A clock that was wrong puts nothing off for ever.
    const at = Number.isNaN(from) ? now : Math.min(from, now) + intervalMs;
    if (!next || at < next.at) next = { id, at };
  }
  return next;
}
