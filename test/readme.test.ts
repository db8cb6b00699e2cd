import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "graphql";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KeyRing } from "../src/core/key-ring.js";
import { operatorHeaders, query, startTestApp, type TestApp } from "./support/app.js";
import { type SignedIn, signUp } from "./support/people.js";
import { openStream } from "./support/stream.js";
import { until } from "./support/until.js";

/** As the program makes them at its first start. */
const encryptionKeys = KeyRing.parse(`test:${Buffer.alloc(32, 7).toString("base64")}`);

const fileOf = (path: string): string => readFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url)), "utf8");
const readme = fileOf("README.md");
const blocks = (language: string): string[] =>
  [...readme.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, "gs"))].map((match) => match[1] ?? "");

describe("the README", () => {
  let app: TestApp;
  let user: SignedIn;

  /** Who sends an operation, with the ids of what is on the dashboard. */
  async function callerOf(text: string, kind: string) {
    if (text.includes("createAccount")) return { headers: user.headers, variables: {} };
    const isOperators = kind === "mutation" || /dataQuality|jobs/.test(text);
    if (!/dashboard/i.test(text)) return { headers: isOperators ? operatorHeaders : {}, variables: {} };
    const { data } = await query(app.url, "{ dashboard { id } }", {}, user.headers);
    const ids = data.dashboard.map(({ id }: { id: string }) => id);
    return { headers: user.headers, variables: { id: ids[0], ids, seen: ids } };
  }

  beforeAll(async () => {
    app = await startTestApp({ config: { encryptionKeys } });
    user = await signUp(app.url);
    await until(async () => {
      const { data } = await query(app.url, "{ defaultSymbols { quote { isStale } } }");
      return data.defaultSymbols.every(
        (symbol: { quote: { isStale: boolean } | null }) => symbol.quote?.isStale === false,
      );
    }, 15_000);
  });
  afterAll(() => app.close());

  test("has operations to copy", () => {
    expect(blocks("graphql").length).toBeGreaterThanOrEqual(6);
  });

  test.each(blocks("graphql").map((text) => [text]))("answers %s", async (text) => {
    const [definition] = parse(text).definitions;
    if (definition?.kind !== "OperationDefinition") throw new Error("no operation");
    if (definition.operation === "subscription") {
      const stream = openStream(app.websocketUrl, text);
      await until(() => stream.messages.length >= 2 || stream.errors.length > 0);
      await stream.close();
      expect(stream.errors).toEqual([]);
      return;
    }
    const { headers, variables } = await callerOf(text, definition.operation);
    const { errors, data } = await query(app.url, text, variables, headers);
    expect(errors).toBeUndefined();
    for (const value of Object.values(data)) expect(value).toBeTruthy();
  });

  test("sends what its curl commands send", async () => {
    const bodies = [...readme.matchAll(/-d '(\{.*?\})'/g)].map(
      (match) => JSON.parse(match[1] ?? "") as { query: string },
    );
    expect(bodies).toHaveLength(2);
    for (const body of bodies) {
      const path = body.query.startsWith("subscription") ? "/graphql/stream" : "/graphql";
      const abort = new AbortController();
      const response = await fetch(app.url + path, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          ...(path === "/graphql" ? {} : { accept: "text/event-stream" }),
        },
        body: JSON.stringify(body),
        signal: abort.signal,
      });
      const reader = response.body?.getReader();
      const { value } = (await reader?.read()) ?? {};
      abort.abort();
      expect(response.status).toBe(200);
      if (path === "/graphql") expect(new TextDecoder().decode(value)).toMatch(/"price":"\d/);
    }
  });

  test("lists every setting that the program reads, and no other", () => {
    const read = new Set([...fileOf("src/config.ts").matchAll(/read\.\w+\("([A-Z_]+)"/g)].map((match) => match[1]));
    const table = readme.slice(readme.indexOf("## Settings"), readme.indexOf("## Production"));
    const listed = new Set(
      table
        .split("\n")
        .filter((line) => line.startsWith("| `"))
        .flatMap((line) => [...(line.split("|")[1] ?? "").matchAll(/`([A-Z_]+)`/g)].map((match) => match[1])),
    );
    expect(listed).toEqual(read);
  });

  test("lists every error code", () => {
    const codes = [...fileOf("src/core/errors.ts").matchAll(/^ {2}\| "([A-Z_]+)"/gm)].map((match) => match[1] ?? "");
    codes.push(/code: "(\w+)", id/.exec(fileOf("src/graphql/errors.ts"))?.[1] ?? "missing");
    expect(codes.length).toBeGreaterThan(5);
    expect(codes.filter((code) => !readme.includes(`\`${code}\``))).toEqual([]);
  });
});
