import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { StartError } from "../../core/errors.js";
import type { Logger } from "../../core/logger.js";
import type { Clock } from "../../core/time.js";
import { Client, type ConnectionLimits, exchangeLimits, type Faults } from "./client.js";
import { MarketPublisher } from "./exchange.js";
import { type SimulatedInstrument, simulatedInstruments } from "./instruments.js";
import { Player, RecordedResponses, type Replay, type ReplayOptions } from "./replay.js";
import type { Change } from "./requests.js";
import { answerRest, type RestAnswer, restError } from "./rest.js";
import { StreamIndex } from "./streams.js";

export interface SimulatorOptions {
  /** 0 takes any free one. */
  readonly port: number;
  readonly host?: string;
  /** Decides all prices, together with the clock. */
  readonly seed: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Of each symbol's book; trades come at about a third of this rate. */
  readonly updatesPerSecond?: number;
  readonly instruments?: readonly SimulatedInstrument[];
  readonly limits?: Partial<ConnectionLimits>;
  /** Recorded frames in place of the invented market; recorded HTTP responses are served where their path and query match. */
  readonly replay?: ReplayOptions;
}

/** A running simulated exchange, and the switches by which a test makes it misbehave. */
export interface Simulator {
  /** Of the REST API, e.g. "http://127.0.0.1:9001". */
  readonly url: string;
  /** Add `/stream` or `/ws`. */
  readonly websocketUrl: string;
  /** Null without a recording. */
  readonly replay: Replay | null;
  /** WebSocket connections that are open now. */
  readonly connections: number;
  /** Updates that were not sent because a client did not read, since the start. */
  readonly droppedUpdates: number;
  /** Waiting to be read by the clients. */
  readonly bufferedBytes: number;
  /** Cuts all connections without a goodbye. */
  disconnectAll(): void;
  /** While on, connections stay open and nothing is sent: no updates, no answers, no pings, no pongs. */
  goSilent(on: boolean): void;
  /** Sends a text frame to every client, whatever it is subscribed to. */
  sendRaw(text: string): void;
  /** While on, new connections and REST requests get HTTP 503. Open connections go on. */
  refuseConnections(on: boolean): void;
  /** The next SUBSCRIBE request, whoever sends it, is refused as an invalid stream. */
  rejectNextSubscribe(): void;
  /** Ends everything; settled when the port is free. */
  close(): Promise<void>;
}

const defaultUpdatesPerSecond = 5;
/** A bound against mistakes, far above what a test or a demonstration needs. */
const maxSockets = 2_000;
/** A request beyond {@link import("./requests.js").maxRequestBytes} is answered with an error; beyond this the connection ends. */
const maxFrameBytes = 64 * 1024;

/**
 * A separate server that speaks Binance's spot protocol, with invented or recorded prices.
 * @throws {StartError} when the port is taken
 */
export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  const simulator = new SimulatorServer(options);
  await simulator.listen();
  return simulator;
}

