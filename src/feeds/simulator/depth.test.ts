import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import { barsOf } from "./bars.js";
import { type SimulatedInstrument, simulatedInstruments } from "./instruments.js";
import { type DepthStep, type MarketStep, SymbolMarket, type TradeStep } from "./market.js";
import { dayMs } from "./rolling-day.js";

const startMs = Date.UTC(2025, 5, 1, 12, 0, 17);
const minuteMs = 60_000;
const [btc] = simulatedInstruments as [SimulatedInstrument];
const trading = simulatedInstruments.filter(({ status }) => status === "TRADING");

describe("the book", () => {
  test.prop([fc.constantFrom(...trading), fc.integer(), fc.constantFrom(5, 20, 100)], { numRuns: 30 })(
    "follows from a snapshot and the changes, and its top is what is told as such",
    (instrument, seed, updatesPerSecond) => {
      const market = new SymbolMarket(instrument, { seed, startMs, updatesPerSecond });
      market.skipTo(startMs + 1);
      const first = market.book;
      const [bids, asks] = [new Map(first.bids), new Map(first.asks)];
      let told = first.toldUpdateId;
      let top: MarketStep | undefined;
      let depths = 0;
      const take = (step: DepthStep) => {
        depths++;
        expect(step.previousUpdateId).toBe(told);
        expect(step.updateId).toBeGreaterThan(told);
        expect(step.depthId).toBe(first.toldDepthId + depths);
        told = step.updateId;
        for (const [changes, side] of [
          [step.bids, bids],
          [step.asks, asks],
        ] as const) {
          for (const [price, quantity] of changes) {
            if (quantity === 0) side.delete(price);
            else side.set(price, quantity);
          }
        }
        const [bid, ask] = [Math.max(...bids.keys()), Math.min(...asks.keys())];
        expect(top).toMatchObject({ bid, ask, bidQuantity: bids.get(bid), askQuantity: asks.get(ask) });
        expect(top?.kind === "book" && top.updateId).toBe(step.updateId);
        expect(bid).toBeLessThan(ask);
      };
      market.advance(startMs + 4_000, (step) => {
        if (step.kind === "book") top = step;
        else if (step.kind === "depth") take(step);
      });
      expect(depths).toBeGreaterThan(0);
      const last = market.book;
      if (last.updateId === told) {
        expect(new Map(last.bids)).toEqual(bids);
        expect(new Map(last.asks)).toEqual(asks);
      }
      expect(last.bids.length).toBeLessThanOrEqual(25);
    },
  );

  test("has a hole in its numbers where time passed unseen", () => {
    const market = new SymbolMarket(btc, { seed: 1, startMs, updatesPerSecond: 5 });
    const depths: DepthStep[] = [];
    const collect = (step: MarketStep) => {
      if (step.kind === "depth") depths.push(step);
    };
    market.advance(startMs + 2_000, collect);
    const before = depths.at(-1);
    market.skipTo(startMs + 3_000);
    const seen = depths.length;
    market.advance(startMs + 5_000, collect);
    expect(depths[seen]?.previousUpdateId).toBeGreaterThan(before?.updateId ?? 0);
    expect(depths[seen]?.depthId).toBeGreaterThan((before?.depthId ?? 0) + 1);
  });
});

