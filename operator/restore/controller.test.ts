import { Registry } from 'prom-client';
import { expect, test, vi } from 'vitest';
import { parseRestore, type Restore } from '../api/restore.ts';
import { parseWorkspace } from '../api/workspace.ts';
import type { Informers } from '../informers.ts';
import { quietLog } from '../link/testing.ts';
import { createMeters } from '../metrics.ts';
import { agentOf, FakeAgents, idAt, onDisk } from '../mirror/testing.ts';
import type { KubeClient } from '../runtime/client.ts';
import type { EventRecorder } from '../runtime/events.ts';
import { createRestoreController } from './controller.ts';

test('an outcome stays as it was written while the cache is behind', async () => {
  const metadata = { namespace: 'team', name: 'r', uid: 'r1' };
  const started = { phase: 'InProgress', snapshotID: idAt(1), worktree: 'main' };
  const cached = parseRestore({
    metadata: { ...metadata, resourceVersion: '1' },
    spec: { workspace: 'ws', snapshotID: idAt(1) },
    status: started,
  });
  const workspace = parseWorkspace({ metadata: { namespace: 'team', name: 'ws', uid: 'w' }, spec: {} });
  let live: Restore = cached;
  let version = 1;
  let looks = 0;
  let changed = (_key: string, _now?: Restore, _before?: Restore): void => {};
  const informers = {
    restores: {
      get: () => {
        looks += 1;
        return cached;
      },
      byIndex: () => [cached],
      onChange: (handler: typeof changed) => {
        changed = handler;
      },
    },
    workspaces: { get: () => workspace, onChange: () => {} },
    snapshots: { get: () => undefined, byIndex: () => [], onChange: () => {} },
  } as unknown as Informers;
  const client = {
    applyStatus: async (_: unknown, { status }: Restore) => {
      version += 1;
      live = { ...live, metadata: { ...metadata, resourceVersion: `${version}` }, status };
      return live;
    },
  } as unknown as KubeClient;
  const agents = new FakeAgents();
  const meters = createMeters(new Registry());
  const events = { emit: () => {} } as unknown as EventRecorder;
  const controller = createRestoreController({ client, informers, agents, events, meters, log: quietLog() });
  const stop = new AbortController();
  const running = controller.start(stop.signal);

  const done = {
    uid: 'r1',
    phase: 'PHASE_DONE',
    reason: '',
    message: '',
    bytesDone: 1,
    bytesTotal: 1,
  } as const;
  const requests = new Map([['r1', { ...done, preRestoreSnapshotId: '' }]]);
  agents.set('team/ws', agentOf([onDisk(1)], { requests }));
  await vi.waitFor(() => expect(live.status?.phase).toBe('Completed'), 10_000);
  const first = live;
  const before = looks;
  changed('team/r', cached);
  await vi.waitFor(() => expect(looks).toBeGreaterThan(before), 10_000);
  stop.abort();
  await running;
  expect(live).toBe(first);
  expect((await meters.restores.get()).values).toMatchObject([{ value: 1 }]);
});
