import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newUser, startTestLedger, type TestLedger } from "../../test/support/trading.js";
import { Decimal, decimalText } from "../core/decimal.js";
import { asUserAtOnce } from "../db/as-user.js";
import { balancesOf } from "./accounts.js";
import type { AskedOrder, OrderDesk } from "./order-desk.js";

let on: TestLedger;
let userId: string;
beforeAll(async () => {
  on = await startTestLedger();
});
afterAll(() => on.close());

const nth = (desks: readonly OrderDesk[], n: number) => desks[n % desks.length] as OrderDesk;
const d = (text: string) => new Decimal(text);

/** With 10,000 USDT and one BTC, of a new user. */
async function newAccount(balances?: Record<string, string>) {
  userId = await newUser(on.database);
  return (await on.account(userId, balances)).id;
}

const purchase = (accountId: string, more: Partial<AskedOrder> = {}): AskedOrder => ({
  accountId,
  symbolId: on.symbol.id,
  side: "BUY",
  orderType: "LIMIT",
  quantity: d("1"),
  price: d("100"),
  ...more,
});

async function balances(accountId: string) {
  const found = await balancesOf(on.database.app, userId, [accountId]);
  return Object.fromEntries(
    (found.get(accountId) ?? []).map((b) => [b.asset, [decimalText(b.available), decimalText(b.locked)]]),
  );
}

async function count(table: string, accountId: string): Promise<number> {
  const [rows] = await asUserAtOnce(on.database.app, userId, (sql) => [
    sql.unsafe(`select 1 from ${table} where account_id = $1`, [accountId]),
  ]);
  return rows.length;
}

describe("placing", () => {
  test("locks what the order needs, and cancelling frees exactly that", async () => {
    const accountId = await newAccount();
    const { order } = await on.desk.place(userId, purchase(accountId, { price: d("99.99"), quantity: d("0.333") }));
    expect(order).toMatchObject({ status: "NEW", version: 2 });
    const fee = on.markets.symbol(on.symbol.id).takerFee;
    const locked = d("99.99").times("0.333").times(fee.plus(1));
    expect(await balances(accountId)).toEqual({
      BTC: ["1", "0"],
      USDT: [d("10000").minus(locked).toFixed(), locked.toFixed()],
    });
    const cancelled = await on.desk.cancel(userId, accountId, order.id);
    expect(cancelled.order).toMatchObject({ status: "CANCELLED", version: 4 });
    expect(await balances(accountId)).toEqual({ BTC: ["1", "0"], USDT: ["10000", "0"] });
    await expect(on.desk.cancel(userId, accountId, order.id)).rejects.toMatchObject({ code: "ORDER_NOT_OPEN" });
  });

  test("what there is no money for is refused, and nothing is changed", async () => {
    const accountId = await newAccount();
    await expect(on.desk.place(userId, purchase(accountId, { quantity: d("100") }))).rejects.toMatchObject({
      code: "INSUFFICIENT_BALANCE",
    });
    expect(await balances(accountId)).toEqual({ BTC: ["1", "0"], USDT: ["10000", "0"] });
    expect([await count("orders", accountId), await count("event_store", accountId)]).toEqual([0, 1]);
  });

  test("the account of somebody else is not there", async () => {
    const accountId = await newAccount();
    const stranger = await newUser(on.database);
    await expect(on.desk.place(stranger, purchase(accountId))).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("a node that stood still with the account's lock has changed nothing, and its successor need not wait for it", async () => {
    const accountId = await newAccount();
    const standStill = (): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4_500);
    const late = on.ledger.change(userId, { accountId }, standStill);
    await expect(late).rejects.toMatchObject({ code: "PROVIDER_UNAVAILABLE" });
    const { order } = await on.node().place(userId, purchase(accountId));
    expect(order.status).toBe("NEW");
    expect(await count("orders", accountId)).toBe(1);
  });

  test("the same key with the same content gives the first order, with other content a conflict", async () => {
    const accountId = await newAccount();
    const first = await on.desk.place(userId, purchase(accountId, { clientOrderId: "k" }));
    const again = await on.desk.place(userId, purchase(accountId, { clientOrderId: "k", quantity: d("1.0") }));
    expect(again.order.id).toBe(first.order.id);
    await expect(
      on.desk.place(userId, purchase(accountId, { clientOrderId: "k", quantity: d("2") })),
    ).rejects.toMatchObject({ code: "IDEMPOTENCY_CONFLICT" });
    expect(await count("orders", accountId)).toBe(1);
  });

  test("race: one key from several nodes at once, with the same content", async () => {
    const accountId = await newAccount();
    const desks = Array.from({ length: 4 }, () => on.node());
    const placed = await Promise.all(
      Array.from({ length: 16 }, (_, n) => nth(desks, n).place(userId, purchase(accountId, { clientOrderId: "once" }))),
    );
    expect(new Set(placed.map((kept) => kept.order.id)).size).toBe(1);
    expect(await count("orders", accountId)).toBe(1);
  });

  test("race: one key from several nodes at once, with other content", async () => {
    const accountId = await newAccount();
    const desks = Array.from({ length: 4 }, () => on.node());
    const outcomes = await Promise.allSettled(
      Array.from({ length: 12 }, (_, n) =>
        nth(desks, n).place(userId, purchase(accountId, { clientOrderId: "once", quantity: d(String(n + 1)) })),
      ),
    );
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const outcome of outcomes)
      if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "IDEMPOTENCY_CONFLICT" });
    expect(await count("orders", accountId)).toBe(1);
  });

  test("race: 64 clients on one balance never overspend, and spend all of it", async () => {
    const accountId = await newAccount({ USDT: "1000" });
    const desks = Array.from({ length: 4 }, () => on.node());
    const outcomes = await Promise.allSettled(
      Array.from({ length: 64 }, (_, n) =>
        nth(desks, n).place(userId, purchase(accountId, { quantity: d("0.5"), price: d("100") })),
      ),
    );
    const fee = on.markets.symbol(on.symbol.id).takerFee;
    const each = d("50").times(fee.plus(1));
    const affordable = d("1000").div(each).floor().toNumber();
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(affordable);
    for (const outcome of outcomes)
      if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "INSUFFICIENT_BALANCE" });
    const locked = each.times(affordable);
    expect(await balances(accountId)).toEqual({ USDT: [d("1000").minus(locked).toFixed(), locked.toFixed()] });
  });
});

