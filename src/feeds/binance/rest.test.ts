import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { pino } from "pino";
import { afterEach, describe, expect, test } from "vitest";
import { DomainError } from "../../core/errors.js";
import type { FeedEndpoint } from "../feed.js";
import { fetchInstruments, readInstruments } from "./rest.js";

let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(null) : server.close(resolve)));
  server = undefined;
});

async function serve(listener: RequestListener, timeoutMs = 2_000): Promise<FeedEndpoint> {
  const started = createServer(listener);
  server = started;
  await new Promise<void>((resolve) => started.listen(0, "127.0.0.1", resolve));
  return endpointAt(`http://127.0.0.1:${(started.address() as AddressInfo).port}/`, timeoutMs);
}
const endpointAt = (endpointUrl: string | null, timeoutMs = 2_000): FeedEndpoint => ({
  code: "TEST",
  websocketUrl: "ws://127.0.0.1:1",
  backupWebsocketUrl: null,
  endpointUrl,
  timeoutMs,
  retryDelayMs: 1,
  staleAfterMs: 1,
});

type Fields = Record<string, unknown>;
const entry = (change: Fields = {}, price: Fields = {}, lot: Fields = {}, notional: Fields = {}): Fields => ({
  symbol: "BTCUSDT",
  status: "TRADING",
  baseAsset: "BTC",
  quoteAsset: "USDT",
  filters: [
    {
      filterType: "PRICE_FILTER",
      minPrice: "0.01000000",
      maxPrice: "1000000.00000000",
      tickSize: "0.01000000",
      ...price,
    },
    { filterType: "LOT_SIZE", minQty: "0.00001000", maxQty: "9000.00000000", stepSize: "0.00001000", ...lot },
    { filterType: "NOTIONAL", minNotional: "5.00000000", maxNotional: "9000000.00000000", ...notional },
  ],
  ...change,
});
const read = (...symbols: unknown[]) => readInstruments(JSON.stringify({ symbols }));

describe("reading the instrument list", () => {
  test("filters become canonical text", () => {
    expect(read(entry()).instruments).toEqual([
      {
        ticker: "BTCUSDT",
        baseCurrency: "BTC",
        quoteCurrency: "USDT",
        status: "TRADING",
        tickSize: "0.01",
        stepSize: "0.00001",
        minQuantity: "0.00001",
        maxQuantity: "9000",
        minOrderValue: "5",
        maxOrderValue: "9000000",
      },
    ]);
  });

  test.each(["BREAK", "HALT", "AUCTION_MATCH", "PRE_TRADING", "POST_TRADING", "END_OF_DAY", "NEW_WORD"])(
    "%s cannot be traded now",
    (status) => expect(read(entry({ status })).instruments[0]?.status).toBe("HALT"),
  );

  test("a zero or absent limit is none", () => {
    const open = entry({}, {}, { minQty: "0.00000000", maxQty: undefined }, { minNotional: "0", maxNotional: "0.0" });
    expect(read(open).instruments[0]).toMatchObject({
      minQuantity: null,
      maxQuantity: null,
      minOrderValue: null,
      maxOrderValue: null,
    });
  });

  test.each([
    ["no name", entry({ symbol: "" }), "names"],
    ["a name that the table refuses", entry({ symbol: "币安人生USDT" }), "names"],
    ["a name in small letters", entry({ symbol: "btcusdt" }), "names"],
    ["a name in two lines", entry({ symbol: "BTCUSDT\n" }), "names"],
    ["a currency too long for the table", entry({ baseAsset: "B".repeat(21) }), "names"],
    ["a numeric currency", entry({ baseAsset: 5 }), "names"],
    ["no status", entry({ status: null }), "names"],
    ["null", null, "names"],
    ["text", "BTCUSDT", "names"],
    ["no filters", entry({ filters: undefined }), "filters"],
    ["a null filter", entry({ filters: [null] }), "filters"],
    ["no price filter", entry({ filters: [] }), "price-filter"],
    ["tick size zero", entry({}, { tickSize: "0.00000000" }), "price-filter"],
    ["tick size with exponent", entry({}, { tickSize: "1e-8" }), "price-filter"],
    ["tick size as a number", entry({}, { tickSize: 0.01 }), "price-filter"],
    ["tick size below 18 places", entry({}, { tickSize: "0.0000000000000000001" }), "price-filter"],
    ["negative step", entry({}, {}, { stepSize: "-1" }), "lot-size"],
    ["absurd quantity", entry({}, {}, { maxQty: "9".repeat(21) }), "lot-size"],
    ["minimum above maximum", entry({}, {}, { minQty: "10", maxQty: "9" }), "lot-size"],
    ["negative minimum value", entry({}, {}, {}, { minNotional: "-5" }), "notional"],
    ["null maximum value", entry({}, {}, {}, { maxNotional: null }), "notional"],
  ])("a broken entry is left out and counted, the others stay: %s", (_name, broken, reason) => {
    const { instruments, brokenTickers, leftOut } = read(broken, entry({ symbol: "ETHUSDT" }));
    expect(instruments.map(({ ticker }) => ticker)).toEqual(["ETHUSDT"]);
    expect([...leftOut]).toEqual([[reason, 1]]);
    const named = (broken as { symbol?: unknown } | null)?.symbol === "BTCUSDT";
    expect(brokenTickers).toEqual(named ? ["BTCUSDT"] : []);
  });

  test("the second entry of the same name is left out", () => {
    expect([...read(entry(), entry({ baseAsset: "XXX" })).leftOut]).toEqual([["duplicate", 1]]);
  });
});

