// What a schedule asks for now. Pure: the caller keeps the state (beside the rest of what it must not forget), takes
// the snapshot that is due, and plans again when `next` comes, when a run ends and when the spec changes.
import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import { validateSchedule } from '../../shared/cron.ts';
import { nextRun } from './next.ts';

/** spec.autoSnapshot of a Workspace. */
export interface ScheduleSpec {
  schedule: string;
  /** IANA name. */
  timeZone: string;
  suspend: boolean;
  startingDeadlineSeconds?: number;
}

/** Runs of this schedule until `after` are settled: taken, given up, or before its time. */
export const scheduleStateSchema = z.object({
  schedule: z.string(),
  timeZone: z.string(),
  after: z.coerce.date(),
});
export type ScheduleState = z.infer<typeof scheduleStateSchema>;

export interface ScheduleInput {
  /** namespace/name: spreads the runs of many workspaces. */
  workspace: string;
  spec: ScheduleSpec | undefined;
  /** As the last decision left it; undefined at first. */
  state: ScheduleState | undefined;
  now: Date;
}

export interface ScheduleDecision {
  /** To be kept for the next call, before anything is done. */
  state?: ScheduleState;
  /** Take a snapshot now, then `settle` it, whatever its result. `catchUp`: it stands for runs that were missed. */
  due?: { scheduledFor: Date; catchUp: boolean };
  /** When the next run starts, after the one that is due. In whole seconds, as the API has them. */
  next?: Date;
  /** Runs given up by this decision; counted up to `countLimit` or so. Later decisions do not count them again. */
  missed: number;
  /** Why nothing is due, unless it is just not time yet. */
  skipped?: SkipReason;
}

/**
 * Invalid: the schedule or the zone is none. DeadlineExceeded: the newest run came later than startingDeadlineSeconds
 * allows.
 */
export type SkipReason = 'Disabled' | 'Invalid' | 'Suspended' | 'DeadlineExceeded';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const countLimit = 100;
/** A run that starts this much later than planned was missed and is being caught up. */
const lateness = minute;
const maxJitter = minute;

export function planSchedule({ workspace, spec, state, now }: ScheduleInput): ScheduleDecision {
  if (!spec) return { missed: 0, skipped: 'Disabled' };
  const { schedule, timeZone } = spec;
  if (validateSchedule(schedule, timeZone) !== undefined) return { missed: 0, skipped: 'Invalid' };
  const calendar = new Calendar(schedule, timeZone, workspace);
  const current =
    state?.schedule === schedule && state.timeZone === timeZone
      ? { ...state, after: sane(calendar, state.after, now) }
      : { schedule, timeZone, after: now };
  // As with CronJobs, runs of the time of suspension are missed ones afterwards.
  if (spec.suspend) return { state: current, missed: 0, skipped: 'Suspended' };

  const { after, run, missed } = newestDue(calendar, current.after, now.getTime());
  const kept = { ...current, after };
  if (!run) return { state: kept, missed };
  if (run.starts > now.getTime()) return { state: kept, next: new Date(run.starts), missed };
  const late = now.getTime() - run.starts;
  const following = calendar.after(run.at);
  const next = following && { next: new Date(following.starts) };
  // Whole seconds, as no timer is exact.
  if (Math.floor(late / second) > (spec.startingDeadlineSeconds ?? Number.POSITIVE_INFINITY)) {
    return { state: { ...kept, after: run.at }, ...next, missed: missed + 1, skipped: 'DeadlineExceeded' };
  }
  return {
    state: kept,
    due: { scheduledFor: run.at, catchUp: missed > 0 || late > lateness },
    ...next,
    missed,
  };
}

/** The state once the run that was due has ended. */
export function settle(state: ScheduleState, scheduledFor: Date): ScheduleState {
  return { ...state, after: scheduledFor };
}

/**
 * After a clock has gone back, runs until `after` are in the future. One of them was just taken and is not repeated.
 * Where that would leave out more than one run, or last over an hour, the clock was wrong before: starts anew.
 */
function sane(calendar: Calendar, after: Date, now: Date): Date {
  if (after <= now) return after;
  if (after.getTime() - now.getTime() > hour) return now;
  const first = calendar.after(now);
  const next = first && calendar.after(first.at);
  return next && next.at <= after ? now : after;
}

/** The newest run that should have started, or else the first to come; `missed` ones before it are given up. */
function newestDue(
  calendar: Calendar,
  from: Date,
  now: number,
): { after: Date; run: Run | undefined; missed: number } {
  let after = from;
  let run = calendar.after(after);
  let missed = 0;
  while (run && run.starts <= now) {
    const following = calendar.after(run.at);
    if (!following || following.starts > now) break;
    missed += 1;
    after = run.at;
    run = following;
    // After a long gap of a frequent schedule there are too many to look at each.
    if (missed === countLimit) {
      after = new Date(calendar.newest(run.at, now - maxJitter).getTime() - 1);
      run = calendar.after(after);
    }
  }
  return { after, run, missed };
}

interface Run {
  /** When by the schedule. */
  at: Date;
  /** When it starts: `at`, and the workspace's share of the jitter. Milliseconds. */
  starts: number;
}

class Calendar {
  readonly #schedule: string;
  readonly #timeZone: string;
  readonly #share: number;

  constructor(schedule: string, timeZone: string, workspace: string) {
    this.#schedule = schedule;
    this.#timeZone = timeZone;
    this.#share = createHash('sha256').update(workspace).digest().readUInt32BE() / 2 ** 32;
  }

  after(instant: Date): Run | undefined {
    const at = nextRun(this.#schedule, this.#timeZone, instant);
    return at && { at, starts: at.getTime() + this.#jitter(at) };
  }

  /** Up to a tenth of the time until the run after it, a minute at most, in whole seconds. */
  #jitter(at: Date): number {
    const following = nextRun(this.#schedule, this.#timeZone, at);
    const interval = following ? following.getTime() - at.getTime() : Number.POSITIVE_INFINITY;
    return Math.floor((this.#share * Math.min(maxJitter, interval / 10)) / second) * second;
  }

  /** The newest run until `end`; `run` is an older one. */
  newest(run: Date, end: number): Date {
    let low = run.getTime();
    let high = end;
    while (high - low >= minute) {
      const middle = Math.floor((low + high) / 2);
      const found = nextRun(this.#schedule, this.#timeZone, new Date(middle))?.getTime();
      if (found !== undefined && found <= end) low = found;
      else high = middle;
    }
    return new Date(low);
  }
}
