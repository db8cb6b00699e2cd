import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Catalogue } from "../src/catalogue/catalogue.js";
import { readCatalogue } from "../src/catalogue/follow.js";
import { decimalText } from "../src/core/decimal.js";
import { asUserAtOnce } from "../src/db/as-user.js";
import { MarkEquity } from "../src/jobs/mark-equity.js";
import { snapshotBalances } from "../src/jobs/snapshot-balances.js";
import { createAccount } from "../src/trading/accounts.js";
import { SetClock } from "./support/quiet-app.js";
import { compress, describeSeries, dropOld } from "./support/series-storage.js";
import { newUser, setQuote, startTestLedger, type TestLedger } from "./support/trading.js";

const log = pino({ level: "silent" });
const dayMs = 86_400_000;

describeSeries("balances over time", (on, storage) => {
  const clock = new SetClock(Date.now());
  const catalogue = new Catalogue();
  const users: string[] = [];
  const accounts: string[] = [];
  beforeAll(async () => {
    await readCatalogue(on.app, catalogue);
    for (const amount of ["100", "7"]) {
      const userId = await newUser(on);
      const { id } = await createAccount({ database: on.app, catalogue, keyRing: null, clock }, userId, {
        exchange: "BINANCE",
        name: "main",
        environment: "PAPER",
        initialBalances: [{ asset: "USDT", amount: decimalText(amount) }],
      });
      users.push(userId);
      accounts.push(id);
    }
  });

  const taken = async (accountId = accounts[0] ?? "") =>
    (
      await on.owner.sql<{ at: Date; available: string }[]>`
        select taken_at as at, available from balance_snapshots where account_id = ${accountId} order by taken_at`
    ).map(({ at, available }) => [new Date(at).toISOString().slice(0, 13), Number(available)]);

  const run = (atMs: number) => snapshotBalances(on.app).work({ at: new Date(atMs), mayGoOn: () => true });

  test("are taken once for every hour, however many nodes do it", async () => {
    await Promise.all([run(Date.UTC(2026, 10, 20, 12, 34)), run(Date.UTC(2026, 10, 20, 12, 34))]);
    await run(Date.UTC(2026, 10, 20, 12, 59, 59));
    await run(Date.UTC(2026, 10, 20, 13, 0, 1));
    expect(await taken()).toEqual([
      ["2026-11-20T12", 100],
      ["2026-11-20T13", 100],
    ]);
    expect(await taken(accounts[1])).toHaveLength(2);
  });

  test("are shown to their user alone, and the program can neither write nor delete them", async () => {
    const own = async (userId: string) =>
      (
        await asUserAtOnce(on.app, userId, (sql) => [
          sql<{ account_id: string }[]>`select account_id from own_balance_snapshots`,
        ])
      )[0];
    for (const [at, userId] of users.entries())
      expect(new Set((await own(userId)).map((row) => row.account_id))).toEqual(new Set([accounts[at]]));
    expect(await on.app.sql`select 1 from own_balance_snapshots`).toHaveLength(0);
    for (const attempt of [
      "select 1 from balance_snapshots",
      "delete from balance_snapshots",
      "insert into balance_snapshots select gen_random_uuid(), 'USDT', now(), 1, 1",
    ])
      await expect(on.app.sql.unsafe(attempt)).rejects.toThrow(/permission denied/);
  });

  test("stay for two years, compressed or not, and then go", async () => {
    const now = Date.now();
    const old = [now - 800 * dayMs, now - 735 * dayMs];
    const young = [now - 720 * dayMs, now - 60 * dayMs];
    for (const at of [...old, ...young])
      await on.owner.sql`
        insert into balance_snapshots values (${accounts[0] ?? ""}, 'USDT', ${new Date(at).toISOString()}, 1, 0)`;
    await compress(on, "balance_snapshots");
    if (storage === "timescaledb") await dropOld(on);
    await run(now);
    const left = await taken();
    const hours = left.map(([hour]) => hour);
    for (const at of young) expect(hours).toContain(new Date(at).toISOString().slice(0, 13));
    // TimescaleDB drops whole chunks of a month.
    if (storage === "tables") expect(hours).not.toContain(new Date(now - 735 * dayMs).toISOString().slice(0, 13));
  });

  test("what is not old is safe from the program, whatever time it says that it is", async () => {
    const before = (await taken()).length;
    const [row] = await on.app.sql`
      select drop_old_balance_snapshots('2100-01-01', 10000)::float8 as rows`;
    expect(row?.rows).toBe(0);
    expect(await taken()).toHaveLength(before);
  });
});

describe("what accounts are worth at midnight", () => {
  const clock = new SetClock(Date.UTC(2026, 10, 20, 23, 59));
  let on: TestLedger;
  beforeAll(async () => {
    on = await startTestLedger(clock);
  });
  afterAll(() => on.close());

  const marks = async (accountId: string) => {
    const [row] = await on.database.owner.sql`
      select equity_day::text as day, equity_at_midnight as at_midnight, highest_equity as highest from account_sequences
      where account_id = ${accountId}`;
    return [row?.day ?? null, Number(row?.at_midnight), Number(row?.highest)];
  };
  const start = () =>
    new MarkEquity({ database: on.database.app, ledger: on.ledger, markets: on.markets, clock, log }, 5);

  test("is kept without any order, once a day, and the highest of it every hour where a limit asks about it", async () => {
    const userId = await newUser(on.database);
    const bound = (await on.account(userId, { USDT: "1000", BTC: "10" })).id;
    const other = (await on.account(userId, { USDT: "1000", BTC: "10" })).id;
    await on.database.owner.sql`
      insert into risk_limits (id, scope, user_id, account_id, max_drawdown_percent) values (gen_random_uuid(), 'ACCOUNT', ${userId}, ${bound}, 50)`;
    setQuote(on.quotes, on.symbol.id, "100", clock);
    const job = start();
    try {
      for (const id of [bound, other])
        await expect.poll(() => marks(id), { timeout: 10_000 }).toEqual(["2026-11-20", 2_000, 2_000]);
      setQuote(on.quotes, on.symbol.id, "300", clock);
      clock.atMs = Date.UTC(2026, 10, 21, 0, 0, 30);
      for (const id of [bound, other])
        await expect.poll(() => marks(id), { timeout: 10_000 }).toEqual(["2026-11-21", 4_000, 4_000]);
      setQuote(on.quotes, on.symbol.id, "500", clock);
      clock.atMs = Date.UTC(2026, 10, 21, 1, 0, 30);
      await expect.poll(() => marks(bound), { timeout: 10_000 }).toEqual(["2026-11-21", 4_000, 6_000]);
      expect(await marks(other)).toEqual(["2026-11-21", 4_000, 4_000]);
    } finally {
      await job.close();
    }
  });

  test("waits for a price that it hangs on", async () => {
    const userId = await newUser(on.database);
    const { id } = await on.account(userId, { USDT: "1000", ETH: "10" });
    const { id: priced } = await on.account(userId, { USDT: "1000" });
    const job = start();
    try {
      await expect.poll(() => marks(priced), { timeout: 10_000 }).toEqual(["2026-11-21", 1_000, 1_000]);
      expect((await marks(id))[0]).toBeNull();
      setQuote(on.quotes, on.catalogue.symbolByTicker("BINANCE_SPOT", "ETHUSDT")?.id ?? 0, "10", clock);
      await expect.poll(() => marks(id), { timeout: 10_000 }).toEqual(["2026-11-21", 1_100, 1_100]);
    } finally {
      await job.close();
    }
  });
});
