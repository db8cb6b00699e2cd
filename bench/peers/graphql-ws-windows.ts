import { startGraphqlWs } from "./graphql-ws.js";
import type { StartPeer } from "./peer.js";

/** What a careful user of graphql-ws would write: the changes of each client gathered for an interval. */
export const start: StartPeer = (input) => startGraphqlWs(input, true);
