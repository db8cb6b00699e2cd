import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { globalId } from "../src/core/ids.js";
import { operatorHeaders, query, startTestApp, type TestApp } from "./support/app.js";
import { until } from "./support/until.js";

let test_: TestApp;
let url: string;
beforeAll(async () => {
  test_ = await startTestApp();
  url = test_.url;
  await until(
    () => test_.app.catalogue.defaultSymbols.every((symbol) => test_.app.quotes.get(symbol.id) !== undefined),
    10_000,
  );
});
afterAll(() => test_.close());

const nineDefaults = ["BTC", "ETH", "XRP", "SOL", "AVAX", "SUI", "ENA", "UNI", "BNB"].map((base) => `${base}USDT`);

describe("reference data", () => {
  test("the default symbols, in their order, with their market and live quote", async () => {
    const { data, errors } = await query(
      url,
      `{ defaultSymbols { id ticker displayName isDefault isActive market { code exchange { code } assetClass { code } }
        dataProvider { code providerType } quote { price sequence isStale exchangeTime receivedAt provider { providerType } } } }`,
    );
    expect(errors).toBeUndefined();
    expect(data.defaultSymbols.map((symbol: { ticker: string }) => symbol.ticker)).toEqual(nineDefaults);
    for (const symbol of data.defaultSymbols) {
      expect(symbol.market).toEqual({
        code: "BINANCE_SPOT",
        exchange: { code: "BINANCE" },
        assetClass: { code: "CRYPTO" },
      });
      expect(symbol.dataProvider).toEqual({ code: "BINANCE_SPOT_SIM", providerType: "SIMULATED" });
      expect(symbol.quote.price).toMatch(/^\d+(\.\d+)?$/);
      expect(symbol.quote.sequence).toMatch(/^\d+$/);
      expect(symbol.quote.exchangeTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect(symbol.quote.provider.providerType).toBe("SIMULATED");
    }
  });

  test("what ships: asset classes, exchanges and markets", async () => {
    const { data } = await query(url, "{ assetClasses { code } exchanges { code } markets { code } }");
    const codes = (list: { code: string }[]) => list.map((item) => item.code);
    expect(codes(data.assetClasses)).toEqual([
      "CRYPTO",
      "STOCK_BIST",
      "STOCK_NASDAQ",
      "STOCK_NYSE",
      "FOREX",
      "COMMODITY",
    ]);
    expect(codes(data.exchanges).sort()).toEqual([
      "BINANCE",
      "BIST",
      "BYBIT",
      "GATEIO",
      "MEXC",
      "NASDAQ",
      "NYSE",
      "OKX",
    ]);
    expect(codes(data.markets)).toEqual(
      expect.arrayContaining(["BINANCE_SPOT", "GATEIO_FUTURES", "NASDAQ_EQUITY", "NYSE_EQUITY", "BIST_EQUITY"]),
    );
  });

  test("names are in Turkish where the data has them, and in the default language otherwise", async () => {
    const { data } = await query(
      url,
      `{ assetClass(code: "CRYPTO") { en: name tr: name(locale: "tr") trTR: name(locale: "tr-TR") de: name(locale: "de") trx: name(locale: "trx") } }`,
    );
    const { en, tr, trTR, de, trx } = data.assetClass;
    expect(tr).not.toBe(en);
    expect([trTR, de, trx]).toEqual([tr, en, en]);
  });

  test("a 24x7 market is open and never changes; a market with sessions says when it changes", async () => {
    const { data } = await query(
      url,
      `{ crypto: market(code: "BINANCE_SPOT") { status nextStatusChangeAt sessions { name } }
         shares: market(code: "NYSE_EQUITY") { status nextStatusChangeAt timezone sessions { sessionType dayOfWeek startTime endTime } } }`,
    );
    expect(data.crypto).toEqual({ status: "OPEN", nextStatusChangeAt: null, sessions: [] });
    expect(data.shares.timezone).toBe("America/New_York");
    expect(Date.parse(data.shares.nextStatusChangeAt)).toBeGreaterThan(Date.now());
    expect(data.shares.sessions).toContainEqual({
      sessionType: "OPEN",
      dayOfWeek: 1,
      startTime: "09:30:00",
      endTime: "16:00:00",
    });
  });

  test("one symbol by id, and by market and ticker; unknown ones are null", async () => {
    const { data } = await query(
      url,
      `{ a: symbol(market: "BINANCE_SPOT", ticker: "BTCUSDT") { id ticker } b: symbol(market: "BINANCE_SPOT", ticker: "NOPE") { id }
         c: symbol(id: "${globalId("Symbol", 999_999)}") { id } market(code: "NOPE") { id } exchange(code: "NOPE") { id } dataProvider(code: "NOPE") { id } }`,
    );
    expect(data).toMatchObject({
      a: { ticker: "BTCUSDT" },
      b: null,
      c: null,
      market: null,
      exchange: null,
      dataProvider: null,
    });
    const again = await query(url, `query ($id: ID) { symbol(id: $id) { ticker } }`, { id: data.a.id });
    expect(again.data.symbol.ticker).toBe("BTCUSDT");
  });

  test("node and nodes find every kind again by its id", async () => {
    const { data } = await query(
      url,
      `{ assetClass(code: "CRYPTO") { id } exchange(code: "OKX") { id } market(code: "NYSE_EQUITY") { id sessions { id } }
         dataProvider(code: "BINANCE_SPOT_SIM") { id } defaultSymbols { id } dashboard { id } }`,
    );
    const ids = [
      data.assetClass.id,
      data.exchange.id,
      data.market.id,
      data.market.sessions[0].id,
      data.dataProvider.id,
      data.defaultSymbols[0].id,
      data.dashboard[0].id,
    ];
    const found = await query(url, "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }", {
      ids: [...ids, "nonsense", globalId("Market", 99_999), globalId("User", 1), globalId("Symbol", "1e3")],
    });
    expect(found.data.nodes.map((node: { __typename: string } | null) => node?.__typename ?? null)).toEqual([
      "AssetClass",
      "Exchange",
      "Market",
      "TradingSession",
      "DataProvider",
      "Symbol",
      "DashboardItem",
      null,
      null,
      null,
      null,
    ]);
    expect(found.data.nodes.slice(0, ids.length).map((node: { id: string }) => node.id)).toEqual(ids);
    const one = await query(url, "query ($id: ID!) { node(id: $id) { ... on Market { code exchange { code } } } }", {
      id: data.market.id,
    });
    expect(one.data.node).toEqual({ code: "NYSE_EQUITY", exchange: { code: "NYSE" } });
  });

  test("the anonymous dashboard is the defaults", async () => {
    const { data } = await query(
      url,
      "{ dashboard { displayOrder isCustom isVisible isPinned widgetType symbol { ticker quote { price } } } }",
    );
    expect(data.dashboard.map((item: { symbol: { ticker: string } }) => item.symbol.ticker)).toEqual(nineDefaults);
    expect(data.dashboard[0]).toMatchObject({ displayOrder: 1, isCustom: false, isVisible: true, isPinned: false });
  });

  test("quotes come in the order of the ids, with null where there is none", async () => {
    const { data } = await query(
      url,
      `{ ada: symbol(market: "BINANCE_SPOT", ticker: "ADAUSDT") { id } defaultSymbols { id } }`,
    );
    const ids = [data.defaultSymbols[1].id, data.ada.id, data.defaultSymbols[0].id];
    const answer = await query(url, "query ($ids: [ID!]!) { quotes(symbolIds: $ids) { symbol { ticker } price } }", {
      ids,
    });
    expect(
      answer.data.quotes.map((quote: { symbol: { ticker: string } } | null) => quote?.symbol.ticker ?? null),
    ).toEqual(["ETHUSDT", null, "BTCUSDT"]);
  });

  test("health says that prices are simulated", async () => {
    const { data } = await query(
      url,
      "{ health { status simulated version uptimeSeconds checks { name status latencyMs } } }",
    );
    expect(data.health).toMatchObject({ status: "OK", simulated: true });
    expect(data.health.checks.map((check: { name: string }) => check.name)).toEqual([
      "database",
      "nodes",
      ...["BINANCE", "BYBIT", "OKX", "GATEIO"].flatMap((exchange) => [
        `feed ${exchange}_SPOT_SIM`,
        `feed ${exchange}_FUTURES_SIM`,
      ]),
    ]);
  });
});

interface SymbolsPage {
  nodes: { ticker: string }[];
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string; endCursor: string };
}

