import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
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
    this.#server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
  }

  async listen(): Promise<void> {
    const { port, host = "127.0.0.1", log } = this.#options;
    this.#server.listen({ port, host, exclusive: true });
    try {
      await once(this.#server, "listening");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
      throw new StartError(`port ${port} is taken, so the simulated exchange cannot start: choose another SIMULATOR_PORT`);
    }
    log.info({ url: this.url, symbols: this.#instruments.length, replay: this.#player !== null }, "simulator.listening");
  }

  get #authority(): string {
    const address = this.#server.address() as AddressInfo;
    return `${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
  }
}
