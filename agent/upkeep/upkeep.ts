// Keeps the workspace's promises on the node: its schedule and its retention, with or without an operator.
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '../../shared/log.ts';
import type { AgentStatusInput } from '../../shared/proto/gen/jvs/link/v1/AgentStatus.ts';
import { toTimestamp } from '../../shared/proto/timestamp.ts';
import { Emitter } from '../emitter.ts';
import type { Executor } from '../executor/executor.ts';
import {
  planSchedule,
  type ScheduleDecision,
  type ScheduleState,
  scheduleStateSchema,
  settle,
} from '../schedule/plan.ts';
import type { Volume } from '../volume/volume.ts';
import { planPrune } from './plan.ts';
import {
  type Journal,
  journalSchema,
  type Notice,
  type Rules,
  rulesOf,
  rulesSchema,
  StateStore,
} from './state.ts';

export type UpkeepStatus = Pick<
  AgentStatusInput,
  'nextSnapshotTime' | 'scheduleReason' | 'scheduleMessage' | 'heldDeletions'
>;

/** Replaced, never changed. */
export interface UpkeepView {
  readonly status: UpkeepStatus;
  readonly journal: Journal;
}

export interface UpkeepOptions {
  /** namespace/name of the Workspace. */
  workspace: string;
  /** Root of the volume. */
  path: string;
  volume: Volume;
  executor: Executor;
  log: Logger;
  now?: () => Date;
}

/** A clock that was set is noticed within this, and ages expire in trickles. Milliseconds. */
const lookAgainMs = 60_000;
const retentionIntervalMs = 600_000;
const journalLimits = { removed: 1000, notices: 200 };

export class Upkeep {
  /** After every change of the view. */
  readonly changes = new Emitter<[UpkeepView]>();
  readonly #options: Required<UpkeepOptions>;
  readonly #store: StateStore;
  #view: UpkeepView = { status: {}, journal: { removed: [], notices: [] } };
  #rules: Rules | undefined;
  #schedule: ScheduleState | undefined;
  #loaded = false;
  #prunedAt = 0;
  #poke: () => void = () => {};
  #poked = false;

  constructor(options: UpkeepOptions) {
    this.#options = { now: () => new Date(), ...options };
    this.#store = new StateStore(options.path, options.log);
  }

  get view(): UpkeepView {
    return this.#view;
  }

  /** Until aborted. What runs when the signal aborts is the executor's to end. */
  async run(signal: AbortSignal): Promise<void> {
    const { volume, executor, log } = this.#options;
    const subscriptions = [
      executor.desired.subscribe((desired) => {
        const rules = rulesOf(desired);
        if (isDeepStrictEqual(rules, this.#rules)) return this.#wake();
        this.#rules = rules;
        this.#prunedAt = 0;
        this.#wake();
      }),
      volume.changes.subscribe((now, before) => {
        if (now.snapshots !== before.snapshots) this.#prunedAt = 0;
        if (now.snapshots !== before.snapshots || now.info !== before.info) this.#wake();
      }),
    ];
    while (!signal.aborted) {
      const wait = await this.#turn(signal).catch((err: unknown) => {
        if (!signal.aborted) log.error({ err }, 'upkeep failed, trying again');
        return lookAgainMs;
      });
      await this.#sleep(Math.min(wait, lookAgainMs), signal);
    }
    for (const unsubscribe of subscriptions) unsubscribe();
  }

  /** Does what is due, and says when to look again, in milliseconds. */
  async #turn(signal: AbortSignal): Promise<number> {
    const { volume, executor } = this.#options;
    if (!volume.state.info) return lookAgainMs;
    if (!this.#loaded) await this.#load();
    if (executor.role === 'ROLE_STANDBY' || !this.#rules) {
      this.#set({ status: {} });
      return lookAgainMs;
    }
    await this.#remember('rules', this.#rules);
    const decision = await this.#plan();
    if (decision.due) await this.#takeSnapshot(decision.due, signal);
    const next = decision.due ? await this.#plan() : decision;
    this.#set({ status: { ...this.#view.status, ...scheduleStatus(this.#rules, next) } });

    const { now } = this.#options;
    if (now().getTime() - this.#prunedAt >= retentionIntervalMs) {
      this.#prunedAt = now().getTime();
      await this.#prune(signal);
    }
    return next.next ? Math.max(0, next.next.getTime() - now().getTime()) : lookAgainMs;
  }

