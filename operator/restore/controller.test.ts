import { Registry } from 'prom-client';
import { afterEach, expect, test, vi } from 'vitest';
import { within } from '../../shared/testing.ts';
import { parseRestore, type Restore } from '../api/restore.ts';
import { parseWorkspace } from '../api/workspace.ts';
import type { Informers } from '../informers.ts';
import { quietLog } from '../link/testing.ts';
import { createMeters } from '../metrics.ts';
import { agentOf, FakeAgents, idAt, onDisk } from '../mirror/testing.ts';
import type { KubeClient } from '../runtime/client.ts';
import { ApiError } from '../runtime/errors.ts';
import type { EventRecorder } from '../runtime/events.ts';
import type { ChangeHandler } from '../runtime/informer.ts';
import { createRestoreController } from './controller.ts';
import { RefusedRestores } from './refused.ts';

const metadata = { namespace: 'team', name: 'r', uid: 'r1' };
const restoreOf = (spec: object, more: object = {}): Restore =>
  parseRestore({
    metadata: { ...metadata, resourceVersion: '1' },
    spec: { workspace: 'ws', ...spec },
    ...more,
  });

/** An API server with a Restore, and a cache that sees of it what it is told to. */
class World {
  readonly agents = new FakeAgents();
  readonly meters = createMeters(new Registry());
  /** All that it ever was, oldest first. */
  readonly versions: Restore[];
  cached: Restore;
  readonly refused = new RefusedRestores();
  readonly emit = vi.fn();
  /** A policy of the cluster refuses every write. */
  denies = false;
  /** How often the controller has looked. */
  looks = 0;
  #changed: ChangeHandler<Restore> = () => {};

  constructor(restore: Restore) {
    this.versions = [restore];
    this.cached = restore;
  }

  get live(): Restore {
    return this.versions.at(-1) ?? this.cached;
  }

  start(signal: AbortSignal): Promise<void> {
    const workspace = parseWorkspace({ metadata: { namespace: 'team', name: 'ws', uid: 'w' }, spec: {} });
    const informers = {
      restores: {
        get: () => {
          this.looks += 1;
          return this.cached;
        },
        byIndex: () => [this.cached],
        onChange: (handler: ChangeHandler<Restore>) => {
          this.#changed = handler;
        },
      },
      workspaces: { get: () => workspace, onChange: () => {} },
      snapshots: { get: () => undefined, byIndex: () => [], onChange: () => {} },
      claims: { get: () => undefined },
    } as unknown as Informers;
    const write = async (change: Partial<Restore>): Promise<Restore> => {
      if (this.denies) throw new ApiError('PATCH', 403, { reason: 'Forbidden', message: 'a policy' });
      const resourceVersion = `${this.versions.length + 1}`;
      const now = { ...this.live, ...change };
      this.versions.push({ ...now, metadata: { ...now.metadata, resourceVersion } });
      return this.live;
    };
    const client = {
      apply: (_: unknown, { metadata }: Restore) =>
        write({ metadata: { ...this.live.metadata, ...metadata } }),
      applyStatus: (_: unknown, { status }: Restore) => write(status ? { status } : {}),
    } as unknown as KubeClient;
    const events = { emit: this.emit } as unknown as EventRecorder;
    const { agents, refused, meters } = this;
    const log = quietLog();
    return createRestoreController({ client, informers, agents, events, refused, meters, log }).start(signal);
  }

  say(phase: 'PHASE_DONE' | 'PHASE_FAILED'): void {
    const said = { uid: 'r1', phase, reason: 'NotFound', message: '', bytesDone: 1, bytesTotal: 1 } as const;
    const requests = new Map([['r1', { ...said, preRestoreSnapshotId: '' }]]);
    this.agents.set('team/ws', agentOf([onDisk(1)], { requests }));
  }

  /** The cache has `restore`; resolves when the controller has looked at it. */
  async see(restore: Restore): Promise<void> {
    this.cached = restore;
    const before = this.looks;
    this.#changed('team/r', restore, restore);
    await vi.waitFor(() => expect(this.looks).toBeGreaterThan(before), within);
  }
}

let stop = new AbortController();
afterEach(() => stop.abort());

test.for<[what: string, phase: 'PHASE_DONE' | 'PHASE_FAILED', restore: Restore]>([
  [
    'done',
    'PHASE_DONE',
    restoreOf({ snapshotID: idAt(1) }, { status: { phase: 'InProgress', snapshotID: idAt(1) } }),
  ],
  [
    'refused as soon as it has its finalizer',
    'PHASE_FAILED',
    restoreOf({ snapshotID: idAt(1), newWorktree: 'exp', deletionPolicy: 'Delete' }),
  ],
])('while the cache is behind, an outcome stays as it was written: %s', async ([, phase, restore]) => {
  const world = new World(restore);
  stop = new AbortController();
  const running = world.start(stop.signal);
  world.say(phase);
  await vi.waitFor(() => expect(world.live.status?.phase).toMatch(/Completed|Failed/), within);
  const { live } = world;
  for (const older of world.versions.slice(0, -1)) await world.see(older);
  stop.abort();
  await running;
  expect(world.live).toBe(live);
  expect((await world.meters.restores.get()).values).toMatchObject([{ value: 1 }]);
});

test('a changed deletionPolicy is taken note of, and the Restore has run once', async () => {
  const world = new World(restoreOf({ snapshotID: idAt(1) }));
  stop = new AbortController();
  const running = world.start(stop.signal);
  world.say('PHASE_DONE');
  await vi.waitFor(() => expect(world.live.status?.phase).toBe('Completed'), 10_000);
  const { live } = world;
  const changed = { ...live, metadata: { ...live.metadata, generation: 2 } };
  world.versions.push(changed);
  await vi.waitFor(async () => {
    await world.see(changed);
    expect(world.live.status?.conditions).toMatchObject([{ status: 'True', observedGeneration: 2 }]);
  }, 10_000);
  stop.abort();
  await running;
  expect((await world.meters.restores.get()).values).toMatchObject([{ value: 1 }]);
});

test.for<[what: string, restore: Restore]>([
  ['whose status', restoreOf({ snapshot: 's' })],
  ['whose finalizer', restoreOf({ snapshot: 's', newWorktree: 'exp', deletionPolicy: 'Delete' })],
])('a Restore %s a policy refuses says so, and holds up none until that is allowed', async ([, restore]) => {
  const world = new World(restore);
  const waiting = vi.fn();
  world.refused.onAdd(waiting);
  world.denies = true;
  stop = new AbortController();
  const running = world.start(stop.signal);
  await world.see(restore);
  await vi.waitFor(() => expect(world.refused.has('team/r')).toBe(true), within);
  expect(waiting).toHaveBeenCalledWith('team/ws');
  expect(world.emit.mock.calls[0]?.slice(1)).toEqual([
    'Warning',
    'RestoreRefused',
    expect.stringMatching(/not carried out.*a policy/),
  ]);
  world.denies = false;
  await vi.waitFor(() => expect(world.refused.has('team/r')).toBe(false), within);
  stop.abort();
  await running;
});
