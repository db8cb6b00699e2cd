import { createHash, timingSafeEqual } from "node:crypto";
import { DomainError } from "../core/errors.js";
import type { Viewer } from "../core/viewer.js";

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/**
 * The viewer of an `Authorization` header (or of `connectionParams.authorization`), or null without one.
 * @throws {DomainError} UNAUTHENTICATED for a credential that is not valid; it is never taken for an anonymous visit
 */
export function viewerOf(authorization: string | null | undefined, operatorToken: string | null): Viewer | null {
  if (authorization == null || authorization === "") return null;
  const [, token] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
  // Digests have one length, so that the comparison takes one time whatever was sent.
  if (token !== undefined && operatorToken !== null && timingSafeEqual(digest(token), digest(operatorToken))) {
    return { kind: "operator" };
  }
  throw new DomainError("UNAUTHENTICATED", "the credential is not valid");
}
