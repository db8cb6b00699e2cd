import type { ApolloServerPlugin } from "@apollo/server";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { GraphQLError } from "graphql";
import type { ApiContext } from "./context.js";
import { mediaTypeFor } from "./http/encoding.js";
import { type ShortWay, statusOfRefusal } from "./http/short-way.js";
import type { OperationWatch } from "./operation-watch.js";
import type { Operation, OperationPreparer, OperationRequest } from "./prepare.js";
import {
  type Allowance,
  faultCost,
  limitHeaders,
  limitRefusal,
  type RequestLimits,
  retryAfterOf,
  retryAfterSeconds,
  type Standing,
} from "./request-limits.js";
import { requestParameters } from "./sse.js";

export interface RefusalOptions {
  readonly preparer: OperationPreparer;
  readonly watch: OperationWatch;
  readonly limits: RequestLimits;
  readonly shortWay: ShortWay;
  readonly contextOf: (request: FastifyRequest) => ApiContext;
}

/**
 * Refuses an operation by the rules of every transport before Apollo sees it: its own validation has no order, so that an
 * operation far beyond the limits would first be compared field by field with itself.
 */
export const refuseBeforeApollo =
  ({ preparer, watch, limits, shortWay, contextOf }: RefusalOptions) =>
  async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const refuse = (status: number, errors: readonly GraphQLError[]) => {
      watch.refused();
      return reply
        .code(status)
        .type(mediaTypeFor(request.headers.accept) ?? "application/json; charset=utf-8")
        .send(`${JSON.stringify({ errors: preparer.formatErrors(errors) })}\n`);
    };
    const hasPaid = shortWay.hasCharged(request.raw);
    const allowance = hasPaid ? null : limits.allowanceOf(contextOf(request));
    const exhausted = allowance?.refusal();
    if (exhausted != null) {
      reply.headers(named(limitHeaders(exhausted)));
      return refuse(429, [limitRefusal(exhausted)]);
    }
    const parameters = requestParameters(request);
    // What is no request for one operation by its text is for Apollo to answer.
    const prepared = typeof parameters === "string" ? null : preparer.prepare(parameters);
    const standing = allowance && charge(allowance, prepared, parameters);
    if (standing !== null) reply.headers(named(limitHeaders(standing)));
    if (prepared !== null && !("definition" in prepared))
      return refuse(statusOfRefusal(prepared[0]?.extensions.code), prepared);
    return standing !== null && standing.retryAfterMs > 0 ? refuse(429, [limitRefusal(standing)]) : undefined;
  };

function charge(
  allowance: Allowance,
  prepared: Operation | readonly GraphQLError[] | null,
  parameters: OperationRequest | string,
): Standing | null {
  if (prepared === null || typeof parameters === "string" || !("definition" in prepared))
    return allowance.charge(faultCost, 0);
  return allowance.charge(prepared.costOf(parameters.variables ?? {}), prepared.mutationCount);
}

/** Of names and values in turn. */
export const named = (headers: readonly string[]): Record<string, string> =>
  Object.fromEntries(headers.flatMap((name, n) => (n % 2 === 0 ? [[name, headers[n + 1] ?? ""]] : [])));

/** Tells how the operations that Apollo runs end. */
export const watchOperations = (watch: OperationWatch): ApolloServerPlugin<ApiContext> => ({
  requestDidStart: async () => {
    const startMs = performance.now();
    let hasBegun = false;
    return {
      executionDidStart: async () => {
        hasBegun = true;
      },
      willSendResponse: async ({ operation, errors, response }) => {
        if (errors !== undefined && response.body.kind === "single") {
          const { data, errors: formatted = [] } = response.body.singleResult;
          const retryAfterMs = retryAfterOf(data, formatted);
          if (retryAfterMs !== null) {
            response.http.status = 429;
            response.http.headers.set("retry-after", retryAfterSeconds(retryAfterMs));
          }
        }
        const outcome = hasBegun ? (errors === undefined ? "ok" : "error") : "refused";
        const name = hasBegun ? operation?.name?.value : null;
        watch.ended(name, operation?.operation ?? "unknown", outcome, performance.now() - startMs);
      },
    };
  },
});
