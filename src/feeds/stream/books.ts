import type { DecimalText } from "../../core/decimal.js";
import type { FixedPoint } from "../../core/fixed-point.js";
import type { BookLevels, LevelUpdate } from "../order-books/book.js";
import type { BookDiff, BookSnapshot } from "../order-books/sync.js";
import { amount, isNegative, isPlausibleTime, isSequence, positiveAmount } from "../reading.js";
import { unavailable } from "../rest.js";
import { toBaseQuantity } from "./contract-sizes.js";
import type { Known, Reasons } from "./events.js";
import { type BookMessage, type Rejected, rejected } from "./protocol.js";

/*
 * Messages about order books from what an exchange's mapping has picked out of a payload: as in `events.ts`, everything that
 * is unknown here is checked here. One broken level breaks the message: what follows it does not fit then, and the book is
 * built anew.
 */

/** Price and quantity of a level as an exchange writes them; null when it is no level. */
export type ReadLevel = (level: unknown) => readonly unknown[] | null;

/** `["64000.1","0.5",…]` */
export const levelInList: ReadLevel = (level) => (Array.isArray(level) ? level : null);

export interface RawLevels {
  readonly bids: unknown;
  readonly asks: unknown;
  readonly readLevel: ReadLevel;
  /** Whether the exchange's own digits are needed, for a checksum over them. */
  readonly keepOriginals?: boolean;
}

export interface RawBookDiff extends RawLevels {
  /** Here and below null says that the exchange sends none. */
  readonly first: unknown;
  readonly last: unknown;
  readonly previous: unknown;
  readonly checksum: unknown;
  readonly exchangeTimeMs: unknown;
}

export interface RawBookSnapshot extends RawLevels {
  readonly sequence: unknown;
  readonly depthLimit: number | null;
  readonly checksum: unknown;
  readonly exchangeTimeMs: unknown;
}

export function bookDiffOf(
  known: Known,
  raw: RawBookDiff,
  receivedAtMs: number,
  reasons: Reasons,
): BookMessage | Rejected {
  const { first, last, previous, checksum, exchangeTimeMs } = raw;
  if (!isSequence(last)) return reasons.sequence;
  if (first !== null && !(isSequence(first) && first <= last)) return reasons.sequence;
  if (previous !== null && !isSequence(previous)) return reasons.sequence;
  if (!isChecksum(checksum)) return reasons.checksum;
  if (!isPlausibleTime(exchangeTimeMs, receivedAtMs)) return reasons.time;
  const levels = levelsOf(raw, known.contractSize, reasons);
  if ("kind" in levels) return levels;
  const diff: BookDiff = { ...levels, first, last, previous, checksum, exchangeTimeMs };
  return { kind: "book", symbolId: known.symbolId, message: { kind: "diff", diff }, receivedAtMs };
}

/** A snapshot that comes in the stream. */
export function bookSnapshotOf(
  known: Known,
  raw: RawBookSnapshot,
  receivedAtMs: number,
  reasons: Reasons,
): BookMessage | Rejected {
  if (!isPlausibleTime(raw.exchangeTimeMs, receivedAtMs)) return reasons.time;
  const snapshot = snapshotOf(raw, raw.exchangeTimeMs, known.contractSize, reasons);
  if ("kind" in snapshot) return snapshot;
  return { kind: "book", symbolId: known.symbolId, message: { kind: "snapshot", snapshot }, receivedAtMs };
}

/** A snapshot by REST. @throws {DomainError} PROVIDER_UNAVAILABLE when it is broken */
export function requestedSnapshot(
  raw: Pick<RawBookSnapshot, "bids" | "asks" | "readLevel" | "sequence"> & { readonly depthLimit: number },
  contractSize: FixedPoint | null,
): BookSnapshot {
  const snapshot = snapshotOf({ ...raw, checksum: null }, null, contractSize, snapshotReasons);
  if ("kind" in snapshot) throw unavailable(`the order book is broken: ${snapshot.what}`);
  return snapshot;
}

function snapshotOf(
  raw: Omit<RawBookSnapshot, "exchangeTimeMs">,
  exchangeTimeMs: number | null,
  contractSize: FixedPoint | null,
  reasons: LevelReasons,
): BookSnapshot | Rejected {
  const { sequence, depthLimit, checksum } = raw;
  if (!isSequence(sequence)) return reasons.sequence;
  if (!isChecksum(checksum)) return reasons.checksum;
  const levels = levelsOf(raw, contractSize, reasons);
  return "kind" in levels ? levels : { ...levels, sequence, depthLimit, checksum, exchangeTimeMs };
}

type LevelReasons = Pick<Reasons, "shape" | "price" | "quantity" | "sequence" | "checksum">;

const snapshotReasons: LevelReasons = {
  shape: rejected("shape"),
  price: rejected("price"),
  quantity: rejected("quantity"),
  sequence: rejected("sequence"),
  checksum: rejected("checksum"),
};

const isChecksum = (value: unknown): value is number | null => value === null || Number.isSafeInteger(value);

function levelsOf(raw: RawLevels, contractSize: FixedPoint | null, reasons: LevelReasons): BookLevels | Rejected {
  const bids = sideOf(raw.bids, raw, contractSize, reasons);
  if ("kind" in bids) return bids;
  const asks = sideOf(raw.asks, raw, contractSize, reasons);
  return "kind" in asks ? asks : { bids, asks };
}

function sideOf(
  side: unknown,
  { readLevel, keepOriginals = false }: RawLevels,
  contractSize: FixedPoint | null,
  reasons: LevelReasons,
): LevelUpdate[] | Rejected {
  if (!Array.isArray(side)) return reasons.shape;
  const levels: LevelUpdate[] = [];
  for (const raw of side as unknown[]) {
    const level = readLevel(raw);
    if (level === null) return reasons.shape;
    const price = positiveAmount(level[0]);
    if (price === null) return reasons.price;
    const quantity = quantityOf(level[1], contractSize);
    if (quantity === null) return reasons.quantity;
    levels.push(keepOriginals ? [price, quantity, `${String(level[0])}:${String(level[1])}`] : [price, quantity]);
  }
  return levels;
}

/** Zero removes a level; a quantity must not become zero only because it is too small for us. */
function quantityOf(raw: unknown, contractSize: FixedPoint | null): DecimalText | null {
  const text = amount(raw);
  if (text === null || isNegative(text)) return null;
  if (contractSize === null || text === "0") return text;
  const quantity = toBaseQuantity(text, contractSize);
  return quantity === "0" ? null : quantity;
}
