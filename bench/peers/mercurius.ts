import Fastify from "fastify";
import { mercurius } from "mercurius";
import { liveSchema, openLiveData } from "./live-schema.js";
import type { StartPeer } from "./peer.js";

/** Mercurius with its JIT on. */
export const start: StartPeer = async (input) => {
  const data = await openLiveData(input);
  const app = Fastify();
  await app.register(mercurius, { schema: liveSchema(data), jit: 1, subscription: true });
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  return { url: `${url}/graphql`, apply: (change) => data.board.apply(change, 1) };
};
