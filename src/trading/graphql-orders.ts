import type { GraphQLResolveInfo } from "graphql";
import { Arg, Args, Ctx, FieldResolver, ID, Info, Int, Mutation, Query, Resolver, Root } from "type-graphql";
import type { MarketSymbol } from "../catalogue/catalogue.js";
import { PageArgs, symbolOfId } from "../catalogue/graphql.js";
import { SymbolType } from "../catalogue/graphql-types.js";
import { Decimal, type DecimalText } from "../core/decimal.js";
import { badInput, notFound } from "../core/errors.js";
import { isUuid } from "../core/ids.js";
import { readingUser, requireScope } from "../core/viewer.js";
import type { ApiContext } from "../graphql/context.js";
import { idField, type NodeLoader } from "../graphql/node.js";
import { namesBeneath, type Selected } from "../graphql/selected-fields.js";
import { Costs, Private, statementCost } from "../graphql/shared.js";
import type { Account } from "./accounts.js";
import { loadersOf } from "./graphql-loaders.js";
import {
  connectionOf,
  type FillNode,
  fillNode,
  keyOf,
  type OrderNode,
  orderNode,
  positionNode,
} from "./graphql-nodes.js";
import {
  AccountType,
  OrderConnectionType,
  OrderEstimateType,
  OrderEventType,
  OrderFillType,
  OrderFilterInput,
  OrderType,
  PlaceOrderInput,
  PositionType,
  ReplaceOrderInput,
} from "./graphql-types.js";
import type { AskedOrder } from "./order-desk.js";
import { rowOfOrder } from "./order-row.js";
import { listOrders, type OrderSearch, orderByClientId } from "./read-orders.js";

const maxFills = 500;

@Resolver(() => OrderType)
export class OrderResolver {
  @FieldResolver(() => ID, { description: "Opaque and globally unique." })
  id(@Root() root: OrderNode): string {
    return idField("Order")(root);
  }

  @FieldResolver(() => AccountType, { description: "Who pays for it." })
  @Private()
  account(@Root() root: OrderNode, @Ctx() context: ApiContext): Promise<Account | undefined> {
    return loadersOf(context).accounts.get(root.accountId);
  }

  @FieldResolver(() => SymbolType, { description: "What is bought or sold." })
  symbol(@Root() root: OrderNode, @Ctx() { catalogue }: ApiContext): MarketSymbol | undefined {
    return catalogue.findSymbol(root.symbolId);
  }

  @FieldResolver(() => [OrderFillType], { description: "Its executions, in their order." })
  @Private()
  @Costs(statementCost)
  async fills(
    @Root() root: OrderNode,
    @Arg("first", () => Int, {
      nullable: true,
      defaultValue: 100,
      description: `How many at most; 1 to ${maxFills}.`,
    })
    first: number | null,
    @Ctx() context: ApiContext,
  ): Promise<FillNode[]> {
    const limit = first ?? 100;
    if (!Number.isInteger(limit) || limit < 1 || limit > maxFills)
      throw badInput("first", `first must be from 1 to ${maxFills}`);
    return ((await loadersOf(context).fillsOfOrders(limit).get(root.id)) ?? []).map(fillNode);
  }

  @FieldResolver(() => [OrderEventType], { description: "Its history, from its first event on." })
  @Private()
  @Costs(statementCost)
  async events(@Root() root: OrderNode, @Ctx() context: ApiContext): Promise<OrderEventType[]> {
    const rows = (await loadersOf(context).events.get(root.id)) ?? [];
    return rows.map((row) => ({
      version: row.version,
      type: row.event_type,
      data: row.data,
      occurredAt: row.occurred_at,
    }));
  }

  @FieldResolver(() => PositionType, {
    nullable: true,
    description: "Futures: the position that its last fill changed; null before there is one.",
  })
  @Private()
  async position(@Root() root: OrderNode, @Ctx() context: ApiContext): Promise<object | null> {
    const row = root.positionId === null ? undefined : await loadersOf(context).positions.get(root.positionId);
    return row === undefined ? null : positionNode(row);
  }

