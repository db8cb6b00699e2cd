import { randomBytes } from "node:crypto";
import type { WebSocket } from "ws";
import { answered } from "../binance/private-rest.js";
import { accountOf, checkSignature } from "../binance/signed-requests.js";
import { Client } from "../client.js";
import { json, type RestAnswer } from "../face.js";
import type { DeskOptions } from "../trading/desk.js";
import { FaultyStream, RequestFaults, type StreamFaults } from "../trading/faults.js";
import { Refused } from "../trading/order.js";
import type { Venue } from "../venue.js";
import { FuturesAccount } from "./account.js";
import { FuturesEngine } from "./engine.js";
import { accountUpdate, orderUpdate } from "./payloads.js";
import { answerFutures, isFuturesRequest } from "./private-rest.js";

const matchEveryMs = 50;
const webSocketPath = "/private/ws";

/** Trading on Binance's USDⓈ-M futures: the wallets of the keys that have one, and what they are told. */
export class FuturesDesk {
  readonly faults = new RequestFaults();
  readonly streamFaults: StreamFaults = { doubled: false, swapped: false, lost: 0 };
  readonly accounts: ReadonlyMap<string, FuturesAccount>;
  readonly engine: FuturesEngine;
  /** Requests that were done, by method and path. */
  readonly done = new Map<string, number>();
  readonly #venue: Venue;
  readonly #options: DeskOptions;
  readonly #listenKeys = new Map<string, FuturesAccount>();
  readonly #streams = new Map<Client, { account: FuturesAccount; stream: FaultyStream }>();
  #timer: NodeJS.Timeout | undefined;

  constructor(venue: Venue, options: DeskOptions) {
    const { accounts, clock } = options;
    this.#venue = venue;
    this.#options = options;
    this.accounts = new Map(
      accounts
        .filter(({ futures }) => futures !== undefined)
        .map((account) => [account.apiKey, new FuturesAccount(account, clock.nowMs())]),
    );
    this.engine = new FuturesEngine({
      instruments: venue.face.instruments,
      nowMs: () => clock.nowMs(),
      market: (ticker) => venue.market(ticker),
      onExecution: (account, order, kind, trade) => {
        const nowMs = clock.nowMs();
        if (trade !== null) this.#tell(account, accountUpdate(account, "ORDER", nowMs));
        this.#tell(account, orderUpdate(order, kind, trade, nowMs));
      },
      onFunding: (account) => this.#tell(account, accountUpdate(account, "FUNDING_FEE", clock.nowMs())),
    });
  }

  isFor(method: string, path: string): boolean {
    return isFuturesRequest(method, path);
  }

  opens(path: string): boolean {
    return path === webSocketPath;
  }

  /** How many clients hear what happens to accounts. */
  get subscriptions(): number {
    return this.#streams.size;
  }

  /** Does the request, if it is in order. @param payload the query and the body as they came */
  answer(method: string, path: string, apiKey: string | undefined, payload: string): RestAnswer {
    return answered(() => {
      const account = accountOf(apiKey, this.accounts);
      const name = `${method} ${path}`;
      if (path === "/fapi/v1/listenKey") return json(200, this.#listenKey(account, apiKey ?? ""));
      const parameters = new URLSearchParams(payload);
      checkSignature(account, payload.replace(/&?signature=[^&]*/, ""), parameters, this.#options.clock.nowMs());
      this.done.set(name, (this.done.get(name) ?? 0) + 1);
      this.engine.advance(account);
      const { instruments } = this.#venue.face;
      const answer = answerFutures(method, path, { account, parameters, engine: this.engine, instruments });
      this.#watchPrices();
      return json(200, answer);
    });
  }

  /** A connection to the stream of an account, which the listen key in its address names. */
  welcome(webSocket: WebSocket, url: URL): void {
    const { limits, faults, clients } = this.#venue;
    const account = this.#listenKeys.get(url.searchParams.get("listenKey") ?? "");
    if (account === undefined) {
      webSocket.close(1008, "Invalid listen key");
      return;
    }
    const client: Client = new Client(webSocket, {
      combined: false,
      route: webSocketPath,
      limits,
      faults,
      log: this.#options.log,
      answer: () => ({ replies: [], change: null }),
      onChange: () => {},
      onRejected: () => {},
      onClosed: () => {
        clients.delete(client);
        this.#streams.delete(client);
      },
    });
    clients.add(client);
    this.#streams.set(client, {
      account,
      stream: new FaultyStream(this.streamFaults, (frame) => client.sendUpdate(frame)),
    });
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** The same key for as long as the account has one. */
  #listenKey(account: FuturesAccount, apiKey: string): object {
    if (!this.accounts.has(apiKey)) throw new Refused(-2015, "Invalid API-key, IP, or permissions for action.", 401);
    const known = [...this.#listenKeys].find(([, of]) => of === account)?.[0];
    const listenKey = known ?? randomBytes(32).toString("hex");
    this.#listenKeys.set(listenKey, account);
    return { listenKey };
  }

  #tell(account: FuturesAccount, event: object): void {
    for (const subscribed of this.#streams.values()) {
      if (subscribed.account !== account) continue;
      if (this.streamFaults.lost > 0) this.streamFaults.lost--;
      else subscribed.stream.push(JSON.stringify(event));
    }
  }

  /** Only while something rests: otherwise prices change nothing. */
  #watchPrices(): void {
    const isResting = () => [...this.accounts.values()].some((account) => account.openOrders().length > 0);
    if (this.#timer !== undefined || !isResting()) return;
    this.#timer = setInterval(() => {
      for (const account of this.accounts.values()) this.engine.advance(account);
      if (!isResting()) this.stop();
    }, matchEveryMs);
  }
}
