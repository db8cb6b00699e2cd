import { Field, Int, ObjectType } from "type-graphql";
import { enumOf } from "../catalogue/graphql-types.js";
import type { DecimalText } from "../core/decimal.js";
import { NodeType } from "../graphql/node.js";
import { DecimalScalar } from "../graphql/scalars.js";
import { type CandleInterval, candleIntervals } from "./candle-intervals.js";

export const CandleIntervalEnum = enumOf("CandleInterval", candleIntervals, "Length of a candle; all begin in UTC.", {
  M1: "One minute.",
  M5: "Five minutes.",
  M15: "A quarter of an hour.",
  M30: "Half an hour.",
  H1: "One hour.",
  H4: "Four hours.",
  D1: "One day.",
  W1: "One week, from Monday.",
});

export const OrderSideEnum = enumOf("OrderSide", ["BUY", "SELL"], "Side of an order or a trade.", {
  BUY: "Buying the base currency.",
  SELL: "Selling the base currency.",
});

@ObjectType("Candle", {
  description: "Trades of one interval. An interval without a trade has no candle.",
})
export class CandleType {
  @Field(() => CandleIntervalEnum, { description: "Its length." })
  interval!: CandleInterval;
  @Field(() => DecimalScalar, { description: "Price of the first trade, in the quote currency." })
  open!: DecimalText;
  @Field(() => DecimalScalar, { description: "Highest price." })
  high!: DecimalText;
  @Field(() => DecimalScalar, { description: "Lowest price." })
  low!: DecimalText;
  @Field(() => DecimalScalar, { description: "Price of the last trade." })
  close!: DecimalText;
  @Field(() => DecimalScalar, { description: "Traded, in the base currency." })
  volume!: DecimalText;
  @Field(() => DecimalScalar, { description: "Traded, in the quote currency." })
  quoteVolume!: DecimalText;
  @Field(() => Int, {
    description:
      "Number of the exchange's trades. 0 where it is not known: the candle came from an exchange that does not count them, and its trades were not seen as they happened. Longer candles count what is known.",
  })
  tradeCount!: number;
  @Field(() => DecimalScalar, {
    description: "Of the volume, what takers bought, in the base currency; 0 where `tradeCount` is not known.",
  })
  takerBuyVolume!: DecimalText;
  @Field(() => DecimalScalar, {
    description: "Of the volume, what takers bought, in the quote currency; 0 where `tradeCount` is not known.",
  })
  takerBuyQuoteVolume!: DecimalText;
}

@ObjectType("MarketTrade", { description: "A trade on the exchange, of anybody." })
export class MarketTradeType {
  @Field(() => DecimalScalar, { description: "In the quote currency." })
  price!: DecimalText;
  @Field(() => DecimalScalar, { description: "In the base currency." })
  quantity!: DecimalText;
  @Field(() => OrderSideEnum, { description: "Of the taker: BUY when the buyer crossed the spread." })
  side!: "BUY" | "SELL";
  @Field(() => String, { description: "The exchange's id; unique per symbol." })
  tradeId!: string;
}

@ObjectType("PriceLevel", { description: "All orders at one price." })
export class PriceLevelType {
  @Field(() => DecimalScalar, { description: "In the quote currency." })
  price!: DecimalText;
  @Field(() => DecimalScalar, { description: "In the base currency." })
  quantity!: DecimalText;
}

@ObjectType("OrderBook", { description: "The best levels of a book, as the exchange has it." })
export class OrderBookType {
  @Field(() => [PriceLevelType], { description: "Highest price first." })
  bids!: PriceLevelType[];
  @Field(() => [PriceLevelType], { description: "Lowest price first." })
  asks!: PriceLevelType[];
  @Field(() => DecimalScalar, { description: "Sum of the quantities of `bids`." })
  totalBidQuantity!: DecimalText;
  @Field(() => DecimalScalar, { description: "Sum of the quantities of `asks`." })
  totalAskQuantity!: DecimalText;
}

@ObjectType("FundingRate", { description: "What longs pay to shorts of a perpetual; negative: shorts to longs." })
export class FundingRateType {
  @Field(() => DecimalScalar, { description: 'A fraction of the position: "0.0001" is 0.01 %.' })
  rate!: DecimalText;
  @Field(() => DecimalScalar, { nullable: true, description: "Mark price at that time, in the quote currency." })
  markPrice!: DecimalText | null;
  @Field(() => DecimalScalar, { nullable: true, description: "Index price at that time, in the quote currency." })
  indexPrice!: DecimalText | null;
}

@ObjectType("OrderFlowMetrics", {
  description:
    "Order-flow imbalance (Cont, Kukanov, Stoikov 2014), micro-price (Stoikov 2018) and volume imbalance over the last window.",
})
export class OrderFlowMetricsType {
  @Field(() => Int, { description: "Length of the window in milliseconds." })
  windowMs!: number;
  @Field(() => DecimalScalar, {
    description: "Signed changes at the best prices, in the base currency; positive when buyers press.",
  })
  ofi!: DecimalText;
  @Field(() => DecimalScalar, {
    description: "Expected price after the next moves of the mid price, in the quote currency.",
  })
  microprice!: DecimalText;
  @Field(() => DecimalScalar, {
    description: "(bid − ask) / (bid + ask) of the quantities at the best prices, from -1 to 1.",
  })
  volumeImbalance!: DecimalText;
}

@ObjectType("ArbitrageOpportunity", {
  implements: NodeType,
  description: "Buying on one market and selling the same on another leaves something after both markets' taker fees.",
})
export class ArbitrageOpportunityType extends NodeType {
  @Field(() => DecimalScalar, { description: "Best ask where it is bought." })
  buyPrice!: DecimalText;
  @Field(() => DecimalScalar, { description: "Best bid where it is sold." })
  sellPrice!: DecimalText;
  @Field(() => DecimalScalar, { description: "Between the two, in hundredths of a per cent of the buying price." })
  spreadBps!: DecimalText;
  @Field(() => DecimalScalar, { description: "The same after both markets' taker fees." })
  netSpreadBps!: DecimalText;
  @Field(() => DecimalScalar, {
    description: "How much both books hold at prices that leave something, in the base currency.",
  })
  maxQuantity!: DecimalText;
}
