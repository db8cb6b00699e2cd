import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.js";
import { migrate } from "../db/migrations.js";
import { Catalogue } from "./catalogue.js";
import { readCatalogue } from "./follow.js";
import { assetClasses, dataProviders, exchanges, marketHolidays, markets, symbols } from "./reference-data.js";
import { seedReferenceData } from "./seed.js";

const codes = (rows: readonly { readonly code: string }[]): string[] => rows.map(({ code }) => code);
const tickers = (rows: readonly { readonly ticker: string }[]): string[] => rows.map(({ ticker }) => ticker);
const againstUsdt = (...bases: string[]): string[] => bases.map((base) => `${base}USDT`);
const defaultTickers = againstUsdt("BTC", "ETH", "XRP", "SOL", "AVAX", "SUI", "ENA", "UNI", "BNB");

describe("what ships", () => {
  test("asset classes, exchanges and their markets", () => {
    expect(codes(assetClasses)).toEqual(["CRYPTO", "STOCK_BIST", "STOCK_NASDAQ", "STOCK_NYSE", "FOREX", "COMMODITY"]);
    expect(codes(exchanges)).toEqual(["BINANCE", "BYBIT", "OKX", "MEXC", "GATEIO", "BIST", "NASDAQ", "NYSE"]);
    expect(codes(markets)).toEqual(
      expect.arrayContaining(["BINANCE_SPOT", "BINANCE_FUTURES", "MEXC_SPOT", "GATEIO_FUTURES", "BIST_EQUITY"]),
    );
    // An exchange without a market could never list anything.
    expect(new Set(markets.map(({ exchange }) => exchange))).toEqual(new Set(codes(exchanges)));
  });

  test("a code is its exchange and its type, and comes once", () => {
    for (const { code, exchange, marketType } of markets) {
      expect(code).toMatch(/^[A-Z0-9]+_(SPOT|MARGIN|FUTURES|EQUITY)$/);
      expect(code).toBe(`${exchange}_${marketType}`);
    }
    for (const rows of [assetClasses, exchanges, markets, dataProviders]) {
      expect(new Set(codes(rows)).size).toBe(rows.length);
    }
  });

  test("shares are priced in the money of their country and keep its hours; crypto never closes", () => {
    const facts = markets.map(({ code, timezone, primaryCurrency, countryCode, is24x7 }) => [
      code,
      [timezone, primaryCurrency, countryCode, is24x7],
    ]);
    expect(Object.fromEntries(facts)).toMatchObject({
      BIST_EQUITY: ["Europe/Istanbul", "TRY", "TR", false],
      NASDAQ_EQUITY: ["America/New_York", "USD", "US", false],
      NYSE_EQUITY: ["America/New_York", "USD", "US", false],
    });
    for (const { assetClass, is24x7, timezone } of markets) {
      expect(is24x7).toBe(assetClass === "CRYPTO");
      if (is24x7) expect(timezone).toBe("UTC");
    }
  });

  test("nine default symbols in their order, active and tracked; five that are known and off", () => {
    const byOrder = [...symbols].sort((a, b) => a.displayOrder - b.displayOrder);
    expect(tickers(byOrder.filter(({ isDefault }) => isDefault))).toEqual(defaultTickers);
    expect(tickers(byOrder.filter(({ isActive }) => !isActive))).toEqual(
      againstUsdt("ADA", "MATIC", "DOT", "LINK", "LTC"),
    );
    expect(byOrder.every(({ isActive, isTracked }) => isActive === isTracked)).toBe(true);
    expect(byOrder.filter(({ isDefault, market }) => isDefault && market !== "BINANCE_SPOT")).toEqual([]);
    // The feed serves the defaults in the order in which they are shown.
    const byPriority = [...symbols].sort((a, b) => b.broadcastPriority - a.broadcastPriority);
    expect(tickers(byPriority).slice(0, 9)).toEqual(defaultTickers);
  });

  test("every crypto market has the same large pairs, and every stock exchange some of its shares", () => {
    for (const { code, assetClass, marketType } of markets) {
      const listed = symbols.filter(({ market, isTracked }) => market === code && isTracked);
      const bases = listed.map(({ baseCurrency }) => baseCurrency);
      if (assetClass === "CRYPTO") {
        expect([code, bases]).toEqual([code, expect.arrayContaining(["BTC", "ETH", "XRP", "SOL", "AVAX", "SUI"])]);
        expect(listed.every(({ quoteCurrency }) => quoteCurrency === "USDT")).toBe(true);
      } else {
        expect([code, marketType, bases.length >= 5]).toEqual([code, "EQUITY", true]);
      }
    }
    expect(symbols.filter(({ ticker }) => ticker === "THYAO")).toMatchObject([{ fullNameTr: "Türk Hava Yolları" }]);
  });

  test.each([
    ["BINANCE_FUTURES", "BTCUSDT"],
    ["BYBIT_SPOT", "BTCUSDT"],
    ["BYBIT_FUTURES", "BTCUSDT"],
    ["OKX_SPOT", "BTC-USDT"],
    ["OKX_FUTURES", "BTC-USDT-SWAP"],
    ["MEXC_SPOT", "BTCUSDT"],
    ["GATEIO_SPOT", "BTC_USDT"],
    ["GATEIO_FUTURES", "BTC_USDT"],
  ])("on %s bitcoin is %s", (code, ticker) => {
    expect(tickers(symbols.filter(({ market, baseCurrency }) => market === code && baseCurrency === "BTC"))).toEqual([
      ticker,
    ]);
  });

  test("an ISIN ends with its check digit", () => {
    const isins = symbols.flatMap(({ isin }) => isin ?? []);
    expect(new Set(isins).size).toBeGreaterThan(15);
    for (const isin of isins) {
      const digits = isin
        .split("")
        .map((sign) => Number.parseInt(sign, 36))
        .join("");
      const sum = digits
        .split("")
        .reverse()
        .reduce((total, digit, place) => {
          const value = Number(digit) * (place % 2 === 0 ? 1 : 2);
          return total + (value > 9 ? value - 9 : value);
        }, 0);
      expect([isin, sum % 10]).toEqual([isin, 0]);
    }
  });

  test("every market has a provider with its addresses, its limit and its patience", () => {
    for (const { code } of markets) {
      const [provider, ...more] = dataProviders.filter(
        ({ market, providerType }) => market === code && providerType !== "SIMULATED",
      );
      expect([code, more]).toEqual([code, []]);
      expect(provider?.rateLimitPerMinute).toBeGreaterThan(0);
      expect(provider?.staleAfterMs).toBeGreaterThanOrEqual(30_000);
      expect(provider?.endpointUrl).toMatch(/^https:\/\/[a-z0-9.]+$/);
      expect(provider?.websocketUrl ?? "").toMatch(
        provider?.feedType === "WEBSOCKET" ? /^wss:\/\/[a-z0-9.:-]+$/ : /^$/,
      );
    }
  });

  test("a tick has as many decimal places as its symbol shows", () => {
    const places = (text: string) => text.split(".")[1]?.length ?? 0;
    for (const { ticker, tickSize, stepSize, pricePrecision, quantityPrecision } of symbols) {
      expect([ticker, places(tickSize), places(stepSize)]).toEqual([ticker, pricePrecision, quantityPrecision]);
    }
  });

  test("everything that people read has a Turkish name", () => {
    for (const { nameTr } of [...assetClasses, ...markets, ...marketHolidays]) expect(nameTr).toMatch(/\S/);
  });
});

