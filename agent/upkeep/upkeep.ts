// Keeps the workspace's promises on the node, with or without an operator: its schedule, its retention, and that its
// snapshots can still be read.
import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod/mini';
import type { Logger } from '../../shared/log.ts';
import type { Role } from '../../shared/proto/gen/jvs/agent/v1/Role.ts';
import { type Clock, systemClock } from '../clock.ts';
import { Emitter } from '../emitter.ts';
import type { Executor } from '../executor/executor.ts';
import { Meters } from '../metrics/meters.ts';
import type { Verification } from '../repository/repository.ts';
import { isDamaged, type SnapshotNotes } from '../snapshot.ts';
import type { StateStore } from '../state.ts';
import { diff } from '../volume/diff.ts';
import type { Volume, VolumeState } from '../volume/volume.ts';
import { Journal, type JournalEntries } from './journal.ts';
import type { Notes, PrunePlan } from './plan.ts';
import { Pruner } from './pruner.ts';
import { isSame, noRules, type Rules, rulesOf, rulesSchema } from './rules.ts';
import { Scheduler, type ScheduleStatus } from './scheduler.ts';
import { Verifier, type VerifySettings } from './verifier.ts';

export interface UpkeepStatus extends ScheduleStatus {
  heldDeletions?: number;
}

/** Replaced, never changed; so are its parts. */
export interface UpkeepView {
  readonly status: UpkeepStatus;
  readonly journal: JournalEntries;
  /** By the snapshot's id. */
  readonly notes: Notes;
}

export interface UpkeepOptions {
  /** namespace/name of the Workspace. */
  workspace: string;
  /** What the final snapshot is of. */
  worktree: string;
  store: StateStore;
  volume: Volume;
  executor: Executor;
  log: Logger;
  meters?: Meters;
  verify?: VerifySettings;
  /** No user's container runs in this pod: no schedule, nothing to quiesce, nothing to save at the end. */
  maintenance?: boolean;
  clock?: Clock;
  /** Retention waits so long for more snapshots to come or go, milliseconds. */
  settleMs?: number;
}

/** A clock that was set is noticed within this. Milliseconds. */
const lookAgainMs = 60_000;
/** What a pod says that does not run the workspace. */
const stopped: { status: ScheduleStatus; next?: Date } = {
  status: {
    scheduleReason: 'WorkspaceStopped',
    scheduleMessage: 'Only a maintenance pod runs: scheduled snapshots are skipped until the workspace does',
  },
};
/** A final snapshot that has begun. */
const finalSchema = z.object({ worktree: z.string(), since: z.string() });

/** Ages expire in trickles. */
const retentionIntervalMs = 600_000;

export class Upkeep {
  /** After every change of the view. */
  readonly changes = new Emitter<[UpkeepView]>();
  readonly #options: Required<UpkeepOptions>;
  readonly #journal: Journal;
  readonly #scheduler: Scheduler;
  readonly #pruner: Pruner;
  readonly #verifier: Verifier;
  #view: UpkeepView = { status: {}, journal: { removed: [], notices: [] }, notes: new Map() };
  /** Another object after each change. */
  #rules: Rules | undefined;
  /** Those on the volume. */
  #written: Rules | undefined;
  #writing: Promise<void> = Promise.resolve();
  /** Since when nothing can be written down, milliseconds since the epoch. */
  #unsavedSince: number | undefined;
  #role: Role | undefined;
  #reasons: ReadonlyMap<string, readonly string[]> = new Map();
  #decisions: Readonly<Record<'keep' | 'delete' | 'held', number>> = { keep: 0, delete: 0, held: 0 };
  #loaded = false;
  /** When retention looks again, milliseconds since the epoch; 0 when the plan before is void. */
  #pruneAt = 0;
  #waking = new AbortController();

