import { afterEach, expect, test, vi } from 'vitest';
import { within } from '../../shared/testing.ts';
import { conditionOf } from '../api/conditions.ts';
import { parseRestore } from '../api/restore.ts';
import { parseSnapshot, type Snapshot } from '../api/snapshot.ts';
import { parseWorkspace, type Workspace } from '../api/workspace.ts';
import type { Informers } from '../informers.ts';
import { Registry } from '../link/registry.ts';
import { quietLog } from '../link/testing.ts';
import { RefusedRestores } from '../restore/refused.ts';
import type { KubeClient } from '../runtime/client.ts';
import { ApiError } from '../runtime/errors.ts';
import type { EventRecorder } from '../runtime/events.ts';
import { Transfers } from '../transfer/transfers.ts';
import { claimOf } from '../workspace/objects.ts';
import { createDesiredController } from './controller.ts';

let stop = new AbortController();
afterEach(() => {
  stop.abort();
  vi.useRealTimers();
});

const workspace = parseWorkspace({ metadata: { namespace: 'ns', name: 'ws', uid: 'u' }, spec: {} });

/** A registry that is told what Workspace ns/ws asks for, and how to have the controller look at it again. */
function worldOf(
  informers: object = {},
  client: object = {},
  events: object = {},
  neighbours: Workspace[] = [],
  refused = new RefusedRestores(),
) {
  const registry = new Registry(quietLog());
  const none = { get: () => undefined, byIndex: () => [], onChange: () => {} };
  let look = (_: string, _now?: Workspace): void => {};
  const workspaces = {
    get: () => workspace,
    list: () => neighbours,
    onChange: (handler: typeof look) => {
      look = handler;
    },
  };
  const all = { snapshots: none, restores: none, claims: none, pods: none, workspaces, ...informers };
  const controller = createDesiredController({
    client: client as KubeClient,
    informers: all as unknown as Informers,
    agents: registry,
    events: events as EventRecorder,
    transfers: new Transfers(),
    refused,
    log: quietLog(),
  });
  const tell = (other: Workspace) => look(`ns/${other.metadata.name}`, other);
  return { registry, controller, look: () => look('ns/ws'), tell };
}

test('who leads again after a lost lease asks again for what nobody has changed', async () => {
  const { registry, controller, look } = worldOf();
  look();
  for (let term = 0; term < 3; term++) {
    stop = new AbortController();
    const led = controller.start(stop.signal);
    await vi.waitFor(() => expect(registry.desiredOf('ns/ws')).toBeDefined(), within);
    stop.abort();
    await led;
    registry.clear({ code: 14, message: 'no longer the leader' });
    expect(registry.desiredOf('ns/ws')).toBeUndefined();
  }
});

test('nothing is asked of the agents of the Workspace before, whose volume is going', async () => {
  const claimOf = (more: object) => ({ metadata: { namespace: 'ns', name: 'jvs-ws', ...more } });
  let claim = claimOf({ deletionTimestamp: '2026-11-24T11:59:00Z' });
  const get = vi.fn(() => claim);
  const { registry, controller, look } = worldOf({ claims: { get, onChange: () => {} } });
  stop = new AbortController();
  const led = controller.start(stop.signal);
  look();
  await vi.waitFor(() => expect(get).toHaveBeenCalled(), within);
  claim = claimOf({});
  expect(registry.desiredOf('ns/ws')).toBeUndefined();
  look();
  await vi.waitFor(() => expect(registry.desiredOf('ns/ws')).toBeDefined(), within);
  stop.abort();
  await led;
});

