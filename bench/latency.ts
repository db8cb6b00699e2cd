import { type BenchCase, type BenchResult, figure, percentile } from "./case.js";
import { type BenchSymbol, fillSymbols, openBenchDatabase } from "./database.js";
import { bidMark, changesPerSecond, clientCount, idsOf, liveQuery } from "./fan-out.js";
import { Helper, sleep } from "./helper.js";
import type { ConnectInput, Counted } from "./live/clients.js";
import type { ServerUsage } from "./live/server.js";
import { changeOfBid } from "./live/traffic.js";

/** Clients that note when they got what. */
const sampleEvery = 25;

interface Latencies {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** An exchange, one server and its clients, each a process. */
class Line {
  private constructor(
    private readonly exchange: Helper,
    private readonly server: Helper,
    private readonly clients: Helper,
  ) {}

  static async open<T>(peer: string, setUp: SetUp, run: (line: Line) => Promise<T>): Promise<T> {
    const line = new Line(
      Helper.start("clients", "live/exchange.js"),
      Helper.start("server", "live/server.js", peer),
      Helper.start("clients", "live/clients.js"),
    );
    try {
      const exchange = await line.exchange.ask<{ url: string; websocketUrl: string }>("start");
      const url = await line.server.ask<string>("start", { address: setUp.address, exchange });
      // The feed subscribes in the meantime.
      await sleep(2_000);
      const connect: ConnectInput = {
        url,
        watchlists: Array.from({ length: setUp.clients }, () => idsOf(setUp.symbols)),
        query: liveQuery,
        intervalMs: setUp.intervalMs,
        mark: peer === "relay" ? '"b":"' : bidMark,
        sampleEvery,
      };
      await line.clients.ask("connect", connect);
      await line.exchange.ask("traffic", {
        perSecond: setUp.perSecond,
        tickers: setUp.symbols.map(({ ticker }) => ticker),
      });
      await sleep(2_000);
      return await run(line);
    } finally {
      await Promise.all([line.exchange.stop(), line.server.stop(), line.clients.stop()]);
    }
  }

  async latencies(forMs: number): Promise<Latencies> {
    await this.clients.ask("count");
    await sleep(forMs);
    const counted = await this.clients.ask<Counted>("counted");
    const sentAtMs = await this.exchange.ask<number[]>("sent");
    const waits = counted.samples.map(([bid, atMs]) => atMs - (sentAtMs[changeOfBid(bid)] ?? Number.NaN));
    if (waits.length === 0) return { p50Ms: Number.POSITIVE_INFINITY, p99Ms: Number.POSITIVE_INFINITY };
    return { p50Ms: percentile(waits, 0.5), p99Ms: percentile(waits, 0.99) };
  }

  usage(): Promise<ServerUsage> {
    return this.server.ask("usage");
  }

  pause(count: number): Promise<void> {
    return this.clients.ask("pause", { count, sampleEvery });
  }

  async connected(): Promise<number> {
    return (await this.clients.ask<Counted>("counted")).connected;
  }
}

interface SetUp {
  readonly address: Awaited<ReturnType<typeof openBenchDatabase>>["address"];
  readonly symbols: readonly BenchSymbol[];
  readonly clients: number;
  readonly perSecond: number;
  readonly intervalMs: number;
}

const measured = (peer: string, setUp: SetUp): Promise<Latencies> =>
  Line.open(peer, setUp, (line) => line.latencies(5_000));

/**
 * With every change to every client there are 270,000 messages a second, more than one core can write one by one: there all
 * conflate or queue. With a tenth of the changes the latency is that of a server that has time.
 */
const rates = [changesPerSecond, changesPerSecond / 10];

const latency: BenchCase = {
  name: "latency",
  async run() {
    const database = await openBenchDatabase();
    try {
      const symbols = await fillSymbols(database.owner, 9);
      const results: BenchResult[] = [];
      for (const perSecond of rates) {
        const setUp: SetUp = { address: database.address, symbols, clients: clientCount, perSecond, intervalMs: 0 };
        const ours = await measured("tradegraph", setUp);
        const limit = await measured("relay", setUp);
        const peer = await measured("graphql-ws", setUp);
        const result = (of: keyof Latencies): BenchResult => ({
          case: `latency, ${perSecond} changes/s, ${of === "p50Ms" ? "p50" : "p99"}`,
          unit: "ms",
          better: "less",
          ours: ours[of],
          peers: { "graphql-ws": peer[of] },
          limit: limit[of],
          reach: of === "p99Ms" ? { limit: 0.5 } : {},
          growsWith: "clients",
        });
        results.push(result("p50Ms"), result("p99Ms"));
      }
      return results;
    } finally {
      await database.close();
    }
  },
};

const megabytes = (bytes: number): number => bytes / 1e6;

async function slowReaderResults(line: Line): Promise<BenchResult[]> {
  const before = await line.latencies(15_000);
  await line.pause(10);
  await sleep(60_000);
  const afterMinute = await line.usage();
  const during = await line.latencies(15_000);
  const atEnd = await line.usage();
  const connected = await line.connected();
  return [
    {
      case: "slow reader: the others' p99",
      unit: "ms",
      better: "less",
      ours: during.p99Ms,
      limit: before.p99Ms,
      reach: { limit: 0.75 },
      note: `the limit is the p99 while all read; ${connected} of ${clientCount} are still connected`,
    },
    {
      case: "slow reader: memory 15 s after the first minute",
      unit: "MB",
      better: "less",
      ours: megabytes(atEnd.rssBytes),
      limit: megabytes(afterMinute.rssBytes),
      reach: { limit: 0.9 },
      growsWith: "symbols + clients",
      note: `the limit is the memory at the first minute; heap ${figure(megabytes(afterMinute.heapBytes))} MB, then ${figure(megabytes(atEnd.heapBytes))} MB`,
    },
  ];
}

const slowReader: BenchCase = {
  name: "slow-reader",
  async run() {
    const database = await openBenchDatabase();
    try {
      const symbols = await fillSymbols(database.owner, 9);
      const setUp: SetUp = {
        address: database.address,
        symbols,
        clients: clientCount,
        perSecond: changesPerSecond,
        intervalMs: 16,
      };
      return await Line.open("tradegraph", setUp, slowReaderResults);
    } finally {
      await database.close();
    }
  },
};

export const latencyCases: readonly BenchCase[] = [latency, slowReader];
