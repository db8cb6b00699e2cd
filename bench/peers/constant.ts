import { createServer } from "node:http";
import { listen } from "./listen.js";
import type { StartPeer } from "./peer.js";

/** The limit of queries: as many bytes as the answer to `cachedQuery` has, whatever is asked. */
export const start: StartPeer = async () => {
  const body = Buffer.alloc(3_497, "x");
  const server = createServer((request, response) => {
    request.on("data", () => {});
    request.on("end", () => {
      response.writeHead(200, { "content-type": "application/json", "content-length": body.length });
      response.end(body);
    });
  });
  return { url: await listen(server), apply() {} };
};
