import { setImmediate as turn } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Role } from '../../shared/proto/gen/jvs/agent/v1/Role.ts';
import type { AgentMessageInput } from '../../shared/proto/gen/jvs/link/v1/AgentMessage.ts';
import type { DesiredState } from '../../shared/proto/gen/jvs/link/v1/DesiredState.ts';
import type { OperatorMessageInput } from '../../shared/proto/gen/jvs/link/v1/OperatorMessage.ts';
import type { SnapshotRequestInput } from '../../shared/proto/gen/jvs/link/v1/SnapshotRequest.ts';
import { loadLink } from '../../shared/proto/load.ts';
import { limits } from './agent-state.ts';
import type { Identified } from './agents.ts';
import type { Refusal } from './refusal.ts';
import { LINGER_MS, RECOUNT_MS, Registry, type Session } from './registry.ts';
import { helloOf, quietLog, snapshotOf } from './testing.ts';

const WS = 'ns/ws';
const connect = loadLink().Link.service.Connect;

let now: number;
let registry: Registry;
let changes: { workspace: string; uids: string[] }[];

interface FakeAgent {
  session: Session;
  sent: OperatorMessageInput[];
  ended?: Refusal;
  say(message: AgentMessageInput, size?: number): void;
}

beforeEach(() => {
  now = 0;
  const seen: typeof changes = [];
  changes = seen; // a late word of the test before stays there
  registry = new Registry(quietLog(), { wall: () => 1_700_000_000_000 + now, monotonic: () => now });
  registry.onChange((workspace, uids) => seen.push({ workspace, uids: [...uids].sort() }));
});

function join(
  pod: string,
  { uid = `uid-of-${pod}`, session = 's', leaving = false, role = 'ROLE_UNSPECIFIED' as Role } = {},
): FakeAgent {
  const sent: OperatorMessageInput[] = [];
  const agent: FakeAgent = {
    sent,
    say,
    session: { identity: { pod: { namespace: 'ns', name: pod, uid }, node: 'n', workspace: WS, leaving } },
  };
  const hello = { ...helloOf(pod, 'ws', session), role };
  agent.session = registry.attach(agent.session.identity, hello, {
    send: (message) => sent.push(message),
    end: (reason) => {
      agent.ended = reason;
    },
  });
  function say(message: AgentMessageInput, size = 100) {
    // through the wire format, so that absent fields have their defaults
    registry.receive(agent.session, connect.requestDeserialize(connect.requestSerialize(message)), size);
  }
  return agent;
}

const requestOf = (uid: string, note = ''): Identified<SnapshotRequestInput> => ({
  uid,
  name: uid,
  worktree: 'main',
  note,
  tags: [],
  engine: '',
  expectedParent: '',
});
const want = (...uids: string[]) =>
  registry.setDesired(WS, { engine: 'copy', snapshots: uids.map((uid) => requestOf(uid)) });
const desiredOf = ({ sent }: FakeAgent) => sent.at(-1)?.desired as DesiredState | undefined;
const primary = () => registry.primary(WS)?.pod;

it('the sessions of a pod are those that are there, however they came and went', () => {
  const of = (name: string) => registry.sessions({ namespace: 'ns', name });
  join('a');
  const again = join('a');
  expect(of('a')).toEqual([again.session]);
  join('b');
  const anew = join('b', { uid: 'of another' });
  expect(of('b')).toEqual([anew.session]);
  registry.left(again.session);
  expect(of('a')).toEqual([]);
  registry.forget(WS);
  expect(of('b')).toEqual([]);
  join('a');
  registry.clear({ code: status.UNAVAILABLE, message: 'no longer the leader' });
  expect(of('a')).toEqual([]);
});

