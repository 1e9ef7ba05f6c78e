// What the agent counts. Labels are words of this code, never of a user, so that their number is bounded.
import { type Descriptor, type Origin, RepositoryError } from '../repository/repository.ts';
import { Counter, Histogram } from './exposition.ts';

const origins: readonly Origin[] = ['manual', 'auto', 'self', 'pre-restore', 'final'];
const results = ['success', 'failure', 'cancelled', 'unchanged'] as const;

export class Meters {
  readonly #snapshots = new Counter(
    'jvs_agent_snapshots_total',
    'Snapshots asked for, by result and origin; unchanged: not made, for nothing had changed',
    origins.flatMap((origin) => results.map((result) => ({ result, origin }))),
  );
  readonly #durations = new Histogram(
    'jvs_agent_snapshot_duration_seconds',
    'From the start of a snapshot until it is on the disk',
    [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800],
  );
  readonly #bytes = new Counter(
    'jvs_agent_snapshot_bytes_total',
    'Bytes of the payloads of snapshots: copied, or linked to what was there (or cloned)',
    [{ how: 'copied' }, { how: 'linked' }],
  );
  readonly pruned = new Counter('jvs_agent_snapshots_pruned_total', 'Snapshots that retention deleted');
  readonly missed = new Counter(
    'jvs_agent_scheduled_snapshots_missed_total',
    'Runs of the schedule given up: nobody was there, or too late',
  );
  readonly lag = new Histogram(
    'jvs_agent_schedule_lag_seconds',
    'From when a run is scheduled until it starts, its share of the jitter included',
    [1, 5, 15, 60, 120, 300, 900, 3600, 21_600, 86_400],
  );
  readonly #verifications = new Counter(
    'jvs_agent_verifications_total',
    'Snapshots read again and compared with their hash, by result',
    [{ result: 'valid' }, { result: 'damaged' }, { result: 'failure' }],
  );

  /** All that is counted; gauges are of who knows their values. */
  all() {
    return [
      ...[this.#snapshots, this.#durations, this.#bytes, this.pruned],
      ...[this.missed, this.lag, this.#verifications],
    ];
  }

  snapshotMade({ agent }: Descriptor, origin: Origin, seconds: number): void {
    this.#snapshots.add(1, { result: 'success', origin });
    this.#durations.observe(seconds);
    if (!agent) return;
    this.#bytes.add(agent.unique_bytes, { how: 'copied' });
    this.#bytes.add(Math.max(0, agent.size - agent.unique_bytes), { how: 'linked' });
  }

  snapshotUnchanged(origin: Origin): void {
    this.#snapshots.add(1, { result: 'unchanged', origin });
  }

  snapshotFailed(error: unknown, origin: Origin): void {
    const cancelled = error instanceof RepositoryError && error.reason === 'Aborted';
    this.#snapshots.add(1, { result: cancelled ? 'cancelled' : 'failure', origin });
  }

  verified(result: 'valid' | 'damaged' | 'failure'): void {
    this.#verifications.add(1, { result });
  }
}