test("a live database feeds every market from its real provider, and knows no invented one", async () => {
  const database = await createTestDatabase({ empty: true });
  try {
    await migrate(database.owner.sql, pino({ level: "silent" }));
    await seedReferenceData(database.owner, "live");
    const catalogue = new Catalogue();
    await readCatalogue(database.app, catalogue);
    expect(catalogue.providers.some(({ providerType }) => providerType === "SIMULATED")).toBe(false);
    expect(catalogue.markets.map(({ id, code }) => [code, catalogue.primaryProviderOf(id)?.marketId])).toEqual(
      catalogue.markets.map(({ id, code }) => [code, id]),
    );
    expect(catalogue.trackedSymbols).toHaveLength(symbols.filter(({ isTracked }) => isTracked).length);
  } finally {
    await database.close();
  }
});

describe("in a database", () => {
  let database: TestDatabase;
  const catalogue = new Catalogue();
  beforeAll(async () => {
    database = await createTestDatabase();
    await readCatalogue(database.app, catalogue);
  });
  afterAll(() => database.close());

  test("all of it is there", () => {
    expect(codes(catalogue.assetClasses)).toEqual(codes(assetClasses));
    expect(codes(catalogue.exchanges)).toEqual(codes(exchanges));
    expect(codes(catalogue.markets)).toEqual(codes(markets));
    expect(tickers(catalogue.defaultSymbols)).toEqual(defaultTickers);
    // A market that the simulated exchange does not play is not tracked.
    expect(catalogue.trackedSymbols.filter((symbol) => catalogue.providerOf(symbol) === undefined)).toEqual([]);
    expect(tickers(catalogue.trackedSymbols)).toEqual(expect.arrayContaining(defaultTickers));
    expect(catalogue.symbols).toHaveLength(symbols.length);
    const holidays = catalogue.markets.flatMap(({ id }) => catalogue.calendarOf(id).holidays);
    expect(holidays).toHaveLength(marketHolidays.length);
  });

  test("only the simulated exchange is primary, once in a market, and every tracked symbol is fed by it", () => {
    for (const { id, code } of catalogue.markets) {
      const providers = catalogue.providersOf(id);
      const simulated = providers.filter(({ providerType }) => providerType === "SIMULATED");
      expect([code, codes(providers.filter(({ isPrimary }) => isPrimary))]).toEqual([code, codes(simulated)]);
    }
    for (const symbol of catalogue.trackedSymbols) {
      expect(catalogue.providerOf(symbol)).toBe(catalogue.primaryProviderOf(symbol.marketId));
      expect(catalogue.providerOf(symbol)?.providerType).toBe("SIMULATED");
    }
  });

  test.each([
    ["BIST_EQUITY", ["PRE_MARKET 09:40-10:00", "OPEN 10:00-18:00", "POST_MARKET 18:00-18:10"]],
    ["NASDAQ_EQUITY", ["PRE_MARKET 04:00-09:30", "OPEN 09:30-16:00", "POST_MARKET 16:00-20:00"]],
    ["NYSE_EQUITY", ["PRE_MARKET 04:00-09:30", "OPEN 09:30-16:00", "POST_MARKET 16:00-20:00"]],
  ])("%s has these hours from Monday to Friday", (code, hours) => {
    const sessions = catalogue.sessionsOf(catalogue.marketByCode(code)?.id ?? 0);
    const weekdays = [1, 2, 3, 4, 5];
    expect(new Set(sessions.map(({ dayOfWeek }) => dayOfWeek))).toEqual(new Set(weekdays));
    for (const day of weekdays) {
      const ofDay = sessions.filter(({ dayOfWeek }) => dayOfWeek === day);
      expect(ofDay.map((s) => `${s.sessionType} ${s.startTime.slice(0, 5)}-${s.endTime.slice(0, 5)}`)).toEqual(hours);
      expect(ofDay.filter(({ isPrimary }) => isPrimary).map(({ sessionType }) => sessionType)).toEqual(["OPEN"]);
    }
  });

  test("a market that never closes has no sessions, and one that does has some", () => {
    for (const { id, is24x7 } of catalogue.markets) expect(catalogue.sessionsOf(id).length === 0).toBe(is24x7);
  });
});