class SimulatorServer implements Simulator {
  url = "";
  websocketUrl = "";
  readonly #options: SimulatorOptions;
  readonly #limits: ConnectionLimits;
  readonly #instruments: readonly SimulatedInstrument[];
  readonly #streams = new StreamIndex();
  readonly #clients = new Set<Client>();
  readonly #faults: Faults = { silent: false, refusing: false, rejectSubscribes: 0 };
  readonly #market: MarketPublisher | null;
  readonly #player: Player | null;
  readonly #responses: RecordedResponses;
  readonly #server: Server;
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    autoPong: false,
    maxPayload: maxFrameBytes,
  });
  /** Also those that say nothing, or were refused and do not go. */
  readonly #sockets = new Set<Socket>();
  #droppedByFormerClients = 0;
  #closing: Promise<void> | undefined;

  constructor(options: SimulatorOptions) {
    const { instruments = simulatedInstruments, updatesPerSecond = defaultUpdatesPerSecond, replay } = options;
    this.#options = options;
    this.#limits = { ...exchangeLimits, ...options.limits };
    this.#instruments = instruments;
    this.#player = replay === undefined ? null : new Player(replay, this.#streams);
    this.#market =
      replay === undefined ? new MarketPublisher(instruments, this.#streams, { ...options, updatesPerSecond }) : null;
    this.#responses = new RecordedResponses(replay?.recording ?? []);
    this.#server = createServer((request, response) => this.#serve(request, response));
    this.#server.maxConnections = maxSockets;
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    this.#server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
  }

  async listen(): Promise<void> {
    const { port, host = "127.0.0.1", log } = this.#options;
    this.#server.listen({ port, host, exclusive: true });
    try {
      await once(this.#server, "listening");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
      throw new StartError(
        `port ${port} is taken, so the simulated exchange cannot start: choose another SIMULATOR_PORT`,
      );
    }
    const address = this.#server.address() as AddressInfo;
    const authority = `${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
    this.url = `http://${authority}`;
    this.websocketUrl = `ws://${authority}`;
    log.info(
      { url: this.url, symbols: this.#instruments.length, replay: this.#player !== null },
      "simulator.listening",
    );
  }

  get replay(): Replay | null {
    return this.#player;
  }

  get connections(): number {
    return this.#clients.size;
  }

  get droppedUpdates(): number {
    let dropped = this.#droppedByFormerClients;
    for (const client of this.#clients) dropped += client.droppedUpdates;
    return dropped;
  }

  get bufferedBytes(): number {
    let bytes = 0;
    for (const client of this.#clients) bytes += client.bufferedBytes;
    return bytes;
  }

  disconnectAll(): void {
    for (const client of this.#clients) client.terminate();
  }

  goSilent(on: boolean): void {
    this.#faults.silent = on;
  }

  sendRaw(text: string): void {
    for (const client of this.#clients) client.sendUpdate(text);
  }

  refuseConnections(on: boolean): void {
    this.#faults.refusing = on;
  }

  rejectNextSubscribe(): void {
    this.#faults.rejectSubscribes++;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#market?.stop();
    this.disconnectAll();
    await this.#player?.close();
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { status, body } = this.#answer(request);
    response.writeHead(status, { "content-type": "application/json;charset=UTF-8" }).end(body);
  }

  #answer({ method = "GET", url: target = "/" }: IncomingMessage): RestAnswer {
    if (this.#faults.refusing) return restError(503, -1001, "Internal error; unable to process your request.");
    const url = parseTarget(target);
    if (url === null) return restError(400, -1100, "Illegal characters found in a parameter.");
    const recorded = method === "GET" ? this.#responses.take(url.pathname + url.search) : undefined;
    if (recorded !== undefined) return { status: 200, body: recorded };
    return answerRest(method, url, this.#instruments, this.#options.clock.nowMs());
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const wanted = readEndpoint(request.url ?? "/");
    if (this.#faults.refusing || this.#closing !== undefined) refuse(socket, "503 Service Unavailable");
    else if (wanted === null) refuse(socket, "404 Not Found");
    else if (wanted.streams.length > this.#limits.maxStreams) refuse(socket, "400 Bad Request");
    else this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => this.#welcome(webSocket, wanted));
  }

  #welcome(webSocket: WebSocket, { combined, streams }: Endpoint): void {
    const client = new Client(webSocket, {
      combined,
      limits: this.#limits,
      faults: this.#faults,
      log: this.#options.log,
      onChange: (change) => this.#change(client, change),
      onRejected: () => {
        this.#faults.rejectSubscribes--;
      },
      onClosed: () => this.#forget(client),
    });
    this.#clients.add(client);
    this.#market?.start();
    if (streams.length > 0) this.#change(client, { kind: "subscribe", streams });
  }

  #change(client: Client, change: Change): void {
    if (change.kind === "combined") client.combined = change.combined;
    else if (change.kind === "unsubscribe") this.#streams.unsubscribe(client, change.streams);
    else {
      this.#streams.subscribe(client, change.streams);
      this.#player?.subscribed();
    }
  }

  #forget(client: Client): void {
    this.#clients.delete(client);
    this.#streams.unsubscribe(client, [...client.streams]);
    this.#droppedByFormerClients += client.droppedUpdates;
    if (this.#clients.size === 0) this.#market?.stop();
  }
}

interface Endpoint {
  readonly combined: boolean;
  readonly streams: readonly string[];
}

/** `/stream?streams=a/b` and `/stream` for frames with an envelope, `/ws/a`, `/ws/a/b` and `/ws` without; else null. */
function readEndpoint(target: string): Endpoint | null {
  const url = parseTarget(target);
  if (url === null) return null;
  const path = url.pathname.replace(/\/$/, "");
  if (path === "/stream") return { combined: true, streams: names(url.searchParams.get("streams") ?? "") };
  if (path === "/ws") return { combined: false, streams: [] };
  if (path.startsWith("/ws/")) return { combined: false, streams: names(decodePath(path.slice("/ws/".length))) };
  return null;
}

const names = (list: string): string[] => [...new Set(list.split("/").filter((name) => name !== ""))];

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** Null for what is no path, e.g. "//". */
function parseTarget(target: string): URL | null {
  const base = "http://localhost";
  return URL.canParse(target, base) ? new URL(target, base) : null;
}

function refuse(socket: Duplex, status: string): void {
  socket.on("error", () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
