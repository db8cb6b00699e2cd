import {
  AuthenticationError,
  BadRequest,
  BadSymbol,
  DDoSProtection,
  ExchangeError,
  ExchangeNotAvailable,
  InsufficientFunds,
  InvalidNonce,
  InvalidOrder,
  NetworkError,
  OrderImmediatelyFillable,
  OrderNotFound,
  RequestTimeout,
} from "ccxt";
import { expect, test } from "vitest";
import { failureOf, type HeardAnswer, scrub } from "./failures.js";
import { NotSent } from "./library.js";

const url = "binance POST https://api.binance.com/api/v3/order?apiKey=KEY&signature=abc";
const heard = (status: number, body: unknown, retryAfterMs: number | null = null): HeardAnswer => ({
  status,
  body,
  retryAfterMs,
});
const code = (number: number, msg: string, status = 400) => heard(status, { code: number, msg });

test.each<[unknown, HeardAnswer | null, object]>([
  [new RequestTimeout(url), null, { kind: "unknown", reason: "the exchange did not answer in time" }],
  [new NetworkError(url), null, { kind: "unknown", reason: "the connection to the exchange was lost" }],
  [
    new ExchangeNotAvailable(url),
    heard(503, undefined),
    { kind: "unknown", reason: "the exchange answered with HTTP 503" },
  ],
  [new RequestTimeout(url), code(-1007, "Execution status unknown.", 503), { kind: "unknown" }],
  [new ExchangeError(url), heard(502, { msg: "Bad gateway" }), { kind: "unknown" }],
  [new TypeError(`cannot read ${url}`), null, { kind: "unknown", reason: "the request failed" }],
  ["a string", null, { kind: "unknown" }],
  [new NotSent("the exchange cannot be reached"), null, { kind: "refused", code: "VENUE_REJECTED" }],
  [new DDoSProtection(url), heard(429, {}, 7_000), { kind: "limited", retryAfterMs: 7_000 }],
  [new DDoSProtection(url), heard(418, {}), { kind: "limited", retryAfterMs: 10_000 }],
  [new DDoSProtection(url), heard(418, {}, 1e12), { kind: "limited", retryAfterMs: 259_200_000 }],
  [new AuthenticationError(url), code(-2014, "API-key format invalid.", 401), { kind: "unauthorised" }],
  [new DDoSProtection(url), code(-2015, "Invalid API-key", 401), { kind: "unauthorised", reason: "Invalid API-key" }],
  [new InvalidNonce(url), code(-1021, "Timestamp"), { kind: "clock" }],
  [new OrderNotFound(url), code(-2013, "Order does not exist."), { kind: "missing" }],
  [new ExchangeError(url), code(-2011, "Unknown order sent."), { kind: "missing" }],
  [new ExchangeError(url), code(-2010, "Duplicate order sent."), { kind: "duplicate" }],
  [new InsufficientFunds(url), code(-2010, "Account has insufficient balance"), { code: "INSUFFICIENT_BALANCE" }],
  [new OrderImmediatelyFillable(url), code(-2010, "Order would immediately match"), { code: "WOULD_TAKE" }],
  [new BadRequest(url), code(-1013, "Filter failure: NOTIONAL"), { code: "MIN_NOTIONAL" }],
  [new InvalidOrder(url), code(-1013, "Filter failure: LOT_SIZE"), { code: "QUANTITY_OUT_OF_RANGE" }],
  [new InvalidOrder(url), code(-1013, "Filter failure: PRICE_FILTER"), { code: "PRICE_OUT_OF_RANGE" }],
  [
    new ExchangeError(url),
    heard(200, { retCode: 170131, retMsg: "Balance insufficient." }),
    { code: "INSUFFICIENT_BALANCE" },
  ],
  [
    new ExchangeError(url),
    heard(200, { code: "1", msg: "", data: [{ sMsg: "Order price is off" }] }),
    { reason: "Order price is off" },
  ],
  [
    new ExchangeError(url),
    heard(400, { label: "INVALID", message: "Too many" }),
    { code: "VENUE_REJECTED", reason: "Too many" },
  ],
  [new BadSymbol(url), null, { kind: "refused", code: "SYMBOL_NOT_TRADING" }],
  [new InvalidOrder(url), null, { kind: "refused", reason: "the request failed (InvalidOrder)" }],
])("%s, %j", (error, answer, expected) => {
  const failure = failureOf(error, answer, ["KEY"]);
  expect(failure).toMatchObject(expected);
  expect(JSON.stringify({ ...failure, body: null })).not.toMatch(/KEY|signature|https/);
});

test("secrets never show", () => {
  const text = 'GET /x?timestamp=1&signature=0a1b "X-MBX-APIKEY": "KEY"\n{"apiKey":"other"} listenKey=zz';
  expect(scrub(text, ["KEY", ""])).toBe(
    'GET /x?timestamp=1&signature=[secret] "X-MBX-API[secret]": "[secret]" {"apiKey":"[secret]"} listenKey=[secret]',
  );
  expect(scrub("x".repeat(1_000), [])).toHaveLength(200);
});
