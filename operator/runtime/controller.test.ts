import { setImmediate as settled } from 'node:timers/promises';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { within } from '../../shared/testing.ts';
import { Controller, type ControllerOptions, type Result } from './controller.ts';
import { ApiError, TerminalError, Unreachable } from './errors.ts';
import { ManualClock } from './manual-clock.ts';

let clock: ManualClock;
let stop: AbortController;
let runs: { key: string; at: number }[];
let logged: { level: number; msg: string; key?: string }[];

beforeEach(() => {
  clock = new ManualClock();
  stop = new AbortController();
  runs = [];
  logged = [];
});
afterEach(() => stop.abort());

function start(
  reconcile: (key: string, signal: AbortSignal) => Promise<Result>,
  options: Partial<ControllerOptions> = {},
) {
  const log = pino({ level: 'debug' }, { write: (line) => logged.push(JSON.parse(line)) });
  const controller = new Controller({
    name: 'test',
    reconcile: (key, signal) => {
      runs.push({ key, at: clock.now() });
      return reconcile(key, signal);
    },
    clock,
    random: () => 1,
    backoff: { baseMs: 100, capMs: 1000 },
    log,
    ...options,
  });
  return { controller, stopped: controller.start(stop.signal) };
}

/** Lets time pass in steps, as reconciles under way need turns of the event loop. */
async function pass(ms: number): Promise<void> {
  await settled();
  for (let passed = 0; passed < ms; passed += 50) {
    clock.advance(50);
    await settled();
  }
}

const times = () => runs.map((run) => run.at);

describe('Controller', () => {
  it('looks again after the time that a reconcile asked for', async () => {
    const { controller } = start(async () => (runs.length === 1 ? { requeueAfter: 300 } : undefined));
    controller.enqueue('a');
    await pass(1000);
    expect(times()).toEqual([0, 300]);
  });

  it('lets others have their turn between reconciles that wait for nothing', async () => {
    const work = async () => {
      for (const until = performance.now() + 1; performance.now() < until; );
    };
    const { controller } = start(work, { workers: 4 });
    for (let i = 0; i < 200; i++) controller.enqueue(String(i));
    await settled();
    expect(runs.length).toBeLessThan(50);
    await vi.waitFor(() => expect(runs).toHaveLength(200), within);
  });

  it('backs off exponentially up to the cap and starts afresh after a success', async () => {
    let broken = true;
    const { controller } = start(async () => {
      if (broken) throw new Error('broken');
    });
    controller.enqueue('a');
    await pass(3600);
    expect(times()).toEqual([0, 100, 300, 700, 1500, 2500, 3500]);
    broken = false;
    await pass(1000);
    broken = true;
    runs.length = 0;
    controller.enqueue('a');
    const now = clock.now();
    await pass(400);
    expect(times()).toEqual([now, now + 100, now + 300]);
  });

  it('spreads retries at random', async () => {
    const { controller } = start(() => Promise.reject(new Error('broken')), { random: () => 0.5 });
    controller.enqueue('a');
    await pass(400);
    expect(times()).toEqual([0, 50, 150, 350]);
  });

  it('does not retry a terminal error, says so once, and runs again when the object changes', async () => {
    const { controller } = start(() =>
      Promise.reject(new TerminalError('the schedule is no cron expression')),
    );
    controller.enqueue('a');
    await pass(60_000);
    expect(runs).toHaveLength(1);
    expect(logged.filter(({ level }) => level >= 50)).toHaveLength(1);
    controller.enqueue('a');
    await pass(1000);
    expect(runs).toHaveLength(2);
  });

  it('retries a conflict at once, the next one in a row with backoff', async () => {
    const conflict = new ApiError('PATCH /x', 409, { reason: 'Conflict', message: 'changed' });
    const { controller } = start(() => Promise.reject(conflict));
    controller.enqueue('a');
    await pass(250);
    expect(times()).toEqual([0, 0, 200]);
  });

  it('comes back no sooner than the server asked for', async () => {
    const busy = new ApiError('GET /x', 429, {
      reason: 'TooManyRequests',
      details: { retryAfterSeconds: 5 },
    });
    const { controller } = start(() => Promise.reject(busy));
    controller.enqueue('a');
    await pass(5100);
    expect(times()).toEqual([0, 5000]);
  });

  it('holds back while the API server is away and then does everything without delay', async () => {
    let away = true;
    const { controller } = start(async () => {
      if (away) throw new Error('cannot apply the claim', { cause: new Unreachable('connect ECONNREFUSED') });
    });
    for (let n = 0; n < 100; n++) controller.enqueue(`key-${n}`);
    await pass(60_000);
    expect(runs.length, 'not every key for itself').toBeLessThan(30);
    away = false;
    runs.length = 0;
    await pass(5000);
    expect(new Set(runs.map(({ key }) => key)).size).toBe(100);
  });

  it('works on several keys at a time but never twice on one', async () => {
    const open = new Map<string, () => void>();
    const { controller } = start((key) => new Promise((resolve) => open.set(key, resolve)), { workers: 2 });
    for (const key of ['a', 'b', 'c', 'a']) controller.enqueue(key);
    await settled();
    controller.enqueue('a');
    await settled();
    expect(runs.map(({ key }) => key)).toEqual(['a', 'b']);
    open.get('a')?.();
    await settled();
    open.get('b')?.();
    await settled();
    expect(runs.map(({ key }) => key)).toEqual(['a', 'b', 'c', 'a']);
  });

  it('aborts a reconcile that takes too long and tries again', async () => {
    const { controller } = start(
      (_key, signal) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      { timeoutMs: 500 },
    );
    controller.enqueue('a');
    await pass(650);
    expect(times()).toEqual([0, 600]);
    expect(logged.some(({ msg, key }) => /too long/.test(msg) && key === 'a')).toBe(true);
  });

  it('starts again with what waited, was interrupted or came while it was stopped', async () => {
    let broken = true;
    const { controller, stopped } = start(
      async (key, signal) => {
        if (key === 'interrupted' && broken)
          await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
        if (key === 'waiting' && broken) return { requeueAfter: 60_000 };
        if (key === 'failing' && broken) throw new Error('broken');
      },
      { workers: 2, random: () => 1, backoff: { baseMs: 60_000, capMs: 60_000 } },
    );
    for (const key of ['interrupted', 'waiting', 'failing', 'done']) controller.enqueue(key);
    await pass(100);
    stop.abort();
    await stopped;
    expect(clock.timers).toBe(0);
    controller.enqueue('new');
    runs.length = 0;
    broken = false;
    stop = new AbortController();
    const again = controller.start(stop.signal);
    await pass(100);
    expect(runs.map(({ key }) => key).sort()).toEqual(['failing', 'interrupted', 'new', 'waiting']);
    stop.abort();
    await again;
  });

  it('on stop aborts what is under way, waits for its end, starts nothing more and reports no errors', async () => {
    const finish = Promise.withResolvers<void>();
    let aborted = false;
    const { controller, stopped } = start(async (_key, signal) => {
      await finish.promise;
      aborted = signal.aborted;
      signal.throwIfAborted();
    });
    controller.enqueue('a');
    controller.enqueue('b');
    await settled();
    stop.abort();
    let over = false;
    void stopped.then(() => {
      over = true;
    });
    await pass(1000);
    expect(over).toBe(false);
    finish.resolve();
    await stopped;
    await pass(10_000);
    expect(aborted).toBe(true);
    expect(runs.map(({ key }) => key)).toEqual(['a']);
    expect(logged.filter(({ level }) => level >= 40)).toEqual([]);
  });
});
