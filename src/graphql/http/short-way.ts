import type { IncomingMessage, ServerResponse } from "node:http";
import { GraphQLError, OperationTypeNode } from "graphql";
import type { Span, Tracer } from "../../core/tracer.js";
import type { ApiContext } from "../context.js";
import type { OperationExecutor } from "../execute-operation.js";
import type { OperationOutcome, OperationWatch } from "../operation-watch.js";
import type { Operation, OperationPreparer, OperationRequest } from "../prepare.js";
import type { AnswerSource } from "../shared.js";
import { Answer, type PublicAnswers } from "./answers.js";
import { encodingFor, type MediaType, mediaTypeFor } from "./encoding.js";
import { isPlainGet, isPlainPost, readBody, readSearch } from "./requests.js";

export interface ShortWayOptions {
  readonly path: string;
  readonly preparer: OperationPreparer;
  readonly executor: OperationExecutor;
  readonly answers: PublicAnswers;
  /** @throws {DomainError} UNAUTHENTICATED, also by the promise */
  readonly contextOf: (authorization: string | null) => ApiContext | Promise<ApiContext>;
  readonly maxBodyBytes: number;
  readonly watch: OperationWatch;
  readonly tracer: Tracer;
}

/** Sends a request on to the web framework, with Apollo behind it. */
type FullWay = (request: IncomingMessage, response: ServerResponse) => void;

