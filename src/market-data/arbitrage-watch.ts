import type { Catalogue, MarketSymbol } from "../catalogue/catalogue.js";
import { groupBy } from "../core/group-by.js";
import type { Clock } from "../core/time.js";
import { ArbitrageDetector, type ArbitrageSpread, type LegBook } from "./arbitrage.js";

/** An opportunity from its opening on; updated in place while it is open. */
export interface ArbitrageOpportunity extends ArbitrageSpread {
  readonly id: string;
  readonly detectedAtMs: number;
  readonly closedAtMs: number | null;
}

export interface ArbitrageWatchOptions {
  readonly catalogue: Catalogue;
  readonly clock: Clock;
  /** A time-ordered unique id. */
  readonly newId: () => string;
  /** Opened, changed or closed. */
  readonly onChange: (opportunity: ArbitrageOpportunity) => void;
}

/**
 * Watches the tracked symbols of all markets that trade the same base against the same quote currency in the same way: spot
 * with spot, futures with futures, because a future cannot be delivered for what was bought; but only while they are traded.
 * Follows the catalogue.
 */
export class ArbitrageWatch {
  readonly #detectors = new Map<string, { readonly legs: string; readonly detector: ArbitrageDetector }>();
  readonly #detectorOf = new Map<number, ArbitrageDetector>();
  readonly #books = new Map<number, LegBook>();
  readonly #open = new Map<string, ArbitrageOpportunity>();
  readonly #stopFollowing: () => void;

  constructor(private readonly options: ArbitrageWatchOptions) {
    this.#stopFollowing = options.catalogue.onChange(({ table }) => {
      if (table === "symbols" || table === "markets") this.#arrange();
    });
    this.#arrange();
  }

  /** Those that are open now, the widest first. */
  get open(): ArbitrageOpportunity[] {
    return [...this.#open.values()];
  }

  /** @param book null when it is lost or out of date */
  update(symbolId: number, book: LegBook | null): void {
    if (book === null) this.#books.delete(symbolId);
    else this.#books.set(symbolId, book);
    this.#detectorOf.get(symbolId)?.update(symbolId, book);
  }

  /** Closes what is open: nobody watches it any more. */
  close(): void {
    this.#stopFollowing();
    for (const { detector } of this.#detectors.values()) detector.close();
  }

  #arrange(): void {
    const { catalogue } = this.options;
    // Where nothing is traded, the book stands still.
    const traded = catalogue.trackedSymbols.filter(
      ({ status, marketId }) => status === "TRADING" && catalogue.market(marketId).operatorStatus === null,
    );
    const groups = groupBy(traded, (symbol) => {
      const { marketType } = catalogue.market(symbol.marketId);
      return `${marketType} ${symbol.baseCurrency}/${symbol.quoteCurrency}`;
    });
    this.#detectorOf.clear();
    for (const [key, { detector }] of this.#detectors) {
      if ((groups.get(key)?.length ?? 0) > 1) continue;
      detector.close();
      this.#detectors.delete(key);
    }
    for (const [key, symbols] of groups) {
      if (symbols.length < 2) continue;
      const detector = this.#detectorFor(key, symbols);
      for (const symbol of symbols) this.#detectorOf.set(symbol.id, detector);
    }
  }

  /** The known one while its legs and their fees are the same; otherwise a new one that knows the books. */
  #detectorFor(key: string, symbols: readonly MarketSymbol[]): ArbitrageDetector {
    const { catalogue } = this.options;
    const legs = symbols.map((symbol) => ({
      symbolId: symbol.id,
      takerFee: catalogue.market(symbol.marketId).defaultCommissionRate,
    }));
    const text = JSON.stringify(legs);
    const known = this.#detectors.get(key);
    if (known?.legs === text) return known.detector;
    known?.detector.close();
    const detector = new ArbitrageDetector(legs, {
      onOpened: (spread) => this.#opened(spread),
      onChanged: (spread) => this.#changed(spread),
      onClosed: (buySymbolId, sellSymbolId) => this.#closed(buySymbolId, sellSymbolId),
    });
    this.#detectors.set(key, { legs: text, detector });
    for (const { symbolId } of legs) {
      const book = this.#books.get(symbolId);
      if (book !== undefined) detector.update(symbolId, book);
    }
    return detector;
  }

  #opened(spread: ArbitrageSpread): void {
    const { newId, clock } = this.options;
    this.#tell({ ...spread, id: newId(), detectedAtMs: clock.nowMs(), closedAtMs: null });
  }

  #changed(spread: ArbitrageSpread): void {
    const known = this.#open.get(keyOf(spread.buySymbolId, spread.sellSymbolId));
    if (known !== undefined) this.#tell({ ...known, ...spread });
  }

  #closed(buySymbolId: number, sellSymbolId: number): void {
    const key = keyOf(buySymbolId, sellSymbolId);
    const known = this.#open.get(key);
    if (known === undefined) return;
    this.#open.delete(key);
    this.options.onChange({ ...known, closedAtMs: this.options.clock.nowMs() });
  }

  #tell(opportunity: ArbitrageOpportunity): void {
    this.#open.set(keyOf(opportunity.buySymbolId, opportunity.sellSymbolId), opportunity);
    this.options.onChange(opportunity);
  }
}

const keyOf = (buySymbolId: number, sellSymbolId: number): string => `${buySymbolId}>${sellSymbolId}`;
