import { execFileSync, spawnSync } from "node:child_process";
import { chmod, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startApp } from "../src/app.js";
import { openCredentials } from "../src/catalogue/provider-credentials.js";
import { parseConfig } from "../src/config.js";
import { KeyRing } from "../src/core/key-ring.js";
import { openKeyRing } from "../src/encryption-keys.js";
import { operatorHeaders, operatorToken, query } from "./support/app.js";
import { createTestDatabase, type TestDatabase } from "./support/database.js";
import { until } from "./support/until.js";

const main = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const keys = `test:${Buffer.alloc(32, 7).toString("base64")}`;
const code = "BINANCE_SPOT_SIM";
const secrets = /the-api-key|the-api-secret/;

describe("credentials of a provider", () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.close());

  const tradegraph = (args: string[], input: string, env: NodeJS.ProcessEnv = {}) => {
    const { host, port, user, database: name } = database.address;
    const DATABASE_URL = `postgres://${user}@localhost/${name}?host=${encodeURIComponent(host)}&port=${port}`;
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
      input,
      encoding: "utf8",
      env: { PATH: process.env.PATH, DATABASE_URL, ...env },
    });
    return { status, output: stdout + stderr };
  };
  const set = (input: string, env?: NodeJS.ProcessEnv, provider = code) =>
    tradegraph(["providers", "set-credentials", provider], input, env);

  const withKeys = { ENCRYPTION_KEYS: keys };
  test.each([
    ["nothing", "", withKeys, "the first line of standard input must be the API key"],
    ["a fourth line", "the-api-key\na\nb\nc\n", withKeys, "more than three lines"],
    ["a control character", "the-api-key\u0000\n", withKeys, "line 1 of standard input is not plain text"],
    ["no secret for its passphrase", "the-api-key\n\nthe-api-secret\n", withKeys, "a passphrase needs an API secret"],
    ["a flood", `the-api-key${"\n".repeat(20_000)}`, withKeys, "longer than 16384 bytes"],
    ["no key to seal with", "the-api-key\n", {}, "there is no key: set ENCRYPTION_KEYS"],
    ["a short key", "the-api-key\n", { ENCRYPTION_KEYS: "test:c2hvcnQ=" }, 'ENCRYPTION_KEYS: key "test" must be 32'],
  ])("with %s are refused, and shown to nobody", (_, input, env, message) => {
    const { status, output } = set(input, env);
    expect(output).toContain(message);
    expect(output).not.toMatch(secrets);
    expect(output).not.toContain("c2hvcnQ=");
    expect(status).toBe(1);
  });

  test("are no argument, and belong to a provider that exists", () => {
    expect(tradegraph(["providers", "set-credentials", code, "the-api-key"], "").output).toContain("usage:");
    expect(set("the-api-key\n", { ENCRYPTION_KEYS: keys }, "NOPE").output).toContain("provider NOPE not found");
  });

  test("are read from standard input and reach the feed; nobody sees them on the way", async () => {
    const { status, output } = set("the-api-key\nthe-api-secret\n", { ENCRYPTION_KEYS: keys });
    expect(output).toBe(`${code} has credentials now\n`);
    expect(status).toBe(0);

    const settings = { PORT: "0", OPERATOR_TOKEN: operatorToken, LOG_LEVEL: "trace" };
    const logged: string[] = [];
    const log = pino({ level: "trace" }, { write: (line: string) => void logged.push(line) });
    const start = (env: Record<string, string>) =>
      startApp(parseConfig({ ...settings, ...env }), log, (line) => logged.push(line), { database: database.address });
    await expect(start({})).rejects.toThrow(/credentials of 1 provider\(s\) cannot be opened:\n {2}BINANCE_SPOT_SIM/);

    const app = await start({ ENCRYPTION_KEYS: keys });
    try {
      const provider = () => app.catalogue.providerByCode(code);
      await until(() => provider()?.connectionStatus === "CONNECTED");
      const row = provider();
      expect(row && openCredentials(KeyRing.parse(keys), row)?.apiSecret).toBe("the-api-secret");
      const { data } = await query(app.url ?? "", `{ __type(name: "DataProvider") { fields { name } } }`);
      const fields = data.__type.fields.map(({ name }: { name: string }) => name) as string[];
      expect(fields.filter((name) => /key|secret|phrase|credential|seal/i.test(name))).toEqual([]);
      const scalars = fields.filter((name) => name !== "market").join(" ");
      const answer = await query(app.url ?? "", `{ dataProviders { ${scalars} } }`, {}, operatorHeaders);
      expect(answer.errors).toBeUndefined();
      expect(JSON.stringify(answer)).not.toMatch(secrets);
      expect(JSON.stringify(answer)).not.toContain("v1.test.");

      // With a key that this program does not have, the provider is left alone and the others go on.
      const others = { ENCRYPTION_KEYS: `other:${Buffer.alloc(32, 8).toString("base64")}` };
      expect(set("the-api-key\n", others).status).toBe(0);
      await until(() => provider()?.connectionStatus === "ERROR");
      expect(provider()?.lastError).toBe('its credentials cannot be opened: there is no key "other"');
      expect(tradegraph(["providers", "clear-credentials", code], "").output).toContain("has no credentials now");
      await until(() => provider()?.connectionStatus === "CONNECTED");
    } finally {
      await app.close();
    }
    expect(logged.length).toBeGreaterThan(5);
    expect(logged.join()).not.toMatch(secrets);
  });
});

describe("the key file beside the embedded database", () => {
  let folder: string;
  const settings = () => ({ encryptionKeys: null, databaseUrl: null, dataDirectory: folder });
  const place = { table: "t", id: 1, column: "c" };
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tradegraph-keys-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("is made when it is first needed, for its owner only, and once", async () => {
    expect(await openKeyRing(settings())).toBeNull();
    const rings = await Promise.all(Array.from({ length: 5 }, () => openKeyRing(settings(), { create: true })));
    const path = join(folder, "encryption-keys");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(path, "utf8")).toMatch(/^local:[A-Za-z0-9+/]{43}=\n$/);
    expect(execFileSync("ls", [folder], { encoding: "utf8" }).trim()).toBe("encryption-keys");
    const sealed = rings[0]?.seal("secret", place) ?? "";
    for (const ring of [...rings, await openKeyRing(settings())]) expect(ring?.open(sealed, place)).toBe("secret");
  });

  test("that others can read is refused", async () => {
    await openKeyRing(settings(), { create: true });
    await chmod(join(folder, "encryption-keys"), 0o644);
    await expect(openKeyRing(settings())).rejects.toThrow(/can be read by others/);
  });

  test("does not stand in for ENCRYPTION_KEYS where the database is elsewhere", async () => {
    expect(await openKeyRing({ ...settings(), databaseUrl: "postgres://db" }, { create: true })).toBeNull();
  });
});
