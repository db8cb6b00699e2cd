import { describe, expect, test } from "vitest";
import {
  assetClasses,
  dataProviders,
  exchanges,
  marketHolidays,
  markets,
  symbols,
  tradingSessions,
} from "./reference-data.js";

describe("the reference data that ships", () => {
  test("has every asset class and exchange, each with a market", () => {
    expect(assetClasses.map(({ code }) => code)).toEqual(
      "CRYPTO STOCK_BIST STOCK_NASDAQ STOCK_NYSE FOREX COMMODITY".split(" "),
    );
    expect(exchanges.map(({ code }) => code).toSorted()).toEqual(
      "BINANCE BIST BYBIT GATEIO MEXC NASDAQ NYSE OKX".split(" "),
    );
    expect(new Set(markets.map(({ exchange }) => exchange))).toEqual(new Set(exchanges.map(({ code }) => code)));
  });

  test("shows the nine defaults in their order, and keeps the former ones, inactive", () => {
    const tickers = (isDefault: boolean) => symbols.filter((s) => s.isDefault === isDefault).map((s) => s.ticker);
    expect(tickers(true)).toEqual("BTC ETH XRP SOL AVAX SUI ENA UNI BNB".split(" ").map((base) => `${base}USDT`));
    expect(tickers(false)).toEqual("ADA MATIC DOT LINK LTC".split(" ").map((base) => `${base}USDT`));
    expect(
      symbols.every(({ isDefault, isActive, isTracked }) => isActive === isDefault && isTracked === isDefault),
    ).toBe(true);
    expect(symbols.every(({ market }) => market === "BINANCE_SPOT")).toBe(true);
  });

  test("names a market that exists everywhere, and says of invented prices that they are", () => {
    const known = new Set<string>(markets.map(({ code }) => code));
    for (const { market } of [...symbols, ...tradingSessions, ...marketHolidays, ...dataProviders]) {
      expect(known).toContain(market);
    }
    expect(dataProviders.filter(({ code }) => code.endsWith("_SIM")).map(({ providerType }) => providerType)).toEqual([
      "SIMULATED",
    ]);
  });

  test("has Turkish names where it has names", () => {
    for (const { nameTr } of [...assetClasses, ...markets, ...marketHolidays]) expect(nameTr).toMatch(/\S/);
  });

  test("stock exchanges have sessions and holidays, the others trade around the clock", () => {
    for (const { code, is24x7 } of markets) {
      const sessions = tradingSessions.filter(({ market }) => market === code);
      const holidays = marketHolidays.filter(({ market }) => market === code);
      expect([code, sessions.length > 0, holidays.length > 0]).toEqual([code, !is24x7, !is24x7]);
    }
  });
});

/* The rules of the New York exchanges (NYSE rule 7.2), calculated here on their own. */

const dayMs = 24 * 60 * 60 * 1000;
const day = (year: number, month: number, date: number) => new Date(Date.UTC(year, month - 1, date));
const iso = (date: Date) => date.toISOString().slice(0, 10);
/** The n-th such weekday of a month (0 Sunday … 6 Saturday); -1: the last. */
function weekdayOf(year: number, month: number, weekday: number, n: number): Date {
  const days = Array.from({ length: 31 }, (_, i) => day(year, month, i + 1)).filter(
    (date) => date.getUTCMonth() === month - 1 && date.getUTCDay() === weekday,
  );
  return days.at(n < 0 ? n : n - 1) as Date;
}
/** On a Saturday the Friday before, on a Sunday the Monday after. */
function observed(date: Date): Date {
  const shift = { 6: -1, 0: 1 }[date.getUTCDay()] ?? 0;
  return new Date(date.getTime() + shift * dayMs);
}
/** Easter Sunday, by the anonymous Gregorian computus. */
function easter(year: number): Date {
  const a = year % 19;
  const b = Math.floor(year / 100);
  const c = year % 100;
  const d = Math.floor(b / 4);
  const g = Math.floor((8 * b + 13) / 25);
  const h = (19 * a + b - d - g + 15) % 30;
  const l = (32 + 2 * (b % 4) + 2 * Math.floor(c / 4) - h - (c % 4)) % 7;
  const m = Math.floor((a + 11 * h + 22 * l) / 451);
  const month = Math.floor((h + l - 7 * m + 114) / 31);
  return day(year, month, ((h + l - 7 * m + 114) % 31) + 1);
}

