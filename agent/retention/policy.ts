// What is asked of retention, and the policies that are refused.

/** spec.retentionPolicy of a Workspace. */
export interface RetentionPolicy {
  keepMinSnapshots: number;
  /** Milliseconds. */
  keepMinAge: number;
  keepTags: readonly string[];
}

export interface RetentionRules {
  /** Without it, only surplus automatic snapshots go. */
  policy?: RetentionPolicy;
  /** autoSnapshot.maxSnapshots; undefined where no autoSnapshot is set. */
  maxSnapshots?: number;
  /** Of those that a workload took of itself; undefined: no bound. */
  maxSelf?: number;
}

/**
 * What a workload takes of itself must not fill the volume: beyond `kept` the oldest make room. Where other rules keep
 * them (keepMinAge, say), it is refused more from `most` on.
 */
export const selfSnapshots = { kept: 100, most: 150 };

/** Why the rules are refused, for their user; undefined when they are fine. */
export function validatePolicy({ policy, maxSnapshots }: RetentionRules): string | undefined {
  if (maxSnapshots !== undefined && !(Number.isInteger(maxSnapshots) && maxSnapshots >= 1)) {
    return `autoSnapshot.maxSnapshots must be a whole number of at least 1, and not ${maxSnapshots}`;
  }
  if (!policy) return undefined;
  const { keepMinSnapshots, keepMinAge, keepTags } = policy;
  if (!(Number.isInteger(keepMinSnapshots) && keepMinSnapshots >= 0)) {
    return `retentionPolicy.keepMinSnapshots must be a whole number of at least 0, and not ${keepMinSnapshots}`;
  }
  if (!(Number.isSafeInteger(keepMinAge) && keepMinAge >= 0)) {
    return 'retentionPolicy.keepMinAge must be a duration such as 48h or 7d';
  }
  if (keepMinSnapshots === 0 && keepMinAge === 0 && keepTags.length === 0) {
    return 'retentionPolicy keeps nothing: set keepMinSnapshots or keepMinAge above 0, or name keepTags';
  }
  return undefined;
}
