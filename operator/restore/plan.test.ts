import { expect, test } from 'vitest';
import type { RequestUpdate } from '../../shared/proto/gen/jvs/link/v1/RequestUpdate.ts';
import { parseRestore, type Restore } from '../api/restore.ts';
import { parseSnapshot, type Snapshot } from '../api/snapshot.ts';
import { parseWorkspace } from '../api/workspace.ts';
import { agentOf, idAt, onDisk } from '../mirror/testing.ts';
import { type Observed, planStatus } from './plan.ts';
import { planQueue } from './queue.ts';
import { finalizer, isWanted } from './request.ts';

const now = new Date('2026-11-24T12:00:00Z');
const workspace = parseWorkspace({ metadata: { name: 'ml', namespace: 'team' }, spec: {} });
const restoreOf = (spec: object = {}, status?: object, metadata: object = {}): Restore =>
  parseRestore({
    metadata: { name: 'back', namespace: 'team', uid: 'uid-1', creationTimestamp: '1', ...metadata },
    spec: { workspace: 'ml', ...(!('snapshot' in spec) && { snapshotID: idAt(0) }), ...spec },
    status,
  });
const snapshotOf = (status?: object, spec: object = {}, metadata: object = {}): Snapshot =>
  parseSnapshot({
    metadata: { name: 's', namespace: 'team', ...metadata },
    spec: { workspace: 'ml', ...spec },
    status,
  });
const saying = (update: Partial<RequestUpdate>) => {
  const whole = {
    phase: 'PHASE_UNSPECIFIED',
    reason: '',
    message: '',
    preRestoreSnapshotId: '',
    ...update,
  } as const;
  return agentOf([], {
    requests: new Map([['uid-1', { uid: 'uid-1', bytesDone: 0, bytesTotal: 0, ...whole }]]),
  });
};
const plan = (restore: Restore, more: Partial<Observed> = {}) =>
  planStatus(
    {
      restore,
      workspace,
      agent: agentOf([]),
      queue: planQueue([restore], []),
      byName: () => undefined,
      ...more,
    },
    now,
  );
const reasonOf = (restore: Restore, more: Partial<Observed> = {}) => {
  const { status } = plan(restore, more) ?? {};
  return [status?.phase, status?.conditions?.[0]?.reason];
};

test('what can still come is waited for, what can not is said once and for all', () => {
  const named = restoreOf({ snapshot: 's' });
  const by = (snapshot?: Snapshot) => reasonOf(named, { byName: () => snapshot });
  expect(by()).toEqual(['Pending', 'SnapshotNotFound']);
  expect(by(snapshotOf())).toEqual(['Pending', 'SnapshotNotReady']);
  expect(by(snapshotOf({ phase: 'Ready', snapshotID: idAt(0) }))).toEqual(['Pending', 'Requested']);
  expect(by(snapshotOf({ phase: 'Failed' }))).toEqual(['Failed', 'SnapshotFailed']);
  expect(by(snapshotOf({ phase: 'Failed', snapshotID: idAt(0) }))).toEqual(['Failed', 'SnapshotDamaged']);
  expect(by(snapshotOf({ phase: 'Expiring' }))).toEqual(['Failed', 'SnapshotDeleted']);
  expect(by(snapshotOf({}, { workspace: 'other' }))).toEqual(['Failed', 'SnapshotOfOtherWorkspace']);
  const leaving = snapshotOf({ phase: 'Ready', snapshotID: idAt(0) }, {}, { deletionTimestamp: 'now' });
  expect(by(leaving)).toEqual(['Failed', 'SnapshotDeleted']);
  expect(reasonOf(named, { workspace: undefined })).toEqual(['Pending', 'WorkspaceNotFound']);
});

test('what it stood for when it was asked for it stands for to its end', () => {
  const begun = restoreOf({ snapshot: 's' }, { phase: 'InProgress', snapshotID: idAt(0) });
  expect(plan(begun, { agent: saying({ phase: 'PHASE_DONE' }) })?.status.phase).toBe('Completed');
});

