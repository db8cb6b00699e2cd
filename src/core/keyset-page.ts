import { badInput } from "./errors.js";
import { maxPageSize, type Page, type PageArguments } from "./pagination.js";

/** Where a page of a list lies that is read from the database: behind one key, or before another. */
export interface Keyset {
  readonly limit: number;
  /** From the end of the list. */
  readonly isBackwards: boolean;
  readonly after: string | null;
  readonly before: string | null;
}

const defaultPageSize = 50;

/**
 * @param list part of the cursor, so that the cursor of another list is recognised
 * @param keyPattern what a key of the list looks like
 * @throws {DomainError} BAD_USER_INPUT for a size out of range, both directions at once, or a malformed cursor
 */
export function keysetOf(args: PageArguments, list: string, keyPattern: RegExp): Keyset {
  if (args.first != null && args.last != null) throw badInput("last", "give either first or last, not both");
  const size = (field: "first" | "last"): number | null => {
    const value = args[field];
    if (value == null) return null;
    if (!Number.isInteger(value) || value < 0 || value > maxPageSize)
      throw badInput(field, `${field} must be from 0 to ${maxPageSize}`);
    return value;
  };
  const key = (field: "after" | "before"): string | null => {
    const cursor = args[field];
    if (cursor == null) return null;
    const [name, text = ""] = Buffer.from(cursor.slice(0, 500), "base64url").toString("latin1").split(" ");
    if (name !== list || !keyPattern.test(text) || keyCursor(list, text) !== cursor)
      throw badInput(field, `${field} is not a cursor of this list`);
    return text;
  };
  return {
    limit: size("first") ?? size("last") ?? defaultPageSize,
    isBackwards: args.last != null,
    after: key("after"),
    before: key("before"),
  };
}

const keyCursor = (list: string, key: string): string => Buffer.from(`${list} ${key}`, "latin1").toString("base64url");

/**
 * The page of the rows that were read, one more than asked for, in the order of the reading: from its end when backwards.
 */
export function keysetPage<T>(rows: readonly T[], keyset: Keyset, list: string, keyOf: (row: T) => string): Page<T> {
  const hasMore = rows.length > keyset.limit;
  const read = rows.slice(0, keyset.limit);
  const nodes = keyset.isBackwards ? read.reverse() : read;
  return {
    edges: nodes.map((node) => ({ cursor: keyCursor(list, keyOf(node)), node })),
    hasNextPage: keyset.isBackwards ? keyset.before !== null : hasMore,
    hasPreviousPage: keyset.isBackwards ? hasMore : keyset.after !== null,
  };
}

export const uuidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
