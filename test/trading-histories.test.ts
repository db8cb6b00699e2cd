import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Decimal, decimalText } from "../src/core/decimal.js";
import { DomainError } from "../src/core/errors.js";
import { validate } from "../src/jobs/validate.js";
import { setInactive } from "../src/trading/accounts.js";
import type { OrderDesk } from "../src/trading/order-desk.js";
import { rebuild } from "../src/trading/rebuild.js";
import { newUser, setQuote, startPaper, startTestLedger, type TestLedger } from "./support/trading.js";
import { until } from "./support/until.js";

let on: TestLedger;
let paper: Awaited<ReturnType<typeof startPaper>>;
let symbols: { readonly spot: number; readonly futures: number };

beforeAll(async () => {
  on = await startTestLedger();
  const futures = on.catalogue.symbolByTicker("BINANCE_FUTURES", "BTCUSDT");
  symbols = { spot: on.symbol.id, futures: futures?.id ?? 0 };
  paper = await startPaper(on);
});
afterAll(async () => {
  await paper.close();
  await on.close();
});
beforeEach(() => {
  for (const id of Object.values(symbols)) setQuote(on.quotes, id, "100", on.clock);
});

const d = (value: string | number) => new Decimal(value);
const tenths = (min: number, max: number) => fc.integer({ min, max }).map((n) => d(n).div(10));

