import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { globalId } from "../src/core/ids.js";
import { uuidV7 } from "../src/core/uuid.js";
import { auditEvent } from "../src/people/audit.js";
import { operatorHeaders, query } from "./support/app.js";
import { type QuietApp, startQuietApp } from "./support/quiet-app.js";

let app: QuietApp;
const userId = uuidV7(Date.UTC(2026, 10, 1));
beforeAll(async () => {
  app = await startQuietApp();
  await app.database.owner.sql`
    insert into users (id, email, email_key, password_hash) values
      (${userId}, 'someone@example.com', 'someone@example.com', '$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA')`;
});
afterAll(() => app.close());

const fields = "id action userId actorId network details occurredAt";
const events = (args = "", headers: Record<string, string> = operatorHeaders) =>
  query(
    app.url,
    `{ auditEvents${args} { nodes { ${fields} } edges { cursor } pageInfo { hasNextPage hasPreviousPage endCursor startCursor } } }`,
    {},
    headers,
  );
const operate = async (mutation: string) => {
  app.clock.atMs += 1_000;
  return query(app.url, `mutation { ${mutation} }`, {}, operatorHeaders);
};
const countOf = async () => Number((await app.database.owner.sql`select count(*) from audit_events`)[0]?.count);

describe("what operators do", () => {
  test("is written down with what it changed, and read by operators, the newest first", async () => {
    const [symbol] = app.app.catalogue.defaultSymbols;
    await operate('setMarketStatus(market: "BINANCE_SPOT", status: HALTED) { id }');
    await operate('setMarketStatus(market: "BINANCE_SPOT") { id }');
    const id = globalId("Symbol", symbol?.id ?? 0);
    const changed = await operate(`updateSymbol(input: { symbolId: "${id}", broadcastPriority: 77 }) { id }`);
    expect(changed.errors).toBeUndefined();
    const { data } = await events();
    expect(data.auditEvents.nodes).toMatchObject([
      {
        action: "symbol.update",
        userId: null,
        actorId: null,
        network: "127.0.0.0/24",
        details: { target: `BINANCE_SPOT ${symbol?.ticker}`, broadcastPriority: 77, by: "operator-token" },
        occurredAt: new Date(app.clock.atMs).toISOString(),
      },
      { action: "market.set-status", details: { target: "BINANCE_SPOT", status: null } },
      { action: "market.set-status", details: { target: "BINANCE_SPOT", status: "HALTED" } },
    ]);
  });

  test("is not written down when it was refused or did not happen", async () => {
    const before = await countOf();
    const [symbol] = app.app.catalogue.defaultSymbols;
    const id = globalId("Symbol", symbol?.id ?? 0);
    expect((await operate(`updateSymbol(input: { symbolId: "${id}", isActive: false }) { id }`)).errors).toBeDefined();
    expect(
      (await operate(`updateSymbol(input: { symbolId: "${id}", broadcastPriority: 101 }) { id }`)).errors,
    ).toBeDefined();
    expect((await operate('setMarketStatus(market: "NOPE", status: HALTED) { id }')).errors).toBeDefined();
    expect((await query(app.url, 'mutation { setMarketStatus(market: "BINANCE_SPOT") { id } }')).errors).toBeDefined();
    expect(await countOf()).toBe(before);
  });

  test("does not happen when it cannot be written down", async () => {
    await app.database.owner.sql`revoke insert on audit_events from tradegraph_app`;
    const { errors } = await operate('setMarketStatus(market: "OKX_SPOT", status: HALTED) { id }');
    await app.database.owner.sql`grant insert on audit_events to tradegraph_app`;
    expect(errors?.[0]?.extensions.code).toBe("INTERNAL");
    const [market] = await app.database.owner.sql`select operator_status from markets where code = 'OKX_SPOT'`;
    expect(market?.operator_status).toBeNull();
  });
});

