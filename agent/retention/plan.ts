// Which snapshots are kept and which go, each with its reasons. Pure; where it can not be sure, it keeps.
import { formatDuration } from '../../shared/duration.ts';
import { type RetentionRules, validatePolicy } from './policy.ts';

/** A snapshot on the volume. */
export interface RetentionInput {
  id: string;
  worktree: string;
  /** RFC 3339 with up to nanoseconds, as in its descriptor. */
  createdAt: string;
  origin: string;
  tags: readonly string[];
  /** False once its verification has failed: then it replaces no good one. */
  ready: boolean;
  /** Of some paths only, and so no way back to the rest of the worktree. */
  partial: boolean;
}

/** What is needed whatever the policy says. Ids that are no snapshot (any more) do no harm. */
export interface Protections {
  /** The snapshots that a worktree's config names; `latest` differs from `head` after an in-place restore. */
  worktrees: readonly { name: string; head?: string; latest?: string; base?: string }[];
  pinned: Iterable<string>;
  /** Needed by a restore that has not ended. */
  restoring: Iterable<string>;
  /** Asked for by a Snapshot, and the operator may not have noted that they are there. */
  unnoted: Iterable<string>;
}

export interface RetentionDecision {
  id: string;
  keep: boolean;
  /** At least one, in words of the API: every rule that keeps it, or those by which it goes. */
  reasons: string[];
}

/**
 * Newest first. Snapshots whose time is in the future, or unreadable, are kept and take no other's place: a clock was
 * wrong, and they would push out what is really new.
 * @throws RangeError for rules that `validatePolicy` refuses
 */
export function planRetention(
  snapshots: readonly RetentionInput[],
  rules: RetentionRules,
  protections: Protections,
  now: Date,
): RetentionDecision[] {
  const refused = validatePolicy(rules);
  if (refused !== undefined) throw new RangeError(refused);
  const all = snapshots.map((snapshot) => ({ ...snapshot, time: parseTime(snapshot.createdAt) })).sort(newer);
  const past = all.filter((snapshot) => snapshot.time.milliseconds <= now.getTime());
  const ready = past.filter((snapshot) => snapshot.ready);

  const kept = new Map<string, string[]>();
  const keep = (id: string | undefined, reason: string) => {
    if (id !== undefined) kept.set(id, [...(kept.get(id) ?? []), reason]);
  };
  const [whole, partial] = [
    ready.filter((snapshot) => !snapshot.partial),
    ready.filter((snapshot) => snapshot.partial),
  ];
  for (const [worktree, id] of newestOfEach(whole)) keep(id, `newest Ready snapshot of worktree ${worktree}`);
  for (const [worktree, id] of newestOfEach(partial)) {
    keep(id, `newest Ready partial snapshot of worktree ${worktree}`);
  }
  for (const { name, head, latest, base } of protections.worktrees) {
    keep(head, `head of worktree ${name}`);
    if (latest !== head) keep(latest, `latest of worktree ${name}`);
    keep(base, `base of worktree ${name}`);
  }
  for (const id of new Set(protections.pinned)) keep(id, 'pinned');
  for (const id of new Set(protections.restoring)) keep(id, 'needed by a running Restore');
  for (const id of new Set(protections.unnoted)) {
    keep(id, 'asked for by a Snapshot, and the operator may not have noted it yet');
  }
  for (const { id, time } of all) {
    if (Number.isNaN(time.milliseconds)) keep(id, 'its createdAt can not be read');
    else if (time.milliseconds > now.getTime()) keep(id, 'its createdAt is in the future');
  }
  const { policy, maxSnapshots, maxSelf } = rules;
  if (policy) {
    // Snapshots that a workload takes of itself must not push out older ones.
    const counts = ({ origin }: Timed) => origin !== 'self';
    for (const kind of [whole, partial]) {
      for (const { id } of kind.filter(counts).slice(0, policy.keepMinSnapshots)) {
        keep(id, `one of the newest ${policy.keepMinSnapshots} (keepMinSnapshots)`);
      }
    }
    for (const { id, time, tags } of past) {
      if (now.getTime() - time.milliseconds < policy.keepMinAge) {
        keep(id, `younger than ${formatDuration(policy.keepMinAge)} (keepMinAge)`);
      }
      for (const tag of policy.keepTags) if (tags.includes(tag)) keep(id, `has tag ${tag} (keepTags)`);
    }
  }
  // A damaged one takes no good one's place; of the workload's own it does, for their number is a bound.
  const automatic = beyond(past, maxSnapshots, 'auto', (snapshot) => snapshot.ready);
  const own = beyond(past, maxSelf, 'self', () => true);
  const surplus = new Map([
    ...automatic.map(
      ({ id }) => [id, `automatic, beyond the newest ${maxSnapshots} (maxSnapshots)`] as const,
    ),
    ...own.map(({ id }) => [id, `by the workload itself, beyond the newest ${maxSelf}`] as const),
  ]);

  return all.map(({ id, origin, ready }) => {
    const reasons = kept.get(id);
    if (reasons) return { id, keep: true, reasons };
    const against = [surplus.get(id), policy && 'not kept by retentionPolicy'].filter(
      (why) => why !== undefined,
    );
    if (against.length > 0) return { id, keep: false, reasons: against };
    if (origin !== 'auto' || maxSnapshots === undefined) {
      return { id, keep: true, reasons: ['no retentionPolicy is set'] };
    }
    const place = ready ? 'one of' : 'damaged, and not older than';
    return { id, keep: true, reasons: [`${place} the newest ${maxSnapshots} automatic ones (maxSnapshots)`] };
  });
}

/** More than half at once: waits for the annotation jvs.io/allow-mass-prune. */
export function isMassPrune(plan: readonly RetentionDecision[]): boolean {
  return plan.filter(({ keep }) => !keep).length * 2 > plan.length;
}

type Timed = RetentionInput & { time: Time };

/** `nanoseconds` are those below the millisecond. */
interface Time {
  milliseconds: number;
  nanoseconds: number;
}

function parseTime(createdAt: string): Time {
  const fraction = /\.\d{1,3}(\d{0,6})/.exec(createdAt)?.[1] ?? '';
  return { milliseconds: Date.parse(createdAt), nanoseconds: Number(fraction.padEnd(6, '0')) };
}

/** Unreadable times are last; ids decide between equal ones, so that the order they came in never does. */
function newer(a: Timed, b: Timed): number {
  const [x, y] = [a.time.milliseconds, b.time.milliseconds];
  if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) ? 1 : -1;
  return y - x || b.time.nanoseconds - a.time.nanoseconds || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);
}

/** Those of an origin, newest first, that come after the first `limit` that count. */
function beyond(
  past: readonly Timed[],
  limit: number | undefined,
  origin: string,
  counts: (snapshot: Timed) => boolean,
): Timed[] {
  let places = limit ?? Number.POSITIVE_INFINITY;
  return past.filter((snapshot) => {
    if (snapshot.origin !== origin) return false;
    if (places === 0) return true;
    if (counts(snapshot)) places--;
    return false;
  });
}

function newestOfEach(ready: readonly Timed[]): Map<string, string> {
  const newest = new Map<string, string>();
  for (const { worktree, id } of ready) if (!newest.has(worktree)) newest.set(worktree, id);
  return newest;
}
