import { connect, createServer, type Server, type Socket } from "node:net";
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, gql, HttpLink, InMemoryCache } from "@apollo/client/core";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { fetchExchange, subscriptionExchange, Client as UrqlClient } from "@urql/core";
import { OperationTypeNode } from "graphql";
import { createClient, type Client as WsClient } from "graphql-ws";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import WebSocket from "ws";
import { operatorToken } from "./support/app.js";
import { type QuietApp, startQuietApp } from "./support/quiet-app.js";
import { until } from "./support/until.js";

let app: QuietApp;
let line: Line;
beforeAll(async () => {
  // Apollo's link compares with the browser's, which Node has from version 22.
  vi.stubGlobal("WebSocket", WebSocket);
  app = await startQuietApp();
  line = await openLine(Number(new URL(app.url).port));
});
afterAll(async () => {
  vi.unstubAllGlobals();
  await line.close();
  await app.close();
});

/** What lies between the clients and the server, and can break. */
interface Line {
  readonly port: number;
  readonly connections: number;
  cut(): void;
  close(): Promise<void>;
}

async function openLine(target: number): Promise<Line> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    const onward = connect(target, "127.0.0.1");
    for (const end of [socket, onward]) {
      sockets.add(end);
      end.on("error", () => end.destroy());
      end.once("close", () => sockets.delete(end));
    }
    socket.once("close", () => onward.destroy());
    onward.once("close", () => socket.destroy());
    socket.pipe(onward).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as { port: number }).port,
    get connections() {
      return sockets.size / 2;
    },
    cut,
    close: () => {
      cut();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

const httpUrl = () => `http://127.0.0.1:${line.port}/graphql`;
const authorization = `Bearer ${operatorToken}`;

/** As their documentation says, with a shorter pause before they come again. */
const openSocket = (connected: () => void): WsClient =>
  createClient({
    url: httpUrl().replace("http", "ws"),
    webSocketImpl: WebSocket,
    connectionParams: { authorization },
    retryWait: () => new Promise((resolve) => setTimeout(resolve, 20)),
    on: { connected },
  });

interface Answer {
  readonly data?: unknown;
  readonly codes: readonly unknown[];
}
interface TestClient {
  query(text: string): Promise<Answer>;
  mutate(text: string): Promise<Answer>;
  /** Returns what ends it. */
  subscribe(text: string, onAnswer: (answer: Answer) => void): () => void;
  close(): Promise<void>;
}

const codesOf = (errors: readonly { extensions?: Record<string, unknown> | undefined }[] = []) =>
  errors.map(({ extensions }) => extensions?.code);

function apolloCodes(error: unknown): readonly unknown[] {
  if (error === undefined) return [];
  return CombinedGraphQLErrors.is(error) ? codesOf(error.errors) : [error instanceof Error ? error.message : "unknown"];
}

const clients: Record<string, (connected: () => void) => TestClient> = {
  "graphql-ws": (connected) => {
    const socket = openSocket(connected);
    const ask = (query: string) =>
      new Promise<Answer>((resolve) => {
        let answer: Answer = { codes: [] };
        socket.subscribe(
          { query },
          {
            next: ({ data, errors }) => {
              answer = { data, codes: codesOf(errors) };
            },
            error: (errors) => resolve({ codes: codesOf(errors as []) }),
            complete: () => resolve(answer),
          },
        );
      });
    return {
      query: ask,
      mutate: ask,
      subscribe: (query, onAnswer) =>
        socket.subscribe(
          { query },
          {
            next: ({ data, errors }) => onAnswer({ data, codes: codesOf(errors) }),
            error: (errors) => onAnswer({ codes: codesOf(errors as []) }),
            complete: () => {},
          },
        ),
      close: async () => socket.dispose(),
    };
  },
  "Apollo Client": (connected) => {
    const socket = openSocket(connected);
    const client = new ApolloClient({
      cache: new InMemoryCache(),
      link: ApolloLink.split(
        ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
        new GraphQLWsLink(socket),
        new HttpLink({ uri: httpUrl(), headers: { authorization } }),
      ),
    });
    return {
      query: async (text) => {
        const { data, error } = await client.query({ query: gql(text), errorPolicy: "all", fetchPolicy: "no-cache" });
        return { data, codes: apolloCodes(error) };
      },
      mutate: async (text) => {
        const { data, error } = await client.mutate({ mutation: gql(text), errorPolicy: "all" });
        return { data, codes: apolloCodes(error) };
      },
      subscribe: (text, onAnswer) => {
        const subscription = client.subscribe({ query: gql(text), errorPolicy: "all" }).subscribe({
          next: ({ data, error }) => onAnswer({ data, codes: apolloCodes(error) }),
          error: (error: unknown) => onAnswer({ codes: apolloCodes(error) }),
        });
        return () => subscription.unsubscribe();
      },
      close: async () => {
        client.stop();
        await socket.dispose();
      },
    };
  },
  urql: (connected) => {
    const socket = openSocket(connected);
    const client = new UrqlClient({
      url: httpUrl(),
      preferGetMethod: false,
      fetchOptions: { headers: { authorization } },
      exchanges: [
        fetchExchange,
        subscriptionExchange({
          forwardSubscription: ({ query, variables }) => ({
            subscribe: (sink) => ({
              unsubscribe: socket.subscribe(
                { query: query ?? "", variables: variables as Record<string, unknown> },
                {
                  next: (result) => sink.next(result as never),
                  error: (error) => sink.error(error),
                  complete: () => sink.complete(),
                },
              ),
            }),
          }),
        }),
      ],
    });
    return {
      query: async (text) => {
        const { data, error } = await client.query(text, {}).toPromise();
        return { data: data as unknown, codes: codesOf(error?.graphQLErrors) };
      },
      mutate: async (text) => {
        const { data, error } = await client.mutation(text, {}).toPromise();
        return { data: data as unknown, codes: codesOf(error?.graphQLErrors) };
      },
      subscribe: (text, onAnswer) => {
        const running = client
          .subscription(text, {})
          .subscribe(({ data, error }) => onAnswer({ data: data as unknown, codes: codesOf(error?.graphQLErrors) }));
        return () => running.unsubscribe();
      },
      close: async () => socket.dispose(),
    };
  },
};

describe.each(Object.keys(clients))("%s works as its documentation says", (name) => {
  let client: TestClient;
  let connects = 0;
  beforeAll(() => {
    client = clients[name]?.(() => connects++) as TestClient;
  });
  afterAll(() => client.close());
  const stops: (() => void)[] = [];
  afterEach(() => {
    for (const stop of stops.splice(0)) stop();
  });

  test("a query is answered", async () => {
    const { data, codes } = await client.query("query Markets { markets { id code } }");
    expect(codes).toEqual([]);
    expect((data as { markets: { code: string }[] }).markets.map(({ code }) => code)).toContain("BINANCE_SPOT");
  });

  test("the credential is understood", async () => {
    const { codes } = await client.mutate(`mutation { setMarketStatus(market: "NOPE") { id } }`);
    expect(codes).toEqual(["NOT_FOUND"]);
  });

  test("an error has its code, beside the data that there is", async () => {
    const { data, codes } = await client.query(`query { markets { id } symbol { id } }`);
    expect([codes, (data as { markets: unknown[] }).markets.length > 0]).toEqual([["BAD_USER_INPUT"], true]);
    expect((await client.query("query { nothing }")).codes).toEqual(["GRAPHQL_VALIDATION_FAILED"]);
  });

  test("a subscription that is wrong has an error", async () => {
    const answers: Answer[] = [];
    stops.push(client.subscribe("subscription { quotes(intervalMs: -1) { price } }", (answer) => answers.push(answer)));
    await until(() => answers.length > 0);
    expect(answers[0]?.codes).toEqual(["BAD_USER_INPUT"]);
  });

  test("a subscription goes on over a line that breaks, and ends when it is told to", async () => {
    const answers: Answer[] = [];
    stops.push(
      client.subscribe("subscription Live { quotes { symbol { id ticker } price } }", (answer) => answers.push(answer)),
    );
    await until(() => answers.length > 0);
    expect(answers[0]).toMatchObject({ codes: [], data: { quotes: { length: 6 } } });
    const before = connects;
    line.cut();
    // It comes again by itself, and has everything from the beginning.
    await until(() => connects > before && answers.length > 1);
    expect(answers.at(-1)).toMatchObject({ codes: [], data: { quotes: { length: 6 } } });
    for (const stop of stops.splice(0)) stop();
    await until(() => app.app.quotes.watcherCount === 0);
  });
});
