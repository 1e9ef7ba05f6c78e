import { createHash } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { parseSnapshot, type Snapshot } from '../api/snapshot.ts';
import { parseWorkspace } from '../api/workspace.ts';
import { Deleter } from '../deletion/apply.ts';
import { agentOf, statusOf } from '../mirror/testing.ts';
import type { KubeClient } from '../runtime/client.ts';
import type { EventRecorder } from '../runtime/events.ts';
import { type Observed, planTransfer } from './plan.ts';
import { Transfers } from './transfers.ts';

const workspaceNamed = (name: string, spec: object = {}, metadata: object = {}) =>
  parseWorkspace({ metadata: { name, namespace: 'team', ...metadata }, spec });
const snapshotId = '1795507921000-0a1b2c3d';
const snapshotOf = (status: object = { phase: 'Ready', snapshotID: snapshotId }, workspace = 'golden') =>
  parseSnapshot({ metadata: { name: 'base', namespace: 'team' }, spec: { workspace }, status });
const workspace = workspaceNamed('new', { initialSnapshot: 'base' });
const awaiting = agentOf([], { status: statusOf({ awaitsInitial: true }) });
const serving = agentOf([], { pod: 'golden-1', status: statusOf({ transferCertificateSha256: 'c0ffee' }) });
const sourcePod = { metadata: { name: 'golden-1' }, status: { podIP: '10.0.0.7' } };
const observed: Observed = {
  workspace,
  agent: awaiting,
  snapshot: snapshotOf(),
  source: workspaceNamed('golden'),
  sourceAgent: serving,
  sourcePod,
};
const plan = (more: Partial<Observed>) => planTransfer({ ...observed, ...more });

test('with all that it takes, one is to serve and the other to fetch', () => {
  expect(plan({})).toMatchObject({
    exports: { source: 'team/golden', snapshotId },
    fetch: { snapshotId, address: '10.0.0.7:7445', certificateSha256: 'c0ffee' },
  });
  const pod = { ...sourcePod, status: { podIP: 'fd00::7' } };
  expect(plan({ sourcePod: pod }).fetch?.address).toBe('[fd00::7]:7445');
});

test.each<[string, Partial<Observed>]>([
  ['has none', { workspace: workspaceNamed('new') }],
  ['has an agent that waits for nothing', { agent: agentOf([]) }],
  ['has no agent', { agent: undefined }],
  ['goes', { workspace: workspaceNamed('new', { initialSnapshot: 'base' }, { deletionTimestamp: 'now' }) }],
])('nothing is to do for a Workspace that %s', (_, more) => {
  expect(plan(more)).toEqual({});
});

test.each<[string, Partial<Observed>, string, exported: boolean]>([
  ['no such Snapshot', { snapshot: undefined }, 'no Snapshot base in namespace team', false],
  [
    'not Ready',
    { snapshot: snapshotOf({ phase: 'InProgress', message: 'half' }) },
    'not Ready (half)',
    false,
  ],
  [
    'failed',
    { snapshot: snapshotOf({ phase: 'Failed', message: 'damaged' }) },
    'has failed (damaged)',
    false,
  ],
  ['its Workspace is gone', { source: undefined }, 'Workspace golden, of Snapshot base, is gone', false],
  ['its own', { snapshot: snapshotOf(undefined, 'new') }, 'of this very Workspace', false],
  ['no agent there', { sourceAgent: undefined }, 'no agent of Workspace golden', true],
  [
    'its Workspace is stopped',
    { sourceAgent: undefined, source: workspaceNamed('golden', { replicas: 0 }) },
    'a maintenance pod is started',
    true,
  ],
  ['it does not serve yet', { sourceAgent: agentOf([]) }, 'is getting ready', true],
  ['its pod has no address', { sourcePod: undefined }, 'is getting ready', true],
])('%s is said, and what can be done is done', (_, more, message, exported) => {
  const { waits, fetch, exports } = plan(more);
  expect(waits?.message).toContain('spec.initialSnapshot: ');
  expect(waits?.message).toContain(message);
  expect(fetch).toBeUndefined();
  expect(exports !== undefined).toBe(exported);
});

