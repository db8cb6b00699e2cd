import { inspect } from "node:util";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.js";
import { KeyRing } from "../core/key-ring.js";
import { Catalogue, type DataProvider } from "./catalogue.js";
import { readCatalogue } from "./follow.js";
import {
  openCredentials,
  ProviderCredentials,
  requireCredentialsOpen,
  storeCredentials,
} from "./provider-credentials.js";

const keyText = (id: string, byte: number) => `${id}:${Buffer.alloc(32, byte).toString("base64")}`;
const oldKeys = KeyRing.parse(keyText("old", 1));
const newKeys = KeyRing.parse(keyText("new", 2));
const credentials = new ProviderCredentials("the-api-key", "the-api-secret", "the-passphrase");
const secrets = /the-api-key|the-api-secret|the-passphrase/;

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.close());

const store = (...given: [TestDatabase["app"], KeyRing | null, string, ProviderCredentials | null]) =>
  storeCredentials(...given, async () => {});
const rowOf = async (code: string): Promise<DataProvider> => {
  const catalogue = new Catalogue();
  await readCatalogue(database.app, catalogue);
  return catalogue.providerByCode(code) as DataProvider;
};
const plain = (opened: ProviderCredentials | null) =>
  opened === null ? null : [opened.apiKey, opened.apiSecret, opened.passphrase];

test("what was stored is opened again, and lies sealed in the row", async () => {
  await store(database.app, oldKeys, "OKX_SPOT_WS", credentials);
  const row = await rowOf("OKX_SPOT_WS");
  expect(plain(openCredentials(oldKeys, row))).toEqual(["the-api-key", "the-api-secret", "the-passphrase"]);
  expect(JSON.stringify(row)).not.toMatch(secrets);
  expect(row.sealedApiKey).toMatch(/^v1\.old\./);

  await store(database.app, oldKeys, "OKX_SPOT_WS", new ProviderCredentials("the-api-key", null, null));
  expect(plain(openCredentials(oldKeys, await rowOf("OKX_SPOT_WS")))).toEqual(["the-api-key", null, null]);
  await store(database.app, null, "OKX_SPOT_WS", null);
  expect(openCredentials(null, await rowOf("OKX_SPOT_WS"))).toBeNull();
  await expect(store(database.app, oldKeys, "NOPE", credentials)).rejects.toMatchObject({
    code: "NOT_FOUND",
  });
});

test("sealed secrets do not open in another row or column, nor with other keys", async () => {
  await store(database.app, oldKeys, "OKX_SPOT_WS", credentials);
  const row = await rowOf("OKX_SPOT_WS");
  expect(() => openCredentials(oldKeys, { ...row, id: row.id + 1 })).toThrow("belongs to another place");
  expect(() => openCredentials(oldKeys, { ...row, sealedApiSecret: row.sealedApiKey })).toThrow("another place");
  expect(() => openCredentials(newKeys, row)).toThrow('there is no key "old"');
});

test("nothing that prints, logs or serialises them shows them", () => {
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(line) });
  log.info({ credentials, endpoint: { credentials } }, "printed");
  const shown = [inspect(credentials, { depth: 5, showHidden: true }), JSON.stringify({ credentials }), `${lines[0]}`];
  expect(shown.join()).not.toMatch(secrets);
  expect(Object.keys(credentials)).toEqual([]);
});

describe("the database", () => {
  test.each([
    ["sealed_api_key = 'AKIA-plain-text'", "ck_data_providers_sealed_api_key"],
    ["sealed_api_key = 'v1.k.AA', sealed_api_secret = 'plain'", "ck_data_providers_sealed_api_secret"],
    ["sealed_api_key = 'v1.k.AA', sealed_passphrase = 'plain'", "ck_data_providers_sealed_passphrase"],
    ["sealed_api_secret = 'v1.k.AA'", "ck_data_providers_sealed_set"],
    ["usage_month = '2026-11-02'", "ck_data_providers_usage_month"],
    ["messages_per_second = -1", "ck_data_providers_messages_per_second"],
  ])("refuses %s", async (change, rule) => {
    await expect(database.app.sql.unsafe(`update data_providers set ${change}`)).rejects.toMatchObject({
      constraint_name: rule,
    });
  });

  test("shows sealed secrets to no role that only reads", async () => {
    const asReader = (text: string) =>
      database.owner.sql.begin(async (tx) => {
        await tx`set local role tradegraph_readonly`;
        return tx.unsafe(text);
      });
    await expect(asReader("select sealed_api_key from data_providers")).rejects.toMatchObject({ code: "42501" });
    await expect(asReader("select * from data_providers")).rejects.toMatchObject({ code: "42501" });
    expect((await asReader("select code, last_error, monthly_usage from data_providers")).length).toBeGreaterThan(10);
  });
});

test("a start needs the keys only when there are credentials, and says whose do not open", async () => {
  await requireCredentialsOpen(database.app, null);
  await store(database.app, oldKeys, "OKX_SPOT_WS", credentials);
  await requireCredentialsOpen(database.app, oldKeys);
  for (const [keys, reason] of [
    [null, "ENCRYPTION_KEYS is not set"],
    [newKeys, 'there is no key "old"'],
  ] as const) {
    const failure = await requireCredentialsOpen(database.app, keys).catch((error: Error) => error);
    expect(failure).toMatchObject({
      name: "StartError",
      message: expect.stringContaining(`OKX_SPOT_WS: ${reason}`),
    });
    expect(String(failure)).not.toMatch(secrets);
  }
});
