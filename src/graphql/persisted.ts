import { createHash } from "node:crypto";
import { GraphQLError } from "graphql";
import { LRUCache } from "lru-cache";

/** How a request names its operation: by its text, or by the SHA-256 of it, in the way of Apollo's clients or of others. */
export interface DocumentRequest {
  readonly query?: string | null | undefined;
  readonly documentId?: unknown;
  readonly id?: unknown;
  readonly extensions?: Readonly<Record<string, unknown>> | null | undefined;
}

/** Texts that clients have registered are kept up to this, the least used goes first; whose is gone sends it again. */
const maxRegistered = 2_000;
const maxRegisteredLength = 10_000_000;

export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/**
 * Finds the text of an operation by its hash: one of the trusted ones, when there are any, and then no other operation runs;
 * else one that a client has sent together with its hash before (automatic persisted queries, Apollo's protocol).
 */
export class PersistedDocuments {
  readonly #trustedTexts: ReadonlySet<string> | null;
  readonly #registered = new LRUCache<string, string>({
    max: maxRegistered,
    maxSize: maxRegisteredLength,
    sizeCalculation: (text) => text.length + 1,
  });

  /** @param trusted texts by their SHA-256; null: any text may run */
  constructor(private readonly trusted: ReadonlyMap<string, string> | null) {
    this.#trustedTexts = trusted && new Set(trusted.values());
  }

  /** Whether {@link textOf} has more to say than the text that is in the request. */
  concerns(request: DocumentRequest): boolean {
    return this.trusted !== null || namesHash(request);
  }

  /** The text to execute, or why there is none. */
  textOf(request: DocumentRequest): string | GraphQLError {
    const text = request.query ?? "";
    if (!namesHash(request)) return this.#trustedTexts === null || this.#trustedTexts.has(text) ? text : notTrusted();
    const hash = hashOf(request);
    if (hash === null)
      return withCode("BAD_REQUEST", "persistedQuery must have version 1 and sha256Hash, 64 hexadecimal digits");
    const known = (this.trusted ?? this.#registered).get(hash);
    if (text === "") return known ?? withCode("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound");
    if (this.trusted !== null && known === undefined) return notTrusted();
    if (text !== known && sha256(text) !== hash) return withCode("BAD_REQUEST", "sha256Hash is not the hash of query");
    if (this.trusted === null) this.#registered.set(hash, text);
    return text;
  }
}

const withCode = (code: string, message: string): GraphQLError => new GraphQLError(message, { extensions: { code } });

const notTrusted = (): GraphQLError =>
  withCode("PERSISTED_QUERY_ONLY", "only operations of the server's list may run; this is none of them");

export const namesHash = ({ extensions, documentId, id }: DocumentRequest): boolean =>
  extensions?.persistedQuery != null || documentId != null || id != null;

function hashOf({ extensions, documentId, id }: DocumentRequest): string | null {
  const persisted = extensions?.persistedQuery as { version?: unknown; sha256Hash?: unknown } | null | undefined;
  const given = persisted == null ? (documentId ?? id) : persisted.version === 1 ? persisted.sha256Hash : null;
  const [, hash] = /^(?:sha256:)?([0-9a-f]{64})$/i.exec(typeof given === "string" ? given : "") ?? [];
  return hash?.toLowerCase() ?? null;
}
