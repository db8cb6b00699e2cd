import type { ApolloServerPlugin } from "@apollo/server";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { ApiContext } from "./context.js";
import { mediaTypeFor } from "./http/encoding.js";
import { statusOfRefusal } from "./http/short-way.js";
import type { OperationWatch } from "./operation-watch.js";
import type { OperationPreparer } from "./prepare.js";
import { requestParameters } from "./sse.js";

/**
 * Refuses an operation by the rules of every transport before Apollo sees it: its own validation has no order, so that an
 * operation far beyond the limits would first be compared field by field with itself.
 */
export const refuseBeforeApollo =
  (preparer: OperationPreparer, watch: OperationWatch) =>
  async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const parameters = requestParameters(request);
    // What is no request for one operation by its text is for Apollo to answer.
    if (typeof parameters === "string") return;
    const prepared = preparer.prepare(parameters);
    if ("definition" in prepared) return;
    watch.refused();
    return reply
      .code(statusOfRefusal(prepared[0]?.extensions.code))
      .type(mediaTypeFor(request.headers.accept) ?? "application/json; charset=utf-8")
      .send(`${JSON.stringify({ errors: preparer.formatErrors(prepared) })}\n`);
  };

/** Tells how the operations that Apollo runs end. */
export const watchOperations = (watch: OperationWatch): ApolloServerPlugin<ApiContext> => ({
  requestDidStart: async () => {
    const startMs = performance.now();
    let hasBegun = false;
    return {
      executionDidStart: async () => {
        hasBegun = true;
      },
      willSendResponse: async ({ operation, errors }) => {
        const outcome = hasBegun ? (errors === undefined ? "ok" : "error") : "refused";
        const name = hasBegun ? operation?.name?.value : null;
        watch.ended(name, operation?.operation ?? "unknown", outcome, performance.now() - startMs);
      },
    };
  },
});
