import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sha256 } from "../src/graphql/persisted.js";
import { readPersistedOperations } from "../src/persisted-operations.js";
import { type RawAnswer, RawClient } from "./support/http.js";
import { type QuietApp, startQuietApp } from "./support/quiet-app.js";
import { openStream } from "./support/stream.js";
import { until } from "./support/until.js";

const markets = "{ markets { code } }";
const live = "subscription { quotes { price } }";
const other = "{ exchanges { code } }";
const outdated = "{ fieldOfAnOlderRelease }";
const byHash = (text: string) => ({ persistedQuery: { version: 1, sha256Hash: sha256(text) } });
const read = ({ body }: RawAnswer) =>
  JSON.parse(body.toString()) as { data?: unknown; errors?: { extensions: { code: string } }[] };
const codeOf = (answer: RawAnswer) => read(answer).errors?.[0]?.extensions.code;
const types = ["application/json", "application/json; full=way"];

let folder: string;
let app: QuietApp;
let client: RawClient;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tradegraph-"));
});
afterAll(() => rm(folder, { recursive: true }));

const search = (given: Record<string, unknown>) =>
  new URLSearchParams(
    Object.entries(given).map(([name, value]): [string, string] => [
      name,
      typeof value === "string" ? value : JSON.stringify(value),
    ]),
  ).toString();

async function stream(given: object): Promise<string> {
  const abort = new AbortController();
  const response = await fetch(`${app.url}/graphql/stream`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream" },
    body: JSON.stringify(given),
    signal: abort.signal,
  });
  const { value } = (await response.body?.getReader().read()) ?? {};
  abort.abort();
  return new TextDecoder().decode(value);
}

describe("with a list of trusted operations", () => {
  beforeAll(async () => {
    const path = join(folder, "persisted-operations.json");
    await writeFile(
      path,
      JSON.stringify(Object.fromEntries([markets, live, outdated].map((text) => [sha256(text), text]))),
    );
    app = await startQuietApp({ config: { persistedOperations: path } });
    client = new RawClient(app.url);
  });
  afterAll(async () => {
    client.close();
    await app.close();
  });

  describe.each(types)("over HTTP, %s", (type) => {
    const post = (body: unknown) => client.post(body, { "content-type": type });
    const get = (given: Record<string, unknown>) =>
      client.send({ method: "GET", path: `/graphql?${search(given)}`, headers: { "content-type": type } });

    test.each([
      [{ query: markets }],
      [{ extensions: byHash(markets) }],
      [{ query: markets, extensions: byHash(markets) }],
      [{ documentId: sha256(markets) }],
      [{ documentId: `sha256:${sha256(markets)}` }],
      [{ id: sha256(markets).toUpperCase() }],
    ])("%j runs", async (given) => {
      for (const answer of [await post(given), await get(given)]) {
        expect(read(answer)).toMatchObject({ data: { markets: expect.arrayContaining([{ code: "BINANCE_SPOT" }]) } });
      }
    });

    test.each<[string, Record<string, unknown>]>([
      ["PERSISTED_QUERY_ONLY", { query: other }],
      ["PERSISTED_QUERY_ONLY", { query: "{ nothing }" }],
      ["PERSISTED_QUERY_ONLY", { query: `${markets} ` }],
      ["PERSISTED_QUERY_ONLY", { query: other, extensions: byHash(other) }],
      ["BAD_REQUEST", { query: other, extensions: byHash(markets) }],
      ["PERSISTED_QUERY_NOT_FOUND", { extensions: byHash(other) }],
      ["PERSISTED_QUERY_NOT_FOUND", { documentId: sha256(other) }],
      ["BAD_REQUEST", { documentId: "nonsense" }],
      ["BAD_REQUEST", { extensions: { persistedQuery: { version: 2, sha256Hash: sha256(markets) } } }],
      ["GRAPHQL_VALIDATION_FAILED", { id: sha256(outdated) }],
    ])("%s: %j", async (code, given) => {
      for (const answer of [await post(given), await get(given)]) {
        expect(codeOf(answer)).toBe(code);
        expect(answer.status).toBe(code === "PERSISTED_QUERY_NOT_FOUND" ? 200 : 400);
      }
    });

    test("nothing else gets through by being out of the ordinary", async () => {
      for (const body of [
        [{ query: other }],
        { query: [other] },
        { query: { kind: "Document" } },
        { query: null },
        {},
        "text",
      ]) {
        expect(JSON.stringify(read(await post(body)))).not.toContain("BINANCE");
      }
      const twice = `/graphql?${search({ query: markets })}&${search({ query: other })}`;
      const answer = await client.send({ method: "GET", path: twice, headers: { "content-type": type } });
      expect(answer.body.toString()).not.toContain("BINANCE");
    });
  });

  test("over a WebSocket", async () => {
    const trusted = openStream(app.websocketUrl, live);
    const named = openStream(app.websocketUrl, "", {}, {}, { extensions: byHash(live) });
    const unknown = openStream(app.websocketUrl, "subscription { quotes { bid } }");
    const query = openStream(app.websocketUrl, other);
    await until(
      () =>
        trusted.messages.length > 0 &&
        named.messages.length > 0 &&
        unknown.errors.length > 0 &&
        query.errors.length > 0,
    );
    expect(JSON.stringify([unknown.errors, query.errors]).match(/PERSISTED_QUERY_ONLY/g)).toHaveLength(2);
    await Promise.all([trusted, named, unknown, query].map((one) => one.close()));
  });

  test("over server-sent events", async () => {
    expect(await stream({ query: live })).toContain('"price"');
    expect(await stream({ documentId: sha256(live) })).toContain('"price"');
    expect(await stream({ query: other })).toContain("PERSISTED_QUERY_ONLY");
    expect(await stream({ documentId: sha256(other) })).toContain("PERSISTED_QUERY_NOT_FOUND");
  });
});

