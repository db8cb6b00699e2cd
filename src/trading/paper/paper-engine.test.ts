import { describe, expect, test } from "vitest";
import { at, d, futuresSymbol, newOrder, spotSymbol, viewOf } from "../../../test/support/orders.js";
import type { MarketView } from "../market-view.js";
import type { NewOrder, Order } from "../order.js";
import { orderFrom } from "../order-life.js";
import { openOrAdd, type Position } from "../position.js";
import type { TradingSymbol } from "../trading-symbol.js";
import type { VenueEvent } from "../venue.js";
import { PaperEngine } from "./paper-engine.js";

type Pairs = readonly (readonly [price: number, quantity: number])[];
const levels = (pairs: Pairs): MarketView["asks"] =>
  pairs.map(([price, quantity]) => ({ price: d(price), quantity: d(quantity) }));
const book = (price: number, bids: Pairs, asks: Pairs): MarketView => ({
  price: d(price),
  bids: levels(bids),
  asks: levels(asks),
  isStale: false,
});

/** One line an event: order, what happened, and at what price and quantity. */
function told(events: readonly VenueEvent[]): string[] {
  return events.map((event) => {
    if (event.kind === "gap") return "gap";
    if (event.kind === "funding") return `${event.side} funding ${event.amount.toFixed()}`;
    if (event.kind === "liquidation") {
      return `${event.side} liquidated ${event.quantity.toFixed()} at ${event.price.toFixed()} fee ${event.commission.toFixed()}`;
    }
    const { clientOrderId, report } = event;
    if (report.kind === "filled") {
      const { quantity, price, isMaker, commission } = report.fill;
      return `${clientOrderId} ${isMaker ? "maker" : "taker"} ${quantity.toFixed()} at ${price.toFixed()} fee ${commission.toFixed()}`;
    }
    if (report.kind === "rejected") return `${clientOrderId} rejected ${report.code}`;
    if (report.kind === "triggered") return `${clientOrderId} triggered at ${report.price.toFixed()}`;
    return `${clientOrderId} ${report.kind}${"reason" in report ? ` (${report.reason})` : ""}`;
  });
}

/** A market without positions, beside the one that is looked at. */
const otherSymbol = { ...spotSymbol, id: 9, makerFee: d(0), takerFee: d(0) };

function venue(symbol: TradingSymbol = { ...spotSymbol, makerFee: d(0), takerFee: d(0) }) {
  const symbolOf = (id: number) => (id === otherSymbol.id ? otherSymbol : symbol);
  const engine = new PaperEngine({ symbolOf, dayEndOf: () => at(1_000), rememberedOrders: 3 });
  let [nowMs, count] = [0, 0];
  const now = () => at(nowMs++);
  const orders = new Map<string, Order>();
  const born = (change: Partial<NewOrder>): Order => {
    const id = `o${++count}`;
    const order = orderFrom([{ kind: "placed", at: now(), order: newOrder({ id, clientOrderId: id, ...change }) }]);
    orders.set(order.id, order);
    return order;
  };
  const of = (id: string): Order => orders.get(id) ?? born({ id });
  return {
    engine,
    born,
    place: (change: Partial<NewOrder>) => told(engine.place(born(change), now())),
    again: (id: string) => told(engine.place(of(id), now())),
    cancel: (id: string) => told(engine.cancel(of(id), now())),
    replace: (id: string, quantity: number, price: number | null, stopPrice: number | null = null) =>
      told(
        engine.replace(
          of(id),
          {
            quantity: d(quantity),
            price: price === null ? null : d(price),
            stopPrice: stopPrice === null ? null : d(stopPrice),
          },
          now(),
        ),
      ),
    market: (view: MarketView, symbolId = 1) => told(engine.onMarket(symbolId, view, now())),
    tick: (ms: number) => told(engine.tick(at(ms))),
    funding: (rate: string, atMs: number, nowMs: number) =>
      told(engine.onFundingRate(1, d(rate), null, at(atMs), at(nowMs))),
  };
}

const market = { orderType: "MARKET", price: null } as const;
const sell = { side: "SELL" } as const;

