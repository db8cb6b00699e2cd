import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { StartError } from "../../core/errors.js";
import type { Logger } from "../../core/logger.js";
import type { Clock } from "../../core/time.js";
import type { ConnectionLimits, RestAnswer } from "./face.js";
import { faces } from "./faces.js";
import { FuturesDesk } from "./futures/desk.js";
import type { SimulatedInstrument } from "./instruments.js";
import { Player, RecordedResponses, type Replay, type ReplayOptions } from "./replay.js";
import type { SimulatedAccountOptions } from "./trading/account.js";
import { simulatedTrader, TradingDesk } from "./trading/desk.js";
import { serveTrading } from "./trading/serve.js";
import { Venue } from "./venue.js";

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
  /** In place of those of {@link recordedMarket}. */
  readonly instruments?: readonly SimulatedInstrument[];
  readonly limits?: Partial<ConnectionLimits>;
  /**
   * Recorded frames of {@link recordedMarket} in place of invented markets, which then are not there; recorded HTTP
   * responses are served where their path and query match.
   */
  readonly replay?: ReplayOptions;
  /** Who may trade, in place of {@link simulatedTrader}. */
  readonly accounts?: readonly SimulatedAccountOptions[];
}

/** Where a market of the simulated exchange is found; what an exchange's paths begin with follows. */
export interface SimulatedAddress {
  readonly url: string;
  readonly websocketUrl: string;
}

/** A running simulated exchange, and the switches by which a test makes it misbehave: one market, or all of them. */
export interface Simulator extends SimulatedAddress {
  /** Of the REST API of Binance spot, e.g. "http://127.0.0.1:9001". */
  readonly url: string;
  /** Add `/stream` or `/ws`. */
  readonly websocketUrl: string;
  /** By the market's code. Binance spot has the server's root, each other one a path of its own. */
  readonly addresses: ReadonlyMap<string, SimulatedAddress>;
  /** Null without a recording. */
  readonly replay: Replay | null;
  /** Accounts on {@link recordedMarket}, and how their requests and streams fail; null with a recording. */
  readonly trading: TradingDesk | null;
  /** The same on {@link futuresMarket}. */
  readonly futures: FuturesDesk | null;
  /** WebSocket connections that are open now. */
  readonly connections: number;
  /** Updates that were not sent because a client did not read, since the start. */
  readonly droppedUpdates: number;
  /** Waiting to be read by the clients. */
  readonly bufferedBytes: number;
  /** Cuts all connections without a goodbye. */
  disconnectAll(market?: string): void;
  /** While on, connections stay open and nothing is sent: no updates, no answers, no pings, no pongs. */
  goSilent(on: boolean, market?: string): void;
  /** Sends a text frame to every client, whatever it is subscribed to. */
  sendRaw(text: string, market?: string): void;
  /** While on, new connections and REST requests get HTTP 503. Open connections go on. */
  refuseConnections(on: boolean, market?: string): void;
  /** The next subscription, whoever asks for it, is refused. */
  rejectNextSubscribe(market?: string): void;
  /** Of every book that somebody is subscribed to, the next change is not sent. */
  loseDepth(market?: string): void;
  /** REST requests are answered with HTTP 429 (too many) or 418 (banned), until null. */
  limitRequests(limiting: { status: 418 | 429; retryAfterSeconds: number } | null, market?: string): void;
  /** Ends everything; settled when the port is free. */
  close(): Promise<void>;
}

/** Whose traffic a recording holds, who is at the server's root, and where there is trading. */
const recordedMarket = "BINANCE_SPOT";
const futuresMarket = "BINANCE_FUTURES";

const defaultUpdatesPerSecond = 5;
/** A bound against mistakes, far above what a test or a demonstration needs. */
const maxSockets = 2_000;
/** What is longer ends the connection; a list of many streams is not. */
const maxFrameBytes = 64 * 1024;

