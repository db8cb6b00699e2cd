import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { globalId } from "../src/core/ids.js";
import { buildSchema } from "../src/graphql/schema.js";
import { operatorHeaders } from "./support/app.js";
import { type RawAnswer, RawClient, type RawRequest } from "./support/http.js";
import { operationsOver } from "./support/operations.js";
import { signUp } from "./support/people.js";
import { type QuietApp, startQuietApp } from "./support/quiet-app.js";
import { openStream } from "./support/stream.js";
import { until } from "./support/until.js";

let app: QuietApp;
let client: RawClient;
beforeAll(async () => {
  app = await startQuietApp();
  client = new RawClient(app.url);
});
afterAll(async () => {
  client.close();
  await app.close();
});

/** What the client of an answer may go by. A masked error has another id each time, of the same length. */
function comparable({ status, headers, body }: RawAnswer, isGet: boolean) {
  // Only the short way knows what may be kept.
  const ignored = new Set(["date", ...(isGet ? ["etag", "cache-control"] : [])]);
  return {
    status,
    headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !ignored.has(name))),
    body: body.toString().replaceAll(/"id":"[0-9a-f-]{36}"/g, '"id":"…"'),
  };
}

/** A content type that means the same to Fastify and Apollo, and is out of the ordinary. */
const fullWay = { "content-type": "application/json; full=way" };

/** The answer over the full way, and that over the short way: executed, compiled, and kept. */
async function bothWays({ headers = {}, ...request }: RawRequest) {
  const isGet = request.method === "GET";
  const full = await client.send({ ...request, headers: { ...headers, ...fullWay } });
  const short: RawAnswer[] = [];
  for (let time = 0; time < 4; time++) {
    // The last one finds what the one before has kept.
    if (time < 3) app.app.catalogue.apply("symbols", [], []);
    short.push(await client.send({ ...request, headers: { "content-type": "application/json", ...headers } }));
  }
  return { full: comparable(full, isGet), short: short.map((answer) => comparable(answer, isGet)) };
}

const runs = Number(process.env.QUERY_PATH_RUNS ?? 300);
const without = new Set([
  "Query.health",
  // Their place in the order of time is the database's.
  "Query.arbitrageOpportunities",
  // The instant of a mutation.
  "Market.statusUpdatedAt",
]);

