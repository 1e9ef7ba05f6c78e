import { expect, test } from 'vitest';
import { parseCron, validateSchedule } from './cron.ts';

// robfig/cron v3.0.1 takes all of these and refuses all of the first list below.
test.each([
  '0 */4 * * *',
  '@hourly',
  '@annually',
  '*/90 * * * *',
  '05 * * * *',
  '5/20 * * * *',
  '0 0 * JAN sUn',
  '0 0 * * sun-sat',
  '0 8 * * mon/2',
  '0 0 29 2 *',
  '0 0 31 2 1',
  '  0\t0 ? * ?  ',
])('takes %j', (schedule) => {
  expect(validateSchedule(schedule, 'UTC')).toBeUndefined();
});

test.each([
  ['', 'it has 0 fields'],
  ['* * * *', 'it has 4 fields, and must have five: minute'],
  ['* * * * * *', 'it has 6 fields'],
  ['60 * * * *', 'minute must be 0 to 59, and not 60'],
  ['* 24 * * *', 'hour must be 0 to 23, and not 24'],
  ['* * 0 * *', 'day of month must be 1 to 31, and not 0'],
  ['* * * 13 *', 'month must be 1 to 12 or jan to dec, and not 13'],
  ['* * * foo *', 'month must be 1 to 12 or jan to dec, and not foo'],
  ['* * * * 7', 'day of week must be 0 to 6 or sun to sat, and not 7'],
  ['5-1 * * * *', 'minute "5-1" ends before it begins: write 5-59'],
  ['0 0 * * sat-sun', 'ends before it begins'],
  ['*/0 * * * *', 'minute "*/0" has a step of 0'],
  ['1-2-3 * * * *', 'minute "1-2-3" is none of'],
  ['1/2/3 * * * *', 'minute "1/2/3" is none of'],
  ['-5 * * * *', 'minute "-5" is none of'],
  ['1.5 * * * *', 'minute "1.5" is none of'],
  ['* * L * *', 'day of month must be 1 to 31, and not L'],
  ['* * * * 5#2', 'day of week "5#2" is none of'],
  ['@reboot', '@reboot is not known: use one of @yearly'],
  ['@Daily', '@Daily is not known'],
  ['@constructor', 'is not known'],
])('refuses %j', (schedule, reason) => {
  expect(validateSchedule(schedule, 'UTC')).toContain(`schedule "${schedule}": `);
  expect(validateSchedule(schedule, 'UTC')).toContain(reason);
});

// robfig/cron takes these. Nobody means them, or the API has a field for it.
test.each([
  ['@every 5m', 'is not known'],
  ['TZ=Europe/Berlin 0 * * * *', 'set timeZone'],
  ['CRON_TZ=UTC 0 * * * *', 'set timeZone'],
  ['+5 * * * *', 'is none of'],
  ['*-5 * * * *', 'is none of'],
  ['1,,2 * * * *', 'is none of'],
  [', * * * *', 'is none of'],
  ['0 0 31 2 *', 'no such month has a day 31: it would never run'],
  ['0 0 31 4,jun,9,11 ?', 'it would never run'],
  ['0 0 30 2 */1', 'no such month has a day 30'],
])('refuses %j too', (schedule, reason) => {
  expect(validateSchedule(schedule, 'UTC')).toContain(reason);
});

test.each(['UTC', 'Europe/Berlin', 'America/Argentina/Buenos_Aires', 'Etc/GMT+5', 'US/Pacific'])(
  '%s',
  (zone) => {
    expect(validateSchedule('@daily', zone)).toBeUndefined();
  },
);

test.each(['', 'Local', 'Mars/Olympus', '+05:30', '-0800', '../etc/passwd'])('no zone: %j', (zone) => {
  expect(validateSchedule('@daily', zone)).toContain(`timeZone "${zone}" is not known`);
});

test('either day will do when both are restricted', () => {
  const friday13 = { friday: [6, 5], the13th: [13, 3], both: [13, 5], neither: [14, 3] } as const;
  const days = (schedule: string) =>
    Object.entries(friday13)
      .filter(([, [month, week]]) => parseCron(schedule).day(month, week))
      .map(([name]) => name);
  expect(days('0 0 13 * 5')).toEqual(['friday', 'the13th', 'both']);
  expect(days('0 0 13 * *')).toEqual(['the13th', 'both']);
  expect(days('0 0 ? * 5')).toEqual(['friday', 'both']);
  // A step of more than one restricts, one of one does not, and a plain star anywhere in the list lifts it.
  expect(days('0 0 */3 * 5')).toEqual(['friday', 'the13th', 'both']);
  expect(days('0 0 */1 * 5')).toEqual(['friday', 'both']);
  expect(days('0 0 *,2 * 5')).toEqual(['friday', 'both']);
});