function newYorkClosures(year: number): string[] {
  const thanksgiving = weekdayOf(year, 11, 4, 4);
  const dates = [
    // A New Year's Day on a Saturday is not moved into the old year.
    ...(day(year, 1, 1).getUTCDay() === 6 ? [] : [observed(day(year, 1, 1))]),
    weekdayOf(year, 1, 1, 3),
    weekdayOf(year, 2, 1, 3),
    new Date(easter(year).getTime() - 2 * dayMs),
    weekdayOf(year, 5, 1, -1),
    observed(day(year, 6, 19)),
    observed(day(year, 7, 4)),
    weekdayOf(year, 9, 1, 1),
    thanksgiving,
    observed(day(year, 12, 25)),
  ];
  return dates.map(iso).toSorted();
}

/** Closing at 13:00: the day after Thanksgiving, Christmas Eve and the day before Independence Day, when they are trading days. */
function newYorkHalfDays(year: number): string[] {
  const closures = new Set(newYorkClosures(year));
  const candidates = [new Date(weekdayOf(year, 11, 4, 4).getTime() + dayMs), day(year, 12, 24)];
  const independence = day(year, 7, 4).getUTCDay();
  if (independence >= 2 && independence <= 5) candidates.push(day(year, 7, 3));
  return candidates
    .filter((date) => date.getUTCDay() >= 1 && date.getUTCDay() <= 5)
    .map(iso)
    .filter((date) => !closures.has(date))
    .toSorted();
}

describe("the holidays of New York follow the exchanges' own rules", () => {
  const years = [...new Set(marketHolidays.map(({ date }) => Number(date.slice(0, 4))))];

  test("for this year and the next", () => {
    expect(years).toEqual(expect.arrayContaining([2026, 2027]));
  });

  test.each(["NYSE_EQUITY", "NASDAQ_EQUITY"].flatMap((market) => years.map((year) => [market, year] as const)))(
    "%s in %i",
    (market, year) => {
      const own = marketHolidays.filter(
        (holiday) => holiday.market === market && holiday.date.startsWith(String(year)),
      );
      const half = own.filter(({ closeTime }) => closeTime !== undefined);
      expect(
        own
          .filter((holiday) => !half.includes(holiday))
          .map(({ date }) => date)
          .toSorted(),
      ).toEqual(newYorkClosures(year));
      expect(half.map(({ date }) => date).toSorted()).toEqual(newYorkHalfDays(year));
      for (const { closeTime } of half) expect(closeTime).toBe("13:00");
    },
  );
});

describe("the holidays of Istanbul", () => {
  const own = marketHolidays.filter(({ market }) => market === "BIST_EQUITY");
  const onWeekday = (date: string) => ![0, 6].includes(new Date(`${date}T00:00:00Z`).getUTCDay());

  test.each([2026, 2027])("the days of law 2429 that fall on weekdays of %i are closed", (year) => {
    const fixed = ["01-01", "04-23", "05-01", "05-19", "07-15", "08-30", "10-29"].map((date) => `${year}-${date}`);
    const dates = new Set(own.map(({ date }) => date));
    expect(fixed.filter(onWeekday).filter((date) => !dates.has(date))).toEqual([]);
  });

  test("the eve of Republic Day is a half day, and no half day is a feast", () => {
    const half = own.filter(({ closeTime }) => closeTime !== undefined);
    expect(half.map(({ date }) => date)).toEqual(expect.arrayContaining(["2026-10-28", "2027-10-28"]));
    for (const { name } of half) expect(name).toMatch(/eve$/);
  });

  test("none is listed twice or on a weekend", () => {
    const dates = own.map(({ date }) => date);
    expect(new Set(dates).size).toBe(dates.length);
    expect(dates.filter((date) => !onWeekday(date))).toEqual([]);
  });
});
