import { createServer } from "node:http";
import { useServer } from "graphql-ws/use/ws";
import { WebSocketServer } from "ws";
import { listen } from "./listen.js";
import { liveSchema, openLiveData } from "./live-schema.js";
import type { PeerInput, StartPeer } from "./peer.js";

/** graphql-ws with graphql-js, as its documentation sets it up. */
export const start: StartPeer = (input) => startGraphqlWs(input, false);

export async function startGraphqlWs(input: PeerInput, hasWindows: boolean): ReturnType<StartPeer> {
  const data = await openLiveData(input);
  const server = createServer();
  useServer({ schema: liveSchema(data, hasWindows) }, new WebSocketServer({ server, path: "/graphql" }));
  return { url: await listen(server), apply: (change) => data.board.apply(change, 1) };
}
