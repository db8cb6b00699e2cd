import type { ServerResponse } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { TrustedProxies } from "../core/trusted-proxies.js";
import type { Viewer } from "../core/viewer.js";
import type { AllowedOrigins } from "./allowed-origins.js";
import type { ApiContext } from "./context.js";
import { SharedPayload } from "./live/payload.js";
import { type OpenConnections, retryAfterMs } from "./open-connections.js";
import { namesHash } from "./persisted.js";
import type { OperationRequest } from "./prepare.js";
import { type RequestLimits, retryAfterSeconds, userOf } from "./request-limits.js";
import type { OperationRunner, Running } from "./run-operation.js";
import type { Traffic } from "./websocket.js";

export interface SseOptions {
  readonly path: string;
  readonly runner: OperationRunner;
  readonly contextOf: (request: FastifyRequest) => ApiContext;
  readonly followAccess: (viewer: Viewer | null, end: () => void) => () => void;
  /** A comment line this often keeps proxies from closing a quiet stream. A client that takes nothing for twice as long is cut off. */
  readonly keepAliveMs: number;
  readonly maxConnections: number;
  readonly openByAddress: OpenConnections;
  readonly openByUser: OpenConnections;
  readonly limits: RequestLimits;
  readonly proxies: TrustedProxies;
  readonly origins: AllowedOrigins;
  readonly traffic: Traffic;
}

/**
 * GraphQL over server-sent events (the "distinct connections" mode of graphql-sse), for clients behind proxies that let no
 * WebSocket through. While the client has not taken what was written before, nothing more is.
 */
export class SseEndpoint {
  readonly #streams = new Set<ServerResponse>();

  constructor(
    app: FastifyInstance,
    private readonly options: SseOptions,
  ) {
    const handle = (request: FastifyRequest, reply: FastifyReply) => this.#handle(request, reply);
    app.get(options.path, handle);
    app.post(options.path, handle);
  }

  get connections(): number {
    return this.#streams.size;
  }

  /** Bytes that the network has not taken. */
  get waitingBytes(): number {
    let bytes = 0;
    for (const stream of this.#streams) bytes += stream.writableLength;
    return bytes;
  }

  close(): void {
    for (const stream of this.#streams) stream.end();
  }

  async #handle(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const refuse = (status: number, code: string, message: string, more: object = {}) =>
      reply.code(status).send({ errors: [{ message, extensions: { code, ...more } }] });
    const limit = (status: number, message: string, waitMs = retryAfterMs) => {
      reply.header("retry-after", retryAfterSeconds(waitMs));
      return refuse(status, "RATE_LIMITED", message, { retryAfterMs: waitMs });
    };
    const { limits, proxies, origins, runner, openByAddress, openByUser, maxConnections } = this.options;
    if (!origins.admits(request.raw, proxies))
      return refuse(403, "FORBIDDEN", "this origin is not one of CORS_ORIGINS");
    const parameters = requestParameters(request);
    if (typeof parameters === "string") return refuse(400, "BAD_REQUEST", parameters);
    // Any page can make a browser send a GET.
    if (request.method === "GET" && runner.isMutation(parameters)) {
      reply.header("allow", "POST");
      return refuse(405, "BAD_REQUEST", "a mutation must be posted");
    }
    const context = this.options.contextOf(request);
    const waitMs = limits.connections.take(context.address);
    if (waitMs > 0) return limit(429, "too many streams from your address in a short time", waitMs);
    if (this.connections >= maxConnections) return limit(503, "too many open streams");
    const leave = openByAddress.enter(context.address);
    if (leave === null) return limit(429, "too many open streams from your address");
    const leaveUser = context.viewer === null ? noPlace : openByUser.enter(userOf(context.viewer));
    if (leaveUser === null) {
      leave();
      return limit(429, "too many open streams of yours");
    }
    reply.raw.once("close", () => {
      leave();
      leaveUser();
    });
    const headers = reply.getHeaders();
    reply.hijack();
    this.#stream(reply.raw, parameters, context, headers);
  }

  /** @param headers what all answers have */
  #stream(
    response: ServerResponse,
    request: OperationRequest,
    context: ApiContext,
    headers: Readonly<Record<string, string | number | string[] | undefined>>,
  ): void {
    const { keepAliveMs, runner, traffic, followAccess } = this.options;
    this.#streams.add(response);
    response.writeHead(200, {
      ...headers,
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
      connection: "keep-alive",
    });
    response.flushHeaders();
    let cutOff: NodeJS.Timeout | undefined;
    const write = (event: string): void => {
      if (response.writableEnded || response.destroyed || response.write(event)) return;
      cutOff ??= setTimeout(() => response.destroy(), 2 * keepAliveMs);
    };
    const comments = setInterval(() => {
      if (!response.writableNeedDrain) write(":\n\n");
    }, keepAliveMs);
    let running: Running | undefined;
    response.on("error", () => response.destroy());
    response.on("drain", () => {
      clearTimeout(cutOff);
      cutOff = undefined;
      running?.onWritable();
    });
    response.once("close", () => {
      clearTimeout(cutOff);
      clearInterval(comments);
      this.#streams.delete(response);
      forgetAccess();
      running?.stop();
    });
    const complete = () => {
      if (!response.destroyed && !response.writableEnded) response.end("event: complete\ndata:\n\n");
    };
    const forgetAccess = followAccess(context.viewer, () => {
      const error = { message: "access has ended; sign in again", extensions: { code: "UNAUTHENTICATED" } };
      running?.stop();
      write(new SharedPayload(JSON.stringify({ errors: [error] })).event);
      complete();
    });
    running = runner.run(request, context, {
      get isWritable() {
        return !response.writableNeedDrain && response.writable;
      },
      next: (payload) => {
        traffic.messages++;
        write(payload.event);
      },
      error: (errors) => {
        write(new SharedPayload(JSON.stringify({ errors })).event);
        complete();
      },
      complete,
    });
    if (response.destroyed) running.stop();
  }
}

const noPlace = (): void => {};

/** The operation of a request, or what is wrong with it. */
export function requestParameters(request: FastifyRequest): OperationRequest | string {
  const source = (request.method === "GET" ? readUrl(request.raw.url) : request.body) as
    | Record<string, unknown>
    | null
    | undefined;
  if (source === null || typeof source !== "object")
    return "send a JSON object with query, variables and operationName";
  const { query, operationName, documentId, id } = source;
  let { variables, extensions } = source;
  if (query != null && typeof query !== "string") return "query must be a string";
  if (operationName != null && typeof operationName !== "string") return "operationName must be a string";
  try {
    if (typeof variables === "string") variables = JSON.parse(variables);
    if (typeof extensions === "string") extensions = JSON.parse(extensions);
  } catch {
    return "variables and extensions must be JSON";
  }
  if (extensions != null && (typeof extensions !== "object" || Array.isArray(extensions)))
    return "extensions must be an object";
  if (variables != null && (typeof variables !== "object" || Array.isArray(variables)))
    return "variables must be an object";
  const operation = {
    query,
    operationName: operationName ?? null,
    variables: (variables ?? null) as Record<string, unknown> | null,
    extensions: (extensions ?? null) as Record<string, unknown> | null,
    documentId,
    id,
  };
  return query === undefined && !namesHash(operation) ? "query must be a string" : operation;
}

/** As Apollo reads it: what is no valid escape becomes a replacement character. */
const readUrl = (url = ""): Record<string, string> =>
  Object.fromEntries(new URLSearchParams(url.includes("?") ? url.slice(url.indexOf("?")) : ""));
