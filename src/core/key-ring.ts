import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

/** Where a secret lies; a ciphertext that was moved to another place does not open there. */
export interface SecretPlace {
  readonly table: string;
  readonly id: string | number;
  readonly column: string;
}

export class SealedSecretError extends Error {
  override readonly name = "SealedSecretError";
}

const algorithm = "aes-256-gcm";
const nonceBytes = 12;
const tagBytes = 16;
const keyBytes = 32;
const keyIdPattern = /^[a-z0-9_-]{1,32}$/;

/**
 * Seals secrets with AES-256-GCM. The newest key seals; each of them opens, so that keys can be rotated: add the new one in
 * front, seal everything again, then take the old one away. A sealed text is `v1.<key id>.<nonce, ciphertext and tag in base64url>`.
 */
export class KeyRing {
  #keys: ReadonlyMap<string, Buffer>;
  #newest: string;
  readonly #readAgain: (() => string | null) | null;

  private constructor(keys: ReadonlyMap<string, Buffer>, newest: string, readAgain: (() => string | null) | null) {
    this.#keys = keys;
    this.#newest = newest;
    this.#readAgain = readAgain;
  }

  /** The key that seals. */
  get newestId(): string {
    return this.#newest;
  }

  /** Newest first. */
  get ids(): readonly string[] {
    return [...this.#keys.keys()];
  }

  /**
   * @param text `id:key` pairs with commas, newest first; a key is 32 bytes in base64 (`openssl rand -base64 32`)
   * @param readAgain gives the text as it is now, when something was sealed by a key that is not here: another process may have
   * added one. Null: it cannot be read
   * @throws {SealedSecretError} that says what is wrong, and never the key
   */
  static parse(text: string, readAgain: (() => string | null) | null = null): KeyRing {
    const keys = new Map<string, Buffer>();
    for (const [n, part] of text.split(",").entries()) {
      const colon = part.indexOf(":");
      const id = part.slice(0, Math.max(0, colon)).trim();
      const key = Buffer.from(part.slice(colon + 1).trim(), "base64");
      if (!keyIdPattern.test(id))
        throw new SealedSecretError(`key ${n + 1} needs an id of a-z, 0-9, _ and - before a colon`);
      if (key.length !== keyBytes) throw new SealedSecretError(`key "${id}" must be ${keyBytes} bytes in base64`);
      if (keys.has(id)) throw new SealedSecretError(`key "${id}" is there twice`);
      keys.set(id, key);
    }
    const [newest] = keys.keys();
    if (newest === undefined) throw new SealedSecretError("there is no key");
    return new KeyRing(keys, newest, readAgain);
  }

  seal(secret: string, place: SecretPlace): string {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv(algorithm, this.#key(this.#newest), nonce, { authTagLength: tagBytes });
    cipher.setAAD(associatedData(this.#newest, place));
    const bytes = Buffer.concat([nonce, cipher.update(secret, "utf8"), cipher.final(), cipher.getAuthTag()]);
    return `v1.${this.#newest}.${bytes.toString("base64url")}`;
  }

  /** @throws {SealedSecretError} when it was altered, moved, or sealed with a key that is not here */
  open(sealed: string, place: SecretPlace): string {
    const [version, keyId = "", text = ""] = sealed.split(".");
    const bytes = Buffer.from(text, "base64url");
    if (version !== "v1" || bytes.length < nonceBytes + tagBytes) throw new SealedSecretError("not a sealed secret");
    const decipher = createDecipheriv(algorithm, this.#key(keyId), bytes.subarray(0, nonceBytes), {
      authTagLength: tagBytes,
    });
    decipher.setAAD(associatedData(keyId, place));
    decipher.setAuthTag(bytes.subarray(-tagBytes));
    try {
      return Buffer.concat([decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()]).toString("utf8");
    } catch {
      throw new SealedSecretError("the secret was altered, or belongs to another place");
    }
  }

  #reload(): void {
    const text = this.#readAgain?.() ?? null;
    if (text === null) return;
    try {
      const now = KeyRing.parse(text);
      this.#keys = now.#keys;
      this.#newest = now.#newest;
    } catch {
      // What was read at the start still opens what it has sealed.
    }
  }

  #key(id: string): Buffer {
    if (!this.#keys.has(id)) this.#reload();
    const key = this.#keys.get(id);
    if (key === undefined) throw new SealedSecretError(`there is no key "${id.slice(0, 32)}"`);
    return key;
  }
}

/** As JSON, so that no two places give the same bytes. */
const associatedData = (keyId: string, { table, id, column }: SecretPlace): Buffer =>
  Buffer.from(JSON.stringify([keyId, table, String(id), column]));