test("the agent's word becomes phase, progress and times", () => {
  const asked = restoreOf();
  const begun = plan(asked, { agent: saying({ phase: 'PHASE_IN_PROGRESS', bytesDone: 1, bytesTotal: 2 }) });
  expect(begun).toMatchObject({
    status: {
      phase: 'InProgress',
      startedAt: '2026-11-24T12:00:00Z',
      progress: { bytesDone: 1, bytesTotal: 2 },
    },
    event: { reason: 'RestoreStarted' },
  });
  const running = restoreOf({}, begun?.status);
  expect(plan(running, { agent: saying({ phase: 'PHASE_IN_PROGRESS' }) })?.event).toBeUndefined();
  expect(reasonOf(running, { agent: undefined })).toEqual(['InProgress', 'Interrupted']);
  expect(reasonOf(running)).toEqual(['InProgress', 'Requested']);
  const waiting = saying({ phase: 'PHASE_WAITING', reason: 'VolumeFull', message: 'grow it' });
  expect(reasonOf(running, { agent: waiting })).toEqual(['Pending', 'VolumeFull']);
  const done = plan(running, { agent: saying({ phase: 'PHASE_DONE', preRestoreSnapshotId: idAt(1) }) });
  expect(done?.status).toMatchObject({ phase: 'Completed', preRestoreSnapshotID: idAt(1) });
  expect(done?.status.progress).toBeUndefined();
  expect(plan(restoreOf({}, done?.status), { agent: saying({ phase: 'PHASE_FAILED' }) })).toBeUndefined();
  const failed = plan(running, { agent: saying({ phase: 'PHASE_FAILED', reason: 'Damaged', message: 'm' }) });
  expect(failed).toMatchObject({
    status: { phase: 'Failed', message: 'm' },
    event: { type: 'Warning', reason: 'RestoreFailed', message: 'Damaged: m' },
  });
});

test('who waits for its outcome gets it after a change of deletionPolicy, too', () => {
  const { status } = plan(restoreOf(), { agent: saying({ phase: 'PHASE_DONE' }) }) ?? {};
  const changed = restoreOf({ deletionPolicy: 'Delete' }, status, { generation: 2 });
  const after = plan(changed, { agent: undefined });
  expect(after).toMatchObject({
    status: {
      phase: 'Completed',
      observedGeneration: 2,
      conditions: [{ status: 'True', observedGeneration: 2 }],
    },
  });
  expect(after?.status.completedAt).toBe(status?.completedAt);
  expect(plan(restoreOf({}, after?.status, { generation: 2 }))).toBeUndefined();
});

test('of the agents of the Workspace before, whose volume is going, nothing is asked', () => {
  const claim = {
    metadata: { name: 'jvs-ml', namespace: 'team', deletionTimestamp: '2026-11-24T11:59:00Z' },
  };
  expect(reasonOf(restoreOf(), { claim })).toEqual(['Pending', 'VolumeTerminating']);
});

test('the snapshot before it is known from the volume, too', () => {
  const agent = { ...saying({ phase: 'PHASE_DONE' }), byRequest: new Map([['uid-1-before', idAt(3)]]) };
  expect(plan(restoreOf(), { agent })?.status.preRestoreSnapshotID).toBe(idAt(3));
  const other = agentOf([onDisk(3, { requestUid: 'uid-2-before' })]);
  expect(plan(restoreOf(), { agent: other })?.status.preRestoreSnapshotID).toBeUndefined();
});

test('one at a time: a later one waits for the first that can be carried out', () => {
  const first = restoreOf({}, undefined, { name: 'a', uid: 'uid-0', creationTimestamp: '0' });
  const blocked = restoreOf({ snapshot: 'none' }, undefined, {
    name: 'b',
    uid: 'uid-b',
    creationTimestamp: '',
  });
  const second = restoreOf();
  const queue = planQueue([second, blocked, first], []);
  expect(plan(second, { queue })).toMatchObject({
    status: { phase: 'Pending', message: expect.stringContaining('Waits for Restore a') },
    event: { reason: 'WaitsForRestore' },
  });
  expect(reasonOf(first, { queue })).toEqual(['Pending', 'Requested']);
});

test('one that makes a worktree to go with it is asked for only when its finalizer is there', () => {
  const spec = { newWorktree: 'side', deletionPolicy: 'Delete' };
  expect(isWanted(restoreOf(spec))).toBe(false);
  expect(isWanted(restoreOf(spec, undefined, { finalizers: [finalizer] }))).toBe(true);
  const deleted = { finalizers: [finalizer], deletionTimestamp: 'now' };
  expect(isWanted(restoreOf(spec, { phase: 'Pending' }, deleted))).toBe(false);
  expect(isWanted(restoreOf(spec, { phase: 'InProgress' }, deleted))).toBe(true);
});
