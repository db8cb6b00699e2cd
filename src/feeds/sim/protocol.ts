/** Names of streams that one connection may hold, as on the real exchange. */
export const maxStreamsPerConnection = 1_024;

const methods = ["SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY"] as const;
type Method = (typeof methods)[number];

/** What one client has asked for. */
export interface StreamState {
  readonly streams: Set<string>;
  /** Whether frames are wrapped with the name of their stream. */
  combined: boolean;
}

type RequestId = number | string | null;

const failure = (code: number, msg: string, id?: RequestId): string =>
  JSON.stringify({ error: { code, msg }, ...(id === undefined ? {} : { id }) });
const success = (result: unknown, id: RequestId): string => JSON.stringify({ result, id });

/** Answers a client's message, and changes its state; the texts are those of the exchange. */
export function answerRequest(text: string, state: StreamState): string {
  let request: { method?: unknown; params?: unknown; id?: unknown };
  try {
    request = JSON.parse(text) as typeof request;
  } catch {
    return failure(3, "Invalid JSON: expected value at line 1 column 1");
  }
  if (request === null || typeof request !== "object" || Array.isArray(request)) {
    return failure(2, "Invalid request: expected struct Request at line 1 column 1");
  }
  const { method, params = [] } = request;
  const id = requestId(request.id);
  if (id === undefined) return failure(2, "Invalid request: request ID must be an unsigned integer");
  if (method === undefined) return failure(2, "Invalid request: missing field `method` at line 1 column 1", id);
  if (!isMethod(method)) {
    return failure(
      2,
      `Invalid request: unknown variant \`${String(method).slice(0, 50)}\`, expected one of ${methods.map((m) => `\`${m}\``).join(", ")} at line 1 column 1`,
      id,
    );
  }
  if (!Array.isArray(params)) return failure(2, "Invalid request: invalid type: expected a sequence", id);
  switch (method) {
    case "SUBSCRIBE":
    case "UNSUBSCRIBE":
      return changeStreams(method, params, id, state);
    case "LIST_SUBSCRIPTIONS":
      return success([...state.streams], id);
    case "SET_PROPERTY":
      if (params[0] !== "combined") return failure(0, "Unknown property", id);
      if (typeof params[1] !== "boolean") return failure(1, "Invalid value type: expected Boolean", id);
      state.combined = params[1];
      return success(null, id);
    case "GET_PROPERTY":
      return params[0] === "combined" ? success(state.combined, id) : failure(0, "Unknown property", id);
  }
}

function changeStreams(
  method: "SUBSCRIBE" | "UNSUBSCRIBE",
  params: readonly unknown[],
  id: RequestId,
  { streams }: StreamState,
): string {
  if (!params.every((name) => typeof name === "string"))
    return failure(2, "Invalid request: stream name must be a string", id);
  if (method === "UNSUBSCRIBE") {
    for (const name of params) streams.delete(name);
  } else {
    if (new Set([...streams, ...params]).size > maxStreamsPerConnection)
      return failure(2, "Invalid request: too many parameters", id);
    // A symbol that does not exist is accepted, and nothing ever comes of it; the exchange does the same.
    for (const name of params) streams.add(name);
  }
  return success(null, id);
}

const isMethod = (method: unknown): method is Method => (methods as readonly unknown[]).includes(method);

function requestId(id: unknown): RequestId | undefined {
  if (id === null || id === undefined) return null;
  if (typeof id === "number" && Number.isSafeInteger(id) && id >= 0) return id;
  return typeof id === "string" && id.length <= 36 ? id : undefined;
}
