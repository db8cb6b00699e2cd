import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { query } from "./support/app.js";
import { createTestDatabase } from "./support/database.js";
import { fewPrices } from "./support/few-prices.js";
import {
  announcement,
  createDataFolder,
  type DataFolder,
  freePort,
  type Program,
  processesOn,
  runProgram,
  runToEnd,
} from "./support/program.js";
import { openStream } from "./support/stream.js";
import { until } from "./support/until.js";

let running: Program[] = [];
let folder: DataFolder;
let data: { TRADEGRAPH_DATA_DIR: string };
beforeAll(async () => {
  folder = await createDataFolder();
  data = { TRADEGRAPH_DATA_DIR: join(folder.path, "data") };
});
// What a failed test left running must not fail the next ones.
afterEach(async () => {
  for (const program of running) program.signal("SIGKILL");
  await Promise.all(running.map((program) => program.exit));
  running = [];
  await until(() => processesOn(folder.path).length === 0, 15_000);
});
afterAll(() => folder.remove());

async function serve(args: string[] = [], env: NodeJS.ProcessEnv = {}): Promise<{ program: Program; url: string }> {
  const program = runProgram(["serve", ...args], { ...fewPrices, ...data, PORT: String(await freePort()), ...env });
  running.push(program);
  return { program, url: await program.printed(announcement) };
}

const firstPrice = async (url: string): Promise<string | null> =>
  (await query(url, "{ defaultSymbols { quote { price } } }")).data.defaultSymbols[0].quote?.price ?? null;

const postmasterPid = () =>
  Number(readFileSync(join(data.TRADEGRAPH_DATA_DIR, "postgres", "postmaster.pid"), "utf8").split("\n")[0]);

