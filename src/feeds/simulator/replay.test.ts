import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { recordingsFolder } from "../../../test/support/recordings.js";
import { until } from "../../../test/support/until.js";
import { systemClock } from "../../core/time.js";
import { parseRecording, type RecordedEntry } from "./recording.js";
import type { ReplayOptions } from "./replay.js";
import { type Simulator, startSimulator } from "./simulator.js";

/** Long enough for a busy machine; nothing waits for it to pass. */
const patienceMs = 10_000;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (let close = closers.pop(); close; close = closers.pop()) await close();
});

async function start(replay: ReplayOptions): Promise<Simulator> {
  const log = pino({ level: "silent" });
  const simulator = await startSimulator({ port: 0, seed: 1, clock: systemClock, log, replay });
  closers.push(() => simulator.close());
  return simulator;
}

/** Connects and collects what arrives, from the first frame on. */
async function listen(simulator: Simulator, path: string) {
  const socket = new WebSocket(simulator.websocketUrl + path);
  const received: { text: string; atMs: number }[] = [];
  socket.on("message", (data: Buffer) => received.push({ text: data.toString(), atMs: performance.now() }));
  closers.push(() => socket.terminate());
  await once(socket, "open");
  return { socket, received, texts: () => received.map(({ text }) => text) };
}

const frame = (stream: string, n: number): string => `{"stream":"${stream}","data":{"n": ${n}}}`;

const small = parseRecording(
  [
    "wss://host/stream?streams=a@x/b@x <-> 1000",
    '1000.0: {"result":null,"id":1}',
    `1000.0: ${frame("a@x", 1)}`,
    `1000.1: ${frame("b@x", 2)}`,
    `1000.4: ${frame("a@x", 3)}`,
    'https://host/api/v3/depth?symbol=A -> 1000.5: {"lastUpdateId":1}',
    'https://host/api/v3/depth?symbol=A -> 1000.6: {"lastUpdateId":2}',
  ].join("\n"),
);

describe("a replay", () => {
  test("sends each client the streams that it has, unchanged", async () => {
    const simulator = await start({ recording: small, speed: 0, manualStart: true });
    const both = await listen(simulator, "/stream?streams=a@x/b@x");
    const one = await listen(simulator, "/stream?streams=a@x");
    const raw = await listen(simulator, "/ws/b@x");
    simulator.replay?.start();
    await simulator.replay?.ended;
    await until(() => both.received.length + one.received.length + raw.received.length === 6, patienceMs);
    expect(both.texts()).toEqual([frame("a@x", 1), frame("b@x", 2), frame("a@x", 3)]);
    expect(one.texts()).toEqual([frame("a@x", 1), frame("a@x", 3)]);
    expect(raw.texts()).toEqual(['{"n": 2}']);
  });

  test("begins with the first subscription", async () => {
    const simulator = await start({ recording: small, speed: Infinity });
    const client = await listen(simulator, "/stream");
    client.socket.send('{"method":"SUBSCRIBE","params":["a@x"],"id":1}');
    await simulator.replay?.ended;
    await until(() => client.received.length === 3, patienceMs);
    expect(client.texts()).toEqual(['{"result":null,"id":1}', frame("a@x", 1), frame("a@x", 3)]);
  });

  test("keeps the recorded distances, divided by the speed", async () => {
    const simulator = await start({ recording: small, speed: 2 });
    const beforeMs = performance.now();
    const client = await listen(simulator, "/stream?streams=a@x/b@x");
    await until(() => client.received.length === 3, patienceMs);
    const [, second, third] = client.received.map(({ atMs }) => atMs) as [number, number, number];
    // A timer may come up to a millisecond early.
    expect(second - beforeMs).toBeGreaterThan(48);
    expect(third - beforeMs).toBeGreaterThan(198);
  });

  test("begins again when it is to loop, and ends with the simulator", async () => {
    const simulator = await start({ recording: small, speed: 0, loop: true });
    const client = await listen(simulator, "/stream?streams=b@x");
    await until(() => client.received.length > 5, patienceMs);
    await simulator.close();
    await simulator.replay?.ended;
  });

  test("that nobody began ends with the simulator", async () => {
    const simulator = await start({ recording: small, speed: 1 });
    await simulator.close();
    await simulator.replay?.ended;
  });

  test("waits at full speed for a client that reads slowly, and drops nothing", async () => {
    const body = (n: number) => `{"stream":"a@x","data":{"n":${n},"x":"${"x".repeat(10_000)}"}}`;
    const recording: RecordedEntry[] = Array.from({ length: 3_000 }, (_, n) => ({
      kind: "received",
      url: null,
      timeMs: n,
      body: body(n),
    }));
    const simulator = await start({ recording, speed: 0, manualStart: true });
    const client = await listen(simulator, "/stream?streams=a@x");
    client.socket.pause();
    let ended = false;
    void simulator.replay?.ended.then(() => {
      ended = true;
    });
    simulator.replay?.start();
    await until(() => simulator.bufferedBytes > 256 * 1024, patienceMs);
    expect(simulator.bufferedBytes).toBeLessThan(300 * 1024);
    expect(ended).toBe(false);
    client.socket.resume();
    await until(() => client.received.length === recording.length, patienceMs);
    expect(client.texts()).toEqual(recording.map((entry) => entry.body));
    expect(simulator.droppedUpdates).toBe(0);
  });

  test("answers REST from the recording, and from the simulated exchange what was not recorded", async () => {
    const { url } = await start({ recording: small, speed: 1 });
    const get = async (path: string) => (await fetch(url + path)).json();
    expect(await get("/api/v3/depth?symbol=A")).toEqual({ lastUpdateId: 1 });
    expect(await get("/api/v3/depth?symbol=A")).toEqual({ lastUpdateId: 2 });
    expect(await get("/api/v3/depth?symbol=A")).toEqual({ lastUpdateId: 2 });
    expect(await get("/api/v3/depth?symbol=B")).toMatchObject({ code: -1121 });
    expect(await get("/api/v3/ping")).toEqual({});
  });
});

const folder = recordingsFolder();
describe.skipIf(folder === null)("recorded traffic", () => {
  const read = (name: string) => parseRecording(readFileSync(join(folder as string, name), "utf8"));

  test("arrives complete, in order and byte for byte", async () => {
    const recording = read("binance-spot.ws.txt");
    const [opened] = recording;
    const sent = recording.filter(({ kind }) => kind === "received").map(({ body }) => body);
    expect(sent).toHaveLength(265);
    const simulator = await start({ recording, speed: 0 });
    const { pathname, search } = new URL(opened?.url ?? "");
    const client = await listen(simulator, pathname + search);
    await until(() => client.received.length === sent.length, patienceMs);
    expect(client.texts()).toEqual(sent);
  });

  test("has the order books that belong to it", async () => {
    const recording = [...read("binance-spot.ws.txt"), ...read("binance-spot.depth.http.txt")];
    const { url } = await start({ recording, speed: 1 });
    const book = await (await fetch(`${url}/api/v3/depth?symbol=NKNUSDT&limit=1000`)).text();
    expect(book).toBe(recording.find(({ url: at }) => at?.includes("NKNUSDT&"))?.body);
  });
});
