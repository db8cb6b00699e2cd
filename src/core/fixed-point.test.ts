import fc from "fast-check";
import { expect, test } from "vitest";
import { Decimal, decimalText } from "./decimal.js";
import { divideFixedPoint, fromFixedPoint, multiplyFixedPoint, toFixedPoint } from "./fixed-point.js";

const values = fc
  .tuple(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.integer({ min: 0, max: 18 }))
  .map(([digits, places]) => decimalText(new Decimal(digits.toString()).div(new Decimal(10).pow(places))));
const cut = (value: Decimal) => decimalText(value.toDecimalPlaces(18, Decimal.ROUND_DOWN));

test("goes there and back without a loss", () => {
  fc.assert(
    fc.property(values, (text) => {
      expect(fromFixedPoint(toFixedPoint(text))).toBe(text);
    }),
  );
  expect(["0", "-0.5", "0.000000000000000001", "100"].map((t) => fromFixedPoint(toFixedPoint(decimalText(t))))).toEqual(
    ["0", "-0.5", "0.000000000000000001", "100"],
  );
});

test("calculates as decimals do, cut off at the 18th place", () => {
  fc.assert(
    fc.property(values, values, (a, b) => {
      const [x, y] = [toFixedPoint(a), toFixedPoint(b)];
      expect(fromFixedPoint(x + y)).toBe(decimalText(new Decimal(a).plus(b)));
      expect(fromFixedPoint(multiplyFixedPoint(x, y))).toBe(cut(Decimal.clone({ precision: 120 }).mul(a, b)));
      if (y !== 0n)
        expect(fromFixedPoint(divideFixedPoint(x, y))).toBe(cut(Decimal.clone({ precision: 120 }).div(a, b)));
    }),
  );
});
