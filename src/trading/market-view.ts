import { Decimal, type DecimalText } from "../core/decimal.js";
import type { OrderSide } from "./order.js";

/** Price and quantity, best first on each side. */
export interface ViewLevel {
  readonly price: Decimal;
  readonly quantity: Decimal;
}

/** What is known of a symbol's market at an instant, as an order meets it. */
export interface MarketView {
  /** Last traded. */
  readonly price: Decimal;
  readonly bids: readonly ViewLevel[];
  readonly asks: readonly ViewLevel[];
  /** No message for longer than the provider's limit: nothing is executed on it. */
  readonly isStale: boolean;
}

/** The part of a quote that trading needs; the whole of it is `Quote` of market-data. */
interface QuotedPrices {
  readonly price: DecimalText;
  readonly bid: DecimalText | null;
  readonly bidQuantity: DecimalText | null;
  readonly ask: DecimalText | null;
  readonly askQuantity: DecimalText | null;
  readonly isStale: boolean;
}

interface BookSides {
  readonly bids: readonly (readonly [price: DecimalText, quantity: DecimalText])[];
  readonly asks: readonly (readonly [price: DecimalText, quantity: DecimalText])[];
}

/** @param book where there is none, the best bid and ask of the quote are the book */
export function marketViewOf(quote: QuotedPrices, book: BookSides | null): MarketView {
  const levels = (side: BookSides["bids"]): ViewLevel[] =>
    side.map(([price, quantity]) => ({ price: new Decimal(price), quantity: new Decimal(quantity) }));
  const best = (price: DecimalText | null, quantity: DecimalText | null): ViewLevel[] =>
    price === null || quantity === null ? [] : levels([[price, quantity]]);
  return {
    price: new Decimal(quote.price),
    bids: book === null ? best(quote.bid, quote.bidQuantity) : levels(book.bids),
    asks: book === null ? best(quote.ask, quote.askQuantity) : levels(book.asks),
    isStale: quote.isStale,
  };
}

/** The levels that an order of this side takes from. */
export const oppositeLevels = (view: MarketView, side: OrderSide): readonly ViewLevel[] =>
  side === "BUY" ? view.asks : view.bids;

/** What the next unit costs or brings: the best price on the other side, or the last one where there is none. */
export const takerPrice = (view: MarketView, side: OrderSide): Decimal =>
  oppositeLevels(view, side)[0]?.price ?? view.price;