/** On every answer of the program; what the framework sends has them too. */
export const securityHeaders = { "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" } as const;
/** On every answer of this path, unless it is known to be for all. */
export const privateHeaders = { "cache-control": "private, no-store", vary: "accept, accept-encoding" } as const;
const fixedHeaders = [...Object.entries(securityHeaders).flat(), "vary", privateHeaders.vary];

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
  readonly #getPrefix: string;
  #isOpen = true;

  constructor(private readonly options: ShortWayOptions) {
    this.#getPrefix = `${options.path}?`;
  }

  /** From now on the framework refuses all requests in its way. */
  close(): void {
    this.#isOpen = false;
  }

  /** The body of a request that cannot be read from it any more. */
  bodyOf(request: IncomingMessage): Buffer | undefined {
    return this.#bodies.get(request);
  }

  handle(request: IncomingMessage, response: ServerResponse, fullWay: FullWay): void {
    const { method, headers, url = "" } = request;
    const isPost = method === "POST" && url === this.options.path && isPlainPost(headers, this.options.maxBodyBytes);
    const isPlain = isPost || (method === "GET" && url.startsWith(this.#getPrefix) && isPlainGet(headers));
    const mediaType = this.#isOpen && isPlain ? mediaTypeFor(headers.accept) : null;
    const goFullWay = () => fullWay(request, response);
    if (mediaType === null) {
      goFullWay();
      return;
    }
    const goOn = (context: ApiContext | null) => {
      if (context === null) goFullWay();
      else this.#read({ request, response, mediaType, context, goFullWay });
    };
    const context = this.#contextOf(headers.authorization);
    if (context instanceof Promise) void context.then(goOn);
    else goOn(context);
  }

  #read(exchange: Exchange): void {
    const { request, goFullWay } = exchange;
    const { url = "" } = request;
    if (isGet(exchange)) {
      this.#answer(exchange, readSearch(url.slice(this.#getPrefix.length)));
    } else {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const body = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
        const goOn = () => {
          this.#bodies.set(request, body);
          goFullWay();
        };
        this.#answer({ ...exchange, goFullWay: goOn }, readBody(body));
      });
    }
  }

  /** Null for a credential that is not valid, or cannot be checked: the full way says which. */
  #contextOf(authorization: string | undefined): ApiContext | null | Promise<ApiContext | null> {
    try {
      const context = this.options.contextOf(authorization ?? null);
      return context instanceof Promise ? context.catch(() => null) : context;
    } catch {
      return null;
    }
  }

  #answer(exchange: Exchange, asked: OperationRequest | null): void {
    const prepared = asked && this.#prepare(asked);
    if (asked === null || prepared === null) exchange.goFullWay();
    else if (!("definition" in prepared)) this.#refuse(exchange, prepared);
    else if (mayRun(prepared, exchange)) this.#traced(exchange, (traced) => this.#run(traced, prepared, asked));
    else exchange.goFullWay();
  }

  #traced(exchange: Exchange, work: (traced: Exchange) => void): void {
    const { tracer, path } = this.options;
    const { method = "" } = exchange.request;
    const span = tracer.start(`${method} ${path}`, "server", { "http.request.method": method, "url.path": path });
    tracer.within(span, () => work({ ...exchange, span }));
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
      exchange.goFullWay();
      return;
    }
    this.#traced(exchange, (traced) => {
      this.options.watch.refused();
      const text = toText({ errors: this.options.preparer.formatErrors(errors) });
      this.#send(traced, statusOfRefusal(code), new Answer(text), null);
    });
  }

  #run(exchange: Exchange, operation: Operation, asked: OperationRequest): void {
    const kept = this.options.answers.find(operation, asked);
    if (kept === undefined) void this.#execute(exchange, operation, asked);
    else {
      this.#ended(operation, "ok", 0);
      this.#send(exchange, 200, kept, operation);
    }
  }

  async #execute(exchange: Exchange, operation: Operation, asked: OperationRequest): Promise<void> {
    const { preparer, executor, answers } = this.options;
    const stamp = answers.stampOf(operation);
    const startMs = performance.now();
    try {
      const started = executor.execute(operation, preparer.executionArgs(operation, asked, exchange.context));
      // What is there at once is sent in the same turn of the event loop.
      const { data, errors } = started instanceof Promise ? await started : started;
      // Nothing was executed, because a variable is wrong.
      if (data === undefined) {
        exchange.span?.end(null);
        exchange.goFullWay();
        return;
      }
      this.#ended(operation, errors === undefined ? "ok" : "error", performance.now() - startMs);
      const answer = new Answer(toText({ errors: errors && preparer.formatErrors(errors), data }));
      if (stamp !== null && errors === undefined) answers.keep(operation, asked, stamp, answer);
      this.#send(exchange, 200, answer, errors === undefined ? operation : null);
    } catch (error) {
      this.#ended(operation, "error", performance.now() - startMs);
      const errors = preparer.formatErrors([new GraphQLError("", { originalError: error as Error })]);
      this.#send(exchange, 500, new Answer(toText({ errors })), null);
    }
  }

  #ended({ definition: { name, operation } }: Operation, outcome: OperationOutcome, ms: number): void {
    this.options.watch.ended(name?.value, operation, outcome, ms);
  }

  /** @param operation whose answer it is, when it is one without errors */
  #send(exchange: Exchange, status: number, answer: Answer, operation: Operation | null): void {
    const { request, response, mediaType, span } = exchange;
    span?.set({ "http.response.status_code": status });
    span?.end(status >= 500 ? `HTTP ${status}` : null);
    const { "if-none-match": ifNoneMatch, "accept-encoding": acceptEncoding } = request.headers;
    const headers = [...fixedHeaders, "content-type", mediaType];
    const sources = isGet(exchange) && operation !== null ? operation.sources : null;
    headers.push("cache-control", sources === null ? privateHeaders["cache-control"] : publicFor(sources));
    if (sources !== null) headers.push("etag", answer.tag);
    const encoding = encodingFor(acceptEncoding, answer.bytes.length);
    if (sources !== null && isUnchanged(ifNoneMatch, answer.tag)) this.#write(response, 304, headers, null);
    else if (encoding === null) this.#write(response, status, headers, answer.bytes);
    else
      void answer.encoded(encoding).then((encoded) => {
        if (encoded !== null) headers.push("content-encoding", encoding);
        this.#write(response, status, headers, encoded ?? answer.bytes);
      });
  }

  #write(response: ServerResponse, status: number, headers: string[], body: Buffer | null): void {
    // The client has gone.
    if (response.destroyed) return;
    if (!this.#isOpen) headers.push("connection", "close");
    if (body !== null) headers.push("content-length", String(body.length));
    response.writeHead(status, headers);
    response.end(body);
  }
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly mediaType: MediaType;
  readonly context: ApiContext;
  readonly goFullWay: () => void;
  readonly span?: Span;
}

/** Subscriptions have ways of their own, and a GET changes nothing. */
function mayRun({ definition: { operation } }: Operation, exchange: Exchange): boolean {
  return operation === OperationTypeNode.QUERY || (operation === OperationTypeNode.MUTATION && !isGet(exchange));
}

/** Apollo's clients take a hash that is not known for the question to send the text, and for no failure. */
export const statusOfRefusal = (code: unknown): number => (code === "PERSISTED_QUERY_NOT_FOUND" ? 200 : 400);

const isGet = ({ request }: Exchange): boolean => request.method === "GET";

/** As Apollo writes it. */
const toText = (result: object): string => `${JSON.stringify(result)}\n`;

function publicFor(sources: readonly AnswerSource[]): string {
  if (sources.length === 0) return `public, max-age=${introspectionMaxAgeSeconds}`;
  if (sources.every((source) => source === "catalogue")) return `public, max-age=${catalogueMaxAgeSeconds}`;
  return "public, max-age=0, must-revalidate";
}

const isUnchanged = (ifNoneMatch: string | undefined, tag: string): boolean =>
  ifNoneMatch?.split(",").some((candidate) => ["*", tag].includes(candidate.trim())) ?? false;
