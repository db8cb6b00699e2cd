import { DomainError } from "./errors.js";

export type UserRole = "USER" | "READONLY" | "ADMIN";
export type Scope = "READ" | "TRADE";

/** A user who is signed in, by a session or by an API key. */
export interface UserViewer {
  readonly kind: "user";
  readonly userId: string;
  /** As it was when the credential was checked; a change of it ends the access. */
  readonly role: UserRole;
  /** What the credential may do; a session may do everything that its user may. */
  readonly scopes: ReadonlySet<Scope>;
  /** The session that the access token belongs to; null for an API key. */
  readonly sessionId: string | null;
  /** Null for a session. */
  readonly apiKeyId: string | null;
  /** When this access ends, unless it is ended before; null: when it is revoked. */
  readonly expiresAtMs: number | null;
  /** Of the user; see `users.access_version`. */
  readonly accessVersion: number;
}

/** Who holds the operator token; no user. */
export interface OperatorViewer {
  readonly kind: "operator";
}

/** Who is asking. Anonymous visitors have no viewer. */
export type Viewer = UserViewer | OperatorViewer;

/** Who does operators' work: the holder of the operator token, and a user of role ADMIN in a session of his own. */
export const isOperator = (viewer: Viewer | null): boolean =>
  viewer?.kind === "operator" || (viewer?.kind === "user" && viewer.role === "ADMIN" && viewer.apiKeyId === null);

/** @throws {DomainError} UNAUTHENTICATED without a credential, FORBIDDEN with one that is not an operator's */
export function requireOperator(viewer: Viewer | null): void {
  if (viewer === null) throw new DomainError("UNAUTHENTICATED", "this needs an operator's credential");
  if (!isOperator(viewer)) throw new DomainError("FORBIDDEN", "only operators may do this");
}

/** @throws {DomainError} UNAUTHENTICATED without a user */
export function requireUser(viewer: Viewer | null): UserViewer {
  if (viewer?.kind === "user") return viewer;
  throw new DomainError("UNAUTHENTICATED", "sign in first");
}

/** The user, if the credential may read what is the user's own; null for anybody else, to whom that is not there. */
export const readingUser = (viewer: Viewer | null): UserViewer | null =>
  viewer?.kind === "user" && viewer.scopes.has("READ") ? viewer : null;

/**
 * The user, whose credential may do this. TRADE also needs a role that may change something.
 * @throws {DomainError} UNAUTHENTICATED without a user, FORBIDDEN without the scope
 */
export function requireScope(viewer: Viewer | null, scope: Scope): UserViewer {
  const user = requireUser(viewer);
  if (!user.scopes.has(scope)) throw new DomainError("FORBIDDEN", `the API key has no scope ${scope}`);
  if (scope === "TRADE" && user.role === "READONLY") throw new DomainError("FORBIDDEN", "the user may only read");
  return user;
}

/**
 * The user in a session: what changes the account itself is not for API keys.
 * @throws {DomainError} UNAUTHENTICATED without a user, FORBIDDEN by API key
 */
export function requireSession(viewer: Viewer | null): UserViewer & { readonly sessionId: string } {
  const user = requireUser(viewer);
  const { sessionId } = user;
  if (sessionId === null) throw new DomainError("FORBIDDEN", "this needs a session; API keys may not do it");
  return { ...user, sessionId };
}
