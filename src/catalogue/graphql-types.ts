import { Field, ID, InputType, Int, ObjectType, registerEnumType } from "type-graphql";
import type { DecimalText } from "../core/decimal.js";
import { NodeType, PageInfoType } from "../graphql/node.js";
import { DateTimeScalar, DecimalScalar, JsonScalar } from "../graphql/scalars.js";
import { MadeOf } from "../graphql/shared.js";
import type { MarketSymbol } from "./catalogue.js";
import {
  connectionStatusEnum,
  feedTypeEnum,
  marketStatusEnum,
  marketTypeEnum,
  providerTypeEnum,
  symbolStatusEnum,
} from "./tables.js";

/** An enum of the API with the values of the database's, each with its meaning. */
export function enumOf<const T extends string>(
  name: string,
  values: readonly T[],
  description: string,
  meanings: Record<T, string>,
): Record<T, T> {
  const object = Object.fromEntries(values.map((value) => [value, value])) as Record<T, T>;
  const valuesConfig = Object.fromEntries(values.map((value) => [value, { description: meanings[value] }]));
  registerEnumType(object, { name, description, valuesConfig: valuesConfig as Record<T, { description: string }> });
  return object;
}

const MarketTypeEnum = enumOf("MarketType", marketTypeEnum.enumValues, "What is traded on a market.", {
  SPOT: "The asset itself, delivered at once.",
  MARGIN: "The asset itself, bought with borrowed money.",
  FUTURES: "Contracts on the asset, with leverage.",
  EQUITY: "Shares and funds.",
});
export const MarketStatusEnum = enumOf("MarketStatus", marketStatusEnum.enumValues, "Whether a market trades now.", {
  PRE_MARKET: "Before the regular session.",
  OPEN: "In the regular session, or a market that never closes.",
  POST_MARKET: "After the regular session.",
  CLOSED: "Between sessions, or a holiday.",
  HALTED: "Stopped by an operator.",
  MAINTENANCE: "Under maintenance, said by an operator.",
});
const SymbolStatusEnum = enumOf("SymbolStatus", symbolStatusEnum.enumValues, "What the exchange says about a symbol.", {
  TRADING: "It trades.",
  HALT: "Trading is suspended.",
  DELISTED: "The exchange no longer lists it.",
});
const ProviderTypeEnum = enumOf(
  "ProviderType",
  providerTypeEnum.enumValues,
  "What kind of prices a provider delivers.",
  {
    REALTIME: "Real prices as they happen.",
    DELAYED: "Real prices, `dataDelayMinutes` late.",
    HISTORICAL: "Real prices of the past only.",
    SIMULATED: "Invented prices of the local simulated exchange; never mixed with real ones.",
  },
);
const FeedTypeEnum = enumOf("FeedType", feedTypeEnum.enumValues, "How a provider delivers.", {
  WEBSOCKET: "It pushes over a WebSocket.",
  REST: "It is polled over HTTP.",
});
const ConnectionStatusEnum = enumOf(
  "ConnectionStatus",
  connectionStatusEnum.enumValues,
  "State of the connection to a provider.",
  {
    DISCONNECTED: "Not wanted now, or its program is stopped.",
    CONNECTING: "First attempt under way.",
    CONNECTED: "Connected, subscribed and delivering.",
    RECONNECTING: "Lost; trying again.",
    STALE: "Connected but silent for longer than the provider's limit.",
    ERROR: "Cannot work as configured; see `lastError`.",
  },
);

@MadeOf("catalogue")
@ObjectType("AssetClass", {
  implements: NodeType,
  simpleResolvers: true,
  description: "A kind of asset, such as crypto or the shares of one country's exchanges.",
})
export class AssetClassType extends NodeType {
  @Field(() => String, { description: "Stable code, e.g. CRYPTO or STOCK_NASDAQ." })
  code!: string;
  @Field(() => String, { nullable: true, description: "What the class contains." })
  description!: string | null;
  @Field(() => String, { description: "Currency in which its assets are usually priced." })
  primaryCurrency!: string;
  @Field(() => Int, { description: "Decimal places of a price where the symbol says nothing else." })
  defaultPricePrecision!: number;
  @Field(() => Int, { description: "Decimal places of a quantity where the symbol says nothing else." })
  defaultQuantityPrecision!: number;
  @Field(() => Boolean, { description: "Whether its markets may trade around the clock." })
  supports24x7Trading!: boolean;
  @Field(() => Boolean, { description: "Whether parts of one unit can be traded." })
  supportsFractional!: boolean;
  @Field(() => DecimalScalar, { nullable: true, description: "Smallest order value, in the primary currency." })
  minTradeAmount!: DecimalText | null;
  @Field(() => String, { nullable: true, description: "How regulators class it." })
  regulatoryClass!: string | null;
  @Field(() => Boolean, { description: "Whether it is offered." })
  isActive!: boolean;
  @Field(() => Int, { description: "Place in lists; smaller comes first." })
  displayOrder!: number;
  @Field(() => DateTimeScalar, { description: "When it was added." })
  createdAt!: Date;
  @Field(() => DateTimeScalar, { description: "When it was last changed." })
  updatedAt!: Date;
}

