import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

interface Request {
  readonly method: "SUBSCRIBE" | "UNSUBSCRIBE";
  readonly params: string[];
  readonly id: number;
}

/** The server's end of one connection, with everything the client sent. */
interface FakeConnection {
  readonly socket: WebSocket;
  readonly path: string;
  readonly requests: (Request & { readonly atMs: number })[];
  readonly pongsAtMs: number[];
  readonly streams: Set<string>;
}

/** An exchange on loopback that speaks the subscription protocol and otherwise sends what a test tells it to. */
export interface FakeBinance {
  readonly url: string;
  readonly connections: FakeConnection[];
  /** The answer to a request; null says nothing. Replaceable. */
  answer: (request: Request, connection: FakeConnection) => object | null;
  /** The connection opened last. */
  latest(): FakeConnection;
  close(): Promise<void>;
}

export async function startFakeBinance(port = 0): Promise<FakeBinance> {
  const server = new WebSocketServer({ host: "127.0.0.1", port });
  await once(server, "listening");
  const fake: FakeBinance = {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: [],
    answer: ({ id }) => ({ result: null, id }),
    latest() {
      const connection = fake.connections.at(-1);
      if (connection === undefined) throw new Error("nobody connected");
      return connection;
    },
    async close() {
      for (const client of server.clients) client.terminate();
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
  server.on("connection", (socket, request) => {
    const connection: FakeConnection = {
      socket,
      path: request.url ?? "",
      requests: [],
      pongsAtMs: [],
      streams: new Set(),
    };
    fake.connections.push(connection);
    socket.on("error", () => {});
    socket.on("pong", () => connection.pongsAtMs.push(performance.now()));
    socket.on("message", (data: Buffer) => {
      const message = JSON.parse(data.toString()) as Request;
      connection.requests.push({ ...message, atMs: performance.now() });
      const answer = fake.answer(message, connection);
      if (answer !== null && !("error" in answer)) {
        for (const stream of message.params) {
          if (message.method === "SUBSCRIBE") connection.streams.add(stream);
          else connection.streams.delete(stream);
        }
      }
      if (answer !== null) socket.send(JSON.stringify(answer));
    });
  });
  return fake;
}

export const bookFrame = (ticker: string, sequence: number, bid = "100.00"): string =>
  JSON.stringify({
    stream: `${ticker.toLowerCase()}@bookTicker`,
    data: { u: sequence, s: ticker, b: bid, B: "1.00", a: "101.00", A: "2.00" },
  });

export const tradeFrame = (ticker: string, id: number, atMs = Date.now()): string =>
  JSON.stringify({
    stream: `${ticker.toLowerCase()}@aggTrade`,
    data: {
      e: "aggTrade",
      E: atMs,
      s: ticker,
      a: id,
      p: "100.50",
      q: "0.10",
      f: id,
      l: id,
      T: atMs,
      m: false,
      M: true,
    },
  });

/** Settled when the client has handled everything that was sent to it before. */
export async function roundTrip({ socket }: { socket: WebSocket }): Promise<void> {
  const pong = once(socket, "pong");
  socket.ping();
  await pong;
}
