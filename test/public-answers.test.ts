import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Market, MarketSymbol } from "../src/catalogue/catalogue.js";
import { decimalText } from "../src/core/decimal.js";
import { buildSchema } from "../src/graphql/schema.js";
import type { Quote } from "../src/market-data/quotes.js";
import { operatorHeaders } from "./support/app.js";
import { type RawAnswer, RawClient } from "./support/http.js";
import { type GeneratedOperation, operationsOver } from "./support/operations.js";
import { type QuietApp, startMs, startQuietApp } from "./support/quiet-app.js";

let app: QuietApp;
let client: RawClient;
beforeAll(async () => {
  app = await startQuietApp();
  client = new RawClient(app.url);
});
afterAll(async () => {
  client.close();
  await app.close();
});

type Step =
  | { kind: "ask"; operation: number; isOperator: boolean }
  | { kind: "trade" | "book" | "ticker" | "same"; symbol: number; price: number }
  | { kind: "stale" }
  | { kind: "rename" | "default"; symbol: number; to: number }
  | { kind: "halt" | "release"; market: number }
  | { kind: "hours"; to: number }
  | { kind: "clock"; byMs: number };

/** Instants around those at which New York and Istanbul change, forwards and back. */
const jumps = [-3_600_000, -1_000, -1, 0, 1, 1_000, 60_000, 3_600_000, 23_400_000, 86_400_000, 40 * 86_400_000];

const steps = fc.array(
  fc.oneof<fc.Arbitrary<Step>[]>(
    ...Array.from({ length: 4 }, () =>
      fc.record({ kind: fc.constant("ask" as const), operation: fc.nat(3), isOperator: fc.boolean() }),
    ),
    fc.record({
      kind: fc.constantFrom("trade" as const, "book" as const, "ticker" as const, "same" as const),
      symbol: fc.nat(8),
      price: fc.integer({ min: 1, max: 9 }),
    }),
    fc.record({ kind: fc.constant("stale" as const) }),
    fc.record({ kind: fc.constantFrom("rename" as const, "default" as const), symbol: fc.nat(8), to: fc.nat(2) }),
    fc.record({ kind: fc.constantFrom("halt" as const, "release" as const), market: fc.nat(14) }),
    fc.record({ kind: fc.constant("hours" as const), to: fc.nat(3) }),
    fc.record({ kind: fc.constant("clock" as const), byMs: fc.constantFrom(...jumps) }),
  ),
  { minLength: 5, maxLength: 40 },
);

function apply(step: Exclude<Step, { kind: "ask" }>): void {
  const { catalogue, quotes } = app.app;
  const symbolAt = (index: number) => catalogue.symbols[index % catalogue.symbols.length] as MarketSymbol;
  const marketAt = (index: number) => catalogue.markets[index % catalogue.markets.length] as Market;
  const receivedAtMs = Date.UTC(2040, 0, 1);
  switch (step.kind) {
    case "trade":
    case "same":
    case "book":
    case "ticker": {
      const symbol = symbolAt(step.symbol);
      const providerId = catalogue.providerOf(symbol)?.id ?? 0;
      const price = decimalText(String(step.price));
      const exchangeTimeMs = app.clock.nowMs() + step.price;
      const common = {
        symbolId: symbol.id,
        exchangeSequence: 1,
        exchangeTimeMs,
        receivedAtMs: receivedAtMs + step.price,
      };
      if (step.kind === "trade")
        quotes.apply(
          { ...common, kind: "trade", price, quantity: price, side: "BUY", tradeId: "1", tradeCount: 1 },
          providerId,
        );
      else if (step.kind === "same") {
        // Changes no value but the times.
        const { bid = null, bidQuantity = null, ask = null, askQuantity = null } = quotes.get(symbol.id) ?? {};
        quotes.apply({ ...common, kind: "bookTicker", bid, bidQuantity, ask, askQuantity }, providerId);
      } else if (step.kind === "book")
        quotes.apply(
          { ...common, kind: "bookTicker", bid: price, bidQuantity: price, ask: price, askQuantity: price },
          providerId,
        );
      else {
        const day = { open: price, high: price, low: price, change: price, changePercent: price };
        quotes.apply(
          { ...common, kind: "ticker24h", last: price, ...day, volume: price, quoteVolume: price },
          providerId,
        );
      }
      return;
    }
    case "stale":
      quotes.markStale(() => true);
      return;
    case "rename": {
      const symbol = symbolAt(step.symbol);
      catalogue.apply("symbols", [symbol.id], [{ ...symbol, displayName: `name ${step.to}` }]);
      return;
    }
    case "default": {
      const symbol = symbolAt(step.symbol);
      catalogue.apply("symbols", [symbol.id], [{ ...symbol, isDefault: step.to > 0 }]);
      return;
    }
    case "halt":
    case "release": {
      const market = marketAt(step.market);
      const operatorStatus = step.kind === "halt" ? "HALTED" : null;
      catalogue.apply("markets", [market.id], [{ ...market, operatorStatus }]);
      return;
    }
    case "hours": {
      const session = catalogue.sessionsOf(catalogue.marketByCode("NYSE_EQUITY")?.id ?? 0)[step.to];
      if (session !== undefined)
        catalogue.apply("trading_sessions", [session.id], [{ ...session, endTime: `1${step.to}:30:00` }]);
      return;
    }
    case "clock":
      app.clock.atMs = Math.max(startMs - 86_400_000, app.clock.atMs + step.byMs);
  }
}

const ask = (operation: GeneratedOperation, isOperator: boolean, contentType = "application/json") =>
  client.post(operation, { "content-type": contentType, ...(isOperator ? operatorHeaders : {}) });

