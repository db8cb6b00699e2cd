import { createServer } from "node:http";
import { connect, type Socket } from "node:net";
import { WebSocketServer } from "ws";
import { listen } from "./listen.js";
import type { StartPeer } from "./peer.js";

/** The limit of the latency: whatever bytes come from the exchange go to every client, unread. */
export const start: StartPeer = async ({ exchange }) => {
  if (exchange === null) throw new Error("the relay needs an exchange");
  const sockets = new Set<Socket>();
  const { hostname, port } = new URL(exchange.websocketUrl);
  const source = connect(Number(port), hostname);
  source.write(
    "GET /stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
  );
  // The first is the answer to the handshake; nobody is connected then.
  source.on("data", (chunk) => {
    for (const socket of sockets) socket.write(chunk);
  });
  const server = createServer();
  new WebSocketServer({ server, path: "/graphql" }).on("connection", (client, { socket }) => {
    client.on("message", (message: Buffer) => {
      if (JSON.parse(message.toString()).type === "connection_init") client.send('{"type":"connection_ack"}');
      else sockets.add(socket);
    });
    client.on("close", () => sockets.delete(socket));
    client.on("error", () => {});
  });
  return { url: await listen(server), apply() {} };
};
