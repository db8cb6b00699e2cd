import { afterAll, beforeAll, expect, test } from "vitest";
import { operatorHeaders, query, startTestApp, type TestApp } from "./support/app.js";
import { until } from "./support/until.js";

/** Every market of the simulated exchange, from its list of instruments to a price that the API gives. */

const markets = [
  ["BINANCE_FUTURES", "BTCUSDT"],
  ["OKX_SPOT", "BTC-USDT"],
  ["OKX_FUTURES", "BTC-USDT-SWAP"],
  ["BYBIT_SPOT", "BTCUSDT"],
  ["BYBIT_FUTURES", "BTCUSDT"],
  ["GATEIO_SPOT", "BTC_USDT"],
  ["GATEIO_FUTURES", "BTC_USDT"],
] as const;

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
}, 60_000);
afterAll(() => app.close());

const asOperator = (text: string, variables = {}) => query(app.url, text, variables, operatorHeaders);
const symbolQuery = `query ($market: String!, $ticker: String!) { symbol(market: $market, ticker: $ticker) {
  id quote { bid ask isStale provider { code providerType } }
} }`;

test.each(markets)("%s", async (market, ticker) => {
  const { data } = await asOperator(`mutation { syncSymbols(market: "${market}") }`);
  expect(data.syncSymbols).toBeGreaterThan(20);
  const ask = async () => (await query(app.url, symbolQuery, { market, ticker })).data.symbol;
  const input = { symbolId: (await ask()).id, isActive: true, isTracked: true };
  const changed = await asOperator(
    "mutation ($input: UpdateSymbolInput!) { updateSymbol(input: $input) { isTracked } }",
    { input },
  );
  expect(changed.data.updateSymbol).toEqual({ isTracked: true });
  // The new list of symbols is subscribed anew, and until then what is known is stale.
  const answers: { bid: string; isStale: boolean }[] = [];
  await until(async () => {
    answers.push((await ask()).quote);
    return answers.at(-1)?.bid != null && answers.at(-1)?.isStale === false;
  });
  const quote = answers.at(-1);
  expect(quote).toMatchObject({ isStale: false, provider: { code: `${market}_SIM`, providerType: "SIMULATED" } });
  // One price everywhere, but for a little.
  const spot = async () =>
    (await query(app.url, symbolQuery, { market: "BINANCE_SPOT", ticker: "BTCUSDT" })).data.symbol.quote?.bid;
  await until(async () => (await spot()) != null);
  expect(Math.abs(Math.log(Number(quote?.bid) / Number(await spot())))).toBeLessThan(0.02);
});
