import type { Decimal } from "../../../core/decimal.js";
import type { SimulatedAccount } from "../trading/account.js";
import type { Execution } from "../trading/engine.js";
import type { SimulatedOrder, SimulatedTrade } from "../trading/order.js";

const amount = (value: Decimal | null): string => (value === null ? "0.00000000" : value.toFixed(8));

/** `{"symbol":"LTCBTC","orderId":1,"orderListId":-1,"clientOrderId":"myOrder1","price":"0.1","origQty":"1.0","executedQty":"0.0","cummulativeQuoteQty":"0.0","status":"NEW",…}` */
export const orderAnswer = (order: SimulatedOrder): object => ({
  symbol: order.symbol,
  orderId: order.id,
  orderListId: -1,
  clientOrderId: order.clientOrderId,
  ...state(order),
  stopPrice: amount(order.stopPrice),
  ...(order.trailingDelta === null ? {} : { trailingDelta: order.trailingDelta }),
  icebergQty: amount(order.icebergQuantity),
  time: order.createdAtMs,
  updateTime: order.updatedAtMs,
  isWorking: order.isWorking,
  workingTime: order.isWorking ? order.createdAtMs : -1,
});

/** The answer to a new order, with what it has traded at once. */
export const newOrderAnswer = (order: SimulatedOrder, trades: readonly SimulatedTrade[], kind: string): object => ({
  symbol: order.symbol,
  orderId: order.id,
  orderListId: -1,
  clientOrderId: order.clientOrderId,
  transactTime: order.updatedAtMs,
  ...(kind === "ACK" ? {} : { ...state(order), workingTime: order.createdAtMs }),
  ...(kind === "FULL"
    ? {
        fills: trades.map((trade) => ({
          price: amount(trade.price),
          qty: amount(trade.quantity),
          commission: amount(trade.commission),
          commissionAsset: trade.commissionAsset,
          tradeId: trade.id,
        })),
      }
    : {}),
});

export const cancelAnswer = (order: SimulatedOrder): object => ({
  symbol: order.symbol,
  origClientOrderId: order.clientOrderId,
  orderId: order.id,
  orderListId: -1,
  clientOrderId: order.cancelId,
  transactTime: order.updatedAtMs,
  ...state(order),
});

const state = (order: SimulatedOrder): object => ({
  price: amount(order.price),
  origQty: amount(order.quantity),
  executedQty: amount(order.executed),
  origQuoteOrderQty: amount(null),
  cummulativeQuoteQty: amount(order.value),
  status: order.status,
  timeInForce: order.timeInForce,
  type: order.type,
  side: order.side,
  selfTradePreventionMode: "EXPIRE_MAKER",
});

/** `{"symbol":"BNBBTC","id":28457,"orderId":100234,"price":"4.00000100","qty":"12.00000000","commission":"10.10000000","commissionAsset":"BNB","time":1499865549590,"isBuyer":true,"isMaker":false,…}` */
export const tradeAnswer = (trade: SimulatedTrade): object => ({
  symbol: trade.symbol,
  id: trade.id,
  orderId: trade.orderId,
  orderListId: -1,
  price: amount(trade.price),
  qty: amount(trade.quantity),
  quoteQty: amount(trade.price.times(trade.quantity)),
  commission: amount(trade.commission),
  commissionAsset: trade.commissionAsset,
  time: trade.atMs,
  isBuyer: trade.isBuyer,
  isMaker: trade.isMaker,
  isBestMatch: true,
});

export const accountAnswer = (account: SimulatedAccount): object => ({
  makerCommission: 10,
  takerCommission: 10,
  buyerCommission: 0,
  sellerCommission: 0,
  commissionRates: { maker: "0.00100000", taker: "0.00100000", buyer: "0.00000000", seller: "0.00000000" },
  canTrade: account.canTrade,
  canWithdraw: false,
  canDeposit: false,
  brokered: false,
  requireSelfTradePrevention: false,
  preventSor: false,
  updateTime: account.updatedAtMs,
  accountType: "SPOT",
  balances: [...account.holdings].map(([asset, { free, locked }]) => ({
    asset,
    free: amount(free),
    locked: amount(locked),
  })),
  permissions: ["SPOT"],
});

/** What the key may do. */
export const restrictionsAnswer = (account: SimulatedAccount): object => ({
  ipRestrict: false,
  createTime: 1_700_000_000_000,
  enableReading: true,
  enableSpotAndMarginTrading: account.canTrade,
  enableWithdrawals: false,
  enableInternalTransfer: false,
  enableMargin: false,
  enableFutures: account.canTradeFutures,
  permitsUniversalTransfer: false,
  enableVanillaOptions: false,
  enableFixApiTrade: false,
  enableFixReadOnly: false,
  enablePortfolioMarginTrading: false,
});

/** @see https://developers.binance.com/docs/binance-spot-api-docs/user-data-stream#order-update */
export const executionReport = (
  order: SimulatedOrder,
  kind: Execution,
  trade: SimulatedTrade | null,
  nowMs: number,
): object => ({
  e: "executionReport",
  E: nowMs,
  s: order.symbol,
  c: kind === "CANCELED" ? (order.cancelId ?? order.clientOrderId) : order.clientOrderId,
  S: order.side,
  o: order.type,
  f: order.timeInForce,
  q: amount(order.quantity),
  p: amount(order.price),
  P: amount(order.stopPrice),
  F: amount(order.icebergQuantity),
  g: -1,
  C: kind === "CANCELED" ? order.clientOrderId : "",
  x: kind,
  X: order.status,
  r: "NONE",
  i: order.id,
  l: amount(trade?.quantity ?? null),
  z: amount(order.executed),
  L: amount(trade?.price ?? null),
  n: trade === null ? "0" : amount(trade.commission),
  N: trade?.commissionAsset ?? null,
  T: order.updatedAtMs,
  t: trade?.id ?? -1,
  I: order.id,
  w: order.isWorking && order.isOpen,
  m: trade?.isMaker ?? false,
  M: false,
  O: order.createdAtMs,
  Z: amount(order.value),
  Y: amount(trade === null ? null : trade.price.times(trade.quantity)),
  Q: amount(null),
  W: order.createdAtMs,
  V: "EXPIRE_MAKER",
});

/** @see https://developers.binance.com/docs/binance-spot-api-docs/user-data-stream#account-update */
export const accountPosition = (account: SimulatedAccount, assets: readonly string[], nowMs: number): object => ({
  e: "outboundAccountPosition",
  E: nowMs,
  u: account.updatedAtMs,
  B: assets.map((asset) => {
    const { free, locked } = account.holding(asset);
    return { a: asset, f: amount(free), l: amount(locked) };
  }),
});
