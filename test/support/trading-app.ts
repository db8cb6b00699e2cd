import { expect } from "vitest";
import { globalId } from "../../src/core/ids.js";
import { type GraphQLAnswer, operatorHeaders, query, startTestApp, type TestApp } from "./app.js";
import type { TestDatabase } from "./database.js";
import { type SignedIn, signUp } from "./people.js";
import { SetClock } from "./quiet-app.js";
import { setQuote } from "./trading.js";

// biome-ignore lint/suspicious/noExplicitAny: the answers of the API
type Answer = GraphQLAnswer<any>;
type Variables = Record<string, unknown>;

/** The program with its paper venue, a clock that stands, and prices that the test sets. */
export interface TradingApp extends TestApp {
  readonly clock: SetClock;
  /** Keys of the catalogue. */
  readonly keys: { readonly spot: number; readonly futures: number; readonly otherFutures: number };
  /** The same as ids of the API. */
  readonly symbols: { readonly spot: string; readonly futures: string; readonly otherFutures: string };
  setPrice(price: string, symbol?: "spot" | "futures" | "otherFutures"): void;
  /** As an operator. */
  operate(text: string, variables?: Variables): Promise<Answer>;
  trader(options?: { readonly balance?: string; readonly positionMode?: string }): Promise<Trader>;
}

/** Somebody with a paper account and a strategy. */
export interface Trader {
  readonly user: SignedIn;
  readonly accountId: string;
  readonly strategyId: string;
  ask(text: string, variables?: Variables, headers?: Record<string, string>): Promise<Answer>;
  /** A resting purchase of 0.01 at 49000 of the spot market, unless told otherwise. */
  order(more?: Variables): Variables;
  place(more?: Variables): Promise<Answer>;
  /** Everything that an order could have changed, as text. */
  state(): Promise<string>;
}

const placeText = `mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { id status quantity filledQuantity strategy { id } } }`;

export async function startTradingApp(atMs: number, database?: TestDatabase): Promise<TradingApp> {
  const clock = new SetClock(atMs);
  const on = await startTestApp({
    clock,
    config: { roles: new Set(["api", "worker"]) },
    ...(database === undefined ? {} : { overrides: { database: database.address } }),
  });
  const keyOf = (market: string, ticker: string) => on.app.catalogue.symbolByTicker(market, ticker)?.id ?? 0;
  const keys = {
    spot: keyOf("BINANCE_SPOT", "BTCUSDT"),
    futures: keyOf("BINANCE_FUTURES", "BTCUSDT"),
    otherFutures: keyOf("BINANCE_FUTURES", "ETHUSDT"),
  };
  const symbols = {
    spot: globalId("Symbol", keys.spot),
    futures: globalId("Symbol", keys.futures),
    otherFutures: globalId("Symbol", keys.otherFutures),
  };
  const setPrice: TradingApp["setPrice"] = (price, symbol) => {
    for (const [name, id] of Object.entries(keys))
      if (symbol === undefined || symbol === name) setQuote(on.app.quotes, id, price, clock);
  };
  setPrice("50000");
  return {
    ...on,
    clock,
    keys,
    symbols,
    setPrice,
    operate: (text, variables = {}) => query(on.url, text, variables, operatorHeaders),
    trader: async ({ balance = "100000", positionMode = "ONE_WAY" } = {}) => {
      const user = await signUp(on.url, `trader${Math.random().toString(36).slice(2)}@example.org`);
      const ask: Trader["ask"] = (text, variables = {}, headers = user.headers) =>
        query(on.url, text, variables, headers);
      const { data, errors } = await ask(
        `mutation ($balance: Decimal!, $mode: PositionMode!) { createStrategy(name: "trend") { id }
          createAccount(input: { exchange: "BINANCE", name: "main", environment: PAPER, positionMode: $mode,
            initialBalances: [{ asset: "USDT", amount: $balance }] }) { id } }`,
        { balance, mode: positionMode },
      );
      expect(errors).toBeUndefined();
      const [accountId, strategyId] = [data.createAccount.id, data.createStrategy.id];
      const order = (more: Variables = {}) => ({
        accountId,
        strategyId,
        symbolId: symbols.spot,
        side: "BUY",
        orderType: "LIMIT",
        quantity: "0.01",
        ...(/^(undefined|LIMIT|LIMIT_MAKER|STOP_LIMIT|TAKE_PROFIT_LIMIT)$/.test(
          `${more.orderType as string | undefined}`,
        )
          ? { price: "49000" }
          : {}),
        ...more,
      });
      return {
        user,
        accountId,
        strategyId,
        ask,
        order,
        place: (more) => ask(placeText, { input: order(more) }),
        state: async () => {
          const answer = await ask(
            `query ($id: ID!) { account(id: $id) { sequence balances { asset available locked } }
              orders(first: 500) { nodes { id version status quantity price filledQuantity } }
              positions(first: 500) { nodes { id version quantity } } ledgerEntries(accountId: $id, first: 500) { nodes { id } } }`,
            { id: accountId },
          );
          expect(answer.errors).toBeUndefined();
          return JSON.stringify(answer.data);
        },
      };
    },
  };
}
