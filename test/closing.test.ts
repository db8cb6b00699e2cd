import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startApp } from "../src/app.js";
import { parseConfig } from "../src/config.js";
import { noRateLimits } from "./support/app.js";
import { startCutOff } from "./support/cut-off.js";
import { createTestDatabase, type TestDatabase } from "./support/database.js";
import { fewPrices } from "./support/few-prices.js";
import { until } from "./support/until.js";

describe("the program closes, with prices that wait to be stored", () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database?.close());

  /** Without a limit of their own, the writers together would wait for minutes. */
  test.each(["cut", "silence"] as const)(
    "while nothing comes through to the database: %s",
    { timeout: 60_000 },
    async (trouble) => {
      const way = await startCutOff(database.address);
      const written: string[] = [];
      const log = pino({ level: "error" }, { write: (line: string) => void written.push(line) });
      const app = await startApp(
        { ...parseConfig({ ...fewPrices, PORT: "0", QUOTE_FLUSH_MS: "20" }), rateLimits: noRateLimits },
        log,
        () => {},
        { database: way.address },
      );
      try {
        await until(() => app.catalogue.defaultSymbols.some(({ id }) => app.quotes.get(id)?.isStale === false), 30_000);
        await way[trouble]();
        await app.close();
        expect(app.closing).toBeNull();
        // Cut connections are told to the writers at once; silence is told to nobody, and the watch ends the waiting.
        expect(written.join("")).toMatch(
          trouble === "cut" ? /lost-at-close|close\.database-away/ : /close\.database-away/,
        );
      } finally {
        await app.close();
        await way.close();
      }
    },
  );
});
