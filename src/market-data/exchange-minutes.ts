import type { DecimalText } from "../core/decimal.js";
import type { Candle, StoredCandle } from "./candles.js";

/** A minute as the exchange's own klines have it. Minutes without a trade may be there with a volume of zero, or not at all. */
export interface ExchangeMinute {
  readonly openTimeMs: number;
  readonly open: DecimalText;
  readonly high: DecimalText;
  readonly low: DecimalText;
  readonly close: DecimalText;
  /** In the base currency. */
  readonly volume: DecimalText;
  readonly quoteVolume: DecimalText;
  /** This and the next two are null where the exchange does not tell. */
  readonly tradeCount: number | null;
  readonly takerBuyVolume: DecimalText | null;
  readonly takerBuyQuoteVolume: DecimalText | null;
}

const zero = "0" as DecimalText;

/**
 * The minute as it is stored. Where the exchange does not count its trades, a minute of ours that saw all of them, which is
 * when prices and volume agree, keeps its own count; otherwise nobody knows it, and it is 0.
 */
export function completeMinute(symbolId: number, minute: ExchangeMinute, ours: Candle | undefined): StoredCandle {
  const isWhole =
    ours !== undefined &&
    ours.open === minute.open &&
    ours.high === minute.high &&
    ours.low === minute.low &&
    ours.close === minute.close &&
    ours.volume === minute.volume;
  // With our own quote volume: the exchange rounds, and what takers bought must not be more than all.
  if (isWhole && minute.tradeCount === null) return { ...ours, throughSequence: null };
  return {
    ...minute,
    symbolId,
    interval: "M1",
    tradeCount: minute.tradeCount ?? 0,
    takerBuyVolume: minute.takerBuyVolume ?? zero,
    takerBuyQuoteVolume: minute.takerBuyQuoteVolume ?? zero,
    throughSequence: null,
  };
}
