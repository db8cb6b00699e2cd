import { afterAll, beforeAll, describe, expect, test } from "vitest";
import WebSocket from "ws";
import { TrustedProxies } from "../src/core/trusted-proxies.js";
import { AllowedOrigins } from "../src/graphql/allowed-origins.js";
import { operatorHeaders } from "./support/app.js";
import { RawClient } from "./support/http.js";
import { type QuietApp, startQuietApp } from "./support/quiet-app.js";

const friend = "https://app.example.com";
const stranger = "https://evil.example.com";
let app: QuietApp;
let client: RawClient;
beforeAll(async () => {
  app = await startQuietApp({
    config: { corsOrigins: AllowedOrigins.parse(friend), trustedProxies: TrustedProxies.parse("loopback") },
  });
  client = new RawClient(app.url);
});
afterAll(async () => {
  client.close();
  await app.close();
});

const json = { "content-type": "application/json" };
const ways = { "the short way": json, "the full way": { "content-type": "application/json; full=way" } };
const query = "{ markets { code } }";
const mutation = 'mutation { setMarketStatus(market: "BINANCE_SPOT", status: HALTED) { id } }';
const search = (text: string) => `query=${encodeURIComponent(text)}`;

describe.each(Object.entries(ways))("over %s", (_name, type) => {
  test("a page of the list may read the answer, and another may not", async () => {
    const allowed = await client.post({ query }, { ...type, origin: friend });
    expect(allowed.headers["access-control-allow-origin"]).toBe(friend);
    expect(allowed.headers["access-control-expose-headers"]).toContain("retry-after");
    const others: Record<string, string>[] = [{ origin: stranger }, { origin: "null" }, {}];
    for (const headers of others) {
      const answer = await client.post({ query }, { ...type, ...headers });
      expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
      // So that no cache gives one the answer of the other.
      expect(answer.headers.vary).toBe("accept, accept-encoding, origin");
    }
    expect(allowed.headers["access-control-allow-credentials"]).toBeUndefined();
  });

  test("every answer has the headers that keep browsers from doing more with it", async () => {
    const bodies = [JSON.stringify({ query }), JSON.stringify({ query: "{ nothing }" }), "{", "[]"];
    for (const body of bodies) {
      const { headers } = await client.send({ headers: type, body });
      expect(headers).toMatchObject({
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      });
      expect(headers["strict-transport-security"]).toBeUndefined();
    }
    const byTls = await client.post({ query }, { ...type, "x-forwarded-proto": "https" });
    expect(byTls.headers["strict-transport-security"]).toBe("max-age=15552000");
  });
});

test.each(["/healthz", "/readyz", "/graphiql", "/nothing", "/graphql/stream"])("%s has them too", async (path) => {
  const { headers } = await client.send({ method: "GET", path, headers: { "x-forwarded-proto": "https" } });
  expect(headers).toMatchObject({
    "x-content-type-options": "nosniff",
    "content-security-policy": expect.stringContaining("frame-ancestors 'none'") as string,
    "strict-transport-security": "max-age=15552000",
  });
});

describe("a browser that asks first", () => {
  const preflight = (origin: string, path = "/graphql") =>
    client.send({
      method: "OPTIONS",
      path,
      headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type" },
    });

  test.each(["/graphql", "/graphql/stream"])("may send to %s for a page of the list", async (path) => {
    const { status, headers } = await preflight(friend, path);
    expect(status).toBe(204);
    expect(headers).toMatchObject({
      "access-control-allow-origin": friend,
      "access-control-allow-methods": "GET, POST",
      "access-control-allow-headers": expect.stringContaining("authorization") as string,
      "access-control-max-age": "7200",
    });
    expect(headers.vary).toContain("origin");
  });

  test.each([stranger, "null", `${friend}.evil.example`, "https://app.example.com:8443", "http://app.example.com"])(
    "may not for %s",
    async (origin) => {
      const { status, headers } = await preflight(origin);
      expect([status, headers["access-control-allow-origin"]]).toEqual([403, undefined]);
    },
  );
});

