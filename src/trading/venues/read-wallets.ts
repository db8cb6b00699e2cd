import { Decimal } from "../../core/decimal.js";
import { offers, type TradedExchange } from "./offers.js";
import { amountOf, isFields } from "./read-answers.js";

export interface ExchangeBalance {
  readonly asset: string;
  readonly available: Decimal;
  readonly locked: Decimal;
}

const zero = new Decimal(0);

/** Only what is there. Null for what are no balances. */
export function readSpotBalances(code: TradedExchange, raw: unknown): ExchangeBalance[] | null {
  if (!isFields(raw) || !isFields(raw.free) || !isFields(raw.used)) return null;
  const balances: ExchangeBalance[] = [];
  for (const [asset, free] of Object.entries(raw.free)) {
    const available = amountOf(free);
    const locked = amountOf(raw.used[asset]) ?? zero;
    if (available === null) return null;
    balances.push({ asset, available, locked });
  }
  const wallet = code === "OKX" ? okxCash(raw.info) : null;
  return balances
    .map((balance) => withCash(balance, wallet?.get(balance.asset)))
    .filter(({ available, locked }) => !available.isZero() || !locked.isZero());
}

/**
 * What is in a wallet for futures alone, without what open positions have won or lost; nothing where the exchange has one wallet
 * for all. Null for what is no wallet.
 */
export function readFuturesWallet(code: TradedExchange, raw: unknown): ExchangeBalance[] | null {
  if (offers[code].futures?.hasOwnWallet !== true) return [];
  if (!isFields(raw)) return null;
  if (code === "BINANCE") {
    const assets: unknown = isFields(raw.info) ? raw.info.assets : null;
    if (!Array.isArray(assets)) return null;
    const balances: ExchangeBalance[] = [];
    for (const one of assets as unknown[]) {
      const available = isFields(one) ? amountOf(one.walletBalance) : null;
      if (!isFields(one) || typeof one.asset !== "string" || available === null) return null;
      if (!available.isZero()) balances.push({ asset: one.asset, available, locked: zero });
    }
    return balances;
  }
  if (!isFields(raw.total)) return null;
  return Object.entries(raw.total).flatMap(([asset, total]) => {
    const available = amountOf(total);
    return available === null || available.isZero() ? [] : [{ asset, available, locked: zero }];
  });
}

/** OKX's sums have in them what positions would bring now; the cash has not. */
function okxCash(info: unknown): ReadonlyMap<string, Decimal> | null {
  const first: unknown = isFields(info) && Array.isArray(info.data) ? info.data[0] : null;
  if (!isFields(first) || !Array.isArray(first.details)) return null;
  const cash = new Map<string, Decimal>();
  for (const one of first.details as unknown[]) {
    const amount = isFields(one) ? amountOf(one.cashBal) : null;
    if (isFields(one) && typeof one.ccy === "string" && amount !== null) cash.set(one.ccy, amount);
  }
  return cash;
}

/** Of the same sum as the cash. */
function withCash(balance: ExchangeBalance, cash: Decimal | undefined): ExchangeBalance {
  if (cash === undefined) return balance;
  return {
    ...balance,
    available: Decimal.max(zero, cash.minus(balance.locked)),
    locked: Decimal.min(cash, balance.locked),
  };
}
