import type { IncomingMessage, ServerResponse } from "node:http";
import { GraphQLError, OperationTypeNode } from "graphql";
import type { Span, Tracer } from "../../core/tracer.js";
import type { TrustedProxies } from "../../core/trusted-proxies.js";
import type { AllowedOrigins } from "../allowed-origins.js";
import { type ApiServices, type Ask, type Asker, contextOf } from "../context.js";
import type { OperationExecutor } from "../execute-operation.js";
import type { OperationOutcome, OperationWatch } from "../operation-watch.js";
import type { Operation, OperationPreparer, OperationRequest } from "../prepare.js";
import {
  type Allowance,
  faultCost,
  limitHeaders,
  limitRefusal,
  type RequestLimits,
  retryAfterOf,
  retryAfterSeconds,
  type Standing,
} from "../request-limits.js";
import type { AnswerSource } from "../shared.js";
import { Answer, type PublicAnswers } from "./answers.js";
import { encodingFor, type MediaType, mediaTypeFor } from "./encoding.js";
import { isPlainGet, isPlainPost, KnownBodies, readSearch } from "./requests.js";

export interface ShortWayOptions {
  readonly path: string;
  readonly preparer: OperationPreparer;
  readonly executor: OperationExecutor;
  readonly answers: PublicAnswers;
  readonly services: ApiServices;
  /** @throws {DomainError} UNAUTHENTICATED, also by the promise */
  readonly askerOf: Ask<Asker>;
  readonly limits: RequestLimits;
  readonly proxies: TrustedProxies;
  readonly origins: AllowedOrigins;
  readonly maxBodyBytes: number;
  readonly watch: OperationWatch;
  readonly tracer: Tracer;
}

/** Sends a request on to the web framework, with Apollo behind it. */
type FullWay = (request: IncomingMessage, response: ServerResponse) => void;

/** On every answer of the program; what the framework sends has them too. */
export const securityHeaders = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  // Nothing of an answer runs, loads or is framed, whatever a browser takes it for.
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
} as const;
/** To clients that came by TLS, through a proxy that says so: half a year. */
export const httpsOnly = { "strict-transport-security": "max-age=15552000" } as const;
/** On every answer of this path, unless it is known to be for all. */
export const privateHeaders = (origins: AllowedOrigins) => ({
  "cache-control": "private, no-store",
  vary: origins.varies ? "accept, accept-encoding, origin" : "accept, accept-encoding",
});

/**
 * Reference data may be this old in a cache on the way. What is made of quotes or of the time has to be asked for again,
 * which costs no more than the question when it is the same as before.
 */
const catalogueMaxAgeSeconds = 5;
const introspectionMaxAgeSeconds = 300;

/**
 * Answers ordinary GraphQL requests over HTTP straight from Node's server, because the framework and Apollo's pipeline cost
 * several times what most queries do. Everything about a request that is out of the ordinary, most errors among it, sends it
 * the full way, which gives the same answer to the byte.
 */
export class ShortWay {
  /** What was read of requests that then went the full way. */
  readonly #bodies = new WeakMap<IncomingMessage, Buffer>();
  /** Requests whose cost has been taken, and that then went the full way. */
  readonly #charged = new WeakSet<IncomingMessage>();
  readonly #known = new KnownBodies();
  readonly #getPrefix: string;
  readonly #privateHeaders: ReturnType<typeof privateHeaders>;
  readonly #fixedHeaders: readonly string[];
  #isOpen = true;

  constructor(private readonly options: ShortWayOptions) {
    this.#getPrefix = `${options.path}?`;
    this.#privateHeaders = privateHeaders(options.origins);
    this.#fixedHeaders = [...Object.entries(securityHeaders).flat(), "vary", this.#privateHeaders.vary];
  }

  /** From now on the framework refuses all requests in its way. */
  close(): void {
    this.#isOpen = false;
  }

  /** The body of a request that cannot be read from it any more. */
  bodyOf(request: IncomingMessage): Buffer | undefined {
    return this.#bodies.get(request);
  }

  /** Whether the limits have counted this request already. */
  hasCharged(request: IncomingMessage): boolean {
    return this.#charged.has(request);
  }

