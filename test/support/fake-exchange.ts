import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

/** The server's end of one connection, with everything the client sent. */
export interface ExchangeConnection {
  readonly socket: WebSocket;
  readonly path: string;
  readonly received: string[];
}

interface Refusal {
  readonly status: number;
  readonly retryAfterSeconds?: number;
}

/** A server on loopback that answers as a test tells it to, over WebSocket and REST. */
export interface FakeExchange {
  readonly url: string;
  readonly restUrl: string;
  readonly connections: ExchangeConnection[];
  /** The frames that answer a message. Replaceable. */
  reply: (text: string, connection: ExchangeConnection) => readonly (string | object)[];
  /** The body that answers a REST request, or a refusal; null is an error of the server. Replaceable. */
  body: (path: string) => string | Refusal | null;
  readonly requestedPaths: string[];
  /** The connection of a path that was opened last. */
  latest(path?: string): ExchangeConnection;
  close(): Promise<void>;
}

export async function startFakeExchange(): Promise<FakeExchange> {
  const http = createServer((request, response) => {
    const path = request.url ?? "";
    fake.requestedPaths.push(path);
    const body = fake.body(path) ?? { status: 500 };
    if (typeof body === "string") {
      response.end(body);
      return;
    }
    response.statusCode = body.status;
    if (body.retryAfterSeconds !== undefined) response.setHeader("retry-after", body.retryAfterSeconds);
    response.end();
  });
  const server = new WebSocketServer({ server: http });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const { port } = http.address() as AddressInfo;
  const fake: FakeExchange = {
    url: `ws://127.0.0.1:${port}`,
    restUrl: `http://127.0.0.1:${port}`,
    connections: [],
    reply: () => [],
    body: () => null,
    requestedPaths: [],
    latest(path) {
      const connection = fake.connections.findLast((c) => path === undefined || c.path === path);
      if (connection === undefined) throw new Error("nobody connected");
      return connection;
    },
    async close() {
      for (const client of server.clients) client.terminate();
      server.close();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
  server.on("connection", (socket, request) => {
    const connection: ExchangeConnection = { socket, path: request.url ?? "", received: [] };
    fake.connections.push(connection);
    socket.on("error", () => {});
    socket.on("message", (data: Buffer) => {
      const text = data.toString();
      connection.received.push(text);
      for (const frame of fake.reply(text, connection)) {
        socket.send(typeof frame === "string" ? frame : JSON.stringify(frame));
      }
    });
  });
  return fake;
}
