import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newUser, startTestLedger, type TestLedger } from "../../test/support/trading.js";
import { uuidV7 } from "../core/uuid.js";
import { asUser, asUserAtOnce } from "../db/as-user.js";

let on: TestLedger;
let userId: string;
let accountId: string;

beforeAll(async () => {
  on = await startTestLedger();
  userId = await newUser(on.database);
  accountId = (await on.account(userId)).id;
});
afterAll(() => on.close());

const newId = () => uuidV7(Date.now());

/** A row that keeps every rule, but for what is given. */
async function insertOrder(more: Readonly<Record<string, unknown>>): Promise<void> {
  const row: Record<string, unknown> = {
    id: newId(),
    user_id: userId,
    account_id: accountId,
    symbol_id: on.symbol.id,
    client_order_id: newId(),
    side: "BUY",
    position_side: "BOTH",
    order_type: "LIMIT",
    status: "NEW",
    time_in_force: "GTC",
    quantity: "2",
    price: "100",
    leverage: 1,
    margin_mode: "CROSS",
    reduce_only: false,
    post_only: false,
    is_unconfirmed: false,
    filled_quantity: "0",
    filled_quote: "0",
    commissions: [],
    reserved: "0",
    venue_state: {},
    content_hash: "x",
    version: 1,
    sequence: 1,
    created_at: "2026-11-21T10:00:00Z",
    updated_at: "2026-11-21T10:00:00Z",
    ...more,
  };
  const json = JSON.stringify({ orders: [row] });
  await asUserAtOnce(on.database.app, userId, (sql) => [sql`select write_ledger(${json}::text::jsonb)`]);
}

const filled = { filled_quantity: "1", filled_quote: "100", avg_fill_price: "100" };

describe("orders", () => {
  test("an order that keeps the rules is taken", async () => {
    await insertOrder({});
    await insertOrder({ ...filled, status: "PARTIALLY_FILLED" });
  });

  test.each([
    ["a quantity of nothing", { quantity: "0" }, "ck_orders_quantity"],
    [
      "more filled than ordered",
      { filled_quantity: "3", filled_quote: "1", avg_fill_price: "1" },
      "ck_orders_filled_quantity",
    ],
    ["a limit without its price", { price: null }, "ck_orders_price"],
    [
      "a take-profit limit without its price",
      { order_type: "TAKE_PROFIT_LIMIT", stop_price: "1", price: null },
      "ck_orders_price",
    ],
    ["a limit maker without its price", { order_type: "LIMIT_MAKER", price: null }, "ck_orders_price"],
    ["a market order with a price", { order_type: "MARKET" }, "ck_orders_price"],
    ["a stop without its stop price", { order_type: "STOP_MARKET", price: null }, "ck_orders_stop_price"],
    ["a limit with a stop price", { stop_price: "1" }, "ck_orders_stop_price"],
    ["a trailing stop without its rate", { order_type: "TRAILING_STOP", price: null }, "ck_orders_callback_rate"],
    ["a leverage of 126", { leverage: 126 }, "ck_orders_leverage"],
    ["an iceberg larger than the order", { iceberg_quantity: "3" }, "ck_orders_iceberg_quantity"],
    [
      "partly filled with the time of the last fill",
      { ...filled, status: "PARTIALLY_FILLED", filled_at: "2026-11-21T10:00:00Z" },
      "ck_orders_filled_at",
    ],
    [
      "filled without its time",
      { status: "FILLED", filled_quantity: "2", filled_quote: "200", avg_fill_price: "100" },
      "ck_orders_filled_at",
    ],
    [
      "filled in part and called filled",
      { ...filled, status: "FILLED", filled_at: "2026-11-21T10:00:00Z" },
      "ck_orders_status",
    ],
    ["cancelled without its time", { status: "CANCELLED" }, "ck_orders_cancelled_at"],
    ["less than nothing reserved", { reserved: "-1", reserved_asset: "USDT" }, "ck_orders_reserved"],
    ["an account of somebody else", { user_id: newId() }, undefined],
  ])("%s is refused", async (_, more, constraint) => {
    await expect(insertOrder(more)).rejects.toMatchObject(
      constraint === undefined ? { code: "42501" } : { constraint_name: constraint },
    );
  });

  test("the same client order id twice is refused", async () => {
    await insertOrder({ client_order_id: "mine" });
    await expect(insertOrder({ client_order_id: "mine" })).rejects.toMatchObject({
      constraint_name: "uk_orders_account_id_client_order_id",
    });
  });

  test("what an order is never changes, what is filled stays filled, and what has ended stays ended", async () => {
    const id = newId();
    const first = { id, client_order_id: id, ...filled, status: "PARTIALLY_FILLED", version: 2 };
    await insertOrder(first);
    await expect(insertOrder({ ...first, filled_quantity: "0.5", version: 3 })).rejects.toMatchObject({
      constraint_name: "ck_orders_filled_grows",
    });
    await expect(insertOrder({ ...first, version: 1 })).rejects.toMatchObject({
      constraint_name: "ck_orders_version_grows",
    });
    await insertOrder({ ...first, version: 3, status: "CANCELLED", cancelled_at: "2026-11-21T10:00:00Z" });
    await expect(insertOrder({ ...first, version: 4 })).rejects.toMatchObject({ constraint_name: "ck_orders_final" });
    const { sql } = on.database.owner;
    await expect(sql`update orders set side = 'SELL' where id = ${id}`).rejects.toMatchObject({
      constraint_name: "ck_orders_identity",
    });
  });
});

