// What is as it is when it is scraped.
import { version } from '../../shared/version.ts';
import { isDamaged } from '../snapshot.ts';
import type { Upkeep } from '../upkeep/upkeep.ts';
import type { Volume } from '../volume/volume.ts';
import { Gauge } from './exposition.ts';

export interface GaugeSources {
  volume: Pick<Volume, 'state'>;
  upkeep: Pick<Upkeep, 'view' | 'decisions'>;
  linked: () => boolean;
}

export function gaugesOf({ volume, upkeep, linked }: GaugeSources): Gauge[] {
  const timestamp = (rfc3339: string | undefined) => {
    const milliseconds = Date.parse(rfc3339 ?? '');
    return Number.isNaN(milliseconds) ? undefined : milliseconds / 1000;
  };
  return [
    new Gauge('jvs_agent_info', 'The version of this agent', () => [{ labels: { version }, value: 1 }]),
    new Gauge('jvs_agent_connected', '1 while there is a stream to the operator', () => (linked() ? 1 : 0)),
    new Gauge(
      'jvs_agent_volume_ready',
      '1 while the repository can be worked with; left out while its initial snapshot is copied',
      () => {
        const { info, problem } = volume.state;
        // That may take hours, and nothing is amiss meanwhile.
        if (problem?.reason === 'CopyingInitialSnapshot') return undefined;
        return info && !problem ? 1 : 0;
      },
    ),
    new Gauge(
      'jvs_agent_volume_used_bytes',
      "Of the volume's filesystem",
      () => volume.state.usage?.usedBytes,
    ),
    new Gauge(
      'jvs_agent_volume_capacity_bytes',
      "Of the volume's filesystem",
      () => volume.state.usage?.capacityBytes,
    ),
    new Gauge('jvs_agent_snapshots', 'Snapshots on the volume', () => volume.state.snapshots.length),
    new Gauge(
      'jvs_agent_damaged_snapshots',
      'Snapshots on the volume that are not what was saved',
      () =>
        volume.state.snapshots.filter((found) => isDamaged(found, upkeep.view.notes.get(found.snapshot_id)))
          .length,
    ),
    new Gauge('jvs_agent_newest_snapshot_timestamp_seconds', 'When the newest snapshot was made', () =>
      timestamp(volume.state.snapshots[0]?.created_at),
    ),
    new Gauge('jvs_agent_next_snapshot_timestamp_seconds', 'When the schedule runs next', () => {
      const next = upkeep.view.status.nextSnapshotTime;
      return next ? Number(next.seconds) : undefined;
    }),
    new Gauge(
      'jvs_agent_retention_decisions',
      'Snapshots by what the newest plan of retention says: keep, delete, held (would go if it were allowed)',
      () => Object.entries(upkeep.decisions).map(([decision, value]) => ({ labels: { decision }, value })),
    ),
  ];
}