  async #load(): Promise<void> {
    const rules = await this.#store.load('rules', rulesSchema);
    this.#rules ??= rules;
    this.#schedule = await this.#store.load('schedule', scheduleStateSchema);
    const journal = await this.#store.load('journal', journalSchema);
    if (journal) this.#set({ journal });
    this.#loaded = true;
  }

  readonly #saved = new Map<string, unknown>();
  async #remember(name: string, value: unknown): Promise<void> {
    if (isDeepStrictEqual(this.#saved.get(name), value)) return;
    await this.#store.save(name, value);
    this.#saved.set(name, value);
  }

  async #plan(): Promise<ScheduleDecision> {
    const { workspace, now } = this.#options;
    const schedule = this.#rules?.schedule;
    const decision = planSchedule({
      workspace,
      spec: schedule && {
        enabled: true,
        schedule: schedule.cron,
        timeZone: schedule.timeZone,
        suspend: schedule.suspend,
        ...(schedule.startingDeadlineSeconds !== undefined && {
          startingDeadlineSeconds: schedule.startingDeadlineSeconds,
        }),
      },
      state: this.#schedule,
      now: now(),
      running: false, // one turn at a time
    });
    if (decision.state) {
      this.#schedule = decision.state;
      await this.#remember('schedule', decision.state);
    }
    if (decision.missed > 0) {
      await this.#notice(
        `missed-${decision.state?.after.getTime()}`,
        'SnapshotMissed',
        `${decision.missed} scheduled snapshots were missed while the workspace did not run or was suspended`,
      );
    }
    return decision;
  }

  /** Tagged with its time, so that one that was taken before a crash is found and not taken twice. */
  async #takeSnapshot(
    { scheduledFor, catchUp }: { scheduledFor: Date; catchUp: boolean },
    signal: AbortSignal,
  ) {
    const { executor, log } = this.#options;
    const unix = scheduledFor.getTime() / 1000;
    try {
      const made = await executor.automatic({
        note: `Scheduled for ${scheduledFor.toISOString().replace('.000Z', 'Z')}`,
        tags: this.#rules?.schedule?.tags ?? [],
        requestTag: `auto-${unix}`,
      });
      log.info({ snapshot: made.snapshot_id, scheduledFor, catchUp }, 'scheduled snapshot taken');
    } catch (err) {
      if (signal.aborted) throw err; // not settled: the next start takes it
      log.error({ err, scheduledFor }, 'scheduled snapshot not taken');
      const message = err instanceof Error ? err.message : String(err);
      await this.#notice(`failed-${unix}`, 'ScheduledSnapshotFailed', message.slice(0, 1024));
    }
    if (!this.#schedule) return;
    this.#schedule = settle(this.#schedule, scheduledFor);
    await this.#remember('schedule', this.#schedule);
  }

  async #prune(signal: AbortSignal): Promise<void> {
    const { volume, executor, log, now } = this.#options;
    if (!this.#rules) return;
    const worktrees = await volume.repository.worktrees();
    const { doomed, held } = planPrune(volume.state.snapshots, worktrees, this.#rules, now());
    this.#set({ status: { ...this.#view.status, heldDeletions: held } });
    if (held > 0) {
      await this.#notice(
        `held-${held}`,
        'MassPruneHeld',
        `Retention would delete ${held} of ${volume.state.snapshots.length} snapshots at once: annotate the Workspace with jvs.io/allow-mass-prune=true to let it, or correct retentionPolicy`,
      );
    }
    for (const { id, reasons } of doomed) {
      if (signal.aborted) return;
      await executor.delete(id);
      log.info({ snapshot: id, reasons }, 'snapshot pruned');
      const removal = { id, time: now().toISOString(), reason: 'Pruned', message: reasons.join('; ') };
      const { removed, notices } = this.#view.journal;
      await this.#write({ removed: [...removed, removal].slice(-journalLimits.removed), notices });
    }
    if (doomed.length > 0) await volume.refresh();
  }

  async #notice(id: string, reason: string, message: string): Promise<void> {
    const { removed, notices } = this.#view.journal;
    if (notices.some((notice) => notice.id === id)) return;
    const time = this.#options.now().toISOString();
    const notice: Notice = { id, time, warning: true, reason, message };
    await this.#write({ removed, notices: [...notices, notice].slice(-journalLimits.notices) });
  }

  async #write(journal: Journal): Promise<void> {
    await this.#remember('journal', journal);
    this.#set({ journal });
  }

  #set(change: Partial<UpkeepView>): void {
    const now = { ...this.#view, ...change };
    if (isDeepStrictEqual(now, this.#view)) return;
    this.#view = now;
    this.changes.emit(now);
  }

  #wake(): void {
    this.#poked = true;
    this.#poke();
  }

  async #sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (!this.#poked && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, milliseconds);
      this.#poke = resolve;
      signal.addEventListener('abort', () => resolve(), { once: true });
      await promise;
      clearTimeout(timer);
    }
    this.#poked = false;
  }
}

/** For condition Scheduled of the Workspace. */
export function scheduleStatus(
  { schedule }: Rules,
  { skipped, next }: Pick<ScheduleDecision, 'skipped' | 'next'>,
): UpkeepStatus {
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
