import { pino } from "pino";
import { Catalogue, type MarketSymbol } from "../../src/catalogue/catalogue.js";
import { readCatalogue } from "../../src/catalogue/follow.js";
import { Decimal, type DecimalText, decimalText } from "../../src/core/decimal.js";
import { type Clock, systemClock } from "../../src/core/time.js";
import { uuidV7 } from "../../src/core/uuid.js";
import { connect } from "../../src/db/connect.js";
import { Leaderships } from "../../src/db/leadership.js";
import type { OrderBookEvent } from "../../src/market-data/events.js";
import { LatestBoard } from "../../src/market-data/latest-board.js";
import { QuoteBoard } from "../../src/market-data/quotes.js";
import { type Account, type AccountServices, type CreateAccount, createAccount } from "../../src/trading/accounts.js";
import { Ledger } from "../../src/trading/ledger.js";
import { OrderDesk, type OrderVenue } from "../../src/trading/order-desk.js";
import { PaperVenue } from "../../src/trading/paper-venue.js";
import { TradingMarkets } from "../../src/trading/trading-markets.js";
import { createTestDatabase, type TestDatabase } from "./database.js";

/** A user as people have them, made by the owner of the tables. */
export async function newUser({ owner }: Pick<TestDatabase, "owner">): Promise<string> {
  const id = uuidV7(Date.now());
  const email = `${id}@example.org`;
  await owner.sql`
    insert into users (id, email, email_key, password_hash, status, email_verified_at)
    values (${id}, ${email}, ${email}, '$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA', 'ACTIVE', now())`;
  return id;
}

export interface TestLedger {
  readonly database: TestDatabase;
  readonly catalogue: Catalogue;
  readonly ledger: Ledger;
  readonly desk: OrderDesk;
  readonly markets: TradingMarkets;
  readonly quotes: QuoteBoard;
  readonly clock: Clock;
  readonly symbol: MarketSymbol;
  readonly services: AccountServices;
  /** Another node on the same database: nothing in memory is shared. */
  node(venue?: OrderVenue): OrderDesk;
  account(userId: string, balances?: Readonly<Record<string, string>>, more?: Partial<CreateAccount>): Promise<Account>;
  close(): Promise<void>;
}

/** The ledger over a database of its own, with the shipped symbols. */
export async function startTestLedger(clock: Clock = systemClock): Promise<TestLedger> {
  const database = await createTestDatabase();
  const catalogue = new Catalogue();
  await readCatalogue(database.app, catalogue);
  const symbol = catalogue.symbolByTicker("BINANCE_SPOT", "BTCUSDT");
  if (symbol === undefined) throw new Error("BTCUSDT is missing");
  const services: AccountServices = { database: database.app, catalogue, keyRing: null, clock };
  const quotes = new QuoteBoard(clock);
  const markets = new TradingMarkets(catalogue, quotes, new LatestBoard<number, OrderBookEvent>(), clock);
  const ledger = new Ledger({ database: database.app, clock, symbolOf: (id) => markets.symbol(id) });
  const desk = new OrderDesk({ database: database.app, ledger, markets, venue: acceptingVenue, clock });
  const node = (venue = acceptingVenue) =>
    new OrderDesk({
      database: database.app,
      ledger: new Ledger({ database: database.app, clock, symbolOf: (id) => markets.symbol(id) }),
      markets,
      venue,
      clock,
    });
  setQuote(quotes, symbol.id, "100", clock);
  let accounts = 0;
  return {
    database,
    catalogue,
    ledger,
    desk,
    node,
    markets,
    quotes,
    clock,
    symbol,
    services,
    account: (userId, balances = { USDT: "10000", BTC: "1" }, more = {}) =>
      createAccount(services, userId, {
        exchange: "BINANCE",
        name: `paper ${++accounts}`,
        environment: "PAPER",
        initialBalances: Object.entries(balances).map(([asset, amount]) => ({
          asset,
          amount: decimalText(amount) as DecimalText,
        })),
        ...more,
      }),
    close: () => database.close(),
  };
}

/** The paper venue over the ledger, as the program runs it. */
export async function startPaper(
  on: TestLedger,
): Promise<{ venue: PaperVenue; desk: OrderDesk; close(): Promise<void> }> {
  const { address } = on.database;
  const leaderships = new Leaderships({
    open: () => connect({ address, role: "tradegraph_app", poolSize: 1, applicationName: "test leases" }),
    nodeId: uuidV7(Date.now()),
    log: pino({ level: "silent" }),
  });
  const venue = new PaperVenue({
    database: on.database.app,
    leaderships,
    ledger: on.ledger,
    markets: on.markets,
    clock: on.clock,
    log: pino({ level: process.env.TEST_LOG_LEVEL ?? "silent" }),
    watchMarket: (symbolId, listener) => on.quotes.watch(symbolId, listener),
  });
  await venue.start();
  const { ledger, markets, clock } = on;
  const desk = new OrderDesk({ database: on.database.app, ledger, markets, venue, clock });
  return {
    venue,
    desk,
    close: async () => {
      await venue.close();
      await leaderships.close();
    },
  };
}

/** Takes every order and cancels what is to be cancelled, and executes nothing. */
const acceptingVenue: OrderVenue = {
  takes: () => true,
  react(draft) {
    for (const { order } of Array.from(draft.orders())) {
      if (order.status === "PENDING")
        draft.apply(order.id, { kind: "accepted", at: draft.now, exchangeOrderId: order.id });
      if (order.cancelRequestedAt !== null)
        draft.apply(order.id, { kind: "cancelled", at: draft.now, reason: "asked for" });
      if (order.pendingReplacement !== null)
        draft.apply(order.id, {
          kind: "replaced",
          at: draft.now,
          terms: order.pendingReplacement,
          exchangeOrderId: null,
        });
    }
  },
  send() {},
};

/** A quote of one price, with a hundredth between bid and ask. */
export function setQuote(quotes: QuoteBoard, symbolId: number, price: string, clock: Clock = systemClock): void {
  const nowMs = clock.nowMs();
  const last = decimalText(price);
  const event = { symbolId, exchangeTimeMs: nowMs, receivedAtMs: nowMs };
  quotes.apply(
    {
      ...event,
      kind: "ticker24h",
      last,
      open: last,
      high: last,
      low: last,
      change: decimalText("0"),
      changePercent: decimalText("0"),
      volume: decimalText("1"),
      quoteVolume: decimalText("1"),
    },
    1,
  );
  quotes.apply(
    {
      ...event,
      kind: "bookTicker",
      bid: last,
      bidQuantity: decimalText("1000"),
      ask: decimalText(new Decimal(price).plus("0.01")),
      askQuantity: decimalText("1000"),
      exchangeSequence: nowMs,
    },
    1,
  );
}