/* Holidays, from the rules that make them. Dates are midnights in UTC; weekdays count from Sunday, 0. */

const dayMs = 24 * 60 * 60 * 1000;
const dateOf = (year: number, month: number, day: number): number => Date.UTC(year, month - 1, day);
const text = (dateMs: number): string => new Date(dateMs).toISOString().slice(0, 10);
const weekday = (dateMs: number): number => new Date(dateMs).getUTCDay();
const isWeekend = (dateMs: number): boolean => weekday(dateMs) % 6 === 0;

const nth = (n: number, day: number, year: number, month: number): number => {
  const first = dateOf(year, month, 1);
  return first + (((day - weekday(first) + 7) % 7) + (n - 1) * 7) * dayMs;
};
const last = (day: number, year: number, month: number): number => {
  const end = dateOf(year, month + 1, 0);
  return end - ((weekday(end) - day + 7) % 7) * dayMs;
};
/** A Saturday is kept on the Friday before, a Sunday on the Monday after. */
const observed = (dateMs: number): number =>
  dateMs + (weekday(dateMs) === 6 ? -dayMs : weekday(dateMs) === 0 ? dayMs : 0);

/** The Gregorian computus (Meeus, Jones and Butcher). */
function easter(year: number): number {
  const a = year % 19;
  const b = Math.floor(year / 100);
  const c = year % 100;
  const d = Math.floor(b / 4);
  const e = b % 4;
  const g = Math.floor((8 * b + 13) / 25);
  const h = (19 * a + b - d - g + 15) % 30;
  const i = Math.floor(c / 4);
  const k = c % 4;
  const l = (32 + 2 * e + 2 * i - h - k) % 7;
  const m = Math.floor((a + 11 * h + 22 * l) / 451);
  const p = h + l - 7 * m + 114;
  return dateOf(year, Math.floor(p / 31), (p % 31) + 1);
}

