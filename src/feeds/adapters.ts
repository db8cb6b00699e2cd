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

/** The protocol of each market. The simulated exchange speaks the protocol of the market that it stands in for. */
const adapters: ReadonlyMap<string, FeedAdapter> = new Map([
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

export const adapterOf = (marketCode: string): FeedAdapter | undefined => adapters.get(marketCode);
