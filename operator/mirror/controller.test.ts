// The parts of the controller that no plan decides: what it does first, and what it remembers.
import { setImmediate as turn } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { within } from '../../shared/testing.ts';
import { parseSnapshot, type Snapshot } from '../api/snapshot.ts';
import { parseWorkspace, type Workspace } from '../api/workspace.ts';
import type { Informers } from '../informers.ts';
import { quietLog } from '../link/testing.ts';
import { createMeters } from '../metrics.ts';
import type { KubeClient } from '../runtime/client.ts';
import { ApiError } from '../runtime/errors.ts';
import { EventRecorder } from '../runtime/events.ts';
import { ManualClock } from '../runtime/manual-clock.ts';
import type { Event } from '../runtime/resources.ts';
import { claimOf } from '../workspace/objects.ts';
import { createMirrorController } from './controller.ts';
import { agentOf, FakeAgents, idAt, onDisk } from './testing.ts';

const key = 'team/ws';
const workspace: Workspace = parseWorkspace({
  metadata: { namespace: 'team', name: 'ws', uid: 'w' },
  spec: {},
  status: { repositoryID: 'r1' },
});

/** An API server, as far as the controller sees it, with a quota for Snapshots. */
class World {
  readonly snapshots = new Map<string, Snapshot>();
  readonly events = new Map<string, Event>();
  readonly agents = new FakeAgents();
  readonly clock = new ManualClock();
  readonly quota = 2;
  workspace = workspace;
  claim = claimOf(workspace);
  /** How often the controller has looked. */
  looks = 0;
  /** How often it has tried to delete one. */
  deletions = 0;
  /** Names of Snapshots that a policy of the cluster lets nobody delete. */
  readonly held = new Set<string>();

  start(signal: AbortSignal): Promise<unknown> {
    const informers = {
      workspaces: { get: () => this.workspace, onChange: () => {} },
      claims: { get: () => this.claim },
      snapshots: { byIndex: () => this.#look(), onChange: () => {} },
    } as unknown as Informers;
    const client = {
      create: async (_: unknown, object: Snapshot | Event) => {
        const { name } = object.metadata;
        if (!('spec' in object)) {
          if (this.events.has(name)) throw new ApiError('POST', 409, { reason: 'AlreadyExists' });
          this.events.set(name, object as Event);
          return;
        }
        if (this.snapshots.size >= this.quota)
          throw new ApiError('POST', 403, { reason: 'Forbidden', message: 'exceeded quota' });
        this.snapshots.set(name, object as Snapshot);
      },
      mergePatch: async () => {},
      delete: async (_: unknown, { name }: Snapshot['metadata']) => {
        this.deletions += 1;
        if (this.held.has(name))
          throw new ApiError('DELETE', 403, { reason: 'Forbidden', message: 'policy hold denies it' });
        this.snapshots.delete(name);
      },
    } as unknown as KubeClient;
    const log = quietLog();
    const events = new EventRecorder(client, { controller: 'c', instance: 'i', log, clock: this.clock });
    const controller = createMirrorController({
      ...{ client, informers, agents: this.agents, events, historyLimit: this.quota, log },
      meters: createMeters(new Registry()),
    });
    return Promise.all([events.start(signal), controller.start(signal)]);
  }

  #look(): Snapshot[] {
    this.looks += 1;
    return [...this.snapshots.values()];
  }

  show(n: number): void {
    const metadata = { namespace: 'team', name: `ws-${idAt(n)}`, uid: `s${n}`, resourceVersion: '1' };
    const spec = { workspace: 'ws', snapshotID: idAt(n), deletionPolicy: 'Retain' };
    const status = { phase: 'Ready', snapshotID: idAt(n) };
    this.snapshots.set(metadata.name, parseSnapshot({ metadata, spec, status }));
  }
}

let world: World;
let stop: AbortController;
let running: Promise<unknown>;

beforeEach(() => {
  world = new World();
  stop = new AbortController();
  running = world.start(stop.signal);
});
afterEach(async () => {
  stop.abort();
  await running;
});

test('what is shown no longer makes room for what is new, where a quota leaves none', async () => {
  for (const n of [1, 2]) world.show(n);
  world.agents.set(key, agentOf([1, 2, 3].map((n) => onDisk(n))));
  await vi.waitFor(
    () => expect([...world.snapshots.keys()].sort()).toEqual([2, 3].map((n) => `ws-${idAt(n)}`)),
    within,
  );
});

test('a quota that shows nothing new is said', async () => {
  world.show(1);
  world.snapshots.set('own', { ...workspace, metadata: { name: 'own' } } as unknown as Snapshot);
  world.agents.set(key, agentOf([1, 2].map((n) => onDisk(n))));
  await vi.waitFor(
    () =>
      expect([...world.events.values()]).toMatchObject([
        { reason: 'SnapshotNotShown', note: expect.stringContaining('exceeded quota') },
      ]),
    within,
  );
});

test('what has gone from the volume makes room, too, and is not kept by the quota that it uses up', async () => {
  for (const n of [1, 2]) world.show(n);
  world.agents.set(key, agentOf([3, 4].map((n) => onDisk(n))));
  await vi.waitFor(
    () => expect([...world.snapshots.keys()].sort()).toEqual([3, 4].map((n) => `ws-${idAt(n)}`)),
    within,
  );
});

