import { Catalogue, type Market, type MarketSymbol } from "../src/catalogue/catalogue.js";
import { type BenchCase, type BenchResult, figure, median } from "./case.js";
import { fillSymbols, openBenchDatabase } from "./database.js";
import { Helper } from "./helper.js";
import type { Ask, Load, LoadInput } from "./http-load.js";
import type { ServerUsage } from "./live/server.js";
import type { PeerInput } from "./peers/peer.js";

const cachedQueryText =
  "{ defaultSymbols { id ticker displayName market { id code name } assetClass { id code name } " +
  "quote { price bid ask change24h volume24h sequence exchangeTime } } }";

export interface Asked {
  readonly query: string;
  readonly connections: number;
  /** Of the server at this address, e.g. with a credential. */
  readonly headersFor?: (url: string) => Promise<Readonly<Record<string, string>>>;
}

export interface QueryCost {
  readonly cpuUsPerAnswer: number;
  readonly answersPerSecond: number;
  readonly load: Load;
}

export async function costOfQuery(
  peer: string,
  input: PeerInput,
  { query, connections, headersFor }: Asked,
): Promise<QueryCost> {
  const server = Helper.start("server", "live/server.js", peer);
  const loader = Helper.start("clients", "http-load.js");
  try {
    const url = await server.ask<string>("start", input);
    const headers = (await headersFor?.(url)) ?? {};
    const asks = [{ body: JSON.stringify({ query }), headers }];
    return await costOf(server, loader, { url, asks, connections }, 3_000, 8_000);
  } finally {
    await Promise.all([server.stop(), loader.stop()]);
  }
}

/** Of what a server that runs is asked, after it has warmed up. */
export async function costOf(
  server: Helper,
  loader: Helper,
  asked: { readonly url: string; readonly asks: readonly Ask[]; readonly connections: number },
  warmUpMs: number,
  forMs: number,
): Promise<QueryCost> {
  await loader.ask<Load>("run", { ...asked, forMs: warmUpMs } satisfies LoadInput);
  await server.ask("measure");
  const load = await loader.ask<Load>("run", { ...asked, forMs } satisfies LoadInput);
  const { cpuMs } = await server.ask<ServerUsage>("usage");
  return { cpuUsPerAnswer: (cpuMs * 1000) / load.answers, answersPerSecond: (load.answers / forMs) * 1000, load };
}

const symbolsOfAnswer = ({ body }: Load) => JSON.parse(body).data.defaultSymbols as { id: string; ticker: string }[];

const cachedQuery: BenchCase = {
  name: "cached-query",
  async run() {
    const database = await openBenchDatabase();
    try {
      await fillSymbols(database.owner, 9);
      const input: PeerInput = { address: database.address, exchange: null };
      const asked: Asked = { query: cachedQueryText, connections: 32 };
      const ours = await costOfQuery("tradegraph", input, asked);
      const mercurius = await costOfQuery("mercurius-stored", input, asked);
      const apollo = await costOfQuery("apollo-stored", input, asked);
      const limit = await costOfQuery("constant", input, asked);
      for (const { load } of [mercurius, apollo])
        if (JSON.stringify(symbolsOfAnswer(load)) !== JSON.stringify(symbolsOfAnswer(ours.load)))
          console.log(`  the answers differ:\n${load.body}\n${ours.load.body}`);
      const common = {
        unit: "CPU µs per answer",
        better: "less",
        ours: ours.cpuUsPerAnswer,
        growsWith: "rows returned",
      } as const;
      const perSecond = `${figure(ours.answersPerSecond)} answers/s of ${figure(ours.load.bytes)} bytes`;
      const results: BenchResult[] = [
        {
          ...common,
          case: "cached query, against mercurius with JIT",
          peers: { mercurius: mercurius.cpuUsPerAnswer },
          limit: limit.cpuUsPerAnswer,
          reach: { peer: 4, limit: 0.5 },
          note: `${perSecond}, mercurius ${figure(mercurius.answersPerSecond)}, constant ${figure(limit.answersPerSecond)}; the database's own CPU is not counted`,
        },
        {
          ...common,
          case: "cached query, against plain Apollo",
          peers: { apollo: apollo.cpuUsPerAnswer },
          reach: { peer: 12 },
          note: `${perSecond}, Apollo ${figure(apollo.answersPerSecond)}`,
        },
      ];
      return results;
    } finally {
      await database.close();
    }
  },
};

/** Nanoseconds of one of many look-ups in random order. */
function timeOfLookup(keys: readonly number[], lookUp: (key: number) => MarketSymbol | undefined): number {
  const startMs = performance.now();
  let found = 0;
  for (const key of keys) if (lookUp(key) !== undefined) found++;
  if (found !== keys.length) throw new Error(`${keys.length - found} symbols were not found`);
  return ((performance.now() - startMs) * 1e6) / keys.length;
}

const symbolLookup: BenchCase = {
  name: "symbol-lookup",
  async run() {
    const count = 100_000;
    const market = { id: 1, code: "BINANCE_SPOT", displayOrder: 0 } as Market;
    const symbols = Array.from(
      { length: count },
      (_, n) => ({ id: n, marketId: 1, ticker: `COIN${n}USDT`, displayOrder: 0 }) as MarketSymbol,
    );
    const catalogue = new Catalogue();
    catalogue.apply("markets", null, [market]);
    catalogue.apply("symbols", null, symbols);
    const byId = new Map(symbols.map((symbol) => [symbol.id, symbol]));
    const byTicker = new Map(symbols.map((symbol) => [symbol.ticker, symbol]));
    // Made again: text that comes from outside is never the very object that is the key.
    const tickers = symbols.map(({ ticker }) => JSON.parse(JSON.stringify(ticker)) as string);
    const tickerOf = (key: number): string => tickers[key] ?? "";
    const keys = Array.from({ length: 200_000 }, (_, n) => (n * 48_271) % count);
    const lookUps = {
      id: (key: number) => catalogue.findSymbol(key),
      mapId: (key: number) => byId.get(key),
      ticker: (key: number) => catalogue.symbolByTicker("BINANCE_SPOT", tickerOf(key)),
      mapTicker: (key: number) => byTicker.get(tickerOf(key)),
    };
    const times: Record<keyof typeof lookUps, number[]> = { id: [], mapId: [], ticker: [], mapTicker: [] };
    for (let round = 0; round < 15; round++)
      for (const name of Object.keys(lookUps) as (keyof typeof lookUps)[])
        times[name].push(timeOfLookup(keys, lookUps[name]));
    const common = { unit: "ns", better: "less", growsWith: "nothing", reach: { peer: 1 / 3, figure: 1_000 } } as const;
    return [
      { ...common, case: "symbol by id", ours: median(times.id), peers: { "Map.get": median(times.mapId) } },
      {
        ...common,
        case: "symbol by market and ticker",
        ours: median(times.ticker),
        peers: { "Map.get": median(times.mapTicker) },
      },
    ];
  },
};

export const queryCases: readonly BenchCase[] = [cachedQuery, symbolLookup];
