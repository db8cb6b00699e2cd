import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.js";
import { until } from "../../test/support/until.js";
import { type DecimalText, decimalText } from "../core/decimal.js";
import type { Database } from "../db/connect.js";
import { QuoteBoard } from "./quotes.js";
import { loadQuotes, QuoteWriter, writeQuotes } from "./store-quotes.js";

const log = pino({ level: "silent" });
let database: TestDatabase;
let symbolIds: number[];
let providerId: number;

beforeEach(async () => {
  database = await createTestDatabase();
  symbolIds = (await database.owner.sql<{ id: number }[]>`select id from symbols order by display_order`).map(
    (row) => row.id,
  );
  const [provider] = await database.owner.sql<{ id: number }[]>`select id from data_providers where is_primary`;
  providerId = provider?.id ?? 0;
});
afterEach(() => database.close());

function boardWith(prices: readonly string[]) {
  let nowMs = Date.UTC(2026, 10, 20);
  const board = new QuoteBoard({ nowMs: () => nowMs });
  const setPrice = (index: number, price: string) =>
    board.apply(
      {
        kind: "trade",
        symbolId: symbolIds[index] ?? 0,
        price: decimalText(price),
        quantity: decimalText("1"),
        side: "SELL",
        tradeId: "1",
        tradeCount: 1,
        exchangeSequence: 1,
        exchangeTimeMs: ++nowMs,
        receivedAtMs: nowMs,
      },
      providerId,
    );
  for (const [index, price] of prices.entries()) setPrice(index, price);
  return { board, setPrice };
}

const stored = async (): Promise<Record<number, string>> =>
  Object.fromEntries((await loadQuotes(database.app)).map((quote) => [symbolIds.indexOf(quote.symbolId), quote.price]));

/** The application's database as it is, but for a switch that makes every statement fail. */
function withSwitch(real: Database) {
  const state = { away: false };
  const sql = new Proxy(real.sql, {
    apply: (target, self, args) =>
      state.away ? Promise.reject(new Error("connection refused")) : Reflect.apply(target, self, args),
  });
  return { state, database: { ...real, sql } };
}

describe("stored quotes", () => {
  test("come back as they were, every digit, but stale", async () => {
    const { board } = boardWith(["64123.12", "0.000000000000000001", "99999999999999999999.5"]);
    const quotes = [...board.all()];
    await writeQuotes(database.app, quotes);
    const loaded = (await loadQuotes(database.app)).sort((a, b) => a.symbolId - b.symbolId);
    expect(loaded).toEqual(quotes.map((quote) => ({ ...quote, isStale: true })));
  });

  test("an older one changes nothing", async () => {
    const { board, setPrice } = boardWith(["1"]);
    const older = { ...[...board.all()][0] } as never;
    setPrice(0, "2");
    await writeQuotes(database.app, [...board.all()]);
    await writeQuotes(database.app, [older]);
    expect(await stored()).toEqual({ 0: "2" });
  });

  test("a hundred rows are one statement", async () => {
    const { board } = boardWith(symbolIds.map((_, index) => String(index + 1)));
    let statements = 0;
    const counted = {
      ...database.app,
      sql: new Proxy(database.app.sql, {
        apply: (target, self, args) => {
          statements++;
          return Reflect.apply(target, self, args);
        },
      }),
    };
    await writeQuotes(counted, [...board.all()]);
    expect(statements).toBe(1);
    expect(Object.keys(await stored())).toHaveLength(symbolIds.length);
  });
});

describe("the writer", () => {
  test("writes only the newest value of a symbol", async () => {
    const { board, setPrice } = boardWith([]);
    const writer = new QuoteWriter(board, database.app, 10, log);
    for (let n = 1; n <= 500; n++) setPrice(0, String(n));
    await until(async () => (await stored())[0] === "500", 15_000);
    expect(writer.stats.written).toBeLessThan(10);
    await writer.close();
  });

  test("while the database is away it keeps one value per symbol, and writes them when it is back", async () => {
    const { board, setPrice } = boardWith([]);
    const { state, database: flaky } = withSwitch(database.app);
    const writer = new QuoteWriter(board, flaky, 5, log);
    state.away = true;
    for (let n = 1; n <= 100; n++) for (const index of [0, 1]) setPrice(index, String(n));
    await until(() => writer.stats.failures > 2, 15_000);
    expect(writer.stats.waiting).toBeLessThanOrEqual(2);
    state.away = false;
    await until(async () => JSON.stringify(await stored()) === JSON.stringify({ 0: "100", 1: "100" }), 15_000);
    await writer.close();
  });

  test("an impossible value is left out and does not keep the others from being stored", async () => {
    const { board, setPrice } = boardWith([]);
    const writer = new QuoteWriter(board, database.app, 5, log);
    for (let index = 0; index < 9; index++) setPrice(index, "7");
    const broken = board.get(symbolIds[4] ?? 0);
    if (broken) Object.assign(broken, { low24h: "9" as DecimalText, high24h: "8" as DecimalText });
    await until(async () => Object.keys(await stored()).length === 8, 15_000);
    await until(() => writer.stats.refused === 1, 15_000);
    await writer.close();
    expect(Object.keys(await stored())).toHaveLength(8);
  });

  test("closing writes what is waiting", async () => {
    const { board, setPrice } = boardWith([]);
    const writer = new QuoteWriter(board, database.app, 60_000, log);
    setPrice(0, "5");
    await writer.close();
    expect(await stored()).toEqual({ 0: "5" });
  });
});
