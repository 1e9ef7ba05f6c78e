// The parts of the controller that no plan decides: when it looks again, and what it remembers.
import { isDeepStrictEqual } from 'node:util';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { parseWorkspace, type Workspace } from '../api/workspace.ts';
import type { Informers } from '../informers.ts';
import { quietLog, rotatable } from '../link/testing.ts';
import { createMeters } from '../metrics.ts';
import { agentOf, FakeAgents, onDisk, statusOf } from '../mirror/testing.ts';
import type { KubeClient } from '../runtime/client.ts';
import { ApiError } from '../runtime/errors.ts';
import type { EventRecorder } from '../runtime/events.ts';
import type { ChangeHandler } from '../runtime/informer.ts';
import type { ConfigMap, Deployment, PersistentVolumeClaim, Pod } from '../runtime/resources.ts';
import { Transfers } from '../transfer/transfers.ts';
import { createWorkspaceController } from './controller.ts';
import { claimOf, deploymentOf } from './objects.ts';
import { finalizer } from './plan.ts';

const key = 'team/ws';
const bundleOf = (caBundle: string) => ({ key: '', cert: '', caBundle, expiresAt: new Date(0) });

/** What an API server would hold after the operator's writes. */
class World {
  readonly workspaces = new Map<string, Workspace>();
  readonly configMaps = new Map<string, ConfigMap>();
  readonly pods: Pod[] = [{ metadata: { name: 'p', namespace: 'team' }, status: { phase: 'Running' } }];
  readonly agents = new FakeAgents();
  readonly certificates = rotatable(bundleOf('first'));
  readonly created: unknown[] = [];
  /** How often a status was written. */
  writes = 0;
  /** About Workspaces: reasons. */
  readonly events: string[] = [];
  /** Why the API server makes nothing, and deletes nothing. */
  refusal: string | undefined;
  claim: PersistentVolumeClaim | undefined;
  deployment: Deployment | undefined;
  /** What the cache has of `key` while it is behind. */
  behind: Workspace | undefined;
  /** The API server takes no status. */
  away = false;
  #version = 0;
  #workspaceChanged: (key: string) => void = () => {};
  #authorityChanged: ChangeHandler<ConfigMap> = () => {};

  add(name: string): void {
    const metadata = { name, namespace: 'team', uid: name, resourceVersion: `${++this.#version}` };
    const workspace = parseWorkspace({ metadata, spec: {} });
    this.workspaces.set(`team/${name}`, workspace);
    this.#workspaceChanged(`team/${name}`);
  }

  /** `kubectl patch`. */
  edit(name: string, spec: object): void {
    const before = this.workspaces.get(`team/${name}`);
    const metadata = { ...before?.metadata, generation: 2, resourceVersion: `${++this.#version}` };
    this.workspaces.set(`team/${name}`, parseWorkspace({ ...before, metadata, spec }));
    this.#workspaceChanged(`team/${name}`);
  }

  /** `kubectl delete`, of one whose volume is to go with it. */
  end(name: string): void {
    const { metadata } = this.workspaces.get(`team/${name}`) ?? { metadata: { name } };
    const ending = { ...metadata, deletionTimestamp: '2026-11-24T12:00:00Z', finalizers: [finalizer] };
    const workspace = parseWorkspace({ metadata: ending, spec: { reclaimPolicy: 'Delete' } });
    this.claim = claimOf(workspace);
    this.workspaces.set(`team/${name}`, workspace);
    this.#workspaceChanged(`team/${name}`);
  }

  remove(name: string): void {
    this.workspaces.delete(`team/${name}`);
    this.#workspaceChanged(`team/${name}`);
  }

  deleteAuthority(): void {
    const before = this.configMaps.get('team');
    this.configMaps.clear();
    this.#authorityChanged('team/jvs-operator-ca', undefined, before);
  }

