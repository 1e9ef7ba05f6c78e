// Reads every snapshot again, slowly and one after another, while there is nothing else to do: what the storage has
// damaged is found before somebody needs it.
import * as z from 'zod/mini';
import type { Logger } from '../../shared/log.ts';
import { type Clock, isLately } from '../clock.ts';
import type { Executor } from '../executor/executor.ts';
import type { Meters } from '../metrics/meters.ts';
import { RepositoryError, type Verification } from '../repository/repository.ts';
import type { SnapshotNotes } from '../snapshot.ts';
import type { StateStore } from '../state.ts';
import type { Volume } from '../volume/volume.ts';
import type { Journal } from './journal.ts';
import { planVerification } from './plan.ts';

export interface VerifySettings {
  /** On average; 0: never by itself. */
  bytesPerSecond: number;
  /** Each snapshot is verified once in this time, milliseconds. */
  intervalMs: number;
}

export interface VerifierOptions {
  settings: VerifySettings;
  volume: Volume;
  executor: Pick<Executor, 'asked' | 'idle' | 'role'>;
  store: StateStore;
  journal: Journal;
  meters: Meters;
  clock: Clock;
  log: Logger;
  onChange: () => void;
}

type Result = Required<Pick<SnapshotNotes, 'verifiedAt'>> & Pick<SnapshotNotes, 'damage'>;
export const resultsSchema = z.record(
  z.string(),
  z.object({ verifiedAt: z.string(), damage: z.optional(z.string()) }),
);

export const resultsOf = (stored: z.infer<typeof resultsSchema> | undefined): ReadonlyMap<string, Result> =>
  new Map(
    Object.entries(stored ?? {}).map(([id, { verifiedAt, damage }]) => [
      id,
      { verifiedAt, ...(damage !== undefined && { damage }) },
    ]),
  );

const lookAgainMs = 60_000;
/** One that could not be verified, for a reason that says nothing about it. */
const retryMs = 3_600_000;
/** How often one gives way to what people wait for; then it is finished, for it would never be. */
const mostYields = 3;

export class Verifier {
  readonly #options: VerifierOptions;
  #results: ReadonlyMap<string, Result> = new Map();
  #loaded = false;
  #running: { id: string; controller: AbortController } | undefined;
  readonly #yields = new Map<string, number>();
  /** Since when, by id; milliseconds since the epoch. */
  readonly #postponed = new Map<string, number>();

  constructor(options: VerifierOptions) {
    this.#options = options;
  }

  /** By id, of snapshots that were verified; replaced, never changed. */
  get results(): ReadonlyMap<string, Result> {
    return this.#results;
  }

  /** Another agent writes the results down from now on. */
  unload(): void {
    this.#loaded = false;
  }

  async load(): Promise<void> {
    this.#results = resultsOf(await this.#options.store.load('verify', resultsSchema));
    this.#loaded = true;
    this.#options.onChange();
  }

  /** Until aborted. Begins when `load` has been called. */
  async run(signal: AbortSignal): Promise<void> {
    const { settings, executor, clock, log } = this.#options;
    if (settings.bytesPerSecond === 0) return;
    const unsubscribe = executor.asked.subscribe(() => this.#giveWay());
    while (!signal.aborted) {
      const id = this.#due();
      if (id === undefined) {
        await clock.sleep(Math.min(lookAgainMs, settings.intervalMs), signal);
        continue;
      }
      await executor.idle();
      const controller = new AbortController();
      this.#running = { id, controller };
      try {
        await this.#verify(id, {
          bytesPerSecond: settings.bytesPerSecond,
          signal: AbortSignal.any([signal, controller.signal]),
        });
      } catch (err) {
        if (!controller.signal.aborted && !signal.aborted) {
          this.#postponed.set(id, clock.now().getTime());
          if (!isGone(err)) {
            log.warn({ err, snapshot: id }, 'a snapshot could not be verified');
            this.#options.meters.verified('failure');
          }
        }
      } finally {
        this.#running = undefined;
      }
      if (controller.signal.aborted) await clock.sleep(lookAgainMs, signal);
    }
    unsubscribe();
  }

  /** Now and as fast as it can, for somebody who asks. @throws RepositoryError, VolumeUnavailable */
  async check(id: string, signal: AbortSignal): Promise<Verification> {
    this.#running?.controller.abort();
    return this.#verify(id, { signal });
  }

  #due(): string | undefined {
    const { volume, executor, settings, clock } = this.#options;
    const { info, problem, snapshots } = volume.state;
    if (!this.#loaded || !info || problem || executor.role === 'ROLE_STANDBY') return undefined;
    const now = clock.now().getTime();
    const ready = snapshots.filter(({ snapshot_id }) => {
      const since = this.#postponed.get(snapshot_id);
      return since === undefined || !isLately(since, now, retryMs);
    });
    const next = planVerification(ready, this.#results, settings.intervalMs, now);
    return next && next.at <= now ? next.id : undefined;
  }

  #giveWay(): void {
    if (!this.#running) return;
    const { id, controller } = this.#running;
    const yields = this.#yields.get(id) ?? 0;
    if (yields >= mostYields || controller.signal.aborted) return;
    this.#yields.set(id, yields + 1);
    controller.abort();
  }

  async #verify(
    id: string,
    options: { bytesPerSecond?: number; signal: AbortSignal },
  ): Promise<Verification> {
    const { repository } = this.#options.volume;
    let found: Verification;
    try {
      found = await repository.verify(id, options);
    } catch (error) {
      if (!(error instanceof RepositoryError) || error.reason !== 'DamagedRepository') throw error;
      found = { snapshotId: id, descriptorValid: false, payloadValid: false, error: error.message };
    }
    const valid = found.descriptorValid && found.payloadValid;
    // What the primary has found, and what was found before this agent has read it, is not written over.
    if (this.#loaded && this.#options.executor.role !== 'ROLE_STANDBY') {
      await this.#record(id, valid ? undefined : (found.error ?? 'it does not match its hash'));
    }
    return found;
  }

  async #record(id: string, damage: string | undefined): Promise<void> {
    const { volume, store, journal, meters, clock, log, onChange } = this.#options;
    const now = clock.now();
    const before = this.#results.get(id);
    const there = new Set(volume.state.snapshots.map(({ snapshot_id }) => snapshot_id));
    const kept = [...this.#results].filter(([known]) => known !== id && there.has(known));
    const result = { verifiedAt: now.toISOString(), ...(damage !== undefined && { damage }) };
    this.#results = new Map([...kept, [id, result]]);
    this.#yields.delete(id);
    this.#postponed.delete(id);
    meters.verified(damage === undefined ? 'valid' : 'damaged');
    if (damage !== undefined && before?.damage === undefined) {
      log.error({ snapshot: id, damage }, 'a snapshot is damaged');
      const message = `Snapshot ${id} is not what was saved: ${damage}. Restore from another one, and have the storage checked`;
      await journal.notice(`damaged-${id}-${now.getTime()}`, 'SnapshotDamaged', message);
    }
    await store.save('verify', Object.fromEntries(this.#results));
    onChange();
  }
}

/** It was deleted meanwhile. */
function isGone(error: unknown): boolean {
  return error instanceof RepositoryError && error.reason === 'NotFound';
}
