import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseGlobalId } from "../src/core/ids.js";
import { KeyRing } from "../src/core/key-ring.js";
import { uuidV7 } from "../src/core/uuid.js";
import { dropAuditEvents } from "../src/jobs/drop-audit-events.js";
import type { JobRun } from "../src/jobs/job.js";
import { purgeClosedUsers } from "../src/jobs/purge-closed-users.js";
import { rotateKeys } from "../src/jobs/rotate-keys.js";
import { rebuild } from "../src/trading/rebuild.js";
import { query } from "./support/app.js";
import { CapturedMail, goodPassword, type SignedIn, signUp } from "./support/people.js";
import { type QuietApp, startQuietApp } from "./support/quiet-app.js";
import { until } from "./support/until.js";

const dayMs = 24 * 3_600_000;
let app: QuietApp;
let events = 0;
const run: JobRun = { at: new Date(), mayGoOn: () => true };
const keyText = (id: string, byte: number) => `${id}:${Buffer.alloc(32, byte).toString("base64")}`;
const keyOf = ({ userId }: SignedIn) => parseGlobalId(userId)?.key ?? "";

beforeAll(async () => {
  app = await startQuietApp({ overrides: { mailer: new CapturedMail() } });
});
afterAll(() => app.close());

describe("audit events", () => {
  const countOf = async () => (await app.database.owner.sql`select from audit_events where action like 'test.%'`).count;
  const insertAged = (days: number) => app.database.owner.sql`
    insert into audit_events (id, occurred_at, action, details)
    values (${uuidV7(Date.now() + events++)}, now() - ${days} * interval '1 day', 'test.event', '{}')`;
  const clock = { nowMs: () => Date.now() };

  test("go by the job when they are old enough, and no sooner", async () => {
    for (const days of [1, 29, 364, 366, 900]) await insertAged(days);
    expect(await dropAuditEvents(app.database.app, clock, 365).work(run)).toEqual({ rows: 2 });
    expect(await countOf()).toBe(3);
    expect(await dropAuditEvents(app.database.app, clock, 365).work({ ...run, mayGoOn: () => false })).toEqual({
      rows: 0,
    });
    expect(await dropAuditEvents(app.database.app, clock, 365).work(run)).toEqual({ rows: 0 });
  });

  test("of the last thirty days are not even deleted by it, nor old ones in any other way", async () => {
    await insertAged(400);
    const { owner, app: role } = app.database;
    await expect(dropAuditEvents(role, clock, 29).work(run)).rejects.toThrow("thirty days");
    await expect(role.sql`select drop_expired_audit_events(null, 10)`).rejects.toThrow("thirty days");
    await expect(owner.sql`delete from audit_events where occurred_at < now() - interval '1 year'`).rejects.toThrow(
      "never changed",
    );
    await expect(role.sql`delete from audit_events`).rejects.toThrow("permission denied");
    // Neither does whoever knows how the job says who it is, where he is not the owner, or it is too young.
    await expect(
      role.sql.begin(async (sql) => {
        await sql`select set_config('tradegraph.drops_audit_events', 'on', true)`;
        await sql`delete from audit_events`;
      }),
    ).rejects.toThrow("permission denied");
    await expect(
      owner.sql.begin(async (sql) => {
        await sql`select set_config('tradegraph.drops_audit_events', 'on', true)`;
        await sql`delete from audit_events where occurred_at > now() - interval '30 days'`;
      }),
    ).rejects.toThrow("never changed");
    await expect(
      owner.sql.begin(async (sql) => {
        await sql`select set_config('tradegraph.drops_audit_events', 'on', true)`;
        await sql`update audit_events set action = 'test.other' where occurred_at < now() - interval '1 year'`;
      }),
    ).rejects.toThrow("never changed");
    for (const who of ["tradegraph_readonly", "tradegraph_admin", "tradegraph_monitor"]) {
      const [row] = await owner.sql`
        select has_function_privilege(${who}, 'drop_expired_audit_events(timestamptz, integer)', 'execute') as may`;
      expect({ who, may: row?.may }).toEqual({ who, may: false });
    }
    // What the job says of itself ends with its statement.
    await owner.sql.begin(async (sql) => {
      await sql`select drop_expired_audit_events(now() - interval '10 years', 10)`;
      const [row] = await sql`select current_setting('tradegraph.drops_audit_events', true) as said`;
      expect(row?.said).toBe("");
    });
  });
});

