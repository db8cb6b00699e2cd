import { DomainError } from "./errors.js";

/** By the codes of Postgres: a read-only transaction, a full disk. */
const reasons: Readonly<Record<string, string>> = {
  "25006": "the database is read-only now",
  "53100": "the disk of the database is full",
};

const codeOf = (error: unknown): string => {
  // Drizzle wraps the driver's error.
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: { code?: unknown } };
  return [code, cause?.code].find((text): text is string => typeof text === "string" && text in reasons) ?? "";
};

/** Whether the database answers, and takes no writes from anybody. */
export const refusesWrites = (error: unknown): boolean => codeOf(error) !== "";

/** The same in the words of the API; null for any other error. */
export function refusedWrite(error: unknown): DomainError | null {
  const reason = reasons[codeOf(error)];
  return reason === undefined
    ? null
    : new DomainError("PROVIDER_UNAVAILABLE", `${reason}: nothing was changed, and what is stored can be read`);
}
