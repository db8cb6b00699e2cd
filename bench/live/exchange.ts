import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import { answer } from "../helper.js";
import { atRate, bidOfChange } from "./traffic.js";

/** The process of an exchange that speaks as Binance does, as far as book tickers go, and remembers when it sent what. */
const server = createServer((_request, response) => response.writeHead(404).end());
const sockets = new WebSocketServer({ server });
sockets.on("connection", (socket) => {
  socket.on("message", (message: Buffer) => {
    const { id } = JSON.parse(message.toString());
    socket.send(JSON.stringify({ result: null, id }));
  });
  socket.on("error", () => {});
});

let stopTraffic = () => {};
/** Goes on over all runs, because sequences of an exchange never go back. */
let n = 0;
const sentAtMs: number[] = [];

answer({
  async start(): Promise<{ url: string; websocketUrl: string }> {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    return { url: `http://127.0.0.1:${port}`, websocketUrl: `ws://127.0.0.1:${port}` };
  },
  traffic({ perSecond, tickers }: { perSecond: number; tickers: string[] }) {
    stopTraffic();
    if (perSecond === 0) return;
    stopTraffic = atRate(perSecond, () => {
      const ticker = tickers[n % tickers.length] ?? "";
      const frame = JSON.stringify({
        stream: `${ticker.toLowerCase()}@bookTicker`,
        data: { u: n + 1, s: ticker, b: bidOfChange(n), B: "1", a: bidOfChange(n + 1), A: "1" },
      });
      sentAtMs[n] = Number(process.hrtime.bigint()) / 1e6;
      n++;
      for (const socket of sockets.clients) socket.send(frame);
    });
  },
  /** When each change was sent, by the machine's monotonic clock. */
  sent: () => sentAtMs,
});