  @Query(() => OrderType, {
    nullable: true,
    description: "One of the viewer's orders, by its id or by its client order id; null when there is none.",
  })
  @Private()
  @Costs(statementCost)
  async order(
    @Arg("id", () => ID, { nullable: true, description: "Its id." }) id: string | null,
    @Arg("clientOrderId", () => String, {
      nullable: true,
      description: "Its client order id; with accountId where several accounts use the same.",
    })
    clientOrderId: string | null,
    @Arg("accountId", () => ID, { nullable: true, description: "Of this account." }) accountId: string | null,
    @Ctx() context: ApiContext,
  ): Promise<object | null> {
    const { userId } = requireScope(context.viewer, "READ");
    if ((id == null) === (clientOrderId == null)) throw badInput("id", "give either id or clientOrderId");
    const account = accountId == null ? null : keyOf("Account", "accountId", accountId);
    const row =
      id == null
        ? await orderByClientId(context.trading.database, userId, clientOrderId ?? "", account)
        : await loadersOf(context).orders.get(keyOf("Order", "id", id));
    return row == null || (account !== null && row.account_id !== account) ? null : orderNode(row);
  }

  @Query(() => OrderConnectionType, { description: "The viewer's orders, newest first." })
  @Private()
  @Costs(statementCost)
  orders(
    @Args(() => PageArgs) page: PageArgs,
    @Arg("filter", () => OrderFilterInput, { nullable: true, description: "Only these." })
    filter: OrderFilterInput | null,
    @Ctx() context: ApiContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<object> {
    return ordersOfViewer(context, filter, page, info);
  }

  @Query(() => OrderEstimateType, { description: "What an order would cost and do, without placing it." })
  @Private()
  @Costs(statementCost)
  estimateOrder(
    @Arg("input", () => PlaceOrderInput, { description: "The order." }) input: PlaceOrderInput,
    @Ctx() context: ApiContext,
  ): Promise<object> {
    const { userId } = requireScope(context.viewer, "READ");
    return context.trading.desk.estimate(userId, askedOrderOf(context, input));
  }

  @Mutation(() => OrderType, {
    description: "Places an order. It is stored when this answers, whatever happens afterwards.",
  })
  @Private()
  async placeOrder(
    @Arg("input", () => PlaceOrderInput, { description: "The order." }) input: PlaceOrderInput,
    @Ctx() context: ApiContext,
  ): Promise<OrderNode> {
    const { userId } = requireScope(context.viewer, "TRADE");
    return orderNode(rowOfOrder(await context.trading.desk.place(userId, askedOrderOf(context, input))));
  }

  @Mutation(() => OrderType, { description: "Gives an open order new terms." })
  @Private()
  async replaceOrder(
    @Arg("input", () => ReplaceOrderInput, { description: "The new terms." }) input: ReplaceOrderInput,
    @Ctx() context: ApiContext,
  ): Promise<OrderNode> {
    const { userId } = requireScope(context.viewer, "TRADE");
    const id = keyOf("Order", "orderId", input.orderId);
    const terms = {
      quantity: decimalOf(input.quantity),
      price: decimalOf(input.price),
      stopPrice: decimalOf(input.stopPrice),
    };
    const accountId = await accountOfOrder(context, id);
    return orderNode(rowOfOrder(await context.trading.desk.replace(userId, accountId, id, terms)));
  }

  @Mutation(() => OrderType, { description: "Takes back what is not executed of an order." })
  @Private()
  async cancelOrder(
    @Arg("id", () => ID, { description: "The order." }) id: string,
    @Ctx() context: ApiContext,
  ): Promise<OrderNode> {
    const { userId } = requireScope(context.viewer, "TRADE");
    const key = keyOf("Order", "id", id);
    return orderNode(rowOfOrder(await context.trading.desk.cancel(userId, await accountOfOrder(context, key), key)));
  }

  @Mutation(() => [OrderType], { description: "Takes back all open orders of an account. Returns those." })
  @Private()
  async cancelAllOrders(
    @Arg("accountId", () => ID, { description: "The account." }) accountId: string,
    @Arg("symbolId", () => ID, { nullable: true, description: "Only of this symbol." }) symbolId: string | null,
    @Ctx() context: ApiContext,
  ): Promise<OrderNode[]> {
    const { userId } = requireScope(context.viewer, "TRADE");
    const key = keyOf("Account", "accountId", accountId);
    const symbol = symbolId == null ? null : symbolOfId(context, "symbolId", symbolId).id;
    const cancelled = await context.trading.desk.cancelAll(userId, key, symbol);
    return cancelled.map((kept) => orderNode(rowOfOrder(kept)));
  }
}

@Resolver(() => OrderFillType)
export class OrderFillResolver {
  @FieldResolver(() => ID, { description: "Opaque and globally unique." })
  id(@Root() root: FillNode): string {
    return idField("OrderFill")(root);
  }