/** Of masked errors, which have another one each time. */
const withoutIds = ({ body }: RawAnswer): string => body.toString().replaceAll(/"id":"[0-9a-f-]{36}"/g, '"id":"…"');

const publicRoots = [
  "assetClasses",
  "assetClass",
  "exchanges",
  "exchange",
  "markets",
  "market",
  "symbols",
  "symbol",
  "defaultSymbols",
  "quotes",
  "dataProviders",
];

describe("answers are kept", () => {
  /** How often a name of a symbol is read to answer. */
  async function readings(query: string, times: number): Promise<number> {
    const { catalogue } = app.app;
    const [symbol] = catalogue.defaultSymbols;
    if (symbol === undefined) throw new Error("no default symbol");
    let count = 0;
    const spied = Object.defineProperty({ ...symbol }, "displayName", {
      enumerable: true,
      get: () => {
        count++;
        return "seen";
      },
    });
    catalogue.apply("symbols", [symbol.id], [spied]);
    for (let time = 0; time < times; time++) await client.post({ query });
    catalogue.apply("symbols", [symbol.id], [symbol]);
    return count;
  }

  test("when all that they are made of is public, and not otherwise", async () => {
    expect(await readings("{ defaultSymbols { displayName quote { price } market { status } } }", 5)).toBe(1);
    expect(await readings("{ defaultSymbols { displayName dataProvider { lastError } } }", 5)).toBe(5);
    expect(await readings("{ defaultSymbols { displayName lastBroadcastAt } }", 5)).toBe(5);
  });

  test("by the variables", async () => {
    const query = "query ($code: String!) { market(code: $code) { code } }";
    const codes = ["BINANCE_SPOT", "NYSE_EQUITY", "BINANCE_SPOT", "NYSE_EQUITY", "NOPE"];
    const answers = await Promise.all(codes.map((code) => client.post({ query, variables: { code } })));
    expect(
      answers.map((answer) => (JSON.parse(answer.body.toString()) as { data: { market: unknown } }).data.market),
    ).toEqual(codes.map((code) => (code === "NOPE" ? null : { code })));
  });

  const text =
    "{ defaultSymbols { displayName quote { price bid volume24h sequence exchangeTime receivedAt isStale } } }";
  test.each<[string, () => void]>([
    ["a trade", () => apply({ kind: "trade", symbol: 0, price: 3 })],
    ["a best price", () => apply({ kind: "book", symbol: 0, price: 4 })],
    ["statistics of the day", () => apply({ kind: "ticker", symbol: 0, price: 5 })],
    ["the times of a quote alone", () => apply({ kind: "same", symbol: 0, price: 6 })],
    ["staleness", () => apply({ kind: "stale" })],
    ["what another node says", () => replaceQuote({ price: decimalText("77") })],
    [
      "when another node says that it heard the same again",
      () => replaceQuote({ sequence: 0, receivedAtMs: Date.UTC(2041, 0, 1) }),
    ],
    ["a change of the catalogue", () => apply({ kind: "rename", symbol: 0, to: 2 })],
  ])("until the next change: %s", async (_what, change) => {
    const before = await client.post({ query: text });
    expect((await client.post({ query: text })).body).toEqual(before.body);
    change();
    expect((await client.post({ query: text })).body).not.toEqual(before.body);
  });

  function replaceQuote(changed: Partial<Quote>): void {
    const { catalogue, quotes } = app.app;
    const quote = quotes.get(catalogue.symbols[0]?.id ?? 0);
    if (quote === undefined) throw new Error("no quote");
    quotes.replace({ ...quote, sequence: quote.sequence + 1, ...changed });
  }

  test("a market's status is right at the instant at which it changes", async () => {
    const query = '{ market(code: "NASDAQ_EQUITY") { status nextStatusChangeAt } }';
    const statusAt = async (atMs: number) => {
      app.clock.atMs = atMs;
      const { body } = await client.post({ query });
      return (JSON.parse(body.toString()) as { data: { market: { status: string } } }).data.market.status;
    };
    const opensMs = startMs + 1_000;
    expect(await statusAt(opensMs - 1)).toBe("PRE_MARKET");
    expect(await statusAt(opensMs - 1)).toBe("PRE_MARKET");
    expect(await statusAt(opensMs)).toBe("OPEN");
    expect(await statusAt(opensMs - 1)).toBe("PRE_MARKET");
  });
});

test("no field that depends on who is asking says that it is made of public data", () => {
  const schema = buildSchema();
  const marked = Object.values(schema.getTypeMap()).flatMap((type) =>
    "getFields" in type && "getInterfaces" in type
      ? Object.values(type.getFields()).filter((field) => "madeOf" in field.extensions && "private" in field.extensions)
      : [],
  );
  expect(marked).toEqual([]);
});

describe("an answer that was kept is what a fresh one would be", () => {
  test("whatever changes between the questions, whoever asks", { timeout: 120_000 }, async () => {
    const operations = operationsOver(buildSchema(), { without: new Set(), faultPercent: 0, roots: publicRoots }, 4);
    await fc.assert(
      fc.asyncProperty(operations, steps, async (asked, sequence) => {
        for (const step of sequence) {
          if (step.kind !== "ask") {
            apply(step);
            continue;
          }
          const operation = asked[step.operation] as GeneratedOperation;
          const kept = await ask(operation, step.isOperator);
          const fresh = await ask(operation, step.isOperator, "application/json; full=way");
          expect(withoutIds(kept)).toBe(withoutIds(fresh));
        }
      }),
      { numRuns: Number(process.env.PUBLIC_ANSWERS_RUNS ?? 60) },
    );
  });
});