describe("what any page can make a browser send, without being asked, has no effect", () => {
  const statusOf = async () =>
    (await app.database.owner.sql`select operator_status from markets where code = 'BINANCE_SPOT'`)[0]?.operator_status;
  const simple: Record<string, string>[] = [
    {},
    ...["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"].map((type) => ({
      "content-type": type,
    })),
  ];

  test.each(["/graphql", "/graphql/stream"])("over %s", async (path) => {
    for (const headers of simple) {
      for (const body of [JSON.stringify({ query: mutation }), search(mutation)]) {
        const posted = await client.send({ path, headers: { ...headers, ...operatorHeaders }, body });
        expect(posted.status).toBeGreaterThanOrEqual(400);
      }
      const got = await client.send({
        method: "GET",
        path: `${path}?${search(mutation)}`,
        headers: { ...headers, ...operatorHeaders },
      });
      expect(got.status).toBeGreaterThanOrEqual(400);
    }
    expect(await statusOf()).toBeNull();
  });

  test("and a mutation never comes by GET, however it comes", async () => {
    const headers = { ...json, ...operatorHeaders, "apollo-require-preflight": "1" };
    for (const path of ["/graphql", "/graphql/stream"]) {
      const { status, headers: answered } = await client.send({
        method: "GET",
        path: `${path}?${search(mutation)}`,
        headers,
      });
      expect([status, answered.allow]).toEqual([405, "POST"]);
    }
    const two = `query A { markets { id } } ${mutation.replace("mutation", "mutation B")}`;
    const named = await client.send({ method: "GET", path: `/graphql/stream?${search(two)}&operationName=B`, headers });
    expect(named.status).toBe(405);
    expect(await statusOf()).toBeNull();
  });
});

describe("streams and sockets, which any page can open, are", () => {
  const open = (headers: Record<string, string>) =>
    new Promise<number | undefined>((resolve) => {
      const socket = new WebSocket(app.websocketUrl, "graphql-transport-ws", { headers });
      socket.on("error", () => {});
      socket.once("open", () => {
        socket.terminate();
        resolve(101);
      });
      socket.once("unexpected-response", (_request, response) => {
        resolve(response.statusCode);
        response.destroy();
      });
    });
  const stream = async (headers: Record<string, string>) =>
    (await client.send({ method: "GET", path: `/graphql/stream?${search(query)}`, headers })).status;

  test.each<[string, () => Record<string, string>, boolean]>([
    ["no browser", () => ({}), true],
    ["a page of the list", () => ({ origin: friend }), true],
    ["a page of the same origin", () => ({ origin: app.url }), true],
    [
      "a page of the origin that the proxy has",
      () => ({ origin: "https://x.example.com", "x-forwarded-host": "x.example.com" }),
      true,
    ],
    ["another page", () => ({ origin: stranger }), false],
    ["a page without an origin", () => ({ origin: "null" }), false],
    ["a page on another port", () => ({ origin: "http://127.0.0.1:1" }), false],
    ["a page with a longer name", () => ({ origin: `${friend}.evil.example` }), false],
  ])("for %s", async (_name, headers, isAllowed) => {
    expect(await open(headers())).toBe(isAllowed ? 101 : 403);
    expect(await stream(headers())).toBe(isAllowed ? 200 : 403);
  });
});

describe("CORS_ORIGINS", () => {
  test.each([
    "app.example.com",
    "https://app.example.com/",
    "https://app.example.com/path",
    "ftp://x.example",
    "null",
    "https://*.example.com/",
  ])("%s is refused", (text) => {
    expect(() => AllowedOrigins.parse(text)).toThrow("is no origin");
  });

  test("* lets every page read, whose answers a cache need not tell apart", () => {
    const all = AllowedOrigins.parse("*");
    expect(all.headersFor(stranger).slice(0, 2)).toEqual(["access-control-allow-origin", "*"]);
    expect(all.varies).toBe(false);
    const none = AllowedOrigins.parse("");
    expect([none.headersFor(stranger), none.varies]).toEqual([[], false]);
  });
});