describe('roles', () => {
  it('the longest connected is primary, until it is gone', () => {
    want('u1');
    const [a, b, c] = [join('a'), join('b'), join('c')];
    expect([a, b, c].map((agent) => desiredOf(agent)?.role)).toEqual([
      'ROLE_PRIMARY',
      'ROLE_STANDBY',
      'ROLE_STANDBY',
    ]);
    registry.left(a.session);
    expect(primary()).toBe('b');
    expect(desiredOf(b)?.role).toBe('ROLE_PRIMARY');
    expect(c.sent).toHaveLength(1);
    expect(registry.connected(WS).map(({ pod }) => pod)).toEqual(['b', 'c']);
  });

  it('a primary whose stream broke keeps its role when it is back in time', () => {
    want();
    const a = join('a');
    const b = join('b');
    registry.lost(a.session);
    now += LINGER_MS - 1;
    registry.tick();
    expect(primary()).toBe('a');
    const again = join('a');
    now += LINGER_MS;
    registry.tick();
    expect(primary()).toBe('a');
    expect(desiredOf(again)?.role).toBe('ROLE_PRIMARY');
    expect(b.sent).toHaveLength(1);
  });

  it('and loses it when it is not', () => {
    want();
    const a = join('a');
    const b = join('b');
    registry.lost(a.session);
    now += LINGER_MS;
    registry.tick();
    expect(primary()).toBe('b');
    expect(desiredOf(b)?.role).toBe('ROLE_PRIMARY');
  });

  it('a pod that is being deleted is primary only while there is no other', () => {
    want('u1');
    const a = join('a');
    registry.retire(a.session);
    expect(primary()).toBe('a');
    const b = join('b');
    expect(primary()).toBe('b');
    expect([desiredOf(a)?.role, desiredOf(b)?.role]).toEqual(['ROLE_STANDBY', 'ROLE_PRIMARY']);
    const c = join('c');
    registry.retire(b.session);
    expect(desiredOf(c)?.role).toBe('ROLE_PRIMARY');
    for (const leaving of [true, false]) {
      join('a', { leaving }); // a new stream of the pod, whatever is known of it
      expect(primary()).toBe('c');
    }
    registry.left(c.session);
    registry.left(b.session);
    expect(primary()).toBe('a');
    join('d');
    expect(primary()).toBe('d');
  });

  it('what a standby knew counts only once it has told of the volume again as primary', async () => {
    want('u1');
    const a = join('a');
    const b = join('b');
    b.say({ inventory: { snapshots: [snapshotOf('s1')], last: true } });
    expect(registry.connected(WS)[1]?.inventoryComplete).toBe(true);
    await turn();
    changes.length = 0;
    b.say({ inventory: { snapshots: [snapshotOf('s1')], last: false } });
    registry.retire(a.session);
    expect(registry.primary(WS)).toMatchObject({ pod: 'b', inventoryComplete: false });
    expect(registry.primary(WS)?.snapshots.size).toBe(1);
    b.say({ inventory: { snapshots: [], last: true } }); // begun before
    expect(registry.primary(WS)?.inventoryComplete).toBe(false);
    b.say({ inventory: { snapshots: [snapshotOf('s1'), snapshotOf('s2')], last: true } });
    expect(registry.primary(WS)).toMatchObject({ pod: 'b', inventoryComplete: true });
    await turn();
    expect(changes.at(-1)?.uids).toEqual(['u1']);
  });

  it('what a standby knew does not count either where another operator told it to be one', async () => {
    const b = join('b', { role: 'ROLE_STANDBY' });
    b.say({ inventory: { snapshots: [snapshotOf('s1')], last: true } }); // begun before it can know
    expect(registry.primary(WS)).toMatchObject({ pod: 'b', inventoryComplete: false });
    want('u1');
    expect(desiredOf(b)?.role).toBe('ROLE_PRIMARY');
    b.say({ inventory: { snapshots: [snapshotOf('s1'), snapshotOf('s2')], last: true } });
    expect(registry.primary(WS)).toMatchObject({ pod: 'b', inventoryComplete: true });
    const again = join('b', { role: 'ROLE_PRIMARY' });
    again.say({ inventory: { snapshots: [], last: true } });
    expect(registry.primary(WS)).toMatchObject({ pod: 'b', inventoryComplete: true });
  });

  it('an agent that does not know to tell again is taken at its word in the end', () => {
    want('u1');
    const a = join('a');
    const b = join('b');
    b.say({ inventory: { snapshots: [], last: true } });
    registry.left(a.session);
    for (let waited = 0; waited < RECOUNT_MS; waited += 10_000) {
      expect(registry.primary(WS)?.inventoryComplete).toBe(false);
      now += 10_000;
      b.say({ status: {} });
      registry.tick();
    }
    expect(registry.primary(WS)?.inventoryComplete).toBe(true);
  });

  it('where it has told of nothing yet, that is no word', () => {
    const b = join('b', { role: 'ROLE_STANDBY' });
    for (let waited = 0; waited <= RECOUNT_MS; waited += 10_000) {
      now += 10_000;
      b.say({ status: {} });
      registry.tick();
    }
    expect(registry.primary(WS)?.inventoryComplete).toBe(false);
    b.say({ inventory: { snapshots: [], last: true } });
    expect(registry.primary(WS)?.inventoryComplete).toBe(true);
  });

  it('a standby that opens the volume when it is primary tells of it once', () => {
    want('u1');
    const a = join('a');
    const b = join('b');
    b.say({ status: { problem: 'The repository is being opened', problemReason: 'Starting' } });
    registry.left(a.session);
    b.say({ inventory: { snapshots: [], last: true } });
    expect(registry.primary(WS)?.inventoryComplete).toBe(true);
  });

  it('a new pod of the same name does not inherit it', () => {
    const a = join('a');
    join('b');
    join('a', { uid: 'another' });
    expect(a.ended?.code).toBe(status.ABORTED);
    expect(primary()).toBe('b');
    expect(registry.connected(WS).map(({ pod }) => pod)).toEqual(['b', 'a']);
  });

  it('an agent that is silent for three heartbeats is dead', () => {
    const a = join('a');
    const b = join('b');
    now += 59_999;
    b.say({ status: {} });
    registry.tick();
    expect(a.ended).toBeUndefined();
    now += 1;
    registry.tick();
    expect(a.ended?.code).toBe(status.UNAVAILABLE);
    expect(b.ended).toBeUndefined();
    expect(primary()).toBe('b');
  });
});

