import { globalId } from "../src/core/ids.js";
import { type BenchCase, type BenchResult, figure, median } from "./case.js";
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
const intervalsMs = [16, 100];

export const idsOf = (symbols: readonly BenchSymbol[]): string[] => symbols.map(({ id }) => globalId("Symbol", id));

interface Slice {
  readonly cpuUsPerQuote: number;
  readonly quotesPerSecond: number;
  readonly quotesPerMessage: number;
}

interface SetUp {
  readonly input: PeerInput;
  readonly symbolIds: readonly number[];
  readonly watchlists: readonly (readonly string[])[];
}

/** One server and its clients. It costs nothing while no quote changes. */
class Line {
  #slices: Slice[] = [];
  readonly #server: Helper;
  #clients: Helper | undefined;
  #url = "";

  constructor(
    private readonly peer: string,
    private readonly setUp: SetUp,
  ) {
    this.#server = Helper.start("server", "live/server.js", peer);
  }

  async start(): Promise<void> {
    this.#url = await this.#server.ask<string>("start", this.setUp.input);
  }

  /** New clients, in the place of those that were there. */
  async connect(intervalMs: number): Promise<void> {
    await this.#clients?.stop();
    this.#clients = Helper.start("clients", "live/clients.js");
    const connect: ConnectInput = {
      url: this.#url,
      watchlists: this.setUp.watchlists,
      query: liveQuery,
      intervalMs,
      mark: bidMark,
      sampleEvery: Number.POSITIVE_INFINITY,
    };
    await this.#clients.ask("connect", connect);
  }

  async measure(warmUpMs: number, forMs: number): Promise<void> {
    const clients = this.#clients;
    if (clients === undefined) throw new Error(`${this.peer} has no clients`);
    const { symbolIds } = this.setUp;
    await this.#server.ask("traffic", { perSecond: changesPerSecond, symbolIds });
    await sleep(warmUpMs);
    await Promise.all([this.#server.ask("measure"), clients.ask("count")]);
    await sleep(forMs);
    const [usage, counted] = await Promise.all([
      this.#server.ask<ServerUsage>("usage"),
      clients.ask<Counted>("counted"),
    ]);
    await this.#server.ask("traffic", { perSecond: 0, symbolIds });
    const { quotes, messages, connected } = counted;
    if (connected < clientCount) throw new Error(`${this.peer} lost ${clientCount - connected} clients`);
    this.#slices.push({
      cpuUsPerQuote: (usage.cpuMs * 1000) / quotes,
      quotesPerSecond: (quotes / forMs) * 1000,
      quotesPerMessage: quotes / messages,
    });
  }

  /** Of what was measured since it was asked last. */
  takeMedian(): Slice {
    const slices = this.#slices;
    this.#slices = [];
    const of = (figure: keyof Slice) => median(slices.map((slice) => slice[figure]));
    return {
      cpuUsPerQuote: of("cpuUsPerQuote"),
      quotesPerSecond: of("quotesPerSecond"),
      quotesPerMessage: of("quotesPerMessage"),
    };
  }

  stop(): Promise<unknown> {
    return Promise.all([this.#server.stop(), this.#clients?.stop()]);
  }
}

/** In turns, so that whatever else the machine does meets all of them. */
async function measureInTurns(lines: readonly Line[], intervalMs: number): Promise<Slice[]> {
  // One after the other: each takes all of the machine.
  for (const line of lines) await line.connect(intervalMs);
  for (const line of lines) await line.measure(1_000, 500);
  for (const line of lines) line.takeMedian();
  for (let round = 0; round < 3; round++) for (const line of lines) await line.measure(500, 1_000);
  return lines.map((line) => line.takeMedian());
}

/** They send each change as a message, have no interval, and are measured once. */
const peersOfEachChange = ["graphql-ws", "mercurius", "yoga"];

async function fanOut(
  name: string,
  symbolCount: number,
  watchlistsOf: (ids: readonly string[]) => string[][],
  reach: BenchResult["reach"],
): Promise<BenchResult[]> {
  const database = await openBenchDatabase();
  const lines: Line[] = [];
  try {
    const symbols = await fillSymbols(database.owner, symbolCount);
    const setUp: SetUp = {
      input: { address: database.address, exchange: null },
      symbolIds: symbols.map(({ id }) => id),
      watchlists: watchlistsOf(idsOf(symbols)),
    };
    for (const peer of ["tradegraph", "raw-frames", "graphql-ws-windows", ...peersOfEachChange]) {
      const line = new Line(peer, setUp);
      lines.push(line);
      await line.start();
    }
    const results: BenchResult[] = [];
    let peers: Record<string, number> = {};
    for (const intervalMs of intervalsMs) {
      // The others send each change by itself, whatever the interval.
      const measured = results.length === 0 ? lines : lines.slice(0, 3);
      const [ours, limit, windows, ...others] = await measureInTurns(measured, intervalMs);
      if (ours === undefined || limit === undefined || windows === undefined) throw new Error("a line is missing");
      if (results.length === 0)
        peers = Object.fromEntries(
          peersOfEachChange.map((peer, index) => [peer, others[index]?.cpuUsPerQuote ?? Number.NaN]),
        );
      results.push({
        case: `${name}, ${intervalMs} ms`,
        unit: "CPU µs per quote",
        better: "less",
        ours: ours.cpuUsPerQuote,
        peers,
        limit: limit.cpuUsPerQuote,
        reach,
        growsWith: "clients × messages",
        note:
          `${figure(ours.quotesPerSecond)} quotes/s, ${figure(ours.quotesPerMessage)} in a message; ` +
          `graphql-ws with windows written by hand ${figure(windows.cpuUsPerQuote)}`,
      });
    }
    return results;
  } finally {
    await Promise.all(lines.map((line) => line.stop()));
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
