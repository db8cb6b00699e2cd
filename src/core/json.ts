import { badInput } from "./errors.js";

/** Postgres stores no zero character, and no half of a surrogate pair. */
const notStorable = /\0|\p{Cs}/u;

/**
 * A JSON object from a client, as it can be stored: a plain copy, because what the parser of literals makes has no prototype.
 * @throws {DomainError} BAD_USER_INPUT with the field
 */
export function storableObject(field: string, value: unknown, maxBytes: number): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw badInput(field, `${field} must be an object`);
  const text = JSON.stringify(value, (key, inner: unknown) => {
    if (notStorable.test(key) || (typeof inner === "string" && notStorable.test(inner)))
      throw badInput(field, `${field} has characters that cannot be stored`);
    return inner;
  });
  if (Buffer.byteLength(text) > maxBytes) throw badInput(field, `${field} must have at most ${maxBytes} bytes`);
  return JSON.parse(text) as Record<string, unknown>;
}