describe('desired state', () => {
  it('is sent to all, only when it changed, and again on reconnect', () => {
    const [a, b] = [join('a'), join('b')];
    expect(a.sent).toEqual([]);
    want('u1');
    want('u1');
    expect(desiredOf(a)?.snapshots.map(({ uid }) => uid)).toEqual(['u1']);
    expect([a.sent.length, b.sent.length]).toEqual([1, 1]);
    want('u1', 'u2');
    expect([a.sent.length, b.sent.length]).toEqual([2, 2]);
    const again = join('a');
    expect(desiredOf(again)?.snapshots.map(({ uid }) => uid)).toEqual(['u1', 'u2']);
  });

  it('is cut where a message would be too long, the oldest first, and never to nothing', () => {
    const a = join('a');
    const long = ['u1', 'u2', 'u3'].map((uid) => requestOf(uid, 'é'.repeat(600_000)));
    registry.setDesired(WS, { engine: 'copy', snapshots: long });
    expect(desiredOf(a)?.snapshots.map(({ uid }) => uid)).toEqual(['u1']);
    expect(connect.responseSerialize(a.sent.at(-1) ?? {}).length).toBeLessThan(4 * 1024 * 1024);
    registry.setDesired(WS, { engine: 'copy', snapshots: [requestOf('u1', 'é'.repeat(1_100_000))] });
    expect(desiredOf(a)?.snapshots).toHaveLength(1);
  });

  it('bounds every kind of request, and tells who looks that it is another', async () => {
    const a = join('a');
    await turn();
    changes.length = 0;
    const deletions = Array.from({ length: 20_000 }, (_, n) => ({
      uid: `uid-of-a-snapshot-resource-${n}`,
      snapshotId: `17950000${n}-0a1b2c3d`,
    }));
    const desired = { engine: 'copy', snapshots: [requestOf('u1')], restores: [{ uid: 'r' }], deletions };
    registry.setDesired(WS, desired);
    expect(desiredOf(a)?.snapshots).toHaveLength(1);
    expect(desiredOf(a)?.restores).toHaveLength(1);
    const sent = desiredOf(a)?.deletions ?? [];
    expect(sent.length).toBeGreaterThan(1000);
    expect(sent.length).toBeLessThan(deletions.length);
    expect(registry.desiredOf(WS)).toBe(desired);
    await turn();
    expect(changes).toEqual([{ workspace: WS, uids: [] }]);
    registry.setDesired(WS, structuredClone(desired));
    await turn();
    expect(changes).toHaveLength(1);
  });

  it('goes with its workspace, and so do the agents', () => {
    want('u1');
    const a = join('a');
    registry.forget(WS);
    expect(a.ended?.code).toBe(status.NOT_FOUND);
    expect(registry.connected(WS)).toEqual([]);
    expect(join('a').sent).toEqual([]);
  });
});