describe("market orders", () => {
  test("walk the book level by level, and what is not on offer expires", () => {
    const paper = venue();
    paper.market(
      book(
        100,
        [[99, 5]],
        [
          [101, 1],
          [102, 0.5],
          [103, 0.2],
        ],
      ),
    );
    expect(paper.place({ ...market, quantity: d("1.6") })).toEqual([
      "o1 accepted",
      "o1 taker 1 at 101 fee 0",
      "o1 taker 0.5 at 102 fee 0",
      "o1 taker 0.1 at 103 fee 0",
    ]);
    expect(paper.place({ ...market, quantity: d(1) })).toEqual([
      "o2 accepted",
      "o2 taker 0.1 at 103 fee 0",
      "o2 expired (nothing more is on offer)",
    ]);
    expect(paper.place({ ...market, ...sell, quantity: d(1) })).toEqual(["o3 accepted", "o3 taker 1 at 99 fee 0"]);
  });

  test("each account meets the whole market", () => {
    const paper = venue();
    paper.market(book(100, [[99, 5]], [[101, 1]]));
    expect(paper.place({ ...market, quantity: d(1) })).toContain("o1 taker 1 at 101 fee 0");
    expect(paper.place({ ...market, quantity: d(1), accountId: "other" })).toContain("o2 taker 1 at 101 fee 0");
  });

  test("without a book are filled at the last price", () => {
    const paper = venue();
    paper.market(book(100, [], []));
    expect(paper.place({ ...market, quantity: d(50) })).toEqual(["o1 accepted", "o1 taker 50 at 100 fee 0"]);
  });

  test("never pay more than what is reserved for them", () => {
    const paper = venue();
    paper.market(
      book(
        100,
        [[99, 5]],
        [
          [101, 1],
          [110, 5],
        ],
      ),
    );
    expect(paper.place({ ...market, quantity: d(2), reservePrice: d(105) })).toEqual([
      "o1 accepted",
      "o1 taker 1 at 101 fee 0",
      "o1 expired (nothing more is on offer)",
    ]);
  });

  test("are refused without a price, and with an old one", () => {
    const paper = venue();
    expect(paper.place(market)).toEqual(["o1 rejected NO_QUOTE"]);
    paper.market(viewOf(100));
    paper.market(viewOf(100, { isStale: true }));
    expect(paper.place(market)).toEqual(["o2 rejected NO_QUOTE"]);
  });

  test("cost the taker's fee", () => {
    const paper = venue(spotSymbol);
    paper.market(book(100, [[99, 5]], [[100, 5]]));
    expect(paper.place({ ...market, quantity: d(2) })).toEqual(["o1 accepted", "o1 taker 2 at 100 fee 0.2"]);
  });
});

