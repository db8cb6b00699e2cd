import { access, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { ApolloServer } from "@apollo/server";
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginLandingPageDisabled,
} from "@apollo/server/plugin/disabled";
import { fastifyApolloDrainPlugin } from "@as-integrations/fastify";
import Fastify, { type FastifyInstance, type FastifyRequest } from "fastify";
import type { GraphQLSchema } from "graphql";
import { isDatabaseAway } from "../core/database-away.js";
import { DomainError } from "../core/errors.js";
import { explainListenError } from "../core/listen.js";
import type { Logger } from "../core/logger.js";
import { programFolder } from "../core/program-folder.js";
import type { Tracer } from "../core/tracer.js";
import type { TrustedProxies } from "../core/trusted-proxies.js";
import type { Viewer } from "../core/viewer.js";
import type { MetricsEndpoint } from "../telemetry/metrics-endpoint.js";
import type { AllowedOrigins } from "./allowed-origins.js";
import { type ApiContext, type ApiServices, type Ask, type Asker, contextOf } from "./context.js";
import { toClientError } from "./errors.js";
import { OperationExecutor } from "./execute-operation.js";
import { PublicAnswers } from "./http/answers.js";
import { addFullWay } from "./http/full-way.js";
import { httpsOnly, ShortWay, securityHeaders } from "./http/short-way.js";
import { maxDocumentTokens, type OperationLimits } from "./limits.js";
import { Broadcast } from "./live/broadcast.js";
import { OpenConnections } from "./open-connections.js";
import { OperationWatch } from "./operation-watch.js";
import { PersistedDocuments } from "./persisted.js";
import { OperationPreparer } from "./prepare.js";
import { named, watchOperations } from "./refuse-operation.js";
import { limitHeaders, limitRefusal, type RequestLimits, retryAfterSeconds, type Standing } from "./request-limits.js";
import { OperationRunner } from "./run-operation.js";
import { SseEndpoint } from "./sse.js";
import { traceRequests } from "./trace-requests.js";
import { type Traffic, WebSocketEndpoint } from "./websocket.js";

export interface ServerOptions extends OperationLimits {
  readonly host: string;
  readonly port: number;
  readonly schema: GraphQLSchema;
  readonly services: ApiServices;
  /** At once where the credential is known. @throws {DomainError} UNAUTHENTICATED, also by the promise */
  readonly viewerOf: (authorization: string | null) => Viewer | null | Promise<Viewer | null>;
  /** Calls back once, when the viewer's access ends or expires. Returns the function that stops it. */
  readonly followAccess: (viewer: Viewer | null, end: () => void) => () => void;
  /** Whether this node can do its work now; false while it starts or drains. */
  readonly isReady: () => Promise<boolean>;
  readonly keepAliveMs: number;
  readonly maxBodyBytes: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly maxConnectionsPerUser: number;
  readonly maxSubscriptionsPerConnection: number;
  /** Texts by their SHA-256: no other operations run. Null: any may. */
  readonly trustedDocuments: ReadonlyMap<string, string> | null;
  readonly maxMessagesPerSecond: number;
  readonly limits: RequestLimits;
  readonly trustedProxies: TrustedProxies;
  readonly corsOrigins: AllowedOrigins;
  readonly log: Logger;
  readonly tracer: Tracer;
  /** Null where `/metrics` has a port of its own. */
  readonly metrics: MetricsEndpoint | null;
}

/** Numbers as they are now. */
export interface ServerStats {
  readonly operations: OperationWatch;
  readonly broadcast: Broadcast;
  readonly traffic: Traffic;
  readonly websockets: number;
  readonly eventStreams: number;
  readonly waitingBytes: number;
}

export interface ApiServer {
  /** E.g. http://127.0.0.1:4000 */
  readonly url: string;
  readonly stats: ServerStats;
  /** Ends the open streams, finishes the requests under way, and frees the port. */
  close(): Promise<void>;
}

const contexts = new WeakMap<FastifyRequest, ApiContext>();

/** The program tries again to reach a database that is away within this time. */
const databaseRetryMs = 1_000;
/** For a whole request. */
const requestTimeoutMs = 30_000;

