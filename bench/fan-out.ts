import { globalId } from "../src/core/ids.js";
import { type BenchCase, type BenchResult, figure } from "./case.js";
import { type BenchSymbol, fillSymbols, openBenchDatabase } from "./database.js";
import { Helper, sleep } from "./helper.js";
import type { ConnectInput, Counted } from "./live/clients.js";
import type { ServerUsage } from "./live/server.js";
import type { PeerInput } from "./peers/peer.js";

export const liveQuery =
  "subscription Q($ids: [ID!], $ms: Int) { quotes(symbolIds: $ids, intervalMs: $ms) { symbol { id ticker } price bid ask " +
  "change24h volume24h sequence exchangeTime } }";
export const clientCount = 500;
export const changesPerSecond = 540;
export const bidMark = '"bid":"';
const warmUpMs = 2_500;
const measureMs = 5_000;
const intervalsMs = [16, 100];

export const idsOf = (symbols: readonly BenchSymbol[]): string[] => symbols.map(({ id }) => globalId("Symbol", id));

interface FanOut {
  readonly cpuUsPerQuote: number;
  readonly quotesPerSecond: number;
  readonly quotesPerMessage: number;
}

/** The same clients on one server after the other, once for each interval. */
async function measure(
  peer: string,
  input: PeerInput,
  watchlists: readonly (readonly string[])[],
  symbols: readonly BenchSymbol[],
  intervals: readonly number[],
): Promise<FanOut[]> {
  const server = Helper.start("server", "live/server.js", peer);
  const clients = Helper.start("clients", "live/clients.js");
  try {
    const url = await server.ask<string>("start", input);
    const results: FanOut[] = [];
    for (const intervalMs of intervals) {
      const connect: ConnectInput = {
        url,
        watchlists,
        query: liveQuery,
        intervalMs,
        mark: bidMark,
        sampleEvery: Number.POSITIVE_INFINITY,
      };
      await clients.ask("connect", connect);
      await server.ask("traffic", { perSecond: changesPerSecond, symbolIds: symbols.map(({ id }) => id) });
      await sleep(warmUpMs);
      await Promise.all([server.ask("measure"), clients.ask("count")]);
      await sleep(measureMs);
      const [usage, counted] = await Promise.all([server.ask<ServerUsage>("usage"), clients.ask<Counted>("counted")]);
      await server.ask("traffic", { perSecond: 0, symbolIds: [] });
      await clients.ask("close");
      await sleep(500);
      if (counted.connected < clientCount) throw new Error(`${peer} lost ${clientCount - counted.connected} clients`);
      results.push({
        cpuUsPerQuote: (usage.cpuMs * 1000) / counted.quotes,
        quotesPerSecond: (counted.quotes / measureMs) * 1000,
        quotesPerMessage: counted.quotes / counted.messages,
      });
    }
    return results;
  } finally {
    await Promise.all([server.stop(), clients.stop()]);
  }
}

/** What sends each change as a message has no interval, and is measured once. */
const eachChange = { "graphql-ws": "graphql-ws", mercurius: "mercurius", yoga: "yoga" } as const;

async function fanOut(
  name: string,
  symbolCount: number,
  watchlistsOf: (ids: readonly string[]) => string[][],
  reach: BenchResult["reach"],
): Promise<BenchResult[]> {
  const database = await openBenchDatabase();
  try {
    const symbols = await fillSymbols(database.owner, symbolCount);
    const input: PeerInput = { address: database.address, exchange: null };
    const watchlists = watchlistsOf(idsOf(symbols));
    const run = (peer: string, intervals: readonly number[]) => measure(peer, input, watchlists, symbols, intervals);
    const ours = await run("tradegraph", intervalsMs);
    const limits = await run("raw-frames", intervalsMs);
    const windows = await run("graphql-ws-windows", intervalsMs);
    const peers: Record<string, number> = {};
    for (const [peer, file] of Object.entries(eachChange))
      for (const { cpuUsPerQuote } of await run(file, [0])) peers[peer] = cpuUsPerQuote;
    return intervalsMs.map((intervalMs, index) => {
      const { cpuUsPerQuote, quotesPerSecond, quotesPerMessage } = ours[index] as FanOut;
      return {
        case: `${name}, ${intervalMs} ms`,
        unit: "CPU µs per quote",
        better: "less",
        ours: cpuUsPerQuote,
        peers,
        limit: (limits[index] as FanOut).cpuUsPerQuote,
        reach,
        growsWith: "clients × messages",
        note:
          `${figure(quotesPerSecond)} quotes/s, ${figure(quotesPerMessage)} in a message; ` +
          `graphql-ws with windows written by hand ${figure((windows[index] as FanOut).cpuUsPerQuote)}`,
      };
    });
  } finally {
    await database.close();
  }
}

const fanOutSame: BenchCase = {
  name: "fan-out-same",
  run: () =>
    fanOut("fan-out-same", 9, (ids) => Array.from({ length: clientCount }, () => [...ids]), { peer: 40, limit: 0.5 }),
};

/** Distinct, and the same in every run. */
function randomWatchlists(ids: readonly string[]): string[][] {
  let seed = 1;
  const random = () => {
    seed = (seed * 48_271) % 0x7fffffff;
    return seed / 0x7fffffff;
  };
  return Array.from({ length: clientCount }, () => {
    const chosen = new Set<string>();
    while (chosen.size < 20) chosen.add(ids[Math.floor(random() * ids.length)] ?? "");
    return [...chosen];
  });
}

const fanOutDifferent: BenchCase = {
  name: "fan-out-different",
  run: () => fanOut("fan-out-different", 500, randomWatchlists, { peer: 20, limit: 0.5 }),
};

export const fanOutCases: readonly BenchCase[] = [fanOutSame, fanOutDifferent];
