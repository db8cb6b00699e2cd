import { expect, test } from "vitest";
import { Catalogue, type Market, type MarketSymbol } from "../catalogue/catalogue.js";
import { decimalText } from "../core/decimal.js";
import { type ArbitrageOpportunity, ArbitrageWatch } from "./arbitrage-watch.js";
import type { BookLevel } from "./events.js";

const level = (price: string): BookLevel => [decimalText(price), decimalText("1")];
const cheap = { bids: [level("99")], asks: [level("100")] };
const dear = { bids: [level("102")], asks: [level("103")] };

function start() {
  const catalogue = new Catalogue();
  const market = (id: number, marketType: "SPOT" | "FUTURES", fee = "0.001", more: Partial<Market> = {}) =>
    ({
      id,
      code: `M${id}`,
      marketType,
      isActive: true,
      displayOrder: id,
      defaultCommissionRate: decimalText(fee),
      operatorStatus: null,
      ...more,
    }) as Market;
  const symbol = (id: number, marketId: number, more: Partial<MarketSymbol> = {}) =>
    ({
      id,
      marketId,
      ticker: `T${id}`,
      status: "TRADING",
      baseCurrency: "BTC",
      quoteCurrency: "USDT",
      isActive: true,
      isTracked: true,
      dataProviderId: null,
      broadcastPriority: 0,
      ...more,
    }) as MarketSymbol;
  catalogue.apply("markets", null, [market(1, "SPOT"), market(2, "SPOT"), market(3, "FUTURES")]);
  catalogue.apply("symbols", null, [symbol(1, 1), symbol(2, 2), symbol(3, 3), symbol(4, 1, { quoteCurrency: "EUR" })]);
  let nowMs = 1_000;
  let ids = 0;
  const told: ArbitrageOpportunity[] = [];
  const watch = new ArbitrageWatch({
    catalogue,
    clock: { nowMs: () => nowMs++ },
    newId: () => `id-${++ids}`,
    onChange: (opportunity) => told.push(opportunity),
  });
  return { catalogue, watch, told, market, symbol };
}
const briefly = (told: ArbitrageOpportunity[]) =>
  told.map(({ id, buySymbolId, sellSymbolId, closedAtMs }) => [id, buySymbolId, sellSymbolId, closedAtMs !== null]);

test("compares what is the same thing on several markets, and nothing else", () => {
  const { watch, told } = start();
  for (const id of [1, 4]) watch.update(id, cheap);
  for (const id of [2, 3]) watch.update(id, dear);
  expect(briefly(told)).toEqual([["id-1", 1, 2, false]]);
  expect(watch.open).toHaveLength(1);
  watch.update(2, null);
  expect(briefly(told.slice(1))).toEqual([["id-1", 1, 2, true]]);
  expect(watch.open).toEqual([]);
  watch.update(2, dear);
  expect(briefly(told.slice(2))).toEqual([["id-2", 1, 2, false]]);
  watch.close();
  expect(briefly(told.slice(3))).toEqual([["id-2", 1, 2, true]]);
});

test("keeps its id and its time while prices change", () => {
  const { watch, told } = start();
  watch.update(1, cheap);
  watch.update(2, dear);
  watch.update(2, { bids: [level("101.5")], asks: [] });
  expect(told.map(({ id, sellPrice }) => [id, sellPrice])).toEqual([
    ["id-1", "102"],
    ["id-1", "101.5"],
  ]);
  expect(new Set(told.map(({ detectedAtMs }) => detectedAtMs)).size).toBe(1);
  watch.close();
});

test("follows the catalogue: symbols that come and go, fees that change", () => {
  const { catalogue, watch, told, market, symbol } = start();
  watch.update(1, cheap);
  watch.update(2, dear);
  catalogue.apply("symbols", [2], [symbol(2, 2, { isTracked: false })]);
  expect(briefly(told)).toEqual([
    ["id-1", 1, 2, false],
    ["id-1", 1, 2, true],
  ]);
  catalogue.apply("symbols", [2], [symbol(2, 2)]);
  expect(briefly(told.slice(2))).toEqual([["id-2", 1, 2, false]]);
  catalogue.apply("symbols", [4], [symbol(4, 1, { quoteCurrency: "EUR", ticker: "RENAMED" })]);
  expect(told).toHaveLength(3);
  catalogue.apply("markets", [2], [market(2, "SPOT", "0.05")]);
  expect(briefly(told.slice(3))).toEqual([["id-2", 1, 2, true]]);
  watch.close();
});

test("what is not traded has no opportunities", () => {
  const { catalogue, watch, told, market, symbol } = start();
  watch.update(1, cheap);
  watch.update(2, dear);
  catalogue.apply("symbols", [2], [symbol(2, 2, { status: "HALT" })]);
  expect(briefly(told)).toEqual([
    ["id-1", 1, 2, false],
    ["id-1", 1, 2, true],
  ]);
  watch.update(1, { bids: cheap.bids, asks: [level("98")] });
  catalogue.apply("markets", [2], [market(2, "SPOT", "0.001", { operatorStatus: "MAINTENANCE" })]);
  catalogue.apply("symbols", [2], [symbol(2, 2)]);
  expect(told).toHaveLength(2);
  catalogue.apply("markets", [2], [market(2, "SPOT")]);
  expect(briefly(told.slice(2))).toEqual([["id-2", 1, 2, false]]);
  catalogue.apply("markets", [1], [market(1, "SPOT", "0.001", { operatorStatus: "MAINTENANCE" })]);
  expect(briefly(told.slice(3))).toEqual([["id-2", 1, 2, true]]);
  watch.close();
});
