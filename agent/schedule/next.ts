// When a schedule runs next: at the first minute whose wall clock in the zone matches all fields. So a time that the
// clock skips in spring does not run that day, and one that it shows twice in autumn runs twice, as CronJobs do.
import { type Cron, parseCron } from '../../shared/cron.ts';
import { offsetAt } from './zone.ts';

const hour = 3_600_000;
const day = 24 * hour;

/**
 * The first run after an instant; undefined when there is none until the end of the fifth year to come, where CronJobs
 * give up too.
 * @throws RangeError for a schedule or zone that `validateSchedule` refuses
 */
export function nextRun(schedule: string, timeZone: string, after: Date): Date | undefined {
  const cron = parseCron(schedule);
  const local = after.getTime() + offsetAt(timeZone, after.getTime());
  const end = Date.UTC(new Date(local).getUTCFullYear() + 6);
  // From the day before: where clocks go back over midnight, it comes again.
  for (let date = Math.floor(local / day) * day - day; date < end; date += day) {
    const found = firstOnDate(cron, timeZone, date, after.getTime());
    if (!found) continue;
    // For the same reason, a time of the next day can come before one of this.
    const next = found.changing ? firstOnDate(cron, timeZone, date + day, after.getTime()) : undefined;
    return new Date(Math.min(found.instant, next?.instant ?? found.instant));
  }
  return undefined;
}

/** `date` is the day's midnight as if it were in UTC; `changing` says that clocks change about then. */
function firstOnDate(
  cron: Cron,
  timeZone: string,
  date: number,
  after: number,
): { instant: number; changing: boolean } | undefined {
  const calendar = new Date(date);
  if (!cron.months.has(calendar.getUTCMonth() + 1)) return undefined;
  if (!cron.day(calendar.getUTCDate(), calendar.getUTCDay())) return undefined;
  // Zones are at most 14 hours ahead of UTC and 12 behind.
  const before = offsetAt(timeZone, date - 15 * hour);
  const later = offsetAt(timeZone, date + day + 13 * hour);
  const changing = before !== later;
  let instant: number | undefined;
  for (const time of times(cron)) {
    for (const offset of changing ? [before, later] : [before]) {
      const candidate = date + time - offset;
      if (candidate <= after || candidate >= (instant ?? Number.POSITIVE_INFINITY)) continue;
      if (changing && offsetAt(timeZone, candidate) !== offset) continue;
      instant = candidate;
    }
    if (instant !== undefined && !changing) break;
  }
  return instant === undefined ? undefined : { instant, changing };
}

/** Times of day, milliseconds after midnight, in order. */
function* times(cron: Cron): Generator<number> {
  for (const h of cron.hours) for (const minute of cron.minutes) yield (h * 60 + minute) * 60_000;
}