test.each<[condition: object, phase: string, sent: boolean]>([
  [{ status: 'True', reason: 'SnapshotReady' }, 'Ready', true],
  [{ status: 'False', reason: 'SnapshotDamaged' }, 'Failed', false],
])(
  'a Snapshot that is being deleted is sent as long as it is there, where it is %j',
  async (is, phase, sent) => {
    const at = '2026-11-24T12:00:00Z';
    const ready = { type: 'Ready', message: '', lastTransitionTime: at, ...is };
    const { metadata, spec, status } = snapshotOf({ phase, snapshotID: snapshotId, conditions: [ready] });
    const deleted = { ...metadata, uid: 's', deletionTimestamp: at };
    const snapshot = parseSnapshot({ metadata: deleted, spec, status });
    if (sent) expect(plan({ snapshot })).toEqual(plan({}));
    const told = await toldOf(snapshot);
    expect(told.status?.phase).toBe('Expiring');
    expect(plan({ snapshot: told }).exports).toEqual(sent ? plan({}).exports : undefined);
  },
);

test('a Snapshot whose data has gone from the volume is not sent', () => {
  const status = { phase: 'Expiring', snapshotID: snapshotId, message: 'pruned by retention' };
  expect(plan({ snapshot: snapshotOf(status) }).exports).toBeUndefined();
});

/** As its deletion leaves it while it waits for something. */
async function toldOf(snapshot: Snapshot): Promise<Snapshot> {
  const applyStatus = vi.fn(async (_: unknown, _applied: Snapshot) => {});
  const client = { applyStatus } as unknown as KubeClient;
  const deleter = new Deleter(client, { emit: () => {} } as unknown as EventRecorder);
  const decision = { type: 'wait', reason: 'WaitsForCopy', message: 'wait' } as const;
  await deleter.carryOut({ ...snapshot, kind: 'Snapshot' }, decision, new AbortController().signal);
  return { ...snapshot, status: applyStatus.mock.calls[0]?.[1].status };
}

test('what the agent says of it is passed on', () => {
  const status = statusOf({
    awaitsInitial: true,
    problem: '5 of 9 bytes',
    problemReason: 'CopyingInitialSnapshot',
  });
  expect(plan({ agent: agentOf([], { status }) }).waits).toEqual({
    reason: 'CopyingInitialSnapshot',
    message: '5 of 9 bytes',
  });
});

test('both sides hear of a transfer, with one token, until it is over', () => {
  const transfers = new Transfers(() => 'secret');
  const heard: string[] = [];
  transfers.onChange((key) => heard.push(key));
  const soon = plan({ sourceAgent: undefined });
  transfers.set('team/new', soon);
  expect(heard.sort()).toEqual(['team/golden', 'team/new']);
  const tokenSha256 = createHash('sha256').update('secret').digest('hex');
  expect(transfers.exports('team/golden')).toEqual([{ snapshotId, tokenSha256 }]);
  expect(transfers.initial('team/new')).toBeUndefined();
  transfers.set('team/new', plan({}));
  expect(transfers.initial('team/new')).toEqual({
    snapshotId,
    address: '10.0.0.7:7445',
    certificateSha256: 'c0ffee',
    token: 'secret',
  });
  heard.length = 0;
  transfers.set('team/new', plan({}));
  expect(heard).toEqual([]);
  transfers.set('team/new', {});
  expect(heard.sort()).toEqual(['team/golden', 'team/new']);
  expect(transfers.exports('team/golden')).toEqual([]);
  expect(transfers.initial('team/new')).toBeUndefined();
  expect(transfers.waits('team/new')).toBeUndefined();
});

test('every transfer has a token of its own', () => {
  const transfers = new Transfers();
  transfers.set('team/new', plan({}));
  transfers.set('team/other', plan({}));
  const tokens = ['team/new', 'team/other'].map((key) => transfers.initial(key)?.token);
  expect(new Set(tokens).size).toBe(2);
  expect(tokens[0]).toMatch(/^[0-9a-f]{64}$/);
  expect(transfers.exports('team/golden')).toHaveLength(2);
});
