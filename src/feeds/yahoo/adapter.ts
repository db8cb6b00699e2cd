import type { FeedAdapter } from "../feed.js";
import { unavailable } from "../rest.js";
import { yahooClient } from "./client.js";
import { startYahooFeed } from "./feed.js";

/**
 * Shares by Yahoo Finance: what the exchanges give away late, some of them a quarter of an hour. How late is in the
 * provider's `dataDelayMinutes`; each quote tells when its last trade was.
 */
export const yahooAdapter = (marketCode: string): FeedAdapter => ({
  start: (options) => startYahooFeed(marketCode, yahooClient(options.endpoint), options),
  listsInstruments: false,
  fetchInstruments: () => Promise.reject(unavailable("Yahoo has no list of instruments: symbols are added by hand")),
  minutes: null,
});
