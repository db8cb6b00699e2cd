import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.js";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.close());

const run = (statement: string) => database.owner.sql.unsafe(statement);
const refused = async (statement: string): Promise<string | undefined> =>
  run(statement).then(
    () => undefined,
    (error: { constraint_name?: string; message: string }) => error.constraint_name ?? error.message,
  );

describe("the database itself refuses", () => {
  // One statement that breaks one rule, and the rule's name.
  test.each([
    ["update symbols set is_active = false where ticker = 'BTCUSDT'", "ck_symbols_default_active"],
    ["update symbols set broadcast_priority = 101 where ticker = 'BTCUSDT'", "ck_symbols_broadcast_priority"],
    ["update symbols set broadcast_priority = -1 where ticker = 'BTCUSDT'", "ck_symbols_broadcast_priority"],
    ["update symbols set tick_size = 0 where ticker = 'BTCUSDT'", "ck_symbols_tick_size"],
    ["update symbols set step_size = -1 where ticker = 'BTCUSDT'", "ck_symbols_step_size"],
    ["update symbols set min_quantity = 2, max_quantity = 1 where ticker = 'BTCUSDT'", "ck_symbols_quantity_order"],
    ["update symbols set min_order_value = -1 where ticker = 'BTCUSDT'", "ck_symbols_order_value_range"],
    ["update symbols set price_precision = 19 where ticker = 'BTCUSDT'", "ck_symbols_precision"],
    ["update symbols set isin = 'XX' where ticker = 'BTCUSDT'", "ck_symbols_isin"],
    ["update symbols set country = 'turkey' where ticker = 'BTCUSDT'", "value too long for type character varying(2)"],
    ["update symbols set ticker = 'btc usdt' where ticker = 'BTCUSDT'", "ck_symbols_ticker"],
    ["update symbols set ticker = 'ETHUSDT' where ticker = 'BTCUSDT'", "uk_symbols_market_id_ticker"],
    ["update symbols set market_id = 999999 where ticker = 'ENAUSDT'", "fk_symbols_market_id"],
    [
      "update symbols set data_provider_id = (select id from data_providers where code = 'BINANCE_SPOT_WS'), market_id = (select id from markets where code = 'OKX_SPOT') where ticker = 'ENAUSDT'",
      "fk_symbols_data_provider_id_market_id",
    ],
    ["update markets set code = 'BINANCE_spot' where code = 'BINANCE_SPOT'", "ck_markets_code"],
    ["update markets set code = 'BINANCE_FOREX' where code = 'BINANCE_SPOT'", "ck_markets_code"],
    ["update markets set code = 'BINANCE_MARGIN' where code = 'BINANCE_SPOT'", "ck_markets_code_market_type"],
    ["update markets set code = 'OTHER_SPOT' where code = 'BINANCE_SPOT'", "ck_markets_code_exchange"],
    ["update markets set timezone = 'Mars/Olympus' where code = 'BINANCE_SPOT'", "ck_markets_timezone"],
    ["update markets set operator_status = 'OPEN' where code = 'BINANCE_SPOT'", "ck_markets_operator_status"],
    ["update markets set default_commission_rate = 1 where code = 'BINANCE_SPOT'", "ck_markets_commission_rate"],
    ["update data_providers set is_primary = true where code = 'BINANCE_SPOT_WS'", "uk_data_providers_primary"],
    ["update data_providers set priority = 101 where code = 'BINANCE_SPOT_WS'", "ck_data_providers_priority"],
    [
      "update data_providers set websocket_url = null where code = 'BINANCE_SPOT_WS'",
      "ck_data_providers_websocket_url",
    ],
    ["update data_providers set stale_after_ms = 0 where code = 'BINANCE_SPOT_WS'", "ck_data_providers_stale_after_ms"],
    ["update trading_sessions set day_of_week = 0", "ck_trading_sessions_day_of_week"],
    ["update trading_sessions set session_type = 'HALTED'", "ck_trading_sessions_session_type"],
    ["update market_holidays set open_time = '12:00', close_time = '11:00'", "ck_market_holidays_times"],
    ["update asset_classes set code = 'crypto' where code = 'CRYPTO'", "ck_asset_classes_code"],
    ["delete from markets where code = 'BINANCE_SPOT'", /fk_/],
    ["truncate symbols cascade", "truncate of symbols is refused: it would bypass the rules on its rows"],
    [
      "insert into symbol_quotes (symbol_id, price, sequence, provider_id, exchange_time, received_at) select id, 0, 1, 1, now(), now() from symbols limit 1",
      "ck_symbol_quotes_price",
    ],
    [
      "insert into symbol_quotes (symbol_id, price, bid, sequence, provider_id, exchange_time, received_at) select id, 1, 1, 1, 1, now(), now() from symbols limit 1",
      "ck_symbol_quotes_bid_pair",
    ],
    [
      "insert into symbol_quotes (symbol_id, price, low_24h, high_24h, sequence, provider_id, exchange_time, received_at) select id, 1, 2, 1, 1, 1, now(), now() from symbols limit 1",
      "ck_symbol_quotes_24h",
    ],
  ])("%s", async (statement, rule) => {
    const name = await refused(statement);
    if (rule instanceof RegExp) expect(name).toMatch(rule);
    else expect(name).toBe(rule);
  });
});

