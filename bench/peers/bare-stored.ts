import { createServer } from "node:http";
import { readAsUser } from "../../src/db/as-user.js";
import { connect } from "../../src/db/connect.js";
import { ownItems } from "../../src/people/read-dashboard.js";
import { listen } from "./listen.js";
import type { StartPeer } from "./peer.js";

/**
 * The least that Node does for a private query: it reads the dashboard by the program's own statement and writes the rows as JSON.
 * No GraphQL, no credential, no quotes.
 */
export const start: StartPeer = async ({ address }) => {
  const database = connect({ address, role: "tradegraph_app", poolSize: 10, applicationName: "bench bare" });
  const server = createServer((request, response) => {
    const userId = String(request.headers["x-user-id"] ?? "");
    request.on("data", () => {});
    request.on("end", async () => {
      const body = JSON.stringify({ data: { dashboard: await readAsUser(database, userId, ownItems, [userId]) } });
      response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
      response.end(body);
    });
  });
  return { url: await listen(server), apply() {} };
};