describe("the short way answers as Apollo does, to the byte", () => {
  const schema = buildSchema();

  test("operations of all kinds, right and wrong, as anybody and as an operator", { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        operationsOver(schema, { without, faultPercent: 4, roots: [] }, 1),
        fc.boolean(),
        fc.boolean(),
        async ([operation = { query: "" }], isOperator, isGet) => {
          const headers = isOperator ? operatorHeaders : {};
          const search = new URLSearchParams(
            Object.entries(operation).map(([name, value]): [string, string] => [
              name,
              typeof value === "string" ? value : JSON.stringify(value),
            ]),
          );
          const { full, short } = await bothWays(
            isGet
              ? { method: "GET", path: `/graphql?${search.toString()}`, headers }
              : { headers, body: JSON.stringify(operation) },
          );
          for (const answer of short) expect(answer).toEqual(full);
        },
      ),
      { numRuns: runs },
    );
  });

  const text = "{ markets { code status } }";
  const named = "query A { markets { code } } query B { exchanges { code } }";
  const get = (search: string): RawRequest => ({ method: "GET", path: `/graphql?${search}` });
  const post = (body: unknown, headers: Record<string, string> = {}): RawRequest => ({
    headers,
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const query = `query=${encodeURIComponent(text)}`;

  test.each<[string, RawRequest]>([
    ["no JSON", post('{"query": "{ health')],
    ["an empty object", post({})],
    ["an array", post([{ query: text }])],
    ["an empty array", post([])],
    ["a string", post('"text"')],
    ["null", post("null")],
    ["a key that could reach a prototype", post('{"query":"{ markets { code } }","__proto__":{"a":1}}')],
    ["a constructor's prototype", post('{"query":"{ markets { code } }","constructor":{"prototype":1}}')],
    ["a byte-order mark", post(`\ufeff${JSON.stringify({ query: text })}`)],
    [
      "escapes and letters of all kinds",
      post('{"query":"query($q: String!){ assetClass(code: $q) { code } }","variables":{"q":"\\u00fcöç📈"}}'),
    ],
    ["no query", post({ variables: {} })],
    ["an empty query", post({ query: "" })],
    ["a query of spaces", post({ query: "  " })],
    ["a query that is no string", post({ query: 5 })],
    ["a parsed query", post({ query: { kind: "Document" } })],
    ["variables in a string", post({ query: text, variables: "{}" })],
    ["variables in an array", post({ query: text, variables: [] })],
    ["extensions in a string", post({ query: text, extensions: "{}" })],
    ["extensions of another kind", post({ query: text, extensions: { tracing: true } })],
    ["null everywhere", post({ query: text, variables: null, operationName: null, extensions: null })],
    ["fields that nobody knows", post({ query: text, more: 1 })],
    ["an operation's name that is a number", post({ query: text, operationName: 1 })],
    ["an empty operation's name", post({ query: text, operationName: "" })],
    ["no name where there are two", post({ query: named })],
    ["one of two", post({ query: named, operationName: "B" })],
    ["none of two", post({ query: named, operationName: "C" })],
    ["only a fragment", post({ query: "fragment F on Market { code }" })],
    ["a type definition", post({ query: "type A { b: Int }" })],
    ["too many tokens", post({ query: `{ ${"a ".repeat(6_000)} }` })],
    ["too deep", post({ query: `{ markets { ${"exchange { markets { ".repeat(7)} code ${"} }".repeat(7)} } }` })],
    ["too many errors", post({ query: `{ ${Array.from({ length: 150 }, (_, i) => `a${i}`).join(" ")} }` })],
    [
      "many wrong variables",
      post({
        query: "query ($f: [ID!]!) { quotes(symbolIds: $f) { price } }",
        variables: { f: Array.from({ length: 80 }, () => ({})) },
      }),
    ],
    [
      "a fragment that is spread twice, once left out",
      post({
        query:
          "query ($no: Boolean!) { exchanges { code ...F @skip(if: $no) ...F @skip(if: false) } } fragment F on Exchange { id }",
        variables: { no: true },
      }),
    ],
    ["introspection", post({ query: "{ __schema { types { name fields { name } } } }" })],
    ["a subscription", post({ query: "subscription { quotes { price } }" })],
    ["a mutation of nobody", post({ query: 'mutation { syncSymbols(market: "BINANCE_SPOT") }' })],
    [
      "a mutation that fails",
      post({ query: 'mutation { setMarketStatus(market: "NOPE", status: HALTED) { code } }' }, operatorHeaders),
    ],
    ["a mutation by GET", get(`query=${encodeURIComponent('mutation { syncSymbols(market: "BINANCE_SPOT") }')}`)],
    ["a subscription by GET", get(`query=${encodeURIComponent("subscription { quotes { price } }")}`)],
    ["a query by GET", get(query)],
    ["a query given twice", get(`${query}&${query}`)],
    ["variables that are no JSON", get(`${query}&variables={`)],
    ["variables that are null", get(`${query}&variables=null`)],
    ["variables in an array, by GET", get(`${query}&variables=[]`)],
    ["an empty query by GET", get("query=")],
    ["nothing by GET", get("")],
    ["an empty name by GET", get(`${query}&operationName=`)],
    ["broken percent signs", get("query=%E0%A4%A")],
    ["a credential that is not valid", post({ query: text }, { authorization: "Bearer nonsense-nonsense-nonsense" })],
    [
      "the newer media type",
      post({ query: text }, { accept: "application/graphql-response+json, application/json;q=0.9" }),
    ],
    ["a media type that we have not", post({ query: text }, { accept: "text/html" })],
    ["any media type", post({ query: text }, { accept: "text/plain, */*;q=0.1" })],
    ["incremental delivery", post({ query: text }, { accept: "multipart/mixed;deferSpec=20220824, application/json" })],
    [
      "compression",
      post({ query: "{ symbols(first: 100) { nodes { ticker displayName } } }" }, { "accept-encoding": "gzip, br" }),
    ],
    ["a body larger than the limit", post({ query: `{ a(x: "${"y".repeat(200_000)}") }` })],
  ])("%s", async (_name, request) => {
    const { full, short } = await bothWays(request);
    for (const answer of short) expect(answer).toEqual(full);
  });

  test("a directive at which the library's validation throws is refused, on every way in", async () => {
    const thrown = "subscription ($without: Boolean!) { quotes @skip(if: $without) { price } }";
    const answer = await client.post({ query: thrown });
    expect([answer.status, answer.body.toString()]).toEqual([
      400,
      expect.stringContaining("GRAPHQL_VALIDATION_FAILED"),
    ]);
    const stream = openStream(app.websocketUrl, thrown);
    await until(() => stream.errors.length > 0);
    expect(stream.errors[0]?.extensions.code).toBe("GRAPHQL_VALIDATION_FAILED");
    await stream.close();
  });

  test("a request that another site's page can send is refused", async () => {
    const simple: Record<string, string>[] = [{}, { "content-type": "text/plain" }];
    for (const headers of simple) {
      const answer = await client.send({ ...get(query), headers });
      expect(answer.status).toBe(400);
      expect(answer.body.toString()).toContain("CSRF");
    }
    const asked = await client.send({ ...get(query), headers: { "apollo-require-preflight": "1" } });
    expect(asked.status).toBe(200);
  });

  test("a user's own dashboard, and what is refused of it", async () => {
    const { headers } = await signUp(app.url);
    const symbol = app.app.catalogue.defaultSymbols[0]?.id ?? 0;
    const add = `mutation { addDashboardItem(input: { symbolId: "${globalId("Symbol", symbol)}" }) { id } }`;
    await client.post({ query: add }, headers);
    const dashboard = "dashboard { id displayOrder widgetConfig symbol { ticker quote { price } } }";
    for (const query of [
      `{ ${dashboard} viewer { ${dashboard} } again: ${dashboard} }`,
      add,
      'mutation { removeDashboardItem(id: "nonsense") }',
      "mutation { reorderDashboard(ids: []) { id } }",
    ]) {
      const { full, short } = await bothWays(post({ query }, headers));
      for (const answer of short) expect(answer).toEqual(full);
    }
  });

  test("an internal error is masked, by both", async () => {
    const broken = { query: '{ searchSymbols(query: "bitcoin") { ticker } }' };
    await app.database.owner.sql`alter function similar_symbols(text) rename to similar_symbols_away`;
    const { full, short } = await bothWays(post(broken));
    await app.database.owner.sql`alter function similar_symbols_away(text) rename to similar_symbols`;
    expect(full.body).toContain("INTERNAL");
    for (const answer of short) expect(answer).toEqual(full);
  });

  test("Apollo is asked for nothing that is ordinary", async () => {
    const before = app.fullWays();
    await client.post({ query: text });
    await client.post({ query: named, operationName: "A", variables: { unused: 1 } });
    await client.post({ query: "{ nothing }" });
    await client.post({ query: '{ market(code: "NOPE") { code } symbol { id } }' }, operatorHeaders);
    await client.send({ ...get(query), headers: { "content-type": "application/json" } });
    expect(app.fullWays()).toBe(before);
    await client.post({ query: text }, fullWay);
    expect(app.fullWays()).toBe(before + 1);
  });
});
