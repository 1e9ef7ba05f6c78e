// Brings spec.initialSnapshot to a new volume before the volume is put to use: user containers start on the restored
// tree. Killed anywhere, the agent's next start goes on.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { type Backoff, backoffMs } from '../../shared/backoff.ts';
import type { Logger } from '../../shared/log.ts';
import type { DesiredState } from '../../shared/proto/gen/jvs/link/v1/DesiredState.ts';
import type { Initial } from '../../shared/proto/gen/jvs/link/v1/Initial.ts';
import type { Emitter } from '../emitter.ts';
import { hasCode } from '../repository/native/fs/errors.ts';
import { abandonImport } from '../repository/native/import.ts';
import { Layout } from '../repository/native/layout.ts';
import { RepositoryError, type WorktreeRepository } from '../repository/repository.ts';
import type { StateStore } from '../state.ts';
import type { Problem } from '../volume/volume.ts';
import { type Facts, markerSchema, planStep } from './plan.ts';
import { receiveSnapshot } from './process.ts';

export interface InitialOptions {
  /** Name of the Snapshot; undefined where the Workspace has none. */
  wanted: string | undefined;
  /** Root of the volume. */
  path: string;
  store: StateStore;
  /** Who holds the volume's lease meanwhile, for people. */
  holder: string;
  /** What the operator wants, each time that it says so. */
  desired: Emitter<[DesiredState]>;
  log: Logger;
  retry?: Backoff;
}

/** Another pod may bring it, or the operator may have nothing new to say. */
const lookAgainMs = 2_000;
/** What another attempt does not change is tried again all the same, after this. */
const terminalRetryMs = 600_000;
const reportMs = 5_000;

export class InitialSnapshot {
  readonly #options: Required<InitialOptions>;
  #desired: Pick<DesiredState, 'role' | 'initial'> | undefined;
  #changed = new AbortController();
  readonly #unsubscribe: () => void;

  constructor(options: InitialOptions) {
    this.#options = { retry: { baseMs: 1_000, capMs: 30_000 }, ...options };
    this.#unsubscribe = options.desired.subscribe((now) => this.#hear(now));
  }

  /** Resolves when the volume may be put to use. `tell` hears what it waits for. */
  async bring(
    repository: WorktreeRepository,
    signal: AbortSignal,
    tell: (problem: Problem) => void,
  ): Promise<void> {
    for (let attempt = 0; ; ) {
      signal.throwIfAborted();
      const changed = this.#changed.signal;
      const outcome = await this.#next(repository, signal, changed, tell);
      if (outcome === 'done') break;
      if (outcome === 'on' || changed.aborted) attempt = 0;
      if (outcome === 'on') continue;
      const { retry } = this.#options;
      const wait = { wait: lookAgainMs, retry: backoffMs(retry, attempt++), stuck: terminalRetryMs }[outcome];
      // Aborted, it looks at once.
      await sleep(wait, undefined, { signal: AbortSignal.any([signal, changed]) }).catch(() => {});
    }
    this.#unsubscribe();
  }

  /** `wait`: for others; `retry`: after a failure that may pass; `stuck`: after one that will not by itself. */
  async #next(
    repository: WorktreeRepository,
    signal: AbortSignal,
    changed: AbortSignal,
    tell: (problem: Problem) => void,
  ): Promise<'done' | 'on' | 'wait' | 'retry' | 'stuck'> {
    const { store, path } = this.#options;
    const step = planStep(await this.#look(repository));
    try {
      switch (step.type) {
        case 'begin':
          return 'done';
        case 'abandon':
          abandonImport(new Layout(path));
          await store.remove('initial');
          return 'on';
        case 'wait':
          tell({ reason: 'WaitingForInitialSnapshot', message: step.message });
          return 'wait';
        case 'receive':
          await this.#receive(step.initial, AbortSignal.any([signal, changed]), tell);
          return 'on';
        case 'restore':
          await this.#restore(repository, step.snapshotId, signal, tell);
          return 'on';
      }
    } catch (error) {
      if (signal.aborted || changed.aborted) return 'on';
      const { log, wanted } = this.#options;
      const known = error instanceof RepositoryError ? error : undefined;
      const message = error instanceof Error ? error.message : String(error);
      log.warn({ err: error, snapshot: wanted }, 'the initial snapshot is not there yet');
      tell({ reason: known?.reason ?? 'Internal', message: `spec.initialSnapshot: ${message}` });
      // A snapshot may be gone for a moment only, while its source is being restored or its Snapshot made anew.
      return known && !known.transient && known.reason !== 'NotFound' ? 'stuck' : 'retry';
    }
  }

  async #look(repository: WorktreeRepository): Promise<Facts> {
    const { wanted, store, path } = this.#options;
    const marker = await store.load('initial', markerSchema);
    const snapshots = await repository.list();
    return {
      wanted,
      marker,
      received: snapshots.some(({ snapshot_id }) => snapshot_id === marker?.snapshotId),
      empty: snapshots.length === 0 && (await isEmpty(join(path, 'main'))),
      initial: this.#desired?.initial ?? undefined,
      primary: this.#desired?.role === 'ROLE_PRIMARY',
    };
  }

  async #receive(initial: Initial, signal: AbortSignal, tell: (problem: Problem) => void): Promise<void> {
    const { store, path, holder, log, wanted } = this.#options;
    const { snapshotId } = initial;
    // Written first: a snapshot that is there without it is of a volume that was kept.
    await store.write('initial', { phase: 'copying', snapshotId, wanted });
    const say = (message: string) => tell({ reason: 'CopyingInitialSnapshot', message });
    say(`Copying snapshot ${snapshotId} (${wanted}) from ${initial.address}`);
    let said = 0;
    await receiveSnapshot({
      volume: path,
      holder,
      source: initial,
      signal,
      onProgress: ({ bytesDone, bytesTotal }) => {
        if (performance.now() - said < reportMs) return;
        said = performance.now();
        say(`Copying snapshot ${snapshotId} (${wanted}): ${bytesDone} of ${bytesTotal} bytes`);
      },
    });
    log.info({ snapshot: snapshotId }, 'received the initial snapshot');
  }

  async #restore(
    repository: WorktreeRepository,
    snapshotId: string,
    signal: AbortSignal,
    tell: (problem: Problem) => void,
  ): Promise<void> {
    const { store, log } = this.#options;
    tell({ reason: 'CopyingInitialSnapshot', message: `Restoring main from snapshot ${snapshotId}` });
    await repository.restore({ snapshotId, worktree: 'main', requestTag: 'initial', signal });
    await store.write('initial', { phase: 'done', snapshotId });
    log.info({ snapshot: snapshotId }, 'main is restored from the initial snapshot');
  }

  #hear({ role, initial }: DesiredState): void {
    const now = { role, initial };
    if (isDeepStrictEqual(now, this.#desired)) return;
    this.#desired = now;
    this.#changed.abort();
    this.#changed = new AbortController();
  }
}

/** A worktree whose folder somebody removed has nothing in it; what is no folder is somebody's. */
async function isEmpty(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).length === 0;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return true;
    if (hasCode(error, 'ENOTDIR', 'ELOOP')) return false;
    throw error;
  }
}