describe("the list of what was written down", () => {
  beforeAll(async () => {
    for (let n = 0; n < 5; n++) {
      app.clock.atMs += 1_000;
      const action = n % 2 === 0 ? "session.failed" : "session.start";
      const event = { userId, actorId: null, action, details: { n }, address: "2001:db8:1:2::/64" };
      await auditEvent(app.database.owner.sql, app.clock, event);
    }
  });

  test("goes page by page, in both directions", async () => {
    const filter = `filter: { userId: "${globalId("User", userId)}" }`;
    const seen: number[] = [];
    let after = "";
    for (let page = 0; page < 3; page++) {
      const { data } = await events(`(${filter}, first: 2${after})`);
      const { nodes, pageInfo } = data.auditEvents;
      seen.push(...nodes.map(({ details }: { details: { n: number } }) => details.n));
      expect([pageInfo.hasNextPage, pageInfo.hasPreviousPage]).toEqual([page < 2, page > 0]);
      after = `, after: "${pageInfo.endCursor}"`;
    }
    expect(seen).toEqual([4, 3, 2, 1, 0]);
    const { data } = await events(`(${filter}, last: 2)`);
    const { nodes, pageInfo } = data.auditEvents;
    expect(nodes.map(({ details }: { details: { n: number } }) => details.n)).toEqual([1, 0]);
    expect([pageInfo.hasNextPage, pageInfo.hasPreviousPage]).toEqual([false, true]);
    const before = (await events(`(${filter}, last: 2, before: "${pageInfo.startCursor}")`)).data.auditEvents;
    expect(before.nodes.map(({ details }: { details: { n: number } }) => details.n)).toEqual([3, 2]);
  });

  test("can be narrowed", async () => {
    const refused = (await events('(filter: { action: "session.failed" })')).data.auditEvents.nodes;
    expect(refused.map(({ details }: { details: { n: number } }) => details.n)).toEqual([4, 2, 0]);
    expect(refused[0]).toMatchObject({ userId: globalId("User", userId), network: "2001:db8:1::/48" });
    const instant = new Date(app.clock.atMs).toISOString();
    expect((await events(`(filter: { from: "${instant}" })`)).data.auditEvents.nodes).toHaveLength(1);
    expect(
      (await events(`(filter: { action: "session.failed", to: "${instant}" })`)).data.auditEvents.nodes,
    ).toHaveLength(2);
  });

  test.each([
    ["(first: -1)", "first"],
    ["(first: 501)", "first"],
    ["(first: 1, last: 1)", "last"],
    ['(after: "nonsense")', "after"],
    ['(before: "YXVkaXQ6JyBvciAxPTE")', "before"],
    ['(filter: { userId: "nonsense" })', "userId"],
    [`(filter: { actorId: "${globalId("Symbol", 1)}" })`, "actorId"],
    [`(filter: { actorId: "${globalId("User", "1")}" })`, "actorId"],
  ])("refuses %s", async (args, field) => {
    const { errors } = await events(args);
    expect(errors?.[0]?.extensions).toEqual({ code: "BAD_USER_INPUT", field });
  });

  test("is for operators", async () => {
    expect((await events("", {})).errors?.[0]?.extensions.code).toBe("UNAUTHENTICATED");
  });

  test("is never changed, by nobody", async () => {
    const { sql } = app.database.owner;
    await expect(sql`update audit_events set action = 'a.b'`).rejects.toThrow(/never changed/);
    await expect(sql`delete from audit_events`).rejects.toThrow(/never changed/);
    await expect(sql`truncate audit_events`).rejects.toThrow();
    for (const statement of ["update audit_events set action = 'a.b'", "delete from audit_events"])
      await expect(app.database.app.sql.unsafe(statement)).rejects.toThrow(/permission denied/);
  });

  test("holds no whole address and no e-mail address", async () => {
    const rows = await app.database.owner.sql`select details::text as text from audit_events`;
    expect(rows.length).toBeGreaterThan(5);
    for (const { text } of rows) expect(text).not.toMatch(/127\.0\.0\.[1-9]|1:2::|@/);
  });
});
