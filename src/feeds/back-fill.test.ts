import { pino } from "pino";
import { expect, test } from "vitest";
import { restEndpoint } from "../../test/support/klines.js";
import { until } from "../../test/support/until.js";
import { Catalogue, type DataProvider, type Market, type MarketSymbol } from "../catalogue/catalogue.js";
import type { TimeRanges } from "../core/time-ranges.js";
import { BackFill } from "./back-fill.js";
import type { MinuteRequest } from "./feed.js";

const minute = 60_000;
const startMs = Date.UTC(2026, 10, 20, 10);
const provider = { id: 1, code: "TEST", marketId: 1, priority: 1, isActive: true, staleAfterMs: 1_000 } as DataProvider;
const other = { ...provider, id: 2 };

/** A back-filler of one symbol, none of whose past is asked for. */
function start() {
  const catalogue = new Catalogue();
  catalogue.apply("markets", null, [{ id: 1, code: "TEST", isActive: true, displayOrder: 1 } as Market]);
  catalogue.apply("data_providers", null, [provider, other]);
  catalogue.apply("symbols", null, [
    {
      id: 7,
      ticker: "A",
      marketId: 1,
      isActive: true,
      isTracked: true,
      broadcastPriority: 0,
      displayOrder: 0,
    } as MarketSymbol,
  ]);
  const state = {
    nowMs: startMs,
    lost: 0,
    serving: provider,
    complete: [] as TimeRanges["list"],
    requests: [] as string[],
  };
  const inMinutes = (ms: number) => (ms - startMs) / minute;
  const backFill = new BackFill({
    catalogue,
    keeper: {
      readCoverage: () => Promise.resolve(new Map()),
      storeCoverage: (coverage) => {
        state.complete = coverage.get(7)?.list ?? [];
        return Promise.resolve();
      },
      flush: () => Promise.resolve({ isStored: true, lost: state.lost }),
      put: () => Promise.resolve(),
    },
    servingOf: () => state.serving,
    sourceOf: ({ id }) => ({
      endpoint: restEndpoint("http://127.0.0.1:9"),
      source: {
        maxPerRequest: 100,
        requestGapMs: 1,
        fetch: (_endpoint, _log, { fromMs, toMs }: MinuteRequest) => {
          state.requests.push(`${id}: ${inMinutes(fromMs)}-${inMinutes(toMs)}`);
          return Promise.resolve([]);
        },
      },
    }),
    depthMs: 0,
    clock: { nowMs: () => state.nowMs },
    log: pino({ level: "silent" }),
    random: () => 0.5,
    tickMs: 2,
    ticksPerCheckpoint: 2,
  });
  const completeTo = (n: number) => until(() => inMinutes(state.complete.at(-1)?.toMs ?? 0) === n);
  return { backFill, state, completeTo };
}

test("minutes whose candles the database lost are asked for", async () => {
  const { backFill, state, completeTo } = start();
  backFill.statusChanged(provider, "CONNECTED");
  state.nowMs = startMs + 5 * minute + 30_000;
  await completeTo(5);
  expect(state.requests).toEqual([]);
  state.lost = 3;
  state.nowMs = startMs + 10 * minute + 30_000;
  await until(() => state.requests.length > 0);
  expect(state.requests).toEqual(["1: 5-10"]);
  await backFill.close();
});

test("when another provider takes over, the minutes until it is subscribed are asked for, from it", async () => {
  const { backFill, state, completeTo } = start();
  backFill.statusChanged(provider, "CONNECTED");
  backFill.statusChanged(other, "CONNECTED");
  state.nowMs = startMs + 5 * minute + 30_000;
  await completeTo(5);
  state.serving = other;
  state.nowMs = startMs + 6 * minute + 30_000;
  await until(() => state.requests.length === 1);
  state.nowMs = startMs + 12 * minute + 30_000;
  await completeTo(12);
  expect(state.requests.every((request) => request.startsWith("2: "))).toBe(true);
  expect(state.requests.every((request) => Number(request.split("-")[1]) <= 8)).toBe(true);
  await backFill.close();
});
