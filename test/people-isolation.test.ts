import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { globalId, parseGlobalId } from "../src/core/ids.js";
import { uuidV7 } from "../src/core/uuid.js";
import { asUser } from "../src/db/as-user.js";
import { dashboardNodes } from "../src/people/graphql-dashboard.js";
import { userNodes } from "../src/people/graphql-users.js";
import { accountNodes } from "../src/trading/graphql.js";
import { orderNodes } from "../src/trading/graphql-orders.js";
import { positionNodes } from "../src/trading/graphql-positions.js";
import { strategyNodes } from "../src/trading/graphql-strategies.js";
import { operatorHeaders, query, startTestApp, type TestApp } from "./support/app.js";
import { CapturedMail, goodPassword, type SignedIn, signUp } from "./support/people.js";
import { until } from "./support/until.js";

let app: TestApp;
let victim: SignedIn;
let stranger: SignedIn;
let [victimId, strangerId] = ["", ""];

const keyOf = (id: string): string => parseGlobalId(id)?.key ?? "";

interface Table {
  readonly name: string;
  readonly columns: readonly string[];
}
let tables: Table[];

/** An account that has traded: an order, its fill, a position, what it cost, and an order that a limit has stopped. */
async function trade({ headers }: SignedIn, userId: string, symbolId: string): Promise<void> {
  const input = { exchange: "BINANCE", name: "paper", environment: "PAPER" };
  const opened = await query(
    app.url,
    "mutation ($input: CreateAccountInput!) { createAccount(input: $input) { id } }",
    { input },
    headers,
  );
  const accountId: string = opened.data.createAccount.id;
  const order = { accountId, symbolId, side: "BUY", orderType: "MARKET", quantity: "0.002" };
  const place = () =>
    query(
      app.url,
      "mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { status } }",
      { input: order },
      headers,
    );
  expect((await place()).data?.placeOrder).toEqual({ status: "FILLED" });
  await app.database.owner.sql`
    insert into risk_limits (id, scope, user_id, max_order_size) values (gen_random_uuid(), 'USER', ${userId}, 1)`;
  expect((await place()).errors?.[0]?.extensions.code).toBe("RISK_LIMIT_EXCEEDED");
}

beforeAll(async () => {
  app = await startTestApp({ overrides: { mailer: new CapturedMail() } });
  const { sql } = app.database.owner;
  [victim, stranger] = [await signUp(app.url), await signUp(app.url)];
  [victimId, strangerId] = [keyOf(victim.userId), keyOf(stranger.userId)];
  for (const { headers } of [victim, stranger])
    await query(app.url, 'mutation { createApiKey(name: "bot", scopes: [READ, TRADE]) { secret } }', {}, headers);
  for (const userId of [victimId, strangerId])
    await sql`
      insert into user_dashboard_preferences (id, user_id, symbol_id, notes)
      select gen_random_uuid(), ${userId}, min(id), 'a note' from symbols`;
  for (const { headers } of [victim, stranger])
    await query(
      app.url,
      "mutation ($e: String!, $p: String!) { changeEmail(newEmail: $e, password: $p) }",
      { e: `elsewhere${headers.authorization.length}@example.net`, p: goodPassword },
      headers,
    );
  const id = app.app.catalogue.symbolByTicker("BINANCE_FUTURES", "BTCUSDT")?.id ?? 0;
  await until(() => app.app.quotes.get(id)?.isStale === false && app.app.quotes.get(id)?.bid != null, 30_000);
  const { data } = await query(app.url, '{ symbol(market: "BINANCE_FUTURES", ticker: "BTCUSDT") { id } }');
  await trade(victim, victimId, data.symbol.id);
  await trade(stranger, strangerId, data.symbol.id);
  // From here on nothing writes to these tables but the tests.
  await until(async () => (await sql`select from event_queue where published_at is null`).count === 0);
  await until(
    async () =>
      (
        await sql`
          select from account_sequences s where sequence > (
            select coalesce(max(last_sequence), 0) from account_activity a where a.account_id = s.account_id)`
      ).count === 0,
  );
  for (const userId of [victimId, strangerId])
    await sql`insert into strategies (id, user_id, name) values (gen_random_uuid(), ${userId}, 'trend')`;
  tables = await sql<Table[]>`
    select c.relname as name, (select json_agg(attname order by attnum) from pg_attribute a
      where a.attrelid = c.oid and attnum > 0 and not attisdropped and attidentity <> 'a') as columns
    from pg_class c where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and relrowsecurity order by 1`;
});
afterAll(() => app.close());

