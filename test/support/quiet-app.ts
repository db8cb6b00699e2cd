import { ApolloServer } from "@apollo/server";
import { vi } from "vitest";
import { decimalText } from "../../src/core/decimal.js";
import { startTestApp, type TestApp, type TestAppOptions } from "./app.js";

/** A clock that stands until it is set. */
export class SetClock {
  constructor(public atMs: number) {}
  nowMs(): number {
    return this.atMs;
  }
}

export interface QuietApp extends TestApp {
  readonly clock: SetClock;
  /** How often Apollo was asked so far. */
  readonly fullWays: () => number;
}

/** A Thursday on which New York trades, before it opens. */
export const startMs = Date.UTC(2026, 10, 19, 14, 29, 59, 0);

/** The API alone, in which nothing changes by itself, with some quotes. */
export async function startQuietApp(options: TestAppOptions = {}): Promise<QuietApp> {
  const full = vi.spyOn(ApolloServer.prototype, "executeHTTPGraphQLRequest");
  const clock = new SetClock(startMs);
  const started = await startTestApp({ ...options, clock, config: { roles: new Set(["api"]), ...options.config } });
  const { catalogue, quotes } = started.app;
  for (const symbol of catalogue.defaultSymbols.slice(0, 6)) {
    quotes.apply(
      {
        kind: "ticker24h",
        symbolId: symbol.id,
        last: decimalText(`${100 + symbol.id}.5`),
        open: decimalText("90"),
        high: decimalText("120.25"),
        low: decimalText("80"),
        change: decimalText("1.5"),
        changePercent: decimalText("1.2"),
        volume: decimalText(`${symbol.id}000.125`),
        quoteVolume: decimalText("100000"),
        exchangeTimeMs: startMs - 1_000,
        // So that no clock that a test sets makes it stale.
        receivedAtMs: Date.UTC(2040, 0, 1),
      },
      catalogue.providerOf(symbol)?.id ?? 0,
    );
  }
  return { ...started, clock, fullWays: () => full.mock.calls.length };
}
