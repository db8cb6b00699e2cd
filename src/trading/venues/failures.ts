import { errorMessage } from "../../core/errors.js";
import type { RejectCode } from "../order-event.js";

/** Why a request came to nothing, or may have. The reasons are for the owner of the account, and hold no secrets. */
export type Failure =
  /** The exchange has not done it. */
  | { readonly kind: "refused"; readonly code: RejectCode; readonly reason: string; readonly body?: unknown }
  /** The exchange has not done it, and wants no requests for a while. */
  | { readonly kind: "limited"; readonly retryAfterMs: number; readonly reason: string }
  /** The exchange does not let this key do it. */
  | { readonly kind: "unauthorised"; readonly reason: string }
  /** There is no such order, or it is final. */
  | { readonly kind: "missing"; readonly reason: string }
  /** An open order has this name already. */
  | { readonly kind: "duplicate"; readonly reason: string }
  /** Our clock and the exchange's differ too much; not done. */
  | { readonly kind: "clock"; readonly reason: string }
  /** Nobody knows whether it was done. */
  | { readonly kind: "unknown"; readonly reason: string };

/** What was heard of a request over HTTP, beside ccxt's error. */
export interface HeardAnswer {
  readonly status: number;
  readonly retryAfterMs: number | null;
  readonly body: unknown;
}

/** By ccxt's name of the error or of one that it is a kind of; the first that fits. */
const codesByClass: readonly (readonly [string, RejectCode])[] = [
  ["InsufficientFunds", "INSUFFICIENT_BALANCE"],
  ["OrderImmediatelyFillable", "WOULD_TAKE"],
  ["MarketClosed", "MARKET_CLOSED"],
  ["BadSymbol", "SYMBOL_NOT_TRADING"],
];
const codesByWords: readonly (readonly [RegExp, RejectCode])[] = [
  [/insufficient/i, "INSUFFICIENT_BALANCE"],
  [/immediately match|post.?only|would.*take/i, "WOULD_TAKE"],
  [/market is closed/i, "MARKET_CLOSED"],
  [/notional|order value|minimum.*(value|amount)/i, "MIN_NOTIONAL"],
  [/lot_size|quantity|qty/i, "QUANTITY_OUT_OF_RANGE"],
  [/price/i, "PRICE_OUT_OF_RANGE"],
];

const oursByClass = ["ArgumentsRequired", "BadRequest", "InvalidOrder", "NotSupported"];

const defaultPauseMs = 10_000;
const longestPauseMs = 3 * 24 * 3_600_000;

/**
 * What an error of ccxt's means. Whatever is not certainly a refusal is unknown.
 * @param heard null when there was no answer that could be read
 * @param secrets never part of a reason
 */
export function failureOf(error: unknown, heard: HeardAnswer | null, secrets: readonly string[]): Failure {
  const classes = classesOf(error);
  const is = (name: string): boolean => classes.has(name);
  const words = scrub(wordsOf(error, heard, classes), secrets);
  const code = exchangeCode(heard);
  if (heard?.status === 429 || heard?.status === 418) {
    const retryAfterMs = Math.min(longestPauseMs, heard.retryAfterMs ?? defaultPauseMs);
    const what = heard.status === 418 ? "has banned this address for too many requests" : "is limiting our requests";
    return { kind: "limited", retryAfterMs, reason: `the exchange ${what}` };
  }
  if (is("NotSent")) return { kind: "refused", code: "VENUE_REJECTED", reason: words };
  if (is("AuthenticationError")) return { kind: "unauthorised", reason: words };
  // ccxt takes this one for a rate limit, because it also comes after a ban.
  if (code === "-2015") return { kind: "unauthorised", reason: words };
  if (is("RateLimitExceeded")) return { kind: "limited", retryAfterMs: defaultPauseMs, reason: words };
  if (is("InvalidNonce") || code === "-1021") return { kind: "clock", reason: words };
  if (is("DuplicateOrderId") || /duplicate order/i.test(words)) return { kind: "duplicate", reason: words };
  if (is("OrderNotFound") || code === "-2011" || code === "-2013") return { kind: "missing", reason: words };
  // ccxt itself has refused it.
  const isOurs = heard === null && oursByClass.some(is);
  const isRefusal = heard !== null && heard.status < 500 && is("ExchangeError");
  if (!isOurs && !isRefusal) return { kind: "unknown", reason: words };
  return { kind: "refused", code: rejectCode(classes, words), reason: words, body: heard?.body };
}

function rejectCode(classes: ReadonlySet<string>, words: string): RejectCode {
  const byClass = codesByClass.find(([name]) => classes.has(name));
  return byClass?.[1] ?? codesByWords.find(([pattern]) => pattern.test(words))?.[1] ?? "VENUE_REJECTED";
}

/** The names of an error's class and of those above it: the library itself may not be loaded. */
function classesOf(error: unknown): ReadonlySet<string> {
  const names = new Set<string>();
  for (let at: unknown = error; at instanceof Object; at = Object.getPrototypeOf(at)) names.add(at.constructor.name);
  return names;
}

/** The exchange's own words, or what happened on the way. ccxt's messages are not used: they hold the whole request. */
function wordsOf(error: unknown, heard: HeardAnswer | null, classes: ReadonlySet<string>): string {
  const said = messageIn(heard?.body);
  if (said !== null) return said;
  if (heard !== null) return `the exchange answered with HTTP ${heard.status}`;
  if (classes.has("NotSent")) return errorMessage(error);
  if (classes.has("RequestTimeout")) return "the exchange did not answer in time";
  if (classes.has("NetworkError")) return "the connection to the exchange was lost";
  if (classes.has("BaseError")) return `the request failed (${(error as Error).constructor.name})`;
  return "the request failed";
}

/** Of the answers of all five exchanges. */
function messageIn(body: unknown): string | null {
  if (typeof body !== "object" || body === null) return null;
  const { data, msg, retMsg, message, label } = body as Readonly<Record<string, unknown>>;
  const first: unknown = Array.isArray(data) ? data[0] : null;
  const detail = typeof first === "object" && first !== null ? (first as { sMsg?: unknown }).sMsg : null;
  const said = [detail, retMsg, msg, message, label].find((text) => typeof text === "string" && text !== "");
  return typeof said === "string" ? said : null;
}

function exchangeCode(heard: HeardAnswer | null): string | null {
  if (typeof heard?.body !== "object" || heard.body === null) return null;
  const { code } = heard.body as { code?: unknown };
  return typeof code === "number" || typeof code === "string" ? String(code) : null;
}

/** Short, on one line, and without what must not be seen. */
export function scrub(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const secret of secrets) if (secret.length > 0) clean = clean.replaceAll(secret, "[secret]");
  return clean
    .replaceAll(/(signature|sign|apiKey|api_key|listenKey)(["']?[=:]["']?)[^&"'\s,}]+/gi, "$1$2[secret]")
    .replaceAll(/\s+/g, " ")
    .slice(0, 200);
}
