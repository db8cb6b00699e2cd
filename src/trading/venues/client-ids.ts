import { createHash } from "node:crypto";
import type { ReplaceableTerms } from "../order.js";
import type { TradedExchange } from "./offers.js";

/**
 * What an order is called at an exchange: the order's id in letters and digits, so that every order of ours is known again
 * without a table, also after a restart. Where a replacement is a new order there, its name ends with a mark of its terms:
 * asking twice for the same replacement gives the same name. At most 28 characters, which is what Gate.io allows.
 */
export function clientIdOf(exchange: TradedExchange, orderId: string, mark = ""): string {
  return prefixes[exchange] + encode(BigInt(`0x${orderId.replaceAll("-", "")}`), idLength) + mark;
}

/** Different for each replacement of an order, and the same each time for the same one. */
export function markOf(replacedExchangeOrderId: string, { quantity, price, stopPrice }: ReplaceableTerms): string {
  const terms = [replacedExchangeOrderId, quantity, price, stopPrice].map((term) => term?.toString() ?? "").join("|");
  const digest = createHash("sha256").update(terms).digest();
  return encode(BigInt(digest.readUIntBE(0, 6)) % BigInt(alphabet.length) ** BigInt(markLength), markLength);
}

/** Null when it is none of ours. */
export function orderIdOf(exchange: TradedExchange, clientId: string | null): string | null {
  const prefix = prefixes[exchange];
  if (clientId === null || !clientId.startsWith(prefix)) return null;
  const rest = clientId.slice(prefix.length);
  if (rest.length !== idLength && rest.length !== idLength + markLength) return null;
  const value = decode(rest.slice(0, idLength));
  if (value === null || value >= 1n << 128n) return null;
  const hex = value.toString(16).padStart(32, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

export const isMarked = (exchange: TradedExchange, clientId: string): boolean =>
  clientId.length > prefixes[exchange].length + idLength;

/** Gate.io wants names that begin with "t-"; OKX takes letters and digits only. */
const prefixes: Readonly<Record<TradedExchange, string>> = {
  BINANCE: "tg",
  BYBIT: "tg",
  OKX: "tg",
  MEXC: "tg",
  GATEIO: "t-",
};

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** 62²² is more than 2¹²⁸. */
const idLength = 22;
const markLength = 4;

function encode(value: bigint, length: number): string {
  let text = "";
  for (let rest = value, i = 0; i < length; i++, rest /= 62n) text = (alphabet[Number(rest % 62n)] ?? "") + text;
  return text;
}

function decode(text: string): bigint | null {
  let value = 0n;
  for (const character of text) {
    const digit = alphabet.indexOf(character);
    if (digit === -1) return null;
    value = value * 62n + BigInt(digit);
  }
  return value;
}
