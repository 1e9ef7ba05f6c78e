// What a Workspace's status says of its schedule, its volume and the snapshots there.
import { expect, test } from 'vitest';
import type { AgentStatus } from '../../shared/proto/gen/jvs/link/v1/AgentStatus.ts';
import { parseSnapshot } from '../api/snapshot.ts';
import { parseWorkspace } from '../api/workspace.ts';
import { agentOf, idAt, onDisk, statusOf } from '../mirror/testing.ts';
import { claimOf, deploymentOf } from './objects.ts';
import type { Observed } from './observed.ts';
import { planStatus } from './status.ts';

const now = new Date('2026-11-24T12:00:00Z');
const later = { seconds: Date.parse('2026-11-24T13:00:00Z') / 1000, nanos: 0 };
const daily = { autoSnapshot: { schedule: '@daily' } };

const observe = (spec: object, status?: object, more: Partial<Observed> = {}): Observed => ({
  workspace: parseWorkspace({ metadata: { name: 'ml', namespace: 'team', generation: 1 }, spec, status }),
  storageClasses: [],
  staticVolumes: false,
  juiceFsDriver: false,
  pods: [],
  mountFailures: new Map(),
  resources: [],
  linkSettled: true,
  ...more,
});
const withAgent = (more: Partial<AgentStatus>) => ({ agent: agentOf([], { status: statusOf(more) }) });
const running = {
  pods: [
    { metadata: { name: 'p' }, spec: { containers: [{ name: 'jvs-agent' }] }, status: { phase: 'Running' } },
  ],
};

function conditionOf(observed: Observed, wanted: string) {
  return planStatus(observed, [], now).conditions?.find(({ type }) => type === wanted);
}

test.each<[reason: string, spec: object, more?: Partial<Observed>]>([
  ['NotConfigured', {}],
  ['NotConfigured', { autoSnapshot: { enabled: false, schedule: '@daily' } }],
  ['InvalidSchedule', { autoSnapshot: { schedule: '0 0 30 2 *' } }, withAgent({ scheduleReason: 'Active' })],
  ['Suspended', { autoSnapshot: { schedule: '@daily', suspend: true } }],
  ['WorkspaceStopped', { ...daily, replicas: 0 }],
  ['NotReported', daily, withAgent({})],
  ['Active', daily, withAgent({ scheduleReason: 'Active', scheduleMessage: 'm' })],
  ['WaitingForAgent', daily, running],
])('Scheduled %s', (reason, spec, more) => {
  expect(conditionOf(observe(spec, undefined, more), 'Scheduled')?.reason).toBe(reason);
});

test('the next time is what the agent says, stays while it runs without us, and goes when it does not', () => {
  const said = planStatus(
    observe(daily, undefined, withAgent({ scheduleReason: 'Active', nextSnapshotTime: later })),
    [],
    now,
  );
  expect(said.nextSnapshotTime).toBe('2026-11-24T13:00:00Z');
  expect(planStatus(observe(daily, said, running), [], now).nextSnapshotTime).toBe(said.nextSnapshotTime);
  const past = new Date('2026-11-24T14:00:00Z');
  expect(planStatus(observe(daily, said, running), [], past).nextSnapshotTime).toBeUndefined();
  expect(planStatus(observe(daily, said), [], now).nextSnapshotTime).toBeUndefined();
});

test('a volume is almost full from 90 % until it is below 85 %, also behind a graver reason', () => {
  const at = (usedBytes: number, status?: object, more: Partial<AgentStatus> = {}) =>
    planStatus(
      observe({}, status, withAgent({ usage: { usedBytes, capacityBytes: 100 }, ...more })),
      [],
      now,
    );
  const said = (status: object) => JSON.stringify(status).includes('VolumeAlmostFull');
  expect(said(at(89))).toBe(false);
  const full = at(90);
  expect(full.conditions?.find(({ type }) => type === 'Degraded')).toMatchObject({
    reason: 'VolumeAlmostFull',
  });
  expect(at(86, full).conditions).toEqual(full.conditions);
  expect(said(at(84, full))).toBe(false);
  const both = at(90, undefined, { damaged: ['x'] });
  expect(both.conditions?.find(({ type }) => type === 'Degraded')?.reason).toBe('SnapshotDamaged');
  expect(said(both)).toBe(true);
  expect(said(at(86, both, { damaged: ['x'] }))).toBe(true);
});

