import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.js";
import { Catalogue, type Market } from "./catalogue.js";
import { readCatalogue } from "./follow.js";
import { type Instrument, storeInstruments } from "./sync-symbols.js";

let database: TestDatabase;
let market: Market;
beforeAll(async () => {
  database = await createTestDatabase();
  const catalogue = new Catalogue();
  await readCatalogue(database.app, catalogue);
  market = catalogue.marketByCode("OKX_SPOT") as Market;
  // What ships would count as no longer listed.
  await database.owner.sql`delete from symbols where market_id = ${market.id}`;
});
afterAll(() => database.close());

const instrument = (ticker: string, more: Partial<Instrument> = {}): Instrument => ({
  ticker,
  baseCurrency: ticker.replace("USDT", ""),
  quoteCurrency: "USDT",
  status: "TRADING",
  tickSize: "0.01",
  stepSize: "0.001",
  minQuantity: "0.001",
  maxQuantity: null,
  minOrderValue: "5",
  maxOrderValue: null,
  ...more,
});
const store = (instruments: Instrument[], brokenTickers: string[] = []) =>
  storeInstruments(database.app, market, { instruments, brokenTickers });
const symbolOf = async (ticker: string) => {
  const [row] = await database.owner.sql`
    select ticker, status, is_active, is_tracked, is_popular, tick_size::text, price_precision, display_name
    from symbols where market_id = ${market.id} and ticker = ${ticker}`;
  return row;
};

describe("storing a market's instruments", () => {
  test("adds new ones as active symbols that nobody tracks, and counts what it added or changed", async () => {
    expect(await store([instrument("AAAUSDT"), instrument("BBBUSDT", { tickSize: "0.0005" })])).toBe(2);
    expect(await symbolOf("BBBUSDT")).toEqual({
      ticker: "BBBUSDT",
      status: "TRADING",
      is_active: true,
      is_tracked: false,
      is_popular: false,
      tick_size: "0.000500000000000000",
      price_precision: 4,
      display_name: "BBB/USDT",
    });
    expect(await store([instrument("AAAUSDT"), instrument("BBBUSDT", { tickSize: "0.0005" })])).toBe(0);
  });

  test("takes over the exchange's rules, and leaves what operators decided", async () => {
    await database.owner.sql`
      update symbols set is_popular = true, is_tracked = true, display_name = 'Our name'
      where market_id = ${market.id} and ticker = 'AAAUSDT'`;
    expect(await store([instrument("AAAUSDT", { tickSize: "0.1", status: "HALT" }), instrument("BBBUSDT")])).toBe(2);
    expect(await symbolOf("AAAUSDT")).toMatchObject({
      status: "HALT",
      tick_size: "0.100000000000000000",
      price_precision: 1,
      is_tracked: true,
      is_popular: true,
      display_name: "Our name",
    });
  });

  test("one that is listed no more is delisted, and comes back when it is listed again", async () => {
    expect(await store([instrument("BBBUSDT")])).toBe(1);
    expect(await symbolOf("AAAUSDT")).toMatchObject({ status: "DELISTED", is_tracked: true });
    expect(await store([instrument("AAAUSDT"), instrument("BBBUSDT")])).toBe(1);
    expect(await symbolOf("AAAUSDT")).toMatchObject({ status: "TRADING" });
  });

  test("one whose rules came broken stays as it is", async () => {
    expect(await store([instrument("BBBUSDT")], ["AAAUSDT"])).toBe(0);
    expect(await symbolOf("AAAUSDT")).toMatchObject({ status: "TRADING", tick_size: "0.010000000000000000" });
  });

  test("an empty list changes nothing: it is a fault of the exchange, not the end of all its symbols", async () => {
    expect(await store([])).toBe(0);
    expect(await symbolOf("BBBUSDT")).toMatchObject({ status: "TRADING" });
  });

  test("a rule that the table refuses undoes the whole list", async () => {
    const broken = instrument("CCCUSDT", { tickSize: "-1" });
    await expect(store([instrument("DDDUSDT"), broken])).rejects.toThrow("ck_symbols_tick_size");
    expect(await symbolOf("DDDUSDT")).toBeUndefined();
    expect(await symbolOf("AAAUSDT")).toMatchObject({ status: "TRADING" });
  });

  test("symbols of other markets are not touched", async () => {
    const [other] = await database.owner
      .sql`select count(*)::int as n from symbols where status = 'DELISTED' and market_id <> ${market.id}`;
    expect(other?.n).toBe(0);
  });
});
