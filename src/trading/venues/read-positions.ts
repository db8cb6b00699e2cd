import { Decimal } from "../../core/decimal.js";
import type { MarginMode, PositionSide } from "../order.js";
import { type ExchangeLink, LinkError, type VenueSymbol } from "./exchange-link.js";
import type { ExchangeFill } from "./read-answers.js";
import { amountOf, isFields, textOf, timeOf } from "./read-answers.js";

/** A position as the exchange has it. */
export interface ExchangePosition {
  readonly symbolId: number;
  readonly side: Exclude<PositionSide, "BOTH">;
  /** In coins. */
  readonly quantity: Decimal;
  readonly entryPrice: Decimal;
  /** Null where the exchange does not say. */
  readonly leverage: number | null;
  readonly marginMode: MarginMode | null;
}

/** A funding payment as the exchange tells of it. */
export interface ExchangePayment {
  readonly id: string;
  readonly symbolId: number;
  readonly asset: string;
  /** Received; negative when paid. */
  readonly amount: Decimal;
  readonly atMs: number;
}

export interface ExchangeLiquidation {
  readonly symbolId: number;
  readonly side: Exclude<PositionSide, "BOTH">;
  readonly fills: readonly ExchangeFill[];
}

/** Null for a symbol that is not traded here. */
type SymbolOfTicker = (ticker: string) => VenueSymbol | null;

const perPage = 100;
const maxPages = 20;

/** Open ones of symbols that are known. @throws {LinkError} */
export async function readPositions(link: ExchangeLink, symbolOf: SymbolOfTicker): Promise<ExchangePosition[]> {
  const raw = await link.request((exchange) => exchange.fetchPositions());
  if (!Array.isArray(raw)) throw unreadable();
  const positions: ExchangePosition[] = [];
  for (const one of raw as unknown[]) {
    if (!isFields(one)) throw unreadable();
    const symbol = symbolOfAnswer(link, one, symbolOf);
    const contracts = amountOf(one.contracts);
    if (symbol === null || contracts === null || contracts.isZero()) continue;
    const entryPrice = amountOf(one.entryPrice);
    const side = one.side === "long" ? "LONG" : one.side === "short" ? "SHORT" : null;
    if (entryPrice === null || side === null) throw unreadable();
    const leverage = amountOf(one.leverage)?.toNumber() ?? null;
    positions.push({
      symbolId: symbol.id,
      side,
      quantity: contracts.abs().times(link.contractSizeOf(one)),
      entryPrice,
      leverage: leverage !== null && Number.isInteger(leverage) && leverage >= 1 && leverage <= 125 ? leverage : null,
      marginMode: one.marginMode === "isolated" ? "ISOLATED" : one.marginMode === "cross" ? "CROSS" : null,
    });
  }
  return positions;
}

/** From a time on, in their order. @throws {LinkError} */
export async function readPayments(
  link: ExchangeLink,
  sinceMs: number,
  symbolOf: SymbolOfTicker,
): Promise<ExchangePayment[]> {
  const found = new Map<string, ExchangePayment>();
  // Bybit tells what was paid, the others what was received.
  const sign = link.code === "BYBIT" ? -1 : 1;
  let fromMs = sinceMs;
  for (let page = 0; page < maxPages; page++) {
    const raw = await link.request((exchange) => exchange.fetchFundingHistory(undefined, fromMs, perPage));
    if (!Array.isArray(raw)) throw unreadable();
    const before = found.size;
    for (const one of raw as unknown[]) {
      if (!isFields(one)) throw unreadable();
      const symbol = symbolOfAnswer(link, one, symbolOf);
      const amount = amountOf(one.amount);
      const atMs = timeOf(one.timestamp);
      if (symbol === null) continue;
      if (amount === null || atMs === null) throw unreadable();
      // Gate.io's payments have no id, but a symbol has one at a time.
      const id = `${symbol.ticker}:${textOf(one.id) ?? atMs}`;
      if (atMs >= sinceMs)
        found.set(id, { id, symbolId: symbol.id, asset: textOf(one.code) ?? "USDT", amount: amount.times(sign), atMs });
      fromMs = Math.max(fromMs, atMs);
    }
    if (found.size === before) break;
  }
  return [...found.values()].sort((a, b) => a.atMs - b.atMs);
}

/** Those of Binance; elsewhere what they have done shows in positions and balances alone. @throws {LinkError} */
export async function readLiquidations(
  link: ExchangeLink,
  sinceMs: number,
  symbolOf: SymbolOfTicker,
): Promise<ExchangeLiquidation[]> {
  if (link.code !== "BINANCE") return [];
  const raw = await link.request((exchange) => exchange.fetchMyLiquidations(undefined, sinceMs, perPage));
  if (!Array.isArray(raw)) throw unreadable();
  const liquidations: ExchangeLiquidation[] = [];
  for (const one of raw as unknown[]) {
    const info = isFields(one) && isFields(one.info) ? one.info : null;
    const symbol = isFields(one) ? symbolOfAnswer(link, one, symbolOf) : null;
    const orderId = textOf(info?.orderId);
    if (info === null || orderId === null) throw unreadable();
    if (symbol === null) continue;
    const fills = await link.fillsOf(await link.symbol(symbol), orderId);
    liquidations.push({ symbolId: symbol.id, side: info.side === "SELL" ? "LONG" : "SHORT", fills });
  }
  return liquidations;
}

const unreadable = (): LinkError => new LinkError({ kind: "unknown", reason: "the answer cannot be read" });

function symbolOfAnswer(
  link: ExchangeLink,
  answer: Readonly<Record<string, unknown>>,
  symbolOf: SymbolOfTicker,
): VenueSymbol | null {
  if (typeof answer.symbol !== "string") return null;
  const ticker = link.tickerOf(answer.symbol);
  return ticker === null ? null : symbolOf(ticker);
}
