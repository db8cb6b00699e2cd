import { binanceFutures } from "./binance/futures.js";
import { binanceSpot } from "./binance/spot.js";
import { bybitFutures, bybitSpot } from "./bybit/markets.js";
import type { Face } from "./face.js";
import { gateFutures, gateSpot } from "./gateio/markets.js";
import { okxFutures, okxSpot } from "./okx/markets.js";
/** The markets that the simulated exchange has. */
export const faces: readonly Face[] = [
  binanceSpot,
  binanceFutures,
  okxSpot,
  okxFutures,
  bybitSpot,
  bybitFutures,
  gateSpot,
  gateFutures,
];
