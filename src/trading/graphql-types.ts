import { Field, ID, InputType, Int, ObjectType } from "type-graphql";
import { enumOf } from "../catalogue/graphql-types.js";
import type { DecimalText } from "../core/decimal.js";
import { NodeType, PageInfoType } from "../graphql/node.js";
import { DateTimeScalar, DecimalScalar, JsonScalar } from "../graphql/scalars.js";
import { OrderSideEnum } from "../market-data/graphql-series-types.js";
import {
  accountEnvironmentEnum,
  accountStatusEnum,
  ledgerReasonEnum,
  marginModeEnum,
  orderStatusEnum,
  orderTypeEnum,
  positionModeEnum,
  positionSideEnum,
  positionStatusEnum,
  syncStatusEnum,
  timeInForceEnum,
} from "./tables.js";

const AccountEnvironmentEnum = enumOf(
  "AccountEnvironment",
  accountEnvironmentEnum.enumValues,
  "Where the orders of an account are executed.",
  {
    PAPER: "Here, against live prices, with play money.",
    TESTNET: "At the exchange's test network.",
    PRODUCTION: "At the exchange, with real money.",
  },
);
const AccountStatusEnum = enumOf("AccountStatus", accountStatusEnum.enumValues, "Whether an account can trade.", {
  ACTIVE: "It can.",
  INACTIVE: "It was ended; its history stays.",
  ERROR: "The exchange refuses its keys.",
  EXPIRED: "Its keys have expired.",
});
const SyncStatusEnum = enumOf("SyncStatus", syncStatusEnum.enumValues, "Whether an account agrees with its exchange.", {
  PENDING: "Not compared yet.",
  SYNCING: "Being compared.",
  SYNCED: "It agrees.",
  ERROR: "It could not be compared; see `syncError`.",
  DISABLED: "There is nothing to compare it with.",
});
const PositionModeEnum = enumOf(
  "PositionMode",
  positionModeEnum.enumValues,
  "How many positions of one symbol an account has.",
  { ONE_WAY: "One, long or short.", HEDGE: "A long and a short one." },
);
export const PositionSideEnum = enumOf("PositionSide", positionSideEnum.enumValues, "Direction of a position.", {
  LONG: "Gains when the price rises.",
  SHORT: "Gains when the price falls.",
  BOTH: "Of orders: the only position of an account with one per symbol.",
});
const PositionStatusEnum = enumOf("PositionStatus", positionStatusEnum.enumValues, "Where a position stands.", {
  OPEN: "It is held.",
  CLOSED: "It was closed by orders.",
  LIQUIDATED: "It was closed because its margin was used up.",
});
export const MarginModeEnum = enumOf("MarginMode", marginModeEnum.enumValues, "What stands behind a position.", {
  ISOLATED: "Its own margin.",
  CROSS: "All that the account has of the quote currency.",
});
export const OrderTypeEnum = enumOf(
  "OrderType",
  orderTypeEnum.enumValues,
  "When and at which price an order executes.",
  {
    MARKET: "At once, at the best price there is.",
    LIMIT: "At `price` or better.",
    LIMIT_MAKER: "As LIMIT, but never at once: it is refused if it would be.",
    STOP_MARKET: "As MARKET, when the price has moved against the holder to `stopPrice`.",
    STOP_LIMIT: "As LIMIT, when the price has moved against the holder to `stopPrice`.",
    TAKE_PROFIT: "As MARKET, when the price has moved in favour to `stopPrice`.",
    TAKE_PROFIT_LIMIT: "As LIMIT, when the price has moved in favour to `stopPrice`.",
    TRAILING_STOP: "As MARKET, when the price has come back by `callbackRate` per cent from its best.",
  },
);
const OrderStatusEnum = enumOf("OrderStatus", orderStatusEnum.enumValues, "Where an order stands.", {
  PENDING: "Stored, and not yet acknowledged by the venue.",
  NEW: "The venue has it.",
  PARTIALLY_FILLED: "A part of it is executed.",
  FILLED: "All of it is executed.",
  CANCELLED: "Taken back; what was executed before stays.",
  REJECTED: "Refused by the venue; see `rejectReason`.",
  EXPIRED: "Ended by its time in force.",
});
export const TimeInForceEnum = enumOf("TimeInForce", timeInForceEnum.enumValues, "How long an order lives.", {
  GTC: "Until it is cancelled.",
  IOC: "What cannot be executed at once is cancelled.",
  FOK: "All of it at once, or nothing.",
  GTX: "As GTC, but it is refused if it would be executed at once.",
  DAY: "Until the trading day of the market ends.",
});
const LedgerReasonEnum = enumOf("LedgerReason", ledgerReasonEnum.enumValues, "Why an amount has moved.", {
  DEPOSIT: "Paid in.",
  WITHDRAWAL: "Paid out.",
  RESERVE: "Locked for an order or a position.",
  RELEASE: "Set free again.",
  TRADE: "Given or received in a trade, or a realised profit or loss.",
  FEE: "A commission, or a rebate.",
  FUNDING: "A funding payment of a position.",
  LIQUIDATION: "The result of a liquidation.",
  ADJUSTMENT: "A correction, so that the account agrees with its exchange.",
});

