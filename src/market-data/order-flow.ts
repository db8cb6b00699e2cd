import type { DecimalText } from "../core/decimal.js";
import { divideFixedPoint, type FixedPoint, fromFixedPoint, toFixedPoint } from "../core/fixed-point.js";
import type { BookTickerEvent } from "./events.js";
import { MicropriceModel } from "./microprice.js";

/** Order flow of one symbol over the last window. */
export interface OrderFlow {
  readonly symbolId: number;
  readonly windowMs: number;
  /** Sum of the signed changes at the best prices, in base currency: positive when buyers press. */
  readonly ofi: DecimalText;
  /** Expected price after the next moves of the mid price, in quote currency. */
  readonly microprice: DecimalText;
  /** (bid − ask) / (bid + ask) of the quantities at the best prices now, from -1 to 1. */
  readonly volumeImbalance: DecimalText;
  /** End of the window: exchange time where there is one, otherwise receive time. */
  readonly atMs: number;
}

interface Top {
  readonly bid: FixedPoint;
  readonly bidQuantity: FixedPoint;
  readonly ask: FixedPoint;
  readonly askQuantity: FixedPoint;
}

/** Windows slide in steps of this many parts: the oldest part leaves as a whole. */
const partsPerWindow = 20;

/**
 * The contribution of one change of the best prices to order-flow imbalance: what was added to or taken from the bid side,
 * less the same of the ask side; a better price counts with its whole quantity, a worse one with all that went before it.
 * @see R. Cont, A. Kukanov, S. Stoikov: The Price Impact of Order Book Events, J. Financial Econometrics 12(1), 2014, eq. (4)
 */
function imbalanceOf(before: Top, now: Top): FixedPoint {
  let contribution = 0n;
  if (now.bid >= before.bid) contribution += now.bidQuantity;
  if (now.bid <= before.bid) contribution -= before.bidQuantity;
  if (now.ask <= before.ask) contribution -= now.askQuantity;
  if (now.ask >= before.ask) contribution += before.askQuantity;
  return contribution;
}

/** Follows the best bid and offer of one symbol. Bounded: a fixed number of sums and the counts of the microprice model. */
export class OrderFlowMeter {
  readonly #partMs: number;
  readonly #parts = Array.from({ length: partsPerWindow }, (): FixedPoint => 0n);
  readonly #microprice: MicropriceModel;
  #total: FixedPoint = 0n;
  /** Number of the newest part, counted from the epoch. */
  #part: number | null = null;
  #top: Top | null = null;
  #atMs = 0;

  constructor(
    readonly symbolId: number,
    readonly windowMs: number,
    tickSize: DecimalText,
  ) {
    this.#partMs = windowMs / partsPerWindow;
    this.#microprice = new MicropriceModel(toFixedPoint(tickSize));
  }

  /** An event with an empty or crossed side ends the comparison: the next whole one starts anew. */
  apply(event: BookTickerEvent): void {
    const top = topOf(event);
    const atMs = event.exchangeTimeMs ?? event.receivedAtMs;
    this.#atMs = Math.max(this.#atMs, atMs);
    this.#slideTo(this.#atMs);
    if (top !== null) {
      if (this.#top !== null) this.#add(imbalanceOf(this.#top, top));
      this.#microprice.observe(top.bid, top.bidQuantity, top.ask, top.askQuantity);
    } else {
      this.#microprice.interrupt();
    }
    this.#top = top;
  }

  /** Forgets what was seen, after a gap: what changed meanwhile is nobody's order flow. */
  reset(): void {
    this.#top = null;
    this.#microprice.interrupt();
    this.#parts.fill(0n);
    this.#total = 0n;
  }

  /** The window that ends at `nowMs`; null while the book has no two sides. */
  measure(nowMs: number): OrderFlow | null {
    if (this.#top === null) return null;
    this.#atMs = Math.max(this.#atMs, nowMs);
    this.#slideTo(this.#atMs);
    const { bid, bidQuantity, ask, askQuantity } = this.#top;
    return {
      symbolId: this.symbolId,
      windowMs: this.windowMs,
      ofi: fromFixedPoint(this.#total),
      microprice: fromFixedPoint(this.#microprice.price(bid, bidQuantity, ask, askQuantity)),
      volumeImbalance: fromFixedPoint(divideFixedPoint(bidQuantity - askQuantity, bidQuantity + askQuantity)),
      atMs: this.#atMs,
    };
  }

  #add(contribution: FixedPoint): void {
    if (this.#part === null) return;
    const place = this.#part % partsPerWindow;
    this.#parts[place] = (this.#parts[place] ?? 0n) + contribution;
    this.#total += contribution;
  }

  #slideTo(atMs: number): void {
    const part = Math.floor(atMs / this.#partMs);
    const from = this.#part ?? part;
    for (let n = Math.max(from + 1, part - partsPerWindow + 1); n <= part; n++) {
      const place = n % partsPerWindow;
      this.#total -= this.#parts[place] ?? 0n;
      this.#parts[place] = 0n;
    }
    this.#part = Math.max(from, part);
  }
}

function topOf({ bid, bidQuantity, ask, askQuantity }: BookTickerEvent): Top | null {
  if (bid === null || bidQuantity === null || ask === null || askQuantity === null) return null;
  const top = {
    bid: toFixedPoint(bid),
    bidQuantity: toFixedPoint(bidQuantity),
    ask: toFixedPoint(ask),
    askQuantity: toFixedPoint(askQuantity),
  };
  return top.bid < top.ask ? top : null;
}
