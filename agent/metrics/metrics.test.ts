import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fakeDescriptor } from '../testing/memory-repository.ts';
import type { VolumeState } from '../volume/volume.ts';
import { Counter, exposition, Gauge, Histogram } from './exposition.ts';
import { gaugesOf } from './gauges.ts';
import { Meters } from './meters.ts';

test('the text format', () => {
  const counter = new Counter('c_total', 'Help.', [{ result: 'success' }]);
  counter.add(2, { result: 'success' });
  counter.add(1, { result: 'a "b"\\\n' });
  const histogram = new Histogram('h_seconds', 'Help.', [0.5, 1]);
  for (const value of [0.5, 0.7, 3]) histogram.observe(value);
  const gauges = [new Gauge('g', 'Help.', () => 7), new Gauge('absent', 'Help.', () => undefined)];
  expect(exposition([counter, histogram, ...gauges])).toBe(`# HELP c_total Help.
# TYPE c_total counter
c_total{result="success"} 2
c_total{result="a \\"b\\"\\\\\\n"} 1
# HELP h_seconds Help.
# TYPE h_seconds histogram
h_seconds_bucket{le="0.5"} 1
h_seconds_bucket{le="1"} 2
h_seconds_bucket{le="+Inf"} 3
h_seconds_sum 4.2
h_seconds_count 3
# HELP g Help.
# TYPE g gauge
g 7
# HELP absent Help.
# TYPE absent gauge
`);
});

test('a snapshot is counted with what was copied and what was linked', () => {
  const meters = new Meters();
  const agent = { size: 100, unique_bytes: 30, entries: 1, origin: 'auto' } as const;
  const extension = {
    ...agent,
    completed_at: '',
    effective_engine: 'copy',
    consistency: 'quiesced',
  } as const;
  meters.snapshotMade(fakeDescriptor({ agent: extension }), 'auto', 2);
  const text = exposition(meters.all());
  expect(text).toContain('jvs_agent_snapshots_total{result="success",origin="auto"} 1');
  expect(text).toContain('jvs_agent_snapshot_bytes_total{how="copied"} 30');
  expect(text).toContain('jvs_agent_snapshot_bytes_total{how="linked"} 70');
  expect(text).toContain('jvs_agent_snapshot_duration_seconds_bucket{le="2.5"} 1');
  // There from the start, so that rate() sees the first one.
  expect(text).toContain('jvs_agent_snapshots_total{result="failure",origin="manual"} 0');
});

test('whether the volume is ready is not said while its first snapshot is copied: that may take hours', () => {
  const ready = (state: Partial<VolumeState>) => {
    const gauges = gaugesOf({
      volume: { state: { snapshots: [], worktrees: [], ...state } },
      upkeep: {
        view: { status: {}, journal: { removed: [], notices: [] }, notes: new Map() },
        decisions: { keep: 0, delete: 0, held: 0 },
      },
      linked: () => true,
    });
    return /^jvs_agent_volume_ready (\d)$/m.exec(exposition(gauges))?.[1];
  };
  const problem = { reason: 'CopyingInitialSnapshot', message: '1 GiB of 2 TiB' };
  const info = {} as NonNullable<VolumeState['info']>;
  expect(ready({ problem: { reason: 'Starting', message: 'Being opened' } })).toBe('0');
  expect(ready({ problem, awaitsInitial: true })).toBeUndefined();
  expect(ready({ problem: { reason: 'VolumeFull', message: 'm' }, awaitsInitial: true })).toBe('0');
  expect(ready({ info })).toBe('1');
});

test('every notice is in the runbook', () => {
  const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
  const sources = ['scheduler', 'pruner', 'verifier', 'upkeep'].map((name) =>
    read(`agent/upkeep/${name}.ts`),
  );
  const reasons = sources.flatMap((source) =>
    [...source.matchAll(/notice\([^']*?'([A-Z]\w+)'/g)].map(([, reason]) => reason),
  );
  expect(reasons.length).toBeGreaterThan(5);
  for (const reason of reasons) expect(read('docs/operations.md')).toContain(`\`${reason}\``);
});