describe("fills", () => {
  const fill = (id: string, price: string, quantity: string, commission = "0") => ({
    exchangeFillId: id,
    price: d(price),
    quantity: d(quantity),
    commission: d(commission),
    commissionAsset: "USDT",
    isMaker: true,
    filledAt: new Date(on.clock.nowMs()),
  });
  const report = (accountId: string, orderId: string, one: ReturnType<typeof fill>) =>
    on.ledger.change(userId, { accountId, orderIds: [orderId], exchangeFillIds: [one.exchangeFillId] }, (draft) =>
      draft.apply(orderId, { kind: "filled", at: draft.now, fill: one }),
    );

  test("a fill is booked once, however often and from wherever it is reported", async () => {
    const accountId = await newAccount();
    const { order } = await on.desk.place(userId, purchase(accountId, { quantity: d("3") }));
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, () => report(accountId, order.id, fill("f1", "99.5", "1", "0.1"))),
    );
    expect(outcomes.filter(({ result }) => result.kind === "changed")).toHaveLength(1);
    await report(accountId, order.id, fill("f2", "100", "2", "0.2"));
    expect(await balances(accountId)).toEqual({ BTC: ["4", "0"], USDT: ["9700.2", "0"] });
    expect(await count("order_fills", accountId)).toBe(2);
    const [rows] = await asUserAtOnce(on.database.app, userId, (sql) => [
      sql`select status, filled_quantity, avg_fill_price, commissions, filled_at is not null as has_time from orders where id = ${order.id}`,
    ]);
    expect(rows[0]).toMatchObject({
      status: "FILLED",
      avg_fill_price: "99.833333333333333333",
      commissions: [{ asset: "USDT", amount: "0.3" }],
      has_time: true,
    });
  });

  test("more than was ordered is refused, and changes nothing", async () => {
    const accountId = await newAccount();
    const { order } = await on.desk.place(userId, purchase(accountId));
    const { result } = await report(accountId, order.id, fill("f1", "100", "2"));
    expect(result).toMatchObject({ kind: "refused", code: "OVERFILL" });
    expect(await count("order_fills", accountId)).toBe(0);
  });

  /** A purchase of ten with a stop-loss, six of them filled, and so many of those sold. */
  async function soldOf(sold: string) {
    const accountId = await newAccount({ USDT: "10000" });
    const terms = { price: d("99"), quantity: d("10"), stopLoss: d("90") };
    const { order } = await on.desk.place(userId, purchase(accountId, terms));
    await report(accountId, order.id, fill("f1", "99", "6"));
    const sale = { side: "SELL", orderType: "MARKET", price: null, quantity: d(sold) } as const;
    const { order: sell } = await on.desk.place(userId, purchase(accountId, sale));
    await report(accountId, sell.id, fill("f2", "100", sold));
    return { accountId, order };
  }
  const legsOf = async (accountId: string) =>
    (
      await on.database.owner.sql<{ quantity: string }[]>`
        select trim_scale(quantity)::text as quantity from orders where account_id = ${accountId} and parent_order_id is not null`
    ).map(({ quantity }) => quantity);

  test.each([
    ["5", ["1"], ["0", "1"]],
    ["6", [], ["0", "0"]],
  ])("an order is cancelled though %s of what it would protect is sold", async (sold, legs, btc) => {
    const { accountId, order } = await soldOf(sold);
    const cancelled = await on.desk.cancel(userId, accountId, order.id);
    expect(cancelled.order.status).toBe("CANCELLED");
    expect(await legsOf(accountId)).toEqual(legs);
    expect((await balances(accountId)).BTC).toEqual(btc);
  });

  test("the last fill of an order is booked though a part of what it would protect is sold", async () => {
    const { accountId, order } = await soldOf("5");
    const { result } = await report(accountId, order.id, fill("f3", "99", "4"));
    expect(result).toMatchObject({ kind: "changed", order: { status: "FILLED" } });
    expect(await legsOf(accountId)).toEqual(["5"]);
    expect((await balances(accountId)).BTC).toEqual(["0", "5"]);
  });

  test("an account that ends cancels its orders, and protects nothing any more", async () => {
    const { accountId, order } = await soldOf("5");
    const ended = await on.desk.endAccount(userId, accountId);
    expect(ended).toMatchObject({ id: accountId, status: "INACTIVE" });
    const orders = await on.database.owner.sql`
      select id, status from orders where account_id = ${accountId} and side = 'BUY' or parent_order_id = ${order.id}`;
    expect([...orders]).toEqual([{ id: order.id, status: "CANCELLED" }]);
    expect((await balances(accountId)).BTC).toEqual(["1", "0"]);
  });

  test("replacing reserves for the dearer terms, and not below what is filled", async () => {
    const accountId = await newAccount();
    const { order } = await on.desk.place(userId, purchase(accountId, { quantity: d("3") }));
    await report(accountId, order.id, fill("f1", "100", "1"));
    const { order: replaced } = await on.desk.replace(userId, accountId, order.id, {
      quantity: d("2"),
      price: d("90"),
    });
    expect(replaced).toMatchObject({ status: "PARTIALLY_FILLED" });
    expect([replaced.quantity.toFixed(), replaced.price?.toFixed()]).toEqual(["2", "90"]);
    const fee = on.markets.symbol(on.symbol.id).takerFee;
    expect((await balances(accountId)).USDT?.[1]).toBe(d("90").times(fee.plus(1)).toFixed());
    await expect(on.desk.replace(userId, accountId, order.id, { quantity: d("1") })).rejects.toMatchObject({
      code: "QUANTITY_OUT_OF_RANGE",
    });
  });
});
