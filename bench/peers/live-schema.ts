import type { GraphQLSchema } from "graphql";
import { WebSocket } from "ws";
import { Catalogue } from "../../src/catalogue/catalogue.js";
import { readCatalogue } from "../../src/catalogue/follow.js";
import { decimalText } from "../../src/core/decimal.js";
import { integerKey, parseGlobalId } from "../../src/core/ids.js";
import { systemClock } from "../../src/core/time.js";
import { connect } from "../../src/db/connect.js";
import { type Quote, QuoteBoard } from "../../src/market-data/quotes.js";
import { loadQuotes } from "../../src/market-data/store-quotes.js";
import type { PeerInput } from "./peer.js";
import { schemaWith } from "./schema.js";

/** What the peers subscribe to: the same catalogue and quotes in memory as ours, so that only GraphQL and the network differ. */
export interface LiveData {
  readonly catalogue: Catalogue;
  readonly board: QuoteBoard;
}

export async function openLiveData({ address, exchange }: PeerInput): Promise<LiveData> {
  const database = connect({ address, role: "tradegraph_app", poolSize: 1, applicationName: "bench peer" });
  const catalogue = new Catalogue();
  await readCatalogue(database, catalogue);
  const board = new QuoteBoard(systemClock);
  board.goOn(await loadQuotes(database));
  await database.close();
  if (exchange !== null) followExchange(exchange.websocketUrl, { catalogue, board });
  return { catalogue, board };
}

function followExchange(url: string, { catalogue, board }: LiveData): void {
  new WebSocket(url).on("message", (frame: Buffer) => {
    const { data } = JSON.parse(frame.toString());
    const symbol = catalogue.symbolByTicker("BINANCE_SPOT", data.s);
    if (symbol === undefined) return;
    const receivedAtMs = Date.now();
    board.apply(
      {
        kind: "bookTicker",
        symbolId: symbol.id,
        bid: decimalText(data.b),
        bidQuantity: decimalText(data.B),
        ask: decimalText(data.a),
        askQuantity: decimalText(data.A),
        exchangeSequence: data.u,
        exchangeTimeMs: null,
        receivedAtMs,
      },
      1,
    );
  });
}

/** `hasWindows`: what changed within `intervalMs` is one message of each client, gathered for it alone; else each change is one. */
export function liveSchema({ catalogue, board }: LiveData, hasWindows = false): GraphQLSchema {
  return schemaWith({
    "Quote.symbol": (quote: Quote) => catalogue.findSymbol(quote.symbolId),
    "Quote.sequence": (quote: Quote) => String(quote.sequence),
    "Quote.exchangeTime": (quote: Quote) => quote.exchangeTimeMs,
    "Subscription.quotes": (_root, { symbolIds, intervalMs }) => {
      const ids = (symbolIds as string[]).map((id) => integerKey(parseGlobalId(id)?.key ?? "") ?? 0);
      return new Changes(board, ids, hasWindows ? intervalMs : null);
    },
  });
}

interface Root {
  readonly quotes: readonly Quote[];
}

/** The changes of some quotes, for one client. */
class Changes implements AsyncIterableIterator<Root> {
  readonly #ready: Root[] = [];
  #changed = new Set<Quote>();
  #wake: ((result: IteratorResult<Root>) => void) | undefined;
  readonly #stops: (() => void)[];

  constructor(board: QuoteBoard, ids: readonly number[], intervalMs: number | null) {
    this.#stops = ids.map((id) =>
      board.watch(id, (quote) => {
        if (intervalMs === null) this.#push({ quotes: [quote] });
        else this.#changed.add(quote);
      }),
    );
    if (intervalMs === null) return;
    const timer = setInterval(() => {
      if (this.#changed.size === 0) return;
      this.#push({ quotes: [...this.#changed] });
      this.#changed = new Set();
    }, intervalMs);
    this.#stops.push(() => clearInterval(timer));
  }

  #push(value: Root): void {
    const wake = this.#wake;
    this.#wake = undefined;
    if (wake === undefined) this.#ready.push(value);
    else wake({ value, done: false });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Root>> {
    const value = this.#ready.shift();
    if (value !== undefined) return Promise.resolve({ value, done: false });
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  return(): Promise<IteratorResult<Root>> {
    for (const stop of this.#stops) stop();
    this.#wake?.({ value: undefined, done: true });
    return Promise.resolve({ value: undefined, done: true });
  }
}
