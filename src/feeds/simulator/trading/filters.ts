import { Decimal } from "../../../core/decimal.js";
import type { SimulatedInstrument } from "../instruments.js";
import { type OrderRequest, Refused } from "./order.js";

const failure = (filter: string): Refused => new Refused(-1013, `Filter failure: ${filter}`);
const maxOrders = 200;
const maxStopOrders = 5;
const maxNotional = "9000000";
const maxIcebergParts = 10;

/**
 * The rules of a symbol as `exchangeInfo` tells them.
 * @param reference price of the market now
 * @throws {Refused} naming the filter
 */
export function checkFilters(request: OrderRequest, instrument: SimulatedInstrument, reference: Decimal): void {
  const { quantity, price, stopPrice, icebergQuantity } = request;
  if (price !== null) checkPrice(price, instrument);
  if (stopPrice !== null) checkPrice(stopPrice, instrument);
  const { stepSize } = instrument;
  if (quantity.lt(stepSize) || !quantity.mod(stepSize).isZero()) throw failure("LOT_SIZE");
  if (price !== null && (price.gt(reference.times(5)) || price.lt(reference.times("0.2")))) {
    throw failure("PERCENT_PRICE_BY_SIDE");
  }
  const notional = quantity.times(price ?? stopPrice ?? reference);
  if (notional.lt(instrument.minNotional)) throw failure("NOTIONAL");
  if (price !== null && notional.gt(maxNotional)) throw failure("NOTIONAL");
  if (icebergQuantity !== null) {
    if (icebergQuantity.gt(quantity) || !icebergQuantity.mod(stepSize).isZero()) throw failure("LOT_SIZE");
    if (quantity.div(icebergQuantity).gt(maxIcebergParts)) throw failure("ICEBERG_PARTS");
  }
}

export function checkCounts(open: number, openStops: number, isStop: boolean): void {
  if (open >= maxOrders) throw failure("MAX_NUM_ORDERS");
  if (isStop && openStops >= maxStopOrders) throw failure("MAX_NUM_ALGO_ORDERS");
}

function checkPrice(price: Decimal, { tickSize }: SimulatedInstrument): void {
  if (price.lt(tickSize) || price.gt(new Decimal(1_000_000)) || !price.mod(tickSize).isZero()) {
    throw failure("PRICE_FILTER");
  }
}
