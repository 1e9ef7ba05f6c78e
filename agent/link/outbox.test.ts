import { expect, test } from 'vitest';
import type { AgentMessageInput } from '../../shared/proto/gen/jvs/link/v1/AgentMessage.ts';
import { loadLink } from '../../shared/proto/load.ts';
import type { Descriptor } from '../repository/repository.ts';
import { fakeDescriptor, MemoryRepository } from '../testing/memory-repository.ts';
import type { UpkeepView } from '../upkeep/upkeep.ts';
import type { VolumeState } from '../volume/volume.ts';
import { inventoryPages } from './inventory.ts';
import { Outbox } from './outbox.ts';

const info = await new MemoryRepository().open();
const open = (...newestFirst: Descriptor[]): VolumeState => ({
  info,
  snapshots: newestFirst,
  head: newestFirst[0]?.snapshot_id,
  worktrees: [],
});
const three = [fakeDescriptor(), fakeDescriptor(), fakeDescriptor()].reverse();
const [c, b, a] = three as [Descriptor, Descriptor, Descriptor];

function drain(outbox: Outbox): AgentMessageInput[] {
  const messages: AgentMessageInput[] = [];
  for (let message = outbox.next(); message; message = outbox.next()) messages.push(message);
  return messages;
}
const quiet: UpkeepView = { status: {}, journal: { removed: [], notices: [] }, notes: new Map() };

const ids = ({ inventory, snapshot }: AgentMessageInput) =>
  inventory?.snapshots?.map(({ id }) => id) ?? snapshot?.id;

test('on connect: the inventory, oldest first, every word on requests, the status; then silence', () => {
  const outbox = new Outbox(open(c, b, a), quiet, [{ uid: 'u', phase: 'PHASE_WAITING' }]);
  const messages = drain(outbox);
  expect(messages).toMatchObject([
    { inventory: { last: true } },
    { request: { uid: 'u' } },
    { status: { snapshotCount: 3 } },
  ]);
  expect(ids(messages[0] ?? {})).toEqual([a, b, c].map(({ snapshot_id }) => snapshot_id));
  expect(drain(outbox)).toEqual([]);
});

test('no inventory is claimed of a volume that cannot be read; it follows when it can', () => {
  const outbox = new Outbox(
    { snapshots: [], worktrees: [], problem: { reason: 'Starting', message: 'opening' } },
    quiet,
    [],
  );
  expect(drain(outbox)).toMatchObject([{ status: { problemReason: 'Starting', problem: 'opening' } }]);
  outbox.volume(open(a));
  expect(drain(outbox)).toMatchObject([{ inventory: { last: true } }, { status: { problem: undefined } }]);
});

test('an inventory that is asked for anew is sent whole', () => {
  const outbox = new Outbox(open(b, a), quiet, []);
  drain(outbox);
  outbox.recount();
  expect(drain(outbox)).toMatchObject([{ inventory: { snapshots: [{}, {}], last: true } }]);
});

test('what is new goes alone, oldest first; what is gone takes a new inventory', () => {
  const outbox = new Outbox(open(a), quiet, []);
  drain(outbox);
  outbox.volume(open(c, b, a));
  expect(drain(outbox).map(ids)).toEqual([b.snapshot_id, c.snapshot_id, undefined]);
  outbox.volume(open(c, a));
  expect(drain(outbox).map(ids)).toEqual([[a.snapshot_id, c.snapshot_id], undefined]);
});

test('usage alone is left to the heartbeat', () => {
  const outbox = new Outbox(open(a), quiet, []);
  drain(outbox);
  outbox.volume({ ...open(a), usage: { usedBytes: 1, capacityBytes: 2 } });
  expect(drain(outbox)).toEqual([]);
  outbox.heartbeat();
  expect(drain(outbox)).toMatchObject([{ status: { usage: { usedBytes: 1, capacityBytes: 2 } } }]);
});

test('worktrees are told when they change, at most a thousand', () => {
  const outbox = new Outbox(open(a), quiet, []);
  drain(outbox);
  const worktrees = Array.from({ length: 1001 }, (_, i) => ({
    ...{ name: i === 0 ? 'main' : `exp-${i}`, created_at: time },
    ...{ head_snapshot_id: b.snapshot_id, latest_snapshot_id: a.snapshot_id },
  }));
  outbox.volume({ ...open(a), worktrees });
  const [told, ...rest] = drain(outbox);
  expect(rest).toEqual([]);
  expect(told?.status?.worktrees).toHaveLength(1000);
  expect(told?.status?.worktrees?.[0]).toMatchObject({
    ...{ name: 'main', baseSnapshotId: undefined, createdAt: { seconds: Date.parse(time) / 1000 } },
    ...{ headSnapshotId: b.snapshot_id, latestSnapshotId: a.snapshot_id },
  });
  outbox.volume({ ...open(a), worktrees });
  expect(drain(outbox)).toEqual([]);
});

