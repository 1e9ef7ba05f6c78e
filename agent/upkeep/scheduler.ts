// Takes the snapshots of the schedule. Each run is written down before it starts and settled after it has ended; a
// crash between the two finds its snapshot by its tag.
import type { Logger } from '../../shared/log.ts';
import type { AgentStatusInput } from '../../shared/proto/gen/jvs/link/v1/AgentStatus.ts';
import { toTimestamp } from '../../shared/proto/timestamp.ts';
import { type Clock, isLately } from '../clock.ts';
import { NotPrimary } from '../executor/errors.ts';
import type { Executor } from '../executor/executor.ts';
import type { Meters } from '../metrics/meters.ts';
import { RepositoryError } from '../repository/repository.ts';
import {
  planSchedule,
  type ScheduleDecision,
  type ScheduleState,
  scheduleStateSchema,
  settle,
} from '../schedule/plan.ts';
import { scheduleTag } from '../snapshot.ts';
import type { StateStore } from '../state.ts';
import { VolumeUnavailable } from '../volume/volume.ts';
import type { Journal } from './journal.ts';
import type { Rules } from './rules.ts';

export type ScheduleStatus = Pick<
  AgentStatusInput,
  'nextSnapshotTime' | 'scheduleReason' | 'scheduleMessage'
>;

export interface SchedulerOptions {
  /** namespace/name of the Workspace. */
  workspace: string;
  executor: Pick<Executor, 'automatic'>;
  store: StateStore;
  journal: Journal;
  meters: Meters;
  clock: Clock;
  log: Logger;
}

/** After a failure that may pass; the run stands until the next one is due. */
const retryMs = 60_000;

export class Scheduler {
  readonly #options: SchedulerOptions;
  #state: ScheduleState | undefined;
  /** Milliseconds since the epoch. */
  #failed: { scheduledFor: number; at: number } | undefined;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  async load(): Promise<void> {
    this.#state = await this.#options.store.load('schedule', scheduleStateSchema);
  }

  /** There is no schedule: should there be one again, the time without has no runs that were missed. */
  async forget(): Promise<void> {
    if (!this.#state) return;
    this.#state = undefined;
    await this.#options.store.remove('schedule');
  }

  /** Takes the snapshot that is due, if one is. `headIsGood`: the newest snapshot can stand for an unchanged tree. */
  async turn(
    { schedule }: Rules,
    headIsGood: boolean,
    onDue: (status: ScheduleStatus) => void,
  ): Promise<{ status: ScheduleStatus; next?: Date }> {
    let decision = await this.#plan(schedule);
    if (decision.due && this.#mayTry(decision.due.scheduledFor)) {
      onDue(scheduleStatus(schedule, decision));
      await this.#take(decision.due, schedule, headIsGood);
      decision = await this.#plan(schedule);
    }
    return {
      status: scheduleStatus(schedule, decision),
      ...(decision.next && { next: decision.next }),
    };
  }

  async #plan(schedule: Rules['schedule']): Promise<ScheduleDecision> {
    const { workspace, store, journal, meters, clock } = this.#options;
    const decision = planSchedule({
      workspace,
      spec: schedule && { ...schedule, schedule: schedule.cron },
      state: this.#state,
      now: clock.now(),
    });
    const { state, missed } = decision;
    if (missed > 0 && state) {
      meters.missed.add(missed);
      const runs = missed === 1 ? '1 run' : `${missed} runs`;
      await journal.notice(
        `missed-${state.after.getTime() / 1000}`,
        'SnapshotMissed',
        `${runs} of schedule ${state.schedule} until ${seconds(state.after)} gave no snapshot: the workspace did not run, was suspended or was busy`,
      );
    }
    if (state) {
      this.#state = state;
      await store.save('schedule', state);
    }
    return decision;
  }

  #mayTry(scheduledFor: Date): boolean {
    const failed = this.#failed;
    const again = failed?.scheduledFor === scheduledFor.getTime();
    return !again || !isLately(failed.at, this.#options.clock.now().getTime(), retryMs);
  }

  async #take(
    { scheduledFor, catchUp }: NonNullable<ScheduleDecision['due']>,
    schedule: Rules['schedule'],
    headIsGood: boolean,
  ): Promise<void> {
    const { executor, store, journal, meters, clock, log } = this.#options;
    const requestTag = scheduleTag(scheduledFor);
    if (this.#failed?.scheduledFor !== scheduledFor.getTime()) {
      meters.lag.observe((clock.now().getTime() - scheduledFor.getTime()) / 1000);
    }
    try {
      const made = await executor.automatic({
        note: `Scheduled for ${seconds(scheduledFor)}`,
        tags: schedule?.tags ?? [],
        requestTag,
        unlessUnchanged: (schedule?.skipUnchanged ?? false) && headIsGood,
      });
      const unchanged = !made.tags?.includes(requestTag);
      log.info({ snapshot: made.snapshot_id, scheduledFor, catchUp, unchanged }, 'scheduled run done');
    } catch (err) {
      this.#failed = {
        scheduledFor: scheduledFor.getTime(),
        at: clock.now().getTime(),
      };
      if (isInterruption(err)) return;
      log.error({ err, scheduledFor }, 'scheduled snapshot not taken');
      const message = `The snapshot scheduled for ${seconds(scheduledFor)}: ${err instanceof Error ? err.message : err}`;
      await journal.notice(`failed-${scheduledFor.getTime() / 1000}`, 'ScheduledSnapshotFailed', message);
      if (!(err instanceof RepositoryError) || err.transient) return;
    }
    if (!this.#state) return;
    this.#state = settle(this.#state, scheduledFor);
    await store.save('schedule', this.#state);
  }
}

/** Says nothing about the run: it is taken when there is a primary agent with a volume again. */
function isInterruption(error: unknown): boolean {
  if (error instanceof NotPrimary || error instanceof VolumeUnavailable) return true;
  return error instanceof RepositoryError && error.reason === 'Aborted';
}

/** RFC 3339, as people read it. */
const seconds = (time: Date) => time.toISOString().replace('.000Z', 'Z');

/** For condition Scheduled of the Workspace. */
export function scheduleStatus(
  schedule: Rules['schedule'],
  { skipped, next }: Pick<ScheduleDecision, 'skipped' | 'next'>,
): ScheduleStatus {
  if (!schedule) return { nextSnapshotTime: null, scheduleReason: '', scheduleMessage: '' };
  const [scheduleReason, scheduleMessage] =
    skipped === 'Suspended'
      ? ['Suspended', 'spec.autoSnapshot.suspend is true: no snapshot is taken by itself']
      : skipped === 'Invalid'
        ? ['InvalidSchedule', `${schedule.cron} in ${schedule.timeZone} can not be understood by this agent`]
        : ['Active', `${schedule.cron} in ${schedule.timeZone}`];
  const nextSnapshotTime = next && skipped !== 'Suspended' ? toTimestamp(next.toISOString()) : null;
  return { nextSnapshotTime, scheduleReason, scheduleMessage };
}
