import { badInput } from "./errors.js";

/** What a cursor holds of its item: the values of the sort key, the last of which is unique. */
export type CursorKey = readonly (string | number | null)[];

/** A total order of a list that can be paged through. */
export interface PageOrder<T> {
  /** Part of the cursor, so that a cursor of another order is recognised. */
  readonly name: string;
  keyOf(item: T): CursorKey;
  compare(a: CursorKey, b: CursorKey): number;
}

export interface PageArguments {
  readonly first?: number | null | undefined;
  readonly after?: string | null | undefined;
  readonly last?: number | null | undefined;
  readonly before?: string | null | undefined;
}

export interface Page<T> {
  readonly edges: readonly { readonly cursor: string; readonly node: T }[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
}

const defaultPageSize = 50;
export const maxPageSize = 500;

/**
 * One page of a list that is sorted by `order`. A cursor is a position and not an offset, so a page neither repeats nor
 * skips items when others come or go between two calls.
 * @throws {DomainError} BAD_USER_INPUT for a size out of range, both directions at once, or a malformed cursor
 */
export function pageOf<T>(sorted: readonly T[], args: PageArguments, order: PageOrder<T>): Page<T> {
  if (args.first != null && args.last != null) throw badInput("last", "give either first or last, not both");
  const size = pageSize("first", args.first) ?? pageSize("last", args.last) ?? defaultPageSize;
  const start = args.after == null ? 0 : firstPosition(sorted, order, parseCursor("after", args.after, order), true);
  const end =
    args.before == null
      ? sorted.length
      : firstPosition(sorted, order, parseCursor("before", args.before, order), false);
  const backwards = args.last != null;
  const from = backwards ? Math.max(start, end - size) : start;
  const to = backwards ? end : Math.min(end, start + size);
  return {
    edges: sorted.slice(from, Math.max(from, to)).map((node) => ({ cursor: cursorOf(order, node), node })),
    hasNextPage: to < sorted.length,
    hasPreviousPage: from > 0,
  };
}

function pageSize(field: string, size: number | null | undefined): number | null {
  if (size == null) return null;
  if (!Number.isInteger(size) || size < 0 || size > maxPageSize)
    throw badInput(field, `${field} must be from 0 to ${maxPageSize}`);
  return size;
}

function cursorOf<T>(order: PageOrder<T>, item: T): string {
  return Buffer.from(JSON.stringify([order.name, ...order.keyOf(item)])).toString("base64url");
}

function parseCursor<T>(field: string, cursor: string, order: PageOrder<T>): CursorKey {
  const malformed = badInput(field, `${field} is not a cursor of this list`);
  if (cursor.length > 500) throw malformed;
  try {
    const [name, ...key] = JSON.parse(Buffer.from(cursor, "base64url").toString()) as [unknown, ...CursorKey];
    const scalar = key.every((value) => value === null || typeof value === "string" || Number.isSafeInteger(value));
    if (name === order.name && key.length > 0 && scalar && typeof key.at(-1) === "number") return key;
  } catch {
    // Not JSON: as malformed as anything else.
  }
  throw malformed;
}

/** Index of the first item behind the key (`behind`), or of the first that is not before it. */
function firstPosition<T>(sorted: readonly T[], order: PageOrder<T>, key: CursorKey, behind: boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const compared = order.compare(order.keyOf(sorted[middle] as T), key);
    if (compared < 0 || (behind && compared === 0)) low = middle + 1;
    else high = middle;
  }
  return low;
}
