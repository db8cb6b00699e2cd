import { connect } from "node:net";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RawClient } from "./support/http.js";
import { type QuietApp, startQuietApp } from "./support/quiet-app.js";
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

const long = "{ symbols(first: 100) { nodes { id ticker displayName description } } }";
const quotes = "{ defaultSymbols { ticker quote { price } } }";
const json = { "content-type": "application/json" };
const get = (query: string, headers: Record<string, string> = {}) =>
  client.send({ method: "GET", path: `/graphql?query=${encodeURIComponent(query)}`, headers: { ...json, ...headers } });

/** Bytes as they are, and what comes back until the server closes or the text is there. */
function talk(parts: readonly string[], until: RegExp, pauseMs = 5): Promise<string> {
  return new Promise((resolve, reject) => {
    const { port } = new URL(app.url);
    const socket = connect(Number(port), "127.0.0.1");
    let received = "";
    socket.on("data", (data) => {
      received += data.toString();
      if (until.test(received)) socket.destroy();
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(received));
    void (async () => {
      for (const part of parts) {
        socket.write(part);
        await new Promise((done) => setTimeout(done, pauseMs));
      }
    })();
  });
}

const rawPost = (body: string, more = "") =>
  `POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${more}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

test("the server starts with the longest time between signs of life", async () => {
  const patient = await startQuietApp({ config: { keepAliveMs: 600_000 } });
  await patient.close();
});

describe("what may be kept on the way", () => {
  test.each([
    ["{ markets { code } }", "public, max-age=5"],
    ["{ __schema { queryType { name } } }", "public, max-age=300"],
    [quotes, "public, max-age=0, must-revalidate"],
    ["{ markets { status } }", "public, max-age=0, must-revalidate"],
    ["{ dataProviders { lastError } }", "private, no-store"],
    ["{ health { status } }", "private, no-store"],
    ["{ symbol { id } }", "private, no-store"],
    ["{ nothing }", "private, no-store"],
  ])("GET %s: %s", async (query, cacheControl) => {
    const { headers } = await get(query);
    expect(headers["cache-control"]).toBe(cacheControl);
    expect(headers.vary).toBe("accept, accept-encoding");
    expect(headers.etag === undefined).toBe(cacheControl.startsWith("private"));
  });

  test("nothing that was posted, and nothing that the full way answers", async () => {
    const posted = await client.post({ query: "{ markets { code } }" });
    expect(posted.headers["cache-control"]).toBe("private, no-store");
    expect(posted.headers.etag).toBeUndefined();
    for (const answer of [
      await client.post("[]"),
      await client.post({ query: "subscription { quotes { price } }" }),
      await client.post({ query: long }, { authorization: "Bearer wrong-wrong-wrong-wrong-wrong" }),
    ]) {
      expect(answer.headers["cache-control"]).toBe("private, no-store");
    }
  });

  test("who has the same already is told so, until it changes", async () => {
    const first = await get(quotes);
    const tag = first.headers.etag ?? "";
    const again = await get(quotes, { "if-none-match": `"other", ${tag}` });
    expect([again.status, again.body.length, again.headers.etag]).toEqual([304, 0, tag]);
    expect(again.headers["x-content-type-options"]).toBe("nosniff");
    const [symbol] = app.app.catalogue.defaultSymbols;
    if (symbol === undefined) throw new Error("no default symbol");
    app.app.catalogue.apply("symbols", [symbol.id], [{ ...symbol, ticker: "OTHER" }]);
    const changed = await get(quotes, { "if-none-match": tag });
    app.app.catalogue.apply("symbols", [symbol.id], [symbol]);
    expect(changed.status).toBe(200);
    expect(changed.headers.etag).not.toBe(tag);
    expect((await get(quotes, { "if-none-match": tag })).status).toBe(304);
  });
});

describe("compression", () => {
  test.each([
    ["br", "br"],
    ["gzip", "gzip"],
    ["gzip, deflate, br", "br"],
    ["br;q=0.5, gzip", "gzip"],
    ["gzip;q=0, identity", undefined],
    ["identity", undefined],
    ["deflate", undefined],
    ["*;q=0", undefined],
    ["nonsense;;,=", undefined],
  ])("%s: %s, on both ways", async (acceptEncoding, expected) => {
    const plain = (await client.post({ query: long })).body.toString();
    for (const type of ["application/json", "application/json", "application/json; full=way"]) {
      const answer = await client.post({ query: long }, { "accept-encoding": acceptEncoding, "content-type": type });
      const encoding = answer.headers["content-encoding"];
      expect(encoding).toBe(expected);
      const body =
        encoding === "br"
          ? brotliDecompressSync(answer.body)
          : encoding === "gzip"
            ? gunzipSync(answer.body)
            : answer.body;
      expect(body.toString()).toBe(plain);
      expect(answer.headers["content-length"]).toBe(String(answer.body.length));
      if (expected !== undefined) expect(answer.body.length).toBeLessThan(plain.length / 2);
    }
  });

  test("what is small goes as it is", async () => {
    const answer = await client.post({ query: "{ markets { code } }" }, { "accept-encoding": "gzip, br" });
    expect(answer.headers["content-encoding"]).toBeUndefined();
  });

  test("a stream is not held up by it", async () => {
    const abort = new AbortController();
    const response = await fetch(`${app.url}/graphql/stream`, {
      method: "POST",
      headers: { ...json, accept: "text/event-stream", "accept-encoding": "gzip, br" },
      body: JSON.stringify({ query: "subscription { quotes { price } }" }),
      signal: abort.signal,
    });
    expect(response.headers.get("content-encoding")).toBeNull();
    const { value } = (await response.body?.getReader().read()) ?? {};
    abort.abort();
    expect(new TextDecoder().decode(value)).toContain("price");
  });
});

describe("connections", () => {
  const body = JSON.stringify({ query: "{ markets { code } }" });

  test("stay open, over both ways", async () => {
    const text = await talk([rawPost(body), rawPost("[]"), rawPost(body, "Connection: close\r\n")], /never/, 30);
    expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
    expect(text.match(/HTTP\/1\.1 400/g)).toHaveLength(1);
    expect(text.match(/keep-alive: timeout=72/gi)).toHaveLength(2);
  });

  test("answer in the order of the questions", async () => {
    const search = JSON.stringify({ query: '{ searchSymbols(query: "btc") { ticker } }' });
    const text = await talk(
      [rawPost(search) + rawPost(body) + rawPost("[]") + rawPost(body, "Connection: close\r\n")],
      /never/,
    );
    const found = [...text.matchAll(/searchSymbols|"markets"|Operation batching/g)].map(([match]) => match);
    expect(found).toEqual(["searchSymbols", '"markets"', "Operation batching", '"markets"']);
  });

  test("take a body in pieces", async () => {
    const whole = rawPost(body, "Connection: close\r\n");
    const text = await talk([whole.slice(0, 90), whole.slice(90, 120), whole.slice(120)], /never/);
    expect(text).toContain('"markets"');
  });

  test("may break off anywhere", async () => {
    const whole = rawPost(body);
    for (const length of [30, 90, whole.length - 5, whole.length]) {
      const { port } = new URL(app.url);
      await new Promise<void>((resolve) => {
        const socket = connect(Number(port), "127.0.0.1", () =>
          socket.write(whole.slice(0, length), () => socket.destroy()),
        );
        socket.on("close", () => resolve());
      });
    }
    expect((await client.post(body)).status).toBe(200);
  });

  test("carry no body beyond the limit, said or unsaid", async () => {
    const large = JSON.stringify({ query: `{ a(x: "${"y".repeat(200_000)}") }` });
    const said = await client.post(large);
    expect([said.status, said.headers["x-content-type-options"]]).toEqual([413, "nosniff"]);
    const chunk = `${large.length.toString(16)}\r\n${large}\r\n0\r\n\r\n`;
    const unsaid = await talk(
      [
        `POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`,
      ],
      /HTTP\/1\.1 \d+/,
    );
    expect(unsaid).toContain("HTTP/1.1 413");
  });
});

test("a stop lets what is under way finish, takes nothing new, and ends", async () => {
  const own = await startQuietApp();
  const asking = new RawClient(own.url);
  await asking.post({ query: "{ markets { code } }" });
  // It waits for the database until we let it go on.
  const { sql } = own.database.owner;
  const lock = await sql.reserve();
  await lock`begin`;
  await lock`lock table symbols in access exclusive mode`;
  const slow = asking.post({ query: '{ searchSymbols(query: "bitcoin") { ticker } }' });
  await until(
    async () =>
      (await sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`).count >
      0,
  );
  const closing = own.close();
  const late = asking.post({ query: "{ markets { code } }" }).then(
    ({ status, headers }) => [status, headers.connection],
    () => "refused",
  );
  await lock`rollback`;
  lock.release();
  expect((await slow).status).toBe(200);
  expect(["refused", [503, "close"]]).toContainEqual(await late);
  const startedMs = performance.now();
  await closing;
  expect(performance.now() - startedMs).toBeLessThan(5_000);
  asking.close();
});