describe("nine default symbols", () => {
  test("fewer are refused at commit, by update and by delete", async () => {
    expect(await refused("update symbols set is_default = false where ticker = 'BNBUSDT'")).toBe(
      "ck_symbols_minimum_defaults",
    );
    expect(await refused("delete from symbols where ticker = 'BNBUSDT'")).toBe("ck_symbols_minimum_defaults");
  });

  test("one transaction may swap a default for another", async () => {
    await database.owner.sql.begin(async (tx) => {
      await tx`update symbols set is_default = false where ticker = 'BNBUSDT'`;
      await tx`update symbols set is_active = true, is_default = true where ticker = 'ADAUSDT'`;
    });
    await database.owner.sql.begin(async (tx) => {
      await tx`update symbols set is_default = true where ticker = 'BNBUSDT'`;
      await tx`update symbols set is_default = false, is_active = false where ticker = 'ADAUSDT'`;
    });
  });

  test("race: two transactions that each take the tenth away; one of them fails", async () => {
    await run("update symbols set is_active = true, is_default = true where ticker = 'ADAUSDT'");
    const take = (ticker: string) => refused(`update symbols set is_default = false where ticker = '${ticker}'`);
    for (let round = 0; round < 10; round++) {
      const outcomes = await Promise.all([take("ADAUSDT"), take("BNBUSDT")]);
      expect(new Set(outcomes)).toEqual(new Set(["ck_symbols_minimum_defaults", undefined]));
      await run("update symbols set is_default = true where ticker in ('ADAUSDT', 'BNBUSDT')");
    }
    await run("update symbols set is_default = false, is_active = false where ticker = 'ADAUSDT'");
  });
});

describe("the application role", () => {
  const asApp = (statement: string) =>
    database.app.sql.unsafe(statement).then(
      () => "allowed",
      (error: { code: string }) => error.code,
    );
  const insufficientPrivilege = "42501";

  test("owns nothing, deletes nothing, and changes no reference data but what operators may", async () => {
    expect(await asApp("select count(*) from symbols")).toBe("allowed");
    expect(await asApp("update symbols set is_popular = is_popular")).toBe("allowed");
    for (const statement of [
      "delete from symbols where ticker = 'ADAUSDT'",
      "truncate symbols cascade",
      "insert into markets default values",
      "update asset_classes set name = 'x'",
      "delete from symbol_quotes",
      "drop table symbols",
      "alter table symbols disable trigger all",
      "create table mine (id int)",
    ]) {
      expect([statement, await asApp(statement)]).toEqual([statement, insufficientPrivilege]);
    }
    const [owned] = await database.owner.sql`
      select count(*)::int as tables from pg_class c join pg_roles r on r.oid = c.relowner where r.rolname like 'tradegraph\\_%'`;
    expect(owned?.tables).toBe(0);
  });
});

test("updated_at follows a change, and only a change", async () => {
  const read = async () =>
    (await run("select updated_at from symbols where ticker = 'ETHUSDT'"))[0]?.updated_at as string;
  const before = await read();
  await run("update symbols set is_popular = is_popular where ticker = 'ETHUSDT'");
  expect(await read()).toBe(before);
  await run("update symbols set display_order = display_order + 1 where ticker = 'ETHUSDT'");
  expect(await read()).not.toBe(before);
});
