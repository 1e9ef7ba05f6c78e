import { expect, test } from 'vitest';
import type { Snapshot as DiskSnapshot } from '../../shared/proto/gen/jvs/agent/v1/Snapshot.ts';
import type { RequestUpdate } from '../../shared/proto/gen/jvs/link/v1/RequestUpdate.ts';
import { parseSnapshot, type Snapshot } from '../api/snapshot.ts';
import { parseWorkspace } from '../api/workspace.ts';
import type { ConnectedAgent } from '../link/agents.ts';
import { agentOf, onDisk as diskSnapshot } from '../mirror/testing.ts';
import { type Observed, planSnapshot } from './plan.ts';
import { finalizer, isWanted, planRequest } from './request.ts';

const now = new Date('2026-11-24T12:00:00Z');
const id = '1795507921000-0a1b2c3d';

const workspace = parseWorkspace({
  apiVersion: 'jvs.io/v1alpha1',
  kind: 'Workspace',
  metadata: { name: 'ml', namespace: 'team' },
  spec: {},
});

function snapshotOf(spec: object = {}, metadata: object = {}, status?: object): Snapshot {
  return parseSnapshot({
    apiVersion: 'jvs.io/v1alpha1',
    kind: 'Snapshot',
    metadata: { name: 's1', namespace: 'team', uid: 'uid-1', generation: 1, ...metadata },
    spec: { workspace: 'ml', ...spec },
    status,
  });
}

const onDisk = diskSnapshot(0, {
  id,
  createdAt: { seconds: 1795507921, nanos: 5 },
  completedAt: { seconds: 1795507922, nanos: 0 },
  tags: ['k8s-uid-1'],
  origin: 'manual',
  requestUid: 'uid-1',
});

const agentWith = (snapshots: DiskSnapshot[], requests: Partial<RequestUpdate>[] = []): ConnectedAgent =>
  agentOf(snapshots, {
    requests: new Map(
      requests.map((update) => [
        'uid-1',
        {
          uid: 'uid-1',
          phase: 'PHASE_UNSPECIFIED',
          reason: '',
          message: '',
          preRestoreSnapshotId: '',
          bytesDone: 0,
          bytesTotal: 0,
          ...update,
        },
      ]),
    ),
  });

const plan = (more: Partial<Observed>) =>
  planSnapshot({ snapshot: snapshotOf(), workspace, byName: () => undefined, ...more }, now);

test('a Snapshot of an unknown Workspace waits and names it', () => {
  const { status, event } = plan({ workspace: undefined }) ?? {};
  expect(status).toMatchObject({ phase: 'Pending' });
  expect(status?.message).toContain('no Workspace ml in namespace team');
  expect(event).toMatchObject({ type: 'Warning', reason: 'WorkspaceNotFound' });
});

test('it waits while no agent is connected', () => {
  expect(plan({})?.status).toMatchObject({ phase: 'Pending', conditions: [{ reason: 'WaitingForAgent' }] });
});

test('who waits for it to be Ready gets it after it was pinned, with no agent there too', () => {
  const ready = plan({ agent: agentWith([onDisk]) })?.status;
  expect(ready).toMatchObject({ observedGeneration: 1, conditions: [{ observedGeneration: 1 }] });
  const restored = { type: 'Restored', status: 'True', reason: 'RestoreCompleted', message: '' };
  const conditions = [
    ...(ready?.conditions ?? []),
    { ...restored, lastTransitionTime: '', observedGeneration: 1 },
  ];
  const pinned = snapshotOf({ pinned: true }, { generation: 2 }, { ...ready, conditions });
  for (const agent of [undefined, agentWith([onDisk])]) {
    const after = planSnapshot(
      { snapshot: pinned, workspace, byName: () => undefined, ...(agent && { agent }) },
      now,
    );
    expect(after?.event).toBeUndefined();
    expect(after?.status).toMatchObject({
      ...{ phase: 'Ready', observedGeneration: 2 },
      conditions: [
        { type: 'Ready', status: 'True', observedGeneration: 2 },
        { type: 'Restored', observedGeneration: 2 },
      ],
    });
    expect(
      plan({ snapshot: snapshotOf({ pinned: true }, { generation: 2 }, after?.status) }),
    ).toBeUndefined();
  }
});

test('of the agents of the Workspace before, whose volume is going, nothing is asked', () => {
  const claim = {
    metadata: { name: 'jvs-ml', namespace: 'team', deletionTimestamp: '2026-11-24T11:59:00Z' },
  };
  const reasonOf = (agent: ConnectedAgent, spec: object = {}) => {
    const { conditions, message } = plan({ agent, claim, snapshot: snapshotOf(spec) })?.status ?? {};
    expect(message).toContain('jvs-ml');
    return conditions?.[0]?.reason;
  };
  expect(reasonOf(agentWith([]))).toBe('VolumeTerminating');
  expect(reasonOf(agentWith([onDisk]), { snapshotID: id })).toBe('VolumeTerminating');
});

test('it is Ready when the disk has it, with what the disk says', () => {
  expect(plan({ agent: agentWith([onDisk]) })?.status).toMatchObject({
    phase: 'Ready',
    snapshotID: id,
    createdAt: '2026-11-24T08:12:01Z',
    completedAt: '2026-11-24T08:12:02Z',
    size: 12,
    uniqueBytes: 3,
    integrityState: 'verified',
    descriptorChecksum: 'c',
    consistency: 'crash-consistent',
    origin: 'manual',
    conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-11-24T12:00:00Z' }],
  });
});

test('the snapshot of another request is not taken for it', () => {
  const agent = agentWith([{ ...onDisk, requestUid: 'uid-2' }]);
  expect(plan({ agent })?.status.phase).toBe('Pending');
});