describe("lists of symbols", () => {
  const page = `query ($filter: SymbolFilter, $orderBy: SymbolOrder, $first: Int, $after: String, $last: Int, $before: String) {
    symbols(filter: $filter, orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before) {
      totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { ticker } }
      nodes { ticker broadcastPriority quote { volume24h changePercent24h } } } }`;

  test.each(["DISPLAY_ORDER", "TICKER", "BROADCAST_PRIORITY"])(
    "walking by %s sees every symbol once, in both directions",
    async (orderBy) => {
      const whole = (await query(url, page, { orderBy, first: 100 })).data.symbols;
      const tickers = whole.nodes.map((node: { ticker: string }) => node.ticker);
      expect(tickers).toHaveLength(whole.totalCount);
      const forwards: string[] = [];
      const backwards: string[] = [];
      for (let after: string | null = null, more = true; more; ) {
        const { nodes, pageInfo }: SymbolsPage = (await query(url, page, { orderBy, first: 4, after })).data.symbols;
        forwards.push(...nodes.map((node: { ticker: string }) => node.ticker));
        after = pageInfo.endCursor;
        more = pageInfo.hasNextPage;
      }
      for (let before: string | null = null, more = true; more; ) {
        const { nodes, pageInfo }: SymbolsPage = (await query(url, page, { orderBy, last: 4, before })).data.symbols;
        backwards.unshift(...nodes.map((node: { ticker: string }) => node.ticker));
        before = pageInfo.startCursor;
        more = pageInfo.hasPreviousPage;
      }
      expect(forwards).toEqual(tickers);
      expect(backwards).toEqual(tickers);
    },
  );

  test.each([
    ["VOLUME_24H", "volume24h"],
    ["CHANGE_PERCENT_24H", "changePercent24h"],
  ])("%s has the largest first and symbols without a quote last", async (orderBy, field) => {
    await until(
      () => test_.app.catalogue.defaultSymbols.every((symbol) => test_.app.quotes.get(symbol.id)?.volume24h != null),
      10_000,
    );
    const { nodes } = (await query(url, page, { orderBy, first: 100 })).data.symbols;
    const values = nodes.map((node: { quote: Record<string, string> | null }) => node.quote?.[field] ?? null);
    const numbers = values.filter((value: string | null) => value !== null).map(Number);
    expect(numbers.length).toBeGreaterThanOrEqual(9);
    expect(values.slice(numbers.length)).toEqual(Array(values.length - numbers.length).fill(null));
    expect(numbers).toEqual(numbers.toSorted((a: number, b: number) => b - a));
  });

  test("filters narrow the list and its count", async () => {
    const count = async (filter: object) => (await query(url, page, { filter })).data.symbols.totalCount;
    const all = await count({});
    expect(await count({ market: "BINANCE_SPOT" })).toBe(14);
    expect(await count({ isActive: true })).toBe(all - 5);
    expect(await count({ isActive: false })).toBe(5);
    expect(
      await count({
        market: "BINANCE_SPOT",
        quoteCurrency: "USDT",
        assetClass: "CRYPTO",
        exchange: "BINANCE",
        isDefault: true,
      }),
    ).toBe(9);
    expect(await count({ market: "OKX_SPOT", quoteCurrency: "TRY" })).toBe(0);
    expect(await count({ status: null, isActive: null })).toBe(all);
  });

  test("a market lists its own", async () => {
    const { data } = await query(
      url,
      `{ market(code: "BINANCE_SPOT") { symbols(first: 3, filter: { isActive: true }) { totalCount nodes { ticker } } } }`,
    );
    expect(data.market.symbols).toEqual({
      totalCount: 9,
      nodes: nineDefaults.slice(0, 3).map((ticker) => ({ ticker })),
    });
  });
});

