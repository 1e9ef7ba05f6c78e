import { expect, test } from 'vitest';
import { parsedBy } from '../api/parse.ts';
import { parseRestore } from '../api/restore.ts';
import { parseSnapshot, type Snapshot } from '../api/snapshot.ts';
import { parseWorkspace } from '../api/workspace.ts';
import { agentOf, idAt, onDisk, statusOf } from '../mirror/testing.ts';
import { claimOf } from '../workspace/objects.ts';
import { heldDeletions } from './hold.ts';
import { decideRestores, decideSnapshots, type Observed } from './plan.ts';

const deletedAt = Date.parse('2026-11-24T12:00:00Z');
const long = () => 60_000;
const workspace = parseWorkspace({
  metadata: { name: 'ml', namespace: 'team', uid: 'w1' },
  spec: {},
  status: { repositoryID: 'r1' },
});
const snapshotOf = (spec: object = {}, status: object = {}, metadata: object = {}): Snapshot =>
  parseSnapshot({
    metadata: {
      ...{ name: 's1', namespace: 'team', uid: 'uid-1', finalizers: ['jvs.io/snapshot'] },
      deletionTimestamp: new Date(deletedAt).toISOString(),
      ...metadata,
    },
    spec: { workspace: 'ml', ...spec },
    status: { phase: 'Ready', snapshotID: idAt(0), ...status },
  });
const observe = (more: Partial<Observed> = {}): Observed => ({
  workspaceName: 'ml',
  workspace,
  claim: claimOf(workspace),
  namespaceEnds: false,
  agent: agentOf([onDisk(0)]),
  snapshots: [],
  restores: [],
  ...more,
});
const decide = (more: Partial<Observed> = {}, snapshot = snapshotOf(), knownFor = long) =>
  decideSnapshots(observe(more), [snapshot], knownFor).get('uid-1');

test('its data is asked to go, once a mass deletion would have been seen', () => {
  expect(decide({}, snapshotOf(), () => 1_000)).toMatchObject({ type: 'wait', forMs: 2_000 });
  expect(decide()).toMatchObject({ type: 'delete', request: { uid: 'uid-1', snapshotId: idAt(0) } });
});

test.each<[string, Partial<Observed>]>([
  ['the namespace ends', { namespaceEnds: true }],
  ['the Workspace is gone', { workspace: undefined }],
  ['the claim is gone', { claim: undefined }],
  ['the claim is not ours', { claim: { metadata: { name: 'jvs-ml', namespace: 'team' } } }],
  ['the volume is gone', { claim: { ...claimOf(workspace), status: { phase: 'Lost' } } }],
  ['another volume is there', { agent: agentOf([onDisk(0)], { status: statusOf({ repositoryId: 'r2' }) }) }],
  ['it is not on the volume', { agent: agentOf([]) }],
])('it goes and no data is touched: %s', (_, more) => {
  expect(decide(more)).toMatchObject({ type: 'letGo' });
});

test('what is being copied to another Workspace stays until it is there, unless its data is to be kept', () => {
  const exports = [{ snapshotId: idAt(0), tokenSha256: 'x' }];
  expect(decide({ exports })).toMatchObject({ type: 'wait', reason: 'WaitsForCopy' });
  expect(decide({ exports }, snapshotOf({ deletionPolicy: 'Retain' }))).toMatchObject({ type: 'letGo' });
  expect(decide({ exports: [{ snapshotId: idAt(1) }] })).toMatchObject({ type: 'delete' });
});

test.each<[string, reason: string | undefined, spec: object, status: object, metadata?: object]>([
  ['has no agent yet, or none at the moment', 'WaitsForCopy', { initialSnapshot: 's1' }, {}],
  ['has it', undefined, { initialSnapshot: 's1' }, { repositoryID: 'r2' }],
  ['goes', undefined, { initialSnapshot: 's1' }, {}, { deletionTimestamp: '2026-11-24T12:00:00Z' }],
  ['begins with another', undefined, { initialSnapshot: 's2' }, {}],
])('a Workspace that is to begin with it holds it, or not: it %s', (_, reason, spec, status, metadata) => {
  const neighbour = parseWorkspace({
    metadata: { name: 'new', namespace: 'team', ...metadata },
    spec,
    status,
  });
  expect(decide({ neighbours: [neighbour] })).toMatchObject(
    reason ? { type: 'wait', reason, message: expect.stringContaining('Workspace new') } : { type: 'delete' },
  );
});

