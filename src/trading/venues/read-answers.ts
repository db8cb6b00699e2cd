import { Decimal, parseDecimalText } from "../../core/decimal.js";
import type { Fill } from "../order.js";

/** An order as the exchange has it. */
export interface ExchangeOrder {
  readonly exchangeOrderId: string;
  readonly clientId: string | null;
  /** Null where the answer does not say, as some do when an order is placed. */
  readonly state: "open" | "filled" | "cancelled" | "expired" | "rejected" | null;
  readonly filled: Decimal | null;
  readonly quantity: Decimal | null;
  readonly price: Decimal | null;
  readonly atMs: number | null;
}

/** A trade of an order. */
export interface ExchangeFill {
  /** Null in the answer to the order that it is of. */
  readonly exchangeOrderId: string | null;
  readonly fill: Fill;
}

type Fields = Readonly<Record<string, unknown>>;

const states: Readonly<Record<string, ExchangeOrder["state"]>> = {
  open: "open",
  closed: "filled",
  canceled: "cancelled",
  canceling: "open",
  expired: "expired",
  expired_in_match: "expired",
  rejected: "rejected",
};

const one = new Decimal(1);

/**
 * @param contractSize coins in what the exchange counts
 * @returns null for what is no order: an answer that cannot be read says nothing
 */
export function readExchangeOrder(raw: unknown, contractSize: Decimal = one): ExchangeOrder | null {
  if (!isFields(raw)) return null;
  const exchangeOrderId = textOf(raw.id);
  if (exchangeOrderId === null) return null;
  return {
    exchangeOrderId,
    clientId: textOf(raw.clientOrderId),
    state: (typeof raw.status === "string" && states[raw.status.toLowerCase()]) || null,
    filled: amountOf(raw.filled)?.times(contractSize) ?? null,
    quantity: amountOf(raw.amount)?.times(contractSize) ?? null,
    price: amountOf(raw.price),
    atMs: timeOf(raw.lastUpdateTimestamp) ?? timeOf(raw.lastTradeTimestamp) ?? timeOf(raw.timestamp),
  };
}

/**
 * @param ticker part of the fill's id: an exchange counts the trades of each symbol by themselves
 * @param inAnswerTo the order whose answer it stands in: there, it has taken at that time
 */
export function readExchangeFill(
  raw: unknown,
  ticker: string,
  inAnswerTo: { readonly exchangeOrderId: string; readonly atMs: number } | null = null,
  contractSize: Decimal = one,
): ExchangeFill | null {
  if (!isFields(raw)) return null;
  const id = textOf(raw.id);
  const exchangeOrderId = textOf(raw.order) ?? inAnswerTo?.exchangeOrderId ?? null;
  const price = amountOf(raw.price);
  const quantity = amountOf(raw.amount)?.times(contractSize) ?? null;
  const atMs = timeOf(raw.timestamp) ?? inAnswerTo?.atMs ?? null;
  if (id === null || exchangeOrderId === null || price === null || quantity === null || atMs === null) return null;
  if (!price.isPositive() || quantity.lte(0)) return null;
  const fee = isFields(raw.fee) ? raw.fee : {};
  const commission = amountOf(fee.cost) ?? new Decimal(0);
  return {
    exchangeOrderId,
    fill: {
      exchangeFillId: `${ticker}:${exchangeOrderId}:${id}`,
      price,
      quantity,
      commission,
      commissionAsset: commission.isZero() ? null : textOf(fee.currency),
      isMaker: raw.takerOrMaker === "maker",
      filledAt: new Date(atMs),
    },
  };
}

export const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null;

export function textOf(value: unknown): string | null {
  if (typeof value === "number") return String(value);
  return typeof value === "string" && value !== "" ? value : null;
}

export function amountOf(value: unknown): Decimal | null {
  const text = parseDecimalText(typeof value === "number" ? String(value) : value);
  return text === null ? null : new Decimal(text);
}

export const timeOf = (value: unknown): number | null =>
  typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : null;
