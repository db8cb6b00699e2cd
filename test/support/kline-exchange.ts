import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { decimalText } from "../../src/core/decimal.js";
import { fromFixedPoint, multiplyFixedPoint, toFixedPoint } from "../../src/core/fixed-point.js";
import type { TradeEvent } from "../../src/market-data/events.js";

const minuteMs = 60_000;

export interface ExchangeTrade {
  readonly ticker: string;
  readonly atMs: number;
  readonly id: number;
  readonly price: string;
  readonly quantity: string;
  readonly side: "BUY" | "SELL";
}

/** What a minute of trades comes to, worked out without the program's own candles. */
export interface Minute {
  readonly openTimeMs: number;
  readonly open: string;
  readonly high: string;
  readonly low: string;
  readonly close: string;
  readonly volume: string;
  readonly quoteVolume: string;
  readonly tradeCount: number;
  readonly takerBuyVolume: string;
  readonly takerBuyQuoteVolume: string;
}

export const asEvent = (trade: ExchangeTrade, symbolId: number): TradeEvent => ({
  kind: "trade",
  symbolId,
  price: decimalText(trade.price),
  quantity: decimalText(trade.quantity),
  side: trade.side,
  tradeId: String(trade.id),
  tradeCount: 1,
  exchangeSequence: trade.id,
  exchangeTimeMs: trade.atMs,
  receivedAtMs: trade.atMs,
});

function minuteOf(openTimeMs: number, trades: readonly ExchangeTrade[]): Minute {
  const sum = (of: readonly ExchangeTrade[], inQuote: boolean) =>
    fromFixedPoint(
      of.reduce((total, { price, quantity }) => {
        const amount = toFixedPoint(decimalText(quantity));
        return total + (inQuote ? multiplyFixedPoint(amount, toFixedPoint(decimalText(price))) : amount);
      }, 0n),
    );
  const prices = trades.map(({ price }) => price);
  const bought = trades.filter(({ side }) => side === "BUY");
  return {
    openTimeMs,
    open: prices[0] ?? "",
    high: prices.reduce((a, b) => (Number(a) >= Number(b) ? a : b)),
    low: prices.reduce((a, b) => (Number(a) <= Number(b) ? a : b)),
    close: prices.at(-1) ?? "",
    volume: sum(trades, false),
    quoteVolume: sum(trades, true),
    tradeCount: trades.length,
    takerBuyVolume: sum(bought, false),
    takerBuyQuoteVolume: sum(bought, true),
  };
}

const emptyMinute = (openTimeMs: number): Minute => ({
  openTimeMs,
  open: "100.1",
  high: "100.1",
  low: "100.1",
  close: "100.1",
  volume: "0.00000000",
  quoteVolume: "0.00000000",
  tradeCount: 0,
  takerBuyVolume: "0.00000000",
  takerBuyQuoteVolume: "0.00000000",
});

export interface KlineRequest {
  readonly ticker: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** Serves `/api/v3/klines` on loopback, as Binance does, of the trades that it is told of. */
export interface KlineExchange {
  readonly url: string;
  trades: readonly ExchangeTrade[];
  /** What it knows of: later trades have not happened. */
  nowMs: number;
  /** Whether minutes without a trade are in its answers. */
  tellsEmpty: boolean;
  readonly requests: KlineRequest[];
  /** Answers in place of the klines when it returns true. */
  refuse: (response: ServerResponse, request: KlineRequest) => boolean;
  /** Minutes with a trade, of open times in the range. */
  minutesOf(ticker: string, fromMs: number, toMs: number): Minute[];
  close(): Promise<void>;
}

export async function startKlineExchange(): Promise<KlineExchange> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    if (url.pathname !== "/api/v3/klines") {
      response.writeHead(404).end();
      return;
    }
    const asked: KlineRequest = {
      ticker: url.searchParams.get("symbol") ?? "",
      fromMs: Number(url.searchParams.get("startTime")),
      toMs: Number(url.searchParams.get("endTime")) + 1,
    };
    exchange.requests.push(asked);
    if (exchange.refuse(response, asked)) return;
    const limit = Number(url.searchParams.get("limit"));
    const minutes = exchange.minutesOf(asked.ticker, asked.fromMs, asked.toMs);
    if (exchange.tellsEmpty) {
      const traded = new Set(minutes.map(({ openTimeMs }) => openTimeMs));
      for (let at = asked.fromMs; at < asked.toMs && at <= exchange.nowMs; at += minuteMs) {
        if (!traded.has(at)) minutes.push(emptyMinute(at));
      }
      minutes.sort((a, b) => a.openTimeMs - b.openTimeMs);
    }
    const klines = minutes
      .slice(0, limit)
      .map((m) => [
        m.openTimeMs,
        m.open,
        m.high,
        m.low,
        m.close,
        m.volume,
        m.openTimeMs + minuteMs - 1,
        m.quoteVolume,
        m.tradeCount,
        m.takerBuyVolume,
        m.takerBuyQuoteVolume,
        "0",
      ]);
    response.end(JSON.stringify(klines));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const exchange: KlineExchange = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    trades: [],
    nowMs: Number.POSITIVE_INFINITY,
    tellsEmpty: true,
    requests: [],
    refuse: () => false,
    minutesOf(ticker, fromMs, toMs) {
      const byMinute = new Map<number, ExchangeTrade[]>();
      for (const trade of exchange.trades) {
        const openTimeMs = trade.atMs - (trade.atMs % minuteMs);
        if (trade.ticker !== ticker || trade.atMs > exchange.nowMs || openTimeMs < fromMs || openTimeMs >= toMs)
          continue;
        byMinute.set(openTimeMs, [...(byMinute.get(openTimeMs) ?? []), trade]);
      }
      return [...byMinute].sort(([a], [b]) => a - b).map(([openTimeMs, trades]) => minuteOf(openTimeMs, trades));
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return exchange;
}