  constructor(options: UpkeepOptions) {
    const meters = options.meters ?? new Meters();
    const verify = options.verify ?? { bytesPerSecond: 0, intervalMs: 0 };
    this.#options = { clock: systemClock, settleMs: 2000, maintenance: false, ...options, meters, verify };
    const { clock, store } = this.#options;
    this.#journal = new Journal(store, clock, () => this.#set({ journal: this.#journal.entries }));
    const parts = { ...this.#options, journal: this.#journal };
    this.#scheduler = new Scheduler(parts);
    this.#pruner = new Pruner(parts);
    this.#verifier = new Verifier({ ...parts, settings: verify, onChange: () => this.#verified() });
  }

  get view(): UpkeepView {
    return this.#view;
  }

  /** Of the newest plan of retention, how many snapshots stay, go, and would go. */
  get decisions(): Readonly<Record<'keep' | 'delete' | 'held', number>> {
    return this.#decisions;
  }

  /** What retention would do now. @throws VolumeUnavailable, RangeError for a policy that is refused */
  plan(): Promise<PrunePlan> {
    return this.#pruner.plan(this.#rules ?? noRules, this.#verifier.results);
  }

  /** Reads a snapshot again, now. @throws RepositoryError, VolumeUnavailable */
  verify(id: string, signal: AbortSignal): Promise<Verification> {
    return this.#verifier.check(id, signal);
  }

  /**
   * The snapshot of an agent that is told to stop, where the rules ask for one and something has changed. What keeps
   * it from being taken is told. Whether there is anything to tell; never throws.
   */
  async takeFinal(): Promise<boolean> {
    const { volume, executor, store, worktree, maintenance, clock, log } = this.#options;
    if (maintenance || !volume.state.info) return false;
    let news = true;
    try {
      // It may have been told to stop before it had read them.
      const rules = this.#rules ?? (await store.load('rules', rulesSchema));
      if (!rules?.finalSnapshot) return false;
      // Should nobody wait for it, the next start says so.
      await store.save('final', { worktree, since: clock.now().toISOString() });
      const before = volume.state.snapshots;
      const note = 'Before the pod stopped';
      const taken = await executor.final({ worktree, note, unlessUnchanged: this.#headIsGood(worktree) });
      log.info({ snapshot: taken.snapshot_id }, 'final snapshot');
      news = !before.some(({ snapshot_id }) => snapshot_id === taken.snapshot_id);
    } catch (err) {
      log.error({ err }, 'final snapshot not taken');
      const why = err instanceof Error ? err.message : String(err);
      const message = `The final snapshot of ${worktree} was not taken: ${why}. Give it time with terminationGracePeriodSeconds, and see that the volume has room`;
      await this.#journal.notice(`final-${this.#now()}`, 'FinalSnapshotFailed', message);
    }
    await store.remove('final');
    return news;
  }

  /** Until aborted. What runs when the signal aborts is the executor's to end. */
  async run(signal: AbortSignal): Promise<void> {
    const { volume, executor, clock, maintenance, log } = this.#options;
    const subscriptions = [
      executor.desired.subscribe((desired) => {
        const before = this.#rules;
        const rules = rulesOf(desired);
        if (!isDeepStrictEqual(rules, before)) this.#rules = rules;
        if (!maintenance) executor.hooks.use(rules.hooks);
        if (isSame(rules, before) && executor.role === this.#role) {
          if (this.#rules !== before) this.#pruneSoon();
          return;
        }
        this.#role = executor.role;
        this.#pruneAt = 0;
        // A turn may wait for long, behind a restore say: what is pinned meanwhile is not to go with this process.
        if (this.#loaded && this.#role !== 'ROLE_STANDBY') void this.#keepRules();
        this.#wake();
      }),
      volume.changes.subscribe((now, before) => this.#volumeChanged(now, before)),
      executor.deleting.subscribe((id) => {
        const message = 'Its Snapshot was deleted with deletionPolicy Delete';
        void this.#journal.removed([{ id, reason: 'Deleted', message }]);
      }),
      executor.hooks.failures.subscribe(({ id, message }) => {
        void this.#journal.notice(id, 'HookFailed', message);
      }),
    ];
    const verifies = this.#verifier.run(signal);
    while (!signal.aborted) {
      this.#waking = new AbortController();
      const wait = await this.#turn(signal).catch((err: unknown) => {
        if (!signal.aborted) log.error({ err }, 'upkeep failed, trying again');
        return lookAgainMs;
      });
      await clock.sleep(Math.min(wait, lookAgainMs), AbortSignal.any([signal, this.#waking.signal]));
    }
    for (const unsubscribe of subscriptions) unsubscribe();
    await verifies;
  }

  /** Does what is due, and says when to look again, in milliseconds. */
  async #turn(signal: AbortSignal): Promise<number> {
    const { volume, executor, clock } = this.#options;
    if (!volume.state.info) return lookAgainMs;
    if (executor.role === 'ROLE_STANDBY') {
      // The primary goes on with what is on the volume; whoever is it next begins with that.
      this.#loaded = false;
      this.#verifier.unload();
      await this.#writing;
      this.#written = undefined;
      this.#reasons = new Map();
      this.#set({ status: {}, notes: this.#annotate() });
      return lookAgainMs;
    }
    if (!this.#loaded) await this.#load();
    const rules = this.#rules ?? noRules;
    await this.#keepRules();
    await this.#sayDamage();
    await this.#sayUnsaved();
    if (executor.hooks.frozen) executor.thaw();

    if (this.#rules && !this.#rules.schedule) await this.#scheduler.forget();
    const show = (status: ScheduleStatus) => this.#set({ status: { ...this.#view.status, ...status } });
    const { status, next } = this.#options.maintenance
      ? stopped
      : await this.#scheduler.turn(rules, this.#headIsGood('main'), show);
    show(status);

    const now = clock.now().getTime();
    if (now >= this.#pruneAt || this.#pruneAt - now > retentionIntervalMs) await this.#prune(next, signal);
    const soonest = Math.min(next?.getTime() ?? Number.POSITIVE_INFINITY, this.#pruneAt);
    return Math.max(0, soonest - clock.now().getTime());
  }

  async #load(): Promise<void> {
    const { store, executor, maintenance } = this.#options;
    const written = await store.load('rules', rulesSchema);
    // The operator may have spoken meanwhile.
    if (!this.#rules) this.#rules = this.#written = written;
    if (!maintenance) executor.hooks.use(this.#rules?.hooks);
    await this.#journal.load();
    await this.#sayCutShort();
    await this.#scheduler.load();
    await this.#verifier.load();
    this.#loaded = true;
  }

  async #keepRules(): Promise<void> {
    if (this.#rules && !isSame(this.#rules, this.#written)) await this.#write();
  }

  /** Those of the moment when its turn comes: one that is slow must not put older ones in the place of newer. */
  #write(): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      const { store, executor, clock } = this.#options;
      const rules = this.#rules;
      if (!rules || rules === this.#written || executor.role === 'ROLE_STANDBY') return;
      const writtenAt = clock.now().toISOString();
      if (await store.save('rules', { ...rules, writtenAt })) this.#written = rules;
    });
    return this.#writing;
  }

  /** A final snapshot that its process did not live to finish. */
  async #sayCutShort(): Promise<void> {
    const { store, volume } = this.#options;
    const begun = await store.load('final', finalSchema);
    if (!begun) return;
    const { worktree, since } = begun;
    const done = volume.state.snapshots.some(
      ({ agent }) => agent?.origin === 'final' && agent.completed_at >= since,
    );
    const message = `The final snapshot of ${worktree} was cut short: the pod was killed before it was done. Give it time with terminationGracePeriodSeconds`;
    if (!done) await this.#journal.notice(`final-${since}`, 'FinalSnapshotFailed', message);
    await store.remove('final');
  }

  async #sayDamage(): Promise<void> {
    for (const { name, path } of this.#options.store.damaged.splice(0)) {
      const message = `What the agent had written down (${name}) could not be read and is now ${path}: it goes on without. Have the storage checked`;
      await this.#journal.notice(`state-${name}-${this.#now()}`, 'AgentStateDamaged', message);
    }
  }

  /** The operator tells it on: nobody reads logs until the rules are missing. */
  async #sayUnsaved(): Promise<void> {
    const { failure } = this.#options.store;
    if (failure === undefined) {
      this.#unsavedSince = undefined;
      return;
    }
    this.#unsavedSince ??= this.#now();
    const message = `What the agent has to remember (pins, policy, schedule, what it owes) can not be written to .jvs/agent: ${failure}. One that starts anew while the operator is away does not know it. See that the volume has room and that the agent's user may write there`;
    await this.#journal.notice(`unsaved-${this.#unsavedSince}`, 'AgentStateNotSaved', message);
  }

  async #prune(until: Date | undefined, signal: AbortSignal): Promise<void> {
    this.#pruneAt = this.#now() + retentionIntervalMs;
    const rules = this.#rules ?? noRules;
    await this.#write();
    const plan = await this.#pruner.tryPlan(rules, this.#verifier.results);
    const { decisions = [], doomed = [], held = 0 } = plan ?? {};
    this.#decisions = {
      keep: decisions.filter(({ keep }) => keep).length,
      delete: doomed.length,
      held,
    };
    this.#reasons = new Map(decisions.flatMap(({ id, keep, reasons }) => (keep ? [[id, reasons]] : [])));
    this.#set({ status: { ...this.#view.status, heldDeletions: held }, notes: this.#annotate() });
    if (!plan) return;
    const prepare = () => this.#keepRules();
    // While one waits for its turn, a pin may come, say.
    const goes = (id: string) =>
      this.#pruneAt > 0 || this.#pruner.dooms(id, this.#rules ?? noRules, this.#verifier.results);
    if (await this.#pruner.prune(plan, until, signal, { prepare, goes })) return;
    this.#pruneAt = Math.min(this.#pruneAt, this.#now() + lookAgainMs);
  }

  #volumeChanged(now: VolumeState, before: VolumeState): void {
    if (now.info !== before.info) this.#wake();
    if (now.snapshots === before.snapshots) return;
    this.#pruneSoon();
    if (!this.#loaded || now.info?.repositoryId !== before.info?.repositoryId) return;
    const known = new Set(this.#journal.entries.removed.map(({ id }) => id));
    const gone = diff(before.snapshots, now.snapshots).removed.filter((id) => !known.has(id));
    const message = 'It is not on the volume any more, and the agent did not delete it';
    void this.#journal.removed(gone.map((id) => ({ id, reason: 'RemovedFromVolume', message })));
  }

  #pruneSoon(): void {
    const at = this.#now() + this.#options.settleMs;
    if (at >= this.#pruneAt) return;
    this.#pruneAt = at;
    this.#wake();
  }

  #verified(): void {
    const notes = this.#annotate();
    const damage = (all: Notes) => [...all].flatMap(([id, { damage }]) => (damage === undefined ? [] : id));
    if (!isDeepStrictEqual(damage(notes), damage(this.#view.notes))) {
      this.#pruneAt = 0;
      this.#wake();
    }
    this.#set({ notes });
  }

  #annotate(): Notes {
    const notes = new Map<string, SnapshotNotes>();
    for (const { snapshot_id: id } of this.#options.volume.state.snapshots) {
      const keepReasons = this.#reasons.get(id);
      const result = this.#verifier.results.get(id);
      if (keepReasons || result) notes.set(id, { ...(keepReasons && { keepReasons }), ...result });
    }
    return notes;
  }

  /** Whether a worktree's newest can stand for it while nothing changes. */
  #headIsGood(worktree: string): boolean {
    const { worktrees, snapshots } = this.#options.volume.state;
    const head = worktrees.find(({ name }) => name === worktree)?.head_snapshot_id;
    const descriptor = snapshots.find(({ snapshot_id }) => snapshot_id === head);
    return (
      descriptor !== undefined && !isDamaged(descriptor, this.#verifier.results.get(descriptor.snapshot_id))
    );
  }

  #set(change: Partial<UpkeepView>): void {
    const now = { ...this.#view, ...change };
    for (const part of ['status', 'journal', 'notes'] as const) {
      // Who compares parts compares what they are, not what is in them.
      if (isDeepStrictEqual(now[part], this.#view[part])) Object.assign(now, { [part]: this.#view[part] });
    }
    if (Object.entries(now).every(([part, value]) => value === this.#view[part as keyof UpkeepView])) return;
    this.#view = now;
    this.changes.emit(now);
  }

  #now(): number {
    return this.#options.clock.now().getTime();
  }

  #wake(): void {
    this.#waking.abort();
  }
}
