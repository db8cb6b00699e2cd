import { timingSafeEqual } from "node:crypto";
import { LRUCache } from "lru-cache";
import { DomainError } from "../core/errors.js";
import type { Clock } from "../core/time.js";
import type { Scope, UserViewer, Viewer } from "../core/viewer.js";
import type { Database } from "../db/connect.js";
import type { AccessTokens } from "./access-tokens.js";
import type { AccessWatch } from "./access-watch.js";
import { readApiKey } from "./api-keys.js";
import { digestBytes } from "./secrets.js";

/** Credentials that are known; the least used goes first. */
const maxKnown = 10_000;
/** An API key is looked up again after this, which also writes when it was last used. */
const keyMaxAgeMs = 60_000;
const allScopes: ReadonlySet<Scope> = new Set(["READ", "TRADE"]);

interface Known {
  readonly viewer: UserViewer;
  readonly checkedAtMs: number;
}

/**
 * Finds who is asking. A credential that is not valid is refused, and never taken for an anonymous visit. A known one costs no
 * signature and no round trip; whether its access has ended meanwhile is asked of {@link AccessWatch} every time.
 */
export class Authenticator {
  readonly #operatorDigest: Buffer | null;
  readonly #known = new LRUCache<string, Known>({ max: maxKnown });

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly tokens: AccessTokens,
    private readonly watch: AccessWatch,
    operatorToken: string | null,
    /** Told of every use of a session. */
    private readonly onSeen: (sessionId: string) => void = () => {},
  ) {
    this.#operatorDigest = operatorToken === null ? null : digestBytes(operatorToken);
  }

  /**
   * The viewer of an `Authorization` header (or of `connectionParams.authorization`), or null without one; at once where the
   * credential is known.
   * @throws {DomainError} UNAUTHENTICATED, also by the promise
   */
  viewerOf(authorization: string | null | undefined): Viewer | null | Promise<Viewer> {
    if (authorization == null || authorization === "") return null;
    const [, credential] = /^Bearer +(\S{1,4096})$/i.exec(authorization) ?? [];
    if (credential === undefined) throw refused();
    const bytes = digestBytes(credential);
    if (this.#operatorDigest !== null && timingSafeEqual(bytes, this.#operatorDigest)) return { kind: "operator" };
    const digest = bytes.toString("base64");
    const known = this.#known.get(digest);
    if (known !== undefined && this.#isGood(known)) {
      const { sessionId } = known.viewer;
      if (sessionId !== null) this.onSeen(sessionId);
      return known.viewer;
    }
    this.#known.delete(digest);
    return this.#check(credential, digest);
  }

  /** Calls back once, when the viewer's access ends or expires. Returns the function that stops it. */
  follow(viewer: Viewer | null, end: () => void): () => void {
    return viewer?.kind === "user" ? this.watch.follow(viewer, end) : () => {};
  }

  #isGood({ viewer, checkedAtMs }: Known): boolean {
    const nowMs = this.clock.nowMs();
    if (viewer.expiresAtMs !== null && viewer.expiresAtMs <= nowMs) return false;
    if (viewer.apiKeyId !== null && checkedAtMs <= nowMs - keyMaxAgeMs) return false;
    return !this.watch.hasEnded(viewer);
  }

  async #check(credential: string, digest: string): Promise<UserViewer> {
    const checkedAtMs = this.clock.nowMs();
    const viewer = credential.startsWith("tg_") ? await this.#byKey(credential) : await this.#byToken(credential);
    const known = { viewer, checkedAtMs };
    // It may have ended while it was checked.
    if (!this.#isGood(known)) throw refused();
    this.#known.set(digest, known);
    if (viewer.sessionId !== null) this.onSeen(viewer.sessionId);
    return viewer;
  }

  async #byToken(token: string): Promise<UserViewer> {
    const { userId, sessionId, role, accessVersion, expiresAtMs } = await this.tokens.verify(token);
    return { kind: "user", userId, role, scopes: allScopes, sessionId, apiKeyId: null, expiresAtMs, accessVersion };
  }

  async #byKey(credential: string): Promise<UserViewer> {
    const key = await readApiKey(this.database, credential, this.clock.nowMs());
    if (key === null) throw refused();
    const { id, userId, role, scopes, expiresAtMs, accessVersion } = key;
    return {
      kind: "user",
      userId,
      role,
      scopes: new Set(scopes),
      sessionId: null,
      apiKeyId: id,
      expiresAtMs,
      accessVersion,
    };
  }
}

const refused = (): DomainError => new DomainError("UNAUTHENTICATED", "the credential is not valid");
