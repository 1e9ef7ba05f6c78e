// Schedules as Kubernetes CronJobs write them (the syntax of robfig/cron's standard parser, without @every and TZ=):
// what the operator refuses and what the agent runs are decided here.

/** What a schedule matches. Months are 1 to 12, days of the week 0 (Sunday) to 6. */
export interface Cron {
  minutes: readonly number[];
  hours: readonly number[];
  months: ReadonlySet<number>;
  /** Whether the schedule runs on a day. */
  day(ofMonth: number, ofWeek: number): boolean;
}

interface Field {
  name: string;
  min: number;
  max: number;
  names?: readonly string[];
}

const monthNames = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const fields = {
  minute: { name: 'minute', min: 0, max: 59 },
  hour: { name: 'hour', min: 0, max: 23 },
  dayOfMonth: { name: 'day of month', min: 1, max: 31 },
  month: { name: 'month', min: 1, max: 12, names: monthNames },
  dayOfWeek: {
    name: 'day of week',
    min: 0,
    max: 6,
    names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'],
  },
} as const satisfies Record<string, Field>;

const macros: Record<string, string> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/** In a leap year. */
const longest = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** @throws RangeError that says which field does not fit and what would */
export function parseCron(schedule: string): Cron {
  const text = schedule.trim();
  if (/^(CRON_)?TZ=/.test(text)) throw new RangeError('a zone does not belong here: set timeZone');
  if (text.startsWith('@') && !Object.hasOwn(macros, text)) {
    throw new RangeError(
      `${text} is not known: use one of ${Object.keys(macros).join(', ')}, or five fields`,
    );
  }
  const parts = (macros[text] ?? text).split(/\s+/).filter((part) => part !== '');
  const [minute, hour, dayOfMonth, month, dayOfWeek, ...more] = parts;
  if (!minute || !hour || !dayOfMonth || !month || !dayOfWeek || more.length > 0) {
    throw new RangeError(
      `it has ${parts.length} fields, and must have five: minute, hour, day of month, month, day of week`,
    );
  }
  const minutes = parseField(minute, fields.minute).values;
  const hours = parseField(hour, fields.hour).values;
  const days = parseField(dayOfMonth, fields.dayOfMonth);
  const months = parseField(month, fields.month).values;
  const weekdays = parseField(dayOfWeek, fields.dayOfWeek);
  // Either day will do when both are restricted. A step makes a restriction of a star: */2 is one, */1 is none.
  const both = days.star || weekdays.star;
  if (weekdays.star && ![...months].some((m) => Math.min(...days.values) <= (longest[m - 1] ?? 0))) {
    throw new RangeError(`no such month has a day ${Math.min(...days.values)}: it would never run`);
  }
  return {
    minutes: [...minutes].sort((a, b) => a - b),
    hours: [...hours].sort((a, b) => a - b),
    months,
    day(ofMonth, ofWeek) {
      const month = days.values.has(ofMonth);
      const week = weekdays.values.has(ofWeek);
      return both ? month && week : month || week;
    },
  };
}

/** `star`: a plain * or ? is among the items. */
function parseField(text: string, field: Field): { values: Set<number>; star: boolean } {
  const values = new Set<number>();
  let star = false;
  for (const item of text.split(',')) {
    const match = /^(?:([*?])|(\w+)(?:-(\w+))?)(?:\/(\d+))?$/.exec(item);
    if (!match) throw new RangeError(`${field.name} "${item}" is none of *, 5, 1-5, */5 and lists of these`);
    const [, any, low, high, stepText] = match;
    const step = stepText === undefined ? 1 : Number(stepText);
    if (step === 0) throw new RangeError(`${field.name} "${item}" has a step of 0: it must be 1 or more`);
    const from = low === undefined ? field.min : parseValue(low, field);
    const open = any !== undefined || stepText !== undefined;
    const to = high !== undefined ? parseValue(high, field) : open ? field.max : from;
    if (from > to) {
      throw new RangeError(
        `${field.name} "${item}" ends before it begins: write ${from}-${field.max} and more`,
      );
    }
    for (let value = from; value <= to; value += step) values.add(value);
    star ||= any !== undefined && step === 1;
  }
  return { values, star };
}

function parseValue(text: string, field: Field): number {
  const named = field.names?.indexOf(text.toLowerCase()) ?? -1;
  if (named >= 0) return named + field.min;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= field.min && value <= field.max) return value;
  const names = field.names ? ` or ${field.names[0]} to ${field.names.at(-1)}` : '';
  throw new RangeError(`${field.name} must be ${field.min} to ${field.max}${names}, and not ${text}`);
}

/** Why a schedule can not run, for its user; undefined when it can. The zone is an IANA name. */
export function validateSchedule(schedule: string, timeZone: string): string | undefined {
  try {
    parseCron(schedule);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return `schedule "${schedule}": ${error.message}`;
  }
  if (timeZone === 'UTC') return undefined; // without loading ICU
  try {
    // Intl takes offsets such as +05:30 too. CronJobs do not.
    if (/^[+-]/.test(timeZone)) throw new RangeError('an offset is no name of a zone');
    new Intl.DateTimeFormat('en-US', { timeZone });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return `timeZone "${timeZone}" is not known: it must be the IANA name of a zone such as Europe/Berlin, or UTC`;
  }
  return undefined;
}