/** What happens when the program, working for the stranger, runs a statement: how many rows, or why not. */
const asStranger = (statement: string): Promise<number | string> =>
  asUser(app.database.app, strangerId, async ({ sql }) => {
    const result = await sql.unsafe(statement);
    return result.count;
  }).catch((error: { code?: string; message: string }) => `${error.code} ${error.message}`);

describe("every table that says whose its rows are", () => {
  test("has row-level security, also for its owner, and so has every partition", async () => {
    const open = await app.database.owner.sql<{ name: string }[]>`
      select c.relname as name from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped
      where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not (relrowsecurity and relforcerowsecurity)`;
    expect(open.map(({ name }) => name)).toEqual([]);
    const halfway = await app.database.owner.sql<{ name: string }[]>`
      select relname as name from pg_class
      where relnamespace = 'public'::regnamespace and relrowsecurity and not relforcerowsecurity`;
    expect(halfway.map(({ name }) => name)).toEqual([]);
    expect(tables.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        "api_keys",
        "audit_events",
        "email_changes",
        "one_time_tokens",
        "refresh_tokens",
        "user_dashboard_preferences",
        "users",
      ]),
    );
  });

  test("is not shown by a view with the rights of its maker, and no program's role steps around the policies", async () => {
    const views = await app.database.owner.sql<{ name: string }[]>`
      select distinct v.relname as name
      from pg_depend d join pg_rewrite r on r.oid = d.objid join pg_class v on v.oid = r.ev_class join pg_class t on t.oid = d.refobjid
      where d.classid = 'pg_rewrite'::regclass and t.relrowsecurity and t.oid <> v.oid
        and has_table_privilege('tradegraph_app', v.oid, 'select')
        and not coalesce('security_barrier=true' = any (v.reloptions), false)`;
    expect(views.map(({ name }) => name)).toEqual([]);
    const roles = await app.database.owner.sql`
      select rolname from pg_roles where rolname like 'tradegraph\\_%' and (rolsuper or rolbypassrls)`;
    expect(roles).toEqual([]);
  });

  test("no row of another user can be seen, added, changed, taken or removed by SQL", async () => {
    const { app: role, owner } = app.database;
    const rowsOf = (userId: string, name: string) =>
      asUser(role, userId, ({ sql }) =>
        sql.unsafe<{ place: string; row: Record<string, unknown> }[]>(
          `select ctid::text as place, to_jsonb(t) as row from ${name} t`,
        ),
      );
    const stateOf = async (name: string) =>
      (await owner.sql.unsafe(`select md5(string_agg(t::text, ',' order by t::text)) as state from ${name} t`))[0];
    // No right, or a column that nobody writes.
    const refused = expect.toSatisfy((outcome) => outcome === 0 || /^(42501|428C9)/.test(String(outcome)));
    for (const { name, columns } of tables) {
      const [theirs, mine] = [await rowsOf(victimId, name), await rowsOf(strangerId, name)];
      // Without rows of both the rest would show nothing: give them some of each new table, in `beforeAll`.
      expect({ name, theirs: theirs.length > 0, mine: mine.length > 0 }).toEqual({ name, theirs: true, mine: true });
      const before = await stateOf(name);
      const places = `(${theirs.map(({ place }) => `'${place}'`).join()})`;
      const outcome = async (statement: string) => ({ name, statement, outcome: await asStranger(statement) });
      const expectNothing = async (statement: string) =>
        expect(await outcome(statement)).toEqual({ name, statement, outcome: refused });

      expect(mine.filter(({ place }) => places.includes(`'${place}'`))).toEqual([]);
      expect(await asStranger(`select 1 from ${name}`)).toBe(mine.length);
      expect(await asStranger(`select 1 from ${name} where ctid::text in ${places}`)).toBe(0);
      for (const column of columns)
        await expectNothing(`update ${name} set ${column} = ${column} where ctid::text in ${places}`);
      await expectNothing(`delete from ${name} where ctid::text in ${places}`);
      await expectNothing(`truncate ${name} cascade`);
      if (columns.includes("user_id")) {
        const take = `update ${name} set user_id = '${victimId}'`;
        expect(await outcome(take)).toEqual({ name, statement: take, outcome: expect.stringMatching(/^42501/) });
      }
      // The victim's row, under a new id.
      const copy = JSON.stringify({
        ...theirs[0]?.row,
        ...(name === "users" ? {} : { id: uuidV7(Date.now()) }),
      }).replaceAll("'", "''");
      const add = `insert into ${name} overriding system value select (jsonb_populate_record(null::${name}, '${copy}')).*`;
      expect(await outcome(add)).toEqual({ name, statement: add, outcome: expect.stringMatching(/^42501/) });
      expect(await stateOf(name)).toEqual(before);
    }
  });

  test("shows nothing outside of a transaction that names a user, also on a connection that had one", async () => {
    const { sql } = app.database.app;
    for (let round = 0; round < 8; round++) {
      for (const { name } of tables)
        expect({ name, rows: (await sql.unsafe(`select 1 from ${name}`)).count }).toEqual({ name, rows: 0 });
      await asStranger("select 1");
    }
  });
});

