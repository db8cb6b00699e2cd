import { binanceFutures } from "./binance/futures.js";
import { binanceSpot } from "./binance/spot.js";
import type { Face } from "./face.js";

/** The markets that the simulated exchange has. */
export const faces: readonly Face[] = [binanceSpot, binanceFutures];
