import type { DecimalText } from "../../core/decimal.js";
import { type Change, changeSince, floatAsText, isObject, positiveAmount, type Untrusted } from "../reading.js";
import { bookTickerOf, type RawSide, reasonsOf, ticker24hOf, turnoverAt } from "../stream/events.js";
import { type Decoded, rejected } from "../stream/protocol.js";
import type { YahooQuote } from "./wire.js";

/**
 * What Yahoo calls a ticker of the market: dots and what follows them are its names for exchanges, so that the B shares of
 * Berkshire are BRK-B, and THYAO of Istanbul is THYAO.IS.
 */
export function yahooSymbol(marketCode: string, ticker: string): string {
  if (marketCode === "BIST_EQUITY") return ticker.endsWith(".IS") ? ticker : `${ticker}.IS`;
  return ticker.replaceAll(".", "-");
}

/** One quote as events: the day's statistics with the last price, and the best bid and offer. */
export function decodeQuote(raw: unknown, symbolId: number, receivedAtMs: number): readonly Decoded[] {
  if (!isObject(raw)) return [notAQuote];
  const quote = raw as Untrusted<YahooQuote>;
  const known = { symbolId, contractSize: null };
  const exchangeTimeMs = milliseconds(quote.regularMarketTime);
  const volume = floatAsText(quote.regularMarketVolume);
  const last = floatAsText(quote.regularMarketPrice);
  const statistics = ticker24hOf(
    known,
    {
      last,
      high: floatAsText(quote.regularMarketDayHigh),
      low: floatAsText(quote.regularMarketDayLow),
      volume,
      // Yahoo gives none.
      quoteVolume: turnoverAt(last, volume),
      // The day's change counts from the close before it.
      change: floatAsText(quote.regularMarketPreviousClose),
      changeOf: changeSinceClose,
      exchangeTimeMs,
    },
    receivedAtMs,
    quotes,
  );
  const bid = side(quote.bid, quote.bidSize);
  const ask = side(quote.ask, quote.askSize);
  // Yahoo numbers nothing; answers come one after the other. Without sides it says that the earlier ones are gone.
  const book = { bid, ask, sequence: receivedAtMs, exchangeTimeMs };
  return [statistics, bookTickerOf(known, book, receivedAtMs, books)];
}

/** The library makes Dates of the seconds, unless the answer is not what it expects. */
function milliseconds(raw: unknown): unknown {
  if (raw instanceof Date) return raw.getTime();
  return typeof raw === "number" ? raw * 1000 : raw;
}

function changeSinceClose(last: DecimalText, rawClose: unknown): Change | null {
  const close = positiveAmount(rawClose);
  return close === null ? null : changeSince(close, last);
}

const sharesPerLot = 100;

function side(price: unknown, lots: unknown): RawSide {
  if (isNone(price) || isNone(lots)) return null;
  return { price: floatAsText(price), quantity: floatAsText(typeof lots === "number" ? lots * sharesPerLot : lots) };
}

const isNone = (raw: unknown): boolean => raw === undefined || raw === null || raw === 0;

const quotes = reasonsOf("quote");
const books = reasonsOf("quote-book");
const notAQuote = rejected("not-a-quote");
