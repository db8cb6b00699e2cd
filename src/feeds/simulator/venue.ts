import type { WebSocket } from "ws";
import type { Logger } from "../../core/logger.js";
import type { Clock } from "../../core/time.js";
import { Client, exchangeLimits, type Faults } from "./client.js";
import type { Change, Channel, ConnectionLimits, Face, Opening, RestAnswer } from "./face.js";
import { type MarketStep, SymbolMarket } from "./market.js";
import { type Stream, StreamIndex } from "./streams.js";

const tickMs = 25;
/** Making up the past day of a market takes some milliseconds; a few at a time leave room for everything else. */
const maxWakesPerTick = 3;

export interface VenueOptions {
  readonly seed: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly updatesPerSecond: number;
  readonly limits: Partial<ConnectionLimits>;
  /** False: the streams are fed from somewhere else, and no market moves. */
  readonly isAlive: boolean;
  readonly onSubscribed: () => void;
}

/** One market of an exchange: its symbols, its clients, and how it misbehaves. One timer moves it while it has clients. */
export class Venue {
  readonly face: Face;
  readonly streams = new StreamIndex();
  readonly clients = new Set<Client>();
  readonly limits: ConnectionLimits;
  readonly faults: Faults = { silent: false, refusing: false, rejectSubscribes: 0, limiting: null };
  readonly #options: VenueOptions;
  readonly #time: SteadyTime;
  readonly #symbols = new Map<string, Listing>();
  readonly #byStream = new Map<Stream, Listing>();
  #droppedByFormerClients = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @throws {RangeError} when the face's instruments are not sound */
  constructor(face: Face, options: VenueOptions) {
    this.face = face;
    this.#options = options;
    this.limits = { ...exchangeLimits, ...face.limits, ...options.limits };
    this.#time = new SteadyTime(options.clock);
    if (!options.isAlive) return;
    const startMs = this.#time.nowMs();
    const { seed, updatesPerSecond } = options;
    for (const instrument of face.instruments) {
      const ticker = face.ticker(instrument);
      if (this.#symbols.has(ticker)) throw new RangeError(`${ticker} is listed twice`);
      const market = new SymbolMarket(instrument, { venue: face.market, seed, startMs, updatesPerSecond });
      const symbol = new Listing(market, face.channels(ticker, market, this.streams));
      this.#symbols.set(ticker, symbol);
      for (const { stream } of symbol.channels) this.#byStream.set(stream, symbol);
    }
  }

  get droppedUpdates(): number {
    let dropped = this.#droppedByFormerClients;
    for (const client of this.clients) dropped += client.droppedUpdates;
    return dropped;
  }

  get bufferedBytes(): number {
    let bytes = 0;
    for (const client of this.clients) bytes += client.bufferedBytes;
    return bytes;
  }

  welcome(webSocket: WebSocket, { combined, route, streams }: Opening): void {
    const { log, clock } = this.#options;
    const client = new Client(webSocket, {
      combined,
      route,
      limits: this.limits,
      faults: this.faults,
      log,
      answer: (text, current) =>
        this.face.answer(text, current, {
          maxStreams: this.limits.maxStreams,
          nowMs: clock.nowMs(),
          refuseSubscription: this.faults.rejectSubscribes > 0,
          isKnown: (name) => this.streams.find(name)?.isKnown === true,
        }),
      onChange: (change) => this.#change(client, change),
      onRejected: () => {
        this.faults.rejectSubscribes--;
      },
      onClosed: () => this.#forget(client),
    });
    this.clients.add(client);
    this.#start();
    if (streams.length > 0) this.#change(client, { kind: "subscribe", streams });
  }

  rest(method: string, url: URL): RestAnswer {
    if (this.faults.refusing) return this.face.refusal(503);
    if (this.faults.limiting !== null) return this.face.refusal(this.faults.limiting.status);
    return this.face.rest(method, url, {
      nowMs: this.#options.clock.nowMs(),
      instruments: this.face.instruments,
      market: (ticker) => this.market(ticker),
    });
  }

  /** Up to date; undefined when there is no such symbol. */
  market(ticker: string): SymbolMarket | undefined {
    const symbol = this.#symbols.get(ticker);
    symbol?.catchUp(this.#time.nowMs());
    return symbol?.market;
  }

  /** The next change of every book that somebody is told of gets lost. */
  loseDepth(): void {
    for (const symbol of this.#symbols.values()) symbol.losesDepth = symbol.isWatched;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const symbol of this.#symbols.values()) symbol.sleep();
  }

  #start(): void {
    this.#timer ??= setInterval(() => {
      const nowMs = this.#time.nowMs();
      let woken = 0;
      for (const symbol of this.#symbols.values()) {
        if (!symbol.isWatched) symbol.sleep();
        else if (symbol.isAwake) symbol.advance(nowMs);
        else if (woken++ < maxWakesPerTick) symbol.wake(nowMs);
      }
    }, tickMs);
  }

