import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type HolidayHours,
  type MarketCalendar,
  marketStatusAt,
  nextStatusChangeAt,
  type SessionHours,
} from "./market-hours.js";
import { marketHolidays, markets, tradingSessions } from "./reference-data.js";

const weekdays = [1, 2, 3, 4, 5];
const daily = (sessionType: SessionHours["sessionType"], startTime: string, endTime: string): SessionHours[] =>
  weekdays.map((dayOfWeek) => ({ sessionType, dayOfWeek, startTime, endTime }));
const open = (dayOfWeek: number, startTime: string, endTime: string): SessionHours => ({
  sessionType: "OPEN",
  dayOfWeek,
  startTime,
  endTime,
});
const closed = (date: string): HolidayHours => ({ date, openTime: null, closeTime: null, postMarketCloseTime: null });

const newYork: MarketCalendar = {
  timezone: "America/New_York",
  is24x7: false,
  sessions: [
    ...daily("PRE_MARKET", "04:00", "09:30"),
    ...daily("OPEN", "09:30", "16:00"),
    ...daily("POST_MARKET", "16:00", "20:00"),
  ],
  holidays: [
    closed("2026-04-03"),
    closed("2026-11-26"),
    { date: "2026-11-27", openTime: null, closeTime: "13:00", postMarketCloseTime: "17:00" },
  ],
};
const istanbul: MarketCalendar = {
  timezone: "Europe/Istanbul",
  is24x7: false,
  sessions: daily("OPEN", "10:00", "18:00"),
  holidays: [{ date: "2026-10-28", openTime: null, closeTime: "12:30", postMarketCloseTime: null }],
};
/** Sunday to Friday, from 18:00 to 17:00 of the next day, as US futures trade. */
const overnight: MarketCalendar = {
  timezone: "America/New_York",
  is24x7: false,
  sessions: [7, 1, 2, 3, 4].map((dayOfWeek) => ({
    sessionType: "OPEN",
    dayOfWeek,
    startTime: "18:00",
    endTime: "17:00",
  })),
  holidays: [],
};