describe("search", () => {
  const search = async (text: string, args = "") =>
    (
      await query(url, `query ($q: String!) { searchSymbols(query: $q${args}) { ticker } }`, { q: text })
    ).data.searchSymbols.map((symbol: { ticker: string }) => symbol.ticker);

  test.each([
    ["BTCUSDT", "BTCUSDT"],
    ["btcusdt", "BTCUSDT"],
    ["BTC/USDT", "BTCUSDT"],
    ["eth", "ETHUSDT"],
    ["bitcoin", "BTCUSDT"],
    ["Bitcon", "BTCUSDT"],
    ["etherium", "ETHUSDT"],
    ["avalanch", "AVAXUSDT"],
  ])("%s finds %s first", async (text, ticker) => expect((await search(text))[0]).toBe(ticker));

  test("inactive symbols are not found, wildcards mean themselves, and nothing is no error", async () => {
    expect(await search("ADA")).not.toContain("ADAUSDT");
    expect(await search("%")).toEqual([]);
    for (const ticker of await search("_")) expect(ticker).toContain("_");
    expect(await search("'; drop table symbols; --")).toEqual([]);
    expect(await search("zzzzqqqq")).toEqual([]);
    expect((await search("", ", first: 3")).length).toBeLessThanOrEqual(3);
  });
});

