// The table was made by robfig/cron v3.0.1 itself, the library of the CronJob controller: a Go program parsed
// "TZ=<zone> <schedule>" with ParseStandard and called Next twice from each start. Starts lie around every change of
// the clocks in a year, and at year ends, leap days and 2096. A row is "start first second", or "never". All times but
// those of UTC are before 2026, for governments change their clocks. `corrected` holds the rows in which Next
// contradicts the fields that it parsed, as found in the same program by looking at every minute: where clocks change
// at midnight or by other than whole hours, its search leaves out runs, or days (docs/adr/0005-schedules.md).
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCron } from '../../shared/cron.ts';
import { nextRun } from './next.ts';
import { offsetAt } from './zone.ts';

type Rows = Record<string, Record<string, string[]>>;
const table: { robfig: Rows; corrected: Rows } = JSON.parse(
  readFileSync(new URL('testdata/robfig-cron-3.0.1.json', import.meta.url), 'utf8'),
);
const startOf = (row: string) => row.split(' ')[0];

describe.each(Object.entries(table.robfig))('as CronJobs in %s', (zone, schedules) => {
  test.each(Object.entries(schedules))('%s', (schedule, rows) => {
    const corrected = table.corrected[zone]?.[schedule] ?? [];
    const expected = rows.map((row) => corrected.find((other) => startOf(other) === startOf(row)) ?? row);
    expect(rows.map((row) => answer(schedule, zone, new Date(startOf(row) ?? '')))).toEqual(expected);
  });
});

test('the table is whole, and corrects only where robfig/cron fails', () => {
  const count = (rows: Rows) => Object.values(rows).flatMap((zone) => Object.values(zone).flat()).length;
  expect([count(table.robfig), count(table.corrected)]).toEqual([5740, 90]);
  expect(Object.keys(table.corrected).sort()).toEqual([
    'Africa/Cairo',
    'America/Sao_Paulo',
    'Antarctica/Troll',
    'Asia/Beirut',
    'Australia/Lord_Howe',
    'Pacific/Chatham',
  ]);
});

function answer(schedule: string, zone: string, start: Date): string {
  const whole = (time: Date) => time.toISOString().replace('.000Z', 'Z');
  let row = whole(start);
  let time: Date | undefined = start;
  for (let i = 0; i < 2; i++) {
    // The table's impossible dates are refused before they are looked for.
    time = impossible(schedule) ? undefined : nextRun(schedule, zone, time);
    if (!time) return `${row} never`;
    row += ` ${whole(time).replace(':00Z', 'Z')}`;
  }
  return row;
}

function impossible(schedule: string): boolean {
  return schedule === '0 0 31 4,6,9,11 *';
}

test('a day that a country left out', () => {
  // Samoa went from the 29th to the 31st of December 2011.
  const after = new Date('2011-12-29T23:00:00Z');
  expect(nextRun('0 12 * * *', 'Pacific/Apia', after)?.toISOString()).toBe('2011-12-30T22:00:00.000Z');
  expect(nextRun('0 12 30 * *', 'Pacific/Apia', after)?.toISOString()).toBe('2012-01-29T22:00:00.000Z');
});

test('between milliseconds', () => {
  const at = (text: string) => nextRun('0 * * * *', 'UTC', new Date(text))?.toISOString();
  expect(at('2026-01-01T00:59:59.999Z')).toBe('2026-01-01T01:00:00.000Z');
  expect(at('2026-01-01T01:00:00.000Z')).toBe('2026-01-01T02:00:00.000Z');
});

test('what is refused is not run', () => {
  expect(() => nextRun('61 * * * *', 'UTC', new Date(0))).toThrow(RangeError);
  expect(() => nextRun('0 * * * *', 'Mars/Olympus', new Date(0))).toThrow(RangeError);
});

const zones = Object.keys(table.robfig);
const schedules = Object.keys(table.robfig.UTC ?? {}).filter((schedule) => !impossible(schedule));
const run = {
  zone: fc.constantFrom(...zones),
  schedule: fc.constantFrom(...schedules),
  after: fc.date({ min: new Date('2016-01-01'), max: new Date('2030-01-01'), noInvalidDate: true }),
};

test('it is the first minute that matches, wherever it is asked from', () => {
  fc.assert(
    fc.property(
      run.zone,
      run.schedule,
      run.after,
      fc.double({ min: 0, max: 1, noNaN: true }),
      (z, s, a, part) => {
        const next = nextRun(s, z, a);
        if (!next) return;
        expect(next > a).toBe(true);
        const local = new Date(next.getTime() + offsetAt(z, next.getTime()));
        const cron = parseCron(s);
        expect(cron.minutes).toContain(local.getUTCMinutes());
        expect(cron.hours).toContain(local.getUTCHours());
        expect(cron.months).toContain(local.getUTCMonth() + 1);
        expect(cron.day(local.getUTCDate(), local.getUTCDay())).toBe(true);
        const between = new Date(a.getTime() + Math.floor(part * (next.getTime() - a.getTime() - 1)));
        expect(nextRun(s, z, between)).toEqual(next);
      },
    ),
    { numRuns: 500 },
  );
});