/** NYSE rule 7.2: the days on which there is no trading. */
function newYorkClosed(year: number): number[] {
  const newYear = dateOf(year, 1, 1);
  return [
    // On a Saturday it is not kept on the Friday: that is the last day of the business year.
    ...(weekday(newYear) === 6 ? [] : [observed(newYear)]),
    nth(3, 1, year, 1),
    nth(3, 1, year, 2),
    easter(year) - 2 * dayMs,
    last(1, year, 5),
    observed(dateOf(year, 6, 19)),
    observed(dateOf(year, 7, 4)),
    nth(1, 1, year, 9),
    nth(4, 4, year, 11),
    observed(dateOf(year, 12, 25)),
  ];
}

/** Trading ends at 13:00 on the eve of Independence Day and of Christmas, and after Thanksgiving, if that day is one of trading. */
function newYorkHalfDays(year: number): number[] {
  const closed = newYorkClosed(year);
  return [dateOf(year, 7, 3), nth(4, 4, year, 11) + dayMs, dateOf(year, 12, 24)].filter(
    (dateMs) => !isWeekend(dateMs) && !closed.includes(dateMs),
  );
}

const holidaysOf = (market: string) => marketHolidays.filter((holiday) => holiday.market === market);
const yearsOf = (market: string): number[] => [
  ...new Set(holidaysOf(market).map(({ date }) => Number(date.slice(0, 4)))),
];
const datesOf = (market: string, year: number, early: boolean): string[] =>
  holidaysOf(market)
    .filter(({ date, closeTime }) => date.startsWith(`${year}-`) && (closeTime !== undefined) === early)
    .map(({ date }) => date);
const inOrder = (dates: number[]): string[] => [...new Set(dates.map(text))].sort();

