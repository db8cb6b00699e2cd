import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.js";
import { until } from "../../test/support/until.js";
import type { Database } from "../db/connect.js";
import { Catalogue } from "./catalogue.js";
import { type CatalogueFollower, followCatalogue } from "./follow.js";
import { symbols } from "./tables.js";

let database: TestDatabase;
let catalogue: Catalogue;
let follower: CatalogueFollower;
let logged: string[];

const log = pino({ level: "warn" }, { write: (line) => void logged.push(line) });
const symbol = (ticker: string) => catalogue.symbolByTicker("BINANCE_SPOT", ticker);
const describeSymbol = (ticker: string, description: string) =>
  database.owner.sql`update symbols set description = ${description} where ticker = ${ticker}`;
const shows = (ticker: string, description: string) => until(() => symbol(ticker)?.description === description);

/** A change that no notification tells of, as if it had been made while nobody listened. */
const changeUnheard = (ticker: string, description: string) =>
  database.owner.sql.begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    await tx`update symbols set description = ${description} where ticker = ${ticker}`;
  });
async function killListener(): Promise<void> {
  const killed = await database.owner.sql`
    select pg_terminate_backend(pid, 5000) as gone from pg_stat_activity
    where datname = current_database() and application_name = 'test app' and query ilike 'listen %'`;
  expect(killed).toEqual([{ gone: true }]);
}

beforeEach(async () => {
  database = await createTestDatabase();
  catalogue = new Catalogue();
  logged = [];
  follower = await followCatalogue(database.app, catalogue, log);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await follower.close();
  await database.close();
});

describe("a change by plain SQL shows", () => {
  test("one that updates, adds, renames and removes", async () => {
    await describeSymbol("BTCUSDT", "digital gold");
    await shows("BTCUSDT", "digital gold");

    await database.owner.sql`
      insert into symbols (market_id, asset_class_id, ticker, display_name, base_currency, quote_currency, price_precision,
        quantity_precision, tick_size, step_size)
      select market_id, asset_class_id, 'NEWUSDT', 'NEW/USDT', 'NEW', 'USDT', 2, 2, 0.01, 0.01
      from symbols where is_default and ticker = 'BTCUSDT'`;
    await until(() => symbol("NEWUSDT") !== undefined);

    await database.owner.sql`update symbols set ticker = 'OLDUSDT' where ticker = 'NEWUSDT'`;
    await until(() => symbol("OLDUSDT") !== undefined);
    expect(symbol("NEWUSDT")).toBeUndefined();

    const id = symbol("OLDUSDT")?.id ?? 0;
    await database.owner.sql`delete from symbols where ticker = 'OLDUSDT'`;
    await until(() => symbol("OLDUSDT") === undefined);
    expect(catalogue.findSymbol(id)).toBeUndefined();
  });

  test("in every table", async () => {
    const changes: readonly (readonly [statement: string, shown: () => unknown])[] = [
      [
        "update asset_classes set name = 'Coins' where code = 'CRYPTO'",
        () => catalogue.assetClassByCode("CRYPTO")?.name,
      ],
      ["update exchanges set name = 'Coins' where code = 'OKX'", () => catalogue.exchangeByCode("OKX")?.name],
      ["update markets set name = 'Coins' where code = 'OKX_SPOT'", () => catalogue.marketByCode("OKX_SPOT")?.name],
      ["update data_providers set name = 'Coins'", () => catalogue.providers[0]?.name],
      ["update trading_sessions set name = 'Coins'", () => sessionsOfNyse()[0]?.name],
      ["update market_holidays set name = 'Coins'", () => holidaysOfNyse()[0]?.name],
    ];
    const nyse = () => catalogue.marketByCode("NYSE_EQUITY")?.id ?? 0;
    const sessionsOfNyse = () => catalogue.sessionsOf(nyse());
    const holidaysOfNyse = () => catalogue.calendarOf(nyse()).holidays as readonly { name?: string }[];
    for (const [statement, shown] of changes) {
      await database.owner.sql.unsafe(statement);
      await until(() => shown() === "Coins");
    }
  });

  test("one of more rows than a notification names", async () => {
    await database.owner.sql`
      insert into symbols (market_id, asset_class_id, ticker, display_name, base_currency, quote_currency, price_precision,
        quantity_precision, tick_size, step_size)
      select market_id, asset_class_id, 'MANY' || n, 'Many', 'MANY', 'USDT', 2, 2, 0.01, 0.01
      from symbols, generate_series(1, 600) n where is_default and ticker = 'BTCUSDT'`;
    await until(() => symbol("MANY1") !== undefined);
    expect(symbol("MANY600")).toBeDefined();
    await database.owner.sql`delete from symbols where display_name = 'Many'`;
    await until(() => symbol("MANY600") === undefined);
    expect(symbol("MANY1")).toBeUndefined();
    expect(symbol("BTCUSDT")).toBeDefined();
  });

  test("at once to the writer that asks for it", async () => {
    const id = symbol("ETHUSDT")?.id ?? 0;
    await changeUnheard("ETHUSDT", "ours");
    await follower.refresh("symbols", [id]);
    expect(symbol("ETHUSDT")?.description).toBe("ours");
    await changeUnheard("BTCUSDT", "theirs");
    await follower.refreshAll("symbols");
    expect(symbol("BTCUSDT")?.description).toBe("theirs");
  });

  test("after a while when it could not be read", async () => {
    await database.owner.sql`revoke select on symbols from tradegraph_app`;
    await describeSymbol("BTCUSDT", "late");
    await until(() => logged.some((line) => line.includes("catalogue.read-failed")));
    await database.owner.sql`grant select on symbols to tradegraph_app`;
    await shows("BTCUSDT", "late");
  });

  test("after words on the channel that are not ours", async () => {
    for (const payload of [
      "",
      "hello",
      "null",
      "[]",
      '{"table":"toString","ids":[1]}',
      '{"table":"symbols","ids":"all"}',
    ]) {
      await database.owner.sql`select pg_notify('tradegraph_catalogue', ${payload})`;
    }
    await describeSymbol("BTCUSDT", "heard");
    await shows("BTCUSDT", "heard");
    expect(logged.filter((line) => line.includes("catalogue.unknown-notification"))).toHaveLength(6);
    expect(logged.filter((line) => line.includes("catalogue.read-failed"))).toEqual([]);
  });
});