describe("accounts", () => {
  test("race: of four accounts that are opened at once, three are opened", async () => {
    const other = await newUser(on.database);
    const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => on.account(other)));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
    for (const outcome of outcomes)
      if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "CONFLICT" });
    await on.account(other, {}, { exchange: "BYBIT" });
  });

  test("an account that has ended makes room for another, and cannot come back without it", async () => {
    const other = await newUser(on.database);
    const [first] = await Promise.all([on.account(other), on.account(other), on.account(other)]);
    const setStatus = (status: string) =>
      asUserAtOnce(on.database.app, other, (sql) => [
        sql`update accounts set status = ${status}::account_status_enum where id = ${first.id}`,
      ]);
    await setStatus("INACTIVE");
    await on.account(other);
    await expect(setStatus("ACTIVE")).rejects.toMatchObject({ constraint_name: "ck_accounts_three_active" });
  });

  test("a key that can take money away is refused", async () => {
    const { sql } = on.database.owner;
    await expect(
      sql`update accounts set permissions = '{READ,WITHDRAW}' where id = ${accountId}`,
    ).rejects.toMatchObject({
      constraint_name: "ck_accounts_permissions",
    });
  });
});

describe("balances and events", () => {
  const change = (json: object) =>
    asUserAtOnce(on.database.app, userId, (sql) => [sql`select write_ledger(${JSON.stringify(json)}::text::jsonb)`]);
  const entry = (more: object) => ({
    id: newId(),
    user_id: userId,
    account_id: accountId,
    account_sequence: 900,
    ordinal: 0,
    asset: "USDT",
    reason: "ADJUSTMENT",
    available_change: "1",
    locked_change: "0",
    occurred_at: "2026-11-21T10:00:00Z",
    ...more,
  });
  const event = (sequence: number, version: number) => ({
    id: newId(),
    user_id: userId,
    account_id: accountId,
    account_sequence: sequence,
    stream_type: "account",
    stream_id: accountId,
    version,
    event_type: "tested",
    data: {},
    occurred_at: "2026-11-21T10:00:00Z",
    recorded_at: "2026-11-21T10:00:00Z",
  });

  test("an entry moves its balance, exactly, and none is overdrawn", async () => {
    await change({ entries: [entry({ available_change: "0.000000000000000001" })] });
    const { sql } = on.database.owner;
    const [row] = await sql`select available from account_balances where account_id = ${accountId} and asset = 'USDT'`;
    expect(row?.available).toBe("10000.000000000000000001");
    await expect(
      change({ entries: [entry({ account_sequence: 901, available_change: "-10001" })] }),
    ).rejects.toMatchObject({
      constraint_name: "ck_account_balances_available",
    });
    await expect(
      change({ entries: [entry({ account_sequence: 902, asset: "ETH", available_change: "-1" })] }),
    ).rejects.toMatchObject({
      constraint_name: "ck_account_balances_available",
    });
  });

  test("the program cannot move a balance by itself", async () => {
    await expect(
      asUserAtOnce(on.database.app, userId, (sql) => [sql`update account_balances set available = available + 1`]),
    ).rejects.toMatchObject({ code: "42501" });
  });

  test.each(["order_fills", "ledger_entries", "event_store", "risk_violations"])("%s only grows", async (table) => {
    const { sql } = on.database.owner;
    if (table === "ledger_entries") await change({ entries: [entry({ account_sequence: 910 })] });
    await expect(sql.unsafe(`truncate ${table} cascade`)).rejects.toMatchObject({ code: "23514" });
    await expect(
      asUserAtOnce(on.database.app, userId, (tx) => [tx.unsafe(`delete from ${table}`)]),
    ).rejects.toMatchObject({ code: "42501" });
    if (table === "ledger_entries" || table === "event_store")
      await expect(sql.unsafe(`delete from ${table}`)).rejects.toMatchObject({ code: "23514" });
  });

  test("events have no gaps: neither in their stream nor in their account", async () => {
    const queue = (of: { id: string; account_sequence: number }) => ({
      event_id: of.id,
      user_id: userId,
      account_id: accountId,
      account_sequence: of.account_sequence,
      payload: {},
      created_at: "2026-11-21T10:00:00Z",
    });
    const write = (...events: ReturnType<typeof event>[]) => change({ events, queue: events.map(queue) });
    await write(event(2, 2));
    await expect(write(event(3, 4))).rejects.toMatchObject({ constraint_name: "ck_event_store_gapless" });
    await expect(write(event(5, 3))).rejects.toMatchObject({ constraint_name: "ck_event_store_account_sequence" });
    await expect(write(event(2, 3))).rejects.toMatchObject({
      constraint_name: "uk_event_store_account_id_account_sequence",
    });
    await expect(write(event(3, 2))).rejects.toMatchObject({ constraint_name: "uk_event_store_stream_id_version" });
    await write(event(3, 3), event(4, 4));
  });
});