  #change(client: Client, change: Change): void {
    if (change.kind === "combined") client.combined = change.combined;
    else if (change.kind === "unsubscribe") this.streams.unsubscribe(client, change.streams);
    else {
      this.streams.subscribe(client, change.streams);
      for (const name of change.streams) {
        const stream = this.streams.find(name);
        if (stream !== undefined) this.#byStream.get(stream)?.greetLater(client, stream);
      }
      this.#options.onSubscribed();
    }
  }

  #forget(client: Client): void {
    this.clients.delete(client);
    this.streams.unsubscribe(client, [...client.streams]);
    this.#droppedByFormerClients += client.droppedUpdates;
    if (this.clients.size === 0) this.stop();
  }
}

/** A symbol's market and what is told of it. */
class Listing {
  isAwake = false;
  losesDepth = false;
  /** Who is new to which stream; told at the next tick, when the market is up to date. */
  #newcomers: { readonly client: Client; readonly stream: Stream }[] = [];

  constructor(
    readonly market: SymbolMarket,
    readonly channels: readonly Channel[],
  ) {}

  get isWatched(): boolean {
    return this.channels.some(({ stream }) => stream.isWatched);
  }

  /** While nobody listens, time only passes; it is made up for in one go when somebody comes. */
  wake(nowMs: number): void {
    this.market.skipTo(nowMs);
    this.isAwake = true;
    this.#greet();
  }

  advance(nowMs: number): void {
    // Before what happens now: a greeting tells where the stream goes on from.
    this.#greet();
    this.market.advance(nowMs, this.#publish);
  }

  sleep(): void {
    this.isAwake = false;
    if (this.#newcomers.length > 0) this.#newcomers = [];
  }

  /** For who asks: what happens before the answer is also told before it, so that no later trade is older than the answer. */
  catchUp(nowMs: number): void {
    if (this.isAwake) this.advance(nowMs);
    else this.market.skipTo(nowMs);
  }

  greetLater(client: Client, stream: Stream): void {
    this.#newcomers.push({ client, stream });
  }

  #greet(): void {
    if (this.#newcomers.length === 0) return;
    for (const { client, stream } of this.#newcomers) {
      if (!stream.clients.has(client) || !this.market.isTrading) continue;
      for (const channel of this.channels) {
        const greeting = channel.stream === stream ? channel.greet() : null;
        if (greeting !== null) client.sendUpdate(greeting);
      }
    }
    this.#newcomers = [];
  }

  readonly #publish = (step: MarketStep): void => {
    if (step.kind === "depth" && this.losesDepth) this.losesDepth = false;
    else for (const channel of this.channels) if (channel.kind === step.kind) channel.publish(step);
  };
}

/** A clock that is never set back: after a correction it goes on from where it was. */
class SteadyTime {
  readonly #clock: Clock;
  #lastMs: number;
  #aheadMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lastMs = clock.nowMs();
  }

  nowMs(): number {
    const nowMs = this.#clock.nowMs();
    if (nowMs < this.#lastMs) this.#aheadMs += this.#lastMs - nowMs;
    this.#lastMs = nowMs;
    return Math.floor(nowMs + this.#aheadMs);
  }
}
