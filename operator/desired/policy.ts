// What a Workspace's spec asks of its agents, as the link has it. Pure.
import { parseDuration } from '../../shared/duration.ts';
import type { HookInput } from '../../shared/proto/gen/jvs/link/v1/Hook.ts';
import type { HooksInput } from '../../shared/proto/gen/jvs/link/v1/Hooks.ts';
import type { RetentionInput } from '../../shared/proto/gen/jvs/link/v1/Retention.ts';
import type { ScheduleInput } from '../../shared/proto/gen/jvs/link/v1/Schedule.ts';
import { templateTags } from '../api/snapshot.ts';
import type { Workspace, WorkspaceSpec } from '../api/workspace.ts';

export function planSchedule({ spec: { autoSnapshot } }: Workspace): ScheduleInput | undefined {
  if (!autoSnapshot?.enabled || autoSnapshot.schedule === undefined) return undefined;
  const { schedule, timeZone, template, suspend, skipUnchanged, startingDeadlineSeconds } = autoSnapshot;
  return {
    cron: schedule,
    timeZone,
    tags: [...templateTags(template)],
    suspend,
    skipUnchanged,
    ...(startingDeadlineSeconds !== undefined && { startingDeadlineSeconds }),
  };
}

export function planRetention({ spec: { retentionPolicy, autoSnapshot } }: Workspace): RetentionInput {
  return {
    ...(retentionPolicy && {
      policy: {
        keepMinSnapshots: retentionPolicy.keepMinSnapshots,
        keepMinAgeSeconds: secondsOf(retentionPolicy.keepMinAge),
        keepTags: retentionPolicy.keepTags ?? [],
      },
    }),
    maxAutoSnapshots: autoSnapshot?.maxSnapshots ?? 0,
  };
}

/** Rounded up: nothing is kept for less than was asked for. What is too long to count in is for ever. */
function secondsOf(duration: string): number {
  try {
    return Math.ceil(parseDuration(duration) / 1000);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return Math.floor(Number.MAX_SAFE_INTEGER / 1000);
  }
}

export function planHooks({ spec: { hooks } }: Workspace): HooksInput | undefined {
  if (!hooks?.preSnapshot && !hooks?.postSnapshot) return undefined;
  return {
    ...(hooks.preSnapshot && { preSnapshot: hookOf(hooks.preSnapshot) }),
    ...(hooks.postSnapshot && { postSnapshot: hookOf(hooks.postSnapshot) }),
  };
}

type Hook = NonNullable<NonNullable<WorkspaceSpec['hooks']>['preSnapshot']>;

const hookOf = ({ http, exec, timeoutSeconds }: Hook): HookInput => ({
  ...(http ? { http } : { exec }),
  timeoutSeconds,
});
