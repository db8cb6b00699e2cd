import type { FeedAdapter } from "../feed.js";
import { startBinanceSpotFeed } from "./feed.js";
import { fetchInstruments } from "./rest.js";

export const binanceSpot: FeedAdapter = { start: (options) => startBinanceSpotFeed(options), fetchInstruments };