test('a held mass deletion is said, with and without an agent', () => {
  const held = parseSnapshot({
    metadata: { name: 's', namespace: 'team', deletionTimestamp: '2026-11-24T11:59:00Z' },
    spec: { workspace: 'ml' },
    status: {
      conditions: [
        {
          ...{ type: 'Deleting', status: 'True', reason: 'MassDeletionHeld', message: 'm' },
          lastTransitionTime: '2026-11-24T11:59:00Z',
        },
      ],
    },
  });
  for (const more of [{}, withAgent({})]) {
    const degraded = conditionOf(observe({}, undefined, { ...more, resources: [held] }), 'Degraded');
    expect(degraded).toMatchObject({ status: 'True', reason: 'MassDeletionHeld' });
    expect(degraded?.message).toContain('jvs.io/allow-mass-delete=true');
  }
});

test('a held prune and a changed repository say what to do', () => {
  const held = conditionOf(observe({}, undefined, withAgent({ heldDeletions: 7 })), 'Degraded');
  expect(held).toMatchObject({ status: 'True', reason: 'MassPruneHeld' });
  expect(held?.message).toContain('kubectl annotate jvs ml jvs.io/allow-mass-prune=true');
  const changed = observe({}, { repositoryID: 'r0' }, withAgent({}));
  expect(planStatus(changed, [], now).repositoryID).toBe('r0');
  expect(conditionOf(changed, 'Degraded')).toMatchObject({ reason: 'RepositoryChanged' });
});

test('what was wrong with the volume stays said while no agent is connected, and the message does not grow', () => {
  const seen = observe({}, undefined, withAgent({ damaged: ['x'], heldDeletions: 7 }));
  const first = planStatus(seen, [], now);
  const bare = [
    { metadata: { name: 'p' }, spec: { containers: [{ name: 'c' }] }, status: { phase: 'Running' } },
  ];
  const alone = planStatus(observe({}, first, { pods: bare }), [], now);
  const again = planStatus(observe({}, alone, { pods: bare }), [], now);
  const degraded = alone.conditions?.find(({ type }) => type === 'Degraded');
  expect(degraded?.reason).toBe('SnapshotDamaged');
  expect(degraded?.message.split('\n').map((line) => line.split(':')[0])).toEqual([
    expect.stringContaining('The files of x'),
    'MassPruneHeld',
    'PodNotInjected',
  ]);
  expect(again).toEqual(alone);
});

test('what an agent said holds until it has had time to come back to an operator that has just started', () => {
  const spec = { juiceFsConfig: { source: 'redis://r' }, defaultEngine: 'juicefs-clone' };
  const fallback = withAgent({ filesystem: 'ext4', engineFallback: 'juicefs-clone needs a JuiceFS volume' });
  const broken = withAgent({ problem: 'p', problemReason: 'ForeignRepository' });
  for (const agent of [fallback, broken]) {
    const seen = planStatus(observe(spec, undefined, { ...running, ...agent }), [], now);
    expect(seen.phase).toBe('Failed');
    const alone = planStatus(
      observe(spec, seen, { ...running, linkSettled: false }),
      [],
      new Date('2026-11-24T12:01:00Z'),
    );
    const back = planStatus(
      observe(spec, alone, { ...running, ...agent }),
      [],
      new Date('2026-11-24T12:01:00Z'),
    );
    expect(alone.phase).toBe('Failed');
    for (const { conditions } of [alone, back]) {
      for (const type of ['Ready', 'Degraded', 'JuiceFS']) {
        expect(conditions?.find((one) => one.type === type)).toEqual(
          seen.conditions?.find((one) => one.type === type),
        );
      }
    }
  }
});

test('an agent that has yet to open the volume is no failure', () => {
  const more = withAgent({ problem: 'The repository is being opened', problemReason: 'Starting' });
  expect(planStatus(observe({ replicas: 0 }, undefined, more), [], now).phase).toBe('Pending');
  const failed = withAgent({ problem: 'p', problemReason: 'ForeignRepository' });
  expect(planStatus(observe({ replicas: 0 }, undefined, failed), [], now).phase).toBe('Failed');
});

test('an agent that has yet to open the volume says nothing of what is on it', () => {
  const spec = { juiceFsConfig: { source: 'redis://r' }, storageClassName: 'fast' };
  const known = {
    ...{ snapshotCount: 2, currentSnapshotId: idAt(2), filesystem: 'ext4', damaged: ['x'] },
    engineFallback: 'reflink-copy needs another volume',
    worktrees: [
      {
        name: 'main',
        baseSnapshotId: '',
        headSnapshotId: idAt(2),
        latestSnapshotId: idAt(2),
        createdAt: null,
      },
    ],
  };
  const seen = planStatus(observe(spec, undefined, { ...running, ...withAgent(known) }), [], now);
  const starting = { problem: 'The repository is being opened', problemReason: 'Starting' };
  const unknown = { repositoryId: '', effectiveEngine: '', filesystem: '', usage: null };
  const again = planStatus(
    observe(spec, seen, { ...running, ...withAgent({ ...starting, ...unknown }) }),
    [],
    now,
  );
  expect(again).toEqual(seen);
});

