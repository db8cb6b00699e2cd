import { Decimal } from "../../../core/decimal.js";
import { readClientId, required } from "../binance/order-requests.js";
import { mandatory, readInteger } from "../binance/signed-requests.js";
import { type SimulatedInstrument, tickerOf } from "../instruments.js";
import { Refused } from "../trading/order.js";
import type { FuturesAccount } from "./account.js";
import type { FuturesEngine } from "./engine.js";
import { type FuturesOrder, type FuturesOrderRequest, futuresTimesInForce, type PositionSide } from "./order.js";
import { accountAnswer, incomeAnswer, orderAnswer, positionAnswer, tradeAnswer } from "./payloads.js";

export interface FuturesRequest {
  readonly account: FuturesAccount;
  readonly parameters: URLSearchParams;
  readonly engine: FuturesEngine;
  readonly instruments: readonly SimulatedInstrument[];
}

type Handler = (request: FuturesRequest) => unknown;

const maxLeverage = 125;

/** By method and path. @see https://developers.binance.com/docs/derivatives/usds-margined-futures/trade/rest-api */
const handlers: Readonly<Record<string, Handler>> = {
  "GET /fapi/v3/account": ({ account }) => accountAnswer(account),
  "GET /fapi/v3/positionRisk": ({ account, parameters }) =>
    account.openPositions(parameters.get("symbol")).map((position) => positionAnswer(account, position)),
  "GET /fapi/v1/leverageBracket": ({ instruments }) =>
    instruments.map((instrument) => ({
      symbol: tickerOf(instrument),
      brackets: [
        { bracket: 1, initialLeverage: maxLeverage, notionalFloor: 0, notionalCap: 1e9, maintMarginRatio: 0.004 },
      ],
    })),
  "POST /fapi/v1/leverage": setLeverage,
  "POST /fapi/v1/marginType": setMarginType,
  "GET /fapi/v1/positionSide/dual": ({ account }) => ({ dualSidePosition: account.isHedged }),
  "POST /fapi/v1/positionSide/dual": setPositionMode,
  "POST /fapi/v1/order": ({ account, parameters, engine }) => orderAnswer(engine.place(account, readOrder(parameters))),
  "GET /fapi/v1/order": (request) => {
    const order = namedOrder(request);
    if (order === undefined) throw new Refused(-2013, "Order does not exist.");
    return orderAnswer(order);
  },
  "PUT /fapi/v1/order": (request) => {
    const { account, parameters, engine } = request;
    const [quantity, price] = [amount(parameters, "quantity"), amount(parameters, "price")];
    if (quantity === null) throw mandatory("quantity");
    if (price === null) throw mandatory("price");
    return orderAnswer(engine.modify(account, namedOrder(request), quantity, price));
  },
  "DELETE /fapi/v1/order": (request) => orderAnswer(request.engine.cancel(request.account, namedOrder(request))),
  "GET /fapi/v1/openOrders": ({ account, parameters }) => account.openOrders(parameters.get("symbol")).map(orderAnswer),
  "GET /fapi/v1/allOrders": ({ account, parameters }) =>
    since([...account.orders.values()].filter(ofSymbol(parameters)), parameters, ({ createdAtMs }) => createdAtMs).map(
      orderAnswer,
    ),
  "GET /fapi/v1/userTrades": ({ account, parameters }) => {
    const orderId = readInteger(parameters, "orderId");
    const found = account.trades
      .filter(ofSymbol(parameters))
      .filter((trade) => orderId === null || trade.orderId === orderId);
    return since(found, parameters, ({ atMs }) => atMs).map(tradeAnswer);
  },
  "GET /fapi/v1/income": ({ account, parameters }) =>
    since(account.income.filter(ofSymbol(parameters)), parameters, ({ atMs }) => atMs).map(incomeAnswer),
  "GET /fapi/v1/forceOrders": ({ account, parameters }) =>
    since(account.liquidations.filter(ofSymbol(parameters)), parameters, ({ createdAtMs }) => createdAtMs).map(
      orderAnswer,
    ),
};

export const isFuturesRequest = (method: string, path: string): boolean =>
  Object.hasOwn(handlers, `${method} ${path}`) || path === "/fapi/v1/listenKey";

/** @throws {Refused} */
export const answerFutures = (method: string, path: string, request: FuturesRequest): unknown =>
  handlers[`${method} ${path}`]?.(request) ?? {};

const ofSymbol =
  (parameters: URLSearchParams) =>
  ({ symbol }: { readonly symbol: string }): boolean =>
    (parameters.get("symbol") ?? symbol) === symbol;