test("nobody sees a row of somebody else's, and no row is seen without a user", async () => {
  const stranger = await newUser(on.database);
  const tables = [
    "accounts",
    "account_sequences",
    "account_balances",
    "ledger_entries",
    "orders",
    "order_fills",
    "positions",
    "risk_violations",
    "event_store",
    "event_queue",
  ];
  for (const table of tables) {
    const seen = async (id: string) =>
      asUser(
        on.database.app,
        id,
        async ({ sql }) =>
          (await sql.unsafe(`select 1 from ${table} where user_id <> $1 or $1 <> $2`, [id, userId])).length,
      );
    expect(await seen(stranger), table).toBe(0);
    expect(await on.database.app.sql.unsafe(`select 1 from ${table}`), table).toHaveLength(0);
  }
  await expect(on.database.app.sql`select 1 from balance_snapshots`).rejects.toMatchObject({ code: "42501" });
  const [row] = await on.database.app.sql`select take_balance_snapshots('2026-11-21T10:00:00Z') as taken`;
  expect(Number(row?.taken)).toBeGreaterThan(1);
  const view = (id: string) => asUserAtOnce(on.database.app, id, (sql) => [sql`select * from own_balance_snapshots`]);
  expect((await view(stranger))[0]).toHaveLength(0);
  expect((await view(userId))[0].length).toBeGreaterThan(1);
});
