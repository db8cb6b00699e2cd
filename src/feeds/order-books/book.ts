import type { DecimalText } from "../../core/decimal.js";
import type { BookLevel } from "../../market-data/events.js";

/**
 * The quantity that now stands at a price; "0" removes the level. `original` is the level in the exchange's own digits, as
 * `price:quantity`, where a checksum is computed over them.
 */
export type LevelUpdate = readonly [price: DecimalText, quantity: DecimalText, original?: string];

/** The levels of a book as an exchange gave them, in any order. */
export interface BookLevels {
  readonly bids: readonly LevelUpdate[];
  readonly asks: readonly LevelUpdate[];
}

/**
 * Kept on a side unless told otherwise: twice the largest snapshot that feeds ask for. At the bound the worst level gives
 * way, which makes the book incomplete from there on (see {@link OrderBook.isWholeTo}), never wrong.
 */
export const defaultLevelLimit = 2_000;

/**
 * The order book of one symbol: all prices positive, no price twice on a side.
 *
 * A book that was built from a snapshot cut off at some depth does not know what rests beyond: diffs name only levels that
 * change. What it does know beyond is kept, but {@link isWholeTo} tells when the best levels reach into the unknown, so that
 * the owner can ask for a new snapshot before the holes come to the top.
 */
export class OrderBook {
  readonly #bids: BookSide;
  readonly #asks: BookSide;

  constructor(levelLimit: number = defaultLevelLimit) {
    this.#bids = new BookSide(levelLimit, (a, b) => comparePrices(a, b));
    this.#asks = new BookSide(levelLimit, (a, b) => comparePrices(b, a));
  }

  /**
   * Replaces the book. @param depthLimit how many levels a side the snapshot could hold at most: a side that is shorter is
   * whole; null when the exchange itself keeps the book within a depth, so that nothing is unknown
   */
  snapshot(levels: BookLevels, depthLimit: number | null): void {
    this.#bids.replace(levels.bids, depthLimit);
    this.#asks.replace(levels.asks, depthLimit);
  }

  /** Sets the quantities of some levels; to remove a level that is not there is normal. */
  apply(bids: readonly LevelUpdate[], asks: readonly LevelUpdate[]): void {
    for (const update of bids) this.#bids.set(update);
    for (const update of asks) this.#asks.set(update);
  }

  clear(): void {
    this.#bids.replace([], null);
    this.#asks.replace([], null);
  }

