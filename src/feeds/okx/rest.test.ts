import { describe, expect, test } from "vitest";
import type { Fields } from "../../../test/support/bad-values.js";
import { DomainError } from "../../core/errors.js";
import { readContractSizes, readSpotInstruments, readSwapInstruments } from "./rest.js";

const spot = {
  instId: "BTC-USDT",
  instType: "SPOT",
  baseCcy: "BTC",
  quoteCcy: "USDT",
  tickSz: "0.10",
  lotSz: "0.00000001",
  minSz: "0.00001",
  maxLmtSz: "9999",
  state: "live",
};
const swap = {
  ...spot,
  instId: "BTC-USDT-SWAP",
  instType: "SWAP",
  baseCcy: "",
  quoteCcy: "",
  ctType: "linear",
  ctVal: "0.01",
  ctMult: "1",
  ctValCcy: "BTC",
  settleCcy: "USDT",
  lotSz: "0.1",
  minSz: "0.1",
};
const listText = (...data: unknown[]) => JSON.stringify({ code: "0", data, msg: "" });
const readSpot = (change: Fields) => readSpotInstruments(listText({ ...spot, ...change }));
const readSwap = (change: Fields) => readSwapInstruments(listText({ ...swap, ...change }));

describe("reading the instrument list", () => {
  test("quantities of swaps are base currency", () => {
    expect(readSwap({}).instruments).toMatchObject([
      { ticker: "BTC-USDT-SWAP", baseCurrency: "BTC", stepSize: "0.001", minQuantity: "0.001", maxQuantity: "99.99" },
    ]);
  });

  test.each(["suspend", "preopen", "rebase"])("%s cannot be traded now", (state) => {
    expect(readSpot({ state }).instruments[0]?.status).toBe("HALT");
  });

  test("test pairs and inverse swaps are none of ours", () => {
    expect(readSpot({ state: "test" })).toEqual({ instruments: [], brokenTickers: [], leftOut: new Map() });
    expect(readSwap({ ctType: "inverse", ctValCcy: "USD" })).toEqual({
      instruments: [],
      brokenTickers: [],
      leftOut: new Map(),
    });
  });

  test.each([
    [{ instId: 5 }, "names"],
    [{ baseCcy: "" }, "names"],
    [{ quoteCcy: null }, "names"],
    [{ state: undefined }, "state"],
    [{ tickSz: "" }, "tick-size"],
    [{ tickSz: "0" }, "tick-size"],
    [{ lotSz: "1e40" }, "lot-size"],
    [{ minSz: "-1" }, "lot-size"],
    [{ minSz: "2", maxLmtSz: "1" }, "lot-size"],
  ])("a broken spot entry is left out: %j", (change, reason) => {
    expect(readSpot(change)).toMatchObject({ instruments: [], leftOut: new Map([[reason, 1]]) });
  });

  test.each([
    [{ ctType: "" }, "contract-type"],
    [{ ctVal: "0" }, "contract-size"],
    [{ ctMult: null }, "contract-size"],
    [{ ctValCcy: "" }, "names"],
    [{ ctVal: "99999999999999999999", lotSz: "1000" }, "lot-size"],
  ])("a broken swap entry is left out: %j", (change, reason) => {
    expect(readSwap(change)).toMatchObject({ instruments: [], leftOut: new Map([[reason, 1]]) });
    expect(readSwapInstruments(listText(null, swap, swap)).leftOut).toEqual(
      new Map([
        ["contract-type", 1],
        ["duplicate", 1],
      ]),
    );
  });

  test.each(["", "[]", "null", "{}", '{"code":"50011","msg":"Too Many Requests"}', '{"code":"0","data":{}}'])(
    "no list: %j",
    (text) => {
      expect(() => readSpotInstruments(text)).toThrow(DomainError);
      expect(() => readContractSizes(text)).toThrow(DomainError);
    },
  );
});
