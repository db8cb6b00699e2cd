import { availableParallelism } from "node:os";
import { hash, verify } from "@node-rs/argon2";
import { badInput, DomainError } from "../core/errors.js";

const minLength = 10;
/** Longer ones would be work for us and no safety for anybody. */
const maxLength = 200;
const minDifferentCharacters = 5;

/** Argon2id with 19 MiB and two passes, as OWASP recommends; the library's defaults, said here because hashes are stored. */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** Hashes at a time, and those that wait for their turn: each takes memory, and a processor for some 20 ms. */
const maxRunning = Math.max(1, availableParallelism() - 1);
const defaultMaxWaiting = 100;

/** Typed on another keyboard or system, the same password is often other bytes. */
const canonical = (password: string): string => password.normalize("NFKC");

/** Makes and checks password hashes. Bounded: with more than 100 waiting, the next one is refused with RATE_LIMITED. */
export class Passwords {
  #running = 0;
  readonly #waiting: (() => void)[] = [];
  /** What a password is compared with when there is no such user, so that it takes the same work. */
  #nobody: Promise<string> | undefined;

  constructor(private readonly maxWaiting = defaultMaxWaiting) {}

  hash(password: string): Promise<string> {
    return this.#inTurn(() => hash(canonical(password), cost));
  }

  /** @param stored null when there is no such user: the answer is false, after the same work */
  async isRight(password: string, stored: string | null): Promise<boolean> {
    if (password.length > maxLength) return false;
    this.#nobody ??= hash("nobody has this one", cost);
    const expected = stored ?? (await this.#nobody);
    const isSame = await this.#inTurn(() => verify(expected, canonical(password)));
    return isSame && stored !== null;
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= maxRunning) {
      if (this.#waiting.length >= this.maxWaiting)
        throw new DomainError("RATE_LIMITED", "too many sign-ins at once; try again", { retryAfterMs: 1_000 });
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#running++;
    try {
      return await work();
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }
}

/** Some 40,000 of them in lower case; read when the first password is chosen. */
let commonPasswords: Promise<ReadonlySet<string>> | undefined;

async function readCommonPasswords(): Promise<ReadonlySet<string>> {
  const { dictionary } = await import("@zxcvbn-ts/language-common");
  return new Set(dictionary["passwords-common"]);
}

/**
 * Refuses a password that is short, monotonous, among the most common ones (also with digits and signs around it), or made of
 * what everybody knows of the user.
 * @param known the address, names
 * @throws {DomainError} BAD_USER_INPUT of the field
 */
export async function requireGoodPassword(
  password: string,
  known: readonly (string | null | undefined)[],
  field: string,
): Promise<void> {
  const typed = canonical(password);
  if (Array.from(typed).length < minLength)
    throw badInput(field, `a password must have at least ${minLength} characters; several words make a good one`);
  if (password.length > maxLength) throw badInput(field, `a password must have at most ${maxLength} characters`);
  const lower = typed.toLowerCase();
  if (new Set(lower).size < minDifferentCharacters)
    throw badInput(field, `a password must have at least ${minDifferentCharacters} different characters`);
  commonPasswords ??= readCommonPasswords();
  const common = await commonPasswords;
  const core = lower.replace(/^[^\p{L}]+|[^\p{L}]+$/gu, "");
  if (common.has(lower) || common.has(core))
    throw badInput(field, "this password is among the most common ones; choose another");
  const names = known
    .flatMap((text) => (text == null ? [] : [text, ...text.split("@")]).map((part) => part.toLowerCase()))
    .filter((name) => name.length >= 3);
  if (names.some((name) => lower === name || core === name))
    throw badInput(field, "a password must not be your name or address");
}
