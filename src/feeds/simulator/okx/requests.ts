import type { AnswerContext, Outcome, Subscriptions } from "../face.js";

interface Request {
  readonly id?: unknown;
  readonly op?: unknown;
  readonly args?: unknown;
}

/** How a channel of an instrument is called among our streams. */
export const streamName = (channel: string, instId: string): string => `${channel}:${instId}`;

const connId = "a4d3ae55";
/** The exchange reads no more than this of a message. */
const maxRequestBytes = 64 * 1024;

/**
 * The exchange's answers to a message: "pong" to "ping"; one for each argument of `{"id":"1","op":"subscribe","args":[…]}`:
 * `{"id":"1","event":"subscribe","arg":{"channel":"trades","instId":"BTC-USDT"},"connId":"a4d3ae55"}` or
 * `{"id":"1","event":"error","code":"60018","msg":"Wrong URL or channel:trades,instId:X-USDT doesn't exist. …","connId":"a4d3ae55"}`
 * @see https://www.okx.com/docs-v5/en/#overview-websocket-subscribe
 */
export function answer(text: string, _current: Subscriptions, context: AnswerContext): Outcome {
  if (text === "ping") return { replies: ["pong"], change: null };
  if (Buffer.byteLength(text) > maxRequestBytes) return failure("60022", "Bulk request is too large");
  let request: Request | null;
  try {
    request = JSON.parse(text) as Request | null;
  } catch {
    return failure("60012", `Invalid request: ${text.slice(0, 200)}`);
  }
  const { id, op, args } = typeof request === "object" && request !== null ? request : {};
  if (id !== undefined && (typeof id !== "string" || !/^[A-Za-z0-9]{1,32}$/.test(id)))
    return failure("60026", "Illegal id");
  if ((op !== "subscribe" && op !== "unsubscribe") || !Array.isArray(args) || args.length === 0) {
    return failure("60012", `Invalid request: ${text.slice(0, 200)}`, id);
  }
  const refused = context.refuseSubscription && op === "subscribe";
  const replies: string[] = [];
  const streams: string[] = [];
  for (const arg of args as unknown[]) {
    const { channel, instId } = (typeof arg === "object" && arg !== null ? arg : {}) as Record<string, unknown>;
    const name = streamName(String(channel), String(instId));
    if (refused || !context.isKnown(name)) {
      const msg = `Wrong URL or channel:${String(channel)},instId:${String(instId)} doesn't exist. Please use the correct URL, channel and parameters referring to API document.`;
      replies.push(JSON.stringify({ id, event: "error", code: "60018", msg, connId }));
    } else {
      streams.push(name);
      replies.push(JSON.stringify({ id, event: op, arg: { channel, instId }, connId }));
    }
  }
  return { replies, change: streams.length === 0 ? null : { kind: op, streams }, refused };
}

const failure = (code: string, msg: string, id?: string): Outcome => ({
  replies: [JSON.stringify({ id, event: "error", code, msg, connId })],
  change: null,
});