  handle(request: IncomingMessage, response: ServerResponse, fullWay: FullWay): void {
    const { method, headers, url = "" } = request;
    const isPost = method === "POST" && url === this.options.path && isPlainPost(headers, this.options.maxBodyBytes);
    const isPlain = isPost || (method === "GET" && url.startsWith(this.#getPrefix) && isPlainGet(headers));
    const mediaType = this.#isOpen && isPlain ? mediaTypeFor(headers.accept) : null;
    if (mediaType === null) {
      fullWay(request, response);
      return;
    }
    const goOn = (asker: Asker | null) => {
      if (asker === null) fullWay(request, response);
      else
        this.#read(new Exchange(request, response, mediaType, asker, this.options.limits.allowanceOf(asker), fullWay));
    };
    const asker = this.#askerOf(request);
    if (asker instanceof Promise) void asker.then(goOn);
    else goOn(asker);
  }

  #read(exchange: Exchange): void {
    const { request } = exchange;
    if (exchange.isGet) {
      this.#answer(exchange, readSearch((request.url ?? "").slice(this.#getPrefix.length)));
      return;
    }
    // Most bodies come in one piece.
    let body: Buffer | undefined;
    request.on("data", (chunk: Buffer) => {
      body = body === undefined ? chunk : Buffer.concat([body, chunk]);
    });
    request.on("end", () => {
      exchange.body = body ?? Buffer.alloc(0);
      this.#answer(exchange, this.#known.read(exchange.body));
    });
  }

  #goFullWay({ request, response, body, fullWay }: Exchange): void {
    if (body !== null) this.#bodies.set(request, body);
    fullWay(request, response);
  }

  /** Null for a credential that is not valid, or cannot be checked: the full way says which. */
  #askerOf(request: IncomingMessage): Asker | null | Promise<Asker | null> {
    const { authorization = null, "user-agent": userAgent = null } = request.headers;
    try {
      const asker = this.options.askerOf(authorization, this.options.proxies.clientOf(request), userAgent);
      return asker instanceof Promise ? asker.catch(() => null) : asker;
    } catch {
      return null;
    }
  }

  #answer(exchange: Exchange, asked: OperationRequest | null): void {
    const exhausted = exchange.allowance.refusal();
    if (exhausted !== null) {
      this.#limit(exchange, exhausted);
      return;
    }
    const prepared = asked && this.#prepare(asked);
    if (asked === null || prepared === null) this.#goFullWay(exchange);
    else if (!("definition" in prepared)) this.#refuse(exchange, prepared);
    else if (mayRun(prepared, exchange)) this.#traced(exchange, () => this.#run(exchange, prepared, asked));
    else this.#goFullWay(exchange);
  }

  #traced(exchange: Exchange, work: () => void): void {
    const { tracer, path } = this.options;
    // Refused after it had begun, it has its span already.
    if (!tracer.isOn || exchange.span !== null) {
      work();
      return;
    }
    const { method = "" } = exchange.request;
    exchange.span = tracer.start(`${method} ${path}`, "server", { "http.request.method": method, "url.path": path });
    tracer.within(exchange.span, work);
  }

  /** It has asked for too much lately. */
  #limit(exchange: Exchange, standing: Standing): void {
    exchange.standing = standing;
    this.#traced(exchange, () => {
      this.options.watch.refused();
      const text = toText({ errors: this.options.preparer.formatErrors([limitRefusal(standing)]) });
      this.#send(exchange, 429, new Answer(text), null);
    });
  }

  #prepare(asked: OperationRequest): ReturnType<OperationPreparer["prepare"]> | null {
    try {
      return this.options.preparer.prepare(asked);
    } catch {
      // Nobody above would catch it. Apollo meets the same fault, and has it logged and masked.
      return null;
    }
  }

  #refuse(exchange: Exchange, errors: readonly GraphQLError[]): void {
    const code = errors[0]?.extensions.code;
    if (code === "OPERATION_RESOLUTION_FAILURE") {
      this.#goFullWay(exchange);
      return;
    }
    exchange.standing = exchange.allowance.charge(faultCost, 0);
    this.#traced(exchange, () => {
      this.options.watch.refused();
      const text = toText({ errors: this.options.preparer.formatErrors(errors) });
      this.#send(exchange, statusOfRefusal(code), new Answer(text), null);
    });
  }

  #run(exchange: Exchange, operation: Operation, asked: OperationRequest): void {
    const kept = this.options.answers.find(operation, asked);
    // What is there already costs nothing but its way to the client.
    const cost = kept === undefined ? operation.costOf(asked.variables ?? {}) : 1;
    const standing = exchange.allowance.charge(cost, operation.mutationCount);
    exchange.standing = standing;
    if (standing !== null && standing.retryAfterMs > 0) this.#limit(exchange, standing);
    else if (kept === undefined) void this.#execute(exchange, operation, asked);
    else {
      this.#ended(operation, "ok", 0);
      this.#send(exchange, 200, kept, operation);
    }
  }

  async #execute(exchange: Exchange, operation: Operation, asked: OperationRequest): Promise<void> {
    const { preparer, executor, answers, services } = this.options;
    const stamp = answers.stampOf(operation);
    const startMs = performance.now();
    try {
      const context = contextOf(services, exchange.client);
      const started = executor.execute(operation, preparer.executionArgs(operation, asked, context));
      // What is there at once is sent in the same turn of the event loop.
      const { data, errors } = started instanceof Promise ? await started : started;
      // Nothing was executed, because a variable is wrong.
      if (data === undefined) {
        exchange.span?.end(null);
        this.#charged.add(exchange.request);
        this.#goFullWay(exchange);
        return;
      }
      this.#ended(operation, errors === undefined ? "ok" : "error", performance.now() - startMs);
      const formatted = errors && preparer.formatErrors(errors);
      const answer = new Answer(toText({ errors: formatted, data }));
      if (stamp !== null && errors === undefined) {
        answers.keep(operation, asked, stamp, answer);
        if (exchange.body !== null) this.#known.keep(exchange.body, asked);
      }
      const retryAfterMs = formatted === undefined ? null : retryAfterOf(data, formatted);
      if (retryAfterMs === null) this.#send(exchange, 200, answer, errors === undefined ? operation : null);
      else this.#send(exchange, 429, answer, null, ["retry-after", retryAfterSeconds(retryAfterMs)]);
    } catch (error) {
      this.#ended(operation, "error", performance.now() - startMs);
      const errors = preparer.formatErrors([new GraphQLError("", { originalError: error as Error })]);
      this.#send(exchange, 500, new Answer(toText({ errors })), null);
    }
  }

  #ended({ definition: { name, operation } }: Operation, outcome: OperationOutcome, ms: number): void {
    this.options.watch.ended(name?.value, operation, outcome, ms);
  }

  /**
   * @param operation whose answer it is, when it is one without errors
   * @param more names and values of headers, in turn
   */
  #send(
    exchange: Exchange,
    status: number,
    answer: Answer,
    operation: Operation | null,
    more: readonly string[] = [],
  ): void {
    const { request, response, mediaType, span } = exchange;
    span?.set({ "http.response.status_code": status });
    span?.end(status >= 500 ? `HTTP ${status}` : null);
    const { "if-none-match": ifNoneMatch, "accept-encoding": acceptEncoding, origin } = request.headers;
    const { origins, proxies } = this.options;
    const headers = this.#fixedHeaders.concat(more);
    headers.push("content-type", mediaType);
    if (origin !== undefined) headers.push(...origins.headersFor(origin));
    if (proxies.isHttps(request)) headers.push(...Object.entries(httpsOnly).flat());
    const sources = exchange.isGet && operation !== null ? operation.sources : null;
    headers.push("cache-control", sources === null ? this.#privateHeaders["cache-control"] : publicFor(sources));
    if (sources !== null) headers.push("etag", answer.tag);
    // What a cache keeps for others does not say how one client stands.
    else if (exchange.standing !== null) headers.push(...limitHeaders(exchange.standing));
    const encoding = encodingFor(acceptEncoding, answer.length);
    if (sources !== null && isUnchanged(ifNoneMatch, answer.tag)) this.#write(response, 304, headers, null);
    else if (encoding === null) this.#write(response, status, headers, answer.body);
    else
      void answer.encoded(encoding).then((encoded) => {
        if (encoded !== null) headers.push("content-encoding", encoding);
        this.#write(response, status, headers, encoded ?? answer.body);
      });
  }

  #write(response: ServerResponse, status: number, headers: string[], body: Buffer | string | null): void {
    // The client has gone.
    if (response.destroyed) return;
    if (!this.#isOpen) headers.push("connection", "close");
    if (body !== null) headers.push("content-length", String(body.length));
    response.writeHead(status, headers);
    response.end(body, "latin1");
  }
}

