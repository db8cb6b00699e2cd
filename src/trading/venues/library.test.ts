import { expect, test } from "vitest";
import { systemClock } from "../../core/time.js";
import { ExchangeLink } from "./exchange-link.js";
import { openTradingExchange } from "./library.js";

const kinds = { type: "spot", spot: true, swap: false, contract: false, active: true };
const names = { id: "BTCUSDT", symbol: "BTC/USDT", base: "BTC", quote: "USDT", baseId: "BTC", quoteId: "USDT" };
const market = { ...names, ...kinds, precision: { amount: "0.00001", price: "0.01" }, limits: {}, info: {} };

test("markets that could not be loaded are asked for again, once for all who wait", async () => {
  const credentials = { apiKey: "key", secret: "secret", passphrase: null };
  const nowMs = () => systemClock.nowMs();
  const opened = await openTradingExchange("BINANCE", {
    credentials,
    testnet: false,
    kind: "spot",
    endpoint: null,
    timeoutMs: 1_000,
    reconnectBaseMs: 1,
    validMs: 1_000,
    nowMs,
    onMessage: () => {},
  });
  let asked = 0;
  const fetchMarkets = () => (asked++ === 0 ? Promise.reject(new Error("502")) : Promise.resolve([market]));
  Object.assign(opened.exchange, { fetchMarkets });
  const link = new ExchangeLink("BINANCE", "spot", opened, credentials, nowMs);
  try {
    const symbol = { id: 1, ticker: "BTCUSDT", marketType: "SPOT" };
    const failed = await Promise.allSettled([link.symbol(symbol), opened.exchange.loadMarkets()]);
    expect(failed.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(asked).toBe(1);
    const found = await Promise.all([link.symbol(symbol), opened.exchange.loadMarkets()]);
    expect(found[0]).toMatchObject({ symbol: "BTC/USDT" });
    expect(asked).toBe(2);
  } finally {
    await link.close();
  }
});