@ObjectType("Account", {
  implements: NodeType,
  simpleResolvers: true,
  description: "An account at an exchange, or one on paper that trades as if it were there.",
})
export class AccountType extends NodeType {
  @Field(() => String, { description: "What its user calls it." })
  name!: string;
  @Field(() => AccountEnvironmentEnum, { description: "Where its orders are executed." })
  environment!: string;
  @Field(() => AccountStatusEnum, { description: "Whether it can trade." })
  status!: string;
  @Field(() => SyncStatusEnum, { description: "Whether it agrees with its exchange." })
  syncStatus!: string;
  @Field(() => DateTimeScalar, { nullable: true, description: "When it was last compared with its exchange." })
  lastSyncAt!: string | null;
  @Field(() => String, { nullable: true, description: "Why it could not be compared." })
  syncError!: string | null;
  @Field(() => PositionModeEnum, { description: "How many positions of one symbol it has." })
  positionMode!: string;
  @Field(() => [String], { description: "What its key may do, as far as the exchange tells." })
  permissions!: string[];
  @Field(() => String, {
    nullable: true,
    description: "First and last characters of the stored key; the key itself is never returned.",
  })
  apiKeyHint!: string | null;
  @Field(() => DateTimeScalar, { description: "When it was opened." })
  createdAt!: string;
}

const sequenceDescription =
  "Number of the account's change that this is as of: each change of its orders, positions and balances has the next one. Subscriptions resume after it.";

@ObjectType("Balance", { simpleResolvers: true, description: "What an account has of one asset." })
export class BalanceType {
  @Field(() => String, { description: "Code of the asset, e.g. USDT." })
  asset!: string;
  @Field(() => DecimalScalar, { description: "Free for orders." })
  available!: DecimalText;
  @Field(() => DecimalScalar, { description: "Held by open orders, and by positions as their margin." })
  locked!: DecimalText;
  @Field(() => DecimalScalar, { description: "Both together." })
  total!: DecimalText;
  @Field(() => String, { description: sequenceDescription })
  sequence!: string;
  @Field(() => DateTimeScalar, { description: "When it last moved." })
  updatedAt!: string;
}

@ObjectType("OrderEvent", {
  simpleResolvers: true,
  description: "One entry of an order's history: version 1, 2, 3 … without gaps.",
})
export class OrderEventType {
  @Field(() => Int, { description: "Its place in the history." })
  version!: number;
  @Field(() => String, { description: "What happened, e.g. placed, accepted, filled, cancelled." })
  type!: string;
  @Field(() => JsonScalar, { description: "What came with it." })
  data!: object;
  @Field(() => DateTimeScalar, { description: "When it happened, by the venue's clock where it did." })
  occurredAt!: string;
}

