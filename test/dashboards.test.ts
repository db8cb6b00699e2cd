import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { decimalText } from "../src/core/decimal.js";
import { globalId, parseGlobalId } from "../src/core/ids.js";
import { operatorHeaders, query, startTestApp, type TestApp } from "./support/app.js";
import { goodPassword, type SignedIn, signUp } from "./support/people.js";
import { openStream, type Stream } from "./support/stream.js";
import { until } from "./support/until.js";

interface Item {
  id: string;
  displayOrder: number;
  isVisible: boolean;
  isPinned: boolean;
  isCustom: boolean;
  customAlias: string | null;
  version: number;
  symbol: { id: string; ticker: string };
}
interface DashboardQuotes {
  dashboardQuotes: { symbol: { ticker: string }; price: string }[];
}

const itemFields = "id displayOrder isVisible isPinned isCustom customAlias version symbol { id ticker }";

let app: TestApp;
let otherNode: TestApp;
let ann: SignedIn;
let bob: SignedIn;
beforeAll(async () => {
  // No simulated exchange interferes: these tests set the prices themselves.
  app = await startTestApp({ config: { roles: new Set(["api"]) } });
  otherNode = await startTestApp({
    config: { roles: new Set(["api"]) },
    overrides: { database: app.database.address },
  });
  for (const symbol of app.app.catalogue.symbols) {
    setPrice(app, symbol.ticker, "1");
    setPrice(otherNode, symbol.ticker, "1");
  }
});
afterAll(async () => {
  await otherNode.close();
  await app.close();
});
beforeEach(async () => {
  [ann, bob] = await Promise.all([signUp(app.url), signUp(app.url)]);
});

const symbolOf = (ticker: string) => {
  const symbol = app.app.catalogue.symbols.find((candidate) => candidate.ticker === ticker);
  if (symbol === undefined) throw new Error(`there is no ${ticker}`);
  return symbol;
};
const symbolId = (ticker: string) => globalId("Symbol", symbolOf(ticker).id);

function setPrice(on: TestApp, ticker: string, price: string): void {
  on.app.quotes.apply(
    {
      kind: "trade",
      symbolId: symbolOf(ticker).id,
      price: decimalText(price),
      quantity: decimalText("1"),
      side: "BUY",
      tradeId: price,
      tradeCount: 1,
      exchangeSequence: 1,
      exchangeTimeMs: Date.now(),
      receivedAtMs: Date.now(),
    },
    symbolOf(ticker).dataProviderId ?? 1,
  );
}

/** One operation of a user; the answer's only field. */
async function ask<T>(who: SignedIn | null, text: string, variables: Record<string, unknown> = {}): Promise<T> {
  const { data, errors } = await query(app.url, text, variables, { ...who?.headers });
  expect(errors).toBeUndefined();
  return Object.values(data)[0] as T;
}
const dashboardOf = (who: SignedIn | null) => ask<Item[]>(who, `{ dashboard { ${itemFields} } }`);
const add = (who: SignedIn, ticker: string, input = {}) =>
  ask<Item>(who, `mutation ($input: AddDashboardItemInput!) { addDashboardItem(input: $input) { ${itemFields} } }`, {
    input: { symbolId: symbolId(ticker), ...input },
  });
const update = (who: SignedIn, id: string, input: object) =>
  ask<Item>(
    who,
    `mutation ($id: ID!, $input: UpdateDashboardItemInput!) { updateDashboardItem(id: $id, input: $input) { ${itemFields} } }`,
    { id, input },
  );
const remove = (who: SignedIn, id: string) =>
  ask<string>(who, "mutation ($id: ID!) { removeDashboardItem(id: $id) }", { id });
const tickers = (items: Item[]) => items.map((item) => item.symbol.ticker);

/** Codes and fields of what is refused. */
async function refusal(who: SignedIn | null, text: string, variables: Record<string, unknown> = {}) {
  const { errors } = await query(app.url, text, variables, { ...who?.headers });
  return errors?.map(({ extensions }) => [extensions.code, extensions.field]);
}