  start(signal: AbortSignal): Promise<void> {
    const none = { get: () => undefined, list: () => [], byIndex: () => [], onChange: () => {} };
    const informers = {
      workspaces: {
        get: (key: string) => this.behind ?? this.workspaces.get(key),
        list: () => [...this.workspaces.values()],
        onChange: (handler: (key: string) => void) => {
          this.#workspaceChanged = handler;
        },
      },
      pods: { ...none, byIndex: () => this.pods },
      snapshots: none,
      restores: none,
      claims: { ...none, get: () => this.claim },
      authorities: {
        onChange: (handler: ChangeHandler<ConfigMap>) => {
          this.#authorityChanged = handler;
        },
      },
      storageClasses: none,
      csiDrivers: none,
      mountFailures: none,
      deployments: { ...none, get: () => this.deployment },
    } as unknown as Informers;
    const client = {
      create: async (_: unknown, object: unknown) => {
        if (this.refusal) throw new ApiError('POST', 403, { reason: 'Forbidden', message: this.refusal });
        this.created.push(object);
      },
      delete: async () => {
        if (this.refusal) throw new ApiError('DELETE', 403, { reason: 'Forbidden', message: this.refusal });
        this.claim = undefined;
      },
      mergePatch: async (_: unknown, { name, namespace }: Workspace['metadata']) => {
        this.workspaces.delete(`${namespace}/${name}`);
        return { metadata: {} };
      },
      apply: async (_: unknown, object: ConfigMap) => {
        if (object.kind === 'ConfigMap') this.configMaps.set(object.metadata.namespace ?? '', object);
        // What the cache has of a Deployment is of before.
        const { metadata: { generation = 0, annotations } = {}, status } = this.deployment ?? {};
        const same = isDeepStrictEqual(annotations, object.metadata.annotations);
        const metadata = { ...object.metadata, generation: same ? generation : generation + 1 };
        return { ...object, metadata, status };
      },
      applyStatus: async (_: unknown, { metadata, status }: Workspace) => {
        if (this.away) throw new ApiError('PATCH', 500, { reason: 'InternalError' });
        this.writes += 1;
        const at = `${metadata.namespace}/${metadata.name}`;
        const before = this.workspaces.get(at);
        const resourceVersion = `${++this.#version}`;
        const now = { ...before, metadata: { ...metadata, ...before?.metadata, resourceVersion }, status };
        if (before) this.workspaces.set(at, now as Workspace);
        return now;
      },
    } as unknown as KubeClient;
    const controller = createWorkspaceController({
      transfers: new Transfers(),
      client,
      informers,
      agents: this.agents,
      events: {
        emit: ({ kind }: Workspace, _: string, reason: string) =>
          kind === 'Workspace' && this.events.push(reason),
      } as unknown as EventRecorder,
      certificates: this.certificates,
      meters: createMeters(new Registry()),
      log: quietLog(),
    });
    return controller.start(signal);
  }

  connected(): string | undefined {
    return this.workspaces.get(key)?.status?.conditions?.find(({ type }) => type === 'AgentConnected')
      ?.status;
  }
}

let world: World;
let stop: AbortController;
let running: Promise<void>;
beforeEach(() => {
  vi.useFakeTimers();
  world = new World();
  stop = new AbortController();
  running = world.start(stop.signal);
});
afterEach(async () => {
  stop.abort();
  await running;
  vi.useRealTimers();
});

test('a new leader gives agents time to come back, however long it has waited to lead', async () => {
  world.agents.set(key, agentOf([]));
  world.add('ws');
  await vi.advanceTimersByTimeAsync(600_000);
  expect(world.connected()).toBe('True');

  world.agents.openForMs = 0;
  world.agents.set(key, undefined);
  await vi.advanceTimersByTimeAsync(40_000);
  expect(world.connected()).toBe('True');

  world.agents.openForMs = 46_000;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(world.connected()).toBe('False');
});

test('what an agent says of a snapshot, in several messages, is written once', async () => {
  world.agents.set(key, agentOf([onDisk(1)], { status: statusOf({ snapshotCount: 1 }) }));
  world.add('ws');
  await vi.advanceTimersByTimeAsync(60_000);
  world.writes = 0;
  const both = [onDisk(1), onDisk(2)];
  world.agents.set(key, agentOf(both, { status: statusOf({ snapshotCount: 1 }) }));
  await vi.advanceTimersByTimeAsync(20);
  world.agents.set(key, agentOf(both, { status: statusOf({ snapshotCount: 2 }) }));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(world.workspaces.get(key)?.status).toMatchObject({
    snapshotCount: 2,
    lastSnapshotTime: '2026-11-18T11:06:42Z',
  });
  expect(world.writes).toBe(1);
});

test('with what every Workspace begins with nobody is troubled; with what comes of it they are', async () => {
  world.pods.length = 0;
  world.add('ws');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(world.workspaces.get(key)?.status?.conditions?.map(({ reason }) => reason)).toContain('NoPods');
  expect(world.events).toEqual([]);
  world.agents.set(key, agentOf([]));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(world.events).toEqual(['Connected']);
});

