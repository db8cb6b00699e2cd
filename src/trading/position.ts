import type { Decimal } from "../core/decimal.js";
import { cut, notionalOf, zero } from "./money.js";
import type { MarginMode, OrderSide, PositionSide } from "./order.js";

export const positionStatuses = ["OPEN", "CLOSED", "LIQUIDATED"] as const;
export type PositionStatus = (typeof positionStatuses)[number];

/** The direction of a position. In one-way mode an account has at most one open position of a symbol, in hedge mode one of each. */
export type Direction = Exclude<PositionSide, "BOTH">;

/** One position from its opening to its end; turning from long to short ends one and opens another. */
export interface Position {
  readonly accountId: string;
  readonly symbolId: number;
  readonly side: Direction;
  readonly status: PositionStatus;
  /** Zero when it is not open. */
  readonly quantity: Decimal;
  /**
   * What `quantity` cost, in quote currency. The entry price is a quotient of this: kept rounded instead, it would make
   * profits that no cash flow has.
   */
  readonly entryCost: Decimal;
  /** Of the last order that added to it. */
  readonly leverage: number;
  readonly marginMode: MarginMode;
  /** Locked for it, in quote currency. */
  readonly marginUsed: Decimal;
  /** Of price changes; commissions and funding are entries of their own. */
  readonly realizedPnl: Decimal;
  readonly openedAt: Date;
  readonly updatedAt: Date;
  readonly closedAt: Date | null;
}

export interface Execution {
  readonly price: Decimal;
  readonly quantity: Decimal;
  readonly at: Date;
}

/** What opening or adding brings along. */
export interface Opening {
  readonly accountId: string;
  readonly symbolId: number;
  readonly side: Direction;
  readonly leverage: number;
  readonly marginMode: MarginMode;
}

/** The direction in which a fill moves the holdings. */
export const directionOf = (side: OrderSide): Direction => (side === "BUY" ? "LONG" : "SHORT");

const signOf = (side: Direction): 1 | -1 => (side === "LONG" ? 1 : -1);

/** Volume-weighted, rounded to the 18 places that the database keeps; null when it is not open. */
export const entryPriceOf = (position: Pick<Position, "entryCost" | "quantity">): Decimal | null =>
  position.quantity.isZero() ? null : position.entryCost.div(position.quantity).toDecimalPlaces(18);

/** What of a fill reduces the open positions of its account and symbol, and what opens or adds. */
export interface Split {
  readonly reduced: Position | null;
  readonly reducing: Decimal;
  readonly added: Position | null;
  readonly opening: Decimal;
}

/**
 * In one-way mode a fill first reduces what is open the other way, and the rest opens: the position flips through zero. In
 * hedge mode the order says which position it means.
 * @param positions the open positions of the account and symbol
 * @param isExact false: in hedge mode what is closed beyond what is open here changes nothing
 * @throws {RangeError} when in hedge mode more is closed than is open: positions are to be compared with the venue
 */
export function splitFill(
  order: { readonly side: OrderSide; readonly positionSide: PositionSide },
  quantity: Decimal,
  positions: readonly Position[],
  isExact = true,
): Split {
  const moves = directionOf(order.side);
  const find = (side: Direction) => positions.find((position) => position.side === side && position.status === "OPEN");
  if (order.positionSide === "BOTH") {
    const reduced = find(moves === "LONG" ? "SHORT" : "LONG") ?? null;
    const reducing = reduced?.quantity.lt(quantity) ? reduced.quantity : quantity;
    return reduced === null
      ? { reduced, reducing: zero, added: find(moves) ?? null, opening: quantity }
      : { reduced, reducing, added: null, opening: quantity.minus(reducing) };
  }
  const meant = find(order.positionSide) ?? null;
  if (moves === order.positionSide) return { reduced: null, reducing: zero, added: meant, opening: quantity };
  if (!isExact && (meant === null || meant.quantity.lt(quantity)))
    return { reduced: meant, reducing: meant?.quantity ?? zero, added: null, opening: zero };
  if (meant === null || meant.quantity.lt(quantity)) {
    throw new RangeError(
      `${quantity.toFixed()} closed of a ${order.positionSide} position of ${meant?.quantity.toFixed() ?? 0}`,
    );
  }
  return { reduced: meant, reducing: quantity, added: null, opening: zero };
}