describe("a closed account", () => {
  const trade = async (who: SignedIn) => {
    const opened = await query(
      app.url,
      `mutation { createAccount(input: { exchange: "BINANCE", name: "Ada's savings", environment: PAPER, initialBalances: [{ asset: "USDT", amount: "1000" }] }) { id } }`,
      {},
      who.headers,
    );
    expect(opened.errors).toBeUndefined();
    return parseGlobalId(opened.data.createAccount.id)?.key ?? "";
  };
  const purge = (keepDays = 30) =>
    purgeClosedUsers(app.database.app, app.clock, keepDays, async () => {
      throw new Error("nothing was left open");
    }).work(run);
  /** All that is stored under the user's id, as text. */
  const everythingOf = async (userId: string): Promise<string> => {
    const { sql } = app.database.owner;
    const tables = await sql<{ name: string }[]>`
      select c.relname as name from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped
      where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')`;
    const rows = await sql.unsafe<{ text: string }[]>(
      `${tables.map(({ name }) => `select t::text as text from ${name} t where user_id = $1`).join(" union all ")}
       union all select u::text from users u where id = $1`,
      [userId],
    );
    return rows.map(({ text }) => text).join("\n");
  };

  test("keeps nothing personal when the time has come, and the books stay whole", async () => {
    const { sql } = app.database.owner;
    const [ada, bob] = [await signUp(app.url, "ada.lovelace@example.org"), await signUp(app.url)];
    const [id, otherId] = [keyOf(ada), keyOf(bob)];
    await query(
      app.url,
      'mutation { updateProfile(input: { firstName: "Ada", lastName: "Lovelace", phone: "+44 20 7946 0000", timezone: "Europe/London", locale: "en-GB", preferences: { nick: "countess" } }) { id } }',
      {},
      ada.headers,
    );
    await query(app.url, 'mutation { createStrategy(name: "countess of numbers") { id } }', {}, ada.headers);
    await query(app.url, 'mutation { createApiKey(name: "countess bot", scopes: [READ]) { secret } }', {}, ada.headers);
    const login = `mutation { login(email: "ada.lovelace@example.org", password: "${goodPassword}", deviceName: "countess phone") { accessToken } }`;
    await query(app.url, login);
    const accountId = await trade(ada);
    await trade(bob);
    const secrets = /Ada|Lovelace|7946|countess|London|en-GB|savings/i;
    expect(await everythingOf(id)).toMatch(secrets);
    const sums = () => sql`
      select asset, sum(available_change + locked_change)::text as sum from ledger_entries where user_id = ${id} group by 1`;
    const before = await sums();
    expect(before).toEqual([{ asset: "USDT", sum: expect.stringMatching(/^1000\.0*$/) }]);
    // The outbox writes down what it has told.
    await until(async () => (await sql`select from event_queue where published_at is null`).count === 0);
    const others = await everythingOf(otherId);

    await query(app.url, `mutation { closeAccount(password: "${goodPassword}") }`, {}, ada.headers);
    expect(await sql`select status from accounts where id = ${accountId}`).toEqual([{ status: "INACTIVE" }]);
    expect(await everythingOf(id)).not.toMatch(/Lovelace|7946|countess phone/i);
    expect(await purge()).toEqual({ accounts: 0, users: 0, keys: 0 });
    app.clock.atMs += 30 * dayMs;
    expect(await purge()).toEqual({ accounts: 0, users: 0, keys: 0 });
    app.clock.atMs += 1;
    expect(await purge()).toMatchObject({ users: 1 });
    expect(await purge()).toMatchObject({ users: 0 });

    expect(await everythingOf(id)).not.toMatch(secrets);
    expect((await sql`select from refresh_tokens where user_id = ${id}`).count).toBe(0);
    expect((await sql`select from api_keys where user_id = ${id}`).count).toBe(0);
    expect(await sums()).toEqual(before);
    expect((await sql`select from event_store where user_id = ${id}`).count).toBeGreaterThan(0);
    expect(await sql`select status, purged_at is not null as purged from users where id = ${id}`).toEqual([
      { status: "CLOSED", purged: true },
    ]);
    expect(await everythingOf(otherId)).toBe(others);
    expect(await rebuild(app.database.owner, false)).toMatchObject({ differences: [] });
  });

  test("that still traded is ended by the job", async () => {
    const user = await signUp(app.url);
    const accountId = await trade(user);
    const id = keyOf(user);
    // A node that dies between the two.
    await app.database.owner.sql.begin(async (sql) => {
      await sql`
        update users set status = 'CLOSED', deleted_at = ${new Date(app.clock.atMs).toISOString()}, email = null, email_key = null,
          password_hash = null where id = ${id}`;
    });
    const ended: string[] = [];
    const job = purgeClosedUsers(app.database.app, app.clock, 30, async (userId, account) => {
      ended.push(`${userId} ${account}`);
    });
    expect(await job.work(run)).toMatchObject({ accounts: 1 });
    expect(ended).toEqual([`${id} ${accountId}`]);
  });

  test("every table with rows of users says what becomes of them", async () => {
    const found = await app.database.owner.sql<{ name: string }[]>`
      select c.relname as name from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped
      where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition`;
    const known: Readonly<Record<string, string>> = {
      refresh_tokens: "deleted",
      api_keys: "deleted",
      one_time_tokens: "deleted",
      email_changes: "deleted",
      user_dashboard_preferences: "deleted",
      accounts: "without name and keys",
      strategies: "without name",
      account_activity: "numbers",
      audit_events: "ids and codes; by age",
      account_sequences: "numbers",
      account_balances: "the books",
      ledger_entries: "the books",
      orders: "the books",
      order_fills: "the books",
      positions: "the books",
      event_store: "the books",
      event_queue: "dropped when told",
      risk_limits: "numbers",
      risk_violations: "numbers",
    };
    // A new table: purge its rows in `purge_closed_users`, or say here why they stay.
    expect(found.map(({ name }) => name).filter((name) => !(name in known))).toEqual([]);
  });
});

