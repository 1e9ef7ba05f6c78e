// What the operator asked for once and for all: kept on the volume, so that it holds while no operator says it again.
import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod/mini';
import type { DesiredState } from '../../shared/proto/gen/jvs/link/v1/DesiredState.ts';
import { hooksOf, hooksSchema } from '../hooks/hook.ts';

/** spec.autoSnapshot, spec.retentionPolicy, spec.hooks and the pins, as the operator last said. */
export const rulesSchema = z.object({
  schedule: z.optional(
    z.object({
      cron: z.string(),
      timeZone: z.string(),
      tags: z.array(z.string()),
      suspend: z.boolean(),
      skipUnchanged: z._default(z.boolean(), false),
      startingDeadlineSeconds: z.optional(z.number()),
    }),
  ),
  policy: z.optional(
    z.object({
      keepMinSnapshots: z.number(),
      /** Milliseconds. */
      keepMinAge: z.number(),
      keepTags: z.array(z.string()),
    }),
  ),
  maxSnapshots: z.optional(z.number()),
  pinned: z.array(z.string()),
  /** Uids of requests whose outcome the operator has not taken yet. */
  requests: z.array(z.string()),
  /** Those of restores, with what they bring back. */
  restores: z._default(z.array(z.object({ uid: z.string(), snapshotId: z.string() })), []),
  hooks: z.optional(hooksSchema),
  finalSnapshot: z._default(z.boolean(), false),
  allowMassPrune: z.boolean(),
  /** Only on the volume: of what was asked for since, nothing is in `requests`. */
  writtenAt: z.optional(z.iso.datetime()),
});
export type Rules = z.infer<typeof rulesSchema>;

/** Until an operator has spoken. */
export const noRules: Rules = {
  ...{ pinned: [], requests: [], restores: [] },
  ...{ finalSnapshot: false, allowMassPrune: false },
};

/** Whether they differ in nothing but requests, which come and go with every snapshot. */
export function isSame(a: Rules, b: Rules | undefined): boolean {
  return b !== undefined && isDeepStrictEqual(withoutRequests(a), withoutRequests(b));
}

const withoutRequests = ({ requests: _, writtenAt: __, ...rules }: Rules) => rules;

export function rulesOf(desired: DesiredState): Rules {
  const { schedule, retention, pinned, snapshots, restores, finalSnapshot, allowMassPrune } = desired;
  const policy = retention?.policy;
  const hooks = hooksOf(desired.hooks);
  return {
    ...(schedule && {
      schedule: {
        cron: schedule.cron,
        timeZone: schedule.timeZone || 'UTC',
        tags: schedule.tags,
        suspend: schedule.suspend,
        skipUnchanged: schedule.skipUnchanged,
        ...(schedule.startingDeadlineSeconds !== undefined && {
          startingDeadlineSeconds: Number(schedule.startingDeadlineSeconds),
        }),
      },
    }),
    ...(policy && {
      policy: {
        keepMinSnapshots: policy.keepMinSnapshots,
        keepMinAge: Math.min(Number(policy.keepMinAgeSeconds) * 1000, Number.MAX_SAFE_INTEGER),
        keepTags: policy.keepTags,
      },
    }),
    ...(retention?.maxAutoSnapshots && { maxSnapshots: retention.maxAutoSnapshots }),
    pinned,
    requests: snapshots.map(({ uid }) => uid),
    restores: restores.map(({ uid, snapshotId }) => ({ uid, snapshotId })),
    ...(hooks && { hooks }),
    finalSnapshot,
    allowMassPrune,
  };
}