/**
 * A separate server that speaks the protocols of several exchanges, with invented or recorded prices.
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
  readonly trading: TradingDesk | null;
  readonly futures: FuturesDesk | null;
  readonly #options: SimulatorOptions;
  readonly #venues: ReadonlyMap<string, Venue>;
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
  #closing: Promise<void> | undefined;

  constructor(options: SimulatorOptions) {
    const { instruments, limits = {}, updatesPerSecond = defaultUpdatesPerSecond, replay } = options;
    this.#options = options;
    const venues = new Map<string, Venue>();
    for (const face of faces) {
      const isRecorded = face.market === recordedMarket;
      if (replay !== undefined && !isRecorded) continue;
      const own = isRecorded && instruments !== undefined ? { ...face, instruments } : face;
      const isAlive = replay === undefined;
      const onSubscribed = () => this.#player?.subscribed();
      venues.set(pathOf(face.market), new Venue(own, { ...options, limits, updatesPerSecond, isAlive, onSubscribed }));
    }
    this.#venues = venues;
    this.#player = replay === undefined ? null : new Player(replay, this.#venueAt(recordedMarket).streams);
    this.#responses = new RecordedResponses(replay?.recording ?? []);
    const { accounts = [simulatedTrader], clock, log } = options;
    this.trading =
      replay === undefined ? new TradingDesk(this.#venueAt(recordedMarket), { accounts, clock, log }) : null;
    this.futures =
      replay === undefined ? new FuturesDesk(this.#venueAt(futuresMarket), { accounts, clock, log }) : null;
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
    const markets = [...this.#venues.values()].map(({ face }) => face.market);
    log.info({ url: this.url, markets, replay: this.#player !== null }, "simulator.listening");
  }

  get addresses(): ReadonlyMap<string, SimulatedAddress> {
    return new Map(
      [...this.#venues].map(([path, { face }]) => [
        face.market,
        { url: this.url + path, websocketUrl: this.websocketUrl + path },
      ]),
    );
  }

  get replay(): Replay | null {
    return this.#player;
  }

  get connections(): number {
    return this.#sum(({ clients }) => clients.size);
  }

  get droppedUpdates(): number {
    return this.#sum((venue) => venue.droppedUpdates);
  }

  get bufferedBytes(): number {
    return this.#sum((venue) => venue.bufferedBytes);
  }

  disconnectAll(market?: string): void {
    for (const { clients } of this.#of(market)) for (const client of clients) client.terminate();
  }

  goSilent(on: boolean, market?: string): void {
    for (const { faults } of this.#of(market)) faults.silent = on;
  }

  sendRaw(text: string, market?: string): void {
    for (const { clients } of this.#of(market)) for (const client of clients) client.sendUpdate(text);
  }

  refuseConnections(on: boolean, market?: string): void {
    for (const { faults } of this.#of(market)) faults.refusing = on;
  }

  rejectNextSubscribe(market: string = recordedMarket): void {
    for (const { faults } of this.#of(market)) faults.rejectSubscribes++;
  }

  loseDepth(market?: string): void {
    for (const venue of this.#of(market)) venue.loseDepth();
  }

  limitRequests(limiting: { status: 418 | 429; retryAfterSeconds: number } | null, market?: string): void {
    for (const { faults } of this.#of(market)) faults.limiting = limiting;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const venue of this.#venues.values()) venue.stop();
    this.trading?.stop();
    this.futures?.stop();
    this.disconnectAll();
    await this.#player?.close();
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #sum(count: (venue: Venue) => number): number {
    let sum = 0;
    for (const venue of this.#venues.values()) sum += count(venue);
    return sum;
  }

  #of(market: string | undefined): Iterable<Venue> {
    return market === undefined ? this.#venues.values() : [this.#venueAt(market)];
  }

  #venueAt(market: string): Venue {
    const venue = this.#venues.get(pathOf(market));
    if (venue === undefined) throw new RangeError(`the simulated exchange has no market ${market}`);
    return venue;
  }

  /** Whose address it is, and what stands there after the market's own path; who has the root gets all the rest. */
  #route(url: URL): { readonly venue: Venue; readonly url: URL } {
    const path = /^\/[^/]+/.exec(url.pathname)?.[0] ?? "";
    const venue = this.#venues.get(path);
    if (venue === undefined) return { venue: this.#venueAt(recordedMarket), url };
    return { venue, url: new URL((url.pathname.slice(path.length) || "/") + url.search, base) };
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const target = parseTarget(request.url ?? "/");
    const route = target && this.#route(target);
    const venue = route?.venue ?? this.#venueAt(recordedMarket);
    const desk = route === null ? null : this.#deskOf(route.venue);
    if (route !== null && desk?.isFor(request.method ?? "", route.url.pathname)) {
      void serveTrading(desk, request, response, route.url, venue.faults);
      return;
    }
    const { status, body } = route === null ? venue.face.refusal(400) : this.#answer(request, route.venue, route.url);
    const { limiting } = venue.faults;
    response
      .writeHead(status, {
        "content-type": "application/json;charset=UTF-8",
        ...(status === limiting?.status ? { "retry-after": String(limiting.retryAfterSeconds) } : {}),
      })
      .end(body);
  }

  #answer({ method = "GET" }: IncomingMessage, venue: Venue, url: URL): RestAnswer {
    const mayAnswer = !venue.faults.refusing && venue.faults.limiting === null && method === "GET";
    const recorded = mayAnswer ? this.#responses.take(url.pathname + url.search) : undefined;
    return recorded === undefined ? venue.rest(method, url) : { status: 200, body: recorded };
  }

  /** Where orders of a market are taken; null where it has only prices. */
  #deskOf({ face }: Venue): TradingDesk | FuturesDesk | null {
    if (face.market === recordedMarket) return this.trading;
    return face.market === futuresMarket ? this.futures : null;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const target = parseTarget(request.url ?? "/");
    const route = target && this.#route(target);
    const desk = route === null ? null : this.#deskOf(route.venue);
    const opening = route?.venue.face.open(route.url) ?? null;
    if (this.#closing !== undefined || route?.venue.faults.refusing) refuse(socket, "503 Service Unavailable");
    else if (route !== null && desk?.opens(route.url.pathname)) {
      this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => desk.welcome(webSocket, route.url));
    } else if (route === null || opening === null) refuse(socket, "404 Not Found");
    else if (opening.streams.length > route.venue.limits.maxStreams) refuse(socket, "400 Bad Request");
    else this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => route.venue.welcome(webSocket, opening));
  }
}

/** "OKX_SPOT" is found at "/okx-spot". */
const pathOf = (market: string): string =>
  market === recordedMarket ? "" : `/${market.toLowerCase().replaceAll("_", "-")}`;

const base = "http://localhost";

/** Null for what is no path, e.g. "//". */
function parseTarget(target: string): URL | null {
  return URL.canParse(target, base) ? new URL(target, base) : null;
}

function refuse(socket: Duplex, status: string): void {
  socket.on("error", () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