@MadeOf("catalogue")
@ObjectType("Exchange", {
  implements: NodeType,
  simpleResolvers: true,
  description: "A company that runs markets, such as BINANCE or NASDAQ.",
})
export class ExchangeType extends NodeType {
  @Field(() => String, { description: "Stable code, e.g. BINANCE." })
  code!: string;
  @Field(() => String, { description: "Its name." })
  name!: string;
  @Field(() => Boolean, { description: "Whether it has a spot or equity market." })
  supportsSpot!: boolean;
  @Field(() => Boolean, { description: "Whether it has a futures market." })
  supportsFutures!: boolean;
  @Field(() => Boolean, { description: "Whether it is offered." })
  isActive!: boolean;
}

@MadeOf("catalogue")
@ObjectType("TradingSession", {
  implements: NodeType,
  simpleResolvers: true,
  description: "Hours of a market on one day of the week, in the market's time zone.",
})
export class TradingSessionType extends NodeType {
  @Field(() => String, { description: "Its name, e.g. Regular." })
  name!: string;
  @Field(() => MarketStatusEnum, {
    description: "The market's status during the session: PRE_MARKET, OPEN or POST_MARKET.",
  })
  sessionType!: string;
  @Field(() => Int, { description: "ISO 8601 day on which it starts: 1 Monday to 7 Sunday." })
  dayOfWeek!: number;
  @Field(() => String, { description: "Local time HH:MM:SS at which it starts." })
  startTime!: string;
  @Field(() => String, {
    description: "Local time HH:MM:SS at which it ends; not after `startTime` means on the next day.",
  })
  endTime!: string;
  @Field(() => Boolean, { description: "Whether it is the market's main session." })
  isPrimary!: boolean;
}

@MadeOf("catalogue")
@ObjectType("DataProvider", {
  implements: NodeType,
  simpleResolvers: true,
  description: "A source of one market's data and the state of the connection to it.",
})
export class DataProviderType extends NodeType {
  @Field(() => String, { description: "Stable code, e.g. BINANCE_SPOT_WS." })
  code!: string;
  @Field(() => String, { description: "Its name." })
  name!: string;
  @Field(() => String, { nullable: true, description: "What it delivers." })
  description!: string | null;
  @Field(() => ProviderTypeEnum, { description: "What kind of prices it delivers; SIMULATED ones are invented." })
  providerType!: string;
  @Field(() => FeedTypeEnum, { description: "How it delivers." })
  feedType!: string;
  @Field(() => Boolean, { description: "Whether it is used." })
  isActive!: boolean;
  @Field(() => Boolean, { description: "Whether it serves the market's symbols that name no provider of their own." })
  isPrimary!: boolean;
  @Field(() => Int, { description: "0 to 100; higher is preferred." })
  priority!: number;
  @Field(() => Int, { description: "How late its prices are, in minutes." })
  dataDelayMinutes!: number;
  @Field(() => [String], { description: "What it can deliver, e.g. BOOK_TICKER, TRADE, TICKER_24H." })
  supportedDataTypes!: string[];
  @Field(() => ConnectionStatusEnum, { description: "State of the connection." })
  connectionStatus!: string;
  @Field(() => DateTimeScalar, { nullable: true, description: "When it was last connected." })
  lastConnectedAt!: Date | null;
  @Field(() => DateTimeScalar, {
    nullable: true,
    description: "When its last message came; updated every few seconds.",
  })
  lastMessageAt!: Date | null;
}