test("race: a change while the first read is under way is not undone by it", async () => {
  await describeSymbol("ETHUSDT", "settled");
  await shows("ETHUSDT", "settled");
  const { db } = database.app;
  let hasRead = false;
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const slowDb = Object.create(db);
  slowDb.select = () => ({
    from: (table: typeof symbols) => {
      const query = db.select().from(table);
      if (table !== symbols || hasRead) return query;
      return query.then(async (rows) => {
        hasRead = true;
        await released;
        return rows;
      });
    },
  });
  const late = new Catalogue();
  const following = followCatalogue({ ...database.app, db: slowDb }, late, log);
  await until(() => hasRead);

  // Both followers hear of it on one connection: what this one shows, the other could have read as well.
  for (const description of ["newer", "newest"]) {
    await describeSymbol("BTCUSDT", description);
    await shows("BTCUSDT", description);
  }
  release();
  const started = await following;
  await until(() => late.symbolByTicker("BINANCE_SPOT", "BTCUSDT")?.description === "newest");
  await started.close();
});

describe("a lost listening connection", () => {
  test("is made anew, and what was missed shows", async () => {
    await describeSymbol("BTCUSDT", "before");
    await shows("BTCUSDT", "before");
    await changeUnheard("ETHUSDT", "unheard");
    await describeSymbol("BTCUSDT", "after it");
    await shows("BTCUSDT", "after it");
    expect(symbol("ETHUSDT")?.description).toBeNull();

    await killListener();
    await shows("ETHUSDT", "unheard");
    await describeSymbol("BTCUSDT", "heard again");
    await shows("BTCUSDT", "heard again");
  });

  test("may be lost again and again", async () => {
    for (const round of ["first", "second", "third"]) {
      await changeUnheard("ETHUSDT", round);
      await killListener();
      await shows("ETHUSDT", round);
    }
  });

  test("does not outlive the follower: closed after it, nothing is read any more", async () => {
    await changeUnheard("ETHUSDT", "unheard");
    await killListener();
    await shows("ETHUSDT", "unheard");
    await follower.close();

    // On the same connection, and asked after the closed one would be.
    const other = new Catalogue();
    const second = await followCatalogue(database.app, other, log);
    const select = vi.spyOn((database.app satisfies Database).db, "select");
    await describeSymbol("BTCUSDT", "too late");
    await until(() => other.symbolByTicker("BINANCE_SPOT", "BTCUSDT")?.description === "too late");
    expect(symbol("BTCUSDT")?.description).not.toBe("too late");
    expect(select).toHaveBeenCalledTimes(1);
    await second.close();
  });
});