describe("limit orders", () => {
  test("take what is within the limit, and rest with the remainder, which is filled as maker at its own price", () => {
    const paper = venue(spotSymbol);
    paper.market(
      book(
        100,
        [[99, 5]],
        [
          [100, 1],
          [101, 5],
        ],
      ),
    );
    expect(paper.place({ quantity: d(3) })).toEqual(["o1 accepted", "o1 taker 1 at 100 fee 0.1"]);
    expect(paper.market(book(100, [[99, 5]], [[101, 1]]))).toEqual([]);
    expect(paper.market(book(98, [[97, 5]], [[98, 0.5]]))).toEqual(["o1 maker 0.5 at 100 fee 0.025"]);
    expect(paper.market(book(98, [[97, 5]], [[98, 9]]))).toEqual(["o1 maker 1.5 at 100 fee 0.075"]);
  });

  test("are filled in the order of price, then time", () => {
    const paper = venue();
    paper.market(book(100, [[99, 5]], [[101, 5]]));
    for (const price of [98, 99, 99]) paper.place({ quantity: d(1), price: d(price) });
    expect(paper.market(book(97, [[96, 1]], [[97, 2.5]]))).toEqual([
      "o2 maker 1 at 99 fee 0",
      "o3 maker 1 at 99 fee 0",
      "o1 maker 0.5 at 98 fee 0",
    ]);
  });

  test("that sell are filled when the bid reaches them", () => {
    const paper = venue();
    paper.market(book(100, [[99, 5]], [[101, 5]]));
    paper.place({ ...sell, quantity: d(1), price: d(102) });
    expect(paper.market(book(103, [[103, 5]], [[104, 5]]))).toEqual(["o1 maker 1 at 102 fee 0"]);
  });

  test("wait for a price, and a stale one does not fill them", () => {
    const paper = venue();
    expect(paper.place({ quantity: d(1) })).toEqual(["o1 accepted"]);
    expect(paper.market(viewOf(90, { isStale: true }))).toEqual([]);
    expect(paper.market(viewOf(90))).toEqual(["o1 maker 1 at 100 fee 0"]);
  });

  test.each([{ orderType: "LIMIT_MAKER" }, { timeInForce: "GTX" }, { postOnly: true }] as const)(
    "%j refuses to take",
    (kind) => {
      const paper = venue();
      paper.market(viewOf(100));
      expect(paper.place({ ...kind, price: d("100.01") })).toEqual(["o1 rejected WOULD_TAKE"]);
      expect(paper.place({ ...kind, price: d(100), quantity: d(1) })).toEqual(["o2 accepted"]);
      expect(paper.market(viewOf(99))).toEqual(["o2 maker 1 at 100 fee 0"]);
    },
  );

  test("IOC takes and ends; FOK takes all or nothing", () => {
    const paper = venue();
    const view = book(
      100,
      [[99, 5]],
      [
        [100, 1],
        [101, 5],
      ],
    );
    paper.market(view);
    expect(paper.place({ timeInForce: "IOC", quantity: d(3) })).toEqual([
      "o1 accepted",
      "o1 taker 1 at 100 fee 0",
      "o1 expired (nothing more is on offer)",
    ]);
    paper.market(view);
    expect(paper.place({ timeInForce: "FOK", quantity: d(3) })).toEqual([
      "o2 accepted",
      "o2 expired (it could not be filled at once as a whole)",
    ]);
    expect(paper.place({ timeInForce: "FOK", quantity: d(3), price: d(101) })).toEqual([
      "o3 accepted",
      "o3 taker 1 at 100 fee 0",
      "o3 taker 2 at 101 fee 0",
    ]);
  });

  test("DAY ends with the day", () => {
    const paper = venue();
    paper.market(viewOf(200));
    paper.place({ timeInForce: "DAY" });
    paper.place({});
    expect(paper.tick(999)).toEqual([]);
    expect(paper.tick(1_000)).toEqual(["o1 expired (the day is over)"]);
  });

  test("an iceberg is filled part by part, each behind the others of its price", () => {
    const paper = venue();
    paper.market(viewOf(200));
    paper.place({ quantity: d(3), icebergQuantity: d(1) });
    paper.place({ quantity: d(1) });
    expect(paper.market(book(100, [[99, 1]], [[100, 9]]))).toEqual([
      "o1 maker 1 at 100 fee 0",
      "o2 maker 1 at 100 fee 0",
    ]);
    expect(paper.market(book(100, [[99, 1]], [[100, 0.4]]))).toEqual(["o1 maker 0.4 at 100 fee 0"]);
    expect(paper.market(book(100, [[99, 1]], [[100, 9]]))).toEqual(["o1 maker 0.6 at 100 fee 0"]);
    expect(paper.market(book(100, [[99, 1]], [[100, 9]]))).toEqual(["o1 maker 1 at 100 fee 0"]);
  });
});