describe("bad input is told apart, by code and field, and changes nothing", () => {
  test.each([
    ["{ symbols(first: -1) { totalCount } }", "BAD_USER_INPUT", "first"],
    ["{ symbols(first: 501) { totalCount } }", "BAD_USER_INPUT", "first"],
    [`{ symbols(after: "garbage") { totalCount } }`, "BAD_USER_INPUT", "after"],
    ["{ symbols(first: 1, last: 1) { totalCount } }", "BAD_USER_INPUT", "last"],
    [`{ symbols(filter: { market: "NOPE" }) { totalCount } }`, "BAD_USER_INPUT", "filter.market"],
    [`{ markets(exchange: "NOPE") { code } }`, "BAD_USER_INPUT", "exchange"],
    [`{ searchSymbols(query: "${"x".repeat(65)}") { id } }`, "BAD_USER_INPUT", "query"],
    [`{ searchSymbols(query: "x", first: 0) { id } }`, "BAD_USER_INPUT", "first"],
    [`{ searchSymbols(query: "x", assetClass: "NOPE") { id } }`, "BAD_USER_INPUT", "assetClass"],
    [`{ symbol(id: "x") { id } }`, "BAD_USER_INPUT", "id"],
    [`{ symbol(id: "${globalId("Market", 1)}") { id } }`, "BAD_USER_INPUT", "id"],
    ["{ symbol { id } }", "BAD_USER_INPUT", "market"],
    [`{ symbol(market: "BINANCE_SPOT") { id } }`, "BAD_USER_INPUT", "ticker"],
    [`{ quotes(symbolIds: ["${globalId("Symbol", 999_999)}"]) { price } }`, "NOT_FOUND", undefined],
    [`{ quotes(symbolIds: ["nonsense"]) { price } }`, "BAD_USER_INPUT", "symbolIds"],
    ["{ broadcastList { ticker } }", "UNAUTHENTICATED", undefined],
    [`mutation { syncSymbols(market: "BINANCE_SPOT") }`, "UNAUTHENTICATED", undefined],
    [`mutation { setMarketStatus(market: "BINANCE_SPOT", status: HALTED) { code } }`, "UNAUTHENTICATED", undefined],
    ["{ symbols(orderBy: PRICE) { totalCount } }", "GRAPHQL_VALIDATION_FAILED", undefined],
    ["{ nothing }", "GRAPHQL_VALIDATION_FAILED", undefined],
    ["{ symbols(", "GRAPHQL_PARSE_FAILED", undefined],
    [`{ markets { ${"exchange { markets { ".repeat(7)} code ${"} }".repeat(7)} } }`, "DEPTH_LIMIT", undefined],
  ])("%s", async (text, code, field) => {
    const { errors } = await query(url, text);
    expect(errors?.[0]?.extensions.code).toBe(code);
    expect(errors?.[0]?.extensions.field).toBe(field);
    expect(JSON.stringify(errors)).not.toMatch(/node_modules|at .*\.ts|stack/i);
  });

  test("variables name the field at fault", async () => {
    const first = await query(url, "query ($first: Int) { symbols(first: $first) { totalCount } }", { first: "ten" });
    expect(first.errors?.[0]?.extensions).toMatchObject({ code: "BAD_USER_INPUT", field: "first" });
    const order = await query(url, "query ($o: SymbolOrder) { symbols(orderBy: $o) { totalCount } }", { o: "PRICE" });
    expect(order.errors?.[0]?.extensions).toMatchObject({ code: "BAD_USER_INPUT", field: "o" });
    const filter = await query(url, "query ($f: SymbolFilter) { symbols(filter: $f) { totalCount } }", {
      f: { isActive: "yes" },
    });
    expect(filter.errors?.[0]?.extensions).toMatchObject({ code: "BAD_USER_INPUT", field: "f.isActive" });
  });

  const post = (body: string, headers: Record<string, string> = {}) =>
    fetch(`${url}/graphql`, { method: "POST", headers: { "content-type": "application/json", ...headers }, body });

  test("broken JSON, no JSON, and a body that is too large", async () => {
    const broken = await post('{"query": "{ health');
    expect(broken.status).toBe(400);
    expect(await broken.json()).toMatchObject({ errors: [{ extensions: { code: "BAD_REQUEST" } }] });
    expect((await post("[]")).status).toBe(400);
    expect((await post('"text"')).status).toBe(400);
    expect((await post("query=1", { "content-type": "text/plain" })).status).toBe(400);
    expect((await post(JSON.stringify({ query: `{ a(x: "${"y".repeat(200_000)}") }` }))).status).toBe(413);
    expect((await fetch(`${url}/nowhere`)).status).toBe(404);
    expect((await query(url, "{ health { status } }")).data.health.status).toBe("OK");
  });

  test("a credential that is not valid is refused, never taken for an anonymous visit", async () => {
    for (const authorization of ["Bearer wrong-token-0123456789012345", "Basic abc", "nonsense", "Bearer"]) {
      const { status, errors } = await query(url, "{ health { status } }", {}, { authorization });
      expect([authorization, status, errors?.[0]?.extensions.code]).toEqual([authorization, 401, "UNAUTHENTICATED"]);
    }
  });

  test("an internal error shows an id and nothing else", async () => {
    await test_.database.owner.sql`alter function similar_symbols(text) rename to similar_symbols_away`;
    const { errors } = await query(url, `{ searchSymbols(query: "bitcoin") { id } }`);
    await test_.database.owner.sql`alter function similar_symbols_away(text) rename to similar_symbols`;
    expect(errors).toHaveLength(1);
    expect(errors?.[0]).toMatchObject({
      message: "internal error",
      extensions: { code: "INTERNAL", id: expect.stringMatching(/^[0-9a-f-]{36}$/) },
    });
    expect(JSON.stringify(errors)).not.toContain("similar_symbols");
  });
});

