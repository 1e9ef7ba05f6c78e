import { expect, test } from 'vitest';
import type { Snapshot as AgentSnapshot } from '../shared/proto/gen/jvs/agent/v1/Snapshot.ts';
import { entriesOfAgent, entriesOfCluster, marksOf, worktreesOfAgent } from './history.ts';
import type { Snapshot } from './objects.ts';
import { timeline } from './render/graph.ts';
import { historyTable } from './render/history.ts';
import { renderTable } from './render/table.ts';

const now = new Date('2026-11-24T12:00:00Z');
const id = (minute: number) => `${Date.UTC(2026, 10, 24, 11, minute)}-0000000${minute % 10}`;

function listed(minute: number, more: Partial<AgentSnapshot> = {}): AgentSnapshot {
  const seconds = Date.UTC(2026, 10, 24, 11, minute) / 1000;
  return {
    ...{
      id: id(minute),
      parentId: '',
      worktree: 'main',
      createdAt: { seconds, nanos: 0 },
      completedAt: null,
    },
    ...{ note: '', tags: [], engine: 'copy', effectiveEngine: 'copy', payloadRootHash: '' },
    ...{
      descriptorChecksum: '',
      integrity: 'INTEGRITY_VERIFIED',
      consistency: 'CONSISTENCY_CRASH_CONSISTENT',
    },
    ...{ origin: 'auto', sizeBytes: 2048, uniqueBytes: 1024, fileCount: 1, skippedCount: 0, requestUid: '' },
    ...{ keepReasons: [], verifiedAt: null },
    ...more,
  };
}

const shown = (minute: number, name: string, more: Partial<Snapshot['spec']> = {}): Snapshot => ({
  metadata: { name },
  spec: { workspace: 'train', ...more },
  status: { snapshotID: id(minute), parentID: id(minute - 1), createdAt: '2026-11-24T11:58:00Z', size: 10 },
});

const fromAgent = [
  listed(50, { parentId: id(20), keepReasons: ['newest of worktree main', 'younger than 24h'] }),
  listed(40, { parentId: id(30), worktree: 'exp', note: 'half way\nmore', tags: ['k8s-uid', 'experiment'] }),
  listed(30, { parentId: id(10), worktree: 'exp', integrity: 'INTEGRITY_TAMPERED' }),
  listed(20, { parentId: id(10), origin: 'self', note: 'from \x1b[2Jthe workload' }),
  listed(10, { origin: 'manual', keepReasons: ['pinned'] }),
];
const worktrees = worktreesOfAgent([
  {
    name: 'main',
    baseSnapshotId: '',
    headSnapshotId: id(20),
    latestSnapshotId: id(50),
    createdAt: null,
  },
  {
    name: 'exp',
    baseSnapshotId: id(10),
    headSnapshotId: id(40),
    latestSnapshotId: id(40),
    createdAt: null,
  },
]);

test('a timeline: what descends from what, what stands where, what it costs and why it is kept', () => {
  const resources = [shown(10, 'before-tuning', { pinned: true }), shown(40, `train-${id(40)}`)];
  const entries = timeline(entriesOfAgent(fromAgent, resources));
  const table = historyTable(entries, worktrees, { now, wide: false });
  expect(`\n${renderTable(...table, { colours: false })}`).toBe(`
      SNAPSHOT                 AGE   SIZE      NEW        ORIGIN   WHAT
●     ${id(50)}   10m   2.0 KiB   +1.0 KiB   auto     (newest of main) kept: newest of worktree main; younger than 24h
│ ●   ${id(40)}   20m   2.0 KiB   +1.0 KiB   auto     (exp) "half way" #experiment
│ ●   ${id(30)}   30m   2.0 KiB   +1.0 KiB   auto     DAMAGED
● │   ${id(20)}   40m   2.0 KiB   +1.0 KiB   self     (main) "from \\u{1b}[2Jthe workload"
├─╯
●     ${id(10)}   50m   2.0 KiB   +1.0 KiB   manual   before-tuning kept: pinned
`);
  expect(entries.map(({ name, pinned }) => [name, pinned])).toEqual([
    [undefined, false],
    [`train-${id(40)}`, false],
    [undefined, false],
    [undefined, false],
    ['before-tuning', true],
  ]);
});

test('wide says more', () => {
  const [titles, rows] = historyTable(entriesOfAgent(fromAgent.slice(1, 2), []), [], { now, wide: true });
  expect(titles).toContain('CONSISTENCY');
  expect(rows[0]).toEqual(expect.arrayContaining(['exp', id(30), 'crash-consistent']));
});

test('the cluster shows what has data', () => {
  const unfinished: Snapshot = { metadata: { name: 'asked' }, spec: { workspace: 'train' }, status: {} };
  const entries = entriesOfCluster([shown(58, 'mine', { tags: ['t'], note: 'n' }), unfinished]);
  expect(entries).toMatchObject([
    { id: id(58), parent: id(57), name: 'mine', worktree: 'main', size: 10, tags: ['t'], note: 'n' },
  ]);
});

test('a worktree is marked at its head, and at its newest where that is another', () => {
  expect([...marksOf(worktrees)]).toEqual([
    [id(20), ['main']],
    [id(50), ['newest of main']],
    [id(40), ['exp']],
  ]);
});
