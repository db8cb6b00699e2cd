import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { errorMessage, StartError } from "../../core/errors.js";
import type { Logger } from "../../core/logger.js";
import type { Clock } from "../../core/time.js";
import { simulatedInstruments } from "./instruments.js";
import { SimulatedMarket } from "./market.js";
import { answerRequest, maxStreamsPerConnection, type StreamState } from "./protocol.js";
import type { RecordedLine } from "./recording.js";
import { answerRest } from "./rest.js";

export interface SimulatorOptions {
  /** 0: any free one. */
  readonly port: number;
  readonly seed: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Book changes of each subscribed symbol. */
  readonly updatesPerSecond?: number;
  /** In place of the random walk: recorded frames, unchanged, to whoever has subscribed to their streams. */
  readonly replay?: Replay;
  /** Shorter ones for tests. */
  readonly pingEveryMs?: number;
  readonly maxConnectionAgeMs?: number;
}

export interface Replay {
  readonly lines: readonly RecordedLine[];
  /** 1: as recorded; 10: ten times as fast; Infinity: as fast as the clients read. */
  readonly speed: number;
}

export interface Simulator {
  /** E.g. http://127.0.0.1:40123, for REST. */
  readonly url: string;
  /** E.g. ws://127.0.0.1:40123; streams are at /stream and /ws. */
  readonly websocketUrl: string;
  readonly clients: number;
  /** Number of recorded frames that were sent so far, and whether those were all. */
  readonly replayed: { readonly frames: number; readonly finished: boolean };
  /** Cuts every connection without a farewell. */
  disconnectAll(): void;
  /** While true, connections stay open and no data is sent. */
  goSilent(silent: boolean): void;
  /** Sends a text to every client as it is, e.g. garbage. */
  sendRaw(text: string): void;
  close(): Promise<void>;
}

interface Client extends StreamState {
  readonly socket: WebSocket;
  readonly connectedAtMs: number;
  lastPongMs: number;
  /** Arrival of the newest messages, for the limit per second. */
  readonly messageTimesMs: number[];
  behindSinceMs: number | null;
}

const host = "127.0.0.1";
const tickMs = 25;
const maxMessagesPerSecond = 5;
const pongTimeoutMs = 60_000;
const dayMs = 86_400_000;
/** What a client may leave unread before its updates are dropped, and how long it may stay so before it is cut off. */
const maxUnreadBytes = 1_048_576;
const maxBehindMs = 10_000;

/**
 * A separate server on loopback that speaks the public protocol of Binance spot: combined and raw streams, live
 * subscription, the exchange's limits, pings and forced disconnects, and exchangeInfo. Its prices are invented.
 * @throws {StartError} when the port is taken
 */
export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  const server = new SimulatorServer(options);
  await server.listen(options.port);
  return server;
}

