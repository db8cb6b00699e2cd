import type { Decimal } from "../../core/decimal.js";
import { zero } from "../money.js";
import { maintenanceMargin, type Position, unrealizedPnl } from "../position.js";

export interface MarkedPosition {
  readonly position: Position;
  readonly markPrice: Decimal;
  /** Maintenance margin rate of its symbol. */
  readonly rate: Decimal;
}

/** Whether what stands behind the positions, with their profit, has fallen to the maintenance margin. */
export function isUsedUp(collateral: Decimal, marked: readonly MarkedPosition[]): boolean {
  let [equity, needed] = [collateral, zero];
  for (const { position, markPrice, rate } of marked) {
    equity = equity.plus(unrealizedPnl(position, markPrice));
    needed = needed.plus(maintenanceMargin(position, markPrice, rate));
  }
  return marked.length > 0 && equity.lte(needed);
}

/** The positions to be closed, in order: the greatest loss first, until the rest can stand. */
export function toBeLiquidated(collateral: Decimal, marked: readonly MarkedPosition[]): MarkedPosition[] {
  const left = [...marked].sort((a, b) => profitOf(a).cmp(profitOf(b)));
  const closed: MarkedPosition[] = [];
  let wallet = collateral;
  while (isUsedUp(wallet, left)) {
    const worst = left.shift();
    if (worst === undefined) break;
    wallet = wallet.plus(profitOf(worst));
    closed.push(worst);
  }
  return closed;
}

const profitOf = ({ position, markPrice }: MarkedPosition): Decimal => unrealizedPnl(position, markPrice);
