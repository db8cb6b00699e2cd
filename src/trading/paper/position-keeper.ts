import type { Decimal } from "../../core/decimal.js";
import { beyondMargin } from "../futures-settlement.js";
import { type MarketView, takerPrice } from "../market-view.js";
import { cut, notionalOf } from "../money.js";
import { entryPriceOf, fundingAmount, type Position } from "../position.js";
import type { TradingSymbol } from "../trading-symbol.js";
import type { FundingEvent, LiquidationEvent, VenueEvent } from "../venue.js";
import { isUsedUp, type MarkedPosition, toBeLiquidated } from "./liquidation.js";
import type { PaperPositions } from "./paper-positions.js";

interface Funding {
  readonly rate: Decimal;
  /** Null: the last price. */
  readonly markPrice: Decimal | null;
  readonly fundingAt: Date;
}

export interface KeeperSources {
  symbolOf(symbolId: number): TradingSymbol;
  /** Null when there is no current one. */
  viewOf(symbolId: number): MarketView | null;
  /** The open orders of an account are taken from the market before its positions are closed. */
  cancelOrders(accountId: string, symbolIds: ReadonlySet<number>, now: Date): void;
}

/** Funding and liquidation of the paper venue's positions. The last price counts as mark price. */
export class PositionKeeper {
  /** The next payment of each symbol, and when the last one was. */
  readonly #expected = new Map<number, Funding>();
  readonly #paidAtMs = new Map<number, number>();

  constructor(
    private readonly positions: PaperPositions,
    private readonly sources: KeeperSources,
  ) {}

  /** The newest statement about a payment counts; one that was paid already is not expected again. */
  expectFunding(symbolId: number, funding: Funding): void {
    if (funding.fundingAt.getTime() > (this.#paidAtMs.get(symbolId) ?? 0)) this.#expected.set(symbolId, funding);
  }

  /** Pays what is due; without any price it stays due. */
  payFunding(now: Date): VenueEvent[] {
    const events: VenueEvent[] = [];
    for (const [symbolId, { rate, markPrice, fundingAt }] of this.#expected) {
      const price = markPrice ?? this.sources.viewOf(symbolId)?.price ?? null;
      if (fundingAt > now || price === null) continue;
      this.#expected.delete(symbolId);
      this.#paidAtMs.set(symbolId, fundingAt.getTime());
      const { quoteAsset } = this.sources.symbolOf(symbolId);
      for (const accountId of this.positions.holders(symbolId)) {
        for (const position of this.positions.of(accountId, symbolId)) {
          // Who opened after the payment was due has no part in it.
          if (position.openedAt >= fundingAt) continue;
          const amount = fundingAmount(position, rate, price);
          this.positions.receive(accountId, quoteAsset, amount);
          events.push({
            kind: "funding",
            accountId,
            symbolId,
            side: position.side,
            exchangePaymentId: `funding:${symbolId}:${position.side}:${fundingAt.getTime()}`,
            rate,
            markPrice: price,
            amount,
            asset: quoteAsset,
            at: fundingAt,
          } satisfies FundingEvent);
        }
      }
    }
    return events;
  }

  /** Closes what can no longer be borne after the price of a symbol has moved. */
  liquidate(symbolId: number, now: Date): VenueEvent[] {
    const events: VenueEvent[] = [];
    for (const accountId of this.positions.holders(symbolId)) {
      for (const marked of this.positions.of(accountId, symbolId).map((position) => this.#mark(position))) {
        if (marked.position.marginMode !== "ISOLATED" || !isUsedUp(marked.position.marginUsed, [marked])) continue;
        this.sources.cancelOrders(accountId, new Set([symbolId]), now);
        events.push(this.#close(marked, now));
      }
      events.push(...this.#liquidateCross(accountId, symbolId, now));
    }
    return events;
  }

  /** Cross positions of one quote currency stand and fall together. */
  #liquidateCross(accountId: string, symbolId: number, now: Date): VenueEvent[] {
    const { quoteAsset } = this.sources.symbolOf(symbolId);
    const cross = this.positions
      .all(accountId)
      .filter(({ marginMode }) => marginMode === "CROSS")
      .filter((position) => this.sources.symbolOf(position.symbolId).quoteAsset === quoteAsset)
      .map((position) => this.#mark(position));
    const wallet = this.positions.crossWallet(accountId, quoteAsset, (id) => this.sources.symbolOf(id));
    const due = toBeLiquidated(wallet, cross);
    if (due.length === 0) return [];
    this.sources.cancelOrders(accountId, new Set(cross.map(({ position }) => position.symbolId)), now);
    return due.map((marked) => this.#close(marked, now));
  }

  /** Without a current price the position is taken at what it cost. */
  #mark(position: Position): MarkedPosition {
    const markPrice = this.sources.viewOf(position.symbolId)?.price ?? entryPriceOf(position) ?? position.entryCost;
    return { position, markPrice, rate: this.sources.symbolOf(position.symbolId).maintenanceMarginRate };
  }

  #close({ position, markPrice }: MarkedPosition, now: Date): LiquidationEvent {
    const { accountId, symbolId, side, quantity } = position;
    const symbol = this.sources.symbolOf(symbolId);
    const view = this.sources.viewOf(symbolId);
    const price = view === null ? markPrice : takerPrice(view, side === "LONG" ? "SELL" : "BUY");
    const commission = cut(notionalOf({ price, quantity }).times(symbol.takerFee));
    const reduction = this.positions.reduce(position, { price, quantity, at: now }, symbol);
    const insured = beyondMargin(position, reduction, commission);
    this.positions.receive(accountId, symbol.quoteAsset, insured.minus(commission));
    return {
      kind: "liquidation",
      accountId,
      symbolId,
      side,
      exchangeFillId: `liquidation:${symbolId}:${side}:${now.getTime()}`,
      price,
      quantity,
      commission,
      commissionAsset: symbol.quoteAsset,
      at: now,
    };
  }
}
