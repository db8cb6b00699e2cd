import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { ApiServices } from "../context.js";
import type { Operation, OperationRequest } from "../prepare.js";
import type { AnswerSource } from "../shared.js";
import { compress, type Encoding } from "./encoding.js";

/** A body as it is sent, in the encodings that were asked for so far. */
export class Answer {
  /** In bytes. */
  readonly length: number;
  /**
   * As it is best handed to Node, which writes a text of single bytes together with the headers in one piece, and anything else
   * in two.
   */
  readonly body: Buffer | string;
  readonly #encoded = new Map<Encoding, Promise<Buffer | null>>();
  #tag: string | undefined;

  constructor(text: string) {
    this.length = Buffer.byteLength(text);
    this.body = this.length === text.length ? text : Buffer.from(text);
  }

  /** Most answers are sent once, as text, and need none. */
  get bytes(): Buffer {
    return typeof this.body === "string" ? Buffer.from(this.body, "latin1") : this.body;
  }

  /** The same for the same content; weak, because it stands for all encodings of it. */
  get tag(): string {
    this.#tag ??= `W/"${createHash("sha256").update(this.bytes).digest("base64url").slice(0, 27)}"`;
    return this.#tag;
  }

  /** Null when it has to be sent as it is. */
  encoded(encoding: Encoding): Promise<Buffer | null> {
    const known = this.#encoded.get(encoding);
    if (known !== undefined) return known;
    const made = compress(this.bytes, encoding).then((bytes) => {
      // There may be time for it when it is asked for again.
      if (bytes === null) this.#encoded.delete(encoding);
      return bytes;
    });
    this.#encoded.set(encoding, made);
    return made;
  }
}

interface KeptAnswer {
  readonly answer: Answer;
  readonly stamp: Stamp;
}

/** The versions of an operation's sources, in their order. */
export type Stamp = readonly number[];

/** Answers that are kept, and their size with what is needed to find and encode them again; the least used goes first. */
const maxAnswers = 5_000;
const maxBytes = 32_000_000;
/** Larger ones take more memory than they save time. */
const maxAnswerBytes = 1_000_000;

/**
 * Answers to queries that are the same for everyone, as long as nothing that they are made of has changed. Exact: what is
 * found here is what executing the query at this instant would give.
 */
export class PublicAnswers {
  readonly #kept = new LRUCache<string, KeptAnswer>({ max: maxAnswers, maxSize: maxBytes });
  readonly #versions: Readonly<Record<AnswerSource, () => number>>;

  constructor({ catalogue, quotes, marketStatuses }: Pick<ApiServices, "catalogue" | "quotes" | "marketStatuses">) {
    this.#versions = {
      catalogue: () => catalogue.version,
      quotes: () => quotes.version,
      marketHours: () => marketStatuses.version,
    };
  }

  find(operation: Operation, request: OperationRequest): Answer | undefined {
    const { sources } = operation;
    if (sources === null) return undefined;
    const kept = this.#kept.get(keyOf(operation, request));
    if (kept === undefined) return undefined;
    return kept.stamp.every((version, index) => version === this.#version(sources[index])) ? kept.answer : undefined;
  }

  /** To be taken before the operation is executed; null when its answer may not be kept. */
  stampOf({ sources }: Operation): Stamp | null {
    return sources?.map((source) => this.#version(source)) ?? null;
  }

  /** Keeps an answer, unless something changed while it was made. */
  keep(operation: Operation, request: OperationRequest, stamp: Stamp, answer: Answer): void {
    const now = this.stampOf(operation);
    if (now === null || answer.length > maxAnswerBytes || now.some((version, i) => version !== stamp[i])) return;
    const key = keyOf(operation, request);
    // Compressed, it is smaller than it is.
    this.#kept.set(key, { answer, stamp }, { size: 2 * answer.length + key.length + 200 });
  }

  #version(source: AnswerSource | undefined): number {
    return source === undefined ? Number.NaN : this.#versions[source]();
  }
}

function keyOf({ key }: Operation, { variables }: OperationRequest): string {
  return variables == null ? key : `${key} ${JSON.stringify(variables)}`;
}