describe("triggers", () => {
  const stop = (
    orderType: NewOrder["orderType"],
    side: "BUY" | "SELL",
    stopPrice: number | null,
    change: Partial<NewOrder> = {},
  ) =>
    ({
      orderType,
      side,
      price: null,
      stopPrice: stopPrice === null ? null : d(stopPrice),
      quantity: d(1),
      ...change,
    }) as const;

  test.each([
    ["STOP_MARKET", "BUY", [104, 105, 106], 105],
    ["STOP_MARKET", "SELL", [96, 95, 94], 95],
    ["TAKE_PROFIT", "BUY", [96, 95, 94], 95],
    ["TAKE_PROFIT", "SELL", [104, 105, 106], 105],
  ] as const)(
    "%s %s is reached from its side only, and once",
    (orderType, side, [before, reached, after], stopPrice) => {
      const paper = venue();
      paper.market(viewOf(100));
      expect(paper.place(stop(orderType, side, stopPrice))).toEqual(["o1 accepted"]);
      expect(paper.market(viewOf(before))).toEqual([]);
      const price = side === "BUY" ? d(reached).plus("0.01") : d(reached).minus("0.01");
      expect(paper.market(viewOf(reached))).toEqual([
        `o1 triggered at ${reached}`,
        `o1 taker 1 at ${price.toFixed()} fee 0`,
      ]);
      expect(paper.market(viewOf(after))).toEqual([]);
    },
  );

  test("a stop limit becomes a limit order, and may rest", () => {
    const paper = venue();
    paper.market(viewOf(100));
    paper.place(stop("STOP_LIMIT", "BUY", 105, { price: d(104) }));
    expect(paper.market(viewOf(105))).toEqual(["o1 triggered at 105"]);
    expect(paper.market(viewOf(103))).toEqual(["o1 maker 1 at 104 fee 0"]);
  });

  test("a take-profit limit takes within its limit", () => {
    const paper = venue();
    paper.market(viewOf(100));
    paper.place(stop("TAKE_PROFIT_LIMIT", "SELL", 105, { price: d(104) }));
    expect(paper.market(viewOf(105))).toEqual(["o1 triggered at 105", "o1 taker 1 at 104.99 fee 0"]);
  });

  test("a trailing sale follows the price up, and is triggered by the callback", () => {
    const paper = venue();
    paper.market(viewOf(100));
    paper.place(stop("TRAILING_STOP", "SELL", null, { callbackRate: d(10) }));
    for (const price of [100, 120, 109, 119]) expect(paper.market(viewOf(price))).toEqual([]);
    expect(paper.market(viewOf(108))).toEqual(["o1 triggered at 108", "o1 taker 1 at 107.99 fee 0"]);
  });

  test("a trailing purchase follows the price down from its activation on", () => {
    const paper = venue();
    paper.market(viewOf(100));
    paper.place(stop("TRAILING_STOP", "BUY", 90, { callbackRate: d(10) }));
    for (const price of [95, 110, 89, 80, 87]) expect(paper.market(viewOf(price))).toEqual([]);
    expect(paper.market(viewOf(88))).toEqual(["o1 triggered at 88", "o1 taker 1 at 88.01 fee 0"]);
  });

  test("a stale price triggers nothing", () => {
    const paper = venue();
    paper.market(viewOf(100));
    paper.place(stop("STOP_MARKET", "SELL", 95));
    expect(paper.market(viewOf(90, { isStale: true }))).toEqual([]);
    expect(paper.market(viewOf(90))).toContain("o1 triggered at 90");
  });

  test("one cancels the other: whichever is reached first", () => {
    const legs = (paper: ReturnType<typeof venue>) => {
      paper.market(viewOf(100));
      paper.place(stop("STOP_MARKET", "SELL", 95, { parentOrderId: "p" }));
      paper.place(stop("TAKE_PROFIT", "SELL", 105, { parentOrderId: "p" }));
    };
    const [falling, rising] = [venue(), venue()];
    legs(falling);
    expect(falling.market(viewOf(94))).toEqual([
      "o1 triggered at 94",
      "o2 cancelled (the other order was reached)",
      "o1 taker 1 at 93.99 fee 0",
    ]);
    legs(rising);
    expect(rising.market(viewOf(106))).toEqual([
      "o2 triggered at 106",
      "o1 cancelled (the other order was reached)",
      "o2 taker 1 at 105.99 fee 0",
    ]);
  });

  test("protection that the price has passed already is triggered at once", () => {
    const paper = venue();
    paper.market(viewOf(90));
    expect(paper.place(stop("STOP_MARKET", "SELL", 95, { parentOrderId: "p" }))).toContain("o1 triggered at 90");
  });
});

