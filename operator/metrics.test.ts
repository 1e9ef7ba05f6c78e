import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { parseWorkspace } from './api/workspace.ts';
import { createMeters, measure } from './metrics.ts';

const degraded = {
  type: 'Degraded',
  status: 'True',
  message: 'm',
  lastTransitionTime: '2026-01-01T00:00:00Z',
};
const workspace = (name: string, reason: string) =>
  parseWorkspace({
    metadata: { name, namespace: 'n' },
    status: { phase: 'Ready', conditions: [{ ...degraded, reason }] },
  });

function registryOf() {
  const registry = new Registry();
  const meters = createMeters(registry);
  measure(registry, {
    controllers: [],
    link: { stats: () => ({ agents: 3, workspaces: 2 }) },
    workspaces: { list: () => [workspace('a', 'VolumeAlmostFull'), workspace('b', 'VolumeAlmostFull')] },
  });
  return { registry, meters };
}

test('what the caches say is read when it is scraped', async () => {
  const { registry, meters } = registryOf();
  meters.mirrored.inc({ origin: 'auto' });
  const text = await registry.metrics();
  expect(text).toContain('jvs_operator_connected_agents 3');
  expect(text).toContain('jvs_operator_workspaces{phase="Ready"} 2');
  expect(text).toContain('jvs_operator_workspaces_degraded{reason="VolumeAlmostFull"} 2');
  expect(text).toContain('jvs_operator_snapshots_mirrored_total{origin="auto"} 1');
});
