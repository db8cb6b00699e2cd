import Fastify, { type FastifyRequest } from "fastify";
import { mercurius } from "mercurius";
import type { StartPeer } from "./peer.js";
import { connectTo, loadersOf, storedSchema } from "./stored-schema.js";

/** Mercurius with its JIT, with dataloader and postgres.js. */
export const start: StartPeer = async ({ address }) => {
  const sql = connectTo(address);
  const app = Fastify();
  const context = ({ headers }: FastifyRequest) => ({ ...loadersOf(sql, String(headers["x-user-id"] ?? "")) });
  await app.register(mercurius, { schema: storedSchema(), jit: 1, context });
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  return { url: `${url}/graphql`, apply() {} };
};