@ObjectType("Order", {
  implements: NodeType,
  simpleResolvers: true,
  description: "What somebody wants to buy or sell.",
})
export class OrderType extends NodeType {
  @Field(() => String, { description: "Idempotency key; unique per account." })
  clientOrderId!: string;
  @Field(() => String, { nullable: true, description: "The venue's name for it; null before the venue has it." })
  exchangeOrderId!: string | null;
  @Field(() => OrderSideEnum, { description: "Whether it buys or sells." })
  side!: string;
  @Field(() => PositionSideEnum, { description: "Which position it changes; BOTH where there is only one." })
  positionSide!: string;
  @Field(() => OrderTypeEnum, { description: "When and at which price it executes." })
  orderType!: string;
  @Field(() => OrderStatusEnum, { description: "Where it stands." })
  status!: string;
  @Field(() => TimeInForceEnum, { description: "How long it lives." })
  timeInForce!: string;
  @Field(() => DecimalScalar, { description: "In the base currency." })
  quantity!: DecimalText;
  @Field(() => DecimalScalar, { nullable: true, description: "Limit, in the quote currency." })
  price!: DecimalText | null;
  @Field(() => DecimalScalar, { nullable: true, description: "Price that wakes it." })
  stopPrice!: DecimalText | null;
  @Field(() => DecimalScalar, { nullable: true, description: "Of a trailing stop, in per cent." })
  callbackRate!: DecimalText | null;
  @Field(() => DecimalScalar, { nullable: true, description: "How much of it others see at a time." })
  icebergQuantity!: DecimalText | null;
  @Field(() => Int, { description: "1 where there is none." })
  leverage!: number;
  @Field(() => MarginModeEnum, { description: "What stands behind the position that it opens." })
  marginMode!: string;
  @Field(() => Boolean, { description: "Whether it can only make a position smaller." })
  reduceOnly!: boolean;
  @Field(() => Boolean, { description: "Whether it is refused if it would be executed at once." })
  postOnly!: boolean;
  @Field(() => DecimalScalar, { nullable: true, description: "Price at which what it bought is given up." })
  stopLoss!: DecimalText | null;
  @Field(() => DecimalScalar, { nullable: true, description: "Price at which the profit of it is taken." })
  takeProfit!: DecimalText | null;
  @Field(() => DecimalScalar, { description: "Executed so far." })
  filledQuantity!: DecimalText;
  @Field(() => DecimalScalar, { description: "Not executed." })
  remainingQuantity!: DecimalText;
  @Field(() => DecimalScalar, { nullable: true, description: "Volume-weighted; null before the first fill." })
  avgFillPrice!: DecimalText | null;
  @Field(() => DecimalScalar, { description: "Paid for its fills, in `commissionAsset`; negative for a rebate." })
  commission!: DecimalText;
  @Field(() => String, {
    nullable: true,
    description: "Asset of the commission. Where fills were charged in several, the first; each fill tells its own.",
  })
  commissionAsset!: string | null;
  @Field(() => String, { nullable: true, description: "Code and reason of a refusal by the venue." })
  rejectReason!: string | null;
  @Field(() => Int, { description: "Number of its events so far." })
  version!: number;
  @Field(() => String, { description: sequenceDescription })
  sequence!: string;
  @Field(() => DateTimeScalar, { description: "When it was placed." })
  createdAt!: string;
  @Field(() => DateTimeScalar, { description: "When it last changed." })
  updatedAt!: string;
  @Field(() => DateTimeScalar, { nullable: true, description: "Time of the fill that completed it." })
  filledAt!: string | null;
  @Field(() => DateTimeScalar, { nullable: true, description: "When it was cancelled." })
  cancelledAt!: string | null;
}

@ObjectType("OrderFill", { implements: NodeType, simpleResolvers: true, description: "One execution of an order." })
export class OrderFillType extends NodeType {
  @Field(() => DecimalScalar, { description: "In the quote currency." })
  price!: DecimalText;
  @Field(() => DecimalScalar, { description: "In the base currency." })
  quantity!: DecimalText;
  @Field(() => DecimalScalar, { description: "In `commissionAsset`; negative for a rebate." })
  commission!: DecimalText;
  @Field(() => String, { nullable: true, description: "Asset of the commission; null where there was none." })
  commissionAsset!: string | null;
  @Field(() => DecimalScalar, { description: "Of the part of a position that it closed, without commission." })
  realizedPnl!: DecimalText;
  @Field(() => Boolean, { description: "Whether the order was resting when somebody took it." })
  isMaker!: boolean;
  @Field(() => String, { nullable: true, description: "The venue's name for it; unique per account and symbol." })
  exchangeFillId!: string | null;
  @Field(() => DateTimeScalar, { description: "By the venue's clock." })
  filledAt!: string;
}

