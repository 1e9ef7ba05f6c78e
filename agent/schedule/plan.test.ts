import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nextRun } from './next.ts';
import {
  planSchedule,
  type ScheduleInput,
  type ScheduleSpec,
  type ScheduleState,
  scheduleStateSchema,
  settle,
} from './plan.ts';

const hourly: ScheduleSpec = { schedule: '0 * * * *', timeZone: 'UTC', suspend: false };
const at = (time: string) => new Date(`2026-03-02T${time}Z`);
/** Its share of the jitter of an hourly schedule is 23 s. */
const workspace = 'default/ml';
const jitter = 23;

function plan(now: Date, input: Partial<ScheduleInput> = {}) {
  const { schedule = '', timeZone } = input.spec ?? hourly;
  const state: ScheduleState = { schedule, timeZone, after: at('08:00:00') };
  return planSchedule({ workspace, spec: hourly, state, now, ...input });
}

test('not yet, now, and done', () => {
  const starts = at(`09:00:${jitter}`);
  expect(plan(at('08:30:00'))).toMatchObject({ next: starts, missed: 0 });
  expect(plan(new Date(starts.getTime() - 1)).due).toBeUndefined();
  const now = plan(starts);
  expect(now).toMatchObject({
    due: { scheduledFor: at('09:00:00'), catchUp: false },
    next: at(`10:00:${jitter}`),
    missed: 0,
  });
  const state = now.state && settle(now.state, at('09:00:00'));
  expect(plan(starts, { state })).toMatchObject({ next: at(`10:00:${jitter}`), missed: 0 });
  expect(plan(starts, { state }).due).toBeUndefined();
});

test('a new schedule, or one that was changed, has missed nothing', () => {
  const first = plan(at('11:30:00'), { state: undefined });
  expect(first).toMatchObject({ next: at(`12:00:${jitter}`), missed: 0 });
  expect(first.due).toBeUndefined();
  const zone = plan(at('11:30:00'), {
    state: { schedule: '0 * * * *', timeZone: 'Asia/Kathmandu', after: at('02:00:00') },
  });
  expect(zone).toMatchObject({ state: { timeZone: 'UTC', after: at('11:30:00') }, missed: 0 });
});

test('after a gap, the newest of the missed runs is caught up, once', () => {
  const gap = plan(at('12:10:00'));
  expect(gap).toMatchObject({ due: { scheduledFor: at('12:00:00'), catchUp: true }, missed: 3 });
  // Killed before it was settled: the same run, and what was given up is counted only once.
  expect(plan(at('12:11:00'), { state: gap.state })).toMatchObject({
    due: { scheduledFor: at('12:00:00'), catchUp: true },
    missed: 0,
  });
});

test('a gap of years of a schedule of a minute', () => {
  const spec = { ...hourly, schedule: '* * * * *' };
  const now = new Date('2029-03-02T12:00:30Z');
  expect(plan(now, { spec })).toMatchObject({
    due: { scheduledFor: new Date('2029-03-02T12:00:00Z'), catchUp: true },
    next: new Date('2029-03-02T12:01:02Z'),
    missed: expect.toSatisfy((missed: number) => missed >= 100 && missed < 105),
  });
});

describe('startingDeadlineSeconds', () => {
  const spec = { ...hourly, startingDeadlineSeconds: 300 };

  test('counts from when the run should have started', () => {
    expect(plan(at(`09:05:${jitter}`), { spec }).due).toBeDefined();
    const late = plan(at(`09:05:${jitter + 1}`), { spec });
    expect(late).toMatchObject({ skipped: 'DeadlineExceeded', missed: 1, next: at(`10:00:${jitter}`) });
    expect(late.due).toBeUndefined();
    expect(plan(at('09:06:00'), { spec, state: late.state })).toMatchObject({ missed: 0 });
  });

  test('0 still lets a run start in its second', () => {
    const now = new Date(at(`09:00:${jitter}`).getTime() + 999);
    expect(plan(now, { spec: { ...hourly, startingDeadlineSeconds: 0 } }).due).toBeDefined();
  });
});

test('suspended: nothing runs, and what was missed is caught up once, as CronJobs do', () => {
  const suspended = plan(at('11:10:00'), { spec: { ...hourly, suspend: true } });
  expect(suspended).toMatchObject({ skipped: 'Suspended', missed: 0 });
  expect(suspended.due ?? suspended.next).toBeUndefined();
  expect(plan(at('11:20:00'), { state: suspended.state })).toMatchObject({
    due: { scheduledFor: at('11:00:00'), catchUp: true },
    missed: 2,
  });
});

