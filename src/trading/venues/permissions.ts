import type { TradingExchange } from "./library.js";
import type { TradedExchange } from "./offers.js";
import { isFields } from "./read-answers.js";

/**
 * READ, TRADE and WITHDRAW, as far as the exchange tells what a key may do; null where it does not.
 * @throws errors of ccxt's
 */
export async function readPermissions(code: TradedExchange, exchange: TradingExchange): Promise<string[] | null> {
  switch (code) {
    case "BINANCE":
      return binance(exchange);
    case "BYBIT":
      return bybit(await exchange.privateGetV5UserQueryApi?.());
    case "OKX":
      return okx(await exchange.privateGetAccountConfig?.());
    case "MEXC":
    case "GATEIO":
      // Neither tells; reading the balances shows that the key is one.
      await exchange.fetchBalance();
      return null;
    default:
      return code satisfies never;
  }
}

const list = (read: unknown, trade: unknown, withdraw: unknown): string[] =>
  [
    ["READ", read],
    ["TRADE", trade],
    ["WITHDRAW", withdraw],
  ].flatMap(([name, has]) => (has === true ? [name as string] : []));

async function binance(exchange: TradingExchange): Promise<string[] | null> {
  if (exchange.isSandboxModeEnabled === true) {
    // The testnet has no such question.
    const balance = await exchange.fetchBalance();
    const info = isFields(balance) && isFields(balance.info) ? balance.info : {};
    return list(true, info.canTrade, false);
  }
  const answer = await exchange.sapiGetAccountApiRestrictions?.();
  if (!isFields(answer)) return null;
  return list(answer.enableReading, answer.enableSpotAndMarginTrading, answer.enableWithdrawals);
}

function bybit(answer: unknown): string[] | null {
  const result = isFields(answer) && isFields(answer.result) ? answer.result : null;
  if (result === null || !isFields(result.permissions)) return null;
  const { Spot, Wallet } = result.permissions;
  const isReadOnly = Number(result.readOnly) === 1;
  const mayTrade = !isReadOnly && Array.isArray(Spot) && Spot.includes("SpotTrade");
  return list(true, mayTrade, !isReadOnly && Array.isArray(Wallet) && Wallet.includes("Withdraw"));
}

function okx(answer: unknown): string[] | null {
  const first: unknown = isFields(answer) && Array.isArray(answer.data) ? answer.data[0] : null;
  if (!isFields(first) || typeof first.perm !== "string") return null;
  const names = first.perm.split(",");
  return list(names.includes("read_only"), names.includes("trade"), names.includes("withdraw"));
}
