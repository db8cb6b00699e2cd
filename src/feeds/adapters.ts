import { binanceSpot } from "./binance/adapter.js";
import type { FeedAdapter } from "./feed.js";

/** The protocol of each market. The simulated exchange speaks the protocol of the market that it stands in for. */
const adapters: ReadonlyMap<string, FeedAdapter> = new Map([["BINANCE_SPOT", binanceSpot]]);

export const adapterOf = (marketCode: string): FeedAdapter | undefined => adapters.get(marketCode);
