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
  readonly slices: Slice[] = [];
  readonly #server: Helper;
  readonly #clients: Helper;

  constructor(
    private readonly peer: string,
    private readonly intervalMs: number,
    private readonly setUp: SetUp,
  ) {
    this.#server = Helper.start("server", "live/server.js", peer);
    this.#clients = Helper.start("clients", "live/clients.js");
  }

  async connect(): Promise<void> {
    const connect: ConnectInput = {
      url: await this.#server.ask<string>("start", this.setUp.input),
      watchlists: this.setUp.watchlists,
      query: liveQuery,
      intervalMs: this.intervalMs,
      mark: bidMark,
      sampleEvery: Number.POSITIVE_INFINITY,
    };
    await this.#clients.ask("connect", connect);
  }

  async measure(warmUpMs: number, forMs: number): Promise<void> {
    const { symbolIds } = this.setUp;
    await this.#server.ask("traffic", { perSecond: changesPerSecond, symbolIds });
    await sleep(warmUpMs);
    await Promise.all([this.#server.ask("measure"), this.#clients.ask("count")]);
    await sleep(forMs);
    const [usage, counted] = await Promise.all([
      this.#server.ask<ServerUsage>("usage"),
      this.#clients.ask<Counted>("counted"),
    ]);
    await this.#server.ask("traffic", { perSecond: 0, symbolIds });
    const { quotes, messages, connected } = counted;
    if (connected < clientCount) throw new Error(`${this.peer} lost ${clientCount - connected} clients`);
    this.slices.push({
      cpuUsPerQuote: (usage.cpuMs * 1000) / quotes,
      quotesPerSecond: (quotes / forMs) * 1000,
      quotesPerMessage: quotes / messages,
    });
  }

  median(of: keyof Slice): number {
    return median(this.slices.map((slice) => slice[of]));
  }

  stop(): Promise<unknown> {
    return Promise.all([this.#server.stop(), this.#clients.stop()]);
  }
}

/** All at once and measured in turns, so that whatever else the machine does meets all of them. */
async function measureInTurns(lines: readonly Line[]): Promise<void> {
  // One after the other: each start takes all of the machine.
  for (const line of lines) await line.connect();
  for (const line of lines) await line.measure(750, 400);
  for (const line of lines) line.slices.length = 0;
  for (let round = 0; round < 3; round++) for (const line of lines) await line.measure(250, 1_000);
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
    const open = (peer: string, intervalMs: number): Line => {
      const line = new Line(peer, intervalMs, setUp);
      lines.push(line);
      return line;
    };
    const compared = intervalsMs.map((intervalMs) => ({
      intervalMs,
      ours: open("tradegraph", intervalMs),
      limit: open("raw-frames", intervalMs),
      windows: open("graphql-ws-windows", intervalMs),
    }));
    const peers = peersOfEachChange.map((peer) => [peer, open(peer, 0)] as const);
    await measureInTurns(lines);
    return compared.map(({ intervalMs, ours, limit, windows }) => ({
      case: `${name}, ${intervalMs} ms`,
      unit: "CPU µs per quote",
      better: "less",
      ours: ours.median("cpuUsPerQuote"),
      peers: Object.fromEntries(peers.map(([peer, line]) => [peer, line.median("cpuUsPerQuote")])),
      limit: limit.median("cpuUsPerQuote"),
      reach,
      growsWith: "clients × messages",
      note:
        `${figure(ours.median("quotesPerSecond"))} quotes/s, ${figure(ours.median("quotesPerMessage"))} in a message; ` +
        `graphql-ws with windows written by hand ${figure(windows.median("cpuUsPerQuote"))}`,
    }));
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
