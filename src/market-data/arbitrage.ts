import type { DecimalText } from "../core/decimal.js";
import {
  divideFixedPoint,
  type FixedPoint,
  fixedPointOne,
  fromFixedPoint,
  multiplyFixedPoint,
  toFixedPoint,
} from "../core/fixed-point.js";
import type { BookLevel } from "./events.js";

/** A symbol on one market; all symbols of a detector trade the same base against the same quote currency. */
export interface ArbitrageLeg {
  readonly symbolId: number;
  /** Taker fee as a fraction of the value. */
  readonly takerFee: DecimalText;
}

/** The best levels of a leg's book, best first. */
export interface LegBook {
  readonly bids: readonly BookLevel[];
  readonly asks: readonly BookLevel[];
}

/** Buying on one market and selling on another at once; prices in quote currency, quantity in base currency. */
export interface ArbitrageSpread {
  readonly buySymbolId: number;
  readonly sellSymbolId: number;
  /** Best ask where it is bought. */
  readonly buyPrice: DecimalText;
  /** Best bid where it is sold. */
  readonly sellPrice: DecimalText;
  /** Between the best prices, in hundredths of a per cent of the buying price. */
  readonly spreadBps: DecimalText;
  /** The same after both markets' taker fees. */
  readonly netSpreadBps: DecimalText;
  /** How much the books hold at prices that still leave something after fees. */
  readonly maxQuantity: DecimalText;
}

export interface ArbitrageListener {
  onOpened(spread: ArbitrageSpread): void;
  /** Still open, at other prices or another quantity. */
  onChanged(spread: ArbitrageSpread): void;
  /** Once for every opening: the prices met, or one of the books cannot be trusted any more. */
  onClosed(buySymbolId: number, sellSymbolId: number): void;
}

interface Leg {
  readonly symbolId: number;
  /** What a unit of quote currency buys for, and sells for, after the fee: 1 + fee and 1 − fee. */
  readonly buyFactor: FixedPoint;
  readonly sellFactor: FixedPoint;
  book: LegBook | null;
}

const bpsPerUnit = 10_000n;

/** Compares the books of one instrument on several markets. Bounded by the number of ordered pairs of its legs. */
export class ArbitrageDetector {
  readonly #legs: ReadonlyMap<number, Leg>;
  readonly #open = new Map<string, ArbitrageSpread>();

  constructor(
    legs: readonly ArbitrageLeg[],
    private readonly listener: ArbitrageListener,
  ) {
    this.#legs = new Map(
      legs.map(({ symbolId, takerFee }) => {
        const fee = toFixedPoint(takerFee);
        return [symbolId, { symbolId, buyFactor: fixedPointOne + fee, sellFactor: fixedPointOne - fee, book: null }];
      }),
    );
  }

  /** @param book null when it is lost or stale: nothing is on offer there until the next one */
  update(symbolId: number, book: LegBook | null): void {
    const leg = this.#legs.get(symbolId);
    if (leg === undefined) return;
    leg.book = book;
    for (const other of this.#legs.values()) {
      if (other === leg) continue;
      this.#compare(leg, other);
      this.#compare(other, leg);
    }
  }

  /** Closes what is open. */
  close(): void {
    for (const { buySymbolId, sellSymbolId } of this.#open.values()) this.listener.onClosed(buySymbolId, sellSymbolId);
    this.#open.clear();
  }

  #compare(buy: Leg, sell: Leg): void {
    const key = `${buy.symbolId}>${sell.symbolId}`;
    const known = this.#open.get(key);
    const spread = spreadOf(buy, sell);
    if (spread === null) {
      if (known === undefined) return;
      this.#open.delete(key);
      this.listener.onClosed(buy.symbolId, sell.symbolId);
      return;
    }
    this.#open.set(key, spread);
    if (known === undefined) this.listener.onOpened(spread);
    else if (
      known.buyPrice !== spread.buyPrice ||
      known.sellPrice !== spread.sellPrice ||
      known.maxQuantity !== spread.maxQuantity
    ) {
      this.listener.onChanged(spread);
    }
  }
}

/** Null when nothing is left after fees. */
function spreadOf(buy: Leg, sell: Leg): ArbitrageSpread | null {
  const [bestAsk] = buy.book?.asks ?? [];
  const [bestBid] = sell.book?.bids ?? [];
  if (buy.book === null || sell.book === null || bestAsk === undefined || bestBid === undefined) return null;
  const buyPrice = toFixedPoint(bestAsk[0]);
  const sellPrice = toFixedPoint(bestBid[0]);
  const cost = multiplyFixedPoint(buyPrice, buy.buyFactor);
  const proceeds = multiplyFixedPoint(sellPrice, sell.sellFactor);
  if (proceeds <= cost) return null;
  return {
    buySymbolId: buy.symbolId,
    sellSymbolId: sell.symbolId,
    buyPrice: bestAsk[0],
    sellPrice: bestBid[0],
    spreadBps: bps(sellPrice - buyPrice, buyPrice),
    netSpreadBps: bps(proceeds - cost, cost),
    maxQuantity: fromFixedPoint(tradableQuantity(buy.book.asks, buy.buyFactor, sell.book.bids, sell.sellFactor)),
  };
}

/** Walks down both books as long as the next pair of levels leaves something after fees. */
function tradableQuantity(
  asks: readonly BookLevel[],
  buyFactor: FixedPoint,
  bids: readonly BookLevel[],
  sellFactor: FixedPoint,
): FixedPoint {
  let total = 0n;
  let [askAt, bidAt] = [0, 0];
  let [askLeft, bidLeft] = [0n, 0n];
  for (;;) {
    const [ask, bid] = [asks[askAt], bids[bidAt]];
    if (ask === undefined || bid === undefined) return total;
    if (multiplyFixedPoint(toFixedPoint(bid[0]), sellFactor) <= multiplyFixedPoint(toFixedPoint(ask[0]), buyFactor)) {
      return total;
    }
    if (askLeft === 0n) askLeft = toFixedPoint(ask[1]);
    if (bidLeft === 0n) bidLeft = toFixedPoint(bid[1]);
    const quantity = askLeft < bidLeft ? askLeft : bidLeft;
    total += quantity;
    askLeft -= quantity;
    bidLeft -= quantity;
    if (askLeft === 0n) askAt++;
    if (bidLeft === 0n) bidAt++;
  }
}

/** Ten digits after the point, as the column has. */
const bps = (part: FixedPoint, whole: FixedPoint): DecimalText => {
  const exact = divideFixedPoint(part * bpsPerUnit, whole);
  return fromFixedPoint((exact / 100_000_000n) * 100_000_000n);
};
