import { json, type RestAnswer } from "../face.js";
import type { SimulatedAccount } from "../trading/account.js";
import type { MatchingEngine } from "../trading/engine.js";
import { Refused, type SimulatedOrder } from "../trading/order.js";
import {
  accountAnswer,
  cancelAnswer,
  newOrderAnswer,
  orderAnswer,
  restrictionsAnswer,
  tradeAnswer,
} from "./order-payloads.js";
import { readClientId, readOrder, required } from "./order-requests.js";
import { mandatory, readInteger } from "./signed-requests.js";

export interface PrivateRequest {
  readonly account: SimulatedAccount;
  readonly parameters: URLSearchParams;
  readonly engine: MatchingEngine;
  /** Whether there is such a symbol. */
  readonly isListed: (symbol: string) => boolean;
}

type Handler = (request: PrivateRequest) => object;

/** By method and path. @see https://developers.binance.com/docs/binance-spot-api-docs/rest-api/trading-endpoints */
const handlers: Readonly<Record<string, Handler>> = {
  "GET /api/v3/account": ({ account }) => accountAnswer(account),
  "GET /sapi/v1/account/apiRestrictions": ({ account }) => restrictionsAnswer(account),
  "POST /api/v3/order": placeOrder,
  "GET /api/v3/order": (request) => orderAnswer(namedOrder(request) ?? unknownOrder()),
  "DELETE /api/v3/order": (request) => cancelAnswer(cancelOrder(request)),
  "POST /api/v3/order/cancelReplace": cancelReplace,
  "GET /api/v3/openOrders": openOrders,
  "GET /api/v3/allOrders": allOrders,
  "GET /api/v3/myTrades": myTrades,
};

export const isPrivate = (method: string, path: string): boolean => Object.hasOwn(handlers, `${method} ${path}`);

/** The answer to a request whose signature has been checked. */
export function answerPrivate(method: string, path: string, request: PrivateRequest): RestAnswer {
  return answered(() => json(200, handlers[`${method} ${path}`]?.(request) ?? {}));
}

/** Refusals in the exchange's form. */
export function answered(work: () => RestAnswer): RestAnswer {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const { status, code, message, data } = error;
    return json(status, { code, msg: message, ...(data === null ? {} : { data }) });
  }
}

function placeOrder({ account, parameters, engine }: PrivateRequest): object {
  const asked = readOrder(parameters);
  const before = account.trades.length;
  const order = engine.place(account, asked);
  const isPlain = order.type === "LIMIT" || order.type === "MARKET";
  const kind = parameters.get("newOrderRespType") ?? (isPlain ? "FULL" : "ACK");
  return newOrderAnswer(order, tradesSince(account, before, order), kind);
}

/** The list forgets its oldest, so it is searched from its end. */
const tradesSince = (account: SimulatedAccount, before: number, order: SimulatedOrder) =>
  account.trades
    .slice(Math.max(0, Math.min(before, account.trades.length) - 100))
    .filter(({ orderId }) => orderId === order.id);