describe("the status at an instant", () => {
  test.each([
    // New York in winter is five hours behind UTC.
    ["before the pre-market", newYork, "2026-02-10T08:59:59.999Z", "CLOSED"],
    ["the pre-market begins", newYork, "2026-02-10T09:00:00Z", "PRE_MARKET"],
    ["the last moment of the pre-market", newYork, "2026-02-10T14:29:59.999Z", "PRE_MARKET"],
    ["it opens", newYork, "2026-02-10T14:30:00Z", "OPEN"],
    ["the last moment", newYork, "2026-02-10T20:59:59.999Z", "OPEN"],
    ["after hours", newYork, "2026-02-10T21:00:00Z", "POST_MARKET"],
    ["after hours end", newYork, "2026-02-11T01:00:00Z", "CLOSED"],
    ["a Saturday", newYork, "2026-02-14T15:00:00Z", "CLOSED"],
    // Clocks went forward on 8 March: from Monday on, an hour earlier in UTC.
    ["the Friday before the clocks go forward", newYork, "2026-03-06T14:00:00Z", "PRE_MARKET"],
    ["the Monday after", newYork, "2026-03-09T13:30:00Z", "OPEN"],
    ["the Friday before the clocks go back", newYork, "2026-10-30T13:30:00Z", "OPEN"],
    ["the Monday after that", newYork, "2026-11-02T13:30:00Z", "PRE_MARKET"],
    ["Good Friday", newYork, "2026-04-03T15:00:00Z", "CLOSED"],
    ["Thanksgiving", newYork, "2026-11-26T16:00:00Z", "CLOSED"],
    ["a half day, open", newYork, "2026-11-27T17:59:59Z", "OPEN"],
    ["a half day, after hours", newYork, "2026-11-27T18:00:00Z", "POST_MARKET"],
    ["a half day, over", newYork, "2026-11-27T22:00:00Z", "CLOSED"],
    // Istanbul is three hours ahead all year.
    ["Istanbul in winter", istanbul, "2026-01-12T07:00:00Z", "OPEN"],
    ["Istanbul in summer", istanbul, "2026-07-13T07:00:00Z", "OPEN"],
    ["Istanbul before it opens", istanbul, "2026-07-13T06:59:59Z", "CLOSED"],
    ["the eve of Republic Day, morning", istanbul, "2026-10-28T09:29:59Z", "OPEN"],
    ["the eve of Republic Day, afternoon", istanbul, "2026-10-28T09:30:00Z", "CLOSED"],
    ["overnight, Sunday evening", overnight, "2026-02-15T23:00:00Z", "OPEN"],
    ["overnight, in the night", overnight, "2026-02-16T05:00:00Z", "OPEN"],
    ["overnight, the daily break", overnight, "2026-02-16T22:30:00Z", "CLOSED"],
    ["overnight, Friday evening", overnight, "2026-02-20T23:30:00Z", "CLOSED"],
    ["overnight, Sunday of the clock change, before the evening", overnight, "2026-03-08T21:59:59Z", "CLOSED"],
    ["overnight, Sunday of the clock change, in the evening", overnight, "2026-03-08T22:00:00Z", "OPEN"],
    ["never closed", { ...newYork, is24x7: true }, "2026-11-26T16:00:00Z", "OPEN"],
    ["without sessions", { ...newYork, sessions: [] }, "2026-02-10T15:00:00Z", "CLOSED"],
  ] as const)("%s", (_, calendar, at, status) => {
    expect(marketStatusAt(calendar, Date.parse(at))).toBe(status);
  });

  test.each([
    ["into the pre-market", newYork, "2026-02-10T08:00:00Z", "2026-02-10T09:00:00.000Z"],
    ["at a boundary: the one after it", newYork, "2026-02-10T09:00:00Z", "2026-02-10T14:30:00.000Z"],
    ["over a weekend on which the clocks go forward", newYork, "2026-03-07T01:00:00Z", "2026-03-09T08:00:00.000Z"],
    ["over a holiday, to the half day", newYork, "2026-11-26T02:00:00Z", "2026-11-27T09:00:00.000Z"],
    ["to the end of a half day", newYork, "2026-11-27T15:00:00Z", "2026-11-27T18:00:00.000Z"],
    ["through midnight", overnight, "2026-02-16T04:59:00Z", "2026-02-16T22:00:00.000Z"],
  ] as const)("it changes next %s", (_, calendar, at, next) => {
    expect(new Date(nextStatusChangeAt(calendar, Date.parse(at)) ?? 0).toISOString()).toBe(next);
  });

  test("never changes by itself without hours, and around the clock", () => {
    expect(nextStatusChangeAt({ ...newYork, is24x7: true }, Date.parse("2026-02-10T08:00:00Z"))).toBeNull();
    expect(nextStatusChangeAt({ ...newYork, sessions: [] }, Date.parse("2026-02-10T08:00:00Z"))).toBeNull();
  });
});

/** The hours of a market as they ship. */
function shipped(code: string): MarketCalendar {
  const { timezone = "", is24x7 = false } = markets.find((market) => market.code === code) ?? {};
  return {
    timezone,
    is24x7,
    sessions: tradingSessions.filter(({ market }) => market === code),
    holidays: marketHolidays
      .filter(({ market }) => market === code)
      .map((holiday) => ({ openTime: null, closeTime: null, postMarketCloseTime: null, ...holiday })),
  };
}