describe("operators", () => {
  const asOperator = (text: string, variables: Record<string, unknown> = {}) =>
    query(url, text, variables, operatorHeaders);
  const idOf = async (ticker: string): Promise<string> =>
    (await query(url, `{ symbol(market: "BINANCE_SPOT", ticker: "${ticker}") { id } }`)).data.symbol.id;
  const update = async (ticker: string, input: object) =>
    asOperator(
      "mutation ($input: UpdateSymbolInput!) { updateSymbol(input: $input) { ticker isActive isTracked isDefault broadcastPriority } }",
      {
        input: { symbolId: await idOf(ticker), ...input },
      },
    );

  test("see what went wrong with a provider; others do not", async () => {
    const text = `{ dataProvider(code: "BINANCE_SPOT_SIM") { connectionStatus lastError errorCountHourly messagesPerSecond } }`;
    expect((await query(url, text)).data.dataProvider).toMatchObject({
      lastError: null,
      errorCountHourly: null,
      messagesPerSecond: null,
    });
    const { dataProvider } = (await asOperator(text)).data;
    expect(dataProvider.errorCountHourly).toBeTypeOf("number");
    expect(dataProvider.messagesPerSecond).toBeTypeOf("number");
  });

  test("track a symbol, and the open feed takes it up and drops it again", async () => {
    const { data } = await update("ADAUSDT", { isActive: true, isTracked: true });
    expect(data.updateSymbol).toMatchObject({ isActive: true, isTracked: true });
    const ada = test_.app.catalogue.symbolByTicker("BINANCE_SPOT", "ADAUSDT");
    await until(() => test_.app.quotes.get(ada?.id ?? 0) !== undefined);
    await update("ADAUSDT", { isActive: false, isTracked: false });
  });

  test("cannot break the rules of the defaults", async () => {
    expect((await update("BTCUSDT", { isDefault: false })).errors?.[0]?.extensions).toMatchObject({
      code: "CONFLICT",
      field: "isDefault",
    });
    expect((await update("BTCUSDT", { isActive: false })).errors?.[0]?.extensions).toMatchObject({
      code: "CONFLICT",
      field: "isActive",
    });
    expect((await update("BTCUSDT", { broadcastPriority: 101 })).errors?.[0]?.extensions).toMatchObject({
      code: "BAD_USER_INPUT",
      field: "broadcastPriority",
    });
    expect((await update("BTCUSDT", { dataProviderCode: "NOPE" })).errors?.[0]?.extensions).toMatchObject({
      code: "BAD_USER_INPUT",
      field: "dataProviderCode",
    });
    expect((await update("BTCUSDT", {})).errors?.[0]?.extensions).toMatchObject({
      code: "BAD_USER_INPUT",
      field: "input",
    });
    expect((await query(url, "{ defaultSymbols { ticker } }")).data.defaultSymbols).toHaveLength(9);
  });

  test("halt a market and give it back", async () => {
    const set = (status: string | null) =>
      asOperator(
        'mutation ($s: MarketStatus) { setMarketStatus(market: "OKX_SPOT", status: $s) { status statusUpdatedAt nextStatusChangeAt } }',
        { s: status },
      );
    expect((await set("HALTED")).data.setMarketStatus).toMatchObject({ status: "HALTED", nextStatusChangeAt: null });
    expect((await query(url, `{ market(code: "OKX_SPOT") { status } }`)).data.market.status).toBe("HALTED");
    expect((await set("OPEN")).errors?.[0]?.extensions).toMatchObject({ code: "BAD_USER_INPUT", field: "status" });
    expect((await set(null)).data.setMarketStatus.status).toBe("OPEN");
  });

  test("sync the instruments of an exchange", async () => {
    const { data } = await asOperator(`mutation { syncSymbols(market: "BINANCE_SPOT") }`);
    expect(data.syncSymbols).toBeGreaterThan(20);
    const found = await query(
      url,
      `{ symbol(market: "BINANCE_SPOT", ticker: "DOGEUSDT") { isActive isTracked tickSize stepSize minOrderValue } }`,
    );
    expect(found.data.symbol).toMatchObject({ isActive: true, isTracked: false, minOrderValue: "5" });
    expect((await asOperator(`mutation { syncSymbols(market: "BINANCE_SPOT") }`)).data.syncSymbols).toBe(0);
    const none = await asOperator(`mutation { syncSymbols(market: "NYSE_EQUITY") }`);
    expect(none.errors?.[0]?.extensions.code).toBe("PROVIDER_UNAVAILABLE");
  });

  test("see the broadcast list in the order of priority", async () => {
    const { data } = await asOperator("{ broadcastList(first: 5) { broadcastPriority lastBroadcastAt isTracked } }");
    const priorities = data.broadcastList.map((symbol: { broadcastPriority: number }) => symbol.broadcastPriority);
    expect(priorities).toEqual(priorities.toSorted((a: number, b: number) => b - a));
  });
});

test("a change made by SQL shows within a second", async () => {
  await test_.database.owner.sql`update symbols set display_name = 'Bitcoin!' where ticker = 'BTCUSDT'`;
  await until(() => test_.app.catalogue.symbolByTicker("BINANCE_SPOT", "BTCUSDT")?.displayName === "Bitcoin!", 5_000);
  await test_.database.owner.sql`update symbols set display_name = 'BTC/USDT' where ticker = 'BTCUSDT'`;
});

test("probes answer", async () => {
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
});
