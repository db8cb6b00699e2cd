import type { DataProvider } from "../catalogue/catalogue.js";
import * as binanceSpotKlines from "./binance/klines.js";
import { binanceSpotProtocol } from "./binance/protocol.js";
import * as binanceSpot from "./binance/rest.js";
import * as binanceFuturesKlines from "./binance-futures/klines.js";
import { binanceFuturesProtocol } from "./binance-futures/protocol.js";
import * as binanceFutures from "./binance-futures/rest.js";
import * as bybitKlines from "./bybit/klines.js";
import { bybitFuturesProtocol, bybitSpotProtocol } from "./bybit/protocol.js";
import * as bybit from "./bybit/rest.js";
import { ccxtAdapter } from "./ccxt/adapter.js";
import type { FeedAdapter } from "./feed.js";
import * as gateKlines from "./gateio/klines.js";
import { gateFuturesProtocol, gateSpotProtocol } from "./gateio/protocol.js";
import * as gate from "./gateio/rest.js";
import * as mexcKlines from "./mexc/klines.js";
import { mexcSpotProtocol } from "./mexc/protocol.js";
import * as mexc from "./mexc/rest.js";
import * as okxKlines from "./okx/klines.js";
import { okxFuturesProtocol, okxSpotProtocol } from "./okx/protocol.js";
import * as okx from "./okx/rest.js";
import { streamAdapter } from "./stream/adapter.js";
import { yahooAdapter } from "./yahoo/adapter.js";

/** Each market's own protocol. The simulated exchange speaks the protocol of the market that it stands in for. */
const ownAdapters: ReadonlyMap<string, FeedAdapter> = new Map([
  ["BINANCE_SPOT", streamAdapter(binanceSpotProtocol, binanceSpot.fetchInstruments, binanceSpotKlines.minutes)],
  [
    "BINANCE_FUTURES",
    streamAdapter(binanceFuturesProtocol, binanceFutures.fetchInstruments, binanceFuturesKlines.minutes),
  ],
  ["BYBIT_SPOT", streamAdapter(bybitSpotProtocol, bybit.fetchSpotInstruments, bybitKlines.spotMinutes)],
  ["BYBIT_FUTURES", streamAdapter(bybitFuturesProtocol, bybit.fetchFuturesInstruments, bybitKlines.futuresMinutes)],
  ["OKX_SPOT", streamAdapter(okxSpotProtocol, okx.fetchSpotInstruments, okxKlines.spotMinutes)],
  ["OKX_FUTURES", streamAdapter(okxFuturesProtocol, okx.fetchSwapInstruments, okxKlines.swapMinutes)],
  ["MEXC_SPOT", streamAdapter(mexcSpotProtocol, mexc.fetchInstruments, mexcKlines.minutes)],
  ["GATEIO_SPOT", streamAdapter(gateSpotProtocol, gate.fetchSpotInstruments, gateKlines.spotMinutes)],
  ["GATEIO_FUTURES", streamAdapter(gateFuturesProtocol, gate.fetchFuturesInstruments, gateKlines.futuresMinutes)],
]);

/** Those of ccxt that were asked for; they keep lists of markets. Bounded by the providers there are. */
const ccxtAdapters = new Map<string, FeedAdapter>();

/**
 * How the provider is spoken to; words of its code tell. `CCXT_KRAKEN` is Kraken by ccxt, `KRAKEN_SPOT_CCXT` the market's own
 * exchange; ccxt knows the addresses, so such a provider may be of either feed type. `NYSE_EQUITY_YAHOO` is Yahoo Finance,
 * asked by REST. Anyone else who sends by WebSocket speaks the market's own protocol.
 */
export function adapterOf(
  { code, feedType }: Pick<DataProvider, "code" | "feedType">,
  marketCode: string,
): FeedAdapter | undefined {
  const words = code.split("_");
  if (words.includes("CCXT")) {
    const exchange = words[0] === "CCXT" ? words[1] : marketCode.split("_")[0];
    return exchange === undefined ? undefined : ccxtAdapterOf(exchange.toLowerCase(), marketCode);
  }
  if (feedType === "WEBSOCKET") return ownAdapters.get(marketCode);
  return words.includes("YAHOO") ? yahooAdapter(marketCode) : undefined;
}

function ccxtAdapterOf(exchangeId: string, marketCode: string): FeedAdapter {
  const key = `${exchangeId} ${marketCode}`;
  const adapter = ccxtAdapters.get(key) ?? ccxtAdapter(exchangeId, marketCode);
  ccxtAdapters.set(key, adapter);
  return adapter;
}
