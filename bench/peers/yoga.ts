import { createServer } from "node:http";
import type { ExecutionArgs } from "graphql";
import { useServer } from "graphql-ws/use/ws";
import { createYoga } from "graphql-yoga";
import { WebSocketServer } from "ws";
import { listen } from "./listen.js";
import { liveSchema, openLiveData } from "./live-schema.js";
import type { StartPeer } from "./peer.js";

type Enveloped = ReturnType<ReturnType<typeof createYoga>["getEnveloped"]>;
type YogaArgs = ExecutionArgs & { readonly rootValue: Pick<Enveloped, "execute" | "subscribe"> };

/** GraphQL Yoga with its plugins around each operation, over WebSocket as its documentation sets it up. */
export const start: StartPeer = async (input) => {
  const data = await openLiveData(input);
  const yoga = createYoga({ schema: liveSchema(data) });
  const server = createServer(yoga);
  useServer(
    {
      execute: (args) => (args as YogaArgs).rootValue.execute(args),
      subscribe: (args) => (args as YogaArgs).rootValue.subscribe(args),
      onSubscribe: async (context, _id, { operationName, query, variables }) => {
        const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({
          ...context,
          params: { query, operationName, variables },
        });
        const document = parse(query);
        const errors = validate(schema, document);
        if (errors.length > 0) return errors;
        return {
          schema,
          operationName,
          document,
          variableValues: variables,
          contextValue: await contextFactory(),
          rootValue: { execute, subscribe },
        } as ExecutionArgs;
      },
    },
    new WebSocketServer({ server, path: "/graphql" }),
  );
  return { url: await listen(server), apply: (change) => data.board.apply(change, 1) };
};
