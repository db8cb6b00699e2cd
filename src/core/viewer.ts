import { DomainError } from "./errors.js";

/** Who is asking. Anonymous visitors have no viewer. */
export interface Viewer {
  readonly role: "OPERATOR";
}

/** @throws {DomainError} UNAUTHENTICATED without a credential */
export function requireOperator(viewer: Viewer | null): void {
  if (viewer === null) throw new DomainError("UNAUTHENTICATED", "this needs an operator's credential");
}