/** @throws {StartError} when the port is taken */
export async function startServer(options: ServerOptions): Promise<ApiServer> {
  const { log, services, tracer, metrics, limits, trustedProxies: proxies, corsOrigins: origins } = options;
  const watch = new OperationWatch(tracer);
  const askerOf: Ask<Asker> = (authorization, address, userAgent) => {
    // Looking into a credential costs more than most questions.
    if (authorization !== null) limits.requireCredentialHeard(address, authorization);
    const viewer = options.viewerOf(authorization);
    const askerFor = (found: Viewer | null): Asker => {
      if (authorization !== null && found !== null) limits.credentialWasValid(authorization);
      return { viewer: found, address, userAgent };
    };
    return viewer instanceof Promise ? viewer.then(askerFor) : askerFor(viewer);
  };
  const contextFor: Ask<ApiContext> = (...by) => {
    const asker = askerOf(...by);
    return asker instanceof Promise ? asker.then((found) => contextOf(services, found)) : contextOf(services, asker);
  };
  const documents = new PersistedDocuments(options.trustedDocuments);
  const preparer = new OperationPreparer(options.schema, options, documents, log);
  for (const [hash, query] of options.trustedDocuments ?? []) {
    // It is refused when it is asked for; the others go on.
    if (!preparer.isValid(query)) log.warn({ hash }, "persisted-operations.does-not-fit-the-schema");
  }
  const answers = new PublicAnswers(services);
  const shortWay = new ShortWay({
    path: "/graphql",
    preparer,
    executor: new OperationExecutor(),
    answers,
    services,
    askerOf,
    limits,
    proxies,
    origins,
    maxBodyBytes: options.maxBodyBytes,
    watch,
    tracer,
  });
  // Who connects and says nothing, or little by little, is sent away.
  const timeouts = {
    requestTimeout: requestTimeoutMs,
    headersTimeout: Math.min(requestTimeoutMs, Math.max(1_000, 2 * options.keepAliveMs)),
    connectionsCheckingInterval: Math.min(requestTimeoutMs, options.keepAliveMs),
    keepAliveTimeout: 72_000,
  };
  const app: FastifyInstance = Fastify({
    bodyLimit: options.maxBodyBytes,
    forceCloseConnections: "idle",
    serverFactory: (fullWay) =>
      createServer(timeouts, (request, response) => shortWay.handle(request, response, fullWay)),
  });
  const apollo = new ApolloServer<ApiContext>({
    schema: options.schema,
    // Our own rules decide, the same for every transport.
    introspection: true,
    stopOnTerminationSignals: false,
    includeStacktraceInErrorResponses: false,
    parseOptions: { maxTokens: maxDocumentTokens },
    // Known to the program for all ways in.
    persistedQueries: false,
    formatError: (_formatted, error) => toClientError(error, log),
    logger: log.child({ room: "graphql" }),
    plugins: [
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginCacheControlDisabled(),
      fastifyApolloDrainPlugin(app),
      watchOperations(watch),
    ],
  });
  await apollo.start();

  app.addHook("onRequest", async (request, reply) => {
    reply.headers(securityHeaders);
    if (proxies.isHttps(request.raw)) reply.headers(httpsOnly);
  });
  // Before the credential of a viewer is looked for: who reads the numbers has another.
  if (metrics !== null)
    app.addHook("onRequest", async (request, reply) => {
      if (request.url.split("?")[0] !== "/metrics") return;
      const { status, headers, body } = await metrics.answer(request.raw);
      return reply.code(status).headers(headers).send(body);
    });
  app.addHook("onRequest", async (request, reply) => {
    const { origin, "access-control-request-method": asked } = request.headers;
    reply.headers(named(origins.headersFor(origin)));
    if (request.method !== "OPTIONS" || origin === undefined || asked === undefined) return;
    const headers = origins.preflightHeadersFor(origin);
    if (headers === null)
      return reply
        .code(403)
        .send({ errors: [{ message: "this origin is not one of CORS_ORIGINS", extensions: { code: "FORBIDDEN" } }] });
    return reply.code(204).headers(headers).header("vary", "origin").send();
  });
  traceRequests(app, "/graphql", tracer);
  // A credential that is not valid is refused before anything of the request is read.
  app.addHook("onRequest", async (request, reply) => {
    try {
      const { authorization = null, "user-agent": userAgent = null } = request.headers;
      contexts.set(request, await contextFor(authorization, proxies.clientOf(request.raw), userAgent));
    } catch (error) {
      // What keeps us from checking a credential says nothing about the credential.
      if (!(error instanceof DomainError)) throw error;
      reply.header("cache-control", "private, no-store");
      const retryAfterMs = Number(error.details.retryAfterMs);
      if (retryAfterMs > 0) reply.code(429).header("retry-after", retryAfterSeconds(retryAfterMs));
      else {
        limits.badCredentials.take(proxies.clientOf(request.raw));
        reply.code(401).header("www-authenticate", "Bearer");
      }
      return reply.send({ errors: [toClientError(error, log)] });
    }
  });
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    const isAway = isDatabaseAway(error);
    if (isAway) reply.header("retry-after", retryAfterSeconds(databaseRetryMs));
    const status = isAway ? 503 : (error.statusCode ?? 500);
    // Fastify's own faults of the request (broken JSON, a body too large, a wrong content type) are for the client to see.
    const shown =
      status < 500 ? { message: error.message, extensions: { code: "BAD_REQUEST" } } : toClientError(error, log);
    return reply.code(status).send({ errors: [shown] });
  });
  app.setNotFoundHandler((_request, reply) =>
    reply.code(404).send({
      errors: [
        {
          message: "there is /graphql, /graphql/stream, /graphiql, /healthz and /readyz",
          extensions: { code: "NOT_FOUND" },
        },
      ],
    }),
  );

  const requestContext = (request: FastifyRequest): ApiContext => {
    const context = contexts.get(request);
    if (context === undefined) throw new DomainError("UNAUTHENTICATED", "no context");
    return context;
  };
  addFullWay(app, {
    path: "/graphql",
    apollo,
    shortWay,
    documents,
    preparer,
    contextOf: requestContext,
    watch,
    limits,
    origins,
  });
  const broadcast = new Broadcast({
    formatErrors: (errors) => preparer.formatErrors(errors),
    stampOf: (operation) => answers.stampOf(operation),
    log,
  });
  const runner = new OperationRunner(preparer, broadcast, watch, tracer, limits);
  const traffic: Traffic = { messages: 0 };
  const { maxConnections } = options;
  const connecting = {
    maxConnections,
    openByAddress: new OpenConnections(options.maxConnectionsPerAddress),
    openByUser: new OpenConnections(options.maxConnectionsPerUser),
    limits,
    proxies,
    origins,
    traffic,
  };
  const sse = new SseEndpoint(app, {
    path: "/graphql/stream",
    runner,
    contextOf: requestContext,
    followAccess: options.followAccess,
    keepAliveMs: options.keepAliveMs,
    ...connecting,
  });

  app.get("/healthz", (_request, reply) => reply.header("cache-control", "no-store").send({ status: "OK" }));
  app.get("/readyz", async (_request, reply) => {
    const ready = await options.isReady();
    return reply
      .code(ready ? 200 : 503)
      .header("cache-control", "no-store")
      .send({ status: ready ? "READY" : "NOT_READY" });
  });
  app.get("/", (_request, reply) => reply.redirect("/graphiql"));
  await addGraphiQL(app, (request) => limits.allowanceOf(requestContext(request)).charge(graphiqlCost, 0));

  const sockets = new WebSocketEndpoint(app.server, {
    path: "/graphql",
    runner,
    contextOf: contextFor,
    followAccess: options.followAccess,
    keepAliveMs: options.keepAliveMs,
    maxMessageBytes: options.maxBodyBytes,
    ...connecting,
    maxSubscriptionsPerConnection: options.maxSubscriptionsPerConnection,
    maxMessagesPerSecond: options.maxMessagesPerSecond,
    log,
  });
  const stats: ServerStats = {
    operations: watch,
    broadcast,
    traffic,
    get websockets() {
      return sockets.connections;
    },
    get eventStreams() {
      return sse.connections;
    },
    get waitingBytes() {
      return sockets.waitingBytes + sse.waitingBytes;
    },
  };
  const close = async () => {
    shortWay.close();
    sse.close();
    await sockets.close();
    broadcast.close();
    await apollo.stop();
    await app.close();
  };
  try {
    const url = await app.listen({ host: options.host, port: options.port });
    return { url, stats, close };
  } catch (error) {
    await close();
    throw explainListenError(error, options);
  }
}

