import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseSnapshot, type Snapshot } from '../api/snapshot.ts';
import { parseWorkspace } from '../api/workspace.ts';
import { isWanted } from '../snapshot/request.ts';
import { mirrorOf } from './mirrored.ts';
import { planMirror } from './plan.ts';
import { agentOf, idAt, onDisk, statusOf } from './testing.ts';

const workspace = parseWorkspace({
  metadata: { name: 'ws', namespace: 'n', uid: 'w' },
  spec: {},
  status: { repositoryID: 'r1' },
});
const none = new Set<string>();

const request = (name: string, status?: object): Snapshot =>
  parseSnapshot({
    metadata: { name, namespace: 'n', uid: `uid-${name}` },
    spec: { workspace: 'ws' },
    status,
  });
const mirror = (n: number, pinned = false): Snapshot => {
  const made = mirrorOf(workspace, onDisk(n));
  return { ...made, metadata: { ...made.metadata, uid: `m${n}` }, spec: { ...made.spec, pinned } };
};
const namesOf = (all: readonly Snapshot[]) => all.map(({ metadata }) => metadata.name);

test('what is shown fits the schema, whatever the descriptor says', () => {
  const text = fc.string({ unit: 'binary', maxLength: 60 });
  fc.assert(
    fc.property(
      fc.record({ note: text, worktree: text, origin: text, effectiveEngine: text, tags: fc.array(text) }),
      (odd) => {
        const made = mirrorOf(workspace, onDisk(1, odd));
        expect(parseSnapshot(made).spec).toEqual(made.spec);
      },
    ),
  );
});

test('as many as the limit, however the world is; a second pass over its outcome does nothing', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.nat(30), { maxLength: 30 }),
      fc.uniqueArray(fc.nat(30), { maxLength: 30 }),
      fc.uniqueArray(fc.nat(30), { maxLength: 3 }),
      fc.nat(12),
      (disk, there, pinned, limit) => {
        const agent = agentOf(disk.map((n) => onDisk(n)));
        const gone = new Set(there.map(idAt));
        let resources = there.map((n) => mirror(n, pinned.includes(n)));
        const plan = planMirror({ workspace, agent, resources }, limit, gone);
        const dead = new Set([...plan.gone.map(({ resource }) => resource), ...plan.surplus]);
        resources = [...resources.filter((resource) => !dead.has(resource)), ...plan.create];
        const kept = resources.filter(({ spec }) => !spec.pinned);
        expect(kept.length).toBeLessThanOrEqual(limit);
        expect(new Set(namesOf(resources)).size).toBe(resources.length);
        for (const { spec } of resources) expect(agent.snapshots.has(spec.snapshotID ?? '')).toBe(true);
        expect(planMirror({ workspace, agent, resources }, limit, gone)).toEqual({
          create: [],
          gone: [],
          surplus: [],
          missing: [],
        });
        expect(resources.filter((resource) => isWanted(resource))).toEqual([]);
      },
    ),
  );
});

test('one whose data would go with it stays beyond the window', () => {
  const old = mirror(0);
  const deleting = { ...old, spec: { ...old.spec, deletionPolicy: 'Delete' as const } };
  const agent = agentOf([0, 1].map((n) => onDisk(n)));
  const surplus = (first: Snapshot) =>
    namesOf(planMirror({ workspace, agent, resources: [first, mirror(1)] }, 1, none).surplus);
  expect(surplus(old)).toEqual(namesOf([old]));
  expect(surplus(deleting)).toEqual([]);
});

test('absence means nothing before the whole inventory of the right repository is here', () => {
  const resources = [mirror(1), request('mine', { phase: 'Ready', snapshotID: idAt(2) })];
  const givenUp = new Set([idAt(1), idAt(2)]);
  const plan = (agent: ReturnType<typeof agentOf> | undefined) =>
    planMirror({ workspace, agent, resources }, 10, givenUp).gone.map(({ id }) => id);
  expect(plan(undefined)).toEqual([]);
  expect(plan(agentOf([], { inventoryComplete: false }))).toEqual([]);
  expect(plan(agentOf([], { status: undefined }))).toEqual([]);
  expect(plan(agentOf([], { status: statusOf({ problem: 'broken' }) }))).toEqual([]);
  expect(plan(agentOf([], { status: statusOf({ repositoryId: 'r2' }) }))).toEqual([]);
  expect(plan(agentOf([]))).toEqual([idAt(1), idAt(2)]);
});

test('the agent has its time to say why one is missing', () => {
  const resources = [mirror(1)];
  expect(planMirror({ workspace, agent: agentOf([]), resources }, 10, none)).toMatchObject({
    gone: [],
    missing: [idAt(1)],
  });
  const removed = new Map([[idAt(1), { id: idAt(1), time: null, reason: 'Pruned', message: 'm' }]]);
  expect(planMirror({ workspace, agent: agentOf([], { removed }), resources }, 10, none)).toMatchObject({
    gone: [{ id: idAt(1), reason: 'Pruned', message: 'm' }],
    missing: [],
  });
});

test('requests that wait or have failed are not missing', () => {
  const resources = [request('a'), request('b', { phase: 'Failed' }), request('c', { phase: 'Pending' })];
  const plan = planMirror({ workspace, agent: agentOf([]), resources }, 10, none);
  expect([plan.gone, plan.missing]).toEqual([[], []]);
});