test.each<[string, name: string, ready: string, phase: string, held: boolean]>([
  ['it is whole, and was said to go', 'new', 'True', 'Expiring', true],
  ['it is damaged', 'new', 'False', 'Failed', false],
  ['it is damaged, and was said to go', 'new', 'False', 'Expiring', false],
  ['it is of that very Workspace', 'ml', 'True', 'Ready', false],
])('what a Workspace would never get is not held for it: %s', (_, name, ready, phase, held) => {
  const neighbour = parseWorkspace({
    metadata: { name, namespace: 'team' },
    spec: { initialSnapshot: 's1' },
  });
  const is = (type: string, status: string) => ({
    ...{ type, status, reason: 'R', message: '', lastTransitionTime: '2026-11-24T12:00:00Z' },
  });
  const conditions = [is('Ready', ready), ...(phase === 'Expiring' ? [is('Deleting', 'True')] : [])];
  const decided = decide({ neighbours: [neighbour] }, snapshotOf({}, { phase, conditions }));
  expect(decided?.type).toBe(held ? 'wait' : 'delete');
});

test('a Snapshot of an earlier Workspace of the name takes nothing of this one', () => {
  const owner = { apiVersion: 'jvs.io/v1alpha1', kind: 'Workspace', name: 'ml', uid: 'w0' };
  const owned = (uid: string) => decide({}, snapshotOf({}, {}, { ownerReferences: [{ ...owner, uid }] }));
  expect(owned('w0')).toMatchObject({ type: 'letGo' });
  expect(owned('w1')).toMatchObject({ type: 'delete' });
});

test('one that a newer operator wrote takes nothing along, and does not outlive its Workspace', () => {
  const raw = { ...snapshotOf(), spec: { workspace: 'ml', deletionPolicy: 'Shred' } } as unknown as Snapshot;
  const unreadable = parsedBy(parseSnapshot)(raw);
  expect(decide({}, unreadable)).toMatchObject({ type: 'wait', reason: 'Unreadable' });
  expect(decide({ workspace: undefined }, unreadable)).toMatchObject({ type: 'letGo' });
});

test('that the mirror ends one whose snapshot has gone deletes nothing, should it be there again', () => {
  expect(decide({}, snapshotOf({}, { phase: 'Expiring' }))).toMatchObject({ type: 'letGo' });
});

test('absence counts only of an agent that has told everything', () => {
  for (const more of [{ inventoryComplete: false }, { status: statusOf({ problem: 'p' }) }]) {
    expect(decide({ agent: agentOf([], more) })).toMatchObject({ type: 'delete' });
  }
  expect(decide({ agent: undefined })).toMatchObject({ type: 'delete', reason: 'WaitingForAgent' });
});

test('a restore that runs keeps what it needs; what an agent can not delete says why', () => {
  const restore = parseRestore({
    metadata: { name: 'back', namespace: 'team' },
    spec: { workspace: 'ml', snapshotID: idAt(0) },
    status: { phase: 'InProgress', snapshotID: idAt(0) },
  });
  expect(decide({ restores: [restore] })).toMatchObject({ type: 'wait', reason: 'WaitsForRestore' });
  const said = {
    uid: 'uid-1',
    phase: 'PHASE_WAITING',
    reason: 'Busy',
    message: 'the lease is taken',
  } as const;
  const update = { ...said, bytesDone: 0, bytesTotal: 0, preRestoreSnapshotId: '' };
  const agent = agentOf([onDisk(0)], { requests: new Map([['uid-1', update]]) });
  expect(decide({ agent })).toMatchObject({
    type: 'delete',
    reason: 'Busy',
    message: expect.stringMatching(/lease is taken.*Retain/),
  });
});

