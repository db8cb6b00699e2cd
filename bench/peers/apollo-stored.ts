import { ApolloServer } from "@apollo/server";
import { startStandaloneServer } from "@apollo/server/standalone";
import type { StartPeer } from "./peer.js";
import { connectTo, type Loaders, loadersOf, storedSchema } from "./stored-schema.js";

/** Apollo Server alone, with dataloader and postgres.js. */
export const start: StartPeer = async ({ address }) => {
  const sql = connectTo(address);
  const apollo = new ApolloServer<Loaders>({ schema: storedSchema() });
  const { url } = await startStandaloneServer(apollo, {
    listen: { host: "127.0.0.1", port: 0 },
    context: async () => loadersOf(sql),
  });
  return { url: `${url}graphql`, apply() {} };
};