@ObjectType("Position", {
  implements: NodeType,
  simpleResolvers: true,
  description: "What an account holds of a futures contract, from its opening to its end.",
})
export class PositionType extends NodeType {
  @Field(() => PositionSideEnum, { description: "LONG or SHORT." })
  side!: string;
  @Field(() => PositionStatusEnum, { description: "Where it stands." })
  status!: string;
  @Field(() => DecimalScalar, { description: "In the base currency; zero when it is closed." })
  quantity!: DecimalText;
  @Field(() => DecimalScalar, { description: "Volume-weighted; of a closed one the last that it had." })
  entryPrice!: DecimalText;
  @Field(() => DecimalScalar, {
    nullable: true,
    description: "Price at which its margin is used up, as of its last change; null when no price does that.",
  })
  liquidationPrice!: DecimalText | null;
  @Field(() => Int, { description: "Of the last order that added to it." })
  leverage!: number;
  @Field(() => MarginModeEnum, { description: "What stands behind it." })
  marginMode!: string;
  @Field(() => DecimalScalar, { description: "Locked for it, in the quote currency." })
  marginUsed!: DecimalText;
  @Field(() => DecimalScalar, { description: "Of what was closed so far; commissions and funding are apart." })
  realizedPnl!: DecimalText;
  @Field(() => DecimalScalar, { nullable: true, description: "Price at which it is given up." })
  stopLoss!: DecimalText | null;
  @Field(() => DecimalScalar, { nullable: true, description: "Price at which its profit is taken." })
  takeProfit!: DecimalText | null;
  @Field(() => Int, { description: "Number of its changes so far." })
  version!: number;
  @Field(() => String, { description: sequenceDescription })
  sequence!: string;
  @Field(() => DateTimeScalar, { description: "When it was opened." })
  openedAt!: string;
  @Field(() => DateTimeScalar, { nullable: true, description: "When it ended." })
  closedAt!: string | null;
  @Field(() => DateTimeScalar, { description: "When it last changed." })
  updatedAt!: string;
}

@ObjectType("LedgerEntry", {
  implements: NodeType,
  simpleResolvers: true,
  description: "One movement of one asset; the sum of all movements is the balance.",
})
export class LedgerEntryType extends NodeType {
  @Field(() => String, { description: "Code of the asset." })
  asset!: string;
  @Field(() => LedgerReasonEnum, { description: "Why it moved." })
  reason!: string;
  @Field(() => DecimalScalar, { description: "What came to the available balance, or left it." })
  availableChange!: DecimalText;
  @Field(() => DecimalScalar, { description: "What came to the locked balance, or left it." })
  lockedChange!: DecimalText;
  @Field(() => String, { description: sequenceDescription })
  sequence!: string;
  @Field(() => DateTimeScalar, { description: "When it moved." })
  occurredAt!: string;
}

@ObjectType("OrderEstimate", {
  simpleResolvers: true,
  description: "What an order would cost and do, without placing it.",
})
export class OrderEstimateType {
  @Field(() => DecimalScalar, { description: "Its worth in the quote currency." })
  notional!: DecimalText;
  @Field(() => DecimalScalar, { description: "Average price that it would get now." })
  estimatedPrice!: DecimalText;
  @Field(() => DecimalScalar, { description: "Commission." })
  fee!: DecimalText;
  @Field(() => String, { description: "Asset of the commission." })
  feeAsset!: string;
  @Field(() => DecimalScalar, { nullable: true, description: "Futures: what would be locked as margin." })
  marginRequired!: DecimalText | null;
  @Field(() => DecimalScalar, { nullable: true, description: "Futures: of the position as it would be." })
  liquidationPrice!: DecimalText | null;
  @Field(() => DecimalScalar, {
    description: "What would be left available of the asset that pays for it; below zero when it does not suffice.",
  })
  availableAfter!: DecimalText;
  @Field(() => [String], { description: "Codes of the rules that it would break; empty when it would be accepted." })
  violations!: readonly string[];
}

