import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Decimal, decimalPlaces, decimalText, fitsNumeric38, isPositive, parseDecimalText } from "./decimal.js";

describe("decimal text", () => {
  test.each([
    ["64123.12", "64123.12"],
    ["0.35210000", "0.3521"],
    ["000.10", "0.1"],
    ["007", "7"],
    ["-0.00", "0"],
    ["-12.50", "-12.5"],
    ["100", "100"],
    ["0", "0"],
    ["1.000", "1"],
  ])("%s is %s", (raw, canonical) => expect(parseDecimalText(raw)).toBe(canonical));

  test.each(["", " 1", "1e5", "1.", ".5", "+1", "NaN", "Infinity", "0x10", "1,5", "--1", "1".repeat(41), "١"])(
    "%j is no number",
    (raw) => expect(parseDecimalText(raw)).toBeNull(),
  );

  test.each([1, null, undefined, {}, [], true])("%j is no text", (raw) => expect(parseDecimalText(raw)).toBeNull());

  const digits = (min: number, max: number) => fc.stringMatching(new RegExp(`^[0-9]{${min},${max}}$`));
  test("keeps every digit: the text and the number it came from are equal", () => {
    fc.assert(
      fc.property(fc.boolean(), digits(1, 20), digits(0, 18), (negative, whole, fraction) => {
        const raw = `${negative ? "-" : ""}${whole}${fraction === "" ? "" : `.${fraction}`}`;
        const text = parseDecimalText(raw);
        expect(text).not.toBeNull();
        expect(new Decimal(text ?? "NaN").equals(new Decimal(raw))).toBe(true);
        expect(decimalText(new Decimal(raw))).toBe(text);
        expect(fitsNumeric38(decimalText(raw))).toBe(true);
        expect(isPositive(decimalText(raw))).toBe(new Decimal(raw).gt(0));
      }),
    );
  });

  test("numeric(38,18) holds 20 digits before the point and 18 after it", () => {
    expect(fitsNumeric38(decimalText("9".repeat(20)))).toBe(true);
    expect(fitsNumeric38(decimalText("9".repeat(21)))).toBe(false);
    expect(fitsNumeric38(decimalText(`0.${"1".repeat(18)}`))).toBe(true);
    expect(fitsNumeric38(decimalText(`0.${"1".repeat(19)}`))).toBe(false);
  });

  test("decimal places", () => {
    expect(decimalPlaces(decimalText("0.0100"))).toBe(2);
    expect(decimalPlaces(decimalText("10"))).toBe(0);
  });

  test("a value that is no number is refused", () => expect(() => decimalText("abc")).toThrow(RangeError));
});
