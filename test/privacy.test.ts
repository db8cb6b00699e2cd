import { connect } from "node:net";
import { Writable } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type App, startApp } from "../src/app.js";
import { parseConfig } from "../src/config.js";
import { createLogger } from "../src/core/logger.js";
import { TrustedProxies } from "../src/core/trusted-proxies.js";
import { uuidV7 } from "../src/core/uuid.js";
import { users } from "../src/people/tables.js";
import { operatorToken } from "./support/app.js";
import { createTestDatabase, type TestDatabase } from "./support/database.js";
import { RawClient } from "./support/http.js";
import { openStream } from "./support/stream.js";
import { until } from "./support/until.js";

/** What a client sends that nobody is to find in a log. Each is found by a part that nothing else contains. */
const secrets = {
  password: "correct-horse-battery-staple",
  token: "stolen-token-0123456789-abcdefgh",
  jwt: "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJzZWNyZXQifQ.c2lnbmF0dXJlLXNlY3JldA",
  email: "someone.private@example.com",
  address: "203.0.113.77",
  addressV6: "2001:db8:77:88:99::1",
  operatorToken,
};
const lines: string[] = [];
let database: TestDatabase;
let app: App;
let client: RawClient;
let url: string;
beforeAll(async () => {
  database = await createTestDatabase();
  const config = {
    ...parseConfig({
      PORT: "0",
      ROLES: "api,worker",
      OPERATOR_TOKEN: operatorToken,
      RATE_LIMIT_BAD_CREDENTIALS_PER_ADDRESS: "5",
      RATE_LIMIT_COST_PER_ADDRESS: "5000",
      RATE_LIMIT_CONNECTIONS_PER_ADDRESS: "20",
    }),
    trustedProxies: TrustedProxies.parse("loopback"),
  };
  const log = createLogger(
    "trace",
    linesTo((line) => lines.push(line)),
  );
  app = await startApp(config, log, (line) => lines.push(line), { database: database.address });
  url = app.url ?? "";
  client = new RawClient(url);
});
afterAll(async () => {
  client.close();
  await app.close();
  await database.close();
});

const linesTo = (onLine: (line: string) => void): Writable =>
  new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      onLine(chunk.toString());
      done();
    },
  });

const from = (address: string, more: Record<string, string> = {}) => ({
  "content-type": "application/json",
  "x-forwarded-for": address,
  "user-agent": `agent of ${secrets.email}`,
  ...more,
});

