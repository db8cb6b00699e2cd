import type { ServerResponse } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import {
  type ExecutionResult,
  execute,
  type GraphQLFormattedError,
  getOperationAST,
  OperationTypeNode,
  subscribe,
} from "graphql";
import type { ApiContext } from "./context.js";
import type { OperationPreparer, OperationRequest } from "./prepare.js";

export interface SseOptions {
  readonly path: string;
  readonly preparer: OperationPreparer;
  readonly contextOf: (request: FastifyRequest) => ApiContext;
  /** A comment line this often keeps proxies from closing a quiet stream. A client that takes nothing for twice as long is cut off. */
  readonly keepAliveMs: number;
  readonly maxConnections: number;
}

/**
 * GraphQL over server-sent events (the "distinct connections" mode of graphql-sse), for clients behind proxies that let no
 * WebSocket through. An event is written only when the client has taken the one before; the iterators conflate meanwhile.
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

  close(): void {
    for (const stream of this.#streams) stream.end();
  }

  async #handle(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const parameters = requestParameters(request);
    if (typeof parameters === "string") {
      return reply.code(400).send({ errors: [{ message: parameters, extensions: { code: "BAD_REQUEST" } }] });
    }
    if (this.connections >= this.options.maxConnections) {
      return reply.code(503).send({
        errors: [{ message: "too many open streams", extensions: { code: "RATE_LIMITED", retryAfterMs: 5_000 } }],
      });
    }
    const results = await this.#start(parameters, this.options.contextOf(request));
    reply.hijack();
    await this.#stream(reply.raw, results);
  }

  async #start(parameters: OperationRequest, context: ApiContext): Promise<AsyncIterable<ExecutionResult>> {
    const prepared = this.options.preparer.prepare(parameters, context);
    if (!("schema" in prepared)) return once({ errors: prepared });
    const isSubscription =
      getOperationAST(prepared.document, prepared.operationName)?.operation === OperationTypeNode.SUBSCRIPTION;
    const result = await (isSubscription ? subscribe(prepared) : execute(prepared));
    return Symbol.asyncIterator in result ? result : once(result);
  }

  async #stream(response: ServerResponse, results: AsyncIterable<ExecutionResult>): Promise<void> {
    this.#streams.add(response);
    const iterator = results[Symbol.asyncIterator]();
    const comments = setInterval(() => {
      if (!response.writableNeedDrain) response.write(":\n\n");
    }, this.options.keepAliveMs);
    response.once("close", () => void iterator.return?.());
    response.on("error", () => response.destroy());
    response.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
      connection: "keep-alive",
    });
    response.flushHeaders();
    try {
      for (let next = await iterator.next(); !next.done && !response.destroyed; next = await iterator.next()) {
        if (!response.write(`event: next\ndata: ${JSON.stringify(this.#visible(next.value))}\n\n`))
          await drained(response, 2 * this.options.keepAliveMs);
      }
      if (!response.destroyed && !response.writableEnded) response.end("event: complete\ndata:\n\n");
    } finally {
      clearInterval(comments);
      this.#streams.delete(response);
      await iterator.return?.();
    }
  }

  #visible(result: ExecutionResult): { data?: unknown; errors?: readonly GraphQLFormattedError[] } {
    return result.errors === undefined
      ? result
      : { ...result, errors: this.options.preparer.formatErrors(result.errors) };
  }
}

async function* once(result: ExecutionResult): AsyncGenerator<ExecutionResult> {
  yield result;
}

function drained(response: ServerResponse, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(cutOff);
      response.off("drain", finish);
      response.off("close", finish);
      resolve();
    };
    const cutOff = setTimeout(() => response.destroy(), timeoutMs);
    response.on("drain", finish);
    response.on("close", finish);
  });
}

/** The operation of a request, or what is wrong with it. */
function requestParameters(request: FastifyRequest): OperationRequest | string {
  const source = (request.method === "GET" ? request.query : request.body) as
    | Record<string, unknown>
    | null
    | undefined;
  if (source === null || typeof source !== "object")
    return "send a JSON object with query, variables and operationName";
  const { query, operationName } = source;
  let { variables } = source;
  if (typeof query !== "string") return "query must be a string";
  if (operationName != null && typeof operationName !== "string") return "operationName must be a string";
  if (typeof variables === "string") {
    try {
      variables = JSON.parse(variables);
    } catch {
      return "variables must be JSON";
    }
  }
  if (variables != null && (typeof variables !== "object" || Array.isArray(variables)))
    return "variables must be an object";
  return {
    query,
    operationName: operationName ?? null,
    variables: (variables ?? null) as Record<string, unknown> | null,
  };
}