describe("the program's role", () => {
  test("cannot make itself an operator, nor prove an address", async () => {
    for (const change of [
      "role = 'ADMIN'",
      "status = 'ACTIVE'",
      "email_verified_at = now()",
      "email = 'x@example.org'",
      "access_version = 1",
      "deleted_at = now()",
      "plan = 'PRO'",
    ])
      expect(await asStranger(`update users set ${change}`)).toMatch(/^42501/);
    expect(
      await asStranger(
        `insert into users (id, email, email_key, password_hash, role) values (gen_random_uuid(), 'a@b.c', 'a@b.c', '$argon2id$', 'ADMIN')`,
      ),
    ).toMatch(/^42501/);
    expect(await asStranger("update audit_events set action = 'nothing.happened'")).toMatch(/^42501/);
    expect(await asStranger("delete from audit_events")).toMatch(/^42501/);
    expect(await asStranger("update api_keys set scopes = '{READ,TRADE}', expires_at = null")).toMatch(/^42501/);
    expect(
      await asStranger(
        "insert into signing_keys values (gen_random_uuid(), repeat('A', 43), now(), now() + interval '1 day')",
      ),
    ).toMatch(/^42501/);
  });

  test("what was revoked stays revoked, and events stay as they are, for the owner too", async () => {
    const { sql } = app.database.owner;
    await sql`update api_keys set revoked_at = now() where user_id = ${strangerId}`;
    await expect(sql`update api_keys set revoked_at = null where user_id = ${strangerId}`).rejects.toThrow(
      "stays revoked",
    );
    await expect(sql`update audit_events set action = 'x.y'`).rejects.toThrow("never changed");
    await expect(sql`delete from audit_events`).rejects.toThrow("never changed");
    await expect(sql`truncate audit_events`).rejects.toThrow("refused");
    await expect(sql`update api_keys set user_id = ${victimId} where user_id = ${strangerId}`).rejects.toThrow(
      "stay with their user",
    );
  });

  test("functions that look further are fixed to their schemas, and only the program may call them", async () => {
    const loose = await app.database.owner.sql<{ name: string }[]>`
      select p.oid::regprocedure::text as name from pg_proc p
      where pronamespace = 'public'::regnamespace and prosecdef
        and (not coalesce(proconfig::text like '%search_path=pg_catalog, public, pg_temp%', false)
          or has_function_privilege('tradegraph_readonly', p.oid, 'execute'))`;
    expect(loose.map(({ name }) => name)).toEqual([]);
  });
});

