/** The stable error codes of the API; the list is part of the contract. */
export type ErrorCode =
  | "UNAUTHENTICATED"
  | "FORBIDDEN"
  | "NOT_FOUND"
  | "BAD_USER_INPUT"
  | "CONFLICT"
  | "IDEMPOTENCY_CONFLICT"
  | "RATE_LIMITED"
  | "DEPTH_LIMIT"
  | "FIELD_LIMIT"
  | "ALIAS_LIMIT"
  | "COST_LIMIT"
  | "INTROSPECTION_DISABLED"
  | "INSUFFICIENT_BALANCE"
  | "RISK_LIMIT_EXCEEDED"
  | "MARKET_CLOSED"
  | "SYMBOL_NOT_TRADING"
  | "PRICE_OUT_OF_RANGE"
  | "QUANTITY_OUT_OF_RANGE"
  | "MIN_NOTIONAL"
  | "ORDER_NOT_OPEN"
  | "WOULD_TAKE"
  | "NO_QUOTE"
  | "PROVIDER_UNAVAILABLE"
  | "STREAM_OVERFLOW";

/** An error that the caller is meant to see: `code` is the contract, the message is for people. Every other error is masked. */
export class DomainError extends Error {
  override readonly name: string = "DomainError";
  constructor(
    readonly code: ErrorCode,
    message: string,
    /** Goes into `errors[].extensions` beside the code. */
    readonly details: Readonly<Record<string, string | number | null>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Input that breaks a rule; `field` names the argument or input field at fault. */
export const badInput = (field: string, message: string): DomainError =>
  new DomainError("BAD_USER_INPUT", message, { field });

export const notFound = (what: string): DomainError => new DomainError("NOT_FOUND", `${what} not found`);

/** An error that ends the program at start: the message tells the operator what to do, and no stack is shown. */
export class StartError extends Error {
  override readonly name = "StartError";
}

export function assertNever(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}

export const errorMessage = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** For logs where a message may hold somebody's data: the code, or else the name. */
export function errorCode(error: unknown): string {
  const { code, cause, name } = error as { code?: unknown; cause?: { code?: unknown }; name?: unknown };
  return [code, cause?.code, name].find((text) => typeof text === "string") ?? typeof error;
}
