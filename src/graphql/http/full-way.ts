import { Readable } from "node:stream";
import type { ApolloServer } from "@apollo/server";
import { fastifyApolloHandler } from "@as-integrations/fastify";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { GraphQLError } from "graphql";
import type { AllowedOrigins } from "../allowed-origins.js";
import type { ApiContext } from "../context.js";
import type { OperationWatch } from "../operation-watch.js";
import type { DocumentRequest, PersistedDocuments } from "../persisted.js";
import type { OperationPreparer } from "../prepare.js";
import { refuseBeforeApollo } from "../refuse-operation.js";
import type { RequestLimits } from "../request-limits.js";
import { compress, encodingFor } from "./encoding.js";
import { privateHeaders, type ShortWay, statusOfRefusal } from "./short-way.js";

export interface FullWayOptions {
  readonly path: string;
  readonly apollo: ApolloServer<ApiContext>;
  readonly shortWay: ShortWay;
  readonly documents: PersistedDocuments;
  readonly preparer: OperationPreparer;
  readonly contextOf: (request: FastifyRequest) => ApiContext;
  readonly watch: OperationWatch;
  readonly limits: RequestLimits;
  readonly origins: AllowedOrigins;
}

/** GraphQL over HTTP for requests of any kind, through Fastify and Apollo. */
export function addFullWay(app: FastifyInstance, options: FullWayOptions): void {
  const { path, apollo, shortWay, contextOf } = options;
  app.route({
    url: path,
    method: ["GET", "POST"],
    onRequest: async (_request, reply) => {
      reply.headers(privateHeaders(options.origins));
    },
    preParsing: async (request, _reply, payload) => {
      const body = shortWay.bodyOf(request.raw);
      return body === undefined ? payload : Readable.from([body]);
    },
    preHandler: [(request, reply) => putTextIn(request, reply, options), refuseBeforeApollo(options)],
    handler: fastifyApolloHandler(apollo, { context: async (request) => contextOf(request) }),
    onSend: async (request, reply, payload) => {
      if (typeof payload !== "string") return payload;
      const encoding = encodingFor(request.headers["accept-encoding"], Buffer.byteLength(payload));
      const encoded = encoding && (await compress(Buffer.from(payload), encoding));
      if (encoding === null || encoded === null) return payload;
      reply.header("content-encoding", encoding);
      return encoded;
    },
  });
}

const naming = new Set(["extensions", "documentId", "id"]);

/**
 * Gives Apollo the text of an operation that is named by its hash. With trusted documents Apollo sees no other text than
 * theirs, however the request is read.
 */
async function putTextIn(
  request: FastifyRequest,
  reply: FastifyReply,
  { path, documents, preparer }: FullWayOptions,
): Promise<unknown> {
  const isGet = request.method === "GET";
  const given = isGet ? readQuery(request.query) : request.body;
  // What cannot be an operation Apollo refuses.
  if (typeof given !== "object" || given === null || Array.isArray(given)) return;
  const named = given as DocumentRequest & Record<string, unknown>;
  if (!documents.concerns(named)) return;
  const text = documents.textOf({ ...named, query: typeof named.query === "string" ? named.query : "" });
  if (text instanceof GraphQLError) {
    return reply
      .code(statusOfRefusal(text.extensions.code))
      .type("application/json; charset=utf-8")
      .send(`${JSON.stringify({ errors: preparer.formatErrors([text]) })}\n`);
  }
  const full = { ...Object.fromEntries(Object.entries(named).filter(([name]) => !naming.has(name))), query: text };
  if (isGet) request.raw.url = `${path}?${writeQuery(full)}`;
  else request.body = full;
  return;
}

function readQuery(query: unknown): Record<string, unknown> {
  const { extensions, ...rest } = query as Record<string, unknown>;
  if (typeof extensions !== "string") return rest;
  try {
    return { ...rest, extensions: JSON.parse(extensions) as unknown };
  } catch {
    return rest;
  }
}

const writeQuery = (given: Record<string, unknown>): string =>
  new URLSearchParams(
    Object.entries(given).flatMap(([name, value]) =>
      [value].flat().map((one): [string, string] => [name, typeof one === "string" ? one : JSON.stringify(one)]),
    ),
  ).toString();
