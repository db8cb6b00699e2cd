import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { errors, type JWTHeaderParameters, jwtVerify, SignJWT } from "jose";
import { DomainError } from "../core/errors.js";
import { isUuid } from "../core/ids.js";
import type { Clock } from "../core/time.js";
import { uuidV7 } from "../core/uuid.js";
import type { UserRole } from "../core/viewer.js";
import type { Database } from "../db/connect.js";

/** What an access token says. */
export interface AccessClaims {
  readonly userId: string;
  readonly sessionId: string;
  readonly role: UserRole;
  readonly accessVersion: number;
  readonly expiresAtMs: number;
}

interface SigningKey {
  readonly id: string;
  readonly privateKey: KeyObject;
  readonly replaceAtMs: number;
}

const algorithm = "EdDSA";
const issuer = "tradegraph";
const tokenType = "at+jwt";
/** A process signs with one key for so long. */
const keyLifeMs = 24 * 3_600_000;
/** Clocks of other nodes. */
const marginMs = 60_000;
/** Public keys that are kept; more than there can be nodes that were started within a day. The oldest goes first. */
const maxKeys = 1_000;
const roles: readonly unknown[] = ["USER", "READONLY", "ADMIN"] satisfies UserRole[];

/**
 * Signs access tokens and checks them. Each process signs with a key pair of its own; the public half is in the database
 * before anything is signed with it, so that every node can check the tokens of all, and goes on when the signer has gone.
 */
export class AccessTokens {
  #own: Promise<SigningKey> | undefined;
  readonly #publicKeys = new Map<string, { readonly key: KeyObject; readonly expiresAtMs: number }>();
  /** Key ids that somebody waits for; read together, one read at a time, however many tokens with invented ids come. */
  #wanted = new Set<string>();
  #reading: Promise<void> = Promise.resolve();

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly lifeMs: number,
  ) {}

  async issue(claims: Omit<AccessClaims, "expiresAtMs">): Promise<{ token: string; expiresAtMs: number }> {
    const { id, privateKey } = await this.#signingKey();
    const nowSeconds = Math.floor(this.clock.nowMs() / 1_000);
    const expiresAtSeconds = nowSeconds + Math.ceil(this.lifeMs / 1_000);
    const token = await new SignJWT({ sid: claims.sessionId, role: claims.role, ver: claims.accessVersion })
      .setProtectedHeader({ alg: algorithm, kid: id, typ: tokenType })
      .setIssuer(issuer)
      .setAudience(issuer)
      .setSubject(claims.userId)
      .setIssuedAt(nowSeconds)
      .setExpirationTime(expiresAtSeconds)
      .sign(privateKey);
    return { token, expiresAtMs: expiresAtSeconds * 1_000 };
  }

  /** @throws {DomainError} UNAUTHENTICATED when it is not one of ours, or too old */
  async verify(token: string): Promise<AccessClaims> {
    try {
      const { payload } = await jwtVerify(token, (header) => this.#publicKey(header), {
        algorithms: [algorithm],
        issuer,
        audience: issuer,
        typ: tokenType,
        requiredClaims: ["exp", "iat", "sub"],
        currentDate: new Date(this.clock.nowMs()),
      });
      const { sub, sid, role, ver, exp } = payload;
      if (typeof sub !== "string" || typeof sid !== "string" || !roles.includes(role) || typeof ver !== "number")
        throw refused();
      return {
        userId: sub,
        sessionId: sid,
        role: role as UserRole,
        accessVersion: ver,
        expiresAtMs: (exp ?? 0) * 1_000,
      };
    } catch (error) {
      if (error instanceof errors.JWTExpired)
        throw new DomainError("UNAUTHENTICATED", "the access token has expired; refresh the session", {
          reason: "EXPIRED",
        });
      throw error instanceof errors.JOSEError ? refused() : error;
    }
  }

  #signingKey(): Promise<SigningKey> {
    const made = (async () => {
      const own = await this.#own?.catch(() => undefined);
      return own !== undefined && this.clock.nowMs() < own.replaceAtMs ? own : this.#newKey();
    })();
    this.#own = made;
    return made;
  }

  async #newKey(): Promise<SigningKey> {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const nowMs = this.clock.nowMs();
    const id = uuidV7(nowMs);
    const { x = "" } = publicKey.export({ format: "jwk" });
    const expiresAtMs = nowMs + keyLifeMs + this.lifeMs + marginMs;
    await this.database.sql`
      select publish_signing_key(${id}, ${x}, ${new Date(nowMs).toISOString()}, ${new Date(expiresAtMs).toISOString()})`;
    this.#keep(id, publicKey, expiresAtMs);
    return { id, privateKey, replaceAtMs: nowMs + keyLifeMs };
  }

  async #publicKey({ kid }: JWTHeaderParameters): Promise<KeyObject> {
    if (kid === undefined || !isUuid(kid)) throw refused();
    if (!this.#publicKeys.has(kid)) await this.#read(kid);
    const found = this.#publicKeys.get(kid);
    if (found === undefined || found.expiresAtMs <= this.clock.nowMs()) throw refused();
    return found.key;
  }

  #read(id: string): Promise<void> {
    this.#wanted.add(id);
    const mine = this.#reading.then(() => this.#readWanted());
    this.#reading = mine.catch(() => {});
    return mine;
  }

  async #readWanted(): Promise<void> {
    const ids = [...this.#wanted];
    this.#wanted = new Set();
    if (ids.length === 0) return;
    const rows = await this.database.sql<{ id: string; publicKey: string; expiresAtMs: number }[]>`
      select id, public_key as "publicKey", (extract(epoch from expires_at) * 1000)::float8 as "expiresAtMs"
      from signing_keys where id = any(${ids}::text[]::uuid[])`;
    for (const { id, publicKey, expiresAtMs } of rows) {
      const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: publicKey }, format: "jwk" });
      this.#keep(id, key, expiresAtMs);
    }
  }

  #keep(id: string, key: KeyObject, expiresAtMs: number): void {
    const [oldest] = this.#publicKeys.keys();
    if (this.#publicKeys.size >= maxKeys && oldest !== undefined) this.#publicKeys.delete(oldest);
    this.#publicKeys.set(id, { key, expiresAtMs });
  }
}

const refused = (): DomainError => new DomainError("UNAUTHENTICATED", "the credential is not valid");