describe("a dashboard", () => {
  test("is arranged by its user, and by nobody else", async () => {
    const defaults = await dashboardOf(null);
    expect(defaults).toHaveLength(9);
    expect(await dashboardOf(ann)).toEqual(defaults);
    const eth = await add(ann, "ETHUSDT");
    const btc = await add(ann, "BTCUSDT", { customAlias: "gold", notes: "n", category: "c", widgetConfig: { a: 1 } });
    const sol = await add(ann, "SOLUSDT", { isPinned: true });
    expect(await dashboardOf(ann)).toEqual([sol, eth, btc]);
    expect(await dashboardOf(bob)).toEqual(defaults);

    const arranged = await ask<Item[]>(
      ann,
      `mutation ($ids: [ID!]!, $seen: [ID!]) { reorderDashboard(ids: $ids, expectedIds: $seen) { ${itemFields} } }`,
      { ids: [btc.id, sol.id, eth.id], seen: [sol.id, eth.id, btc.id] },
    );
    expect(tickers(arranged)).toEqual(["SOLUSDT", "BTCUSDT", "ETHUSDT"]);
    expect(arranged.map(({ displayOrder }) => displayOrder)).toEqual([2, 1, 3]);
    expect(await dashboardOf(ann)).toEqual(arranged);

    const hidden = await update(ann, btc.id, { isVisible: false, customAlias: null });
    expect(hidden).toMatchObject({ isVisible: false, customAlias: null, displayOrder: 1 });
    expect(await remove(ann, sol.id)).toBe(sol.id);
    expect((await dashboardOf(ann)).map(({ id, displayOrder }) => [id, displayOrder])).toEqual([
      [btc.id, 1],
      [eth.id, 2],
    ]);
  });

  test("shows on the user, too, and each item by its id to its user alone", async () => {
    const item = await add(ann, "BTCUSDT");
    const viewer = await ask<{ dashboard: Item[] }>(ann, `{ viewer { dashboard { ${itemFields} } } }`);
    expect(viewer.dashboard).toEqual([item]);
    const node = `query ($id: ID!) { node(id: $id) { ... on DashboardItem { ${itemFields} } } }`;
    expect(await ask(ann, node, { id: item.id })).toEqual(item);
    for (const who of [bob, null]) expect(await ask(who, node, { id: item.id })).toBe(null);
    // As a key of another type it is nothing.
    const key = parseGlobalId(item.id)?.key ?? "";
    for (const id of [globalId("User", key), globalId("DashboardItem", "1"), globalId("DashboardItem", `${key}0`)])
      expect(await ask(ann, node, { id })).toBe(null);
  });

  test("is there for a new user from the first answer on", async () => {
    const { data, errors } = await query(
      app.url,
      "mutation ($input: RegisterInput!) { register(input: $input) { user { dashboard { isCustom symbol { ticker } } } } }",
      { input: { email: "newcomer@example.org", password: goodPassword } },
    );
    expect(errors).toBeUndefined();
    expect(data.register.user.dashboard).toHaveLength(9);
  });

  test("is read by a key of scope READ, and arranged by one of scope TRADE", async () => {
    const keyOf = async (scope: string): Promise<SignedIn> => {
      const made = await ask<{ secret: string }>(
        ann,
        'mutation ($scopes: [ApiKeyScope!]!) { createApiKey(name: "bot", scopes: $scopes) { secret } }',
        { scopes: [scope] },
      );
      return { ...ann, headers: { authorization: `Bearer ${made.secret}` } };
    };
    const [reader, trader] = [await keyOf("READ"), await keyOf("TRADE")];
    const item = await add(trader, "BTCUSDT");
    expect(await dashboardOf(reader)).toEqual([item]);
    const forbidden = [["FORBIDDEN", undefined]];
    expect(await refusal(trader, "{ dashboard { id } }")).toEqual(forbidden);
    for (const text of [
      `mutation { addDashboardItem(input: { symbolId: "${symbolId("ETHUSDT")}" }) { id } }`,
      `mutation { updateDashboardItem(id: "${item.id}", input: { isPinned: true }) { id } }`,
      `mutation { removeDashboardItem(id: "${item.id}") }`,
      `mutation { reorderDashboard(ids: ["${item.id}"]) { id } }`,
    ])
      expect(await refusal(reader, text), text).toEqual(forbidden);
    // Also on a stream.
    const stream = openStream(
      app.websocketUrl,
      "subscription { dashboardQuotes { price } }",
      {},
      { ...trader.headers },
    );
    await until(() => stream.errors.length > 0);
    expect(stream.errors[0]?.extensions.code).toBe("FORBIDDEN");
    await stream.close();
  });

  test("is the defaults for the holder of the operator token, who has none to arrange", async () => {
    const { data } = await query(app.url, "{ dashboard { isCustom } }", {}, operatorHeaders);
    expect(data.dashboard).toHaveLength(9);
    const { errors } = await query(
      app.url,
      `mutation { addDashboardItem(input: { symbolId: "${symbolId("ETHUSDT")}" }) { id } }`,
      {},
      operatorHeaders,
    );
    expect(errors?.[0]?.extensions.code).toBe("UNAUTHENTICATED");
  });

  test("refuses what is wrong with its code and field, and nothing is changed", async () => {
    const item = await add(ann, "BTCUSDT");
    const others = await add(bob, "BTCUSDT");
    const before = await dashboardOf(ann);
    const adding = "mutation ($input: AddDashboardItemInput!) { addDashboardItem(input: $input) { id } }";
    const updating =
      "mutation ($id: ID!, $input: UpdateDashboardItemInput!, $version: Int) { updateDashboardItem(id: $id, input: $input, expectedVersion: $version) { id } }";
    const removing = "mutation ($id: ID!) { removeDashboardItem(id: $id) }";
    const reordering = "mutation ($ids: [ID!]!) { reorderDashboard(ids: $ids) { id } }";
    const input = (ticker: string, more = {}) => ({ input: { symbolId: symbolId(ticker), ...more } });
    const sqlText = "'; drop table users; --";

    for (const [text, variables] of [
      [adding, input("ETHUSDT")],
      [updating, { id: item.id, input: { isPinned: true } }],
      [removing, { id: item.id }],
      [reordering, { ids: [item.id] }],
    ] as const)
      expect(await refusal(null, text, variables)).toEqual([["UNAUTHENTICATED", undefined]]);

    expect(await refusal(ann, adding, input("BTCUSDT"))).toEqual([["CONFLICT", "symbolId"]]);
    expect(await refusal(ann, adding, input("ADAUSDT"))).toEqual([["BAD_USER_INPUT", "symbolId"]]);
    for (const id of ["nonsense", sqlText, globalId("Market", 1), item.id])
      expect(await refusal(ann, adding, { input: { symbolId: id } })).toEqual([["BAD_USER_INPUT", "symbolId"]]);
    expect(await refusal(ann, adding, { input: { symbolId: globalId("Symbol", 999_999) } })).toEqual([
      ["NOT_FOUND", undefined],
    ]);
    expect(await refusal(ann, adding, input("ETHUSDT", { customAlias: "x".repeat(101) }))).toEqual([
      ["BAD_USER_INPUT", "customAlias"],
    ]);
    expect(await refusal(ann, adding, input("ETHUSDT", { widgetConfig: "text" }))).toEqual([
      ["BAD_USER_INPUT", "widgetConfig"],
    ]);
    expect(await refusal(ann, adding, input("ETHUSDT", { widgetType: sqlText }))).toEqual([
      ["BAD_USER_INPUT", "widgetType"],
    ]);

    expect(await refusal(ann, updating, { id: item.id, input: {} })).toEqual([["BAD_USER_INPUT", "input"]]);
    expect(await refusal(ann, updating, { id: item.id, input: { isPinned: true }, version: 7 })).toEqual([
      ["CONFLICT", "expectedVersion"],
    ]);
    for (const [text, more] of [
      [updating, { input: { isPinned: true } }],
      [removing, {}],
    ] as const) {
      for (const id of ["nonsense", sqlText, symbolId("BTCUSDT"), globalId("DashboardItem", "default-1")])
        expect(await refusal(ann, text, { id, ...more })).toEqual([["BAD_USER_INPUT", "id"]]);
      for (const id of [
        others.id,
        globalId("DashboardItem", "1"),
        globalId("DashboardItem", parseGlobalId(ann.userId)?.key ?? ""),
      ])
        expect(await refusal(ann, text, { id, ...more })).toEqual([["NOT_FOUND", undefined]]);
    }
    for (const ids of [[], [item.id, item.id], [others.id], [item.id, others.id], ["nonsense"], [symbolId("BTCUSDT")]])
      expect(await refusal(ann, reordering, { ids }), String(ids)).toEqual([["BAD_USER_INPUT", "ids"]]);

    expect(await dashboardOf(ann)).toEqual(before);
    expect(await dashboardOf(bob)).toEqual([others]);
  });

  test("keeps every letter of what is said about an item", async () => {
    const text = `'; drop table users; -- "\\" \u{1f4c8} \u0130\u0131 ' || 1 \${x} %s`;
    const item = await add(ann, "BTCUSDT", {
      customAlias: text,
      notes: `${text}\n\t${text}`,
      widgetConfig: { [text]: [text] },
    });
    const [stored] = await ask<Record<string, unknown>[]>(ann, "{ dashboard { customAlias notes widgetConfig } }");
    expect(stored).toEqual({ customAlias: text, notes: `${text}\n\t${text}`, widgetConfig: { [text]: [text] } });
    expect(item.customAlias).toBe(text);
  });
});