describe("over the API", () => {
  test("ids of another user's things lead nowhere, for strangers, anonymous visitors and operators", async () => {
    const text = "{ viewer { id } apiKeys { id } sessions { id } }";
    const mine = (await query(app.url, text, {}, victim.headers)).data;
    const ids = [mine.viewer.id, ...mine.apiKeys.map(({ id }: { id: string }) => id)];
    for (const headers of [stranger.headers, {}, operatorHeaders]) {
      const { data, errors } = await query(
        app.url,
        "query ($ids: [ID!]!) { nodes(ids: $ids) { id __typename } }",
        { ids },
        headers,
      );
      expect([data.nodes, errors]).toEqual([ids.map(() => null), undefined]);
    }
    const own = await query(app.url, "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", { ids }, victim.headers);
    expect(own.data.nodes.map(({ id }: { id: string }) => id)).toEqual(ids);
    // Keys in the place of another type's.
    for (const type of ["User", "ApiKey", "Session", "DashboardItem"])
      for (const key of [victimId, keyOf(ids[1] ?? ""), "1", "default-1", "x", `${victimId}-`]) {
        const id = Buffer.from(`${type}:${key}`).toString("base64url");
        const { data, errors } = await query(
          app.url,
          "query ($id: ID!) { node(id: $id) { id } }",
          { id },
          stranger.headers,
        );
        expect({ type, key, errors }).toEqual({ type, key, errors: undefined });
        if (key !== "default-1") expect({ type, key, node: data.node }).toEqual({ type, key, node: null });
      }
  });

  test("a key that may only trade reads nothing", async () => {
    const { data } = await query(
      app.url,
      'mutation { createApiKey(name: "t", scopes: [TRADE]) { secret apiKey { id } } }',
      {},
      victim.headers,
    );
    const headers = { authorization: `Bearer ${data.createApiKey.secret}` };
    const tableOf = {
      Account: "accounts",
      ApiKey: "api_keys",
      DashboardItem: "user_dashboard_preferences",
      LedgerEntry: "ledger_entries",
      Order: "orders",
      OrderFill: "order_fills",
      Position: "positions",
      Strategy: "strategies",
    };
    const own = { ...userNodes, ...dashboardNodes, ...accountNodes, ...orderNodes, ...positionNodes, ...strategyNodes };
    expect(Object.keys(own).sort()).toEqual(["User", ...Object.keys(tableOf)].sort());
    const ids = [victim.userId];
    for (const [type, table] of Object.entries(tableOf)) {
      const [row] = await app.database.owner.sql<{ id: string }[]>`
        select id from ${app.database.owner.sql(table)} where user_id = ${victimId} limit 1`;
      ids.push(globalId(type, row?.id ?? ""));
    }
    const nodesFor = async (by: Record<string, string>) =>
      (await query(app.url, "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", { ids }, by)).data.nodes;
    expect(await nodesFor(victim.headers)).toEqual(ids.map((id) => ({ id })));
    expect(await nodesFor(headers)).toEqual(ids.map(() => null));
    for (const text of [
      "{ viewer { id } }",
      "{ apiKeys { id } }",
      "{ sessions { id } }",
      `mutation { closeAccount(password: "${goodPassword}") }`,
    ])
      expect((await query(app.url, text, {}, headers)).errors?.[0]?.extensions.code).toBe("FORBIDDEN");
  });
});
