import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.js";
import { until } from "../../test/support/until.js";
import { Catalogue, type DataProvider } from "./catalogue.js";
import { type CatalogueFollower, followCatalogue } from "./follow.js";
import { usageOf } from "./provider-month.js";
import { UsageMeter } from "./provider-usage.js";

const code = "OKX_SPOT_WS";
const log = pino({ level: "silent" });

let database: TestDatabase;
let catalogue: Catalogue;
let follower: CatalogueFollower;
let nowMs: number;
const meters: UsageMeter[] = [];
const clock = { nowMs: () => nowMs };

beforeEach(async () => {
  nowMs = Date.UTC(2026, 10, 30, 23, 59, 0);
  database = await createTestDatabase();
  catalogue = new Catalogue();
  follower = await followCatalogue(database.app, catalogue, log);
});
afterEach(async () => {
  await Promise.all(meters.splice(0).map((meter) => meter.close()));
  await follower.close();
  await database.close();
});

const meter = (over = database.app, to = log): UsageMeter => {
  const made = new UsageMeter(over, catalogue, clock, to);
  meters.push(made);
  return made;
};
const provider = (): DataProvider => catalogue.providerByCode(code) as DataProvider;
const allow = async (limit: number) => {
  await database.owner.sql`update data_providers set monthly_limit = ${limit} where code = ${code}`;
  await until(() => provider().monthlyLimit === limit);
};
const stored = async () => {
  const [row] = await database.owner.sql`
    select usage_month::text as month, monthly_usage as requests from data_providers where code = ${code}`;
  return row;
};

test("requests of several nodes add up in the row", async () => {
  const [one, two] = [meter(), meter()];
  for (let i = 0; i < 3; i++) one.take(provider().id);
  two.take(provider().id);
  expect(one.usageOf(provider())).toBe(3);
  await Promise.all([one.close(), two.close()]);
  expect(await stored()).toEqual({ month: "2026-11-01", requests: 4 });
  await until(() => usageOf(provider(), nowMs) === 4);
  expect(meter().usageOf(provider())).toBe(4);
});

test("at the limit no request is allowed, and the turn of the month (UTC) begins anew", async () => {
  await allow(2);
  const node = meter();
  node.take(provider().id);
  expect(node.refusal(provider())).toBeNull();
  node.take(provider().id);
  expect(node.refusal(provider())).toBe("the limit of 2 requests a month is reached; used again from 2026-12-01 (UTC)");
  expect(() => node.take(provider().id)).toThrow(expect.objectContaining({ code: "PROVIDER_UNAVAILABLE" }));
  await node.close();
  expect(await stored()).toEqual({ month: "2026-11-01", requests: 2 });

  await until(() => usageOf(provider(), nowMs) === 2);
  nowMs = Date.UTC(2026, 11, 1);
  expect(node.refusal(provider())).toBeNull();
  expect(usageOf(provider(), nowMs)).toBe(0);
  const next = meter();
  next.take(provider().id);
  await next.close();
  expect(await stored()).toEqual({ month: "2026-12-01", requests: 1 });
});

test("a node whose clock is behind does not take another's month back", async () => {
  const late = meter();
  late.take(provider().id);
  await database.owner
    .sql`update data_providers set usage_month = '2026-12-01', monthly_usage = 7 where code = ${code}`;
  await late.close();
  expect(await stored()).toEqual({ month: "2026-12-01", requests: 7 });
});

test("what could not be written is written later, once", async () => {
  let isDown = true;
  const flaky = {
    ...database.app,
    sql: ((...args: Parameters<typeof database.app.sql>) =>
      isDown ? Promise.reject(new Error("down")) : database.app.sql(...args)) as typeof database.app.sql,
  };
  const node = meter(flaky);
  node.take(provider().id);
  node.take(provider().id);
  await node.close();
  expect(await stored()).toEqual({ month: null, requests: 0 });
  expect(node.usageOf(provider())).toBe(2);
  isDown = false;
  await node.close();
  expect(await stored()).toEqual({ month: "2026-11-01", requests: 2 });
});

test("a warning comes at 80 percent, once a month", async () => {
  await allow(10);
  const warnings: Record<string, unknown>[] = [];
  const to = pino({ level: "warn" }, { write: (line: string) => void warnings.push(JSON.parse(line) as never) });
  const node = meter(database.app, to);
  for (let i = 0; i < 7; i++) node.take(provider().id);
  expect(warnings).toEqual([]);
  for (let i = 0; i < 3; i++) node.take(provider().id);
  expect(warnings).toMatchObject([{ provider: code, requests: 8, monthlyLimit: 10 }]);
});
