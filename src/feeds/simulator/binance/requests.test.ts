import { describe, expect, test } from "vitest";
import { answerRequest, maxRequestBytes } from "./requests.js";

const current = { streams: new Set(["btcusdt@bookTicker"]), combined: true };
const ask = (request: unknown, maxStreams = 1024) =>
  answerRequest(typeof request === "string" ? request : JSON.stringify(request), current, maxStreams);
const reply = (request: unknown, maxStreams?: number): unknown => JSON.parse(ask(request, maxStreams).reply);

describe("requests that are granted", () => {
  test.each([
    [
      { method: "SUBSCRIBE", params: ["btcusdt@aggTrade", "nosuch@thing", "!ticker@arr"], id: 1 },
      { result: null, id: 1 },
      { kind: "subscribe", streams: ["btcusdt@aggTrade", "nosuch@thing", "!ticker@arr"] },
    ],
    [
      { method: "UNSUBSCRIBE", params: ["btcusdt@bookTicker"], id: "a1b2" },
      { result: null, id: "a1b2" },
      { kind: "unsubscribe", streams: ["btcusdt@bookTicker"] },
    ],
    [{ method: "LIST_SUBSCRIPTIONS", id: 3 }, { result: ["btcusdt@bookTicker"], id: 3 }, null],
    [{ method: "GET_PROPERTY", params: ["combined"], id: 4 }, { result: true, id: 4 }, null],
    [
      { method: "SET_PROPERTY", params: ["combined", false], id: null },
      { result: null, id: null },
      { kind: "combined", combined: false },
    ],
  ])("%j", (request, expected, change) => {
    expect(reply(request)).toEqual(expected);
    expect(ask(request).change).toEqual(change);
  });
});

describe("requests that are refused", () => {
  test.each([
    [
      '{"method":"SUBSCRIBE"',
      { code: 3, msg: "Invalid JSON: EOF while parsing a value at line 1 column 21" },
      undefined,
    ],
    ["hello", { code: 3, msg: "Invalid JSON: expected value at line 1 column 1" }, undefined],
    ["[]", { code: 2, msg: "Invalid request: missing field `method` at line 1 column 2" }, undefined],
    [{ id: 7 }, { code: 2, msg: "Invalid request: missing field `method` at line 1 column 8" }, 7],
    [
      { method: "LISTEN", params: [], id: 7 },
      {
        code: 2,
        msg: "Invalid request: unknown variant `LISTEN`, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY` at line 1 column 18",
      },
      7,
    ],
    [
      { method: "LIST_SUBSCRIPTIONS" },
      { code: 2, msg: "Invalid request: request ID must be an unsigned integer" },
      undefined,
    ],
    [
      { method: "LIST_SUBSCRIPTIONS", id: 1.5 },
      { code: 2, msg: "Invalid request: request ID must be an unsigned integer" },
      undefined,
    ],
    [{ method: "LIST_SUBSCRIPTIONS", params: [1], id: 7 }, { code: 2, msg: "Invalid request: too many parameters" }, 7],
    [
      { method: "SUBSCRIBE", id: 7 },
      { code: 2, msg: "Invalid request: missing field `params` at line 1 column 29" },
      7,
    ],
    [{ method: "SUBSCRIBE", params: ["btcusdt"], id: 7 }, { code: 2, msg: "Invalid request: invalid stream" }, 7],
    [{ method: "UNSUBSCRIBE", params: [7], id: 7 }, { code: 2, msg: "Invalid request: invalid stream" }, 7],
    [
      { method: "GET_PROPERTY", params: [], id: 7 },
      { code: 2, msg: "Invalid request: property name must be a string" },
      7,
    ],
    [
      { method: "GET_PROPERTY", params: ["combined", 1], id: 7 },
      { code: 2, msg: "Invalid request: too many parameters" },
      7,
    ],
    [{ method: "GET_PROPERTY", params: ["colour"], id: 7 }, { code: 0, msg: "Unknown property" }, 7],
    [
      { method: "SET_PROPERTY", params: ["combined", 1], id: 7 },
      { code: 1, msg: "Invalid value type: expected Boolean" },
      7,
    ],
  ])("%j", (request, error, id) => {
    expect(reply(request)).toEqual(id === undefined ? { error } : { error, id });
    expect(ask(request).change).toBeNull();
  });

  test("more streams than a connection may have; those it has already do not count twice", () => {
    const request = (...params: string[]) => ({ method: "SUBSCRIBE", params, id: 1 });
    expect(reply(request("btcusdt@bookTicker", "a@b"), 2)).toEqual({ result: null, id: 1 });
    expect(reply(request("a@b", "c@d"), 2)).toEqual({ error: { code: 4, msg: "Too many subscriptions" }, id: 1 });
  });

  test("a message longer than the exchange reads", () => {
    const params = Array.from({ length: 300 }, (_, index) => `coin${index}usdt@aggTrade`);
    expect(reply({ method: "SUBSCRIBE", params, id: 1 })).toEqual({
      error: { code: 3, msg: `Invalid JSON: EOF while parsing a string at line 1 column ${maxRequestBytes}` },
    });
  });
});