const streamCount = async () => {
  const response = await fetch(`${app.url}/metrics`);
  return Number(/^tradegraph_streams (\d+)$/m.exec(await response.text())?.[1]);
};

describe("a dashboard's quotes", () => {
  const streams: Stream<DashboardQuotes>[] = [];
  const open = (on: TestApp, who: SignedIn | null, fields = "symbol { ticker } price") => {
    const stream = openStream<DashboardQuotes>(
      on.websocketUrl,
      `subscription { dashboardQuotes(intervalMs: 0) { ${fields} } }`,
      {},
      { ...who?.headers },
    );
    streams.push(stream);
    return stream;
  };
  const close = async () => {
    for (const stream of streams.splice(0)) await stream.close();
    await until(() => app.app.quotes.watcherCount === 0 && otherNode.app.quotes.watcherCount === 0);
  };
  const has = (stream: Stream<DashboardQuotes>, ticker: string, price?: string) =>
    stream.find((message) =>
      message.dashboardQuotes.some((quote) => quote.symbol.ticker === ticker && price === (price && quote.price)),
    );
  const allTickers = (messages: DashboardQuotes[]) =>
    new Set(messages.flatMap((message) => message.dashboardQuotes.map((quote) => quote.symbol.ticker)));
  let lastPrice = 100;
  /** What a stream gets of a new price for everything, after it has all come. */
  const tickersNow = async (on: TestApp, stream: Stream<DashboardQuotes>, awaited: string) => {
    const seen = stream.messages.length;
    const price = String(++lastPrice);
    for (const ticker of ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT"])
      if (ticker !== awaited) setPrice(on, ticker, price);
    setPrice(on, awaited, price);
    await has(stream, awaited, price);
    return allTickers(stream.messages.slice(seen));
  };

  test("follow it on every device and every node, whoever changes it", async () => {
    const btc = await add(ann, "BTCUSDT");
    const phone = open(app, ann);
    const laptop = open(otherNode, ann);
    const stranger = open(app, bob);
    for (const stream of [phone, laptop])
      expect((await stream.find(() => true)).dashboardQuotes.map((quote) => quote.symbol.ticker)).toEqual(["BTCUSDT"]);
    expect((await stranger.find(() => true)).dashboardQuotes).toHaveLength(9);

    await add(ann, "ETHUSDT");
    await Promise.all([has(phone, "ETHUSDT"), has(laptop, "ETHUSDT")]);
    // By SQL.
    await app.database.owner.sql`
      insert into user_dashboard_preferences (id, user_id, symbol_id, display_order)
      values (gen_random_uuid(), ${parseGlobalId(ann.userId)?.key ?? ""}, ${symbolOf("SOLUSDT").id}, 3)`;
    await Promise.all([has(phone, "SOLUSDT"), has(laptop, "SOLUSDT")]);

    const sol = (await dashboardOf(ann)).find((item) => item.symbol.ticker === "SOLUSDT");
    await update(ann, sol?.id ?? "", { isVisible: false });
    await remove(ann, btc.id);
    // The last one of a node's symbols that is left to watch.
    const left = async (on: TestApp, stream: Stream<DashboardQuotes>) => {
      await until(async () => (await tickersNow(on, stream, "ETHUSDT")).size === 1);
    };
    await Promise.all([left(app, phone), left(otherNode, laptop)]);

    const seen = phone.messages.length;
    await update(ann, sol?.id ?? "", { isVisible: true });
    await until(() => allTickers(phone.messages.slice(seen)).has("SOLUSDT"));
    expect(allTickers([...stranger.messages]).has("SOLUSDT")).toBe(true);
    await close();
  });

  test("are the defaults for who has nothing on it, and nothing for who has hidden all", async () => {
    const stream = open(app, ann);
    expect((await stream.find(() => true)).dashboardQuotes).toHaveLength(9);
    const btc = await add(ann, "BTCUSDT");
    await until(async () => (await tickersNow(app, stream, "BTCUSDT")).size === 1);
    await update(ann, btc.id, { isVisible: false });
    await until(() => app.app.quotes.watcherCount === 0);
    const empty = open(app, ann);
    expect(await empty.find(() => true)).toEqual({ dashboardQuotes: [] });
    await remove(ann, btc.id);
    await Promise.all([has(stream, "BNBUSDT"), has(empty, "BNBUSDT")]);
    await close();
  });

  test("follow the operators' defaults for anonymous visitors and for users without items", async () => {
    const anonymous = open(app, null);
    const empty = open(app, ann);
    await add(bob, "BTCUSDT");
    const own = open(app, bob);
    for (const stream of [anonymous, empty, own]) await stream.find(() => true);
    const change = (input: object) =>
      query(
        app.url,
        "mutation ($input: UpdateSymbolInput!) { updateSymbol(input: $input) { id } }",
        { input: { symbolId: symbolId("ADAUSDT"), ...input } },
        operatorHeaders,
      );
    await change({ isActive: true, isDefault: true });
    await Promise.all([has(anonymous, "ADAUSDT"), has(empty, "ADAUSDT")]);
    expect((await dashboardOf(ann)).map((item) => item.symbol.ticker)).toContain("ADAUSDT");
    await change({ isDefault: false });
    expect((await dashboardOf(null)).map((item) => item.symbol.ticker)).not.toContain("ADAUSDT");
    await change({ isActive: false });
    expect(allTickers(own.messages.slice(1)).has("ADAUSDT")).toBe(false);
    await close();
  });

  test("share what is rendered with everybody who selects the same, and nothing of who it is for", async () => {
    await add(ann, "BTCUSDT");
    await add(bob, "BTCUSDT");
    await add(bob, "ETHUSDT");
    const all = [open(app, ann), open(app, bob), open(app, null)];
    for (const stream of all) await stream.find(() => true);
    const price = String(++lastPrice);
    setPrice(app, "BTCUSDT", price);
    await Promise.all(all.map((stream) => has(stream, "BTCUSDT", price)));
    expect(await streamCount()).toBe(1);
    // What only operators see makes it a stream of its own.
    const own = open(app, ann, "symbol { ticker } price provider { lastError }");
    await own.find(() => true);
    expect(await streamCount()).toBe(2);
    await close();
  });

  test("end with an error when the dashboard cannot be looked up, and others go on", async () => {
    const before = open(app, ann);
    await before.find(() => true);
    await app.database.owner.sql`alter table user_dashboard_preferences rename to away`;
    try {
      const failed = open(app, bob);
      await until(() => failed.errors.length > 0);
      expect([failed.errors[0]?.extensions.code, failed.messages.length]).toEqual(["INTERNAL", 0]);
      const price = String(++lastPrice);
      setPrice(app, "BTCUSDT", price);
      await has(before, "BTCUSDT", price);
    } finally {
      await app.database.owner.sql`alter table away rename to user_dashboard_preferences`;
    }
    await close();
  });

  test("end at once for who leaves while his dashboard is looked up", async () => {
    for (let round = 0; round < 5; round++) await open(app, ann).close();
    await close();
  });
});
