import { Temporal } from "temporal-polyfill";

export type MarketStatus = "PRE_MARKET" | "OPEN" | "POST_MARKET" | "CLOSED" | "HALTED" | "MAINTENANCE";

export interface SessionHours {
  readonly sessionType: "PRE_MARKET" | "OPEN" | "POST_MARKET";
  /** ISO 8601: 1 Monday to 7 Sunday, the local day on which the session starts. */
  readonly dayOfWeek: number;
  /** Local time HH:MM[:SS]. */
  readonly startTime: string;
  /** Local time; not after the start means on the next day. */
  readonly endTime: string;
}

export interface HolidayHours {
  /** Local date YYYY-MM-DD. Sessions that start on it are off, or shortened where one of the times is given. */
  readonly date: string;
  readonly openTime: string | null;
  readonly closeTime: string | null;
  readonly postMarketCloseTime: string | null;
}

export interface MarketCalendar {
  /** IANA name. */
  readonly timezone: string;
  readonly is24x7: boolean;
  readonly sessions: readonly SessionHours[];
  readonly holidays: readonly HolidayHours[];
}

/** Half-open, in Unix milliseconds. */
interface Interval {
  readonly startMs: number;
  readonly endMs: number;
  readonly type: SessionHours["sessionType"];
}

/** How far ahead a change is looked for; longer than any closure of an exchange. */
const horizonDays = 40;
/** Days whose intervals are remembered per calendar; at the bound all are forgotten and computed again when asked for. */
const maxRememberedDays = 100;

const intervalsByCalendar = new WeakMap<MarketCalendar, Map<string, readonly Interval[]>>();

/** The status that sessions and holidays give at an instant; where sessions overlap, OPEN counts before the others. */
export function marketStatusAt(calendar: MarketCalendar, atMs: number): MarketStatus {
  if (calendar.is24x7) return "OPEN";
  const today = localDate(calendar, atMs);
  let status: MarketStatus = "CLOSED";
  // A session of yesterday may run into today.
  for (const day of [today.subtract({ days: 1 }), today]) {
    for (const { startMs, endMs, type } of intervalsOf(calendar, day)) {
      if (atMs < startMs || atMs >= endMs) continue;
      if (type === "OPEN") return "OPEN";
      if (status === "CLOSED" || type === "PRE_MARKET") status = type;
    }
  }
  return status;
}

/** The first instant after `atMs` with another status, in Unix milliseconds; null for a 24x7 market, or when there is none within 40 days. */
export function nextStatusChangeAt(calendar: MarketCalendar, atMs: number): number | null {
  if (calendar.is24x7 || calendar.sessions.length === 0) return null;
  const status = marketStatusAt(calendar, atMs);
  const today = localDate(calendar, atMs);
  const boundaries = new Set<number>();
  for (let offset = -1; offset <= horizonDays; offset++) {
    const day = today.add({ days: offset });
    for (const { startMs, endMs } of intervalsOf(calendar, day)) boundaries.add(startMs).add(endMs);
    // Only what lies before the next day is known to be complete: a session of that day may begin before one of this day ends.
    const completeUntilMs = instantOf(calendar.timezone, day.add({ days: 1 }), "00:00");
    const next = [...boundaries]
      .sort((a, b) => a - b)
      .find(
        (boundary) => boundary > atMs && boundary < completeUntilMs && marketStatusAt(calendar, boundary) !== status,
      );
    if (next !== undefined) return next;
  }
  return null;
}

const localDate = ({ timezone }: MarketCalendar, atMs: number): Temporal.PlainDate =>
  Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(timezone).toPlainDate();

/** The sessions that start on a local date, as instants. */
function intervalsOf(calendar: MarketCalendar, date: Temporal.PlainDate): readonly Interval[] {
  const remembered = intervalsByCalendar.get(calendar) ?? new Map<string, readonly Interval[]>();
  intervalsByCalendar.set(calendar, remembered);
  const key = date.toString();
  const known = remembered.get(key);
  if (known !== undefined) return known;
  if (remembered.size >= maxRememberedDays) remembered.clear();
  const intervals = computeIntervals(calendar, date, key);
  remembered.set(key, intervals);
  return intervals;
}

function computeIntervals(calendar: MarketCalendar, date: Temporal.PlainDate, key: string): readonly Interval[] {
  const holiday = calendar.holidays.find((candidate) => candidate.date === key);
  if (holiday !== undefined && holiday.openTime === null && holiday.closeTime === null) return [];
  const instant = (time: string, day = date) => instantOf(calendar.timezone, day, time);

  const intervals = calendar.sessions
    .filter((session) => session.dayOfWeek === date.dayOfWeek)
    .map(({ sessionType, startTime, endTime }): Interval => {
      const endsNextDay = Temporal.PlainTime.compare(endTime, startTime) <= 0;
      return {
        type: sessionType,
        startMs: instant(startTime),
        endMs: instant(endTime, endsNextDay ? date.add({ days: 1 }) : date),
      };
    });
  const usual = holiday === undefined ? intervals : shortened(intervals, holiday, instant);
  // The clocks going forward can leave a short session no time at all.
  return usual.filter(({ startMs, endMs }) => startMs < endMs);
}

function shortened(
  intervals: readonly Interval[],
  holiday: HolidayHours,
  instant: (time: string) => number,
): Interval[] {
  const openMs = holiday.openTime === null ? Number.NEGATIVE_INFINITY : instant(holiday.openTime);
  const closeMs = holiday.closeTime === null ? Number.POSITIVE_INFINITY : instant(holiday.closeTime);
  const kept = intervals.flatMap(({ type, startMs, endMs }): Interval[] => {
    if (type === "OPEN") return [{ type, startMs: Math.max(startMs, openMs), endMs: Math.min(endMs, closeMs) }];
    if (type === "PRE_MARKET") return [{ type, startMs, endMs: Math.min(endMs, closeMs) }];
    return holiday.closeTime === null ? [{ type, startMs, endMs }] : [];
  });
  const hasSessions = intervals.some(({ type }) => type === "OPEN");
  if (hasSessions && holiday.closeTime !== null && holiday.postMarketCloseTime !== null) {
    kept.push({ type: "POST_MARKET", startMs: closeMs, endMs: instant(holiday.postMarketCloseTime) });
  }
  return kept;
}

/** A local time as an instant: one that the clocks skip is moved forward, of one that comes twice the first counts. */
const instantOf = (timeZone: string, date: Temporal.PlainDate, time: string): number =>
  date.toZonedDateTime({ timeZone, plainTime: Temporal.PlainTime.from(time) }).epochMilliseconds;