/** The first ones from a time on, or the latest. */
function since<T>(found: readonly T[], parameters: URLSearchParams, timeOf: (one: T) => number): T[] {
  const startMs = readInteger(parameters, "startTime");
  const endMs = readInteger(parameters, "endTime");
  const limit = Math.min(readInteger(parameters, "limit") ?? 500, 1_000);
  const within = found.filter((one) => timeOf(one) >= (startMs ?? 0) && timeOf(one) <= (endMs ?? Number.MAX_VALUE));
  return startMs === null ? within.slice(-limit) : within.slice(0, limit);
}

function setLeverage({ account, parameters }: FuturesRequest): object {
  const symbol = required(parameters, "symbol");
  const leverage = readInteger(parameters, "leverage");
  if (leverage === null || leverage < 1 || leverage > maxLeverage) {
    throw new Refused(-4028, `Leverage ${leverage ?? ""} is not valid`);
  }
  account.setLeverage(symbol, leverage);
  return { leverage, maxNotionalValue: "1000000000", symbol };
}

function setMarginType({ account, parameters }: FuturesRequest): object {
  const symbol = required(parameters, "symbol");
  const isIsolated = required(parameters, "marginType") === "ISOLATED";
  if (account.isolated.has(symbol) === isIsolated) throw new Refused(-4046, "No need to change margin type.");
  if (account.openOrders(symbol).length > 0) {
    throw new Refused(-4047, "Margin type cannot be changed if there exists open orders.");
  }
  if (account.openPositions(symbol).length > 0) {
    throw new Refused(-4048, "Margin type cannot be changed if there exists position.");
  }
  if (isIsolated) account.isolated.add(symbol);
  else account.isolated.delete(symbol);
  return { code: 200, msg: "success" };
}

function setPositionMode({ account, parameters }: FuturesRequest): object {
  const isHedged = required(parameters, "dualSidePosition") === "true";
  if (account.isHedged === isHedged) throw new Refused(-4059, "No need to change position side.");
  if (account.openOrders().length > 0) {
    throw new Refused(-4067, "Position side cannot be changed if there exists open orders.");
  }
  if (account.openPositions().length > 0) {
    throw new Refused(-4068, "Position side cannot be changed if there exists position.");
  }
  account.isHedged = isHedged;
  return { code: 200, msg: "success" };
}

function namedOrder({ account, parameters }: FuturesRequest): FuturesOrder | undefined {
  const orderId = readInteger(parameters, "orderId");
  const clientOrderId = readClientId(parameters, "origClientOrderId");
  if (orderId === null && clientOrderId === null) {
    throw new Refused(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!");
  }
  return account.find(required(parameters, "symbol"), orderId, clientOrderId);
}

/** @throws {Refused} */
function readOrder(parameters: URLSearchParams): FuturesOrderRequest {
  const type = required(parameters, "type");
  const side = required(parameters, "side");
  if (type !== "LIMIT" && type !== "MARKET") throw new Refused(-1116, "Invalid orderType.");
  if (side !== "BUY" && side !== "SELL") throw new Refused(-1117, "Invalid side.");
  const quantity = amount(parameters, "quantity");
  const price = amount(parameters, "price");
  const timeInForce = futuresTimesInForce.find((known) => known === parameters.get("timeInForce"));
  if (quantity === null) throw mandatory("quantity");
  if (type === "LIMIT" && price === null) throw mandatory("price");
  if (type === "LIMIT" && timeInForce === undefined) throw mandatory("timeInForce");
  if (type === "MARKET" && price !== null) throw new Refused(-1106, "Parameter 'price' sent when not required.");
  const positionSide = (parameters.get("positionSide") ?? "BOTH") as PositionSide;
  const reduceOnly = parameters.get("reduceOnly") === "true";
  if (reduceOnly && positionSide !== "BOTH") throw new Refused(-1106, "Parameter 'reduceonly' sent when not required.");
  return {
    symbol: required(parameters, "symbol"),
    clientOrderId: readClientId(parameters, "newClientOrderId") ?? `web_${Math.random().toString(36).slice(2)}`,
    side,
    positionSide,
    type,
    timeInForce: timeInForce ?? "GTC",
    quantity,
    price,
    reduceOnly,
  };
}

function amount(parameters: URLSearchParams, name: string): Decimal | null {
  const given = parameters.get(name);
  if (given === null) return null;
  if (!/^\d{1,20}(\.\d{1,20})?$/.test(given))
    throw new Refused(-1100, `Illegal characters found in parameter '${name}'.`);
  const value = new Decimal(given);
  if (value.isZero()) throw new Refused(-4003, `${name} less than or equal to zero.`);
  return value;
}