test('a Snapshot whose finalizer a policy keeps is said, and holds up no other', async () => {
  const ended = (name: string) =>
    parseSnapshot({
      metadata: {
        ...{ name, namespace: 'ns', uid: name, finalizers: ['jvs.io/snapshot'] },
        deletionTimestamp: '2026-11-24T11:59:00Z',
      },
      spec: { workspace: 'ws', deletionPolicy: 'Retain' },
    });
  const byIndex = () => [ended('a'), ended('b')];
  const freed: string[] = [];
  const client = {
    get: async (_: unknown, { name }: { name: string }) =>
      name === 'ws' ? workspace : { metadata: { name } },
    mergePatch: async (_: unknown, { name }: { name: string }) => {
      if (name === 'a') throw new ApiError('PATCH', 403, { reason: 'Forbidden', message: 'a policy' });
      freed.push(name);
      return { metadata: {} };
    },
  };
  const emit = vi.fn();
  const { controller, look } = worldOf({ snapshots: { byIndex, onChange: () => {} } }, client, { emit });
  stop = new AbortController();
  const led = controller.start(stop.signal);
  look();
  await vi.waitFor(() => expect(freed).toContain('b'), within);
  expect(emit.mock.calls[0]?.slice(1)).toEqual([
    'Warning',
    'DeletionRefused',
    expect.stringContaining('a policy'),
  ]);
  stop.abort();
  await led;
});

test('a Snapshot that a Workspace is to begin with goes when that has it, though no agent of it is there', async () => {
  const id = '1795507921000-0a1b2c3d';
  const deleted = parseSnapshot({
    metadata: {
      ...{ name: 'base', namespace: 'ns', uid: 'b', finalizers: ['jvs.io/snapshot'] },
      deletionTimestamp: '2026-11-24T11:59:00Z',
    },
    spec: { workspace: 'ws' },
    status: { phase: 'Ready', snapshotID: id },
  });
  const snapshots = {
    get: (key: string) => (key === 'ns/base' ? deleted : undefined),
    byIndex: (_: string, key: string) => (key === 'ns/ws' ? [deleted] : []),
    onChange: () => {},
  };
  const claims = { get: () => claimOf(workspace), onChange: () => {} };
  const said = vi.fn();
  const applyStatus = async (_: unknown, { status }: Snapshot) =>
    said(conditionOf({ status }, 'Deleting')?.reason);
  const get = async (_: unknown, { name }: { name: string }) =>
    name === 'ws' ? workspace : { metadata: { name } };
  const newOne = (status: object) =>
    parseWorkspace({
      metadata: { namespace: 'ns', name: 'new', uid: 'n' },
      spec: { initialSnapshot: 'base' },
      status,
    });
  const neighbours = [newOne({})];
  const { registry, controller, look, tell } = worldOf(
    { snapshots, claims },
    { get, applyStatus },
    { emit: () => {} },
    neighbours,
  );
  stop = new AbortController();
  const led = controller.start(stop.signal);
  look();
  await vi.waitFor(() => expect(said).toHaveBeenLastCalledWith('WaitsForCopy'), within);
  expect(registry.desiredOf('ns/ws')?.deletions).toEqual([]);
  neighbours[0] = newOne({ repositoryID: 'r' });
  tell(neighbours[0]);
  const asked = [{ uid: 'b', snapshotId: id }];
  await vi.waitFor(() => expect(registry.desiredOf('ns/ws')?.deletions).toEqual(asked), within);
  stop.abort();
  await led;
});

const snapshotId = '1795507921000-0a1b2c3d';
const deleted = (name: string, deletionPolicy: string, at = Date.now()) =>
  parseSnapshot({
    metadata: {
      ...{ name, namespace: 'ns', uid: name, finalizers: ['jvs.io/snapshot'] },
      deletionTimestamp: new Date(at).toISOString(),
    },
    spec: { workspace: 'ws', deletionPolicy },
    status: { phase: 'Ready', snapshotID: snapshotId },
  });

/** With Snapshots whose finalizers a policy keeps. */
const worldWith = (snapshots: Snapshot[]) =>
  worldOf(
    {
      snapshots: { get: () => undefined, byIndex: () => snapshots, onChange: () => {} },
      claims: { get: () => claimOf(workspace), onChange: () => {} },
    },
    {
      get: async (_: unknown, { name }: { name: string }) =>
        name === 'ws' ? workspace : { metadata: { name } },
      applyStatus: async (_: unknown, { metadata, status }: Snapshot) => {
        const at = snapshots.findIndex(({ metadata: { uid } }) => uid === metadata.uid);
        snapshots[at] = { ...(snapshots[at] as Snapshot), status };
      },
      mergePatch: async () => {
        throw new ApiError('PATCH', 403, { reason: 'Forbidden', message: 'a policy' });
      },
    },
    { emit: () => {} },
  );