test.each([
  [undefined, 'Disabled'],
  [{ ...hourly, schedule: '0 0 31 2 *' }, 'Invalid'],
  [{ ...hourly, timeZone: 'Mars/Olympus' }, 'Invalid'],
])('%j', (spec, skipped) => {
  expect(planSchedule({ workspace, spec, state: undefined, now: at('08:00:00') })).toEqual({
    missed: 0,
    skipped,
  });
});

describe('a clock that', () => {
  test('steps back a little does not repeat a run', () => {
    const state = { schedule: '0 * * * *', timeZone: 'UTC', after: at('09:00:00') };
    expect(plan(at('08:59:00'), { state })).toMatchObject({ next: at(`10:00:${jitter}`), missed: 0 });
    expect(plan(at('09:00:40'), { state }).due).toBeUndefined();
  });

  test('was years ahead does not stop the schedule', () => {
    const state = { schedule: '0 * * * *', timeZone: 'UTC', after: new Date('2036-01-01T00:00:00Z') };
    const now = plan(at('08:59:00'), { state });
    expect(now).toMatchObject({ next: at(`09:00:${jitter}`), missed: 0 });
    expect(plan(at('09:01:00'), { state: now.state }).due).toMatchObject({ scheduledFor: at('09:00:00') });
  });

  test('was some runs ahead of a frequent schedule does not stop it either', () => {
    const spec = { ...hourly, schedule: '* * * * *' };
    const state = { schedule: '* * * * *', timeZone: 'UTC', after: at('09:10:00') };
    expect(plan(at('09:00:30'), { spec, state })).toMatchObject({ next: at('09:01:02') });
  });
});

test('a state goes through JSON', () => {
  const { state } = plan(at('09:10:00'));
  expect(scheduleStateSchema.parse(JSON.parse(JSON.stringify(state)))).toEqual(state);
});

test('runs of many workspaces spread over a minute, each at its own second', () => {
  const seconds = Array.from({ length: 600 }, (_, i) => {
    const name = { workspace: `team-${i % 7}/ws-${i}` };
    expect(plan(at('08:30:00'), name)).toEqual(plan(at('08:30:00'), name));
    return ((plan(at('08:30:00'), name).next?.getTime() ?? 0) - at('09:00:00').getTime()) / 1000;
  });
  expect(Math.min(...seconds)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...seconds)).toBeLessThan(60);
  const perSecond = Array.from({ length: 60 }, (_, second) => seconds.filter((s) => s === second).length);
  expect(Math.max(...perSecond)).toBeLessThan(30);
});

test('over any days and clock jumps: each run once at most, in order, started when it was said to be', () => {
  const schedule = fc.constantFrom('* * * * *', '*/5 * * * *', '0 * * * *', '30 2 * * *', '0 0 13 * 5');
  const zone = fc.constantFrom('UTC', 'Europe/Berlin', 'Australia/Lord_Howe', 'Africa/Cairo');
  const steps = fc.array(fc.integer({ min: 0, max: 50_000 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(schedule, zone, fc.string(), steps, (schedule, timeZone, workspace, steps) => {
      const spec = { ...hourly, schedule, timeZone };
      let now = new Date('2024-03-30T00:00:00Z');
      let state: ScheduleState | undefined;
      let before = now;
      for (const step of steps) {
        const waiting = planSchedule({ workspace, spec, state, now });
        expect(waiting.due).toBeUndefined();
        // Sooner than said, nothing; at that very time, the run.
        const next = waiting.next ?? now;
        const early = planSchedule({
          workspace,
          spec,
          state: waiting.state,
          now: new Date(next.getTime() - 1),
        });
        expect(early.due).toBeUndefined();
        expect(planSchedule({ workspace, spec, state: waiting.state, now: next }).due).toBeDefined();
        now = new Date(next.getTime() + step * 1000);
        const decision = planSchedule({ workspace, spec, state: waiting.state, now });
        const run = decision.due?.scheduledFor ?? new Date(0);
        expect(run > before && run <= now).toBe(true);
        expect(nextRun(schedule, timeZone, new Date(run.getTime() - 1))).toEqual(run);
        expect(decision.next && decision.next > now).toBe(true);
        before = run;
        state = decision.state && settle(decision.state, run);
      }
    }),
    { numRuns: 50 },
  );
});
