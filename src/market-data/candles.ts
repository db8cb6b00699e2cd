import type { DecimalText } from "../core/decimal.js";
import { type FixedPoint, fromFixedPoint, multiplyFixedPoint, toFixedPoint } from "../core/fixed-point.js";
import { type CandleInterval, candleIntervalMs, candleIntervals, minuteMs, openTimeOf } from "./candle-intervals.js";
import type { TradeEvent } from "./events.js";

/** Trades of one symbol in [openTimeMs, openTimeMs + length of the interval). There is none without a trade. */
export interface Candle {
  readonly symbolId: number;
  readonly interval: CandleInterval;
  readonly openTimeMs: number;
  readonly open: DecimalText;
  readonly high: DecimalText;
  readonly low: DecimalText;
  readonly close: DecimalText;
  /** In the base currency. */
  readonly volume: DecimalText;
  /** In the quote currency: the sum over the trades of price × quantity, each cut off at the 18th place. */
  readonly quoteVolume: DecimalText;
  /** Of the exchange's trades. */
  readonly tradeCount: number;
  readonly takerBuyVolume: DecimalText;
  readonly takerBuyQuoteVolume: DecimalText;
}

/** A candle with what is needed to continue it after a restart. */
export interface StoredCandle extends Candle {
  /**
   * Of a minute: the highest `exchangeSequence` in it; trades up to it are in the minute already. Null when the minute came
   * from the exchange and holds all its trades, and for longer intervals, which are made of minutes.
   */
  readonly throughSequence: number | null;
}

/**
 * - `duplicate`: the trade is in its minute already; nothing changed.
 * - `tooLate`: its minute is no longer kept, or it cannot be told any more whether the trade is in it. The caller asks the
 *   exchange for that minute: {@link CandleBuilder.replaceMinute} if it is kept, else the store and {@link CandleBuilder.seed}.
 * - `tooEarly`: its time is so far ahead of its reception that believing it would push the present out of what is kept.
 */
export type TradeOutcome = "applied" | "duplicate" | "tooLate" | "tooEarly";

/** How many closed minutes of a symbol can still be corrected; up to four more, since they leave by five. */
export const keptMinutes = 60;

/**
 * How many trades of a symbol can be told from duplicates when the exchange does not number them without gaps; a run
 * without gaps counts once. At the bound the oldest minute gives up: what comes late for it then is `tooLate`.
 */
export const maxRememberedTrades = 20_000;

const keptFromOf = (timeMs: number): number => openTimeOf("M5", timeMs - keptMinutes * minuteMs);

/**
 * Which stored candles {@link CandleBuilder.seed} needs of a symbol, as disjoint half-open ranges of the open time: minutes
 * as far back as they are kept, and before that, back to the Monday, the longest candles that fit.
 */
export function seedRanges(nowMs: number): { interval: CandleInterval; fromMs: number; toMs: number }[] {
  const keptFromMs = keptFromOf(nowMs);
  const ranges = [{ interval: "M1" as CandleInterval, fromMs: keptFromMs, toMs: Number.POSITIVE_INFINITY }];
  for (let level = 1; level < candleIntervals.length - 1; level++) {
    const fromMs = openTimeOf(intervalAt(level + 1), keptFromMs);
    const toMs = openTimeOf(intervalAt(level), keptFromMs);
    if (fromMs < toMs) ranges.push({ interval: intervalAt(level), fromMs, toMs });
  }
  return ranges;
}

/**
 * Builds the candles of all symbols from their trades. Only the minutes are built from trades, every longer candle from the
 * minutes, so a corrected minute corrects what lies above it. Trades may come in any order and more than once within the
 * kept minutes. Time is the exchange's: what is kept counts back from the newest minute of the symbol.
 *
 * Per trade it adds to one minute; the longer candles are worked out when somebody asks.
 */
export class CandleBuilder {
  readonly #symbols = new Map<number, SymbolCandles>();
  readonly #touched = new Set<SymbolCandles>();
  #leftUntaken = 0;

  /** Candles that changed and were no longer kept when {@link takeChanged} was next asked: more than an hour late. */
  get leftUntaken(): number {
    return this.#leftUntaken;
  }