test("nothing that is logged shows a secret, a token, an e-mail address or an address", async () => {
  const login = `mutation { login(email: "${secrets.email}", password: "${secrets.password}") { accessToken } }`;
  const addresses = [secrets.address, secrets.addressV6];
  const bodies: unknown[] = [
    { query: login },
    {
      query: "mutation ($e: String!, $p: String!) { login(email: $e, password: $p) { user { id } } }",
      variables: { e: secrets.email, p: secrets.password },
    },
    { query: `{ searchSymbols(query: "${secrets.email}") { ticker } }` },
    { query: `query { symbol(market: "${secrets.token}", ticker: "${secrets.email}") { id } }` },
    { query: `query ${"Q".repeat(50)} { nothing(password: "${secrets.password}") }` },
    {
      query: "query ($f: SymbolFilter) { symbols(filter: $f) { totalCount } }",
      variables: { f: { market: [secrets.password], other: secrets.email } },
    },
    { query: "{ markets { id } }", extensions: { persistedQuery: { version: 1, sha256Hash: secrets.token } } },
    [{ query: login }],
    `{"query": "${secrets.password}`,
    `${secrets.email} ${secrets.token}`,
  ];
  const credentials = [
    "",
    `Bearer ${secrets.token}`,
    `Bearer ${secrets.jwt}`,
    `Basic ${Buffer.from(secrets.password).toString("base64")}`,
    secrets.token,
  ];
  for (const address of addresses) {
    for (const authorization of [...credentials, `Bearer ${operatorToken}`]) {
      for (const body of bodies) await client.post(body, from(address, authorization === "" ? {} : { authorization }));
    }
  }
  // Floods, until they are refused.
  const statuses = new Set<number>();
  for (let n = 0; n < 120; n++) {
    const { status } = await client.post(
      { query: `{ nothing${n}(password: "${secrets.password}") }` },
      from(secrets.address),
    );
    statuses.add(status);
  }
  expect(statuses).toContain(429);
  for (const path of [
    `/graphql?query=${encodeURIComponent(login)}`,
    `/graphql/stream?query=${encodeURIComponent(login)}`,
    `/${secrets.token}?email=${secrets.email}`,
    `/metrics?token=${secrets.token}`,
  ])
    await client.send({
      method: "GET",
      path,
      headers: from(secrets.addressV6, { authorization: `Bearer ${secrets.token}` }),
    });

  // Over sockets: wrong and right credentials, garbage, broken frames, too many.
  for (const authorization of [`Bearer ${secrets.token}`, `Bearer ${secrets.jwt}`, `Bearer ${operatorToken}`]) {
    const stream = openStream(
      url.replace("http", "ws").concat("/graphql"),
      login,
      {},
      { authorization, email: secrets.email },
    );
    await until(() => stream.isComplete);
    await stream.close();
  }
  for (const garbage of [secrets.password, `GET /${secrets.token} HTTP/1.1\r\nHost: ${secrets.email}\r\n\r\n`]) {
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    socket.on("error", () => {});
    socket.end(`${garbage}\r\n\r\n`);
    await new Promise((resolve) => socket.once("close", resolve).resume());
  }

  // Faults of our own, which are logged with their cause.
  const before = lines.length;
  await database.owner.sql`alter function similar_symbols(text) rename to similar_symbols_away`;
  const broken = await client.post(
    { query: `{ searchSymbols(query: "${secrets.email}") { ticker } }` },
    from("198.51.100.5", { authorization: `Bearer ${operatorToken}` }),
  );
  await database.owner.sql`alter function similar_symbols_away(text) rename to similar_symbols`;
  expect(broken.body.toString()).toContain("INTERNAL");
  expect(lines.length).toBeGreaterThan(before);

  // And what was counted and written down.
  await client.post(
    { query: 'mutation { setMarketStatus(market: "BINANCE_SPOT") { id } }' },
    from(secrets.address, { authorization: `Bearer ${operatorToken}` }),
  );
  const rows = await database.owner.sql`select details::text as text from audit_events`;
  const metrics = await client.send({ method: "GET", path: "/metrics", headers: {} });
  const kept = [...lines, ...rows.map(({ text }) => String(text)), metrics.body.toString()].join("\n");
  for (const [name, secret] of Object.entries(secrets)) expect(kept.includes(secret), `${name} is shown`).toBe(false);
  expect(kept).not.toMatch(
    /correct-horse|stolen-token|someone\.private|203\.0\.113\.[1-9]|2001:db8:77:88|198\.51\.100\.[1-9]/,
  );
  // The network is written down, and no more of the address.
  expect(kept).toContain("203.0.113.0/24");
});

test("what a failed statement was about is not logged with it", async () => {
  const told: string[] = [];
  const log = createLogger(
    "trace",
    linesTo((line) => told.push(line)),
  );
  const hash = "$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA";
  const add = () =>
    database.owner.db
      .insert(users)
      .values({ id: uuidV7(Date.now()), email: secrets.email, emailKey: secrets.email, passwordHash: hash });
  await add();
  const failures = [
    add(),
    database.owner.sql`select ${secrets.email}::uuid`,
    database.owner.sql`insert into users (id, email, email_key, password_hash)
      values (${uuidV7(Date.now())}, ${secrets.email}, ${secrets.email}, ${secrets.password})`,
  ];
  for (const failure of failures) {
    const error: unknown = await Promise.resolve(failure).then(
      () => new Error("nothing failed"),
      (reason: unknown) => reason,
    );
    log.error({ err: new Error("outer", { cause: error }) }, "request.internal-error");
  }
  expect(told).toHaveLength(3);
  expect(told.join()).not.toMatch(/someone\.private|correct-horse|argon2id\$/);
  // What is needed to find the fault is there.
  expect(told[0]).toContain("uk_users_email_key");
  expect(told[0]).toMatch(/at .*privacy\.test\.ts/);
  expect(told[1]).toContain("22P02");
  expect(told[2]).toContain("ck_users_password_hash");
});