class SimulatorServer implements Simulator {
  readonly #http = createServer((request, response) =>
    answerRest(request, response, simulatedInstruments, this.options.clock.nowMs()),
  );
  readonly #sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 65_536 });
  readonly #clients = new Set<Client>();
  readonly #markets = new Map<string, SimulatedMarket>();
  readonly #nextStepMs = new Map<string, number>();
  readonly #timers: NodeJS.Timeout[] = [];
  #lastTickerSecond = 0;
  #silent = false;
  readonly #replayFrames: readonly RecordedFrame[];
  #replayPosition = 0;
  #replayStartedMs: number | null = null;

  constructor(private readonly options: SimulatorOptions) {
    this.#replayFrames = recordedFrames(options.replay);
    this.#http.on("upgrade", (request, socket, head) => {
      socket.on("error", () => socket.destroy());
      const state = initialState(request.url ?? "");
      if (state === null)
        return void socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      this.#sockets.handleUpgrade(request, socket, head, (client) => this.#accept(client, state, request));
    });
  }

  get url(): string {
    return `http://${host}:${(this.#http.address() as AddressInfo).port}`;
  }

  get websocketUrl(): string {
    return this.url.replace("http", "ws");
  }

  get clients(): number {
    return this.#clients.size;
  }

  get replayed(): { frames: number; finished: boolean } {
    return { frames: this.#replayPosition, finished: this.#replayPosition >= this.#replayFrames.length };
  }

  async listen(port: number): Promise<void> {
    try {
      await new Promise<void>((resolve, reject) => {
        this.#http.once("error", reject);
        this.#http.listen(port, host, resolve);
      });
    } catch (error) {
      throw new StartError(
        `the simulated exchange cannot listen on ${host}:${port} (${errorMessage(error)}); choose another with SIMULATOR_PORT`,
      );
    }
    this.#timers.push(setInterval(() => this.#tick(), tickMs));
    this.#timers.push(setInterval(() => this.#checkClients(), Math.min(1_000, this.options.pingEveryMs ?? 1_000)));
    this.#timers.push(setInterval(() => this.#ping(), this.options.pingEveryMs ?? 20_000));
  }

  disconnectAll(): void {
    for (const { socket } of this.#clients) socket.terminate();
  }

  goSilent(silent: boolean): void {
    this.#silent = silent;
  }

  sendRaw(text: string): void {
    for (const { socket } of this.#clients) socket.send(text);
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.disconnectAll();
    this.#sockets.close();
    this.#http.closeAllConnections();
    await new Promise<void>((resolve) => this.#http.close(() => resolve()));
  }

  #accept(socket: WebSocket, state: StreamState, _request: IncomingMessage): void {
    const nowMs = this.options.clock.nowMs();
    const client: Client = {
      ...state,
      socket,
      connectedAtMs: nowMs,
      lastPongMs: nowMs,
      messageTimesMs: [],
      behindSinceMs: null,
    };
    this.#clients.add(client);
    socket.on("error", (error) => this.options.log.debug({ error: errorMessage(error) }, "simulator.client-fault"));
    socket.on("close", () => this.#clients.delete(client));
    socket.on("pong", () => {
      client.lastPongMs = this.options.clock.nowMs();
    });
    socket.on("message", (data) => {
      if (this.#tooMany(client)) return socket.close(1008, "Too many requests");
      socket.send(answerRequest(String(data), client));
    });
  }

  #tooMany({ messageTimesMs }: Client): boolean {
    const nowMs = performance.now();
    messageTimesMs.push(nowMs);
    if (messageTimesMs.length > maxMessagesPerSecond + 1) messageTimesMs.shift();
    return messageTimesMs.length > maxMessagesPerSecond && nowMs - (messageTimesMs[0] ?? nowMs) < 1_000;
  }

  #tick(): void {
    if (this.#silent) return;
    if (this.options.replay !== undefined) {
      this.#replay();
      return;
    }
    const nowMs = this.options.clock.nowMs();
    const wanted = new Set<string>();
    for (const { streams } of this.#clients)
      for (const stream of streams) wanted.add(stream.slice(0, stream.indexOf("@")));
    const second = Math.floor(nowMs / 1_000);
    for (const name of wanted) {
      const market = this.#market(name, nowMs);
      if (market === undefined) continue;
      if (nowMs >= (this.#nextStepMs.get(name) ?? 0)) {
        const step = market.step(nowMs);
        this.#send(`${name}@bookTicker`, step.bookTicker);
        if (step.aggTrade !== null) this.#send(`${name}@aggTrade`, step.aggTrade);
        // Around the mean, so that the symbols do not speak in chorus.
        this.#nextStepMs.set(
          name,
          nowMs + (1_000 / (this.options.updatesPerSecond ?? 5)) * (0.5 + ((second + name.length * 7) % 11) / 11),
        );
      }
      if (second !== this.#lastTickerSecond) this.#send(`${name}@ticker`, market.ticker24h(nowMs));
    }
    this.#lastTickerSecond = second;
  }

  #market(name: string, nowMs: number): SimulatedMarket | undefined {
    const known = this.#markets.get(name);
    if (known !== undefined) return known;
    const instrument = simulatedInstruments.find(
      ({ base, quote, status }) => status === "TRADING" && `${base}${quote}`.toLowerCase() === name,
    );
    if (instrument === undefined) return undefined;
    const market = new SimulatedMarket(instrument, this.options.seed, nowMs);
    this.#markets.set(name, market);
    return market;
  }

  #send(stream: string, payload: string): void {
    for (const client of this.#clients) {
      if (!client.streams.has(stream)) continue;
      this.#sendTo(client, client.combined ? `{"stream":"${stream}","data":${payload}}` : payload);
    }
  }

  #sendTo(client: Client, text: string): void {
    if (client.socket.bufferedAmount > maxUnreadBytes) {
      client.behindSinceMs ??= performance.now();
      return;
    }
    client.behindSinceMs = null;
    client.socket.send(text);
  }

  /** Frames are due by the recorded spacing; at infinite speed, as long as the clients keep up. */
  #replay(): void {
    const { speed } = this.options.replay ?? { speed: 1 };
    const frames = this.#replayFrames;
    const listening = [...this.#clients].some((client) => client.streams.size > 0);
    if (!listening && this.#replayStartedMs === null) return;
    this.#replayStartedMs ??= performance.now();
    const elapsedMs = (performance.now() - this.#replayStartedMs) * speed;
    const firstMs = frames[0]?.atMs ?? 0;
    for (let frame = frames[this.#replayPosition]; frame !== undefined; frame = frames[this.#replayPosition]) {
      const due = speed === Number.POSITIVE_INFINITY || frame.atMs - firstMs <= elapsedMs;
      const keepsUp = [...this.#clients].every((client) => client.socket.bufferedAmount < maxUnreadBytes / 2);
      if (!due || !keepsUp) return;
      for (const client of this.#clients) if (client.streams.has(frame.stream)) client.socket.send(frame.text);
      this.#replayPosition++;
    }
  }

  #ping(): void {
    for (const { socket } of this.#clients) socket.ping(String(this.options.clock.nowMs()));
  }

  #checkClients(): void {
    const nowMs = this.options.clock.nowMs();
    for (const client of this.#clients) {
      const tooOld = nowMs - client.connectedAtMs > (this.options.maxConnectionAgeMs ?? dayMs);
      const mute = nowMs - client.lastPongMs > pongTimeoutMs;
      const behind = client.behindSinceMs !== null && performance.now() - client.behindSinceMs > maxBehindMs;
      if (mute || behind) client.socket.terminate();
      else if (tooOld) client.socket.close(1001, "connection age");
    }
  }
}

/** `/stream?streams=a/b` and `/stream` wrap frames, `/ws/a` and `/ws` do not. Null for any other path, or too many streams. */
function initialState(url: string): StreamState | null {
  const { pathname, searchParams } = new URL(url, "ws://simulator");
  const combined = pathname === "/stream";
  const raw = pathname === "/ws" || pathname.startsWith("/ws/");
  if (!combined && !raw) return null;
  const names = combined ? (searchParams.get("streams") ?? "") : pathname.slice("/ws/".length);
  const streams = new Set(names.split("/").filter((name) => name !== ""));
  return streams.size > maxStreamsPerConnection ? null : { streams, combined };
}

interface RecordedFrame {
  readonly atMs: number;
  readonly stream: string;
  readonly text: string;
}

function recordedFrames(replay: Replay | undefined) {
  return (replay?.lines ?? [])
    .filter((line) => line.kind === "received")
    .map(({ timeMs, body }) => ({ atMs: timeMs, stream: /^\{"stream":"([^"]+)"/.exec(body)?.[1] ?? "", text: body }));
}
