import fc from "fast-check";
import { expect, test } from "vitest";
import { d } from "../../test/support/orders.js";
import { DomainError } from "../core/errors.js";
import { type RiskExposure, type RiskLimits, refusalOf, riskScopes, riskViolations } from "./risk-rules.js";

const noLimits: RiskLimits = {
  scope: "USER",
  maxOrderSize: null,
  maxPositionSize: null,
  maxLeverage: null,
  maxDailyLoss: null,
  maxDailyLossPercent: null,
  maxDrawdownPercent: null,
  maxOpenPositions: null,
};
const exposure: RiskExposure = {
  onlyReduces: false,
  orderValue: d(1_000),
  leverage: 5,
  positionValueBefore: d(0),
  positionValueAfter: d(1_000),
  openPositionsAfter: 3,
  equity: d(9_000),
  equityAtMidnight: d(10_000),
  highestEquity: d(12_000),
};
const exceeded = (limits: Partial<RiskLimits>, change: Partial<RiskExposure> = {}) =>
  riskViolations({ ...exposure, ...change }, [{ ...noLimits, ...limits }]).map(
    ({ limit, value, allowed }) => `${limit} ${value.toFixed()} > ${allowed.toFixed()}`,
  );

test.each<[Partial<RiskLimits>, Partial<RiskLimits>, string]>([
  [{ maxOrderSize: d(1_000) }, { maxOrderSize: d("999.99") }, "maxOrderSize 1000 > 999.99"],
  [{ maxPositionSize: d(1_000) }, { maxPositionSize: d(500) }, "maxPositionSize 1000 > 500"],
  [{ maxLeverage: 5 }, { maxLeverage: 4 }, "maxLeverage 5 > 4"],
  [{ maxOpenPositions: 3 }, { maxOpenPositions: 2 }, "maxOpenPositions 3 > 2"],
  [{ maxDailyLoss: d(1_001) }, { maxDailyLoss: d(1_000) }, "maxDailyLoss 1000 > 1000"],
  [{ maxDailyLossPercent: d("10.1") }, { maxDailyLossPercent: d(10) }, "maxDailyLossPercent 10 > 10"],
  [{ maxDrawdownPercent: d(26) }, { maxDrawdownPercent: d(25) }, "maxDrawdownPercent 25 > 25"],
])("%j allows what %j refuses", (allowing, refusing, violation) => {
  expect(exceeded(allowing)).toEqual([]);
  expect(exceeded(refusing)).toEqual([violation]);
});

test("a limit of zero allows nothing, and no limit allows everything", () => {
  expect(exceeded({ maxOrderSize: d(0), maxLeverage: 0 })).toHaveLength(2);
  expect(exceeded({})).toEqual([]);
});

test("without equity every loss is a whole one", () => {
  const ruined = { equity: d(-5), equityAtMidnight: d(0), highestEquity: d(0) };
  expect(exceeded({ maxDailyLossPercent: d(5) }, ruined)).toEqual(["maxDailyLossPercent 100 > 5"]);
  const empty = { equity: d(0), equityAtMidnight: d(0), highestEquity: d(0) };
  expect(exceeded({ maxDailyLossPercent: d(5), maxDailyLoss: d(5) }, empty)).toEqual([]);
});

test("adding to a position opens none", () => {
  expect(exceeded({ maxOpenPositions: 2 }, { positionValueBefore: d(1), openPositionsAfter: 3 })).toEqual([]);
});

const limits = fc.record({
  scope: fc.constantFrom(...riskScopes),
  maxOrderSize: fc.option(fc.integer({ min: 0, max: 2_000 }).map(d)),
  maxPositionSize: fc.option(fc.integer({ min: 0, max: 2_000 }).map(d)),
  maxLeverage: fc.option(fc.integer({ min: 0, max: 10 })),
  maxDailyLoss: fc.option(fc.integer({ min: 0, max: 2_000 }).map(d)),
  maxDailyLossPercent: fc.option(fc.integer({ min: 0, max: 20 }).map(d)),
  maxDrawdownPercent: fc.option(fc.integer({ min: 0, max: 50 }).map(d)),
  maxOpenPositions: fc.option(fc.integer({ min: 0, max: 5 })),
});

test("an order is allowed exactly when every single set of limits allows it", () => {
  fc.assert(
    fc.property(fc.array(limits, { maxLength: 4 }), (all) => {
      const together = riskViolations(exposure, all);
      const apart = all.map((one) => riskViolations(exposure, [one]).length);
      expect(together.length).toBe(apart.reduce((sum, count) => sum + count, 0));
      const order = together.map(({ scope }) => riskScopes.indexOf(scope));
      expect(order).toEqual([...order].sort((a, b) => a - b));
    }),
  );
});

test("what only makes a position smaller is never refused", () => {
  fc.assert(
    fc.property(fc.array(limits), fc.integer({ min: 0, max: 999 }), (all, after) => {
      const smaller = { ...exposure, positionValueBefore: d(1_000), positionValueAfter: d(after) };
      expect(riskViolations({ ...smaller, onlyReduces: true }, all)).toEqual([]);
    }),
  );
});

test("what turns a position round is held to the limits, however little is held afterwards", () => {
  const turned = { positionValueBefore: d(1_000), positionValueAfter: d(900) };
  expect(exceeded({ maxLeverage: 4, maxDailyLoss: d(1_000) }, turned)).toEqual([
    "maxLeverage 5 > 4",
    "maxDailyLoss 1000 > 1000",
  ]);
});

test("the error tells limit, scope, value and what is allowed", () => {
  const violations = riskViolations(exposure, [
    { ...noLimits, maxLeverage: 4 },
    { ...noLimits, scope: "GLOBAL", maxLeverage: 3 },
  ]);
  expect(refusalOf(violations)).toBeInstanceOf(DomainError);
  expect(refusalOf(violations)).toMatchObject({
    code: "RISK_LIMIT_EXCEEDED",
    details: { field: "leverage", limit: "maxLeverage", scope: "GLOBAL", value: "5", allowed: "3" },
  });
});