test('one that a policy has kept for long does not make another wait longer than it has to', async () => {
  vi.useFakeTimers({ now: Date.parse('2026-11-24T12:00:00Z') });
  const all = [deleted('kept', 'Retain')];
  const { registry, controller, look } = worldWith(all);
  stop = new AbortController();
  const led = controller.start(stop.signal);
  look();
  await vi.advanceTimersByTimeAsync(600_000);
  all.push(deleted('other', 'Delete'));
  look();
  await vi.advanceTimersByTimeAsync(3_500);
  expect(registry.desiredOf('ns/ws')?.deletions).toEqual([{ uid: 'other', snapshotId }]);
  stop.abort();
  await vi.runAllTimersAsync();
  await led;
});

test("the data of a Snapshot goes in time, though the API server's clock is ahead", async () => {
  vi.useFakeTimers({ now: Date.parse('2026-11-24T12:00:00Z') });
  const { registry, controller, look } = worldWith([deleted('s', 'Delete', Date.now() + 3_600_000)]);
  stop = new AbortController();
  const led = controller.start(stop.signal);
  look();
  await vi.advanceTimersByTimeAsync(2_500);
  expect(registry.desiredOf('ns/ws')?.deletions).toEqual([]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(registry.desiredOf('ns/ws')?.deletions).toEqual([{ uid: 's', snapshotId }]);
  stop.abort();
  await vi.runAllTimersAsync();
  await led;
});

test('a new leader goes on with a deletion where the one before was', async () => {
  vi.useFakeTimers({ now: Date.parse('2026-11-24T12:00:00Z') });
  const all = [deleted('s', 'Delete')];
  let last: Snapshot | undefined;
  for (const waited of [5_000, 0]) {
    const { registry, controller, look } = worldWith(all);
    stop = new AbortController();
    const led = controller.start(stop.signal);
    look();
    await vi.advanceTimersByTimeAsync(waited);
    expect(registry.desiredOf('ns/ws')?.deletions).toEqual([{ uid: 's', snapshotId }]);
    stop.abort();
    await vi.runAllTimersAsync();
    await led;
    last ??= all[0];
  }
  expect(last?.status?.conditions).toMatchObject([{ type: 'Deleting', reason: 'WaitingForAgent' }]);
  expect(all).toEqual([last]);
});

test('a Restore is asked for when nothing can be written to the one before it', async () => {
  const id = '1795507921000-0a1b2c3d';
  const snapshot = parseSnapshot({
    metadata: { name: 's', namespace: 'ns', uid: 's' },
    spec: { workspace: 'ws' },
    status: { phase: 'Ready', snapshotID: id },
  });
  const restoreOf = (name: string, spec: object) =>
    parseRestore({
      metadata: { name, namespace: 'ns', uid: name, creationTimestamp: '2026-11-24T11:59:00Z' },
      spec: { workspace: 'ws', ...spec },
    });
  const of = (...all: object[]) => ({ get: () => undefined, byIndex: () => all, onChange: () => {} });
  const refused = new RefusedRestores();
  const restores = of(restoreOf('a', { snapshot: 's' }), restoreOf('b', { snapshotID: id }));
  const informers = { snapshots: of(snapshot), restores };
  const { registry, controller, look } = worldOf(informers, {}, {}, [], refused);
  stop = new AbortController();
  const led = controller.start(stop.signal);
  look();
  await vi.waitFor(() => expect(registry.desiredOf('ns/ws')?.restores).toEqual([]), within);
  refused.add('ns/a', 'ns/ws');
  await vi.waitFor(() => expect(registry.desiredOf('ns/ws')?.restores).toMatchObject([{ uid: 'b' }]), within);
  stop.abort();
  await led;
});