describe("the command line", () => {
  test("explains itself", async () => {
    const { status, output } = await runToEnd(["--help"]);
    expect(status).toBe(0);
    for (const command of ["serve", "migrate", "rollback", "seed", "validate", "doctor"])
      expect(output).toContain(`  ${command} `);
    expect((await runToEnd([])).output).toBe(output);
    expect((await runToEnd(["--version"])).output).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test.each([
    [["fly"], 'tradegraph: there is no command "fly"; see --help\n'],
    [["serve", "--fast"], "see --help"],
    [["serve", "now"], 'unexpected argument "now"; see --help'],
    [["rollback", "--steps", "none"], "--steps must be a whole number from 1"],
  ])("%j: %s", async (args, message) => {
    const { status, errors } = await runToEnd(args, data);
    expect(status).toBe(1);
    expect(errors).toContain(message);
    expect(errors).not.toMatch(/\n\s+at /);
  });

  test("tells every problem of the configuration at once, and no secret", async () => {
    const { status, errors } = await runToEnd(["serve"], {
      PORT: "eighty",
      DATABASE_URL: "mysql://user:hunter2@host/db",
      ROLES: "api,pilot",
      LOG_LEVEL: "loud",
      OPERATOR_TOKEN: "short-secret",
    });
    expect(status).toBe(1);
    for (const name of ["PORT", "DATABASE_URL", "ROLES", "LOG_LEVEL", "OPERATOR_TOKEN"])
      expect(errors).toContain(`  ${name} must `);
    expect(errors).toContain("5 problem(s)");
    expect(errors).not.toMatch(/hunter2|short-secret|\n\s+at /);
  });

  test("an empty folder is migrated, seeded, checked, and rolled back", async () => {
    expect((await runToEnd(["migrate"], data)).output).toMatch(/^applied 0000_\w+, /);
    expect((await runToEnd(["migrate"], data)).output).toBe("nothing to migrate\n");
    expect((await runToEnd(["seed"], data)).output).toBe("reference data is complete\n");
    const checked = await runToEnd(["validate"], data);
    expect(checked.output).toMatch(/\d+ checks passed, 0 failed\n$/);
    expect(checked.status).toBe(0);
    const doctor = await runToEnd(["doctor"], { ...data, PORT: String(await freePort()) });
    expect(doctor.output).toMatch(/OK +postgres/);
    expect(doctor.output).toMatch(/OK +migrations +up to date/);
    expect(doctor.status).toBe(0);
    const refused = await runToEnd(["rollback", "--all"], data);
    expect(refused.status).toBe(1);
    expect(refused.errors).toMatch(/would drop tables that hold rows: .*symbols.* --force/);
    expect((await runToEnd(["rollback", "--all", "--force"], data)).output).toMatch(/^took back \d{4}_/);
    expect(processesOn(folder.path)).toEqual([]);
  });

  test("a check that fails says so in words, in JSON and by its status", async () => {
    const database = await createTestDatabase();
    await database.owner.sql`update symbols set is_tracked = false where ticker = 'BTCUSDT'`;
    const { host, port, user, database: name } = { ...inject("cluster"), ...database.address };
    const url = `postgres://${user}@localhost/${name}?host=${encodeURIComponent(host)}&port=${port}`;
    const { status, output } = await runToEnd(["validate", "--json"], { DATABASE_URL: url });
    expect(status).toBe(1);
    const failed = (
      JSON.parse(output) as { name: string; passed: boolean; count: number; sampleIds: string[] }[]
    ).filter((check) => !check.passed);
    expect(failed).toMatchObject([{ name: "untracked-defaults", count: 1 }]);
    expect((await runToEnd(["validate"], { DATABASE_URL: url })).output).toMatch(
      /FAIL +MEDIUM +untracked-defaults +1 found/,
    );
    await database.close();
  });
});

describe("what stands in the way of a start is said in one line", () => {
  const start = async (env: NodeJS.ProcessEnv) => {
    const { status, errors } = await runToEnd(["serve"], {
      ...data,
      PORT: String(await freePort()),
      LOG_LEVEL: "silent",
      ...env,
    });
    expect(status).toBe(1);
    expect(errors).not.toMatch(/\n\s+at /);
    expect(processesOn(folder.path)).toEqual([]);
    return errors;
  };

  test("a port in use", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    expect(await start({ PORT: String(port) })).toMatch(
      new RegExp(`^tradegraph: port ${port} is in use.*PORT=${port + 1} npm start\n$`),
    );
    await new Promise((resolve) => other.close(resolve));
  });

  test("a database that nobody answers for", async () => {
    const port = await freePort();
    expect(
      await start({ DATABASE_URL: `postgres://user:hunter2@127.0.0.1:${port}/trade`, DATABASE_WAIT_MS: "300" }),
    ).toBe(
      `tradegraph: cannot use the database at 127.0.0.1:${port}/trade: nothing listens there. Is Postgres running? Check DATABASE_URL.\n`,
    );
  });

  test("a database that is ahead of the program, behind it, or of the other source of prices", async () => {
    const database = await createTestDatabase();
    const { host, port, user, database: name } = database.address;
    const DATABASE_URL = `postgres://${user}@localhost/${name}?host=${encodeURIComponent(host)}&port=${port}`;
    expect(await start({ DATABASE_URL, MODE: "live" })).toContain(
      "this database holds simulated prices and the program was started for live ones",
    );
    await database.owner.sql`delete from schema_migrations where id = (select max(id) from schema_migrations)`;
    expect(await start({ DATABASE_URL, AUTO_MIGRATE: "false" })).toContain('run "tradegraph migrate"');
    await database.owner.sql`insert into schema_migrations (id, name, checksum) values (900, '0900_future', 'x')`;
    expect(await start({ DATABASE_URL })).toContain(
      "the database is ahead of this program: it has migration 0900_future",
    );
    await database.close();
  });
});

describe("the running program", () => {
  test("brings everything up, says where it is, and stops without a trace at Ctrl-C", async () => {
    const { program, url } = await serve();
    expect(program.output()).toContain("every price is invented");
    await until(async () => (await firstPrice(url)) !== null);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    const stream = openStream(
      `${url.replace("http", "ws")}/graphql`,
      "subscription { quotes(intervalMs: 0) { sequence } }",
    );
    await until(() => stream.messages.length > 2);
    await program.stop();
    expect(program.output()).toMatch(/SIGINT: stopping …\nstopped\n$/);
    await until(() => stream.isComplete, 15_000);
    expect(stream.errors[0]?.extensions.code).toBe("1001");
    expect(processesOn(folder.path)).toEqual([]);
  });

  test("kept its data, and sequences go on", async () => {
    const one = await serve();
    await until(async () => (await firstPrice(one.url)) !== null);
    const sequence = async (url: string) =>
      BigInt((await query(url, "{ defaultSymbols { quote { sequence } } }")).data.defaultSymbols[0].quote.sequence);
    const before = await sequence(one.url);
    await one.program.stop("SIGTERM");
    const two = await serve();
    expect(await sequence(two.url)).toBeGreaterThanOrEqual(before);
    await until(async () => (await sequence(two.url)) > before);
    await two.program.stop("SIGTERM");
  });

  test("a second one on the same folder is refused, while commands may use the running database", async () => {
    const { program } = await serve();
    const second = await runToEnd(["serve"], { ...data, PORT: String(await freePort()) });
    expect(second.errors).toContain(
      `another tradegraph (pid ${program.pid}) is already running on ${data.TRADEGRAPH_DATA_DIR}`,
    );
    expect((await runToEnd(["validate"], data)).status).toBe(0);
    expect((await runToEnd(["seed", "--sync", "BINANCE_SPOT"], data)).output).toMatch(
      /BINANCE_SPOT: \d+ symbols added or changed/,
    );
    await program.stop();
  });

  test("kill -9 of the program leaves no orphan, and the next start works", async () => {
    const { program } = await serve();
    program.signal("SIGKILL");
    expect(await program.exit).toBe("SIGKILL");
    await until(() => processesOn(folder.path).length === 0);
    const next = await serve();
    await until(async () => (await firstPrice(next.url)) !== null);
    await next.program.stop();
  });

  test("kill -9 of Postgres: reads go on from memory, the database comes back by itself, and changes are seen again", async () => {
    const { program, url } = await serve();
    await until(async () => (await firstPrice(url)) !== null);
    const killed = postmasterPid();
    process.kill(killed, "SIGKILL");
    expect(await firstPrice(url)).not.toBeNull();
    await until(() => {
      try {
        return (
          postmasterPid() !== killed &&
          execFileSync("ps", ["-p", String(postmasterPid()), "-o", "comm="], { encoding: "utf8" }).includes("postgres")
        );
      } catch {
        return false;
      }
    }, 20_000);
    await until(async () => (await fetch(`${url}/readyz`)).status === 200, 20_000);
    const stored = () =>
      folder.sql("tradegraph_simulated", async (sql) =>
        Number((await sql`select max(sequence) as newest from symbol_quotes`)[0]?.newest),
      );
    const atRestart = await stored();
    await until(async () => (await stored()) > atRestart, 20_000);
    // The listening connection was lost as well; a change by SQL shows again.
    await until(async () => {
      await folder.sql(
        "tradegraph_simulated",
        (sql) => sql`update symbols set description = 'seen' || clock_timestamp() where ticker = 'ETHUSDT'`,
      );
      const { description } = (
        await query(url, `{ symbol(market: "BINANCE_SPOT", ticker: "ETHUSDT") { description } }`)
      ).data.symbol;
      return String(description).startsWith("seen");
    }, 20_000);
    await program.stop();
    expect(processesOn(folder.path)).toEqual([]);
  });

  test("--live has a database of its own; without a network it says so, keeps trying, and the API works", async () => {
    expect((await runToEnd(["migrate", "--live"], data)).status).toBe(0);
    expect((await runToEnd(["seed", "--live"], data)).status).toBe(0);
    // The tests reach no other host: nothing listens where the exchange is looked for.
    const nowhere = `127.0.0.1:${await freePort()}`;
    const { program: first } = await serve();
    await folder.sql(
      "tradegraph_live",
      (sql) =>
        sql`update data_providers set websocket_url = ${`ws://${nowhere}`}, endpoint_url = ${`http://${nowhere}`},
          backup_websocket_url = null, retry_delay_ms = 50`,
    );
    first.signal("SIGINT");
    await first.exit;

    const { program, url } = await serve(["--live"]);
    expect(program.output()).toContain("live prices");
    await program.printed(/(RECONNECTING) \(.*\); trying again/);
    const { data: answer } = await query(
      url,
      "{ health { status simulated checks { name status } } dataProviders { code providerType connectionStatus } defaultSymbols { ticker quote { price } } }",
    );
    expect(answer.health).toMatchObject({ status: "DEGRADED", simulated: false });
    expect(answer.health.checks).toContainEqual({ name: "feed BINANCE_SPOT_WS", status: "DEGRADED" });
    expect(answer.dataProviders.map((provider: { providerType: string }) => provider.providerType)).not.toContain(
      "SIMULATED",
    );
    expect(answer.defaultSymbols.map((symbol: { quote: unknown }) => symbol.quote)).toEqual(Array(9).fill(null));
    await program.stop();
  });
});