test('a slow stream gets the latest word, once', () => {
  const outbox = new Outbox(open(), quiet, []);
  drain(outbox);
  for (let bytesDone = 0; bytesDone < 1000; bytesDone++) {
    outbox.request('u', { uid: 'u', phase: 'PHASE_IN_PROGRESS', bytesDone });
    outbox.request('v', { uid: 'v', phase: 'PHASE_IN_PROGRESS', bytesDone });
  }
  outbox.request('v', undefined);
  outbox.volume(open(a));
  outbox.volume(open(b, a));
  expect(drain(outbox)).toMatchObject([
    { snapshot: { id: a.snapshot_id } },
    { snapshot: { id: b.snapshot_id } },
    { request: { uid: 'u', bytesDone: 999 } },
    { status: { snapshotCount: 2 } },
  ]);
});

test('a snapshot removed while the pages go out leads to another inventory', () => {
  const many = Array.from({ length: 1200 }, () => fakeDescriptor()).reverse();
  const outbox = new Outbox(open(...many), quiet, []);
  expect(outbox.next()).toMatchObject({ inventory: { last: false } });
  outbox.volume(open(...many.slice(1)));
  const rest = drain(outbox).flatMap(({ inventory }) => inventory ?? []);
  const second = rest.slice(rest.findIndex(({ last }) => last) + 1);
  expect(second.flatMap(({ snapshots }) => snapshots?.map(({ id }) => id))).toEqual(
    many
      .slice(1)
      .map(({ snapshot_id }) => snapshot_id)
      .reverse(),
  );
});

test('pages keep every snapshot and stay far below the message limit', () => {
  const { serialize } = loadLink().InventoryPage;
  const many = Array.from({ length: 1234 }, (_, i) =>
    fakeDescriptor({ note: '☃'.repeat((i % 20) * 512), tags: ['release'] }),
  ).reverse();
  const pages = [...inventoryPages(many, new Map())];
  expect(pages.flatMap(({ snapshots }) => snapshots?.map(({ id }) => id))).toEqual(
    many.map(({ snapshot_id }) => snapshot_id).reverse(),
  );
  for (const page of pages) {
    expect(page.snapshots?.length).toBeLessThanOrEqual(500);
    expect(serialize(page).length).toBeLessThan(512 * 1024);
  }
  expect(pages.map(({ last }) => last).indexOf(true)).toBe(pages.length - 1);
});

const time = '2026-11-24T10:00:00Z';
const removal = { id: a.snapshot_id, time, reason: 'Pruned', message: 'not kept by retentionPolicy' };

test('what was pruned and what people should hear is said once a stream, removals before the inventory', () => {
  const notice = { id: 'held-9', time, warning: true, reason: 'MassPruneHeld', message: 'm' };
  const before = { ...quiet, journal: { removed: [removal], notices: [] } };
  const outbox = new Outbox(open(c, b), before, []);
  expect(drain(outbox)).toMatchObject([{ removed: { id: a.snapshot_id, reason: 'Pruned' } }, {}, {}]);
  outbox.upkeep({
    ...before,
    status: { heldDeletions: 9 },
    journal: { removed: [removal], notices: [notice] },
  });
  expect(drain(outbox)).toMatchObject([{ notice: { id: 'held-9' } }, { status: { heldDeletions: 9 } }]);
});

test('one that is about to go is not said to be gone; when it is, that needs no inventory', () => {
  const outbox = new Outbox(open(b, a), quiet, []);
  drain(outbox);
  outbox.upkeep({ ...quiet, journal: { removed: [removal], notices: [] } });
  expect(drain(outbox)).toEqual([]);
  outbox.volume(open(b));
  expect(drain(outbox)).toMatchObject([{ removed: { id: a.snapshot_id } }, { status: { snapshotCount: 1 } }]);
  // Back again, from a copy say, and gone again.
  outbox.volume(open(b, a));
  outbox.volume(open(b));
  expect(drain(outbox)).toMatchObject([{ removed: { id: a.snapshot_id } }, { status: {} }]);
});

test('what retention and verification say of a snapshot goes with it, and again when it is another', () => {
  const notes = new Map([[a.snapshot_id, { keepReasons: ['pinned'], verifiedAt: time }]]);
  const outbox = new Outbox(open(b, a), { ...quiet, notes }, []);
  const [page] = drain(outbox);
  expect(page?.inventory?.snapshots).toMatchObject([
    { id: a.snapshot_id, keepReasons: ['pinned'], integrity: 'INTEGRITY_VERIFIED' },
    { id: b.snapshot_id, keepReasons: [], verifiedAt: null },
  ]);
  const damaged = new Map([[a.snapshot_id, { keepReasons: ['pinned'], verifiedAt: time, damage: 'x' }]]);
  outbox.upkeep({ ...quiet, notes: damaged });
  expect(drain(outbox)).toMatchObject([
    { snapshot: { id: a.snapshot_id, integrity: 'INTEGRITY_TAMPERED' } },
    { status: { damaged: [a.snapshot_id] } },
  ]);
});