test('a clock that is set back puts no status off', async () => {
  world.pods.length = 0;
  world.add('ws');
  await vi.advanceTimersByTimeAsync(60_000);
  vi.setSystemTime(Date.now() - 3_600_000);
  world.agents.set(key, agentOf([]));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(world.connected()).toBe('True');
});

test('with a new template it is not Ready by the pods of the one before', async () => {
  world.add('ws');
  const workspace = world.workspaces.get(key);
  if (!workspace) throw new Error('it is not there');
  const claim = { ...claimOf(workspace), status: { phase: 'Bound' } };
  const made = deploymentOf(workspace, claim);
  const pods = { replicas: 1, readyReplicas: 1, updatedReplicas: 1 };
  world.claim = claim;
  world.deployment = {
    ...made,
    metadata: { ...made.metadata, generation: 1 },
    status: { observedGeneration: 1, ...pods },
  };
  const ready = () => world.workspaces.get(key)?.status?.conditions?.find(({ type }) => type === 'Ready');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(ready()).toMatchObject({ status: 'True' });
  world.edit('ws', { template: { spec: { containers: [{ name: 'main', image: 'new' }] } } });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(ready()).toMatchObject({ status: 'False', reason: 'PodsNotReady', observedGeneration: 2 });
});

test('a cache that is behind has nothing written again, and nothing said again', async () => {
  world.pods.length = 0;
  world.add('ws');
  await vi.advanceTimersByTimeAsync(60_000);
  world.behind = world.workspaces.get(key);
  world.writes = 0;
  for (let n = 0; n < 5; n++) {
    world.agents.set(key, agentOf([]));
    await vi.advanceTimersByTimeAsync(5_000);
  }
  expect(world.writes).toBe(1);
  expect(world.events).toEqual(['Connected']);
});

test('an event tells what is written, once, however often the API server refuses it', async () => {
  world.pods.length = 0;
  world.add('ws');
  await vi.advanceTimersByTimeAsync(60_000);
  world.away = true;
  world.agents.set(key, agentOf([]));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(world.events).toEqual([]);
  world.away = false;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(world.events).toEqual(['Connected']);
});

test('a new authority reaches the agents of every namespace at once', async () => {
  world.add('ws');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(world.configMaps.get('team')?.data).toEqual({ 'ca.crt': 'first' });
  world.certificates.rotate(bundleOf('first and second'));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(world.configMaps.get('team')?.data).toEqual({ 'ca.crt': 'first and second' });
});

test('a namespace that is made anew gets the authority again', async () => {
  world.add('ws');
  await vi.advanceTimersByTimeAsync(1_000);
  world.remove('ws');
  world.deleteAuthority();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(world.configMaps.size).toBe(0);
  world.add('ws');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(world.configMaps.get('team')?.data).toEqual({ 'ca.crt': 'first' });
});

test('an authority that somebody deletes comes back', async () => {
  world.add('ws');
  await vi.advanceTimersByTimeAsync(1_000);
  world.deleteAuthority();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(world.configMaps.get('team')?.data).toEqual({ 'ca.crt': 'first' });
});

test('what the API server refused is tried again, for a quota grows without a word', async () => {
  world.refusal = 'exceeded quota: storage';
  world.add('ws');
  await vi.advanceTimersByTimeAsync(2_000);
  expect(world.workspaces.get(key)?.status).toMatchObject({
    phase: 'Failed',
    message: expect.stringContaining('exceeded quota'),
  });
  world.refusal = undefined;
  await vi.advanceTimersByTimeAsync(20_000);
  expect(world.created).toContainEqual(expect.objectContaining({ kind: 'PersistentVolumeClaim' }));
});

test('a Workspace whose volume may not be deleted stays, says why, and goes when it may', async () => {
  world.add('ws');
  await vi.advanceTimersByTimeAsync(2_000);
  world.refusal = 'policy keep-claims denies it';
  world.end('ws');
  await vi.advanceTimersByTimeAsync(2_000);
  expect(world.workspaces.get(key)?.status).toMatchObject({
    phase: 'Terminating',
    message: expect.stringContaining('policy keep-claims denies it'),
  });
  expect(world.events).toContain('DeletionRefused');
  world.refusal = undefined;
  await vi.advanceTimersByTimeAsync(30_000);
  expect(world.claim).toBeUndefined();
  expect(world.workspaces.get(key)).toBeUndefined();
});
