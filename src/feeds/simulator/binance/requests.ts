import { assertNever } from "../../../core/errors.js";
import type { Change, Subscriptions } from "../face.js";

interface Answer {
  readonly reply: string;
  /** Null when nothing changes, in particular after an error. */
  readonly change: Change | null;
}

const methods = ["SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY"] as const;

/** Id of a request, or undefined when there is none to answer to. */
type RequestId = number | string | null | undefined;

/** A refusal in the exchange's words. */
class RequestError extends Error {
  constructor(
    readonly code: 0 | 1 | 2 | 3 | 4,
    message: string,
  ) {
    super(message);
  }
}

/** The exchange reads no more than this of a message, and then finds that the JSON is not complete. */
export const maxRequestBytes = 4096;

/**
 * The exchange's answer to a client's message: SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS, SET_PROPERTY or GET_PROPERTY.
 * `{"method":"SUBSCRIBE","params":["btcusdt@aggTrade"],"id":1}` gives `{"result":null,"id":1}`
 * @see https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#live-subscribingunsubscribing-to-streams
 */
export function answerRequest(
  text: string,
  current: Pick<Subscriptions, "streams" | "combined">,
  maxStreams: number,
): Answer {
  let id: RequestId;
  try {
    const request = parse(text);
    id = readId(request.id);
    const { result, change } = decide(text, request, current, maxStreams);
    return { reply: JSON.stringify({ result, id }), change };
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    return { reply: refusal(error.code, error.message, id), change: null };
  }
}

/** `{"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":1}`; without the id when it could not be read. */
export const refusal = (code: number, msg: string, id?: RequestId): string =>
  JSON.stringify({ error: { code, msg }, id });

export const invalidStream = "Invalid request: invalid stream";

/** Id of a SUBSCRIBE request, or null when `text` is none. */
export function subscribeId(text: string): { readonly id: RequestId } | null {
  try {
    const request = parse(text);
    return request.method === "SUBSCRIBE" ? { id: readId(request.id) } : null;
  } catch {
    return null;
  }
}

interface Request {
  readonly method?: unknown;
  readonly params?: unknown;
  readonly id?: unknown;
}

function parse(text: string): Request {
  if (Buffer.byteLength(text) > maxRequestBytes) {
    throw new RequestError(3, `Invalid JSON: EOF while parsing a string at line 1 column ${maxRequestBytes}`);
  }
  let request: unknown;
  try {
    request = JSON.parse(text);
  } catch (error) {
    throw new RequestError(3, syntaxProblem(text, (error as Error).message));
  }
  if (typeof request !== "object" || request === null || Array.isArray(request)) {
    throw new RequestError(2, `Invalid request: missing field \`method\` at line 1 column ${text.length}`);
  }
  return request;
}

/** The exchange's words; where V8 does not say the place, it is taken to be the first character. */
function syntaxProblem(text: string, reason: string): string {
  const place = Number(/at position (\d+)/.exec(reason)?.[1] ?? 0);
  const isCut = place === text.length || reason.includes("end of JSON input") || reason.startsWith("Unterminated");
  const position = isCut ? text.length : place;
  const before = text.slice(0, position).split("\n");
  const column = (before.at(-1) ?? "").length + (isCut ? 0 : 1);
  return `Invalid JSON: ${isCut ? "EOF while parsing a value" : "expected value"} at line ${before.length} column ${column}`;
}

/** A whole number, up to 36 letters and digits, or null. */
function readId(id: unknown): number | string | null {
  if (id === null || Number.isSafeInteger(id) || (typeof id === "string" && /^[A-Za-z0-9-]{1,36}$/.test(id))) {
    return id as number | string | null;
  }
  throw new RequestError(2, "Invalid request: request ID must be an unsigned integer");
}

function decide(
  text: string,
  { method: name, params }: Request,
  current: Pick<Subscriptions, "streams" | "combined">,
  maxStreams: number,
): { result: unknown; change: Change | null } {
  if (name === undefined) {
    throw new RequestError(2, `Invalid request: missing field \`method\` at line 1 column ${text.length}`);
  }
  const method = methods.find((known) => known === name);
  switch (method) {
    case "SUBSCRIBE": {
      const streams = readStreams(text, params);
      const total = new Set([...current.streams, ...streams]).size;
      if (total > maxStreams) throw new RequestError(4, "Too many subscriptions");
      return { result: null, change: { kind: "subscribe", streams } };
    }
    case "UNSUBSCRIBE":
      return { result: null, change: { kind: "unsubscribe", streams: readStreams(text, params) } };
    case "LIST_SUBSCRIPTIONS":
      if (params !== undefined && (!Array.isArray(params) || params.length > 0)) throw tooManyParameters();
      return { result: [...current.streams], change: null };
    case "GET_PROPERTY":
      readProperty(params, 1);
      return { result: current.combined, change: null };
    case "SET_PROPERTY": {
      const combined = readProperty(params, 2);
      if (typeof combined !== "boolean") throw new RequestError(1, "Invalid value type: expected Boolean");
      return { result: null, change: { kind: "combined", combined } };
    }
    case undefined: {
      const variants = methods.map((known) => `\`${known}\``).join(", ");
      const column = text.indexOf(JSON.stringify(name)) + JSON.stringify(name).length;
      const wrong = typeof name === "string" ? name : JSON.stringify(name);
      throw new RequestError(
        2,
        `Invalid request: unknown variant \`${wrong}\`, expected one of ${variants} at line 1 column ${column}`,
      );
    }
    default:
      return assertNever(method);
  }
}

/**
 * Names of any symbol and channel are accepted, and nothing is ever sent for unknown ones; the exchange refuses only what
 * does not look like a stream.
 */
function readStreams(text: string, params: unknown): string[] {
  if (params === undefined) {
    throw new RequestError(2, `Invalid request: missing field \`params\` at line 1 column ${text.length}`);
  }
  if (
    !Array.isArray(params) ||
    !params.every((name) => typeof name === "string" && /^[^@\s]*@\S+$|^!\S+$/.test(name))
  ) {
    throw new RequestError(2, invalidStream);
  }
  return params as string[];
}

/** The value that follows the name of the only property there is, "combined". */
function readProperty(params: unknown, count: number): unknown {
  const [name, value] = (Array.isArray(params) ? params : []) as unknown[];
  if (typeof name !== "string") throw new RequestError(2, "Invalid request: property name must be a string");
  if ((params as unknown[]).length > count) throw tooManyParameters();
  if (name !== "combined") throw new RequestError(0, "Unknown property");
  return value;
}

const tooManyParameters = () => new RequestError(2, "Invalid request: too many parameters");