test('the disk wins over what an agent reported before', () => {
  const agent = agentWith([onDisk], [{ phase: 'PHASE_FAILED', reason: 'Internal', message: 'm' }]);
  expect(plan({ agent })?.status.phase).toBe('Ready');
});

test('progress, waiting and failure are passed on with their reasons', () => {
  const on = (update: Partial<RequestUpdate>) => plan({ agent: agentWith([], [update]) });
  expect(on({ phase: 'PHASE_IN_PROGRESS', bytesDone: 5, bytesTotal: 10 })?.status).toMatchObject({
    phase: 'InProgress',
    progress: { bytesDone: 5, bytesTotal: 10 },
  });
  expect(on({ phase: 'PHASE_WAITING', reason: 'VolumeFull', message: 'grow it' })?.status).toMatchObject({
    phase: 'Pending',
    message: 'grow it',
  });
  const failed = on({ phase: 'PHASE_FAILED', reason: 'ParentMismatch', message: 'head is x' });
  expect(failed?.status).toMatchObject({ phase: 'Failed', message: 'head is x' });
  expect(failed?.event?.message).toContain('ParentMismatch');
});

test('the outcome of a request is final', () => {
  expect(
    plan({ snapshot: snapshotOf({}, {}, { phase: 'Ready', observedGeneration: 1 }), workspace: undefined }),
  ).toBeUndefined();
  expect(
    plan({
      snapshot: snapshotOf({}, {}, { phase: 'Failed', observedGeneration: 1 }),
      agent: agentWith([onDisk]),
    }),
  ).toBeUndefined();
});

test('an unchanged wait has no second event', () => {
  const waiting = plan({})?.status;
  expect(plan({ snapshot: snapshotOf({}, {}, waiting) })?.event).toBeUndefined();
});

test('a template adds its tags to those of the user, each once', () => {
  const request = planRequest(snapshotOf({ tags: ['release', 'v2'], template: 'release' }), () => undefined);
  expect(request).toMatchObject({ tags: ['release', 'v2', 'stable'] });
});

test('compression is as asked; the template archive has the highest, unless the user says otherwise', () => {
  const compression = (spec: object) => {
    const request = planRequest(snapshotOf(spec), () => undefined);
    return 'uid' in request ? request.compression : request;
  };
  expect(compression({})).toBeUndefined();
  expect(compression({ compression: { type: 'zstd', level: 0 } })).toEqual({ type: 'zstd', level: 0 });
  expect(compression({ compression: { type: 'gzip' } })).toEqual({ type: 'gzip', level: 6 });
  expect(compression({ template: 'archive' })).toEqual({ type: 'gzip', level: 9 });
  expect(compression({ template: 'archive', compression: { type: 'none' } })).toBeUndefined();
  expect(compression({ template: 'archive', compression: { type: 'zstd' } })).toMatchObject({ type: 'zstd' });
});

test('nothing is asked for before the finalizer is there that lets its data go with it', () => {
  expect(isWanted(snapshotOf())).toBe(false);
  expect(isWanted(snapshotOf({}, { finalizers: [finalizer] }))).toBe(true);
  expect(isWanted(snapshotOf({ deletionPolicy: 'Retain' }))).toBe(true);
});

test('a deleted request is called back, but not one that is being taken', () => {
  const deleted = { finalizers: [finalizer], deletionTimestamp: '2026-11-24T11:59:00Z' };
  expect(isWanted(snapshotOf({}, deleted, { phase: 'Pending' }))).toBe(false);
  expect(isWanted(snapshotOf({}, deleted, { phase: 'InProgress' }))).toBe(true);
  const asked = snapshotOf({}, deleted);
  expect(isWanted(asked, agentWith([], [{ phase: 'PHASE_IN_PROGRESS' }]))).toBe(true);
  expect(isWanted(asked, agentWith([], [{ phase: 'PHASE_FAILED' }]))).toBe(false);
});

test('the expected parent is an id, or a Snapshot of the same workspace that is Ready', () => {
  const other = snapshotOf({}, { name: 's0' }, { phase: 'Ready', snapshotID: id });
  const resolve = (sourceSnapshot: string) =>
    planRequest(snapshotOf({ sourceSnapshot }), (name) => (name === 's0' ? other : undefined));
  expect(resolve(id)).toMatchObject({ expectedParent: id });
  expect(resolve('s0')).toMatchObject({ expectedParent: id });
  expect(resolve('s9')).toMatchObject({ reason: 'SourceSnapshotNotReady' });
});

test('damage shows on a finished Snapshot, and so does its end; one that is expiring is left alone', () => {
  const taken = plan({ agent: agentWith([onDisk]) })?.status;
  const tampered = agentWith([{ ...onDisk, integrity: 'INTEGRITY_TAMPERED' }]);
  const damaged = plan({ snapshot: snapshotOf({}, {}, taken), agent: tampered });
  expect(damaged).toMatchObject({
    status: { phase: 'Failed', integrityState: 'tampered', conditions: [{ status: 'False' }] },
    event: { type: 'Warning', reason: 'SnapshotDamaged' },
  });
  const snapshot = snapshotOf({}, {}, damaged?.status);
  expect(isWanted(snapshot)).toBe(false);
  expect(plan({ snapshot, agent: tampered })?.event).toBeUndefined();
  expect(plan({ snapshot, agent: agentWith([onDisk]) })?.status.phase).toBe('Ready');
  const expiring = snapshotOf({}, {}, { ...taken, phase: 'Expiring' });
  expect(plan({ snapshot: expiring, agent: tampered })).toBeUndefined();
  expect(isWanted(expiring)).toBe(false);
});