@ObjectType("OrderEdge", { simpleResolvers: true, description: "An order at its place in a list." })
export class OrderEdgeType {
  @Field(() => String, { description: "For `after` and `before`." })
  cursor!: string;
  @Field(() => OrderType, { description: "The order." })
  node!: object;
}
@ObjectType("OrderConnection", { simpleResolvers: true, description: "One page of a list of orders." })
export class OrderConnectionType {
  @Field(() => [OrderEdgeType], { description: "The page's orders with their positions." })
  edges!: readonly OrderEdgeType[];
  @Field(() => [OrderType], { description: "The page's orders." })
  nodes!: readonly object[];
  @Field(() => PageInfoType, { description: "Where the page begins and ends." })
  pageInfo!: PageInfoType;
}
@ObjectType("PositionEdge", { simpleResolvers: true, description: "A position at its place in a list." })
export class PositionEdgeType {
  @Field(() => String, { description: "For `after` and `before`." })
  cursor!: string;
  @Field(() => PositionType, { description: "The position." })
  node!: object;
}
@ObjectType("PositionConnection", { simpleResolvers: true, description: "One page of a list of positions." })
export class PositionConnectionType {
  @Field(() => [PositionEdgeType], { description: "The page's positions with their places." })
  edges!: readonly PositionEdgeType[];
  @Field(() => [PositionType], { description: "The page's positions." })
  nodes!: readonly object[];
  @Field(() => PageInfoType, { description: "Where the page begins and ends." })
  pageInfo!: PageInfoType;
}
@ObjectType("LedgerEntryEdge", { simpleResolvers: true, description: "An entry at its place in the ledger." })
export class LedgerEntryEdgeType {
  @Field(() => String, { description: "For `after` and `before`." })
  cursor!: string;
  @Field(() => LedgerEntryType, { description: "The entry." })
  node!: object;
}
@ObjectType("LedgerEntryConnection", { simpleResolvers: true, description: "One page of an account's ledger." })
export class LedgerEntryConnectionType {
  @Field(() => [LedgerEntryEdgeType], { description: "The page's entries with their places." })
  edges!: readonly LedgerEntryEdgeType[];
  @Field(() => [LedgerEntryType], { description: "The page's entries." })
  nodes!: readonly object[];
  @Field(() => PageInfoType, { description: "Where the page begins and ends." })
  pageInfo!: PageInfoType;
}

@InputType("OrderFilter", { description: "Conditions that an order must all meet." })
export class OrderFilterInput {
  @Field(() => ID, { nullable: true, description: "Of this account." })
  accountId?: string | null;
  @Field(() => ID, { nullable: true, description: "Of this symbol." })
  symbolId?: string | null;
  @Field(() => [OrderStatusEnum], { nullable: true, description: "In one of these states." })
  statuses?: string[] | null;
  @Field(() => ID, { nullable: true, description: "Of this strategy." })
  strategyId?: string | null;
  @Field(() => OrderSideEnum, { nullable: true, description: "Of this side." })
  side?: string | null;
  @Field(() => DateTimeScalar, { nullable: true, description: "Placed at this instant or later." })
  from?: Date | null;
  @Field(() => DateTimeScalar, { nullable: true, description: "Placed before this instant." })
  to?: Date | null;
}

@InputType("PositionFilter", { description: "Conditions that a position must all meet." })
export class PositionFilterInput {
  @Field(() => ID, { nullable: true, description: "Of this account." })
  accountId?: string | null;
  @Field(() => ID, { nullable: true, description: "Of this symbol." })
  symbolId?: string | null;
  @Field(() => [PositionStatusEnum], { nullable: true, description: "In one of these states." })
  statuses?: string[] | null;
}

@InputType("InitialBalanceInput", { description: "What a paper account begins with." })
class InitialBalanceInput {
  @Field(() => String, { description: "Code of the asset, e.g. USDT." })
  asset!: string;
  @Field(() => DecimalScalar, { description: "How much of it." })
  amount!: DecimalText;
}

@InputType("CreateAccountInput", { description: "The account to open." })
export class CreateAccountInput {
  @Field(() => String, { description: "Code of the exchange, e.g. BINANCE." })
  exchange!: string;
  @Field(() => String, { description: "What to call it; no two of a user have one name." })
  name!: string;
  @Field(() => AccountEnvironmentEnum, { description: "Where its orders are executed." })
  environment!: "PAPER" | "TESTNET" | "PRODUCTION";
  @Field(() => String, { nullable: true, description: "Not for paper. Stored sealed, and never returned." })
  apiKey?: string | null;
  @Field(() => String, { nullable: true, description: "Not for paper. Stored sealed, and never returned." })
  apiSecret?: string | null;
  @Field(() => String, { nullable: true, description: "Where the exchange has one." })
  passphrase?: string | null;
  @Field(() => PositionModeEnum, { nullable: true, description: "ONE_WAY when it is left out." })
  positionMode?: "ONE_WAY" | "HEDGE" | null;
  @Field(() => [InitialBalanceInput], {
    nullable: true,
    description: "PAPER only; default 100000 of the quote currency.",
  })
  initialBalances?: InitialBalanceInput[] | null;
}

