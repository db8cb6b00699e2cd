import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import WebSocket, { WebSocketServer } from "ws";
import { until } from "../../../test/support/until.js";
import { idBytes } from "./frames.js";
import { Outbox } from "./outbox.js";
import { SharedPayload } from "./payload.js";

interface Connection {
  readonly client: WebSocket;
  readonly received: { id?: string; payload?: unknown; type: string }[];
  readonly socket: Socket;
  readonly outbox: Outbox;
  writableCount: number;
}

describe("messages of shared bytes", () => {
  let server: Server;
  let sockets: WebSocketServer;
  const accepted: Socket[] = [];
  beforeAll(async () => {
    server = createServer();
    sockets = new WebSocketServer({ noServer: true });
    server.on("upgrade", (request, socket, head) =>
      sockets.handleUpgrade(request, socket, head, () => accepted.push(socket as Socket)),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterAll(async () => {
    for (const client of sockets.clients) client.terminate();
    await new Promise((resolve) => server.close(resolve));
  });

  async function connect(): Promise<Connection> {
    const known = accepted.length;
    const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const received: Connection["received"] = [];
    client.on("message", (data: Buffer) => received.push(JSON.parse(data.toString())));
    await until(() => client.readyState === WebSocket.OPEN && accepted.length > known);
    const socket = accepted.at(-1) as Socket;
    const connection: Connection = {
      client,
      received,
      socket,
      outbox: new Outbox(socket, () => {
        connection.writableCount++;
      }),
      writableCount: 0,
    };
    return connection;
  }

  const payloadOf = (length: number): SharedPayload => SharedPayload.ofText(JSON.stringify("x".repeat(length)));

  // The lengths at which a frame's header changes, and one far above: the frame is some 40 bytes longer than the text.
  test.each([1, 50, 80, 85, 90, 125, 126, 65_400, 65_490, 65_500, 65_536, 200_000])(
    "of %i characters arrive whole, each with its own id",
    async (length) => {
      const ids = ["1", "2", "a longer id", "0b9e4d9c-6d3e-4b8a-8a61-2f6f1a0c9d10", 'quoted " and ünïcode ✓'];
      const connections: Connection[] = [];
      for (const _ of ids) connections.push(await connect());
      const payload = payloadOf(length);
      for (const [index, { outbox }] of connections.entries()) outbox.next(payload, idBytes(ids[index] ?? ""));
      await until(() => connections.every(({ received }) => received.length === 1));
      connections.forEach(({ received }, index) => {
        expect(received).toEqual([{ type: "next", id: ids[index], payload: "x".repeat(length) }]);
      });
    },
  );

  test("of several subscriptions of one connection leave in one write, in order", async () => {
    const { outbox, received, socket } = await connect();
    const writes: number[] = [];
    const write = socket.write.bind(socket) as (chunk: Buffer, done: () => void) => boolean;
    socket.write = ((chunk: Buffer, done: () => void) => {
      writes.push(chunk.length);
      return write(chunk, done);
    }) as typeof socket.write;
    const payload = payloadOf(20);
    outbox.next(payload, idBytes("1"));
    outbox.next(payload, idBytes("2"));
    outbox.send({ type: "pong" });
    outbox.next(payloadOf(3), idBytes("3"));
    await until(() => received.length === 4);
    expect(writes).toHaveLength(1);
    expect(received.map(({ id, type }) => id ?? type)).toEqual(["1", "2", "pong", "3"]);
  });

  // The race: the system has not taken a frame yet when the next subscriber's id is written into its bytes.
  test("keep their id while the network takes them slowly, and the end of it is told once", async () => {
    const slow = await connect();
    const other = await connect();
    slow.client.pause();
    slow.outbox.next(payloadOf(8_000_000), idBytes("1"));
    await until(() => slow.socket.writableLength > 0);
    expect(slow.outbox.isWritable).toBe(false);
    const payload = payloadOf(1_000);
    slow.outbox.next(payload, idBytes("2"));
    await Promise.resolve();
    other.outbox.next(payload, idBytes("3"));
    await until(() => other.received.length === 1);
    slow.client.resume();
    await until(() => slow.received.length === 2);
    expect([...slow.received, ...other.received].map(({ id }) => id)).toEqual(["1", "2", "3"]);
    await until(() => slow.outbox.isWritable);
    expect(slow.writableCount).toBe(1);
  });

  test("a ping of the library between two writes does not keep the connection waiting", async () => {
    const { outbox, socket, client, received } = await connect();
    client.pause();
    outbox.next(payloadOf(8_000_000), idBytes("1"));
    await until(() => socket.writableLength > 0);
    for (const server of sockets.clients) server.ping();
    client.resume();
    await until(() => outbox.isWritable && received.length === 1);
  });

  test("to a client that has gone are dropped", async () => {
    const { outbox, client, socket } = await connect();
    client.terminate();
    await until(() => socket.destroyed);
    outbox.next(payloadOf(10), idBytes("1"));
    await Promise.resolve();
    expect(outbox.isWritable).toBe(false);
    expect(socket.writableLength).toBe(0);
  });
});