describe("without one, texts that clients have registered", () => {
  beforeAll(async () => {
    app = await startQuietApp();
    client = new RawClient(app.url);
  });
  afterAll(async () => {
    client.close();
    await app.close();
  });

  test.each(types)("run by their hash, %s", async (type) => {
    const text = `{ markets { code name } } # ${type}`;
    const send = (given: object) => client.post(given, { "content-type": type });
    const unknown = await send({ extensions: byHash(text) });
    expect([unknown.status, codeOf(unknown), unknown.headers["cache-control"]]).toEqual([
      200,
      "PERSISTED_QUERY_NOT_FOUND",
      "private, no-store",
    ]);
    const registered = await send({ query: text, extensions: byHash(text) });
    expect(read(registered).errors).toBeUndefined();
    const again = await send({ extensions: byHash(text) });
    expect(again.body).toEqual(registered.body);
    const get = await client.send({
      method: "GET",
      path: `/graphql?${search({ extensions: byHash(text) })}`,
      headers: { "content-type": type },
    });
    expect(get.body).toEqual(registered.body);
    expect(codeOf(await send({ query: other, extensions: byHash(text) }))).toBe("BAD_REQUEST");
    expect(read(await send({ extensions: byHash(text) })).errors).toBeUndefined();
  });

  test("on streams as well", async () => {
    expect(await stream({ extensions: byHash(live) })).toContain("PERSISTED_QUERY_NOT_FOUND");
    expect(await stream({ query: live, extensions: byHash(live) })).toContain('"price"');
    expect(await stream({ extensions: byHash(live) })).toContain('"price"');
  });

  test("other operations run as before", async () => {
    expect(read(await client.post({ query: other })).errors).toBeUndefined();
  });
});

describe("a list that is wrong ends the start", () => {
  test.each([
    ["[]", /JSON object/],
    ["{", /JSON/],
    [JSON.stringify({ abc: markets }), /"abc" is not the SHA-256/],
    [JSON.stringify({ [sha256(markets)]: 5 }), /is not the SHA-256/],
  ])("%s", async (content, message) => {
    const path = join(folder, "wrong.json");
    await writeFile(path, content);
    await expect(readPersistedOperations(path)).rejects.toThrow(message);
  });

  test("one that is not there", async () => {
    await expect(readPersistedOperations(join(folder, "none.json"))).rejects.toThrow(/PERSISTED_OPERATIONS.*ENOENT/);
  });
});
