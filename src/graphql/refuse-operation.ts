import type { ApolloServerPlugin } from "@apollo/server";
import type { FastifyReply, FastifyRequest } from "fastify";
import { GraphQLError } from "graphql";
import type { ApiContext } from "./context.js";
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
    return reply.code(400).send({ errors: preparer.formatErrors(prepared) });
  };

/** The same for operations that Apollo knows by their hash. */
export const refuseStored = (preparer: OperationPreparer): ApolloServerPlugin<ApiContext> => ({
  requestDidStart: async () => ({
    didResolveOperation: async ({ source, request, metrics }) => {
      if (metrics.persistedQueryHit !== true) return;
      const { operationName, variables } = request;
      const prepared = preparer.prepare({ query: source, operationName, variables });
      if ("definition" in prepared) return;
      const [originalError] = prepared;
      throw new GraphQLError("refused", { originalError, extensions: { http: { status: 400 } } });
    },
  }),
});

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
