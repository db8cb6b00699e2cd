import { pino } from "pino";
import { expect } from "vitest";
import type { FeedEndpoint, MinuteSource } from "../../src/feeds/feed.js";
import { badAmounts, badPrices } from "./bad-values.js";
import { startFakeExchange } from "./fake-exchange.js";

export const minute = 60_000;
/** A whole minute. */
export const firstMs = Date.UTC(2026, 10, 20, 10);

export const restEndpoint = (endpointUrl: string, more: Partial<FeedEndpoint> = {}): FeedEndpoint => ({
  code: "TEST",
  websocketUrl: "ws://127.0.0.1:9",
  backupWebsocketUrl: null,
  endpointUrl,
  timeoutMs: 2_000,
  retryDelayMs: 1,
  staleAfterMs: 1_000,
  ...more,
});

/** What the source makes of an exchange that answers as told, and where it asked. */
export async function fetchFrom(
  source: MinuteSource,
  ticker: string,
  body: (path: string) => string | null,
  minutes = 3,
) {
  const exchange = await startFakeExchange();
  exchange.body = body;
  const logged: Record<string, unknown>[] = [];
  const log = pino({}, { write: (line: string) => void logged.push(JSON.parse(line) as never) });
  try {
    const request = {
      symbol: { id: 1, ticker },
      fromMs: firstMs,
      toMs: firstMs + minutes * minute,
      signal: AbortSignal.timeout(5_000),
    };
    const found = await source
      .fetch(restEndpoint(exchange.restUrl), log, request)
      .catch((error: unknown) => error as Error);
    return { found, paths: exchange.requestedPaths, logged };
  } finally {
    await exchange.close();
  }
}

const badVolumes = [...badAmounts, "-1", "-0.00000001"];
export const badMinuteTimes: readonly unknown[] = [undefined, null, "x", -60_000, 1.5, firstMs + 1, 1e40, true, {}];

/** Every bad value in every field is an entry that is left out for the reason that is named. */
export function expectBadValuesOut(
  read: (change: Record<number | string, unknown>) => unknown,
  fields: { prices: readonly (number | string)[]; volumes: readonly (number | string)[] },
): void {
  for (const field of fields.prices) {
    for (const value of badPrices) expect([field, value, read({ [field]: value })]).toEqual([field, value, "price"]);
  }
  for (const field of fields.volumes) {
    for (const value of badVolumes) expect([field, value, read({ [field]: value })]).toEqual([field, value, "volume"]);
  }
}

/** An array with some of its places changed. */
export const changed = (entry: readonly unknown[], change: Record<number | string, unknown>): unknown[] =>
  entry.map((value, index) => (index in change ? change[index] : value));
