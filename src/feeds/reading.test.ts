import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import { Decimal, type DecimalText } from "../core/decimal.js";
import { changeByPercent, changeSince, numberAsText, wholeNumber } from "./reading.js";

const text = (value: string) => value as DecimalText;

describe("the change of a day", () => {
  test.each([
    ["100", "101", "1", "1"],
    ["64000", "63000", "-1000", "-1.5625"],
    ["3", "4", "1", "33.3333"],
    ["3", "2", "-1", "-33.3333"],
    ["0.00001", "0.00001", "0", "0"],
  ])("from %s to %s", (open, last, change, changePercent) => {
    expect(changeSince(text(open), text(last))).toEqual({ open, change, changePercent });
  });

  test.each([
    ["63000", "-1.5625", "64000"],
    ["100", "3", "97.087378640777"],
    ["0.00000001", "100", "0.000000005"],
    ["1", "-99.9999", "1000000"],
  ])("at %s after %s %%", (last, percent, open) => {
    const change = changeByPercent(text(last), text(percent));
    expect(change?.open).toBe(open);
    expect(new Decimal(open).plus(change?.change ?? 0).toFixed()).toBe(last);
  });

  test.each([
    ["1", "-100"],
    ["1", "-250"],
    ["0.0000000000001", "900"],
    ["99999999999999999999", "-99"],
  ])("no beginning: at %s after %s %%", (last, percent) => {
    expect(changeByPercent(text(last), text(percent))).toBeNull();
  });

  test.prop([fc.integer({ min: 1, max: 10 ** 9 }), fc.integer({ min: 1, max: 10 ** 9 })])(
    "what is worked out from prices is right to four digits of a per cent",
    (open, last) => {
      const { changePercent } = changeSince(text(String(open)), text(String(last)));
      const exact = new Decimal(last).minus(open).div(open).times(100);
      expect(exact.minus(changePercent).abs().lte("0.00005")).toBe(true);
    },
  );
});

test.each([
  [5, "5"],
  [-108, "-108"],
  [0.5, "0.5"],
  [1e-7, "1e-7"],
  [2 ** 53, null],
  [1e40, null],
  ["5", "5"],
  [null, null],
])("a number as text: %s", (raw, expected) => {
  expect(numberAsText(raw)).toBe(expected);
});

test.each([
  ["0", 0],
  ["1700000000123", 1_700_000_000_123],
  ["9007199254740991", Number.MAX_SAFE_INTEGER],
  ["9007199254740992", null],
  ["-1", null],
  ["1.5", null],
  ["", null],
  [5, null],
  [undefined, null],
])("a whole number in text: %s", (raw, expected) => {
  expect(wholeNumber(raw)).toBe(expected);
});
