import type { DataProvider } from "../catalogue/catalogue.js";
import { binanceSpotProtocol } from "./binance/protocol.js";
import * as binanceSpot from "./binance/rest.js";
import { binanceFuturesProtocol } from "./binance-futures/protocol.js";
import * as binanceFutures from "./binance-futures/rest.js";
import { bybitFuturesProtocol, bybitSpotProtocol } from "./bybit/protocol.js";
import * as bybit from "./bybit/rest.js";
import type { FeedAdapter } from "./feed.js";
import { gateFuturesProtocol, gateSpotProtocol } from "./gateio/protocol.js";
import * as gate from "./gateio/rest.js";
import { mexcSpotProtocol } from "./mexc/protocol.js";
import * as mexc from "./mexc/rest.js";
import { okxFuturesProtocol, okxSpotProtocol } from "./okx/protocol.js";
import * as okx from "./okx/rest.js";
import { streamAdapter } from "./stream/adapter.js";
import { yahooAdapter } from "./yahoo/adapter.js";

/** Each market's own protocol. The simulated exchange speaks the protocol of the market that it stands in for. */
const ownAdapters: ReadonlyMap<string, FeedAdapter> = new Map([
  ["BINANCE_SPOT", streamAdapter(binanceSpotProtocol, binanceSpot.fetchInstruments)],
  ["BINANCE_FUTURES", streamAdapter(binanceFuturesProtocol, binanceFutures.fetchInstruments)],
  ["BYBIT_SPOT", streamAdapter(bybitSpotProtocol, bybit.fetchSpotInstruments)],
  ["BYBIT_FUTURES", streamAdapter(bybitFuturesProtocol, bybit.fetchFuturesInstruments)],
  ["OKX_SPOT", streamAdapter(okxSpotProtocol, okx.fetchSpotInstruments)],
  ["OKX_FUTURES", streamAdapter(okxFuturesProtocol, okx.fetchSwapInstruments)],
  ["MEXC_SPOT", streamAdapter(mexcSpotProtocol, mexc.fetchInstruments, mexc.minutes)],
  ["GATEIO_SPOT", streamAdapter(gateSpotProtocol, gate.fetchSpotInstruments)],
  ["GATEIO_FUTURES", streamAdapter(gateFuturesProtocol, gate.fetchFuturesInstruments)],
]);

/**
 * How the provider is spoken to. Who it is tells its code: `YAHOO…` is Yahoo Finance, asked by REST; anyone else who sends by
 * WebSocket speaks the market's own protocol.
 */
export function adapterOf(
  { code, feedType }: Pick<DataProvider, "code" | "feedType">,
  marketCode: string,
): FeedAdapter | undefined {
  if (feedType === "WEBSOCKET") return ownAdapters.get(marketCode);
  return code.startsWith("YAHOO") ? yahooAdapter(marketCode) : undefined;
}