@MadeOf("catalogue")
@ObjectType("Market", {
  implements: NodeType,
  simpleResolvers: true,
  description: "One exchange's place for one type of trading, e.g. BINANCE_SPOT.",
})
export class MarketType extends NodeType {
  @Field(() => String, { description: "EXCHANGE_TYPE, e.g. BINANCE_SPOT, GATEIO_FUTURES, NASDAQ_EQUITY." })
  code!: string;
  @Field(() => String, { nullable: true, description: "What is traded there." })
  description!: string | null;
  @Field(() => MarketTypeEnum, { description: "What kind of trading." })
  marketType!: string;
  @Field(() => String, { nullable: true, description: "ISO 3166 code of its country, where it has one." })
  countryCode!: string | null;
  @Field(() => String, { description: "IANA time zone of its sessions, e.g. America/New_York." })
  timezone!: string;
  @Field(() => String, { description: "Currency in which it mostly trades." })
  primaryCurrency!: string;
  @Field(() => DecimalScalar, { description: 'Taker commission as a fraction of the order value: "0.001" is 0.1 %.' })
  defaultCommissionRate!: DecimalText;
  @Field(() => DecimalScalar, {
    nullable: true,
    description: "Smallest commission of an order, in the primary currency.",
  })
  minCommission!: DecimalText | null;
  @Field(() => DateTimeScalar, { nullable: true, description: "When an operator last set or released the status." })
  statusUpdatedAt!: Date | null;
  @Field(() => Boolean, { description: "Whether it is offered." })
  isActive!: boolean;
  @Field(() => Boolean, { description: "Whether real-time data is available." })
  hasRealtimeData!: boolean;
  @Field(() => Int, { description: "How late its data is, in minutes." })
  dataDelayMinutes!: number;
  @Field(() => Int, { description: "Place in lists; smaller comes first." })
  displayOrder!: number;
}

@MadeOf("catalogue")
@ObjectType("Symbol", {
  implements: NodeType,
  simpleResolvers: true,
  description: "Something that can be traded on one market, e.g. BTCUSDT on BINANCE_SPOT.",
})
export class SymbolType extends NodeType {
  @Field(() => String, { description: "The exchange's own name for it, e.g. BTCUSDT; unique within the market." })
  ticker!: string;
  @Field(() => String, { description: "Short name for people, e.g. BTC/USDT." })
  displayName!: string;
  @Field(() => String, { nullable: true, description: "What it is." })
  description!: string | null;
  @Field(() => String, { description: "What is bought or sold; quantities are in it." })
  baseCurrency!: string;
  @Field(() => String, { description: "What it is paid with; prices are in it." })
  quoteCurrency!: string;
  @Field(() => String, { nullable: true, description: "Economic sector of a share." })
  sector!: string | null;
  @Field(() => String, { nullable: true, description: "Industry of a share." })
  industry!: string | null;
  @Field(() => String, { nullable: true, description: "ISO 3166 code of the issuer's country." })
  country!: string | null;
  @Field(() => String, { nullable: true, description: "International Securities Identification Number." })
  isin!: string | null;
  @Field(() => SymbolStatusEnum, { description: "What the exchange says about it." })
  status!: string;
  @Field(() => Boolean, { description: "Whether it is offered." })
  isActive!: boolean;
  @Field(() => Boolean, { description: "Whether live prices are fed." })
  isTracked!: boolean;
  @Field(() => Boolean, { description: "Whether search prefers it." })
  isPopular!: boolean;
  @Field(() => Boolean, { description: "Whether anonymous visitors and new users see it." })
  isDefault!: boolean;
  @Field(() => Int, { description: "0 to 100; higher is subscribed and served earlier." })
  broadcastPriority!: number;
  @Field(() => Int, { description: "Place in lists; smaller comes first." })
  displayOrder!: number;
  @Field(() => Int, { description: "Decimal places of a price." })
  pricePrecision!: number;
  @Field(() => Int, { description: "Decimal places of a quantity." })
  quantityPrecision!: number;
  @Field(() => DecimalScalar, { description: "Prices are multiples of it." })
  tickSize!: DecimalText;
  @Field(() => DecimalScalar, { description: "Quantities are multiples of it." })
  stepSize!: DecimalText;
  @Field(() => DecimalScalar, { nullable: true, description: "Smallest quantity of an order." })
  minQuantity!: DecimalText | null;
  @Field(() => DecimalScalar, { nullable: true, description: "Largest quantity of an order." })
  maxQuantity!: DecimalText | null;
  @Field(() => DecimalScalar, {
    nullable: true,
    description: "Smallest value of an order, in the quote currency (min notional).",
  })
  minOrderValue!: DecimalText | null;
  @Field(() => DecimalScalar, { nullable: true, description: "Largest value of an order, in the quote currency." })
  maxOrderValue!: DecimalText | null;
  @Field(() => JsonScalar, { nullable: true, description: "Whatever else is known about it." })
  metadata!: unknown;
}

