import { pino } from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { newUser, setQuote, startTestLedger, type TestLedger } from "../../test/support/trading.js";
import { until } from "../../test/support/until.js";
import { Decimal } from "../core/decimal.js";
import { balancesOf } from "./accounts.js";
import { isOpen, type Order } from "./order.js";
import type { OrderReport } from "./order-event.js";
import { RealAccount } from "./real-account.js";
import type { VenueEvent } from "./venue.js";
import type { CcxtVenue } from "./venues/ccxt-venue.js";

let on: TestLedger;
let futuresId: number;
beforeAll(async () => {
  on = await startTestLedger();
  futuresId = on.catalogue.symbolByTicker("BINANCE_FUTURES", "BTCUSDT")?.id ?? 0;
  setQuote(on.quotes, futuresId, "50000");
});
afterAll(() => on.close());

const d = (text: string) => new Decimal(text);
const now = () => new Date(on.clock.nowMs());

/** An exchange that takes everything and tells what the test lets happen. */
class Exchange {
  readonly cancelled: string[] = [];
  /** So many requests to cancel are refused. */
  refusals = 0;
  tell: (event: VenueEvent) => Promise<void> = () => Promise.reject(new Error("nobody listens"));
  isWatched = false;

  constructor(private readonly balances: () => Promise<{ asset: string; available: Decimal; locked: Decimal }[]>) {}

  venue(): CcxtVenue {
    const answer = (...reports: OrderReport[]) => Promise.resolve({ kind: "answered", reports });
    return {
      place: ({ id }: Order) => answer({ kind: "accepted", at: now(), exchangeOrderId: id }),
      find: () => answer(),
      cancel: ({ id }: Order) => {
        if (this.refusals-- > 0) return answer({ kind: "cancelRefused", at: now(), reason: "too many requests" });
        this.cancelled.push(id);
        return answer({ kind: "cancelled", at: now(), reason: "asked for" });
      },
      watch: (_: string, listener: (event: VenueEvent) => Promise<void>) => {
        this.tell = listener;
        this.isWatched = true;
        return { close: () => Promise.resolve() };
      },
      balances: this.balances,
      positions: () => Promise.resolve(null),
      permissions: () => Promise.resolve(["READ", "TRADE"]),
      mayHaveMissed: () => Promise.resolve(false),
    } as unknown as CcxtVenue;
  }
}

const accounts: RealAccount[] = [];
afterEach(async () => {
  for (const account of accounts.splice(0)) await account.close();
});

describe("a stop-loss and a take-profit of the same fills", () => {
  /** A position with both of them, open at the exchange. */
  async function protectedPosition() {
    const userId = await newUser(on.database);
    const accountId = (await on.account(userId, { USDT: "100000" })).id;
    const exchange = new Exchange(async () => {
      const found = await balancesOf(on.database.app, userId, [accountId]);
      return (found.get(accountId) ?? []).map(({ asset, available, locked }) => ({
        asset,
        available: d(available),
        locked: d(locked),
      }));
    });
    const begin = (): RealAccount => {
      const account = new RealAccount({
        venue: exchange.venue(),
        accountId,
        userId,
        keysUpdatedAt: null,
        database: on.database.app,
        ledger: on.ledger,
        markets: on.markets,
        clock: on.clock,
        log: pino({ level: "silent" }),
        syncMs: 50,
        mayWork: () => Promise.resolve(true),
      });
      accounts.push(account);
      account.start();
      return account;
    };
    const { order } = await on.desk.place(userId, {
      accountId,
      symbolId: futuresId,
      side: "BUY",
      orderType: "LIMIT",
      quantity: d("0.1"),
      price: d("50000"),
      stopLoss: d("45000"),
      takeProfit: d("55000"),
    });
    const filled = ({ id, quantity }: Order, price: string): OrderReport => ({
      kind: "filled",
      at: now(),
      fill: {
        exchangeFillId: `fill of ${id}`,
        price: d(price),
        quantity,
        commission: d("0"),
        commissionAsset: null,
        isMaker: false,
        filledAt: now(),
      },
    });
    const legs = async (): Promise<[stop: Order, profit: Order]> => {
      const { result } = await on.ledger.change(userId, { accountId, orderIds: [order.id] }, (draft) =>
        [...draft.orders()].map((kept) => kept.order).filter(({ parentOrderId }) => parentOrderId === order.id),
      );
      return [
        result.find(({ orderType }) => orderType === "STOP_MARKET") as Order,
        result.find(({ orderType }) => orderType === "TAKE_PROFIT") as Order,
      ];
    };
    await on.ledger.change(userId, { accountId, orderIds: [order.id] }, (draft) => {
      draft.apply(order.id, filled(order, "50000"));
      for (const { order: leg } of Array.from(draft.orders()))
        if (leg.parentOrderId === order.id)
          draft.apply(leg.id, { kind: "accepted", at: now(), exchangeOrderId: leg.id });
    });
    expect((await legs()).map(({ status }) => status)).toEqual(["NEW", "NEW"]);
    return { userId, accountId, exchange, begin, filled, legs };
  }

  test("are one-cancels-other: when one is filled the other is cancelled, and asked again when that is refused", async () => {
    const { accountId, exchange, begin, filled, legs } = await protectedPosition();
    begin();
    await until(() => exchange.isWatched);
    const [stop, profit] = await legs();
    exchange.refusals = 2;
    const { clientOrderId } = profit;
    await exchange.tell({ kind: "order", accountId, clientOrderId, report: filled(profit, "55000") });
    await until(async () => (await legs()).every((leg) => !isOpen(leg)));
    expect((await legs()).map(({ status }) => status)).toEqual(["CANCELLED", "FILLED"]);
    expect(exchange.cancelled).toEqual([stop.id]);
  });

  test("stay as they are while none is reached", async () => {
    const { exchange, begin, legs } = await protectedPosition();
    begin();
    await until(() => exchange.isWatched);
    expect((await legs()).map(({ status }) => status)).toEqual(["NEW", "NEW"]);
    expect(exchange.cancelled).toEqual([]);
  });

  test("of which one was filled before the program began: the other is cancelled", async () => {
    const { userId, accountId, exchange, begin, filled, legs } = await protectedPosition();
    const [stop, profit] = await legs();
    await on.ledger.change(userId, { accountId, orderIds: [stop.id] }, (draft) =>
      draft.apply(stop.id, filled(stop, "44990")),
    );
    begin();
    await until(async () => (await legs()).every((leg) => !isOpen(leg)));
    expect(exchange.cancelled).toEqual([profit.id]);
  });
});