describe("minutes", () => {
  test("of the day before the start are all there, join up and hold what the 24 hours hold", () => {
    const market = new SymbolMarket(btc, { seed: 1, startMs, updatesPerSecond: 5 });
    market.skipTo(startMs + 1);
    const minutes = market.minutes(0, startMs + 1);
    expect(minutes.length).toBeGreaterThanOrEqual(1_440);
    expect(minutes.length).toBeLessThanOrEqual(1_441);
    expect(minutes.map(({ startMs: at }) => at)).toEqual(
      minutes.map((_, index) => (minutes[0]?.startMs ?? 0) + index * minuteMs),
    );
    const { volume, trades, high, low, last } = market.day;
    expect(minutes.reduce((sum, minute) => sum + minute.volume, 0n)).toBe(volume);
    expect(minutes.reduce((sum, minute) => sum + minute.trades, 0)).toBe(trades);
    expect(Math.max(...minutes.map((minute) => minute.high))).toBe(high);
    expect(Math.min(...minutes.map((minute) => minute.low))).toBe(low);
    expect(minutes.at(-1)?.close).toBe(last);
    for (const { open, high, low, close, volume, takerBuyVolume } of minutes) {
      expect(low).toBeLessThanOrEqual(Math.min(open, close));
      expect(high).toBeGreaterThanOrEqual(Math.max(open, close));
      expect(takerBuyVolume).toBeLessThan(volume);
    }
  });

  test.prop([fc.constantFrom(...trading), fc.integer(), fc.constantFrom(0.05, 5, 50), fc.constantFrom(1, 3, 5)], {
    numRuns: 20,
  })("are exactly what the trades add up to", (instrument, seed, updatesPerSecond, width) => {
    const widthMs = width * minuteMs;
    const market = new SymbolMarket(instrument, { seed, startMs, updatesPerSecond });
    const trades: TradeStep[] = [];
    const endMs = startMs + 12 * minuteMs;
    for (let nowMs = startMs + 1; nowMs < endMs; nowMs += 3_000) {
      market.advance(nowMs, (step) => {
        if (step.kind === "trade") trades.push(step);
      });
    }
    const fromMs = Math.ceil(startMs / widthMs) * widthMs;
    const bars = barsOf(market, widthMs, fromMs, endMs);
    const expected = new Map<number, TradeStep[]>();
    for (const trade of trades) {
      const at = trade.atMs - (trade.atMs % widthMs);
      if (at >= fromMs) expected.set(at, [...(expected.get(at) ?? []), trade]);
    }
    for (const bar of bars) {
      const own = expected.get(bar.startMs) ?? [];
      expected.delete(bar.startMs);
      const sum = (amount: (trade: TradeStep) => bigint) => own.reduce((total, trade) => total + amount(trade), 0n);
      const prices = own.map(({ price }) => price);
      expect(bar).toEqual({
        startMs: bar.startMs,
        open: prices[0] ?? bar.close,
        high: Math.max(...prices, ...(own.length === 0 ? [bar.close] : [])),
        low: Math.min(...prices, ...(own.length === 0 ? [bar.close] : [])),
        close: prices.at(-1) ?? bar.open,
        trades: own.reduce((count, trade) => count + trade.lastTradeId - trade.firstTradeId + 1, 0),
        volume: sum(({ quantity }) => BigInt(quantity)),
        value: sum(({ price, quantity }) => BigInt(price) * BigInt(quantity)),
        takerBuyVolume: sum(({ quantity, buyerIsMaker }) => (buyerIsMaker ? 0n : BigInt(quantity))),
        takerBuyValue: sum(({ price, quantity, buyerIsMaker }) =>
          buyerIsMaker ? 0n : BigInt(price) * BigInt(quantity),
        ),
      });
    }
    expect([...expected.keys()]).toEqual([]);
  });

  test("are kept for a day", () => {
    const market = new SymbolMarket(btc, { seed: 1, startMs, updatesPerSecond: 5 });
    market.skipTo(startMs + 3 * dayMs);
    expect(market.minutes(0, Number.MAX_SAFE_INTEGER).length).toBeLessThanOrEqual(1_442);
  });
});

describe("several exchanges", () => {
  const marketOf = (venue: string) => new SymbolMarket(btc, { venue, seed: 1, startMs, updatesPerSecond: 5 });

  test("have one price with a little difference, which pays for the fees of two trades only now and then", () => {
    const [one, other] = [marketOf("A"), marketOf("B")];
    const gaps: number[] = [];
    for (let nowMs = startMs; nowMs < startMs + dayMs; nowMs += 30_000) {
      one.skipTo(nowMs);
      other.skipTo(nowMs);
      gaps.push(Math.abs(Math.log(one.top.bid / other.top.bid)) * 10_000);
    }
    const share = (bps: number) => gaps.filter((gap) => gap > bps).length / gaps.length;
    expect(Math.max(...gaps)).toBeLessThan(100);
    expect(share(20)).toBeGreaterThan(0.003);
    expect(share(20)).toBeLessThan(0.15);
  });

  test("do not tell the same trades", () => {
    const told = (venue: string) => {
      const trades: unknown[] = [];
      marketOf(venue).advance(startMs + 4_000, (step) => {
        if (step.kind === "trade") trades.push(step.quantity, step.price);
      });
      return trades;
    };
    expect(told("A")).toEqual(told("A"));
    expect(told("A")).not.toEqual(told("B"));
  });

  test("fund around a small rate, every eight hours", () => {
    const market = marketOf("A");
    market.skipTo(startMs + 1);
    const funding = market.funding();
    expect(funding.atMs).toBe(Date.UTC(2025, 5, 1, 16));
    expect(Math.abs(funding.rate)).toBeLessThan(100_000);
    expect(Math.abs(Math.log(funding.mark / funding.index))).toBeLessThan(0.01);
  });
});