  apply(trade: TradeEvent): TradeOutcome {
    const openTimeMs = openTimeOf("M1", trade.exchangeTimeMs);
    if (openTimeMs > trade.receivedAtMs + keptMinutes * minuteMs) return "tooEarly";
    const symbol = this.#symbolOf(trade.symbolId);
    if (openTimeMs < symbol.keptFromMs) return "tooLate";
    const minute = symbol.minuteAt(openTimeMs) ?? this.#newMinute(symbol, openTimeMs);
    const outcome = minute.judge(trade);
    if (outcome !== "applied") return outcome;
    minute.add(trade);
    symbol.remember(minute, trade);
    this.#touch(symbol, minute);
    return "applied";
  }

  /**
   * Puts in a closed minute as the exchange itself has it. It then holds all its trades: further ones are duplicates.
   * A minute without a trade says nothing and changes nothing.
   */
  replaceMinute(candle: Candle): "applied" | "unchanged" | "tooLate" {
    if (candle.interval !== "M1") throw new RangeError(`a minute was expected, not ${candle.interval}`);
    if (candle.volume === "0") return "unchanged";
    const symbol = this.#symbolOf(candle.symbolId);
    if (candle.openTimeMs < symbol.keptFromMs) return "tooLate";
    const minute = symbol.minuteAt(candle.openTimeMs) ?? this.#newMinute(symbol, candle.openTimeMs);
    symbol.forgetTrades(minute);
    minute.hold(null);
    if (!minute.set(barOf(candle))) return "unchanged";
    this.#touch(symbol, minute);
    return "applied";
  }

  /**
   * Continues from stored candles, those of {@link seedRanges} for the same `nowMs`; others are ignored. To be called
   * before the first trade of a symbol. Rule against counting twice: a stored minute names the highest sequence in it
   * (`throughSequence`), and trades of that minute up to it are duplicates. What was traded while nobody listened is
   * missing all the same: those minutes come from {@link replaceMinute} once they have closed.
   *
   * For a symbol that already has trades (a minute that is no longer kept was corrected in the store) the older candles
   * are exchanged, and minutes that are here stay. Store what {@link takeChanged} gives before reading them.
   * @returns false, and nothing happened, when more time has passed for the symbol than `nowMs` says: read again
   */
  seed(symbolId: number, nowMs: number, candles: readonly StoredCandle[]): boolean {
    const symbol = this.#symbolOf(symbolId);
    if (symbol.keptFromMs > keptFromOf(nowMs)) return false;
    this.#leftUntaken += symbol.advanceTo(nowMs);
    symbol.rebuild(candles, seedRanges(nowMs));
    if (symbol.touched) this.#touched.add(symbol);
    return true;
  }

  /** Every candle that changed since it was last asked, in its newest state, longest first. Bounded by what is kept. */
  takeChanged(): StoredCandle[] {
    const changed: StoredCandle[] = [];
    for (const symbol of this.#touched) symbol.takeChanged(changed);
    this.#touched.clear();
    return changed;
  }

  /** The newest candle, which is still forming unless its time is over; null when none is kept. */
  newest(symbolId: number, interval: CandleInterval): StoredCandle | null {
    const symbol = this.#symbols.get(symbolId);
    const node = symbol?.newest(candleIntervals.indexOf(interval));
    return node === undefined ? null : candleOf(node, symbolId);
  }

  /** The minute that opened then, as far as its trades have come in; undefined when it is not kept or had none. */
  minute(symbolId: number, openTimeMs: number): StoredCandle | undefined {
    const minute = this.#symbols.get(symbolId)?.minuteAt(openTimeMs);
    return minute === undefined ? undefined : candleOf(minute, symbolId);
  }

  /** A symbol that is no longer wanted. Changes that nobody took are lost. */
  forget(symbolId: number): void {
    const symbol = this.#symbols.get(symbolId);
    if (symbol !== undefined) this.#touched.delete(symbol);
    this.#symbols.delete(symbolId);
  }

  #symbolOf(symbolId: number): SymbolCandles {
    let symbol = this.#symbols.get(symbolId);
    if (symbol === undefined) {
      symbol = new SymbolCandles(symbolId);
      this.#symbols.set(symbolId, symbol);
    }
    return symbol;
  }

  #newMinute(symbol: SymbolCandles, openTimeMs: number): MinuteNode {
    this.#leftUntaken += symbol.advanceTo(openTimeMs);
    const minute = new MinuteNode(openTimeMs);
    symbol.insertMinute(minute);
    return minute;
  }

  #touch(symbol: SymbolCandles, minute: MinuteNode): void {
    minute.touch();
    if (symbol.touched) return;
    symbol.touched = true;
    this.#touched.add(symbol);
  }
}