/** The instants, without a gap, at which the status becomes another. */
const timelines: readonly (readonly [what: string, calendar: MarketCalendar, changes: readonly [string, string][]])[] =
  [
    [
      "NASDAQ from the half day before Christmas to the Monday after",
      shipped("NASDAQ_EQUITY"),
      [
        ["2026-12-24T09:00:00Z", "PRE_MARKET"],
        ["2026-12-24T14:30:00Z", "OPEN"],
        ["2026-12-24T18:00:00Z", "POST_MARKET"],
        ["2026-12-24T22:00:00Z", "CLOSED"],
        ["2026-12-28T09:00:00Z", "PRE_MARKET"],
      ],
    ],
    [
      "NYSE over Thanksgiving",
      shipped("NYSE_EQUITY"),
      [
        ["2026-11-25T14:30:00Z", "OPEN"],
        ["2026-11-25T21:00:00Z", "POST_MARKET"],
        ["2026-11-26T01:00:00Z", "CLOSED"],
        ["2026-11-27T09:00:00Z", "PRE_MARKET"],
        ["2026-11-27T14:30:00Z", "OPEN"],
        ["2026-11-27T18:00:00Z", "POST_MARKET"],
        ["2026-11-27T22:00:00Z", "CLOSED"],
        ["2026-11-30T09:00:00Z", "PRE_MARKET"],
      ],
    ],
    [
      "NYSE over Good Friday",
      shipped("NYSE_EQUITY"),
      [
        ["2026-04-02T20:00:00Z", "POST_MARKET"],
        ["2026-04-03T00:00:00Z", "CLOSED"],
        ["2026-04-06T08:00:00Z", "PRE_MARKET"],
      ],
    ],
    [
      "NASDAQ over the night in which the clocks go back",
      shipped("NASDAQ_EQUITY"),
      [
        ["2026-10-30T20:00:00Z", "POST_MARKET"],
        ["2026-10-31T00:00:00Z", "CLOSED"],
        ["2026-11-02T09:00:00Z", "PRE_MARKET"],
        ["2026-11-02T14:30:00Z", "OPEN"],
      ],
    ],
    [
      "Istanbul from a half day over the Feast of the Sacrifice",
      shipped("BIST_EQUITY"),
      [
        ["2026-05-26T06:40:00Z", "PRE_MARKET"],
        ["2026-05-26T07:00:00Z", "OPEN"],
        ["2026-05-26T09:30:00Z", "POST_MARKET"],
        ["2026-05-26T09:40:00Z", "CLOSED"],
        ["2026-06-01T06:40:00Z", "PRE_MARKET"],
      ],
    ],
    [
      "Istanbul while the clocks of Europe change",
      shipped("BIST_EQUITY"),
      [
        ["2026-10-23T15:00:00Z", "POST_MARKET"],
        ["2026-10-23T15:10:00Z", "CLOSED"],
        ["2026-10-26T06:40:00Z", "PRE_MARKET"],
        ["2026-10-26T07:00:00Z", "OPEN"],
      ],
    ],
    [
      "every night of New York, one of them an hour short",
      { ...overnight, sessions: [6, 7].map((day) => open(day, "18:00", "17:00")) },
      [
        ["2026-03-07T23:00:00Z", "OPEN"],
        ["2026-03-08T21:00:00Z", "CLOSED"],
        ["2026-03-08T22:00:00Z", "OPEN"],
        ["2026-03-09T21:00:00Z", "CLOSED"],
      ],
    ],
    [
      "every night of New York, one of them an hour long",
      { ...overnight, sessions: [6, 7].map((day) => open(day, "18:00", "17:00")) },
      [
        ["2026-10-31T22:00:00Z", "OPEN"],
        ["2026-11-01T22:00:00Z", "CLOSED"],
        ["2026-11-01T23:00:00Z", "OPEN"],
        ["2026-11-02T22:00:00Z", "CLOSED"],
      ],
    ],
    [
      // 02:30 does not exist on that day: the session begins an hour later by the new clock.
      "hours that begin at a time which the clocks skip",
      { ...overnight, sessions: [open(7, "02:30", "04:00")] },
      [
        ["2026-03-08T07:30:00Z", "OPEN"],
        ["2026-03-08T08:00:00Z", "CLOSED"],
      ],
    ],
    [
      "hours that begin and end at times which come twice: the first ones count",
      { ...overnight, sessions: [open(7, "01:00", "01:30")] },
      [
        ["2026-11-01T05:00:00Z", "OPEN"],
        ["2026-11-01T05:30:00Z", "CLOSED"],
        ["2026-11-08T06:00:00Z", "OPEN"],
      ],
    ],
  ];

