import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { asUserAtOnce, textOfRead } from "../src/db/as-user.js";
import { ownItems } from "../src/people/read-dashboard.js";
import { createTestDatabase, type TestDatabase } from "./support/database.js";

interface PlanNode {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Actual Rows": number;
  readonly Plans?: readonly PlanNode[];
}
interface Explained {
  readonly Plan: PlanNode;
  readonly "Execution Time": number;
}

const count = 100_000;
const dashboardSize = 200;

let database: TestDatabase;
let userId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  await database.owner.sql.begin(async (sql) => {
    // The rows are as the rules want them, and are checked by nobody: that would take most of the time.
    await sql`set local session_replication_role = replica`;
    await sql`drop index idx_symbols_search`;
    await sql`
      insert into symbols (market_id, asset_class_id, ticker, display_name, base_currency, quote_currency, price_precision,
        quantity_precision, tick_size, step_size, display_order)
      select id, asset_class_id, 'MANY' || n, 'Many ' || n, 'MANY' || n, 'USDT', 2, 5, 0.01, 0.00001, n
      from markets, generate_series(1, ${count}::int) n where code = 'BINANCE_SPOT'`;
    await sql`
      insert into users (id, email, email_key, password_hash)
      select id, id || '@example.com', id || '@example.com', '$argon2id$none'
      from (select gen_random_uuid() as id from generate_series(1, ${count}::int)) made`;
    // Two items for everyone, and one dashboard that is full.
    await sql`
      insert into user_dashboard_preferences (id, user_id, symbol_id, display_order)
      select gen_random_uuid(), id, place, place from users, generate_series(1, 2) place`;
    [{ id: userId = "" } = {}] = await sql<
      { id: string }[]
    >`select id from users order by id limit 1 offset ${count / 2}`;
    await sql`
      insert into user_dashboard_preferences (id, user_id, symbol_id, display_order, is_pinned)
      select gen_random_uuid(), ${userId}, id, row_number() over (order by id), id % 7 = 0
      from symbols where id > 2 order by id limit ${dashboardSize - 2}`;
  });
  await database.owner.sql`analyze symbols, users, user_dashboard_preferences`;
}, 60_000);
afterAll(() => database.close());

function* nodesOf(node: PlanNode): Generator<PlanNode> {
  yield node;
  for (const inner of node.Plans ?? []) yield* nodesOf(inner);
}

/** As the running program does it: as its role and as the user. The second run is the one that counts. */
async function explain(name: string, statement: string, values: string[] = []) {
  let plans: Explained[] = [];
  for (let run = 0; run < 2; run++) {
    const [rows] = await asUserAtOnce(database.app, userId, (sql) => [
      sql.unsafe<{ "QUERY PLAN": Explained[] }[]>(`explain (analyze, buffers, format json) ${statement}`, values),
    ]);
    plans = rows[0]?.["QUERY PLAN"] ?? [];
  }
  const [explained] = plans;
  if (explained === undefined) throw new Error("there is no plan");
  const lines = [...nodesOf(explained.Plan)].map(
    (node) =>
      `  ${node["Node Type"]} ${node["Relation Name"] ?? ""} ${node["Index Name"] ?? ""} (${node["Actual Rows"]} rows)`,
  );
  console.log(`${name}: ${explained["Execution Time"]} ms\n${lines.join("\n")}`);
  return explained.Plan;
}

const scansOf = (plan: PlanNode) =>
  [...nodesOf(plan)]
    .filter((node) => node["Node Type"] === "Seq Scan")
    .map((node) => node["Relation Name"])
    .filter((name) => ["symbols", "users", "user_dashboard_preferences"].includes(name ?? ""));
const indexesOf = (plan: PlanNode) => [...nodesOf(plan)].flatMap((node) => node["Index Name"] ?? []);

describe("with 100,000 symbols and 100,000 users", () => {
  test("a dashboard is read by an index", async () => {
    const plan = await explain("dashboard", textOfRead(ownItems), [userId, userId]);
    expect(plan["Actual Rows"]).toBe(dashboardSize);
    expect(scansOf(plan)).toEqual([]);
    // Both begin with the user.
    expect(indexesOf(plan).join()).toMatch(/^(idx|uk)_user_dashboard_preferences_user_id\w*$/);
  });

  test("a dashboard with its symbols and markets is read by indexes", async () => {
    const plan = await explain(
      "dashboard with symbols",
      `select item.*, s.ticker, m.code from user_dashboard_preferences item
      join symbols s on s.id = item.symbol_id join markets m on m.id = s.market_id
      where item.user_id = $1 order by item.is_pinned desc nulls last, item.display_order, item.id`,
      [userId],
    );
    expect(plan["Actual Rows"]).toBe(dashboardSize);
    expect(scansOf(plan)).toEqual([]);
  });

  test("the defaults are read by an index", async () => {
    const plan = await explain(
      "defaults",
      "select * from symbols where is_default and is_active order by display_order, id",
    );
    expect(plan["Actual Rows"]).toBe(9);
    expect(indexesOf(plan)).toEqual(["idx_symbols_defaults"]);
  });

  test("another user's items are not even looked at", async () => {
    const [other] = await database.owner.sql<{ id: string }[]>`select id from users where id <> ${userId} limit 1`;
    const plan = await explain("another's dashboard", textOfRead(ownItems), [userId, other?.id ?? ""]);
    expect(plan["Actual Rows"]).toBe(0);
    expect(scansOf(plan)).toEqual([]);
  });
});