test.each<[what: string, onVolume: number[]]>([
  ['has gone from the volume', [3]],
  ['is shown no longer', [1, 2, 3, 4]],
])('what may not be deleted holds up nothing else, and is said: it %s', async (_, onVolume) => {
  for (const n of [1, 2]) world.show(n);
  world.held.add(`ws-${idAt(1)}`);
  world.agents.set(key, agentOf(onVolume.map((n) => onDisk(n))));
  await vi.waitFor(
    () =>
      expect([...world.snapshots.keys()].sort()).toEqual([1, onVolume[2] ?? 3].map((n) => `ws-${idAt(n)}`)),
    within,
  );
  const said = { reason: 'SnapshotNotRemoved', note: expect.stringContaining('policy hold denies it') };
  await vi.waitFor(
    () => expect([...world.events.values()]).toContainEqual(expect.objectContaining(said)),
    within,
  );
});

test('a notice is an event once, and not again when the API server has forgotten it', async () => {
  const notice = (id: string) => ({ id, time: null, warning: true, reason: 'SnapshotMissed', message: id });
  const say = (...ids: string[]) =>
    world.agents.set(key, agentOf([], { notices: new Map(ids.map((id) => [id, notice(id)])) }));
  const told = () => [...world.events.values()].map(({ note }) => note);
  say('a');
  await vi.waitFor(() => expect(told()).toEqual(['a']), within);
  world.events.clear();
  world.clock.advance(3_600_000);
  say('a', 'b');
  await vi.waitFor(() => expect(told()).toEqual(['b']), within);
  // As after a reconnect: it begins with none.
  say();
  await turn();
  say('a', 'b', 'c');
  await vi.waitFor(() => expect(told()).toEqual(['b', 'c']), within);
});

const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000);
/** The Workspace, and when its status says that its agent was last seen. */
const seen = (hours: number): Workspace => {
  const agent = { pod: 'p', node: 'n', version: '1', lastSeen: hoursAgo(hours).toISOString() };
  return { ...workspace, status: { ...workspace.status, agent } };
};
const noticesOf = (...hours: number[]) => ({
  notices: new Map(
    hours.map((hour) => [
      `${hour} h`,
      {
        ...{ id: `${hour} h`, warning: true, reason: 'SnapshotMissed', message: `${hour} h ago` },
        time: { seconds: Math.floor(hoursAgo(hour).getTime() / 1000), nanos: 0 },
      },
    ]),
  ),
});
const told = () => [...world.events.values()].map(({ note }) => note);

test('a new leader makes no events again of what one before has heard, only of what happened since', async () => {
  world.workspace = seen(48);
  world.agents.set(key, agentOf([], noticesOf(700)));
  await vi.waitFor(() => expect(world.looks).toBeGreaterThan(0), within);
  // What the status says by now is of this leader itself.
  world.workspace = seen(0);
  world.agents.set(key, agentOf([], noticesOf(700, 49, 47, 0)));
  await vi.waitFor(() => expect(told()).toContain('0 h ago'), within);
  expect(told()).toEqual(['47 h ago', '0 h ago']);
});

test('nor does one that leads again, of what another has heard in between', async () => {
  world.workspace = seen(48);
  world.agents.set(key, agentOf([], noticesOf(47)));
  await vi.waitFor(() => expect(told()).toEqual(['47 h ago']), within);
  world.workspace = seen(2);
  world.agents.openForMs = 0;
  world.agents.set(key, undefined);
  await turn();
  world.agents.openForMs = 1;
  world.agents.set(key, agentOf([], noticesOf(47, 3, 0)));
  await vi.waitFor(() => expect(told()).toContain('0 h ago'), within);
  expect(told()).toEqual(['47 h ago', '0 h ago']);
});

test('what an agent of the Workspace before has to tell is no event of the one that took its name', async () => {
  const { status: _, ...anew } = workspace;
  const { claim } = world;
  world.workspace = anew;
  world.claim = {
    ...claim,
    metadata: { ...claim.metadata, deletionTimestamp: '2026-11-24T11:59:00Z' },
  };
  world.agents.set(key, agentOf([], noticesOf(47, 0)));
  await vi.waitFor(() => expect(world.looks).toBeGreaterThan(0), within);
  world.claim = claim;
  const { notices } = noticesOf(1);
  world.agents.set(key, agentOf([], { pod: 'new', session: 'new', notices }));
  await vi.waitFor(() => expect(told()).toContain('1 h ago'), within);
  expect(told()).toEqual(['1 h ago']);
});

test('what has been kept for long from being deleted lets nobody wait longer for what else has gone', async () => {
  vi.useFakeTimers();
  try {
    world.show(1);
    world.held.add(`ws-${idAt(1)}`);
    world.agents.set(key, agentOf([onDisk(2)]));
    await vi.advanceTimersByTimeAsync(600_000);
    expect(world.snapshots.size).toBe(2);
    // Less and less often, down to each half minute.
    expect(world.deletions).toBeLessThan(100);
    world.agents.set(key, agentOf([onDisk(3)]));
    await vi.advanceTimersByTimeAsync(4_000);
    expect([...world.snapshots.keys()].sort()).toEqual([1, 3].map((n) => `ws-${idAt(n)}`));
  } finally {
    vi.useRealTimers();
  }
});
