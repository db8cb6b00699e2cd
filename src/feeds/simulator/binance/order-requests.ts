import { randomBytes } from "node:crypto";
import { Decimal } from "../../../core/decimal.js";
import {
  type OrderRequest,
  orderTypes,
  Refused,
  type SimulatedOrderType,
  type SimulatedTimeInForce,
  timesInForce,
} from "../trading/order.js";
import { mandatory, readInteger } from "./signed-requests.js";

const clientIds = /^[.A-Z:/a-z0-9_-]{1,36}$/;

/**
 * What an order of each type needs, and what it must not have.
 * @see https://developers.binance.com/docs/binance-spot-api-docs/rest-api/trading-endpoints#new-order-trade
 */
const needs: Readonly<Record<SimulatedOrderType, { price: boolean; stop: boolean; timeInForce: boolean }>> = {
  LIMIT: { price: true, stop: false, timeInForce: true },
  LIMIT_MAKER: { price: true, stop: false, timeInForce: false },
  MARKET: { price: false, stop: false, timeInForce: false },
  STOP_LOSS: { price: false, stop: true, timeInForce: false },
  STOP_LOSS_LIMIT: { price: true, stop: true, timeInForce: true },
  TAKE_PROFIT: { price: false, stop: true, timeInForce: false },
  TAKE_PROFIT_LIMIT: { price: true, stop: true, timeInForce: true },
};

/** @throws {Refused} */
export function readOrder(parameters: URLSearchParams): OrderRequest {
  const symbol = required(parameters, "symbol");
  const side = required(parameters, "side");
  if (side !== "BUY" && side !== "SELL") throw new Refused(-1117, "Invalid side.");
  const type = required(parameters, "type") as SimulatedOrderType;
  if (!orderTypes.includes(type)) throw new Refused(-1116, "Invalid orderType.");
  const need = needs[type];
  const quantity = readAmount(parameters, "quantity") ?? missing("quantity");
  const price = readAmount(parameters, "price");
  const stopPrice = readAmount(parameters, "stopPrice");
  const trailingDelta = readInteger(parameters, "trailingDelta");
  const timeInForce = readTimeInForce(parameters);
  if (need.price && price === null) throw mandatory("price");
  if (!need.price && price !== null) throw notNeeded("price");
  if (need.timeInForce && timeInForce === null) throw mandatory("timeInForce");
  if (!need.timeInForce && timeInForce !== null) throw notNeeded("timeInForce");
  if (need.stop && stopPrice === null && trailingDelta === null) {
    throw new Refused(-1102, "Param 'stopPrice' or 'trailingDelta' must be sent, but both were empty/null!");
  }
  if (!need.stop && stopPrice !== null) throw notNeeded("stopPrice");
  if (!need.stop && trailingDelta !== null) throw notNeeded("trailingDelta");
  if (trailingDelta !== null && (trailingDelta < 10 || trailingDelta > 2_000)) {
    throw new Refused(-1013, "Filter failure: TRAILING_DELTA");
  }
  const icebergQuantity = readAmount(parameters, "icebergQty");
  if (icebergQuantity !== null && timeInForce !== "GTC" && type !== "LIMIT_MAKER") {
    throw new Refused(-1116, "Invalid orderType.");
  }
  return {
    symbol,
    clientOrderId: readClientId(parameters, "newClientOrderId") ?? randomBytes(11).toString("hex"),
    side,
    type,
    timeInForce: timeInForce ?? "GTC",
    quantity,
    price,
    stopPrice,
    trailingDelta,
    icebergQuantity,
  };
}

/** @throws {Refused} when it is there and cannot be one */
export function readClientId(parameters: URLSearchParams, name: string): string | null {
  const id = parameters.get(name);
  if (id !== null && !clientIds.test(id)) {
    throw new Refused(
      -1100,
      `Illegal characters found in parameter '${name}'; legal range is '^[\\.A-Z\\:/a-z0-9_-]{1,36}$'.`,
    );
  }
  return id;
}

/** @throws {Refused} */
export function required(parameters: URLSearchParams, name: string): string {
  const value = parameters.get(name);
  if (!value) throw mandatory(name);
  return value;
}

function readAmount(parameters: URLSearchParams, name: string): Decimal | null {
  const text = parameters.get(name);
  if (text === null) return null;
  if (!/^\d{1,20}(\.\d{1,20})?$/.test(text)) {
    throw new Refused(
      -1100,
      `Illegal characters found in parameter '${name}'; legal range is '^([0-9]{1,20})(\\.[0-9]{1,20})?$'.`,
    );
  }
  const amount = new Decimal(text);
  if (amount.decimalPlaces() > 8) throw new Refused(-1111, `Parameter '${name}' has too much precision.`);
  if (amount.isZero()) throw new Refused(-1013, `Invalid ${name}.`);
  return amount;
}

function readTimeInForce(parameters: URLSearchParams): SimulatedTimeInForce | null {
  const text = parameters.get("timeInForce");
  if (text === null) return null;
  if (!timesInForce.includes(text as SimulatedTimeInForce)) throw new Refused(-1115, "Invalid timeInForce.");
  return text as SimulatedTimeInForce;
}

const notNeeded = (name: string): Refused => new Refused(-1106, `Parameter '${name}' sent when not required.`);

function missing(name: string): never {
  throw mandatory(name);
}
