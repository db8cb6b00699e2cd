import { decimalText } from "../../src/core/decimal.js";
import type { BookTickerEvent } from "../../src/market-data/events.js";

const firstBid = 100_000;
const one = decimalText("1");

/** The best bid of the n-th change, which tells n. */
export const bidOfChange = (n: number): string => String(firstBid + n);
export const changeOfBid = (bid: number): number => bid - firstBid;

/** The n-th change of prices: every server gets the same ones in the same order. */
export function changeOf(symbolId: number, n: number): BookTickerEvent {
  const nowMs = Date.now();
  return {
    kind: "bookTicker",
    symbolId,
    bid: decimalText(bidOfChange(n)),
    bidQuantity: one,
    ask: decimalText(String(firstBid + n + 1)),
    askQuantity: one,
    exchangeSequence: n,
    exchangeTimeMs: nowMs,
    receivedAtMs: nowMs,
  };
}

/** As many at once at most: a server that cannot keep up gets fewer, instead of ever more that wait. */
const maxPerTick = 20;

/** Calls back so many times a second, as even as a timer can. Returns the function that ends it. */
export function atRate(perSecond: number, callBack: () => void): () => void {
  let startMs = performance.now();
  let madeSinceStart = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startMs) * perSecond) / 1000) - madeSinceStart;
    for (let made = 0; made < Math.min(due, maxPerTick); made++) callBack();
    madeSinceStart += Math.min(due, maxPerTick);
    if (due > maxPerTick) {
      startMs = performance.now();
      madeSinceStart = 0;
    }
  }, 2);
  return () => clearInterval(timer);
}
