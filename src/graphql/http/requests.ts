import type { IncomingHttpHeaders } from "node:http";
import { LRUCache } from "lru-cache";
import secureJson from "secure-json-parse";
import { namesHash } from "../persisted.js";
import type { OperationRequest } from "../prepare.js";

const plainJson = /^application\/json(?:; ?charset=utf-8)?$/i;

/** Whether the headers are those of an ordinary JSON body of a stated size. */
export function isPlainPost(headers: IncomingHttpHeaders, maxBodyBytes: number): boolean {
  const length = Number(headers["content-length"]);
  return length > 0 && length <= maxBodyBytes && plainJson.test(headers["content-type"] ?? "");
}

/**
 * Whether the headers are those of an ordinary GET that no other site's page can have sent: a browser asks first before it
 * sends one of these headers to another site.
 */
export function isPlainGet(headers: IncomingHttpHeaders): boolean {
  if (headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined) return false;
  const type = headers["content-type"];
  return type === undefined
    ? Boolean(headers["x-apollo-operation-name"] || headers["apollo-require-preflight"])
    : plainJson.test(type);
}

/** Bodies that are kept as they were read, and their size together; the least used goes first. */
const maxBodies = 2_000;
const maxBodiesLength = 10_000_000;
/** Longer ones are seldom the same twice. */
const maxKeptLength = 10_000;

/** Reads bodies. Those of public queries, which come again and again to the byte, are not read anew each time. */
export class KnownBodies {
  /** By their bytes, each of which is one character. */
  readonly #known = new LRUCache<string, OperationRequest>({ max: maxBodies, maxSize: maxBodiesLength });

  /** The operation in an ordinary body; null when anything about it is out of the ordinary. */
  read(body: Buffer): OperationRequest | null {
    const known = body.length > maxKeptLength ? undefined : this.#known.get(body.toString("latin1"));
    return known ?? readBody(body);
  }

  /** Only for what says nothing about who is asking: what users write about themselves stays nowhere. */
  keep(body: Buffer, request: OperationRequest): void {
    // What is made of it takes about as much again.
    if (body.length <= maxKeptLength)
      this.#known.set(body.toString("latin1"), request, { size: 3 * body.length + 200 });
  }
}

function readBody(body: Buffer): OperationRequest | null {
  try {
    // As Fastify reads it: keys that could reach a prototype are refused.
    return toRequest(secureJson.parse(body.toString()));
  } catch {
    return null;
  }
}

/** The operation in an ordinary query string; null when anything about it is out of the ordinary. */
export function readSearch(search: string): OperationRequest | null {
  const given: Record<string, unknown> = {};
  try {
    for (const [name, value] of new URLSearchParams(search)) {
      if (name in given) return null;
      given[name] = name === "variables" || name === "extensions" ? JSON.parse(value) : value;
    }
  } catch {
    return null;
  }
  return given.variables === null || given.extensions === null ? null : toRequest(given);
}

function toRequest(given: unknown): OperationRequest | null {
  if (!isObject(given)) return null;
  const { query, operationName, variables, extensions, documentId, id } = given;
  if (query != null && typeof query !== "string") return null;
  // The empty name is a name that no operation has.
  if (operationName != null && (typeof operationName !== "string" || operationName === "")) return null;
  if (variables != null && !isObject(variables)) return null;
  if (extensions != null && !isObject(extensions)) return null;
  const request = { query, operationName, variables, extensions, documentId, id };
  return query || namesHash(request) ? request : null;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
