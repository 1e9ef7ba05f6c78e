// Deletes what retention does not keep.
import type { Logger } from '../../shared/log.ts';
import { type Clock, isLately } from '../clock.ts';
import { NotPrimary } from '../executor/errors.ts';
import type { Executor } from '../executor/executor.ts';
import type { Meters } from '../metrics/meters.ts';
import { RepositoryError } from '../repository/repository.ts';
import { type Volume, VolumeUnavailable } from '../volume/volume.ts';
import { type Journal, mostRemoved } from './journal.ts';
import { heldId, type Notes, type PrunePlan, planPrune } from './plan.ts';
import type { Rules } from './rules.ts';

export interface PrunerOptions {
  volume: Volume;
  executor: Pick<Executor, 'delete'>;
  journal: Journal;
  meters: Meters;
  clock: Clock;
  log: Logger;
}

/** What a deletion asks before its turn, and when it comes. */
interface Asks {
  prepare: () => Promise<void>;
  goes: (id: string) => boolean;
}

const batch = mostRemoved / 2;
/** What may pass is said when it has not for so long. */
const patienceMs = 300_000;

export class Pruner {
  readonly #options: PrunerOptions;
  /** Since when nothing can be planned. */
  #stuckSince: Date | undefined;

  constructor(options: PrunerOptions) {
    this.#options = options;
  }

  /** What would be done now. @throws VolumeUnavailable, RangeError for rules that retention refuses */
  async plan(rules: Rules, notes: Notes): Promise<PrunePlan> {
    const { volume, clock } = this.#options;
    const worktrees = await volume.repository.worktrees();
    return planPrune(volume.state.snapshots, worktrees, notes, rules, clock.now());
  }

  /** The plan for `rules`; undefined, and said, where it is refused: then nothing goes. */
  async tryPlan(rules: Rules, notes: Notes): Promise<PrunePlan | undefined> {
    const { volume, journal, log } = this.#options;
    try {
      const plan = await this.plan(rules, notes);
      this.#stuckSince = undefined;
      if (plan.held > 0) {
        await journal.notice(
          heldId(rules),
          'MassPruneHeld',
          `Retention would delete ${plan.held} of ${volume.state.snapshots.length} snapshots at once: annotate the Workspace with jvs.io/allow-mass-prune=true to let it, or correct retentionPolicy`,
        );
      }
      return plan;
    } catch (error) {
      if (error instanceof RepositoryError) await this.#sayStuck(error);
      if (!(error instanceof RangeError)) throw error;
      log.error({ err: error }, 'retention is refused');
      await journal.notice(heldId(rules), 'RetentionRefused', error.message);
      return undefined;
    }
  }

  async #sayStuck({ message, transient }: RepositoryError): Promise<void> {
    const { journal, clock } = this.#options;
    const now = clock.now();
    this.#stuckSince ??= now;
    if (transient && isLately(this.#stuckSince.getTime(), now.getTime(), patienceMs)) return;
    await journal.notice(
      `stuck-${this.#stuckSince.toISOString()}`,
      'RetentionStopped',
      `Retention deletes nothing, for it can not see what worktrees need: ${message}. See jvs-agent doctor`,
    );
  }

  /** Whether it would go by these rules too, as far as the volume is known. */
  dooms(id: string, rules: Rules, notes: Notes): boolean {
    const { snapshots, worktrees } = this.#options.volume.state;
    try {
      const { doomed } = planPrune(snapshots, worktrees, notes, rules, this.#options.clock.now());
      return doomed.some((one) => one.id === id);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return false;
    }
  }

  /**
   * Deletes one by one until `until` or the signal, those that still go when their turn comes; whether that was all.
   * `prepare` is run before each.
   */
  async prune(
    { doomed }: PrunePlan,
    until: Date | undefined,
    signal: AbortSignal,
    asks: Asks,
  ): Promise<boolean> {
    let all = true;
    // The journal has room for so many: of more, the first were forgotten before the volume was seen without them.
    for (let at = 0; at < doomed.length; at += batch) {
      const outcome = await this.#batch(doomed.slice(at, at + batch), until, signal, asks);
      if (outcome === 'stopped') return false;
      all &&= outcome === 'all';
    }
    return all;
  }

  async #batch(
    doomed: PrunePlan['doomed'],
    until: Date | undefined,
    signal: AbortSignal,
    { prepare, goes }: Asks,
  ): Promise<'all' | 'some' | 'stopped'> {
    const { volume, executor, journal, meters, clock, log } = this.#options;
    // Before they go: should this process end now, nobody is to wonder where they are.
    await journal.removed(
      doomed.map(({ id, reasons }) => ({ id, reason: 'Pruned', message: reasons.join('; ') })),
    );
    let outcome: 'all' | 'some' = 'all';
    let diskFailed = false;
    try {
      for (const { id, reasons } of doomed) {
        if (signal.aborted || (until && clock.now() >= until)) return 'stopped';
        await prepare();
        let stays = false;
        const wanted = () => {
          stays = !goes(id);
          return !stays;
        };
        try {
          await executor.delete(id, wanted);
          meters.pruned.add(1);
          log.info({ snapshot: id, reasons }, 'snapshot pruned');
        } catch (error) {
          if (error instanceof NotPrimary || error instanceof VolumeUnavailable) return 'stopped';
          if (!(error instanceof RepositoryError)) throw error;
          if (error.reason === 'NotFound') continue;
          outcome = 'some';
          if (stays) continue;
          const { reason, transient } = error;
          const stops = reason === 'Aborted' || reason === 'Busy' || reason === 'VolumeFull';
          // Of a disk that does nothing at all, one says it.
          if (!stops && transient && diskFailed) continue;
          log.warn({ err: error, snapshot: id }, 'snapshot not pruned');
          if (stops) return 'stopped';
          diskFailed ||= transient;
          // Somebody has just restored it, or the disk can not read it, say: the others can go all the same.
          await journal.notice(`prune-${id}`, 'PruneFailed', `Snapshot ${id}: ${error.message}`);
        }
      }
    } finally {
      await volume.refresh();
    }
    return outcome;
  }
}
