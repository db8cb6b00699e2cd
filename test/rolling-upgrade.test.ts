import { randomUUID } from "node:crypto";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type App, startApp } from "../src/app.js";
import { parseConfig } from "../src/config.js";
import { type Migration, migrate, readMigrations, rollback } from "../src/db/migrations.js";
import { noRateLimits, operatorToken, query } from "./support/app.js";
import { createTestDatabase, type TestDatabase } from "./support/database.js";
import { fewPrices } from "./support/few-prices.js";
import { CapturedMail, type SignedIn, signUp } from "./support/people.js";
import { openStream } from "./support/stream.js";
import { until } from "./support/until.js";

const log = pino({ level: process.env.TEST_LOG_LEVEL ?? "silent" });

let database: TestDatabase;
/** The release before knows these; the new one both others, and the one after it the last. */
let old: Migration[];
let expand: Migration;
let contract: Migration;
const nodes: App[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  old = await readMigrations();
  const next = (offset: number, name: string, up: string, down: string): Migration => {
    const id = old.length + offset;
    return { id, name: `${String(id).padStart(4, "0")}_${name}`, up, down, checksum: name };
  };
  // What the ledger writes whole rows of, what people change by columns, and what everybody reads.
  expand = next(
    0,
    "expand",
    `-- expand
     alter table orders add column desk varchar(20);
     alter table account_balances add column pledged numeric(38, 18) default 0;
     alter table user_dashboard_preferences add column colour varchar(20) not null default 'none';
     alter table symbols add column issuer varchar(100);
     alter table symbols add constraint ck_symbols_issuer check (length(issuer) > 0) not valid;`,
    `alter table symbols drop constraint ck_symbols_issuer, drop column issuer;
     alter table user_dashboard_preferences drop column colour;
     alter table account_balances drop column pledged;
     alter table orders drop column desk;`,
  );
  contract = next(
    1,
    "contract",
    "alter table symbols drop column issuer; alter table orders drop column desk;",
    "alter table orders add column desk varchar(20); alter table symbols add column issuer varchar(100); alter table symbols add constraint ck_symbols_issuer check (length(issuer) > 0) not valid;",
  );
});
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.close()));
  await database.close();
});

/** A node of a release that knows these migrations, and never migrates by itself. */
async function startNode(migrations: readonly Migration[], roles = "api,feed,worker"): Promise<string> {
  const config = parseConfig({
    ...fewPrices,
    PORT: "0",
    OPERATOR_TOKEN: operatorToken,
    QUOTE_FLUSH_MS: "20",
    AUTO_MIGRATE: "false",
    ROLES: roles,
  });
  const node = await startApp({ ...config, rateLimits: noRateLimits }, log, () => {}, {
    database: database.address,
    mailer: new CapturedMail(),
    migrations,
  });
  nodes.push(node);
  return node.url ?? "";
}

/** Does everything again and again until it is told to stop, and collects what went wrong. */
function useNode(url: string, { headers }: SignedIn, accountId: string, symbolId: string) {
  const faults: string[] = [];
  let isOver = false;
  let rounds = 0;
  const ask = async (text: string) => {
    const { data, errors } = await query(url, text, {}, headers);
    if (errors !== undefined) faults.push(`${text}: ${JSON.stringify(errors)}`);
    return data;
  };
  const running = (async () => {
    for (; !isOver && faults.length === 0; rounds++) {
      const placed = await ask(
        `mutation { placeOrder(input: { accountId: "${accountId}", symbolId: "${symbolId}", side: BUY, orderType: LIMIT, price: "40000", quantity: "0.01", clientOrderId: "${randomUUID()}" }) { id status } }`,
      );
      await ask(
        `{ symbols(first: 5) { nodes { ticker } } orders(first: 3) { nodes { status events { version } } } viewer { accounts { balances { asset available locked } } } }`,
      );
      await ask(`mutation { cancelOrder(id: "${placed?.placeOrder.id}") { status } }`);
      const item = await ask(`mutation { addDashboardItem(input: { symbolId: "${symbolId}" }) { id } }`);
      await ask(`mutation { removeDashboardItem(id: "${item?.addDashboardItem.id}") }`);
    }
  })();
  return {
    faults,
    rounds: () => rounds,
    /** A few more rounds, on whatever the schema is now. */
    goesOn: async () => {
      const from = rounds;
      await until(async () => rounds > from + 2 || faults.length > 0, 60_000);
      expect(faults).toEqual([]);
    },
    stop: async () => {
      isOver = true;
      await running;
      expect(faults).toEqual([]);
    },
  };
}

describe("an upgrade without downtime", () => {
  test("nodes of both releases work, and start, before, while and after the schema expands, and the new one after it contracts", async () => {
    const { sql } = database.owner;
    const oldUrl = await startNode(old);
    const person = await signUp(oldUrl);
    const another = await signUp(oldUrl);
    const ask = async (text: string) => (await query(oldUrl, text, {}, person.headers)).data;
    const symbolId = (await ask('{ symbol(market: "BINANCE_SPOT", ticker: "BTCUSDT") { id } }')).symbol.id;
    const newAccount = async ({ headers }: SignedIn) => {
      const text =
        'mutation { createAccount(input: { exchange: "BINANCE", name: "mine", environment: PAPER }) { id } }';
      return (await query(oldUrl, text, {}, headers)).data.createAccount.id;
    };
    await until(
      async () => (await ask(`{ quotes(symbolIds: ["${symbolId}"]) { isStale } }`)).quotes[0]?.isStale === false,
      30_000,
    );
    const stream = openStream(oldUrl.replace("http", "ws").concat("/graphql"), "subscription { quotes { price } }");
    await stream.find(() => true);

    const onOld = useNode(oldUrl, person, await newAccount(person), symbolId);
    await onOld.goesOn();
    expect(await migrate(sql, log, { known: [...old, expand], lockTimeoutMs: 200 })).toEqual([expand.name]);
    await onOld.goesOn();

    const newUrl = await startNode([...old, expand], "api");
    // One that ends meanwhile is started again by whoever looks after it.
    const oldAgain = await startNode(old, "api");
    expect((await query(oldAgain, "{ symbols(first: 1) { nodes { ticker } } }")).errors).toBeUndefined();
    const onNew = useNode(newUrl, another, await newAccount(another), symbolId);
    await Promise.all([onOld.goesOn(), onNew.goesOn()]);
    // The new release fills what it has added, while the old one goes on writing.
    await sql`update symbols set issuer = 'somebody' where is_default`;
    await sql`alter table symbols validate constraint ck_symbols_issuer`;
    await Promise.all([onOld.goesOn(), onNew.goesOn()]);

    expect(await migrate(sql, log, { known: [...old, expand, contract], lockTimeoutMs: 200 })).toEqual([contract.name]);
    await onNew.goesOn();
    await Promise.all([onOld.stop(), onNew.stop()]);
    await stream.find(() => true);
    await stream.close();
    await expect(startNode(old, "api")).rejects.toThrow(`it has migration ${contract.name}`);

    // And back again.
    await rollback(sql, { steps: 2, force: false }, log, [...old, expand, contract]);
    expect((await query(oldUrl, "{ symbols(first: 1) { nodes { ticker } } }")).errors).toBeUndefined();
    const [row] = await sql`select count(*)::int as orders, count(distinct client_order_id)::int as names from orders`;
    expect(row?.orders).toBe(row?.names);
    expect(row?.orders).toBeGreaterThanOrEqual(onOld.rounds() + onNew.rounds());
  }, 300_000);
});