/**
 * The candles of one symbol as a tree: weeks hold days, these hold four hours, and so on down to the kept minutes. What
 * ended before the kept minutes has no parts any more and stays as long as the candle above it is not over.
 */
class SymbolCandles {
  keptFromMs = Number.NEGATIVE_INFINITY;
  touched = false;
  #weeks: CandleNode[] = [];
  /** All kept minutes, oldest first: the leaves of the tree that can change. */
  #minutes: MinuteNode[] = [];
  #remembered = 0;

  constructor(readonly symbolId: number) {}

  minuteAt(openTimeMs: number): MinuteNode | undefined {
    return findIn(this.#minutes, openTimeMs);
  }

  newest(level: number): CandleNode | undefined {
    let node = this.#weeks.at(-1);
    while (node !== undefined && node.level > level) node = node.parts.at(-1);
    if (node !== undefined) refresh(node);
    return node;
  }

  /** @returns how many changed candles went without having been taken */
  advanceTo(timeMs: number): number {
    const keptFromMs = keptFromOf(timeMs);
    if (keptFromMs <= this.keptFromMs) return 0;
    this.keptFromMs = keptFromMs;
    let gone = 0;
    while ((this.#minutes[0]?.openTimeMs ?? Number.POSITIVE_INFINITY) < keptFromMs) {
      const minute = this.#minutes.shift();
      if (minute !== undefined) this.forgetTrades(minute);
    }
    let untaken = 0;
    for (const week of this.#weeks) {
      untaken += dropParts(week, keptFromMs);
      if (week.closeTimeMs > keptFromMs) continue;
      gone++;
      if (week.changed) untaken++;
    }
    this.#weeks.splice(0, gone);
    return untaken;
  }

  insertMinute(minute: MinuteNode): void {
    this.#insert(minute);
    insertInto(this.#minutes, minute);
  }

  remember(minute: MinuteNode, trade: TradeEvent): void {
    this.#remembered += minute.remember(trade);
    for (let n = 0; this.#remembered > maxRememberedTrades; n++) {
      const oldest = this.#minutes[n];
      if (oldest === undefined) return;
      this.#remembered -= oldest.giveUpMemory();
    }
  }

  forgetTrades(minute: MinuteNode): void {
    this.#remembered -= minute.giveUpMemory();
  }

  rebuild(candles: readonly StoredCandle[], ranges: ReturnType<typeof seedRanges>): void {
    const before = new Map<string, CandleNode>();
    for (const week of this.#weeks) {
      refresh(week);
      collect(week, before);
    }
    const kept = this.#minutes;
    this.#weeks = [];
    this.#minutes = [];
    for (const minute of kept) this.insertMinute(minute);
    for (const candle of candles) {
      const { openTimeMs, interval, throughSequence } = candle;
      const isWanted = ranges.some((r) => r.interval === interval && openTimeMs >= r.fromMs && openTimeMs < r.toMs);
      if (!isWanted || candle.symbolId !== this.symbolId) continue;
      const level = candleIntervals.indexOf(interval);
      const node = level === 0 ? new MinuteNode(openTimeMs) : new CandleNode(level, openTimeMs);
      node.set(barOf(candle));
      if (!(node instanceof MinuteNode)) this.#insert(node);
      else if (this.minuteAt(openTimeMs) === undefined) {
        node.hold(throughSequence);
        this.insertMinute(node);
      }
    }
    for (const week of this.#weeks) {
      refresh(week);
      if (inherit(week, before)) this.touched = true;
    }
  }

  takeChanged(into: StoredCandle[]): void {
    this.touched = false;
    for (const week of this.#weeks) {
      refresh(week);
      take(week, this.symbolId, into);
    }
  }

  #insert(node: CandleNode): void {
    let siblings = this.#weeks;
    node.parent = null;
    for (let level = candleIntervals.length - 1; level > node.level; level--) {
      const openTimeMs = openTimeOf(intervalAt(level), node.openTimeMs);
      let parent = findIn(siblings, openTimeMs);
      if (parent === undefined) {
        parent = new CandleNode(level, openTimeMs);
        parent.parent = node.parent;
        insertInto(siblings, parent);
      }
      parent.stale = true;
      node.parent = parent;
      siblings = parent.parts;
    }
    insertInto(siblings, node);
  }
}

interface Bar {
  open: FixedPoint;
  high: FixedPoint;
  low: FixedPoint;
  close: FixedPoint;
  volume: FixedPoint;
  quoteVolume: FixedPoint;
  tradeCount: number;
  takerBuyVolume: FixedPoint;
  takerBuyQuoteVolume: FixedPoint;
}

class CandleNode implements Bar {
  open: FixedPoint = 0n;
  high: FixedPoint = 0n;
  low: FixedPoint = 0n;
  close: FixedPoint = 0n;
  volume: FixedPoint = 0n;
  quoteVolume: FixedPoint = 0n;
  tradeCount = 0;
  takerBuyVolume: FixedPoint = 0n;
  takerBuyQuoteVolume: FixedPoint = 0n;
  parent: CandleNode | null = null;
  /** Candles of the next shorter interval, oldest first; none of a minute and of what can no longer change. */
  parts: CandleNode[] = [];
  /** One of the parts, or of theirs, is not added up yet. */
  stale = false;
  /** Since it was last taken. */
  changed = false;
  /** It is changed itself or one of the parts is touched. */
  touched = false;

  constructor(
    readonly level: number,
    readonly openTimeMs: number,
  ) {}

  get closeTimeMs(): number {
    return this.openTimeMs + candleIntervalMs[intervalAt(this.level)];
  }

  /** @returns whether that made a difference */
  set(bar: Bar): boolean {
    if (isSame(this, bar)) return false;
    this.open = bar.open;
    this.high = bar.high;
    this.low = bar.low;
    this.close = bar.close;
    this.volume = bar.volume;
    this.quoteVolume = bar.quoteVolume;
    this.tradeCount = bar.tradeCount;
    this.takerBuyVolume = bar.takerBuyVolume;
    this.takerBuyQuoteVolume = bar.takerBuyQuoteVolume;
    return true;
  }

  touch(): void {
    this.changed = this.touched = true;
    for (let above = this.parent; above !== null && !(above.stale && above.touched); above = above.parent) {
      above.stale = above.touched = true;
    }
  }
}

class MinuteNode extends CandleNode {
  /** Key of the trade that opened it and of the one that closed it so far. */
  #openedAtMs = Number.POSITIVE_INFINITY;
  #openedBy = 0;
  #closedAtMs = Number.NEGATIVE_INFINITY;
  #closedBy = 0;
  /** Trades up to this sequence were in it when it was put in. */
  #heldThrough = -1;
  /** Trades up to this sequence can no longer be told from duplicates. */
  #unknownThrough = -1;
  #highest = -1;
  /** Sequences that are in it, as runs without gaps: first, last, first, last, … */
  #runs: number[] = [];
  /** For exchanges that give several trades one sequence, so that only their ids tell them apart. */
  #ids: Set<string> | null = null;

  constructor(openTimeMs: number) {
    super(0, openTimeMs);
  }

  get throughSequence(): number | null {
    return this.#highest === Number.POSITIVE_INFINITY ? null : this.#highest;
  }

  judge(trade: TradeEvent): "applied" | "duplicate" | "tooLate" {
    const { exchangeSequence } = trade;
    if (exchangeSequence <= this.#heldThrough) return "duplicate";
    if (exchangeSequence <= this.#unknownThrough) return "tooLate";
    const isKnown = isNumberedOneByOne(trade)
      ? isInRuns(this.#runs, exchangeSequence)
      : this.#ids?.has(trade.tradeId) === true;
    return isKnown ? "duplicate" : "applied";
  }

  add({ price, quantity, side, tradeCount, exchangeTimeMs, exchangeSequence }: TradeEvent): void {
    const exactPrice = toFixedPoint(price);
    const exactQuantity = toFixedPoint(quantity);
    const quoteQuantity = multiplyFixedPoint(exactPrice, exactQuantity);
    if (isBefore(exchangeTimeMs, exchangeSequence, this.#openedAtMs, this.#openedBy)) {
      this.open = exactPrice;
      this.#openedAtMs = exchangeTimeMs;
      this.#openedBy = exchangeSequence;
    }
    // Of trades with one number the last to come closes, as exchanges send them in order.
    if (!isBefore(exchangeTimeMs, exchangeSequence, this.#closedAtMs, this.#closedBy)) {
      this.close = exactPrice;
      this.#closedAtMs = exchangeTimeMs;
      this.#closedBy = exchangeSequence;
    }
    if (this.tradeCount === 0 || exactPrice > this.high) this.high = exactPrice;
    if (this.tradeCount === 0 || exactPrice < this.low) this.low = exactPrice;
    this.volume += exactQuantity;
    this.quoteVolume += quoteQuantity;
    this.tradeCount += tradeCount;
    if (side === "BUY") {
      this.takerBuyVolume += exactQuantity;
      this.takerBuyQuoteVolume += quoteQuantity;
    }
  }

  /** @returns how much more there is to remember; less than nothing when a gap between two runs closed */
  remember(trade: TradeEvent): number {
    const { exchangeSequence, tradeId } = trade;
    if (exchangeSequence > this.#highest) this.#highest = exchangeSequence;
    if (isNumberedOneByOne(trade)) return addToRuns(this.#runs, exchangeSequence);
    this.#ids ??= new Set();
    this.#ids.add(tradeId);
    return 1;
  }

  /** @returns how much was remembered */
  giveUpMemory(): number {
    const size = this.#runs.length / 2 + (this.#ids?.size ?? 0);
    if (size > 0) this.#unknownThrough = this.#highest;
    this.#runs = [];
    this.#ids = null;
    return size;
  }

  /** It has been put in as a whole and holds every trade up to this one, or simply every trade. */
  hold(throughSequence: number | null): void {
    this.#heldThrough = this.#highest = throughSequence ?? Number.POSITIVE_INFINITY;
    this.#openedAtMs = Number.NEGATIVE_INFINITY;
    this.#closedAtMs = this.openTimeMs;
    this.#closedBy = this.#heldThrough;
  }
}

function intervalAt(level: number): CandleInterval {
  const interval = candleIntervals[level];
  if (interval === undefined) throw new RangeError(`no interval ${level}`);
  return interval;
}

const isBefore = (timeMs: number, sequence: number, otherTimeMs: number, otherSequence: number): boolean =>
  timeMs < otherTimeMs || (timeMs === otherTimeMs && sequence < otherSequence);

/** Where the trade's id is its sequence, the sequence alone tells it apart, and no text has to be remembered. */
const isNumberedOneByOne = ({ tradeId, exchangeSequence }: TradeEvent): boolean => Number(tradeId) === exchangeSequence;

/** Index of the first run that ends at or after the sequence; the newest runs are looked at first. */
function runAt(runs: readonly number[], sequence: number): number {
  let low = 0;
  let high = runs.length / 2;
  if (high > 0 && sequence > (runs[runs.length - 1] ?? 0)) return high;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((runs[2 * middle + 1] ?? 0) < sequence) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isInRuns(runs: readonly number[], sequence: number): boolean {
  const first = runs[2 * runAt(runs, sequence)];
  return first !== undefined && first <= sequence;
}

/** @param sequence not in the runs @returns by how many runs there are more */
function addToRuns(runs: number[], sequence: number): number {
  const next = 2 * runAt(runs, sequence);
  const followsLast = next > 0 && runs[next - 1] === sequence - 1;
  const precedesNext = runs[next] === sequence + 1;
  if (followsLast && precedesNext) runs.splice(next - 1, 2);
  else if (followsLast) runs[next - 1] = sequence;
  else if (precedesNext) runs[next] = sequence;
  else if (next === runs.length) runs.push(sequence, sequence);
  else runs.splice(next, 0, sequence, sequence);
  return followsLast && precedesNext ? -1 : followsLast || precedesNext ? 0 : 1;
}

/** From the end, because nearly everything happens there. */
function findIn<T extends CandleNode>(nodes: readonly T[], openTimeMs: number): T | undefined {
  for (let n = nodes.length - 1; n >= 0; n--) {
    const node = nodes[n];
    if (node === undefined || node.openTimeMs < openTimeMs) return undefined;
    if (node.openTimeMs === openTimeMs) return node;
  }
  return undefined;
}

function insertInto<T extends CandleNode>(nodes: T[], node: T): void {
  let n = nodes.length;
  while (n > 0 && (nodes[n - 1]?.openTimeMs ?? 0) > node.openTimeMs) n--;
  nodes.splice(n, 0, node);
}

/** Adds up what is stale, from below. */
function refresh(node: CandleNode): void {
  if (!node.stale) return;
  node.stale = false;
  for (const part of node.parts) refresh(part);
  const [first] = node.parts;
  if (first === undefined) return;
  let { high, low, close, volume, quoteVolume, tradeCount, takerBuyVolume, takerBuyQuoteVolume } = first;
  for (let n = 1; n < node.parts.length; n++) {
    const part = node.parts[n] ?? first;
    if (part.high > high) high = part.high;
    if (part.low < low) low = part.low;
    close = part.close;
    volume += part.volume;
    quoteVolume += part.quoteVolume;
    tradeCount += part.tradeCount;
    takerBuyVolume += part.takerBuyVolume;
    takerBuyQuoteVolume += part.takerBuyQuoteVolume;
  }
  const { open } = first;
  const bar = { open, high, low, close, volume, quoteVolume, tradeCount, takerBuyVolume, takerBuyQuoteVolume };
  if (node.set(bar)) node.changed = node.touched = true;
}

/** What ended before the kept minutes needs no parts any more. @returns how many changed ones went without being taken */
function dropParts(node: CandleNode, keptFromMs: number): number {
  let untaken = 0;
  for (const part of node.parts) untaken += dropParts(part, keptFromMs);
  if (node.parts.length === 0 || node.closeTimeMs > keptFromMs) return untaken;
  refresh(node);
  for (const part of node.parts) if (part.changed) untaken++;
  node.parts = [];
  return untaken;
}

function take(node: CandleNode, symbolId: number, into: StoredCandle[]): void {
  if (!node.touched) return;
  if (node.changed) into.push(candleOf(node, symbolId));
  node.changed = node.touched = false;
  for (const part of node.parts) take(part, symbolId, into);
}

const keyOf = ({ level, openTimeMs }: CandleNode): string => `${level} ${openTimeMs}`;

function collect(node: CandleNode, into: Map<string, CandleNode>): void {
  into.set(keyOf(node), node);
  for (const part of node.parts) collect(part, into);
}

/** Of a rebuilt tree, what differs from before is changed, and what was is still; what is new comes from the store. */
function inherit(node: CandleNode, before: ReadonlyMap<string, CandleNode>): boolean {
  const old = before.get(keyOf(node));
  // A leaf is a minute that stayed or a candle from the store.
  if (node.parts.length > 0) node.changed = old !== undefined && (old.changed || !isSame(old, node));
  node.touched = node.changed;
  for (const part of node.parts) if (inherit(part, before)) node.touched = true;
  return node.touched;
}

const isSame = (a: Bar, b: Bar): boolean =>
  a.open === b.open &&
  a.high === b.high &&
  a.low === b.low &&
  a.close === b.close &&
  a.volume === b.volume &&
  a.quoteVolume === b.quoteVolume &&
  a.tradeCount === b.tradeCount &&
  a.takerBuyVolume === b.takerBuyVolume &&
  a.takerBuyQuoteVolume === b.takerBuyQuoteVolume;

const barOf = (candle: Candle): Bar => ({
  open: toFixedPoint(candle.open),
  high: toFixedPoint(candle.high),
  low: toFixedPoint(candle.low),
  close: toFixedPoint(candle.close),
  volume: toFixedPoint(candle.volume),
  quoteVolume: toFixedPoint(candle.quoteVolume),
  tradeCount: candle.tradeCount,
  takerBuyVolume: toFixedPoint(candle.takerBuyVolume),
  takerBuyQuoteVolume: toFixedPoint(candle.takerBuyQuoteVolume),
});

const candleOf = (node: CandleNode, symbolId: number): StoredCandle => ({
  symbolId,
  interval: intervalAt(node.level),
  openTimeMs: node.openTimeMs,
  open: fromFixedPoint(node.open),
  high: fromFixedPoint(node.high),
  low: fromFixedPoint(node.low),
  close: fromFixedPoint(node.close),
  volume: fromFixedPoint(node.volume),
  quoteVolume: fromFixedPoint(node.quoteVolume),
  tradeCount: node.tradeCount,
  takerBuyVolume: fromFixedPoint(node.takerBuyVolume),
  takerBuyQuoteVolume: fromFixedPoint(node.takerBuyQuoteVolume),
  throughSequence: node instanceof MinuteNode ? node.throughSequence : null,
});