test.each(timelines)("%s", (_, calendar, changes) => {
  changes.forEach(([from, status], n) => {
    const atMs = Date.parse(from);
    const nextMs = n + 1 < changes.length ? Date.parse(changes[n + 1]?.[0] ?? "") : null;
    expect([from, marketStatusAt(calendar, atMs)]).toEqual([from, status]);
    expect(marketStatusAt(calendar, atMs - 1)).not.toBe(status);
    expect(nextStatusChangeAt(calendar, atMs - 1)).toBe(atMs);
    if (nextMs === null) return;
    expect([from, marketStatusAt(calendar, nextMs - 1)]).toEqual([from, status]);
    expect(nextStatusChangeAt(calendar, atMs)).toBe(nextMs);
  });
});

test("crypto that ships is open at any time", () => {
  const crypto = markets.filter(({ assetClass }) => assetClass === "CRYPTO").map(({ code }) => shipped(code));
  for (const at of ["2026-01-01T00:00:00Z", "2026-03-08T07:00:00Z", "2026-12-25T12:00:00Z"]) {
    for (const calendar of crypto) {
      expect(marketStatusAt(calendar, Date.parse(at))).toBe("OPEN");
      expect(nextStatusChangeAt(calendar, Date.parse(at))).toBeNull();
    }
  }
});

test("hours that follow each other without a gap never change", () => {
  const allDay = [1, 2, 3, 4, 5, 6, 7].map((day) => open(day, "00:00", "00:00"));
  const calendar = { ...overnight, sessions: allDay };
  expect(marketStatusAt(calendar, Date.parse("2026-11-01T06:30:00Z"))).toBe("OPEN");
  expect(nextStatusChangeAt(calendar, Date.parse("2026-10-31T12:00:00Z"))).toBeNull();
});

/* The oracle: the same rules from local times that `Intl` tells, with instants found by trying, and a walk minute by minute. */

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
const formats = new Map<string, Intl.DateTimeFormat>();

