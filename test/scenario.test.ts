import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { seedReferenceData } from "../src/catalogue/seed.js";
import { connect } from "../src/db/connect.js";
import { openEmbeddedDatabase } from "../src/db/embedded-database.js";
import { migrate } from "../src/db/migrations.js";
import { query } from "./support/app.js";
import {
  announcement,
  createDataFolder,
  type DataFolder,
  freePort,
  type Program,
  runProgram,
} from "./support/program.js";
import { recordedFrames, recordingsFolder } from "./support/recordings.js";
import { openStream } from "./support/stream.js";
import { until } from "./support/until.js";

const recordings = recordingsFolder();
const ticker = "NKNUSDT";

interface RecordedQuote {
  price: string;
  bid: string;
  bidQuantity: string;
  ask: string;
  askQuantity: string;
}

/** What the exchange said last of the symbol, in its own text. */
function lastRecorded(): { book: { b: string; B: string; a: string; A: string }; trade: { p: string; T: number } } {
  const of = (stream: string) =>
    recordedFrames("binance-spot.ws.txt")
      .map((frame) => JSON.parse(frame.body) as { stream: string; data: never })
      .filter((frame) => frame.stream === `${ticker.toLowerCase()}@${stream}`)
      .at(-1)?.data as never;
  return { book: of("bookTicker"), trade: of("aggTrade") };
}

const plain = (text: string): string => text.replace(/\.?0+$/, "");

describe.skipIf(recordings === null)("the real program, fed with recorded traffic", () => {
  let folder: DataFolder;
  let program: Program | undefined;
  beforeAll(async () => {
    folder = await createDataFolder();
    // Before the first start the operator adds the symbols of the recording.
    const embedded = await openEmbeddedDatabase(join(folder.path, "data"), "simulated", pino({ level: "silent" }));
    const owner = connect({ address: embedded.address, role: null, poolSize: 1, applicationName: "scenario" });
    await migrate(owner.sql, pino({ level: "silent" }));
    await seedReferenceData(owner, "simulated");
    for (const [base, quote] of [
      ["NKN", "USDT"],
      ["BLZ", "ETH"],
      ["LRC", "BTC"],
      ["RUNE", "EUR"],
    ] as const) {
      await owner.sql`
        insert into symbols (market_id, asset_class_id, ticker, display_name, base_currency, quote_currency, is_tracked, price_precision, quantity_precision, tick_size, step_size)
        select id, asset_class_id, ${base + quote}, ${`${base}/${quote}`}, ${base}, ${quote}, true, 8, 8, 0.00000001, 0.00000001 from markets where code = 'BINANCE_SPOT'`;
    }
    await owner.close();
    await embedded.close();
  });
  afterAll(async () => {
    program?.signal("SIGKILL");
    await program?.exit;
    await folder.remove();
  });

  test("a price goes from a recorded Binance frame to a WebSocket client and into Postgres, digit by digit", async () => {
    const { book, trade } = lastRecorded();
    program = runProgram(["serve"], {
      PORT: String(await freePort()),
      TRADEGRAPH_DATA_DIR: join(folder.path, "data"),
      SIMULATOR_REPLAY: join(recordings ?? "", "binance-spot.ws.txt"),
      SIMULATOR_REPLAY_SPEED: "5",
      QUOTE_FLUSH_MS: "50",
    });
    const url = await program.printed(announcement);
    const { data } = await query(url, `{ symbol(market: "BINANCE_SPOT", ticker: "${ticker}") { id quote { price } } }`);
    const stream = openStream<{
      quotes: (RecordedQuote & { exchangeTime: string; sequence: string; provider: { providerType: string } })[];
    }>(
      `${url.replace("http", "ws")}/graphql`,
      `subscription ($ids: [ID!]) { quotes(symbolIds: $ids, intervalMs: 0) {
        price bid bidQuantity ask askQuantity exchangeTime sequence provider { providerType } } }`,
      { ids: [data.symbol.id] },
    );
    const expected: RecordedQuote = {
      price: plain(trade.p),
      bid: plain(book.b),
      bidQuantity: plain(book.B),
      ask: plain(book.a),
      askQuantity: plain(book.A),
    };
    const isLast = (quote: RecordedQuote | undefined) =>
      quote !== undefined &&
      Object.entries(expected).every(([key, value]) => quote[key as keyof RecordedQuote] === value);
    const message = await stream.find(({ quotes }) => isLast(quotes[0]), 20_000);
    expect(message.quotes[0]).toMatchObject({
      exchangeTime: new Date(trade.T).toISOString(),
      provider: { providerType: "SIMULATED" },
    });
    const sequences = stream.messages.flatMap(({ quotes }) => quotes.map((quote) => BigInt(quote.sequence)));
    expect(sequences.length).toBeGreaterThan(5);
    expect(sequences).toEqual(sequences.toSorted((a, b) => (a < b ? -1 : 1)));

    await until(async () => {
      const [row] = await folder.sql(
        "tradegraph_simulated",
        (
          sql,
        ) => sql`select trim_scale(price)::text as price, trim_scale(bid)::text as bid, trim_scale(bid_quantity)::text as "bidQuantity",
          trim_scale(ask)::text as ask, trim_scale(ask_quantity)::text as "askQuantity"
          from symbol_quotes join symbols on symbols.id = symbol_id where ticker = ${ticker}`,
      );
      return isLast(row as RecordedQuote | undefined);
    }, 10_000);
    await stream.close();
    await program.stop();
  });

  test("started again, it goes on from the stored values, and the sequence goes on as well", async () => {
    const stored = { TRADEGRAPH_DATA_DIR: join(folder.path, "data") };
    const before = runProgram(["serve"], { ...stored, PORT: String(await freePort()) });
    const url = await before.printed(announcement);
    const text = `{ symbol(market: "BINANCE_SPOT", ticker: "${ticker}") { quote { price sequence isStale } } }`;
    const first = (await query(url, text)).data.symbol.quote;
    // The walk of the simulator does not know the symbol, so its recorded price stands, and says that it is old.
    expect(first).toMatchObject({ price: plain(lastRecorded().trade.p), isStale: true });
    expect(BigInt(first.sequence)).toBeGreaterThan(BigInt(Date.now() - 600_000) * 1000n);
    await before.stop("SIGTERM");
  });
});
