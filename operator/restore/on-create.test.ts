import { expect, test } from 'vitest';
import type { RequestUpdate } from '../../shared/proto/gen/jvs/link/v1/RequestUpdate.ts';
import { parseSnapshot, type Snapshot, type SnapshotStatus } from '../api/snapshot.ts';
import { agentOf, idAt } from '../mirror/testing.ts';
import { planOnCreateStatus } from './on-create.ts';

const now = new Date('2026-11-24T12:00:00Z');
const snapshotOf = (spec: object, status: object = { phase: 'Ready', snapshotID: idAt(0) }): Snapshot =>
  parseSnapshot({
    metadata: { name: 's', namespace: 'team', uid: 'uid-1' },
    spec: { workspace: 'ml', ...spec },
    status,
  });
const fork = snapshotOf({ restoreOnCreate: true, restoreWorktree: 'side' });
function plan(snapshot: Snapshot, update?: Partial<RequestUpdate>) {
  const uid = 'uid-1-restore';
  const whole = {
    uid,
    phase: 'PHASE_UNSPECIFIED',
    reason: '',
    message: '',
    bytesDone: 0,
    bytesTotal: 0,
  } as const;
  const requests = update && new Map([[uid, { ...whole, preRestoreSnapshotId: '', ...update }]]);
  return planOnCreateStatus(snapshot, agentOf([], { ...(requests && { requests }) }), now);
}
const reasonOf = (status: SnapshotStatus | undefined) =>
  status?.conditions?.find(({ type }) => type === 'Restored')?.reason;

test('nothing is said where nothing is asked for, or there is nothing to restore yet', () => {
  expect(plan(snapshotOf({}))).toBeUndefined();
  expect(plan(snapshotOf({ restoreOnCreate: true }, { phase: 'Pending' }))).toBeUndefined();
});

test('it goes the way of a restore, and ends once', () => {
  expect(plan(fork)?.status.restoreStatus).toEqual({ worktreeName: 'side', phase: 'Pending' });
  const unnamed = plan(snapshotOf({ restoreOnCreate: true }));
  expect(unnamed?.status.restoreStatus?.worktreeName).toBe('s');
  const begun = plan(fork, { phase: 'PHASE_IN_PROGRESS' });
  const startedAt = '2026-11-24T12:00:00Z';
  expect(begun?.status.restoreStatus).toEqual({ worktreeName: 'side', phase: 'InProgress', startedAt });
  const waiting = plan(fork, { phase: 'PHASE_WAITING', reason: 'VolumeFull', message: 'm' });
  expect(reasonOf(waiting?.status)).toBe('VolumeFull');

  const done = plan({ ...fork, status: begun?.status }, { phase: 'PHASE_DONE' });
  expect(done).toMatchObject({
    status: { phase: 'Ready', restoreStatus: { phase: 'Completed', startedAt, completedAt: startedAt } },
    event: { type: 'Normal', reason: 'RestoreCompleted' },
  });
  expect(plan({ ...fork, status: done?.status }, { phase: 'PHASE_FAILED' })).toBeUndefined();
});

test('a failure names the field, and the Snapshot stays Ready', () => {
  const failed = plan(fork, { phase: 'PHASE_FAILED', reason: 'AlreadyExists', message: 'it is there' });
  expect(failed).toMatchObject({
    status: { phase: 'Ready', restoreStatus: { phase: 'Failed' } },
    event: { type: 'Warning', message: expect.stringContaining('spec.restoreWorktree: worktree side') },
  });
});
