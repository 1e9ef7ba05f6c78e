// Wall clocks of time zones, from the time zone data that Node brings.

const formats = new Map<string, Intl.DateTimeFormat>();

function format(timeZone: string): Intl.DateTimeFormat {
  let known = formats.get(timeZone);
  if (!known) {
    known = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
    formats.set(timeZone, known);
  }
  return known;
}

/**
 * How far the zone's wall clock is ahead of UTC at an instant, both in milliseconds.
 * @throws RangeError for an unknown zone or an instant out of range
 */
export function offsetAt(timeZone: string, instant: number): number {
  // ICU and its tables are megabytes, and most schedules have no need of them.
  if (timeZone === 'UTC') return 0;
  const match = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(format(timeZone).format(instant));
  if (!match) throw new RangeError(`${timeZone} has no offset at ${instant}`);
  const [, sign, hours = 0, minutes = 0, seconds = 0] = match;
  const ahead = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
  return sign === '-' ? -ahead : ahead;
}