test('a volume that an agent has seen to be JuiceFS is so while the agent is away', () => {
  const spec = { juiceFsConfig: { source: 'redis://r' }, storageClassName: 'fast' };
  const seen = planStatus(
    observe(spec, undefined, { ...running, ...withAgent({ filesystem: 'fuse.juicefs' }) }),
    [],
    now,
  );
  const juiceFs = (more: Partial<Observed>) => conditionOf(observe(spec, seen, more), 'JuiceFS')?.status;
  const starting = withAgent({ repositoryId: '', filesystem: '', problem: 'p', problemReason: 'Starting' });
  expect(juiceFs(running)).toBe('True');
  expect(juiceFs({ ...running, ...starting })).toBe('True');
  expect(juiceFs({})).toBe('Unknown');
});

test('what is on the volume no longer does not stay in the status', () => {
  const agent = agentOf([onDisk(1)], { status: statusOf({ snapshotCount: 1, currentSnapshotId: idAt(1) }) });
  const seen = planStatus(observe({}, undefined, { agent }), [], now);
  expect(seen).toMatchObject({ currentSnapshot: idAt(1), lastSnapshotTime: expect.anything() });
  const { currentSnapshot, lastSnapshotTime } = planStatus(observe({}, seen, withAgent({})), [], now);
  expect([currentSnapshot, lastSnapshotTime]).toEqual([undefined, undefined]);
});

test('an agent of the Workspace before, whose volume is going, gives a new one of that name no repository', () => {
  const observed = observe({}, undefined, withAgent({ repositoryId: 'old', snapshotCount: 3 }));
  const claim = claimOf(observed.workspace);
  const going = { ...claim, metadata: { ...claim.metadata, deletionTimestamp: '2026-11-24T11:59:00Z' } };
  const first = planStatus({ ...observed, claim: going }, [], now);
  expect(first.repositoryID).toBeUndefined();
  const second = observe({}, first, { ...withAgent({ repositoryId: 'new' }), claim });
  expect(planStatus(second, [], now).repositoryID).toBe('new');
  expect(conditionOf(second, 'Degraded')).toMatchObject({ status: 'False' });
});

test('what an agent of the Workspace before says of its volume, which is going, is not said of the new one', () => {
  const usage = { usedBytes: 95, capacityBytes: 100 };
  const said = { damaged: [idAt(1)], heldDeletions: 3, usage, problem: 'EIO', problemReason: 'Unreadable' };
  const observed = observe({ replicas: 0 }, undefined, { ...withAgent(said), ...running });
  const claim = claimOf(observed.workspace);
  const going = { ...claim, metadata: { ...claim.metadata, deletionTimestamp: '2026-11-24T11:59:00Z' } };
  const then = { ...observed, claim: going };
  expect(conditionOf(then, 'Degraded')).toMatchObject({ status: 'False' });
  expect(conditionOf(then, 'AgentConnected')).toMatchObject({ status: 'False', reason: 'NoPods' });
  expect(conditionOf(then, 'Ready')?.message).not.toContain('EIO');
  // Stopped, nobody would see the new volume and take it back.
  expect(
    conditionOf(observe({ replicas: 0 }, planStatus(then, [], now), { claim }), 'Degraded'),
  ).toMatchObject({
    status: 'False',
  });
});

test('a workspace that waits for its initial snapshot is being created, and says why', () => {
  const problem = { problem: 'p', problemReason: 'CopyingInitialSnapshot', awaitsInitial: true };
  const observed = observe({ initialSnapshot: 'base' }, undefined, {
    ...withAgent(problem),
    initial: { reason: 'CopyingInitialSnapshot', message: '5 of 9 bytes' },
  });
  const { workspace: plain } = observed;
  const workspace = { ...plain, metadata: { ...plain.metadata, uid: 'w1' } };
  const claim = { ...claimOf(workspace), status: { phase: 'Bound' } };
  const deployment = deploymentOf(workspace, claim);
  const status = planStatus({ ...observed, workspace, claim, deployment }, [], now);
  expect(status).toMatchObject({ phase: 'Creating', message: '5 of 9 bytes' });
});

test('an agent that is older than the operator is connected, and outdated', () => {
  const agent = { agent: agentOf([], { status: statusOf({}), version: '0.0.9' }) };
  const condition = conditionOf(observe({}, undefined, agent), 'AgentConnected');
  expect(condition).toMatchObject({ status: 'True', reason: 'Outdated' });
  expect(condition?.message).toMatch(/version 0\.0\.9/);
});
