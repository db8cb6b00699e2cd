import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { startApp } from "../src/app.js";
import { seedReferenceData } from "../src/catalogue/seed.js";
import { parseConfig } from "../src/config.js";
import { createLogger } from "../src/core/logger.js";
import { connect } from "../src/db/connect.js";
import { migrate } from "../src/db/migrations.js";
import { query } from "./support/app.js";
import { CapturedMail, goodPassword, signIn, signUp } from "./support/people.js";

const log = createLogger("silent");

/** As on a hosted Postgres: the owner of the tables is no superuser, so that forced policies bind him too. */
describe("a database whose owner is nobody special", () => {
  const server = inject("cluster");
  const name = `owned_${randomBytes(6).toString("hex")}`;
  const admin = postgres({ ...server, database: "postgres", max: 1, onnotice: () => {} });
  const address = { ...server, user: name, database: name };
  const owner = connect({ address, role: null, poolSize: 2, applicationName: "test owner" });
  const mail = new CapturedMail();
  let url: string;
  let close: () => Promise<void>;

  beforeAll(async () => {
    await admin.unsafe(
      `create role ${name} login; grant tradegraph_app, tradegraph_admin, tradegraph_readonly, tradegraph_monitor to ${name}`,
    );
    await admin.unsafe(`create database ${name} owner ${name} template template0`);
    await migrate(owner.sql, log);
    await seedReferenceData(owner, "simulated");
    const config = { ...parseConfig({ PORT: "0" }), roles: new Set(["api"] as const), autoMigrate: false };
    const app = await startApp(config, log, () => {}, { database: address, mailer: mail });
    url = app.url ?? "";
    close = () => app.close();
  });
  afterAll(async () => {
    await close();
    await owner.close();
    await admin.unsafe(`drop database ${name} with (force)`);
    await admin.unsafe(`drop role ${name}`);
    await admin.end();
  });

  const whoIs = async (credential: string) =>
    (await query(url, "{ viewer { email status } }", {}, { authorization: `Bearer ${credential}` })).data?.viewer;

  test("people register, come back, refresh, use keys, prove addresses, reset passwords and leave", async () => {
    const email = "ada@example.org";
    const ada = await signUp(url, email);
    expect(await whoIs((await signIn(url, email)).accessToken)).toMatchObject({ email });
    const refreshed = await query(url, "mutation ($t: String!) { refreshSession(refreshToken: $t) { accessToken } }", {
      t: ada.refreshToken,
    });
    const { accessToken } = refreshed.data.refreshSession;
    const headers = { authorization: `Bearer ${accessToken}` };
    const key = await query(url, 'mutation { createApiKey(name: "k", scopes: [READ]) { secret } }', {}, headers);
    expect(await whoIs(key.data.createApiKey.secret)).toMatchObject({ email });
    const token = await mail.tokenFor(email, "verify-email");
    await query(url, "mutation ($token: String!) { verifyEmail(token: $token) { id } }", { token });
    expect(await whoIs((await signIn(url, email)).accessToken)).toEqual({ email, status: "ACTIVE" });
    await query(url, "mutation ($email: String!) { requestPasswordReset(email: $email) }", { email });
    const reset = await mail.tokenFor(email, "reset-password");
    const newPassword = "another patient orchestra";
    const text =
      "mutation ($reset: String!, $newPassword: String!) { resetPassword(token: $reset, newPassword: $newPassword) }";
    expect((await query(url, text, { reset, newPassword })).data.resetPassword).toBe(true);
    const last = await signIn(url, email, newPassword);
    const left = await query(
      url,
      "mutation ($p: String!) { closeAccount(password: $p) }",
      { p: newPassword },
      last.headers,
    );
    expect(left.data.closeAccount).toBe(true);
    expect(await owner.sql`select email, status from users`).toEqual([{ email: null, status: "CLOSED" }]);
  });

  test("the owner sees all rows, and in a transaction that names a user that user's alone", async () => {
    const [one] = [await signUp(url), await signUp(url)];
    const count = async (sql: postgres.Sql | postgres.TransactionSql) => (await sql`select from users`).count;
    expect(await count(owner.sql)).toBeGreaterThan(2);
    const [{ id }] = (await owner.sql`select id from users where email = ${one?.email ?? ""}`) as unknown as [
      { id: string },
    ];
    const seen = await owner.sql.begin(async (sql) => {
      await sql`select set_config('app.user_id', ${id}, true)`;
      return count(sql);
    });
    expect(seen).toBe(1);
  });

  test("operators are made by the command line, which reads the password from standard input", async () => {
    const main = fileURLToPath(new URL("../dist/main.js", import.meta.url));
    const database = `postgres://${name}@localhost/${name}?host=${server.host}&port=${server.port}`;
    const tradegraph = (args: string[], input = "") =>
      new Promise<{ status: unknown; output: string }>((resolve) => {
        const env = { PATH: process.env.PATH, DATABASE_URL: database };
        const child = execFile(process.execPath, [main, "users", ...args], { env }, (error, stdout, stderr) =>
          resolve({ status: error?.code ?? 0, output: stdout + stderr }),
        );
        child.stdin?.end(input);
      });
    expect(await tradegraph(["create", "root@example.org"], `${goodPassword}\n`)).toEqual({
      status: 0,
      output: "root@example.org may sign in now, as ADMIN\n",
    });
    const root = await signIn(url, "root@example.org");
    const halt = 'mutation { setMarketStatus(market: "BINANCE_SPOT", status: null) { code } }';
    expect((await query(url, halt, {}, root.headers)).errors).toBeUndefined();
    expect((await tradegraph(["set-role", "ROOT@example.org", "readonly"])).output).toBe(
      "ROOT@example.org is READONLY now\n",
    );
    await expect.poll(async () => (await query(url, halt, {}, root.headers)).status).toBe(401);
    expect((await tradegraph(["set-status", "root@example.org", "SUSPENDED"])).status).toBe(0);
    await expect(signIn(url, "root@example.org")).rejects.toThrow("FORBIDDEN");
    expect((await tradegraph(["set-status", "root@example.org", "ACTIVE"])).status).toBe(0);
    await signIn(url, "root@example.org");

    for (const [args, input, message] of [
      [["create", "root@example.org"], goodPassword, "this address has an account"],
      [["create", "x@example.org"], "", "the first line of standard input must be the password"],
      [["create", "x@example.org"], `${goodPassword}\nmore`, "more than one line"],
      [["create", "x@example.org", "GOD"], goodPassword, "usage:"],
      [["set-role", "x@example.org", "ADMIN"], "", "user not found"],
      [["set-status", "root@example.org", "CLOSED"], "", "usage:"],
    ] as [string[], string, string][]) {
      const { status, output } = await tradegraph(args, input);
      expect([args, status, output]).toEqual([args, 1, expect.stringContaining(message)]);
      expect(output).not.toContain(goodPassword);
    }
  });
});