  /** The best levels of both sides, best first. */
  best(depth: number): { bids: BookLevel[]; asks: BookLevel[] } {
    return { bids: this.#bids.best(depth), asks: this.#asks.best(depth) };
  }

  /** The best levels in the exchange's own digits (`price:quantity`), best first. */
  originals(depth: number): { bids: string[]; asks: string[] } {
    return { bids: this.#bids.originals(depth), asks: this.#asks.originals(depth) };
  }

  /** Someone bids as much as is asked, or more: no exchange leaves that standing, so the book is wrong. */
  get isCrossed(): boolean {
    const bid = this.#bids.top;
    const ask = this.#asks.top;
    return bid !== undefined && ask !== undefined && comparePrices(bid, ask) >= 0;
  }

  /** Whether nothing is missing among the best `depth` levels of either side. */
  isWholeTo(depth: number): boolean {
    return this.#bids.isWholeTo(depth) && this.#asks.isWholeTo(depth);
  }

  get levelCounts(): { bids: number; asks: number } {
    return { bids: this.#bids.length, asks: this.#asks.length };
  }
}

/**
 * A price that can be compared without arithmetic: canonical texts with equally many digits before the point are in the
 * order of their characters, and more digits mean a higher price. Exact, and faster than floats with digits as tie-break
 * (0.6 against 0.9 µs per update in books of 1,700 levels a side) because nothing has to be parsed.
 */
interface Price {
  readonly text: DecimalText;
  readonly wholeDigits: number;
}

interface Level extends Price {
  readonly level: BookLevel;
  readonly original: string | undefined;
}

function comparePrices(a: Price, b: Price): number {
  if (a.wholeDigits !== b.wholeDigits) return a.wholeDigits - b.wholeDigits;
  if (a.text === b.text) return 0;
  return a.text < b.text ? -1 : 1;
}

function wholeDigitsOf(text: DecimalText): number {
  const point = text.indexOf(".");
  return point === -1 ? text.length : point;
}

/** One side, worst level first: most changes are near the best price, where they then move the fewest levels. */
class BookSide {
  readonly #limit: number;
  /** Positive when `a` is the better price. */
  readonly #compare: (a: Price, b: Price) => number;
  #levels: Level[] = [];
  /** The worst price up to which the side is whole; null when nothing is missing. */
  #wholeUpTo: Price | null = null;

  constructor(limit: number, compare: (a: Price, b: Price) => number) {
    this.#limit = limit;
    this.#compare = compare;
  }

  get length(): number {
    return this.#levels.length;
  }

  get top(): Price | undefined {
    return this.#levels.at(-1);
  }

  replace(updates: readonly LevelUpdate[], depthLimit: number | null): void {
    this.#wholeUpTo = null;
    // A price given twice: the later entry holds, as it would in a diff. Sorting is stable, so it comes second.
    const sorted = updates.map(levelOf).sort(this.#compare);
    this.#levels = sorted.filter(({ text, level }, at) => level[1] !== "0" && sorted[at + 1]?.text !== text);
    if (depthLimit !== null && this.#levels.length >= depthLimit) this.#wholeUpTo = this.#levels[0] ?? null;
    if (this.#levels.length > this.#limit) {
      this.#levels.splice(0, this.#levels.length - this.#limit);
      this.#wholeUpTo = this.#levels[0] ?? null;
    }
  }

  set(update: LevelUpdate): void {
    const price: Price = { text: update[0], wholeDigits: wholeDigitsOf(update[0]) };
    const at = this.#placeOf(price);
    const found = this.#levels[at]?.text === price.text;
    if (update[1] === "0") {
      if (found) this.#levels.splice(at, 1);
    } else if (found) {
      this.#levels[at] = levelOf(update);
    } else {
      this.#levels.splice(at, 0, levelOf(update));
      if (this.#levels.length > this.#limit) this.#dropWorst();
    }
  }

  best(depth: number): BookLevel[] {
    const best: BookLevel[] = [];
    for (const { level } of this.#bestFirst(depth)) best.push(level);
    return best;
  }

  originals(depth: number): string[] {
    const originals: string[] = [];
    for (const { level, original } of this.#bestFirst(depth)) originals.push(original ?? level.join(":"));
    return originals;
  }

  isWholeTo(depth: number): boolean {
    if (this.#wholeUpTo === null) return true;
    const last = this.#levels.at(-depth);
    return last !== undefined && this.#compare(last, this.#wholeUpTo) >= 0;
  }

  #dropWorst(): void {
    this.#levels.shift();
    const worst = this.#levels[0];
    if (worst === undefined) return;
    if (this.#wholeUpTo === null || this.#compare(worst, this.#wholeUpTo) > 0) this.#wholeUpTo = worst;
  }

  #bestFirst(depth: number): Level[] {
    return this.#levels.slice(-depth).reverse();
  }

  /** Where `price` is, or where it would go. */
  #placeOf(price: Price): number {
    let low = 0;
    let high = this.#levels.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const level = this.#levels[middle];
      if (level !== undefined && this.#compare(level, price) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function levelOf(update: LevelUpdate): Level {
  const [text, quantity, original] = update;
  // A pair is shared with whoever reads the book, instead of copied for every reader.
  const level: BookLevel = original === undefined ? (update as BookLevel) : [text, quantity];
  return { text, wholeDigits: wholeDigitsOf(text), level, original };
}
