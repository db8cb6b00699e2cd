import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { query } from "./support/app.js";
import { type CutOff, startCutOff } from "./support/cut-off.js";
import { createTestDatabase, type TestDatabase } from "./support/database.js";
import { fewPrices } from "./support/few-prices.js";
import { findNats, type NatsServer, startNats } from "./support/nats.js";
import { type Program, runProgram } from "./support/program.js";
import { openStream } from "./support/stream.js";
import { until } from "./support/until.js";

interface Quotes {
  quotes: { symbol: { ticker: string }; price: string; sequence: string; isStale: boolean }[];
}

const natsPath = findNats();
const quotesText = "subscription { quotes(intervalMs: 0) { symbol { ticker } price sequence isStale } }";
/** The promise of the program. */
const takeoverMs = 5_000;

describe.skipIf(natsPath === null)("two nodes with feeds and workers, and one that serves clients", () => {
  let nats: NatsServer;
  let database: TestDatabase;
  const programs: Program[] = [];
  let way: CutOff<TestDatabase["address"]> | undefined;

  const start = (roles: string, by?: CutOff<TestDatabase["address"]>): Program => {
    const { host, port, user, database: name } = database.address;
    const program = runProgram(["serve"], {
      ...fewPrices,
      DATABASE_URL:
        by === undefined
          ? `postgres://${user}@localhost/${name}?host=${encodeURIComponent(host)}&port=${port}`
          : `postgres://${user}@${by.address.host}:${by.address.port}/${name}`,
      NATS_URL: nats.url,
      ROLES: roles,
      PORT: "0",
      LOG_LEVEL: "info",
      QUOTE_FLUSH_MS: "50",
    });
    programs.push(program);
    return program;
  };
  const leadsFeeds = (program: Program): boolean => /feeds\.led-here/.test(program.output() + program.errors());
  const isUp = (program: Program): boolean => /Ctrl-C stops it/.test(program.output() + program.errors());

  beforeAll(async () => {
    nats = await startNats(natsPath ?? "");
    database = await createTestDatabase();
  });
  afterEach(async () => {
    await way?.close();
    way = undefined;
    for (const program of programs.splice(0)) {
      program.signal("SIGCONT");
      program.signal("SIGKILL");
      await program.exit;
    }
  });
  afterAll(async () => {
    await database?.close();
    await nats?.kill();
  });

  test.each(["SIGKILL", "SIGSTOP"] as const)(
    "the leader of the feeds is ended by %s: prices are live again within five seconds, and no client sees a sequence go back",
    async (signal) => {
      const api = start("api");
      const first = start("feed,worker");
      const url = await api.printed(/GraphiQL +(http:\S+)\/graphiql/);
      await until(() => leadsFeeds(first), 30_000);
      const standby = start("feed,worker");
      await until(() => isUp(standby), 30_000);
      const stream = openStream<Quotes>(`${url.replace("http", "ws")}/graphql`, quotesText);
      const isFresh = async () =>
        (
          await query<{ defaultSymbols: { quote: { isStale: boolean } | null }[] }>(
            url,
            "{ defaultSymbols { quote { isStale } } }",
          )
        ).data.defaultSymbols.every(({ quote }) => quote?.isStale === false);
      await until(isFresh, 30_000);
      expect(leadsFeeds(standby)).toBe(false);
      const told = () => stream.messages.flatMap(({ quotes }) => quotes);
      await until(() => told().length > 0, 20_000);

      const endedAtMs = performance.now();
      first.signal(signal);
      await until(() => leadsFeeds(standby), 20_000);
      const before = told().length;
      await until(
        () =>
          told()
            .slice(before)
            .some(({ isStale }) => !isStale),
        20_000,
      );
      expect(performance.now() - endedAtMs).toBeLessThan(takeoverMs);
      if (signal === "SIGSTOP") {
        // It wakes as one that leads no more, and what it still says must not count.
        first.signal("SIGCONT");
        await until(() => /leadership\.lost/.test(first.output() + first.errors()), 20_000);
      }
      const after = told().length;
      await until(() => told().length > after + 20, 20_000);
      await until(isFresh, 20_000);

      const seen = new Map<string, number>();
      for (const { symbol, sequence } of told()) {
        expect(Number(sequence)).toBeGreaterThan(seen.get(symbol.ticker) ?? 0);
        seen.set(symbol.ticker, Number(sequence));
      }
      expect(stream.errors).toEqual([]);
      await stream.close();
    },
    90_000,
  );

  test.each(["cut", "silence"] as const)(
    "the way of the feeds' leader to the database is gone (%s): another node leads, it hears so and ends, clients of both have live prices, and none sees a sequence go back",
    async (how) => {
      const api = start("api");
      way = await startCutOff(database.address);
      const first = start("api,feed", way);
      const urls = [api, first].map((program) => program.printed(/GraphiQL +(http:\S+)\/graphiql/));
      await until(() => leadsFeeds(first), 30_000);
      const standby = start("feed");
      await until(() => isUp(standby), 30_000);
      const streams = (await Promise.all(urls)).map((url) =>
        openStream<Quotes>(`${url.replace("http", "ws")}/graphql`, quotesText),
      );
      const told = (stream: (typeof streams)[number]) => stream.messages.flatMap(({ quotes }) => quotes);
      const fresh = (stream: (typeof streams)[number]) => told(stream).filter(({ isStale }) => !isStale);
      await until(() => streams.every((stream) => told(stream).length > 0), 20_000);

      await way[how]();
      await until(() => leadsFeeds(standby), 20_000);
      // It still cannot ask the database.
      await until(() => /leadership\.lost/.test(first.output() + first.errors()), 20_000);
      const after = streams.map((stream) => fresh(stream).length);
      await until(() => streams.every((stream, at) => fresh(stream).length > (after[at] ?? 0) + 20), 20_000);
      for (const stream of streams) {
        const seen = new Map<string, number>();
        for (const { symbol, sequence } of told(stream)) {
          expect(Number(sequence)).toBeGreaterThan(seen.get(symbol.ticker) ?? 0);
          seen.set(symbol.ticker, Number(sequence));
        }
        expect(stream.errors).toEqual([]);
        await stream.close();
      }
    },
    90_000,
  );
});
