import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startApp } from "../src/app.js";
import { parseConfig } from "../src/config.js";
import { noRateLimits, query } from "./support/app.js";
import { type CutOff, startCutOff } from "./support/cut-off.js";
import { createTestDatabase, type TestDatabase } from "./support/database.js";
import { fewPrices } from "./support/few-prices.js";
import { goodPassword, signUp } from "./support/people.js";
import { until } from "./support/until.js";

let database: TestDatabase;
let way: CutOff;
beforeAll(async () => {
  database = await createTestDatabase();
  way = await startCutOff(database.address);
});
afterAll(async () => {
  await way.close();
  await database.close();
});

const read = "{ accounts { id } orders(first: 1) { pageInfo { hasNextPage } } }";
const login =
  "mutation ($email: String!, $password: String!) { login(email: $email, password: $password) { accessToken } }";

test("while the database is away, who needs it is told so, the rest is answered, and afterwards everything is as before", async () => {
  const written: string[] = [];
  const log = pino({ level: "error" }, { write: (line: string) => void written.push(line) });
  const config = { ...parseConfig({ ...fewPrices, PORT: "0" }), rateLimits: noRateLimits };
  const app = await startApp(config, log, () => {}, { database: way.address });
  try {
    const url = app.url ?? "";
    const { headers, email } = await signUp(url);
    await way.cut();
    const refused = await query(url, read, {}, headers);
    expect(refused.errors?.[0]?.extensions.code).toBe("PROVIDER_UNAVAILABLE");
    const stranger = await query(url, login, { email, password: goodPassword });
    expect(stranger.errors?.[0]?.extensions.code).toBe("PROVIDER_UNAVAILABLE");
    const prices = await query(url, "{ defaultSymbols { ticker } }");
    expect([prices.errors, prices.data.defaultSymbols.length]).toEqual([undefined, 9]);
    // It is no fault of ours.
    expect(written.join("")).not.toContain("request.internal-error");
    await way.mend();
    await until(async () => (await query(url, read, {}, headers)).errors === undefined);
    await until(async () => (await query(url, login, { email, password: goodPassword })).errors === undefined);
  } finally {
    await app.close();
  }
});