/** A request on its way to its answer. */
class Exchange {
  readonly isGet: boolean;
  /** Null before it was read, and without one. */
  body: Buffer | null = null;
  /** Null before it was charged, and where there are no limits. */
  standing: Standing | null = null;
  span: Span | null = null;

  constructor(
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    readonly mediaType: MediaType,
    readonly client: Asker,
    readonly allowance: Allowance,
    readonly fullWay: FullWay,
  ) {
    this.isGet = request.method === "GET";
  }
}

/** Subscriptions have ways of their own, and a GET changes nothing. */
function mayRun({ definition: { operation } }: Operation, exchange: Exchange): boolean {
  return operation === OperationTypeNode.QUERY || (operation === OperationTypeNode.MUTATION && !exchange.isGet);
}

/** Apollo's clients take a hash that is not known for the question to send the text, and for no failure. */
export const statusOfRefusal = (code: unknown): number => (code === "PERSISTED_QUERY_NOT_FOUND" ? 200 : 400);

/** As Apollo writes it. */
const toText = (result: object): string => `${JSON.stringify(result)}\n`;

function publicFor(sources: readonly AnswerSource[]): string {
  if (sources.length === 0) return `public, max-age=${introspectionMaxAgeSeconds}`;
  if (sources.every((source) => source === "catalogue")) return `public, max-age=${catalogueMaxAgeSeconds}`;
  return "public, max-age=0, must-revalidate";
}

const isUnchanged = (ifNoneMatch: string | undefined, tag: string): boolean =>
  ifNoneMatch?.split(",").some((candidate) => ["*", tag].includes(candidate.trim())) ?? false;