test('more than ten within a minute are held, also those that came one by one', () => {
  const at = (n: number, seconds: number) =>
    snapshotOf(
      {},
      { snapshotID: idAt(n) },
      {
        name: `s${n}`,
        deletionTimestamp: new Date(deletedAt + seconds * 1000).toISOString(),
      },
    );
  const burst = Array.from({ length: 11 }, (_, n) => at(n, n));
  expect(heldDeletions(workspace, burst, undefined).size).toBe(11);
  expect(heldDeletions(workspace, burst.slice(1), undefined).size).toBe(0);
  const slow = Array.from({ length: 30 }, (_, n) => at(n, n * 7));
  expect(heldDeletions(workspace, slow, undefined).size).toBe(0);
  expect([...heldDeletions(workspace, [...burst, at(11, 300)], undefined)]).not.toContain('s11');

  const removed = Array.from({ length: 10 }, (_, n) => ({
    id: idAt(n),
    time: { seconds: deletedAt / 1000 + n, nanos: 0 },
    reason: 'Deleted',
    message: '',
  }));
  const agent = (reason: string) =>
    agentOf([], { removed: new Map(removed.map((one) => [one.id, { ...one, reason }])) });
  expect([...heldDeletions(workspace, [at(10, 20)], agent('Deleted'))]).toEqual(['s10']);
  expect(heldDeletions(workspace, [at(10, 20)], agent('Pruned')).size).toBe(0);
  // Ten, of which the data of some has gone already.
  expect(heldDeletions(workspace, burst.slice(0, 10), agent('Deleted')).size).toBe(0);
  // The clock of the agent is another than the API server's.
  const hour = 3_600;
  const ended = new Map(removed.map(({ id }, n) => [id, deletedAt + (hour + n) * 1000]));
  expect([...heldDeletions(workspace, [at(10, hour + 20)], agent('Deleted'), ended)]).toEqual(['s10']);
  expect(heldDeletions(workspace, [at(10, 20)], agent('Deleted'), ended).size).toBe(0);
  const metadata = { ...workspace.metadata, annotations: { 'jvs.io/allow-mass-delete': 'true' } };
  expect(heldDeletions({ ...workspace, metadata }, burst, undefined).size).toBe(0);
});

test('only the worktree that the Restore itself has made goes with it', () => {
  const of = (status: object, name = 'r1') =>
    parseRestore({
      metadata: { name, namespace: 'team', uid: name, deletionTimestamp: new Date(deletedAt).toISOString() },
      spec: { workspace: 'ml', snapshotID: idAt(0), newWorktree: 'side', deletionPolicy: 'Delete' },
      status,
    });
  const side = {
    name: 'side',
    baseSnapshotId: '',
    headSnapshotId: '',
    latestSnapshotId: '',
    createdAt: null,
  };
  const agent = agentOf([], { status: statusOf({ worktrees: [side] }) });
  const decideOne = (status: object, more: Partial<Observed> = {}) =>
    decideRestores(observe({ agent, ...more }), [of(status)], long).get('r1');
  const completed = { phase: 'Completed', completedAt: '2026-11-24T11:00:00Z' };
  expect(decideOne(completed)).toMatchObject({ type: 'delete', request: { worktree: 'side' } });
  expect(decideOne(completed, { agent: agentOf([]) })).toMatchObject({ type: 'letGo' });
  expect(decideOne({ phase: 'Failed' })).toMatchObject({ type: 'letGo' });
  expect(decideOne({ phase: 'Pending' })).toMatchObject({ type: 'letGo' });
  expect(decideOne({ phase: 'InProgress' })).toMatchObject({ type: 'wait', reason: 'BeingRestored' });
  const again = of({ ...completed, completedAt: '2026-11-24T11:30:00Z' }, 'r2');
  expect(decideOne(completed, { restores: [again] })).toMatchObject({ type: 'letGo' });
});
