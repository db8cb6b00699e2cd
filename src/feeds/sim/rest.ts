import type { IncomingMessage, ServerResponse } from "node:http";
import type { SimulatedInstrument } from "./instruments.js";

/** The public REST calls of the exchange that our adapter, or a curious person, makes. */
export function answerRest(
  request: IncomingMessage,
  response: ServerResponse,
  instruments: readonly SimulatedInstrument[],
  nowMs: number,
): void {
  const send = (status: number, body: unknown) => {
    response.writeHead(status, { "content-type": "application/json;charset=UTF-8" }).end(JSON.stringify(body));
  };
  const [path] = (request.url ?? "/").split("?");
  if (request.method !== "GET") send(405, { code: -1000, msg: "Request method not supported" });
  else if (path === "/api/v3/ping") send(200, {});
  else if (path === "/api/v3/time") send(200, { serverTime: nowMs });
  else if (path === "/api/v3/exchangeInfo") send(200, exchangeInfo(instruments, nowMs));
  else send(404, { code: -1100, msg: "Not found" });
}

const power = (decimals: number): string =>
  decimals === 0 ? "1.00000000" : `0.${"1".padStart(decimals, "0").padEnd(8, "0")}`;

function exchangeInfo(instruments: readonly SimulatedInstrument[], nowMs: number): object {
  return {
    timezone: "UTC",
    serverTime: nowMs,
    rateLimits: [{ rateLimitType: "REQUEST_WEIGHT", interval: "MINUTE", intervalNum: 1, limit: 6000 }],
    exchangeFilters: [],
    symbols: instruments.map(({ base, quote, status, priceDecimals, quantityDecimals }) => ({
      symbol: `${base}${quote}`,
      status,
      baseAsset: base,
      baseAssetPrecision: 8,
      quoteAsset: quote,
      quotePrecision: 8,
      quoteAssetPrecision: 8,
      orderTypes: [
        "LIMIT",
        "LIMIT_MAKER",
        "MARKET",
        "STOP_LOSS",
        "STOP_LOSS_LIMIT",
        "TAKE_PROFIT",
        "TAKE_PROFIT_LIMIT",
      ],
      icebergAllowed: true,
      isSpotTradingAllowed: true,
      isMarginTradingAllowed: false,
      filters: [
        {
          filterType: "PRICE_FILTER",
          minPrice: power(priceDecimals),
          maxPrice: "1000000.00000000",
          tickSize: power(priceDecimals),
        },
        {
          filterType: "LOT_SIZE",
          minQty: power(quantityDecimals),
          maxQty: "90000000.00000000",
          stepSize: power(quantityDecimals),
        },
        {
          filterType: "NOTIONAL",
          minNotional: quote === "BTC" ? "0.00010000" : "5.00000000",
          applyMinToMarket: true,
          maxNotional: "9000000.00000000",
          applyMaxToMarket: false,
          avgPriceMins: 5,
        },
      ],
      permissions: ["SPOT"],
    })),
  };
}
