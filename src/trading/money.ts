import { Decimal } from "../core/decimal.js";

/** What the database keeps after the point, in `numeric(38,18)`. */
const places = 18;

/**
 * Cut at the 18th place. What is paid and received is always cut, and what is locked for it is rounded up: so the parts
 * never add up to more than what was locked for the whole, in however many fills it is executed.
 */
export const cut = (amount: Decimal): Decimal => amount.toDecimalPlaces(places, Decimal.ROUND_DOWN);

export const roundedUp = (amount: Decimal): Decimal => amount.toDecimalPlaces(places, Decimal.ROUND_UP);

/** The value of a fill in quote currency, as it is booked. */
export const notionalOf = (execution: { readonly price: Decimal; readonly quantity: Decimal }): Decimal =>
  cut(execution.price.times(execution.quantity));

export const zero: Decimal = new Decimal(0);

export const smaller = (a: Decimal, b: Decimal): Decimal => (a.lt(b) ? a : b);

export const larger = (a: Decimal, b: Decimal): Decimal => (a.gt(b) ? a : b);

export const sumOf = (amounts: Iterable<Decimal>): Decimal => {
  let total = zero;
  for (const amount of amounts) total = total.plus(amount);
  return total;
};