function namedOrder({ account, parameters, isListed }: PrivateRequest): SimulatedOrder | undefined {
  const symbol = listed(required(parameters, "symbol"), isListed);
  const orderId = readInteger(parameters, "orderId");
  const clientOrderId = readClientId(parameters, "origClientOrderId");
  if (orderId === null && clientOrderId === null) {
    throw new Refused(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!");
  }
  return account.find(symbol, orderId, clientOrderId);
}

function unknownOrder(): never {
  throw new Refused(-2013, "Order does not exist.");
}

const cancelOrder = (request: PrivateRequest): SimulatedOrder =>
  request.engine.cancel(request.account, namedOrder(request), readClientId(request.parameters, "newClientOrderId"));

function cancelReplace(request: PrivateRequest): object {
  const { account, parameters, engine, isListed } = request;
  const mode = required(parameters, "cancelReplaceMode");
  if (mode !== "STOP_ON_FAILURE" && mode !== "ALLOW_FAILURE") throw mandatory("cancelReplaceMode");
  const asked = readOrder(parameters);
  const orderId = readInteger(parameters, "cancelOrderId");
  const clientOrderId = readClientId(parameters, "cancelOrigClientOrderId");
  if (orderId === null && clientOrderId === null) throw mandatory("cancelOrderId");
  const old = account.find(listed(asked.symbol, isListed), orderId, clientOrderId);
  const canceled = attempt(() => {
    const restriction = parameters.get("cancelRestrictions");
    if (old?.isOpen && (restriction ?? `ONLY_${old.status}`) !== `ONLY_${old.status}`) {
      throw new Refused(-2011, "Order was not canceled due to cancel restrictions.");
    }
    return cancelAnswer(engine.cancel(account, old, readClientId(parameters, "cancelNewClientOrderId")));
  });
  if (canceled.isRefused && mode === "STOP_ON_FAILURE") {
    throw new Refused(-2022, "Order cancel-replace failed.", 400, {
      cancelResult: "FAILURE",
      newOrderResult: "NOT_ATTEMPTED",
      cancelResponse: canceled.answer,
      newOrderResponse: null,
    });
  }
  const placed = attempt(() => placeOrder(request));
  const answer = {
    cancelResult: canceled.isRefused ? "FAILURE" : "SUCCESS",
    newOrderResult: placed.isRefused ? "FAILURE" : "SUCCESS",
    cancelResponse: canceled.answer,
    newOrderResponse: placed.answer,
  };
  if (canceled.isRefused && placed.isRefused) throw new Refused(-2022, "Order cancel-replace failed.", 400, answer);
  if (canceled.isRefused || placed.isRefused) {
    throw new Refused(-2021, "Order cancel-replace partially failed.", 409, answer);
  }
  return answer;
}

function attempt(work: () => object): { readonly isRefused: boolean; readonly answer: object } {
  try {
    return { isRefused: false, answer: work() };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { isRefused: true, answer: { code: error.code, msg: error.message } };
  }
}

function openOrders({ account, parameters, isListed }: PrivateRequest): object {
  const symbol = parameters.get("symbol");
  if (symbol !== null) listed(symbol, isListed);
  return [...account.openOrders.values()]
    .filter((order) => symbol === null || order.symbol === symbol)
    .map(orderAnswer);
}

function allOrders({ account, parameters, isListed }: PrivateRequest): object {
  const symbol = listed(required(parameters, "symbol"), isListed);
  const fromId = readInteger(parameters, "orderId");
  const limit = Math.min(readInteger(parameters, "limit") ?? 500, 1_000);
  const found = [...account.orders.values()].filter(
    (order) => order.symbol === symbol && (fromId === null || order.id >= fromId),
  );
  return (fromId === null ? found.slice(-limit) : found.slice(0, limit)).map(orderAnswer);
}

/** The latest ones, or the first ones from an id or a time on. */
function myTrades({ account, parameters, isListed }: PrivateRequest): object {
  const symbol = listed(required(parameters, "symbol"), isListed);
  const orderId = readInteger(parameters, "orderId");
  const fromId = readInteger(parameters, "fromId");
  const startMs = readInteger(parameters, "startTime");
  const endMs = readInteger(parameters, "endTime");
  if (fromId !== null && (startMs !== null || endMs !== null)) {
    throw new Refused(-1128, "Combination of optional parameters invalid.");
  }
  if (orderId !== null && (startMs !== null || endMs !== null)) {
    throw new Refused(-1128, "Combination of optional parameters invalid.");
  }
  const limit = Math.min(readInteger(parameters, "limit") ?? 500, 1_000);
  const found = account.trades.filter(
    (trade) =>
      trade.symbol === symbol &&
      (orderId === null || trade.orderId === orderId) &&
      (fromId === null || trade.id >= fromId) &&
      (startMs === null || trade.atMs >= startMs) &&
      (endMs === null || trade.atMs <= endMs),
  );
  const isFromStart = fromId !== null || startMs !== null;
  return (isFromStart ? found.slice(0, limit) : found.slice(-limit)).map(tradeAnswer);
}

function listed(symbol: string, isListed: (symbol: string) => boolean): string {
  if (!isListed(symbol)) throw new Refused(-1121, "Invalid symbol.");
  return symbol;
}