  @FieldResolver(() => OrderType, { description: "The order that was executed." })
  @Private()
  async order(@Root() root: FillNode, @Ctx() context: ApiContext): Promise<object | null> {
    const row = await loadersOf(context).orders.get(root.orderId);
    return row === undefined ? null : orderNode(row);
  }
}

/** The viewer's orders, for the query and for the field of a user. */
export async function ordersOfViewer(
  context: ApiContext,
  filter: OrderFilterInput | null | undefined,
  page: PageArgs,
  selected: Selected,
): Promise<object> {
  const { userId } = requireScope(context.viewer, "READ");
  const search: OrderSearch = {
    ...(filter as Pick<OrderSearch, "statuses" | "side" | "from" | "to">),
    accountId: filter?.accountId == null ? null : keyOf("Account", "filter.accountId", filter.accountId),
    symbolId: filter?.symbolId == null ? null : symbolOfId(context, "filter.symbolId", filter.symbolId).id,
    strategyId: filter?.strategyId == null ? null : keyOf("Strategy", "filter.strategyId", filter.strategyId),
  };
  return connectionOf(
    await listOrders(context.trading.database, userId, search, page, namesBeneath(selected)),
    orderNode,
  );
}

async function accountOfOrder(context: ApiContext, id: string): Promise<string> {
  const row = await loadersOf(context).orders.get(id);
  if (row === undefined) throw notFound("order");
  return row.account_id;
}

const decimalOf = (text: DecimalText | null | undefined): Decimal | null => (text == null ? null : new Decimal(text));

function askedOrderOf(context: ApiContext, input: PlaceOrderInput): AskedOrder {
  const { side, orderType, timeInForce, positionSide, leverage, marginMode, reduceOnly, postOnly, clientOrderId } =
    input;
  return {
    side,
    orderType,
    timeInForce: timeInForce ?? null,
    positionSide: positionSide ?? null,
    leverage: leverage ?? null,
    marginMode: marginMode ?? null,
    reduceOnly: reduceOnly ?? null,
    postOnly: postOnly ?? null,
    clientOrderId: clientOrderId ?? null,
    accountId: keyOf("Account", "accountId", input.accountId),
    symbolId: symbolOfId(context, "symbolId", input.symbolId).id,
    strategyId: input.strategyId == null ? null : keyOf("Strategy", "strategyId", input.strategyId),
    quantity: new Decimal(input.quantity),
    price: decimalOf(input.price),
    stopPrice: decimalOf(input.stopPrice),
    callbackRate: decimalOf(input.callbackRate),
    icebergQuantity: decimalOf(input.icebergQuantity),
    stopLoss: decimalOf(input.stopLoss),
    takeProfit: decimalOf(input.takeProfit),
  };
}

export const orderNodes: Readonly<Record<string, NodeLoader<ApiContext>>> = {
  Order: async (key, context) => {
    const row = await ownOnly(key, context, (id) => loadersOf(context).orders.get(id));
    return row === undefined ? null : orderNode(row);
  },
  OrderFill: async (key, context) => {
    const row = await ownOnly(key, context, (id) => loadersOf(context).fills.get(id));
    return row === undefined ? null : fillNode(row);
  },
};

/** The database shows a viewer's own rows alone. */
const ownOnly = <T>(key: string, { viewer }: ApiContext, load: (key: string) => Promise<T | undefined>) =>
  readingUser(viewer) !== null && isUuid(key) ? load(key) : undefined;