describe("cancelling, replacing, asking again", () => {
  test("a cancelled order is not filled any more", () => {
    const paper = venue();
    paper.place({});
    expect(paper.cancel("o1")).toEqual(["o1 cancelled (on request)"]);
    expect(paper.market(viewOf(50))).toEqual([]);
    expect(paper.cancel("o1")).toEqual([
      "o1 accepted",
      "o1 cancelled (on request)",
      "o1 cancelRefused (the order is not open)",
    ]);
    expect(paper.cancel("unknown")).toEqual(["o2 cancelRefused (the order is not open)"]);
  });

  test("a replacement loses its place, unless it is only smaller", () => {
    const paper = venue();
    paper.market(viewOf(200));
    for (const quantity of [2, 2, 2]) paper.place({ quantity: d(quantity) });
    expect(paper.replace("o1", 3, 100)).toEqual(["o1 replaced"]);
    expect(paper.replace("o2", 1, 100)).toEqual(["o2 replaced"]);
    expect(paper.market(book(100, [[99, 1]], [[100, 4]]))).toEqual([
      "o2 maker 1 at 100 fee 0",
      "o3 maker 2 at 100 fee 0",
      "o1 maker 1 at 100 fee 0",
    ]);
    expect(paper.replace("o1", 1, 100)).toContain("o1 replaceRefused (that much is filled already)");
  });

  test("a replacement into the market takes, unless the order must not", () => {
    const paper = venue();
    paper.market(viewOf(100));
    paper.place({ quantity: d(1), price: d(90) });
    expect(paper.replace("o1", 1, 101)).toEqual(["o1 replaced", "o1 taker 1 at 100.01 fee 0"]);
    paper.place({ quantity: d(1), price: d(90), timeInForce: "GTX" });
    expect(paper.replace("o2", 1, 101)).toContain("o2 replaceRefused (it would take at once)");
  });

  test("a replaced stop waits for its new price", () => {
    const paper = venue();
    paper.market(viewOf(100));
    paper.place({ orderType: "STOP_MARKET", price: null, stopPrice: d(105), quantity: d(1) });
    expect(paper.replace("o1", 1, null, 110)).toEqual(["o1 replaced"]);
    expect(paper.market(viewOf(106))).toEqual([]);
    expect(paper.market(viewOf(110))).toContain("o1 triggered at 110");
  });

  test("the same call again says what was said, and does nothing twice", () => {
    const paper = venue();
    paper.market(viewOf(100));
    paper.place({ ...market, quantity: d("0.5") });
    expect(paper.again("o1")).toEqual(["o1 accepted", "o1 taker 0.5 at 100.01 fee 0"]);
    paper.place({ price: d(90) });
    paper.replace("o2", 1, 90);
    expect(paper.replace("o2", 1, 90)).toEqual(["o2 accepted", "o2 replaced"]);
    expect(paper.engine.find({ id: "o2" })).toHaveLength(2);
    expect(paper.engine.find({ id: "o9" })).toBeNull();
    expect(paper.engine.openOrders("account-1").map(({ id }) => id)).toEqual(["o2"]);
  });

  test("only the last orders that have ended are remembered", () => {
    const paper = venue();
    for (const _ of [1, 2, 3, 4]) paper.place({});
    for (const id of ["o1", "o2", "o3", "o4"]) paper.cancel(id);
    expect(["o1", "o2", "o3", "o4"].map((id) => paper.engine.find({ id })?.length ?? null)).toEqual([null, 2, 2, 2]);
  });
});

describe("after a restart", () => {
  test("orders wait where they waited, and go on with new fills", () => {
    const paper = venue();
    const accepted = { kind: "accepted", at: at(1), exchangeOrderId: "paper-x" } as const;
    const restored = (change: Partial<NewOrder>, isTriggered = false) => {
      const order = orderFrom([
        { kind: "placed", at: at(0), order: newOrder({ quantity: d(1), ...change }) },
        accepted,
      ]);
      paper.engine.restore(isTriggered ? { ...order, triggeredAt: at(2) } : order);
    };
    restored({ id: "limit", clientOrderId: "limit", price: d(90) });
    restored({ id: "stop", clientOrderId: "stop", orderType: "STOP_MARKET", price: null, stopPrice: d(105) });
    restored({ id: "market", clientOrderId: "market", orderType: "MARKET", price: null });
    restored({ id: "done", clientOrderId: "done", orderType: "STOP_LIMIT", price: d(89), stopPrice: d(88) }, true);
    paper.engine.restore(paper.born({ id: "unsent" }));
    expect(paper.engine.find({ id: "unsent" })).toBeNull();
    expect(paper.market(viewOf(100))).toEqual(["market taker 1 at 100.01 fee 0"]);
    expect(paper.market(viewOf(105))).toContain("stop triggered at 105");
    expect(paper.market(viewOf(80))).toEqual(["limit maker 1 at 90 fee 0"]);
    expect(paper.market(viewOf(80))).toEqual(["done maker 1 at 89 fee 0"]);
  });
});

