import { EventEmitter } from 'node:events';
import { pino } from 'pino';
import { afterEach, expect, test, vi } from 'vitest';
import { Emitter } from '../emitter.ts';
import { Session } from './session.ts';

afterEach(() => vi.useRealTimers());

test('one that breaks by itself leaves nothing behind that writes to it', async () => {
  vi.useFakeTimers();
  let writes = 0;
  const write = () => {
    writes++;
    throw new Error('it breaks');
  };
  const call = Object.assign(new EventEmitter(), { write, end: () => {}, cancel: () => {} });
  const updates = new Emitter<[string, object]>();
  const view = { status: {}, journal: { removed: [], notices: [] }, notes: new Map() };
  const session = new Session(call as never, {
    hello: {},
    volume: { state: { snapshots: [], worktrees: [] }, changes: new Emitter() } as never,
    executor: { pending: () => [], updates } as never,
    upkeep: { view, changes: new Emitter() } as never,
    log: pino({ level: 'silent' }),
    onWelcome: () => {},
    welcomeTimeoutMs: 1000,
  });
  await expect(session.run(new AbortController().signal)).rejects.toThrow('it breaks');
  updates.emit('u', { uid: 'u', phase: 'PHASE_DONE' });
  expect(writes).toBe(1);
  expect(vi.getTimerCount()).toBe(0);
});
