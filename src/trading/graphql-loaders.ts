import { BatchLoader } from "../core/batch-loader.js";
import { requireUser } from "../core/viewer.js";
import type { ApiContext } from "../graphql/context.js";
import { type Account, accountsByIds, balancesOf } from "./accounts.js";
import type { BalanceRow, FillRow, PositionRow } from "./ledger-rows.js";
import type { OrderRow } from "./order-row.js";
import { eventsOfOrders, fillsByIds, fillsOfOrders, type OrderEventRow, ordersByIds } from "./read-orders.js";
import { positionsByIds } from "./read-positions.js";
import { type Strategy, strategiesByIds } from "./strategies.js";

export interface TradingLoaders {
  readonly accounts: BatchLoader<string, Account>;
  readonly balances: BatchLoader<string, BalanceRow[]>;
  readonly orders: BatchLoader<string, OrderRow>;
  readonly positions: BatchLoader<string, PositionRow>;
  readonly fills: BatchLoader<string, FillRow>;
  /** By how many of them. */
  readonly fillsOfOrders: (limit: number) => BatchLoader<string, FillRow[]>;
  readonly events: BatchLoader<string, OrderEventRow[]>;
  readonly strategies: BatchLoader<string, Strategy>;
}

const loaders = new WeakMap<ApiContext, TradingLoaders>();

/** The loaders of one request, which see what its viewer may see. @throws {DomainError} UNAUTHENTICATED */
export function loadersOf(context: ApiContext): TradingLoaders {
  const known = loaders.get(context);
  if (known !== undefined) return known;
  const { userId } = requireUser(context.viewer);
  const { database } = context.trading;
  const byLimit = new Map<number, BatchLoader<string, FillRow[]>>();
  const made: TradingLoaders = {
    accounts: new BatchLoader((ids) => accountsByIds(database, userId, ids)),
    balances: new BatchLoader((ids) => balancesOf(database, userId, ids)),
    orders: new BatchLoader((ids) => ordersByIds(database, userId, ids)),
    positions: new BatchLoader((ids) => positionsByIds(database, userId, ids)),
    fills: new BatchLoader((ids) => fillsByIds(database, userId, ids)),
    fillsOfOrders: (limit) => {
      const loader = byLimit.get(limit) ?? new BatchLoader((ids) => fillsOfOrders(database, userId, ids, limit));
      byLimit.set(limit, loader);
      return loader;
    },
    events: new BatchLoader((ids) => eventsOfOrders(database, userId, ids)),
    strategies: new BatchLoader((ids) => strategiesByIds(database, userId, ids)),
  };
  loaders.set(context, made);
  return made;
}
