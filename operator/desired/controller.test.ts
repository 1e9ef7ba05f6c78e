import { afterEach, expect, test, vi } from 'vitest';
import { parseWorkspace } from '../api/workspace.ts';
import type { Informers } from '../informers.ts';
import { Registry } from '../link/registry.ts';
import { quietLog } from '../link/testing.ts';
import type { KubeClient } from '../runtime/client.ts';
import type { EventRecorder } from '../runtime/events.ts';
import { Transfers } from '../transfer/transfers.ts';
import { createDesiredController } from './controller.ts';

let stop = new AbortController();
afterEach(() => stop.abort());

test('who leads again after a lost lease asks again for what nobody has changed', async () => {
  const registry = new Registry(quietLog());
  const workspace = parseWorkspace({ metadata: { namespace: 'ns', name: 'ws', uid: 'u' }, spec: {} });
  const none = { get: () => undefined, byIndex: () => [], onChange: () => {} };
  let enqueue = (_: string): void => {};
  const informers = {
    ...{ snapshots: none, restores: none, claims: none, pods: none },
    workspaces: {
      get: () => workspace,
      onChange: (handler: typeof enqueue) => {
        enqueue = handler;
      },
    },
  } as unknown as Informers;
  const controller = createDesiredController({
    client: {} as KubeClient,
    informers,
    agents: registry,
    events: {} as EventRecorder,
    transfers: new Transfers(),
    log: quietLog(),
  });
  enqueue('ns/ws');
  for (let term = 0; term < 3; term++) {
    stop = new AbortController();
    const led = controller.start(stop.signal);
    await vi.waitFor(() => expect(registry.desiredOf('ns/ws')).toBeDefined(), 10_000);
    stop.abort();
    await led;
    registry.clear({ code: 14, message: 'no longer the leader' });
    expect(registry.desiredOf('ns/ws')).toBeUndefined();
  }
});
