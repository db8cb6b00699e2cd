import type { Instrument, InstrumentList } from "../catalogue/sync-symbols.js";
import { Decimal, type DecimalText, fitsNumeric38, isPositive, parseDecimalText } from "../core/decimal.js";
import { DomainError, errorMessage } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import { maxResponseBytes, responseText } from "../core/response-text.js";
import { within } from "../core/within.js";
import type { FeedEndpoint } from "./feed.js";

/** The list, and by reason how many of its entries were broken. */
export interface ReadInstruments extends InstrumentList {
  readonly leftOut: ReadonlyMap<string, number>;
}

export const unavailable = (message: string, details: DomainError["details"] = {}, cause?: unknown): DomainError =>
  new DomainError("PROVIDER_UNAVAILABLE", message, details, { cause });

/**
 * The body of the provider's response at a path below its REST address.
 * @param what the messages call it
 * @throws {DomainError} PROVIDER_UNAVAILABLE; `retryAfterSeconds` in its details when the exchange limits or bans us.
 */
export async function download(
  endpoint: FeedEndpoint,
  path: string,
  signal?: AbortSignal,
  what = "instrument list",
): Promise<string> {
  const { endpointUrl, timeoutMs } = endpoint;
  if (endpointUrl === null) throw unavailable("no REST address is configured for this provider");
  const base = endpointUrl.endsWith("/") ? endpointUrl.slice(0, -1) : endpointUrl;
  endpoint.budget?.take();
  try {
    return await within(timeoutMs, signal, async (stop) => {
      const response = await fetch(base + path, { signal: stop });
      if (!response.ok) {
        await response.body?.cancel();
        throw refused(response);
      }
      return await responseText(response, () => unavailable(`the ${what} is larger than ${maxResponseBytes} bytes`));
    });
  } catch (error) {
    if (error instanceof DomainError) throw error;
    throw unavailable(`the ${what} could not be loaded: ${networkReason(error, timeoutMs)}`, {}, error);
  }
}

function refused(response: Response): DomainError {
  const { status } = response;
  const details = { status };
  if (status !== 418 && status !== 429) return unavailable(`the exchange answered with HTTP ${status}`, details);
  const seconds = Number(response.headers.get("retry-after") ?? "");
  const retryAfterSeconds = Number.isSafeInteger(seconds) && seconds > 0 ? seconds : null;
  const what = status === 418 ? "has banned this address for too many requests" : "is limiting our requests";
  return unavailable(`the exchange ${what}`, { ...details, retryAfterSeconds });
}

function networkReason(error: unknown, timeoutMs: number): string {
  if (error instanceof Error && error.name === "TimeoutError") return `no answer within ${timeoutMs} ms`;
  // fetch says only "fetch failed"; the reason is in the cause.
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Error) return cause.message || ("code" in cause ? String(cause.code) : cause.name);
  return errorMessage(error);
}

/** @throws {DomainError} PROVIDER_UNAVAILABLE when it is no JSON. */
export function parseList(text: string, what = "instrument list"): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unavailable(`the ${what} is not JSON`, {}, cause);
  }
}

/**
 * Reads entries one by one: one that gives a text is broken for that reason, as is the second of a name; one that gives null
 * is none of ours.
 * @param nameField where the exchange's name for the instrument is
 */
export function collectInstruments(
  entries: unknown,
  nameField: string,
  read: (entry: unknown) => Instrument | string | null,
): ReadInstruments {
  if (!Array.isArray(entries)) throw unavailable("the response holds no instrument list");
  const byTicker = new Map<string, Instrument>();
  const brokenTickers: string[] = [];
  const leftOut = new Map<string, number>();
  for (const entry of entries as unknown[]) {
    const instrument = read(entry);
    if (instrument === null) continue;
    if (typeof instrument === "object" && !byTicker.has(instrument.ticker)) {
      byTicker.set(instrument.ticker, instrument);
    } else {
      const reason = typeof instrument === "string" ? instrument : "duplicate";
      leftOut.set(reason, (leftOut.get(reason) ?? 0) + 1);
      const ticker = (entry as Record<string, unknown> | null)?.[nameField];
      if (isTicker(ticker) && !byTicker.has(ticker)) brokenTickers.push(ticker);
    }
  }
  return { instruments: [...byTicker.values()], brokenTickers, leftOut };
}

/** Why entries are broken goes to the log. @throws {DomainError} PROVIDER_UNAVAILABLE when nothing is left */
export function usable({ leftOut, ...list }: ReadInstruments, endpoint: FeedEndpoint, log: Logger): InstrumentList {
  if (leftOut.size > 0)
    log.warn({ provider: endpoint.code, leftOut: Object.fromEntries(leftOut) }, "instruments.left-out");
  // An empty list would read as "everything is delisted".
  if (list.instruments.length === 0) throw unavailable("the instrument list holds no usable instrument");
  return list;
}

/** As the table of symbols takes it: one name that it refuses would undo the whole list, and some of Binance's are Chinese. */
const isCode = (value: unknown, maxLength: number): value is string =>
  typeof value === "string" && value.length <= maxLength && /^[A-Z0-9][A-Z0-9._:/-]*$/.test(value);
export const isTicker = (value: unknown): value is string => isCode(value, 50);
export const isCurrency = (value: unknown): value is string => isCode(value, 20);

/** A tick or step; null when it is broken, or zero, which would mean that any price or quantity is allowed. */
export function size(raw: unknown): DecimalText | null {
  const text = parseDecimalText(raw);
  return text !== null && isPositive(text) && fitsNumeric38(text) ? text : null;
}

/** Limits of an order, each null when absent or switched off by a zero; null when they are broken. */
export function range(rawMin: unknown, rawMax: unknown): { min: DecimalText | null; max: DecimalText | null } | null {
  const min = limit(rawMin);
  const max = limit(rawMax);
  if (min === "broken" || max === "broken") return null;
  if (min !== null && max !== null && new Decimal(min).gt(max)) return null;
  return { min, max };
}

function limit(raw: unknown): DecimalText | null | "broken" {
  if (raw === undefined) return null;
  const text = parseDecimalText(raw);
  if (text === "0") return null;
  return text !== null && isPositive(text) && fitsNumeric38(text) ? text : "broken";
}
