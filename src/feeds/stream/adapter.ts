import type { FeedAdapter } from "../feed.js";
import { startStreamFeed } from "./feed.js";
import type { Protocol } from "./protocol.js";

/** An exchange as the rest of the program sees it. */
export const streamAdapter = (
  protocol: Protocol,
  fetchInstruments: FeedAdapter["fetchInstruments"],
  minutes: FeedAdapter["minutes"] = null,
): FeedAdapter => ({
  start: (options) => startStreamFeed(protocol, options),
  fetchInstruments,
  minutes,
});