describe('what agents say', () => {
  it('a removed snapshot is gone with its reason, and one that is there again is not', () => {
    const a = join('a');
    a.say({ inventory: { snapshots: [snapshotOf('s1', 'u1'), snapshotOf('s2')], last: true } });
    a.say({ removed: { id: 's1', reason: 'Pruned', message: 'm' } });
    const view = registry.primary(WS);
    expect([...(view?.snapshots.keys() ?? [])]).toEqual(['s2']);
    expect(view?.removed.get('s1')).toMatchObject({ reason: 'Pruned', message: 'm' });
    a.say({ snapshot: snapshotOf('s1', 'u1') });
    expect([...(registry.primary(WS)?.snapshots.keys() ?? [])]).toEqual(['s2', 's1']);
    expect(registry.primary(WS)?.removed.size).toBe(0);
  });

  it('one that goes while its inventory arrives does not come back with it', () => {
    const a = join('a');
    a.say({ inventory: { snapshots: [snapshotOf('s1'), snapshotOf('s2')] } });
    a.say({ removed: { id: 's1', reason: 'Pruned' } });
    a.say({ inventory: { snapshots: [], last: true } });
    expect([...(registry.primary(WS)?.snapshots.keys() ?? [])]).toEqual(['s2']);
  });

  it('notices and removals are remembered once, up to a limit', async () => {
    const a = join('a');
    a.say({ notice: { id: 'n', reason: 'SnapshotMissed' } });
    await turn();
    changes.length = 0;
    a.say({ notice: { id: 'n', reason: 'SnapshotMissed' } });
    await turn();
    expect(changes).toEqual([]);
    for (let n = 0; n < limits.notices + 5; n++) a.say({ notice: { id: `n${n}` } });
    for (let n = 0; n < limits.removed + 5; n++) a.say({ removed: { id: `s${n}` } });
    expect(registry.primary(WS)?.notices.size).toBe(limits.notices);
    expect(registry.primary(WS)?.removed.size).toBe(limits.removed);
    a.say({ notice: { id: 'long', message: 'x'.repeat(limits.word) } });
    expect(a.ended?.message).toContain('Notice are longer');
  });

  it('an inventory counts when its last page is here, and replaces the one before as a whole', () => {
    const a = join('a');
    a.say({ inventory: { snapshots: [snapshotOf('s1'), snapshotOf('s2')] } });
    expect(registry.primary(WS)).toMatchObject({ inventoryComplete: false, snapshots: new Map() });
    a.say({ snapshot: snapshotOf('s4') }); // made while the pages were on their way
    a.say({ inventory: { snapshots: [snapshotOf('s3')], last: true } });
    const first = registry.primary(WS);
    expect(first?.inventoryComplete).toBe(true);
    expect([...(first?.snapshots.keys() ?? [])].sort()).toEqual(['s1', 's2', 's3', 's4']);
    a.say({ inventory: { snapshots: [snapshotOf('s1')], last: false } });
    expect(registry.primary(WS)?.snapshots.size).toBe(4);
    a.say({ inventory: { snapshots: [], last: true } });
    expect([...(registry.primary(WS)?.snapshots.keys() ?? [])]).toEqual(['s1']);
    expect(first?.snapshots.size).toBe(4); // a view is never changed
  });

  it('a new stream of the same process knows its status, but its inventory has to come again', () => {
    const a = join('a');
    a.say({ status: { snapshotCount: 7 } });
    a.say({ inventory: { snapshots: [snapshotOf('s1')], last: true } });
    join('a');
    expect(registry.primary(WS)).toMatchObject({ inventoryComplete: false, status: { snapshotCount: 7 } });
    expect(registry.primary(WS)?.snapshots.size).toBe(0);
    join('a', { session: 'restarted' });
    expect(registry.primary(WS)?.status).toBeUndefined();
  });

  it('the word on a request goes when its snapshot is there, or the operator wants it no more', () => {
    want('u1', 'u2');
    const a = join('a');
    a.say({ request: { uid: 'u1', phase: 'PHASE_IN_PROGRESS', bytesDone: 1 } });
    a.say({ request: { uid: 'u1', phase: 'PHASE_IN_PROGRESS', bytesDone: 2 } });
    a.say({ request: { uid: 'u2', phase: 'PHASE_FAILED', reason: 'Full', message: 'The volume is full.' } });
    expect(registry.primary(WS)?.requests.get('u1')?.bytesDone).toBe(2);
    a.say({ snapshot: snapshotOf('s1', 'u1') });
    expect([...(registry.primary(WS)?.requests.keys() ?? [])]).toEqual(['u2']);
    want();
    expect(registry.primary(WS)?.requests.size).toBe(0);
  });

  it('the word on a restore says nothing of a deletion under the same uid', () => {
    const a = join('a');
    registry.setDesired(WS, { engine: 'copy', snapshots: [], restores: [{ uid: 'u1' }] });
    a.say({ request: { uid: 'u1', phase: 'PHASE_DONE' } });
    expect(registry.primary(WS)?.requests.get('u1')?.phase).toBe('PHASE_DONE');
    registry.setDesired(WS, { engine: 'copy', snapshots: [], deletions: [{ uid: 'u1', worktree: 'w' }] });
    expect(registry.primary(WS)?.requests.size).toBe(0);
  });

  it('snapshots are found by the request they were made for, while they are there', () => {
    const a = join('a');
    a.say({ inventory: { snapshots: [snapshotOf('s1', 'u1'), snapshotOf('s2')], last: true } });
    expect([...(registry.primary(WS)?.byRequest ?? [])]).toEqual([['u1', 's1']]);
    a.say({ snapshot: snapshotOf('s1', 'u2') });
    expect([...(registry.primary(WS)?.byRequest ?? [])]).toEqual([['u2', 's1']]);
    a.say({ removed: { id: 's1', reason: 'Deleted' } });
    expect(registry.primary(WS)?.byRequest.size).toBe(0);
  });

  it('more worktrees than the contract allows end the stream', () => {
    const a = join('a');
    a.say({ status: { worktrees: Array.from({ length: 1000 }, (_, n) => ({ name: `w${n}` })) } });
    expect(registry.primary(WS)?.status?.worktrees).toHaveLength(1000);
    a.say({ status: { worktrees: Array.from({ length: 1001 }, (_, n) => ({ name: `w${n}` })) } });
    expect(a.ended?.code).toBe(status.INVALID_ARGUMENT);
    const b = join('b');
    b.say({ status: { worktrees: [{ name: 'x'.repeat(3000) }] } });
    expect(b.ended?.code).toBe(status.INVALID_ARGUMENT);
  });

  it('is not remembered without end', () => {
    const a = join('a');
    for (let n = 0; n <= limits.requests; n++) a.say({ request: { uid: `u${n}`, phase: 'PHASE_WAITING' } });
    const { requests } = registry.primary(WS) ?? {};
    expect(requests?.size).toBe(limits.requests);
    expect(requests?.has('u0')).toBe(false);
  });

  const excesses: [string, AgentMessageInput][] = [
    [
      'snapshots',
      { inventory: { snapshots: Array.from({ length: limits.snapshots + 1 }, (_, n) => ({ id: `${n}` })) } },
    ],
    ['text', { snapshot: { id: 's', note: 'x'.repeat(limits.characters + 1) } }],
    ['tags', { snapshot: { id: 's', tags: Array.from({ length: limits.characters / 16 + 1 }, () => '') } }],
  ];
  it.each(excesses)('too many %s end the stream and say what to do', (_, message) => {
    const a = join('a');
    a.say(message);
    expect(a.ended).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      message: expect.stringMatching(/prune/),
    });
    expect(registry.connected(WS)).toEqual([]);
  });

  it('a flood ends the stream, a steady flow does not', () => {
    const a = join('a');
    const b = join('b');
    for (let n = 0; n < 20_000; n++) {
      now += 10; // a hundred a second
      a.say({ status: { snapshotCount: n } });
    }
    expect(a.ended).toBeUndefined();
    for (let n = 0; n < 11_000; n++) b.say({ status: { snapshotCount: n } });
    expect(b.ended?.code).toBe(status.RESOURCE_EXHAUSTED);
    const c = join('c');
    for (let n = 0; n < 11; n++) c.say({ status: {} }, 4_000_000);
    expect(c.ended?.code).toBe(status.RESOURCE_EXHAUSTED);
  });

  it('what a newer agent says beyond the contract is a sign of life', () => {
    const a = join('a');
    now += 50_000;
    a.say({});
    now += 50_000;
    registry.tick();
    expect(a.ended).toBeUndefined();
    expect(registry.primary(WS)?.lastSeen.getTime()).toBe(1_700_000_050_000);
  });

  it('nothing any more once it is replaced', () => {
    const old = join('a');
    join('a');
    old.say({ status: { snapshotCount: 3 } });
    registry.left(old.session);
    expect(registry.primary(WS)?.status).toBeUndefined();
  });
});