/** What clients and the market do, each without knowing what the others do. */
const action = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("place" as const),
      market: fc.constantFrom("spot" as const, "futures" as const),
      side: fc.constantFrom("BUY" as const, "SELL" as const),
      type: fc.constantFrom(
        "MARKET",
        "LIMIT",
        "LIMIT",
        "LIMIT_MAKER",
        "STOP_MARKET",
        "TAKE_PROFIT",
        "STOP_LIMIT",
        "TRAILING_STOP",
      ) as fc.Arbitrary<
        "MARKET" | "LIMIT" | "LIMIT_MAKER" | "STOP_MARKET" | "TAKE_PROFIT" | "STOP_LIMIT" | "TRAILING_STOP"
      >,
      quantity: tenths(1, 40),
      offset: fc.integer({ min: -8, max: 8 }),
      leverage: fc.constantFrom(1, 5, 20),
      timeInForce: fc.constantFrom("GTC" as const, "IOC" as const, "FOK" as const),
      isProtected: fc.boolean(),
      reduceOnly: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("cancel" as const), pick: fc.nat(100) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("replace" as const),
      pick: fc.nat(100),
      quantity: tenths(1, 40),
      offset: fc.integer({ min: -8, max: 8 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("quote" as const),
      market: fc.constantFrom("spot" as const, "futures" as const),
      price: fc.integer({ min: 80, max: 125 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("close" as const) }) },
  // In hundredths of a per cent.
  { weight: 1, arbitrary: fc.record({ do: fc.constant("funding" as const), rate: fc.integer({ min: -50, max: 50 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("cancelAll" as const) }) },
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

class Trader {
  readonly orders: string[] = [];
  constructor(
    readonly userId: string,
    readonly accountId: string,
    private readonly desks: readonly OrderDesk[],
    private readonly positionMode: "ONE_WAY" | "HEDGE",
  ) {}

  /** What is refused is refused with a code; everything else is a fault. */
  async perform(one: Action, n: number): Promise<void> {
    const desk = this.desks[n % this.desks.length] as OrderDesk;
    try {
      await this.#do(desk, one);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
    }
  }

  async #do(desk: OrderDesk, one: Action): Promise<void> {
    const { userId, accountId } = this;
    const pick = (at: number) => this.orders[at % Math.max(1, this.orders.length)];
    switch (one.do) {
      case "quote":
        return setQuote(on.quotes, symbols[one.market], String(one.price), on.clock);
      case "funding": {
        const nowMs = on.clock.nowMs();
        return paper.venue.onFundingRate({
          kind: "fundingRate",
          symbolId: symbols.futures,
          rate: decimalText(d(one.rate).div(10_000)),
          fundingTimeMs: nowMs,
          nextFundingTimeMs: null,
          markPrice: null,
          indexPrice: null,
          exchangeTimeMs: nowMs,
          receivedAtMs: nowMs,
        });
      }
      case "cancelAll":
        await desk.cancelAll(userId, accountId, null);
        return;
      case "cancel": {
        const id = pick(one.pick);
        if (id !== undefined) await desk.cancel(userId, accountId, id);
        return;
      }
      case "replace": {
        const id = pick(one.pick);
        if (id !== undefined)
          await desk.replace(userId, accountId, id, { quantity: one.quantity, price: d(100 + one.offset) });
        return;
      }
      case "close": {
        const [position] = await on.database.owner.sql<{ id: string }[]>`
          select id from positions where account_id = ${accountId} and status = 'OPEN' limit 1`;
        if (position !== undefined) await desk.closePosition(userId, accountId, position.id);
        return;
      }
      case "place": {
        const price = d(100 + one.offset);
        const isLimit = one.type.includes("LIMIT");
        const isStop = one.type.startsWith("STOP") || one.type === "TAKE_PROFIT";
        const isFutures = one.market === "futures";
        const { order } = await desk.place(userId, {
          accountId,
          symbolId: symbols[one.market],
          side: one.side,
          orderType: one.type,
          quantity: one.quantity,
          price: isLimit ? price : null,
          stopPrice: isStop ? price : null,
          callbackRate: one.type === "TRAILING_STOP" ? d(2) : null,
          timeInForce: one.type === "LIMIT" ? one.timeInForce : null,
          leverage: isFutures ? one.leverage : 1,
          // Isolated ones are liquidated by what happens here; cross ones have the whole account behind them.
          marginMode: isFutures && this.positionMode === "HEDGE" ? "ISOLATED" : "CROSS",
          // In hedge mode a purchase opens the long one, or reduces the short one.
          positionSide:
            isFutures && this.positionMode === "HEDGE"
              ? (one.side === "BUY") === !one.reduceOnly
                ? "LONG"
                : "SHORT"
              : "BOTH",
          reduceOnly: isFutures && one.reduceOnly,
          stopLoss: one.isProtected && !one.reduceOnly ? d(one.side === "BUY" ? 85 : 115) : null,
          takeProfit: one.isProtected && !one.reduceOnly ? d(one.side === "BUY" ? 115 : 85) : null,
        });
        this.orders.push(order.id);
      }
    }
  }
}

async function newTrader(desks: readonly OrderDesk[], positionMode: "ONE_WAY" | "HEDGE" = "ONE_WAY"): Promise<Trader> {
  const userId = await newUser(on.database);
  const { id } = await on.account(userId, { USDT: "3000", BTC: "10" }, { positionMode });
  return new Trader(userId, id, desks, positionMode);
}

/** Nothing waits for the venue any more. */
async function settled(): Promise<void> {
  paper.venue.look();
  await until(async () => {
    if (!paper.venue.isIdle) return false;
    const [row] = await on.database.owner.sql<
      { waiting: number }[]
    >`select count(*)::int as waiting from waiting_paper_accounts()`;
    return row?.waiting === 0;
  }, 20_000);
}

/** Everything that must hold, whatever has happened. */
async function requireSound(traders: readonly Trader[]): Promise<void> {
  const wrong = (await validate(on.database.owner)).filter(
    ({ name, passed }) => !passed && /ledger|locked|order-|account-seq|missing/.test(name),
  );
  expect(wrong).toEqual([]);
  expect((await rebuild(on.database.owner, false)).differences).toEqual([]);
  for (const { accountId } of traders) {
    const { sql } = on.database.owner;
    // Money is conserved: what came in, less what was paid for, is what is there.
    const [spot] = await sql`
      select 10 + coalesce(sum(case o.side when 'BUY' then f.quantity else -f.quantity end), 0) =
        (select available + locked from account_balances where account_id = ${accountId} and asset = 'BTC') as is_conserved
      from order_fills f join orders o on o.id = f.order_id where f.account_id = ${accountId} and f.symbol_id = ${symbols.spot}`;
    expect(spot?.is_conserved).toBe(true);
    const [futures] = await sql`
      select (select coalesce(sum(case o.side when 'BUY' then f.quantity else -f.quantity end), 0)
          from order_fills f join orders o on o.id = f.order_id where f.account_id = ${accountId} and f.symbol_id = ${symbols.futures})
        + (select coalesce(sum(case e.data ->> 'side' when 'LONG' then -(e.data ->> 'quantity')::numeric else (e.data ->> 'quantity')::numeric end), 0)
          from event_store e where e.account_id = ${accountId} and e.event_type = 'liquidation')
        = (select coalesce(sum(case side when 'LONG' then quantity else -quantity end), 0)
          from positions where account_id = ${accountId} and symbol_id = ${symbols.futures}) as is_sum_of_fills`;
    expect(futures?.is_sum_of_fills).toBe(true);
    const [cash] = await sql`
      select 3000
        + coalesce((select sum(case o.side when 'BUY' then -trunc(f.price * f.quantity, 18) else trunc(f.price * f.quantity, 18) end)
            from order_fills f join orders o on o.id = f.order_id where f.account_id = ${accountId} and f.symbol_id = ${symbols.spot}), 0)
        - coalesce((select sum(commission) from order_fills where account_id = ${accountId}), 0)
        + coalesce((select sum(realized_pnl) from positions where account_id = ${accountId}), 0)
        - coalesce((select sum((data ->> 'commission')::numeric) from event_store where account_id = ${accountId} and event_type = 'liquidation'), 0)
        + coalesce((select sum(available_change + locked_change) from ledger_entries where account_id = ${accountId} and reason = 'ADJUSTMENT'), 0)
        + coalesce((select sum((data ->> 'amount')::numeric) from event_store where account_id = ${accountId} and event_type = 'funding'), 0)
        - (select available + locked from account_balances where account_id = ${accountId} and asset = 'USDT') as missing`;
    expect(Number(cash?.missing)).toBe(0);
  }
}

describe("whatever clients and the market do", () => {
  test("balances are the sum of the ledger, orders of their fills, and the events make the tables again", async () => {
    const others = [on.node(paper.venue), on.node({ takes: () => true, react() {}, send: () => paper.venue.look() })];
    await fc.assert(
      fc.asyncProperty(
        fc.array(action, { minLength: 20, maxLength: 60 }),
        fc.integer({ min: 1, max: 8 }),
        async (actions, clients) => {
          for (const id of Object.values(symbols)) setQuote(on.quotes, id, "100", on.clock);
          const traders = [await newTrader([paper.desk, ...others]), await newTrader([paper.desk], "HEDGE")];
          for (let at = 0; at < actions.length; at += clients) {
            await Promise.all(
              actions
                .slice(at, at + clients)
                .map((one, n) => (traders[(at + n) % 3 === 0 ? 1 : 0] as Trader).perform(one, at + n)),
            );
          }
          await settled();
          await requireSound(traders);
        },
      ),
      { numRuns: Number(process.env.HISTORY_RUNS ?? 12), endOnFailure: true },
    );
    // What no history has reached proves nothing. Funding and liquidations are rarer than that all runs have them.
    const { sql } = on.database.owner;
    const reached = await sql<{ what: string }[]>`
      select distinct event_type as what from event_store union select distinct 'fill of ' || position_side from orders where filled_quantity > 0`;
    expect(reached.map(({ what }) => what)).toEqual(expect.arrayContaining(["placed", "filled", "cancelled"]));
  }, 300_000);

  test("after a restart of the venue open orders go on", async () => {
    const trader = await newTrader([paper.desk]);
    const place = { accountId: trader.accountId, symbolId: symbols.spot, side: "BUY" as const, quantity: d(1) };
    const { order: limit } = await paper.desk.place(trader.userId, { ...place, orderType: "LIMIT", price: d(90) });
    const { order: stop } = await paper.desk.place(trader.userId, {
      ...place,
      orderType: "STOP_MARKET",
      stopPrice: d(110),
    });
    expect([limit.status, stop.status]).toEqual(["NEW", "NEW"]);
    // Of an account that was ended by a process that came no further.
    const ended = await newTrader([paper.desk]);
    const { order: left } = await paper.desk.place(ended.userId, {
      ...place,
      accountId: ended.accountId,
      orderType: "LIMIT",
      price: d(90),
    });
    await setInactive(on.database.app, ended.userId, ended.accountId);
    await paper.close();
    const { order: between } = await on
      .node({ takes: () => true, react() {}, send() {} })
      .place(trader.userId, { ...place, orderType: "MARKET" });
    expect(between.status).toBe("PENDING");
    paper = await startPaper(on);
    const status = async (id: string) =>
      (await on.database.owner.sql`select status from orders where id = ${id}`)[0]?.status;
    await until(async () => (await status(between.id)) === "FILLED" && (await status(left.id)) === "CANCELLED");
    setQuote(on.quotes, symbols.spot, "89", on.clock);
    await until(async () => (await status(limit.id)) === "FILLED");
    setQuote(on.quotes, symbols.spot, "111", on.clock);
    await until(async () => (await status(stop.id)) === "FILLED");
    await requireSound([]);
  });

  test("an account that cannot be booked stops no other, and nothing of it is lost", async () => {
    const [faulty, refused, other] = [await newTrader([]), await newTrader([]), await newTrader([])];
    const purchase = async ({ userId, accountId }: Trader, price: number | null) =>
      (
        await paper.desk.place(userId, {
          accountId,
          symbolId: symbols.spot,
          side: "BUY",
          orderType: price === null ? "MARKET" : "LIMIT",
          quantity: d(1),
          price: price === null ? null : d(price),
        })
      ).order;
    const { sql } = on.database.owner;
    const orderOf = async (id: string) =>
      (await sql`select status, filled_quantity::float8 as filled from orders where id = ${id}`)[0];
    const lock = ({ accountId }: Trader, change: number) =>
      sql`update account_balances set locked = locked + ${change} where account_id = ${accountId} and asset = 'USDT'`;
    const [resting, cancelled] = [await purchase(faulty, 95), await purchase(refused, 80)];
    const crossed = await purchase(other, 95);
    // Less than orders hold: what these two accounts are to pay or to get back cannot be booked.
    for (const trader of [faulty, refused]) await lock(trader, -50);

    await expect(paper.desk.cancel(refused.userId, refused.accountId, cancelled.id)).rejects.toThrow();
    expect((await purchase(other, null)).status).toBe("FILLED");
    setQuote(on.quotes, symbols.spot, "94", on.clock);
    await until(async () => (await orderOf(crossed.id))?.status === "FILLED" && paper.venue.isIdle);
    expect((await purchase(other, null)).status).toBe("FILLED");
    expect(await orderOf(resting.id)).toEqual({ status: "NEW", filled: 0 });
    const waiting = await purchase(faulty, 50);
    expect(waiting.status).toBe("PENDING");

    for (const trader of [faulty, refused]) await lock(trader, 50);
    await until(
      async () => (await orderOf(resting.id))?.status === "FILLED" && (await orderOf(waiting.id))?.status === "NEW",
    );
    expect(await orderOf(resting.id)).toEqual({ status: "FILLED", filled: 1 });
    await until(
      async () =>
        (await paper.desk.cancel(refused.userId, refused.accountId, cancelled.id)).order.status === "CANCELLED",
    );
    await requireSound([faulty, refused, other]);
  });

  test("what differs from the events is found, and put right", async () => {
    const trader = await newTrader([paper.desk]);
    const { order } = await paper.desk.place(trader.userId, {
      accountId: trader.accountId,
      symbolId: symbols.spot,
      side: "BUY",
      orderType: "LIMIT",
      quantity: d(1),
      price: d(90),
    });
    const { sql } = on.database.owner;
    await sql`update orders set reserved = reserved + 1 where id = ${order.id}`;
    await sql`update account_balances set available = available + 5 where account_id = ${trader.accountId} and asset = 'USDT'`;
    const failed = (await validate(on.database.owner)).filter(({ passed }) => !passed).map(({ name }) => name);
    expect(failed).toEqual(expect.arrayContaining(["ledger-balances", "locked-balances"]));
    const { differences } = await rebuild(on.database.owner, true);
    expect(differences).toHaveLength(2);
    await requireSound([trader]);
  });
});