describe("keys", () => {
  test("that let nobody in for a year are deleted, and those of accounts that ended are forgotten", async () => {
    const { sql } = app.database.owner;
    const user = await signUp(app.url);
    const id = keyOf(user);
    const nowMs = app.clock.atMs;
    const at = (days: number) => new Date(nowMs - days * dayMs).toISOString();
    const addKey = (n: number, revoked: string | null, expires: string | null) => sql`
      insert into api_keys (id, user_id, name, prefix, secret_hash, scopes, created_at, revoked_at, expires_at)
      values (gen_random_uuid(), ${id}, ${`key ${n}`}, ${`aaaaaaaaaa${n}`}, ${"0".repeat(64)}, '{READ}', ${at(900)}, ${revoked}, ${expires})`;
    await addKey(10, at(366), null);
    await addKey(11, null, at(366));
    await addKey(12, at(364), at(364));
    await addKey(13, null, null);
    const ring = KeyRing.parse(keyText("old", 1));
    const addAccount = async (status: string, days: number) => {
      const accountId = uuidV7(nowMs);
      const place = (column: string) => ({ table: "accounts", id: accountId, column });
      await sql`
        insert into accounts (id, user_id, exchange_id, name, environment, status, sealed_api_key, sealed_api_secret, api_key_hint, created_at, updated_at)
        values (${accountId}, ${id}, (select min(id) from exchanges), ${accountId}, 'TESTNET', ${status},
          ${ring.seal("key", place("sealed_api_key"))}, ${ring.seal("secret", place("sealed_api_secret"))}, 'a…b', ${at(900)}, ${at(days)})`;
      return accountId;
    };
    const [ended, recent, active] = [
      await addAccount("INACTIVE", 366),
      await addAccount("INACTIVE", 300),
      await addAccount("ACTIVE", 800),
    ];
    const result = await purgeClosedUsers(app.database.app, app.clock, 30, async () => {}).work(run);
    expect(result.keys).toBe(3);
    const left = await sql<{ prefix: string }[]>`select prefix from api_keys where user_id = ${id} order by 1`;
    expect(left.map(({ prefix }) => prefix)).toEqual(["aaaaaaaaaa12", "aaaaaaaaaa13"]);
    const sealed = await sql<
      { id: string }[]
    >`select id from accounts where user_id = ${id} and sealed_api_key is not null`;
    expect(sealed.map((row) => row.id).sort()).toEqual([recent, active].sort());
    await expect(sql`update accounts set status = 'ACTIVE' where id = ${ended}`).rejects.toThrow(
      "ck_accounts_credentials",
    );

    // The job rotates those of every user's accounts, which the program's role sees only one user at a time.
    const both = KeyRing.parse(`${keyText("new", 2)},${keyText("old", 1)}`);
    expect(await rotateKeys(app.database.app, both).work(run)).toEqual({ rows: 2 });
    const rows = await sql<{ id: string; key: string; secret: string }[]>`
      select id, sealed_api_key as key, sealed_api_secret as secret from accounts where user_id = ${id} and sealed_api_key is not null`;
    const newest = KeyRing.parse(keyText("new", 2));
    for (const row of rows) {
      expect(newest.open(row.key, { table: "accounts", id: row.id, column: "sealed_api_key" })).toBe("key");
      expect(newest.open(row.secret, { table: "accounts", id: row.id, column: "sealed_api_secret" })).toBe("secret");
    }
    expect(await rotateKeys(app.database.app, both).work(run)).toEqual({ rows: 0 });
    const strange = KeyRing.parse(keyText("other", 3));
    await expect(rotateKeys(app.database.app, strange).work(run)).rejects.toThrow("the secrets of 2 rows do not open");
  });
});