/** The local wall clock, as if it were UTC. */
function wallClock(zone: string, atMs: number): number {
  let format = formats.get(zone);
  if (format === undefined) {
    const numeric = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric" } as const;
    format = new Intl.DateTimeFormat("en-US", { timeZone: zone, hourCycle: "h23", ...numeric });
    formats.set(zone, format);
  }
  const part = Object.fromEntries(format.formatToParts(atMs).map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(part.year ?? 0, (part.month ?? 1) - 1, part.day, part.hour, part.minute);
}

/** The first instant with that wall clock; a time that the clocks skip is an hour later. */
function instantOf(zone: string, wallMs: number): number {
  const offsets = new Set([-1, 0, 1].map((days) => wallClock(zone, wallMs + days * dayMs) - (wallMs + days * dayMs)));
  const fits = [...offsets].map((offset) => wallMs - offset).filter((atMs) => wallClock(zone, atMs) === wallMs);
  return fits.length > 0 ? Math.min(...fits) : instantOf(zone, wallMs + 60 * minuteMs);
}

const timeOf = (text: string): number => {
  const [hours = 0, minutes = 0] = text.split(":").map(Number);
  return (hours * 60 + minutes) * minuteMs;
};

interface Span {
  readonly type: SessionHours["sessionType"];
  readonly startMs: number;
  readonly endMs: number;
}

function spansOf(calendar: MarketCalendar, dateMs: number): Span[] {
  const at = (time: string, days = 0) => instantOf(calendar.timezone, dateMs + days * dayMs + timeOf(time));
  const isoDay = new Date(dateMs).getUTCDay() || 7;
  const holiday = calendar.holidays.find(({ date }) => Date.parse(`${date}T00:00:00Z`) === dateMs);
  const spans = calendar.sessions
    .filter(({ dayOfWeek }) => dayOfWeek === isoDay)
    .map(({ sessionType, startTime, endTime }) => ({
      type: sessionType,
      startMs: at(startTime),
      endMs: at(endTime, timeOf(endTime) <= timeOf(startTime) ? 1 : 0),
    }));
  if (holiday === undefined) return spans;
  const { openTime, closeTime, postMarketCloseTime } = holiday;
  if (openTime === null && closeTime === null) return [];
  const kept = spans
    .filter(({ type }) => type !== "POST_MARKET" || closeTime === null)
    .map((span) => ({
      ...span,
      startMs: span.type === "OPEN" && openTime !== null ? Math.max(span.startMs, at(openTime)) : span.startMs,
      endMs: span.type !== "POST_MARKET" && closeTime !== null ? Math.min(span.endMs, at(closeTime)) : span.endMs,
    }));
  if (closeTime !== null && postMarketCloseTime !== null && spans.some(({ type }) => type === "OPEN")) {
    kept.push({ type: "POST_MARKET", startMs: at(closeTime), endMs: at(postMarketCloseTime) });
  }
  return kept;
}

function statusesAround(calendar: MarketCalendar, atMs: number, days: number): (t: number) => string {
  const midnight = Math.floor(wallClock(calendar.timezone, atMs) / dayMs) * dayMs;
  const spans = Array.from({ length: days + 4 }, (_, n) => spansOf(calendar, midnight + (n - 2) * dayMs)).flat();
  return (t) => {
    const now = new Set(spans.filter(({ startMs, endMs }) => startMs <= t && t < endMs).map(({ type }) => type));
    return (["OPEN", "PRE_MARKET", "POST_MARKET"] as const).find((type) => now.has(type)) ?? "CLOSED";
  };
}

const zones = ["America/New_York", "Europe/London", "Europe/Istanbul", "Asia/Tokyo", "UTC", "Australia/Sydney"];
/** Days on or next to which clocks change in one of the zones, and an ordinary one. */
const bases = ["2026-03-08", "2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25", "2026-11-01", "2026-06-17"];
/** Quarters of an hour, half of them in the early morning, when clocks change. */
const times = fc
  .oneof(fc.integer({ min: 0, max: 95 }), fc.integer({ min: 0, max: 15 }))
  .map((n) => `${String(Math.floor(n / 4)).padStart(2, "0")}:${String((n % 4) * 15).padStart(2, "0")}`);
const calendars = fc
  .record({
    base: fc.constantFrom(...bases).map((date) => Date.parse(`${date}T00:00:00Z`)),
    timezone: fc.constantFrom(...zones),
    sessions: fc.array(
      fc.record({
        sessionType: fc.constantFrom("PRE_MARKET" as const, "OPEN" as const, "POST_MARKET" as const),
        // Clocks change on Sundays.
        dayOfWeek: fc.oneof(fc.integer({ min: 1, max: 7 }), fc.constant(7)),
        startTime: times,
        endTime: times,
      }),
      { maxLength: 8 },
    ),
    holidays: fc.array(
      fc.record({
        day: fc.integer({ min: -2, max: 3 }),
        openTime: fc.option(times),
        closeTime: fc.option(times),
        postMarketCloseTime: fc.option(times),
      }),
      { maxLength: 2 },
    ),
    offsetMs: fc.integer({ min: -dayMs, max: 2 * dayMs }),
  })
  .map(({ base, holidays, offsetMs, ...rest }) => {
    const dated = holidays.map(({ day, ...hours }) => ({
      date: new Date(base + day * dayMs).toISOString().slice(0, 10),
      ...hours,
    }));
    const calendar: MarketCalendar = {
      ...rest,
      is24x7: false,
      // One row per market and day, as the table has it.
      holidays: dated.filter((holiday, n) => dated.findIndex(({ date }) => date === holiday.date) === n),
    };
    return { calendar, atMs: base + offsetMs };
  });

describe("whatever the hours, the holidays and the clocks", () => {
  test("the status is that of the session one is in", () => {
    fc.assert(
      fc.property(calendars, ({ calendar, atMs }) => {
        const expected = statusesAround(calendar, atMs, 2);
        for (let n = 0; n < 48; n++) {
          const t = atMs + n * 30 * minuteMs;
          expect([t, marketStatusAt(calendar, t)]).toEqual([t, expected(t)]);
        }
      }),
      { numRuns: 150 },
    );
  });

  test("the next change is the first minute with another status", () => {
    fc.assert(
      fc.property(calendars, ({ calendar, atMs }) => {
        const days = 3;
        const expected = statusesAround(calendar, atMs, days);
        const now = expected(atMs);
        const next = nextStatusChangeAt(calendar, atMs);
        const firstMinute = Math.floor(atMs / minuteMs) * minuteMs + minuteMs;
        let first: number | null = null;
        for (
          let t = firstMinute;
          t < atMs + days * dayMs && first === null;
          t += 15 * minuteMs - (t % (15 * minuteMs))
        ) {
          if (expected(t) !== now) first = t;
        }
        if (first === null) expect(next === null || next >= atMs + days * dayMs - 15 * minuteMs).toBe(true);
        else expect(next).toBe(first);
      }),
      { numRuns: 200 },
    );
  });

  test("just before the next change the status is today's, at it another, and it is not now", () => {
    fc.assert(
      fc.property(calendars, ({ calendar, atMs }) => {
        const now = marketStatusAt(calendar, atMs);
        const next = nextStatusChangeAt(calendar, atMs);
        if (next === null) {
          // Forty days are looked at: a session of any weekday would have come.
          expect(marketStatusAt(calendar, atMs + 20 * dayMs)).toBe(now);
          return;
        }
        expect(next).toBeGreaterThan(atMs);
        expect(marketStatusAt(calendar, next - 1)).toBe(now);
        expect(marketStatusAt(calendar, next)).not.toBe(now);
        // From any instant on the way it is the same.
        expect(nextStatusChangeAt(calendar, Math.floor((atMs + next) / 2))).toBe(next);
      }),
      { numRuns: 300 },
    );
  });

  test("what a clock on the wall of the exchange says decides, where no session begins or ends while clocks change", () => {
    fc.assert(
      fc.property(calendars, ({ calendar, atMs }) => {
        const away = (time: string) => (time < "04:00" ? `1${time.slice(1)}` : time);
        const quiet: MarketCalendar = {
          ...calendar,
          sessions: calendar.sessions.map((session) => ({
            ...session,
            startTime: away(session.startTime),
            endTime: away(session.endTime),
          })),
          holidays: calendar.holidays.map(({ date }) => closed(date)),
        };
        for (let n = 0; n < 96; n++) {
          const t = Math.floor(atMs / minuteMs) * minuteMs + n * 20 * minuteMs;
          expect([t, marketStatusAt(quiet, t)]).toEqual([t, statusOnTheWall(quiet, wallClock(quiet.timezone, t))]);
        }
      }),
      { numRuns: 150 },
    );
  });
});

/** Compares the texts of times and makes no instants; closed days are all that it knows of holidays. */
function statusOnTheWall(calendar: MarketCalendar, wallMs: number): string {
  const time = new Date(wallMs).toISOString().slice(11, 16);
  const isOn = (dayMsOfWall: number, { dayOfWeek }: SessionHours) => {
    const date = new Date(dayMsOfWall);
    return (
      (date.getUTCDay() || 7) === dayOfWeek &&
      calendar.holidays.every((holiday) => holiday.date !== date.toISOString().slice(0, 10))
    );
  };
  const now = calendar.sessions
    .filter((session) => {
      const { startTime, endTime } = session;
      const today = isOn(wallMs, session);
      if (startTime < endTime) return today && startTime <= time && time < endTime;
      return (today && startTime <= time) || (isOn(wallMs - dayMs, session) && time < endTime);
    })
    .map(({ sessionType }) => sessionType);
  return (["OPEN", "PRE_MARKET", "POST_MARKET"] as const).find((type) => now.includes(type)) ?? "CLOSED";
}
