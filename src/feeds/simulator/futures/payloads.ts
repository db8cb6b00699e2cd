import { Decimal } from "../../../core/decimal.js";
import type { FuturesAccount, FuturesIncome, FuturesPosition } from "./account.js";
import type { FuturesExecution } from "./engine.js";
import type { FuturesOrder, FuturesTrade } from "./order.js";

const text = (value: Decimal | null): string => (value === null ? "0" : value.toFixed());
const averageOf = ({ executed, value }: FuturesOrder): Decimal =>
  executed.isZero() ? executed : value.div(executed).toDecimalPlaces(8);

/** `{"avgPrice":"0.00000","clientOrderId":"abc","cumQuote":"0","executedQty":"0","orderId":1917641,"origQty":"0.40","origType":"LIMIT","price":"0","reduceOnly":false,"side":"BUY","positionSide":"SHORT","status":"NEW",…}` */
export const orderAnswer = (order: FuturesOrder): object => ({
  orderId: order.id,
  symbol: order.symbol,
  status: order.status,
  clientOrderId: order.clientOrderId,
  price: text(order.price),
  avgPrice: text(averageOf(order)),
  origQty: text(order.quantity),
  executedQty: text(order.executed),
  cumQuote: text(order.value),
  timeInForce: order.timeInForce,
  type: order.type,
  origType: order.type,
  reduceOnly: order.reduceOnly,
  closePosition: false,
  side: order.side,
  positionSide: order.positionSide,
  stopPrice: "0",
  workingType: "CONTRACT_PRICE",
  priceProtect: false,
  time: order.createdAtMs,
  updateTime: order.updatedAtMs,
});

/** `{"buyer":false,"commission":"-0.07819010","commissionAsset":"USDT","id":698759,"maker":false,"orderId":25851813,"price":"7819.01","qty":"0.002","realizedPnl":"-0.91539999","side":"SELL","positionSide":"SHORT","symbol":"BTCUSDT","time":1569514978020}` */
export const tradeAnswer = (trade: FuturesTrade): object => ({
  symbol: trade.symbol,
  id: trade.id,
  orderId: trade.orderId,
  side: trade.side,
  positionSide: trade.positionSide,
  price: text(trade.price),
  qty: text(trade.quantity),
  quoteQty: text(trade.price.times(trade.quantity)),
  commission: text(trade.commission),
  commissionAsset: "USDT",
  realizedPnl: text(trade.realizedPnl),
  buyer: trade.side === "BUY",
  maker: trade.isMaker,
  time: trade.atMs,
});

export const accountAnswer = (account: FuturesAccount): object => ({
  totalWalletBalance: text(account.wallet),
  availableBalance: text(account.available),
  assets: [
    {
      asset: "USDT",
      walletBalance: text(account.wallet),
      unrealizedProfit: "0",
      marginBalance: text(account.wallet),
      initialMargin: text(account.wallet.minus(account.available)),
      availableBalance: text(Decimal.max(0, account.available)),
      updateTime: account.updatedAtMs,
    },
  ],
  positions: [],
});

/** `{"symbol":"ADAUSDT","positionSide":"BOTH","positionAmt":"30","entryPrice":"0.385","notional":"13.57","isolatedMargin":"0","updateTime":1720736417660,…}` */
export const positionAnswer = (account: FuturesAccount, position: FuturesPosition): object => {
  const { symbol, side, amount, entryPrice } = position;
  const notional = amount.times(entryPrice);
  const margin = notional.abs().div(account.leverageOf(symbol)).toDecimalPlaces(8);
  return {
    symbol,
    positionSide: side,
    positionAmt: text(amount),
    entryPrice: text(entryPrice),
    breakEvenPrice: text(entryPrice),
    markPrice: text(entryPrice),
    unRealizedProfit: "0",
    liquidationPrice: "0",
    isolatedMargin: account.isolated.has(symbol) ? text(margin) : "0",
    notional: text(notional),
    marginAsset: "USDT",
    initialMargin: text(margin),
    maintMargin: text(notional.abs().times("0.004")),
    updateTime: account.updatedAtMs,
  };
};

export const incomeAnswer = ({ id, symbol, amount, atMs }: FuturesIncome): object => ({
  symbol,
  incomeType: "FUNDING_FEE",
  income: text(amount),
  asset: "USDT",
  info: "FUNDING_FEE",
  time: atMs,
  tranId: id,
  tradeId: "",
});

/** @see https://developers.binance.com/docs/derivatives/usds-margined-futures/user-data-streams/Event-Order-Update */
export const orderUpdate = (
  order: FuturesOrder,
  kind: FuturesExecution,
  trade: FuturesTrade | null,
  nowMs: number,
) => ({
  e: "ORDER_TRADE_UPDATE",
  E: nowMs,
  T: nowMs,
  o: {
    s: order.symbol,
    c: order.clientOrderId,
    S: order.side,
    o: order.type,
    f: order.timeInForce,
    q: text(order.quantity),
    p: text(order.price),
    ap: text(averageOf(order)),
    sp: "0",
    x: kind,
    X: order.status,
    i: order.id,
    l: text(trade?.quantity ?? null),
    z: text(order.executed),
    L: text(trade?.price ?? null),
    ...(trade === null ? {} : { n: text(trade.commission), N: "USDT" }),
    T: order.updatedAtMs,
    t: trade?.id ?? 0,
    m: trade?.isMaker ?? false,
    R: order.reduceOnly,
    ps: order.positionSide,
    rp: text(trade?.realizedPnl ?? null),
  },
});

/** @see https://developers.binance.com/docs/derivatives/usds-margined-futures/user-data-streams/Event-Balance-and-Position-Update */
export const accountUpdate = (account: FuturesAccount, reason: "ORDER" | "FUNDING_FEE", nowMs: number): object => ({
  e: "ACCOUNT_UPDATE",
  E: nowMs,
  T: nowMs,
  a: {
    m: reason,
    B: [{ a: "USDT", wb: text(account.wallet), cw: text(account.wallet), bc: "0" }],
    P: account.openPositions().map(({ symbol, side, amount, entryPrice }) => ({
      s: symbol,
      pa: text(amount),
      ep: text(entryPrice),
      up: "0",
      mt: account.isolated.has(symbol) ? "isolated" : "cross",
      iw: "0",
      ps: side,
    })),
  },
});