@MadeOf()
@ObjectType("SymbolEdge", { simpleResolvers: true, description: "A symbol in a list, with its position." })
export class SymbolEdgeType {
  @Field(() => String, { description: "Position for `after` and `before`; valid for lists of the same order." })
  cursor!: string;
  @Field(() => SymbolType, { description: "The symbol." })
  node!: MarketSymbol;
}

@MadeOf()
@ObjectType("SymbolConnection", { simpleResolvers: true, description: "One page of a list of symbols." })
export class SymbolConnectionType {
  @Field(() => [SymbolEdgeType], { description: "The page's symbols with their positions." })
  edges!: readonly SymbolEdgeType[];
  @Field(() => [SymbolType], { description: "The page's symbols." })
  nodes!: readonly MarketSymbol[];
  @Field(() => PageInfoType, { description: "Where the page begins and ends." })
  pageInfo!: PageInfoType;
  @Field(() => Int, { description: "Number of symbols in the whole list." })
  totalCount!: number;
}

@InputType("SymbolFilter", {
  description: "Conditions that a symbol must all meet. A condition that is left out or null does not count.",
})
export class SymbolFilterInput {
  @Field(() => String, { nullable: true, description: "Code of the asset class, e.g. CRYPTO." })
  assetClass?: string | null;
  @Field(() => String, { nullable: true, description: "Code of the market, e.g. BINANCE_SPOT." })
  market?: string | null;
  @Field(() => String, { nullable: true, description: "Code of the exchange, e.g. BINANCE." })
  exchange?: string | null;
  @Field(() => String, { nullable: true, description: "Currency of the prices, e.g. USDT." })
  quoteCurrency?: string | null;
  @Field(() => SymbolStatusEnum, { nullable: true, description: "What the exchange says about it." })
  status?: MarketSymbol["status"] | null;
  @Field(() => Boolean, { nullable: true, description: "Whether it is offered." })
  isActive?: boolean | null;
  @Field(() => Boolean, { nullable: true, description: "Whether live prices are fed." })
  isTracked?: boolean | null;
  @Field(() => Boolean, { nullable: true, description: "Whether search prefers it." })
  isPopular?: boolean | null;
  @Field(() => Boolean, { nullable: true, description: "Whether it is one of the defaults." })
  isDefault?: boolean | null;
}

@InputType("UpdateSymbolInput", {
  description: "What an operator changes of a symbol. What is left out or null stays as it is.",
})
export class UpdateSymbolInput {
  @Field(() => ID, { description: "The symbol." })
  symbolId!: string;
  @Field(() => Boolean, { nullable: true, description: "Whether it is offered. A default must be." })
  isActive?: boolean | null;
  @Field(() => Boolean, { nullable: true, description: "Whether live prices are fed; takes effect on the open feed." })
  isTracked?: boolean | null;
  @Field(() => Boolean, { nullable: true, description: "Whether search prefers it." })
  isPopular?: boolean | null;
  @Field(() => Boolean, {
    nullable: true,
    description: "Whether anonymous visitors see it. At least nine symbols must be default.",
  })
  isDefault?: boolean | null;
  @Field(() => Int, { nullable: true, description: "0 to 100; higher is served earlier." })
  broadcastPriority?: number | null;
  @Field(() => Int, { nullable: true, description: "Place in lists; smaller comes first." })
  displayOrder?: number | null;
  @Field(() => String, {
    nullable: true,
    description:
      "Code of a provider of the symbol's market; null takes the assignment away, so that the market's primary one serves it.",
  })
  dataProviderCode?: string | null;
  @Field(() => SymbolStatusEnum, {
    nullable: true,
    description: "What the exchange says about it; the next sync writes it anew.",
  })
  status?: MarketSymbol["status"] | null;
}