describe("fetching it", () => {
  const silent = pino({ level: "silent" });
  const failure = (endpoint: FeedEndpoint) =>
    fetchInstruments(endpoint, silent).then(
      () => expect.fail("should have failed"),
      (error: unknown) => {
        expect(error).toBeInstanceOf(DomainError);
        expect((error as DomainError).code).toBe("PROVIDER_UNAVAILABLE");
        return error as DomainError;
      },
    );

  test("asks for exchangeInfo and returns what it lists", async () => {
    const endpoint = await serve((request, response) => {
      expect(request.url).toBe("/api/v3/exchangeInfo");
      response.end(JSON.stringify({ symbols: [entry(), null, entry({ symbol: "LUNAUSDT", filters: [] })] }));
    });
    const { instruments, brokenTickers } = await fetchInstruments(endpoint, silent);
    expect(instruments.map(({ ticker }) => ticker)).toEqual(["BTCUSDT"]);
    expect(brokenTickers).toEqual(["LUNAUSDT"]);
  });

  test.each([
    [429, "7", { status: 429, retryAfterSeconds: 7 }, "limiting"],
    [418, "120", { status: 418, retryAfterSeconds: 120 }, "banned"],
    [429, "soon", { status: 429, retryAfterSeconds: null }, "limiting"],
    [451, "", { status: 451 }, "HTTP 451"],
    [500, "", { status: 500 }, "HTTP 500"],
  ])("HTTP %i with retry-after %j", async (status, retryAfter, details, message) => {
    const endpoint = await serve((_request, response) => {
      response.writeHead(status, retryAfter === "" ? {} : { "retry-after": retryAfter }).end("{}");
    });
    const error = await failure(endpoint);
    expect(error.details).toEqual(details);
    expect(error.message).toContain(message);
  });

  test("an exchange that does not answer, or stops in the middle", async () => {
    const endpoint = await serve((_request, response) => void response.write('{"symbols":['), 50);
    expect((await failure(endpoint)).message).toContain("no answer within 50 ms");
  });

  test("an answer without end is cut off", async () => {
    const megabyte = Buffer.alloc(1024 * 1024, " ");
    const endpoint = await serve((_request, response) => {
      const more = () => {
        while (!response.destroyed && response.write(megabyte));
      };
      response.on("drain", more);
      more();
    }, 20_000);
    expect((await failure(endpoint)).message).toContain("larger than");
  });

  test("nobody listens", async () => {
    const endpoint = await serve(() => {});
    await new Promise((resolve) => server?.close(resolve));
    server = undefined;
    expect((await failure(endpoint)).message).toContain("ECONNREFUSED");
  });

  test.each(["<html>", "[]", "null", '{"symbols":{}}', '{"symbols":[]}', '{"symbols":[null]}'])(
    "%s is no list",
    async (body) => {
      await failure(await serve((_request, response) => response.end(body)));
    },
  );

  test("no address configured", async () => {
    expect((await failure(endpointAt(null))).message).toContain("no REST address");
  });
});