describe("futures", () => {
  const free = { ...futuresSymbol, id: 1, makerFee: d(0), takerFee: d(0) };
  const position = (
    side: "LONG" | "SHORT",
    quantity: number,
    margin: number,
    change: Partial<Position> = {},
  ): Position => ({
    ...openOrAdd(
      null,
      { accountId: "account-1", symbolId: 1, side, leverage: 10, marginMode: "ISOLATED" },
      { quantity: d(quantity), price: d(100), at: at(0) },
      d(margin),
    ),
    ...change,
  });
  const holding = (positions: readonly Position[], wallet = 1_000, symbol = free) => {
    const paper = venue(symbol);
    paper.engine.restoreAccount({ accountId: "account-1", wallets: new Map([["USDT", d(wallet)]]), positions });
    return paper;
  };
  const reduce = { ...sell, reduceOnly: true } as const;

  test("an order that only reduces shrinks to the position, and ends with it", () => {
    const paper = holding([position("LONG", 1, 10)]);
    paper.market(book(100, [[99, 9]], [[101, 9]]));
    paper.place({ ...reduce, quantity: d(5), price: d(120) });
    expect(paper.place({ ...reduce, ...market, quantity: d(3) })).toEqual([
      "o2 accepted",
      "o2 taker 1 at 99 fee 0",
      "o1 cancelled (there is nothing to reduce)",
      "o2 cancelled (there is nothing to reduce)",
    ]);
    expect(paper.place({ ...reduce, ...market })).toEqual(["o3 accepted", "o3 cancelled (there is nothing to reduce)"]);
  });

  test("in hedge mode each side is closed by its own orders", () => {
    const paper = holding([position("LONG", 2, 20), position("SHORT", 1, 10)]);
    paper.market(book(100, [[99, 9]], [[101, 9]]));
    expect(paper.place({ ...market, ...sell, positionSide: "LONG", quantity: d(2) })).toEqual([
      "o1 accepted",
      "o1 taker 2 at 99 fee 0",
    ]);
    expect(paper.place({ ...market, ...sell, positionSide: "LONG", quantity: d(1) })).toContain(
      "o2 cancelled (there is nothing to reduce)",
    );
    expect(paper.place({ ...market, positionSide: "SHORT", quantity: d(5) })).toContain("o3 taker 1 at 101 fee 0");
  });

  test("funding is paid when it is due, once, by those who were there", () => {
    const paper = holding([position("LONG", 2, 20), position("SHORT", 1, 10, { openedAt: at(600) })]);
    paper.market(viewOf(100));
    expect(paper.funding("0.0001", 500, 10)).toEqual([]);
    expect(paper.tick(499)).toEqual([]);
    expect(paper.tick(700)).toEqual(["LONG funding -0.02"]);
    expect(paper.tick(701)).toEqual([]);
    expect(paper.funding("0.0001", 500, 702)).toEqual([]);
    expect(paper.funding("-0.0001", 800, 703)).toEqual([]);
    expect(paper.tick(800)).toEqual(["LONG funding 0.02", "SHORT funding -0.01"]);
  });

  test("funding that is due without a price is paid with the next one", () => {
    const paper = holding([position("LONG", 2, 20)]);
    expect(paper.funding("0.0001", 500, 501)).toEqual([]);
    paper.market(viewOf(100));
    expect(paper.tick(502)).toEqual(["LONG funding -0.02"]);
  });

  test("an isolated position is liquidated at its price, after its orders are taken from the market", () => {
    const paper = holding([position("LONG", 1, 10)], 1_000, { ...free, takerFee: d("0.001") });
    paper.market(viewOf(100));
    paper.place({ ...reduce, price: d(150), quantity: d(1) });
    expect(paper.market(viewOf(90.4))).toEqual([]);
    expect(paper.market(viewOf(90.3))).toEqual([
      "o1 cancelled (the position is liquidated)",
      "LONG liquidated 1 at 90.29 fee 0.09029",
    ]);
    expect(paper.market(viewOf(80))).toEqual([]);
  });

  test("a cross position has the whole wallet behind it, without the margin of isolated ones", () => {
    const cross = position("SHORT", 1, 10, { marginMode: "CROSS" });
    const paper = holding([cross], 50);
    expect(paper.market(viewOf(149))).toEqual([]);
    expect(paper.market(viewOf(150))).toEqual(["SHORT liquidated 1 at 150.01 fee 0"]);
    const tied = holding([cross, position("LONG", 4, 40)], 50);
    expect(tied.market(viewOf(109))).toEqual([]);
    expect(tied.market(viewOf(110))).toEqual(["SHORT liquidated 1 at 110.01 fee 0"]);
  });

  test("of several cross positions the worst go first, until the others can stand", () => {
    const long = position("LONG", 1, 10, { marginMode: "CROSS" });
    const hedged = holding([long, { ...long, side: "SHORT", quantity: d("0.2"), entryCost: d(20) }], 35);
    expect(hedged.market(viewOf(57))).toEqual([]);
    expect(hedged.market(viewOf(56.4))).toEqual(["LONG liquidated 1 at 56.39 fee 0"]);
  });

  test("a short's stop-loss buys it back however far the price has jumped past it", () => {
    const short = position("SHORT", 10, 100);
    const legs = { reduceOnly: true, price: null, quantity: d(10), parentOrderId: "opened it" } as const;
    const paper = holding([short]);
    paper.market(viewOf(100));
    paper.place({ ...legs, orderType: "STOP_MARKET", stopPrice: d(105), reservePrice: d("106.05") });
    paper.place({ ...legs, orderType: "TAKE_PROFIT", stopPrice: d(90), reservePrice: d("90.9") });
    expect(paper.market(book(107, [[107, 20]], [[107.01, 20]]))).toEqual([
      "o1 triggered at 107",
      "o2 cancelled (the other order was reached)",
      "o1 taker 10 at 107.01 fee 0",
    ]);
    expect(paper.market(viewOf(300))).toEqual([]);
  });

  test("one wallet is behind futures and spot: what is bought there is missing here, what is sold there helps", () => {
    const cross = position("LONG", 50, 100, { marginMode: "CROSS" });
    const spot = { ...market, symbolId: otherSymbol.id, quantity: d(95) };
    const buyer = holding([cross], 10_000);
    buyer.market(book(100, [[100, 99]], [[100, 99]]), otherSymbol.id);
    expect(buyer.place(spot)).toContain("o1 taker 95 at 100 fee 0");
    expect(buyer.market(viewOf(90.4))).toEqual([]);
    expect(buyer.market(viewOf(90.3))).toEqual(["LONG liquidated 50 at 90.29 fee 0"]);
    const seller = holding([cross], 500);
    seller.market(book(100, [[100, 99]], [[100, 99]]), otherSymbol.id);
    seller.place({ ...spot, ...sell });
    expect(seller.market(viewOf(60))).toEqual([]);
  });

  test("what a liquidation takes beyond the margin of an isolated position is not missing for the others", () => {
    const paper = holding([position("LONG", 4, 40), position("SHORT", 1, 10, { marginMode: "CROSS" })], 100);
    expect(paper.market(viewOf(80))).toEqual(["LONG liquidated 4 at 79.99 fee 0"]);
    expect(paper.market(viewOf(150))).toEqual([]);
    expect(paper.market(viewOf(160))).toEqual(["SHORT liquidated 1 at 160.01 fee 0"]);
  });

  test("the venue's positions follow its own fills, through zero", () => {
    const paper = holding([]);
    paper.market(book(100, [[99, 9]], [[101, 9]]));
    paper.place({ ...market, quantity: d(1), leverage: 10, marginMode: "ISOLATED" });
    paper.place({ ...market, ...sell, quantity: d(3), leverage: 10, marginMode: "ISOLATED" });
    expect(paper.market(viewOf(91.2))).toEqual([]);
    expect(paper.market(viewOf(109))).toEqual(["SHORT liquidated 2 at 109.01 fee 0"]);
  });
});