/** Everything comes from this one page: no request leaves for another host, and the policy makes sure of it. */
const graphiqlPolicy =
  "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; worker-src blob:; style-src 'self' 'unsafe-inline'; " +
  "img-src 'self' data:; font-src 'self' data:; connect-src 'self' ws: wss: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** A page of two megabytes. */
const graphiqlCost = 1_000;

async function addGraphiQL(app: FastifyInstance, charge: (request: FastifyRequest) => Standing | null): Promise<void> {
  const page = await findGraphiQL();
  app.get("/graphiql", async (request, reply) => {
    const standing = charge(request);
    if (standing !== null && standing.retryAfterMs > 0)
      return reply
        .code(429)
        .headers(named(limitHeaders(standing)))
        .send({ errors: [{ message: limitRefusal(standing).message, extensions: { code: "RATE_LIMITED" } }] });
    if (page === null)
      return reply.code(503).send({ errors: [{ message: "GraphiQL was not built: run npm run build" }] });
    const compressed = /\bgzip\b/.test(request.headers["accept-encoding"] ?? "");
    if (compressed) reply.header("content-encoding", "gzip");
    return reply
      .type("text/html; charset=utf-8")
      .headers({
        "content-security-policy": graphiqlPolicy,
        "cache-control": "public, max-age=3600",
        vary: "accept-encoding",
      })
      .send(await readFile(compressed ? new URL(`${page.href}.gz`) : page));
  });
}

/** Null where the build has not made it. */
async function findGraphiQL(): Promise<URL | null> {
  const page = new URL("dist/graphiql.html", programFolder);
  return access(page).then(
    () => page,
    () => null,
  );
}
