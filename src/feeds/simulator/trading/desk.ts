import type { WebSocket } from "ws";
import type { Logger } from "../../../core/logger.js";
import type { Clock } from "../../../core/time.js";
import { accountPosition, executionReport } from "../binance/order-payloads.js";
import { answered, answerPrivate, isPrivate } from "../binance/private-rest.js";
import { accountOf, checkSignature } from "../binance/signed-requests.js";
import { answerUserStream, eventFrame } from "../binance/user-stream.js";
import { Client } from "../client.js";
import type { RestAnswer } from "../face.js";
import { tickerOf } from "../instruments.js";
import type { Venue } from "../venue.js";
import { SimulatedAccount, type SimulatedAccountOptions } from "./account.js";
import { type Execution, MatchingEngine } from "./engine.js";
import { FaultyStream, RequestFaults, type StreamFaults } from "./faults.js";
import type { SimulatedOrder, SimulatedTrade } from "./order.js";

/**
 * A key of the simulated exchange that everybody may know, with something to trade. It is worth nothing elsewhere.
 */
export const simulatedTrader: SimulatedAccountOptions = {
  apiKey: "simulated-api-key",
  secret: "simulated-api-secret",
  balances: { USDT: "100000", BTC: "1", ETH: "20", BNB: "100" },
  futures: "50000",
};

export interface DeskOptions {
  readonly accounts: readonly SimulatedAccountOptions[];
  readonly clock: Clock;
  readonly log: Logger;
}

const matchEveryMs = 50;
const webSocketPath = "/ws-api/v3";
/** Requests of one connection; the real exchange counts by weight. */
const maxRequestsPerSecond = 20;

/** Trading on Binance's spot market: who may, what they hold, and what they are told. */
export class TradingDesk {
  readonly faults = new RequestFaults();
  readonly streamFaults: StreamFaults = { doubled: false, swapped: false, lost: 0 };
  readonly accounts: ReadonlyMap<string, SimulatedAccount>;
  readonly engine: MatchingEngine;
  /** Requests that were done, by method and path. */
  readonly done = new Map<string, number>();
  readonly #venue: Venue;
  readonly #options: DeskOptions;
  readonly #streams = new Map<Client, { account: SimulatedAccount; id: number; stream: FaultyStream }>();
  #subscriptions = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(venue: Venue, options: DeskOptions) {
    this.#venue = venue;
    this.#options = options;
    this.accounts = new Map(options.accounts.map((account) => [account.apiKey, new SimulatedAccount(account)]));
    this.engine = new MatchingEngine({
      instruments: new Map(venue.face.instruments.map((instrument) => [tickerOf(instrument), instrument])),
      nowMs: () => options.clock.nowMs(),
      market: (ticker) => venue.market(ticker),
      onExecution: (account, order, kind, trade) => this.#tell(account, order, kind, trade),
    });
  }

  isFor(method: string, path: string): boolean {
    return isPrivate(method, path);
  }

  opens(path: string): boolean {
    return path === webSocketPath;
  }

  /** Does the request, if it is in order. @param payload the query and the body as they came */
  answer(method: string, path: string, apiKey: string | undefined, payload: string): RestAnswer {
    const parameters = new URLSearchParams(payload);
    return answered(() => {
      const account = accountOf(apiKey, this.accounts);
      const signed = payload.replace(/&?signature=[^&]*/, "");
      checkSignature(account, signed, parameters, this.#options.clock.nowMs());
      const name = `${method} ${path}`;
      this.done.set(name, (this.done.get(name) ?? 0) + 1);
      const { engine } = this;
      engine.advance(account);
      const isListed = (symbol: string) => this.#venue.market(symbol) !== undefined;
      const answer = answerPrivate(method, path, { account, parameters, engine, isListed });
      this.#watchPrices();
      return answer;
    });
  }

  /** A connection to the WebSocket API. */
  welcome(webSocket: WebSocket): void {
    const { log, clock } = this.#options;
    const { faults, limits, clients } = this.#venue;
    const client: Client = new Client(webSocket, {
      combined: false,
      route: webSocketPath,
      limits: { ...limits, maxMessagesPerSecond: maxRequestsPerSecond },
      faults,
      log,
      answer: (text) => {
        const reply = answerUserStream(text, {
          accounts: this.accounts,
          nowMs: clock.nowMs(),
          subscribe: (account) => this.#subscribe(client, account),
          unsubscribe: () => this.#streams.delete(client),
        });
        return { replies: [reply], change: null };
      },
      onChange: () => {},
      onRejected: () => {},
      onClosed: () => {
        clients.delete(client);
        this.#streams.delete(client);
      },
    });
    clients.add(client);
  }

  /** How many clients hear what happens to accounts. */
  get subscriptions(): number {
    return this.#streams.size;
  }

  /** Events that wait for a partner to change places with are sent. */
  flush(): void {
    for (const { stream } of this.#streams.values()) stream.flush();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #subscribe(client: Client, account: SimulatedAccount): number {
    const id = this.#subscriptions++;
    const stream = new FaultyStream(this.streamFaults, (frame) => client.sendUpdate(frame));
    this.#streams.set(client, { account, id, stream });
    return id;
  }

  #tell(account: SimulatedAccount, order: SimulatedOrder, kind: Execution, trade: SimulatedTrade | null): void {
    const nowMs = this.#options.clock.nowMs();
    const instrument = this.#venue.face.instruments.find((known) => tickerOf(known) === order.symbol);
    const assets = instrument === undefined ? [] : [instrument.base, instrument.quote];
    const events = [executionReport(order, kind, trade, nowMs), accountPosition(account, assets, nowMs)];
    for (const event of events) {
      for (const subscribed of this.#streams.values()) {
        if (subscribed.account !== account) continue;
        if (this.streamFaults.lost > 0) this.streamFaults.lost--;
        else subscribed.stream.push(eventFrame(subscribed.id, event));
      }
    }
  }

  /** Only while something rests: otherwise prices change nothing. */
  #watchPrices(): void {
    const isResting = () => [...this.accounts.values()].some(({ openOrders }) => openOrders.size > 0);
    if (this.#timer !== undefined || !isResting()) return;
    this.#timer = setInterval(() => {
      for (const account of this.accounts.values()) this.engine.advance(account);
      if (!isResting()) this.stop();
    }, matchEveryMs);
  }
}
