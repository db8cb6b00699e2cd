import * as binanceSpotKlines from "./binance/klines.js";
import { binanceSpotProtocol } from "./binance/protocol.js";
import * as binanceSpot from "./binance/rest.js";
import * as binanceFuturesKlines from "./binance-futures/klines.js";
import { binanceFuturesProtocol } from "./binance-futures/protocol.js";
import * as binanceFutures from "./binance-futures/rest.js";
import * as bybitKlines from "./bybit/klines.js";
import { bybitFuturesProtocol, bybitSpotProtocol } from "./bybit/protocol.js";
import * as bybit from "./bybit/rest.js";
import type { FeedAdapter } from "./feed.js";
import * as gateKlines from "./gateio/klines.js";
import { gateFuturesProtocol, gateSpotProtocol } from "./gateio/protocol.js";
import * as gate from "./gateio/rest.js";
import * as okxKlines from "./okx/klines.js";
import { okxFuturesProtocol, okxSpotProtocol } from "./okx/protocol.js";
import * as okx from "./okx/rest.js";
import { streamAdapter } from "./stream/adapter.js";

/** The protocol of each market. The simulated exchange speaks the protocol of the market that it stands in for. */
const adapters: ReadonlyMap<string, FeedAdapter> = new Map([
  ["BINANCE_SPOT", streamAdapter(binanceSpotProtocol, binanceSpot.fetchInstruments, binanceSpotKlines.minutes)],
  [
    "BINANCE_FUTURES",
    streamAdapter(binanceFuturesProtocol, binanceFutures.fetchInstruments, binanceFuturesKlines.minutes),
  ],
  ["BYBIT_SPOT", streamAdapter(bybitSpotProtocol, bybit.fetchSpotInstruments, bybitKlines.spotMinutes)],
  ["BYBIT_FUTURES", streamAdapter(bybitFuturesProtocol, bybit.fetchFuturesInstruments, bybitKlines.futuresMinutes)],
  ["OKX_SPOT", streamAdapter(okxSpotProtocol, okx.fetchSpotInstruments, okxKlines.spotMinutes)],
  ["OKX_FUTURES", streamAdapter(okxFuturesProtocol, okx.fetchSwapInstruments, okxKlines.swapMinutes)],
  ["GATEIO_SPOT", streamAdapter(gateSpotProtocol, gate.fetchSpotInstruments, gateKlines.spotMinutes)],
  ["GATEIO_FUTURES", streamAdapter(gateFuturesProtocol, gate.fetchFuturesInstruments, gateKlines.futuresMinutes)],
]);

export const adapterOf = (marketCode: string): FeedAdapter | undefined => adapters.get(marketCode);