describe("holidays", () => {
  test("the rules of the test give what the exchange announced for 2025 and 2028", () => {
    const closed = (year: number) => inOrder(newYorkClosed(year)).map((date) => date.slice(5));
    expect(closed(2025)).toEqual([
      "01-01",
      "01-20",
      "02-17",
      "04-18",
      "05-26",
      "06-19",
      "07-04",
      "09-01",
      "11-27",
      "12-25",
    ]);
    // No New Year's Day: it is on a Saturday.
    expect(closed(2028)).toEqual(["01-17", "02-21", "04-14", "05-29", "06-19", "07-04", "09-04", "11-23", "12-25"]);
    expect(inOrder([...newYorkHalfDays(2025), ...newYorkHalfDays(2028)])).toEqual([
      "2025-07-03",
      "2025-11-28",
      "2025-12-24",
      "2028-07-03",
      "2028-11-24",
    ]);
  });

  test.each(["BIST_EQUITY", "NASDAQ_EQUITY", "NYSE_EQUITY"])("%s has those of 2026 and of the year after", (market) => {
    expect(yearsOf(market)).toEqual(expect.arrayContaining([2026, 2027]));
    const dates = holidaysOf(market).map(({ date }) => date);
    expect(dates).toEqual([...new Set(dates)].sort());
    // One on a weekend would say nothing.
    expect(dates.filter((date) => isWeekend(Date.parse(date)))).toEqual([]);
  });

  describe.each(["NASDAQ_EQUITY", "NYSE_EQUITY"])("of %s", (market) => {
    test.each(yearsOf(market))("in %i are closed days and half days by the rules of the exchange", (year) => {
      expect(datesOf(market, year, false)).toEqual(inOrder(newYorkClosed(year)));
      expect(datesOf(market, year, true)).toEqual(inOrder(newYorkHalfDays(year)));
    });

    test("half days end at 13:00, after hours at 17:00", () => {
      for (const { closeTime, postMarketCloseTime } of holidaysOf(market)) {
        expect([undefined, "13:00"]).toContain(closeTime);
        expect(postMarketCloseTime).toBe(closeTime === undefined ? undefined : "17:00");
      }
    });
  });

  describe("of BIST_EQUITY", () => {
    const market = "BIST_EQUITY";
    const fixed = ["01-01", "04-23", "05-01", "05-19", "07-15", "08-30", "10-29"];
    const feasts = [
      { nameTr: "Ramazan Bayramı", islamicMonth: 10, islamicDay: 1, days: 3 },
      { nameTr: "Kurban Bayramı", islamicMonth: 12, islamicDay: 10, days: 4 },
    ];
    const islamic = new Intl.DateTimeFormat("en-u-ca-islamic-umalqura", {
      month: "numeric",
      day: "numeric",
      timeZone: "UTC",
    });

    /** By the computed calendar. Türkiye announces its own, which may differ by a day in a year to come and then counts. */
    function daysOf({ islamicMonth, islamicDay, days }: (typeof feasts)[number], year: number): number[] {
      const isFirst = (dateMs: number) => {
        const parts = islamic.formatToParts(dateMs);
        const number = (wanted: string) => Number(parts.find(({ type }) => type === wanted)?.value);
        return number("month") === islamicMonth && number("day") === islamicDay;
      };
      let dateMs = dateOf(year, 1, 1);
      while (!isFirst(dateMs)) dateMs += dayMs;
      return Array.from({ length: days }, (_, day) => dateMs + day * dayMs);
    }

    test.each(yearsOf(market))("in %i follow from law no. 2429 and the Islamic calendar", (year) => {
      const onWorkdays = (dates: number[]) => inOrder(dates.filter((dateMs) => !isWeekend(dateMs)));
      const closed = [
        ...fixed.map((monthAndDay) => Date.parse(`${year}-${monthAndDay}`)),
        ...feasts.flatMap((feast) => daysOf(feast, year)),
      ];
      // The afternoon before a feast, and before the day of the Republic, is free.
      const eves = [dateOf(year, 10, 28), ...feasts.map((feast) => (daysOf(feast, year)[0] ?? 0) - dayMs)];
      expect(datesOf(market, year, false)).toEqual(onWorkdays(closed));
      expect(datesOf(market, year, true)).toEqual(onWorkdays(eves.filter((dateMs) => !closed.includes(dateMs))));

      for (const feast of feasts) {
        const named = holidaysOf(market).filter(
          ({ date, nameTr, closeTime }) =>
            date.startsWith(`${year}-`) && nameTr.includes(feast.nameTr) && closeTime === undefined,
        );
        expect(named.map(({ date }) => date)).toEqual(onWorkdays(daysOf(feast, year)));
      }
    });

    test("half days end at 12:30, the closing auction ten minutes later", () => {
      for (const { closeTime, postMarketCloseTime } of holidaysOf(market)) {
        expect([undefined, "12:30"]).toContain(closeTime);
        expect(postMarketCloseTime).toBe(closeTime === undefined ? undefined : "12:40");
      }
    });
  });
});