/** Opens a position, or adds to an open one of the same direction. @param margin locked for the execution */
export function openOrAdd(known: Position | null, opening: Opening, execution: Execution, margin: Decimal): Position {
  const value = notionalOf(execution);
  if (known === null) {
    return {
      ...opening,
      status: "OPEN",
      quantity: execution.quantity,
      entryCost: value,
      marginUsed: margin,
      realizedPnl: zero,
      openedAt: execution.at,
      updatedAt: execution.at,
      closedAt: null,
    };
  }
  return {
    ...known,
    leverage: opening.leverage,
    quantity: known.quantity.plus(execution.quantity),
    entryCost: known.entryCost.plus(value),
    marginUsed: known.marginUsed.plus(margin),
    updatedAt: execution.at,
  };
}

export interface Reduction {
  readonly position: Position;
  readonly realizedPnl: Decimal;
  readonly releasedMargin: Decimal;
}

/**
 * Takes a part of a position, or all of it, at a price. Cost and margin go with the quantity, and what rounding leaves goes
 * with the last part: over its whole life the realised profit is what was received less what was paid, to the last place.
 */
export function reduce(
  position: Position,
  execution: Execution,
  endStatus: "CLOSED" | "LIQUIDATED" = "CLOSED",
): Reduction {
  const isLast = execution.quantity.eq(position.quantity);
  const share = (amount: Decimal): Decimal =>
    isLast ? amount : cut(amount.times(execution.quantity).div(position.quantity));
  const [cost, releasedMargin] = [share(position.entryCost), share(position.marginUsed)];
  const realizedPnl = notionalOf(execution).minus(cost).times(signOf(position.side));
  return {
    position: {
      ...position,
      quantity: position.quantity.minus(execution.quantity),
      entryCost: position.entryCost.minus(cost),
      marginUsed: position.marginUsed.minus(releasedMargin),
      realizedPnl: position.realizedPnl.plus(realizedPnl),
      updatedAt: execution.at,
      ...(isLast ? { status: endStatus, closedAt: execution.at } : {}),
    },
    realizedPnl,
    releasedMargin,
  };
}

/** What closing at the mark price would bring or cost, without commission. */
export const unrealizedPnl = (position: Position, markPrice: Decimal): Decimal =>
  cut(markPrice.times(position.quantity).minus(position.entryCost).times(signOf(position.side)));

/** The unrealised profit in per cent of the margin; null where there is no margin. */
export const pnlPercent = (position: Position, markPrice: Decimal): Decimal | null =>
  position.marginUsed.isZero()
    ? null
    : unrealizedPnl(position, markPrice).div(position.marginUsed).times(100).toDecimalPlaces(6);

/** What the margin and the unrealised profit together must not fall below. */
export const maintenanceMargin = (position: Position, markPrice: Decimal, rate: Decimal): Decimal =>
  cut(markPrice.times(position.quantity).times(rate));

/** Received for a funding payment; negative when paid. Longs pay a positive rate, shorts receive it. */
export const fundingAmount = (position: Position, rate: Decimal, markPrice: Decimal): Decimal =>
  cut(markPrice.times(position.quantity).times(rate).times(-signOf(position.side)));

/**
 * The price at which the collateral of positions of one symbol and their profit fall to the maintenance margin: of one
 * isolated position with its own margin, or of all cross positions of the symbol with the account's collateral
 * ({@link crossCollateral}). Null when no price does that.
 */
export function liquidationPrice(positions: readonly Position[], collateral: Decimal, rate: Decimal): Decimal | null {
  // With signs sᵢ: collateral + Σ sᵢ(p·qᵢ − costᵢ) = rate·p·Σ qᵢ, solved for p.
  let [signedQuantity, signedCost, quantity] = [zero, zero, zero];
  for (const position of positions) {
    signedQuantity = signedQuantity.plus(position.quantity.times(signOf(position.side)));
    signedCost = signedCost.plus(position.entryCost.times(signOf(position.side)));
    quantity = quantity.plus(position.quantity);
  }
  const divisor = signedQuantity.minus(quantity.times(rate));
  if (divisor.isZero()) return null;
  const price = signedCost.minus(collateral).div(divisor);
  return price.gt(0) ? price.toDecimalPlaces(18) : null;
}

/**
 * What stands behind the cross positions of a symbol: the wallet (available, and locked for orders and cross positions) and
 * the profits of the cross positions of other symbols, less the maintenance margin that those need.
 */
export function crossCollateral(
  wallet: Decimal,
  others: readonly { readonly position: Position; readonly markPrice: Decimal; readonly rate: Decimal }[],
): Decimal {
  return others.reduce(
    (sum, { position, markPrice, rate }) =>
      sum.plus(unrealizedPnl(position, markPrice)).minus(maintenanceMargin(position, markPrice, rate)),
    wallet,
  );
}