@InputType("AccountKeysInput", { description: "The keys of an account at an exchange." })
export class AccountKeysInput {
  @Field(() => String, { description: "Stored sealed, and never returned." })
  apiKey!: string;
  @Field(() => String, { description: "Stored sealed, and never returned." })
  apiSecret!: string;
  @Field(() => String, { nullable: true, description: "Where the exchange has one." })
  passphrase?: string | null;
}

@InputType("PlaceOrderInput", { description: "The order to place." })
export class PlaceOrderInput {
  @Field(() => ID, { description: "The account that pays for it." })
  accountId!: string;
  @Field(() => ID, { description: "What is bought or sold." })
  symbolId!: string;
  @Field(() => ID, { nullable: true, description: "The strategy that it belongs to; its limits then count too." })
  strategyId?: string | null;
  @Field(() => OrderSideEnum, { description: "Whether it buys or sells." })
  side!: "BUY" | "SELL";
  @Field(() => OrderTypeEnum, { description: "When and at which price it executes." })
  orderType!: keyof typeof OrderTypeEnum;
  @Field(() => DecimalScalar, { description: "In the base currency." })
  quantity!: DecimalText;
  @Field(() => DecimalScalar, { nullable: true, description: "Of the limit types." })
  price?: DecimalText | null;
  @Field(() => DecimalScalar, { nullable: true, description: "Of the stop and take-profit types." })
  stopPrice?: DecimalText | null;
  @Field(() => DecimalScalar, { nullable: true, description: "Of a trailing stop, in per cent." })
  callbackRate?: DecimalText | null;
  @Field(() => DecimalScalar, { nullable: true, description: "How much of it others shall see at a time." })
  icebergQuantity?: DecimalText | null;
  @Field(() => TimeInForceEnum, { nullable: true, description: "GTC when it is left out." })
  timeInForce?: keyof typeof TimeInForceEnum | null;
  @Field(() => PositionSideEnum, { nullable: true, description: "LONG or SHORT where an account has both." })
  positionSide?: keyof typeof PositionSideEnum | null;
  @Field(() => Int, { nullable: true, description: "1 to 125; 1 when it is left out." })
  leverage?: number | null;
  @Field(() => MarginModeEnum, { nullable: true, description: "CROSS when it is left out." })
  marginMode?: keyof typeof MarginModeEnum | null;
  @Field(() => Boolean, { nullable: true, description: "Whether it may only make a position smaller." })
  reduceOnly?: boolean | null;
  @Field(() => Boolean, { nullable: true, description: "Whether it is refused if it would be executed at once." })
  postOnly?: boolean | null;
  @Field(() => DecimalScalar, { nullable: true, description: "Price at which what it bought is given up." })
  stopLoss?: DecimalText | null;
  @Field(() => DecimalScalar, { nullable: true, description: "Price at which the profit of it is taken." })
  takeProfit?: DecimalText | null;
  @Field(() => String, {
    nullable: true,
    description:
      "Idempotency key, unique per account: the same key with the same content returns the first order; with other content it is IDEMPOTENCY_CONFLICT.",
  })
  clientOrderId?: string | null;
}

@InputType("ReplaceOrderInput", { description: "New terms of an open order; what is left out stays." })
export class ReplaceOrderInput {
  @Field(() => ID, { description: "The order." })
  orderId!: string;
  @Field(() => DecimalScalar, { nullable: true, description: "In the base currency, with what is filled already." })
  quantity?: DecimalText | null;
  @Field(() => DecimalScalar, { nullable: true, description: "Limit." })
  price?: DecimalText | null;
  @Field(() => DecimalScalar, { nullable: true, description: "Price that wakes it." })
  stopPrice?: DecimalText | null;
}
