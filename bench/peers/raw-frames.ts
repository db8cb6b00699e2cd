import { createServer } from "node:http";
import type { Socket } from "node:net";
import { WebSocketServer } from "ws";
import { frameOfText } from "../../src/graphql/live/frames.js";
import { listen } from "./listen.js";
import type { StartPeer } from "./peer.js";

/** As long as one of ours. */
const quote =
  '{"symbol":{"id":"U3ltYm9sOjE","ticker":"BTCUSDT"},"price":"64000.12","bid":"100001","ask":"100002","change24h":"1234.5",' +
  '"volume24h":"23456.789","sequence":"1795253370123456","exchangeTime":"2026-11-21T09:30:00.000Z"}';
const id = "00000000-0000-4000-8000-000000000000";
/** The frame of so many quotes; at most as many as a watchlist has. */
const frames = Array.from({ length: 64 }, (_, count) =>
  frameOfText(`{"type":"next","id":"${id}","payload":{"data":{"quotes":[${Array(count).fill(quote).join(",")}]}}}`),
);

interface Reader {
  readonly socket: Socket;
  /** Its changes since the last write. */
  changed: Set<number>;
}

/**
 * The limit of the fan-out: when something of a client's watchlist has changed, bytes that were made before are written to
 * its socket, one write per interval. They are as many as the same quotes take, but say nothing.
 */
export const start: StartPeer = async () => {
  const server = createServer();
  const readersOf = new Map<number, Reader[]>();
  const changed = new Set<Reader>();
  let timer: NodeJS.Timeout | undefined;
  let openReaders = 0;
  new WebSocketServer({ server, path: "/graphql" }).on("connection", (client, { socket }) => {
    const reader: Reader = { socket, changed: new Set() };
    client.on("message", (message: Buffer) => {
      const { type, payload } = JSON.parse(message.toString());
      if (type === "connection_init") return client.send('{"type":"connection_ack"}');
      openReaders++;
      for (const id of payload.variables.ids as string[]) {
        const symbolId = Number(Buffer.from(id, "base64url").toString().split(":")[1]);
        readersOf.set(symbolId, [...(readersOf.get(symbolId) ?? []), reader]);
      }
      timer ??= setInterval(flush, payload.variables.ms);
    });
    client.on("close", () => {
      if (--openReaders > 0) return;
      clearInterval(timer);
      timer = undefined;
      readersOf.clear();
    });
  });
  const flush = () => {
    for (const reader of changed) {
      const frame = frames[reader.changed.size];
      if (frame !== undefined && reader.socket.writable) reader.socket.write(frame);
      reader.changed.clear();
    }
    changed.clear();
  };
  return {
    url: await listen(server),
    apply({ symbolId }) {
      for (const reader of readersOf.get(symbolId) ?? []) {
        reader.changed.add(symbolId);
        changed.add(reader);
      }
    },
  };
};