describe('changes', () => {
  it('are told once a turn, with the requests they concern', async () => {
    want('u9');
    const a = join('a');
    await turn();
    expect(changes).toEqual([{ workspace: WS, uids: ['u9'] }]);
    a.say({ snapshot: snapshotOf('s1', 'u1') });
    a.say({ request: { uid: 'u2', phase: 'PHASE_IN_PROGRESS' } });
    a.say({ status: { snapshotCount: 1 } });
    expect(changes).toHaveLength(1);
    await turn();
    expect(changes.slice(1)).toEqual([{ workspace: WS, uids: ['u1', 'u2'] }]);
  });

  it('are not told when nothing changed', async () => {
    const a = join('a');
    a.say({ inventory: { snapshots: [snapshotOf('s1', 'u1')], last: true } });
    a.say({ status: { snapshotCount: 1 } });
    a.say({ request: { uid: 'u2', phase: 'PHASE_IN_PROGRESS' } });
    await turn();
    changes.length = 0;
    a.say({ inventory: { snapshots: [snapshotOf('s1', 'u1')], last: true } });
    a.say({ snapshot: snapshotOf('s1', 'u1') });
    a.say({ status: { snapshotCount: 1 } });
    a.say({ request: { uid: 'u2', phase: 'PHASE_IN_PROGRESS' } });
    registry.lost(a.session);
    await turn();
    expect(changes).toEqual([]);
  });

  it('of the inventory name what is new, what is gone, and at first all that is asked', async () => {
    want('u9');
    const a = join('a');
    await turn();
    changes.length = 0;
    a.say({ inventory: { snapshots: [snapshotOf('s1', 'u1'), snapshotOf('s2', 'u2')], last: true } });
    await turn();
    a.say({ inventory: { snapshots: [snapshotOf('s2', 'u2'), snapshotOf('s3', 'u3')], last: true } });
    await turn();
    expect(changes.map(({ uids }) => uids)).toEqual([
      ['u1', 'u2', 'u9'],
      ['u1', 'u3'],
    ]);
  });

  it('reach the other handlers when one throws', async () => {
    const seen: string[] = [];
    registry = new Registry(quietLog());
    registry.onChange(() => {
      throw new Error('broken');
    });
    registry.onChange((workspace) => seen.push(workspace));
    join('a');
    await turn();
    expect(seen).toEqual([WS]);
  });
});
