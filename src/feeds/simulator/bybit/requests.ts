import type { AnswerContext, Outcome, Subscriptions } from "../face.js";

interface Request {
  readonly req_id?: unknown;
  readonly op?: unknown;
  readonly args?: unknown;
}

const conn_id = "da7tou12ob6f";

/**
 * The exchange's answer to a message, one for all topics of `{"req_id":"1","op":"subscribe","args":["publicTrade.BTCUSDT"]}`:
 * `{"success":true,"ret_msg":"subscribe","conn_id":"da7tou12ob6f","req_id":"1","op":"subscribe"}`. At a topic that is wrong it
 * stops; those before it are taken: `{"success":false,"ret_msg":"error:handler not found,topic:orderbook.1.X",…}`
 * @see https://bybit-exchange.github.io/docs/v5/ws/connect
 */
export function answer(text: string, current: Subscriptions, context: AnswerContext, maxArguments: number): Outcome {
  let request: Request | null;
  try {
    request = JSON.parse(text) as Request | null;
  } catch {
    return reply(false, "error:request parse error", "", "");
  }
  const { req_id = "", op, args } = typeof request === "object" && request !== null ? request : {};
  if (op === "ping") return reply(true, "pong", req_id, "ping");
  if (op !== "subscribe" && op !== "unsubscribe") return reply(false, "error:op not found", req_id, op);
  if (!Array.isArray(args) || args.length === 0) return reply(false, "error:args is empty", req_id, op);
  if (args.length > maxArguments) return reply(false, `args size >${maxArguments}`, req_id, op);
  const taken: string[] = [];
  for (const topic of args.map(String)) {
    const isRefused = op === "subscribe" && context.refuseSubscription;
    const error =
      isRefused || !context.isKnown(topic)
        ? "handler not found"
        : op === "subscribe" && (current.streams.has(topic) || taken.includes(topic))
          ? "already subscribed"
          : null;
    if (error !== null) {
      const refused = { ...reply(false, `error:${error},topic:${topic}`, req_id, op), refused: isRefused };
      return taken.length === 0 ? refused : { ...refused, change: { kind: op, streams: taken } };
    }
    taken.push(topic);
  }
  return { ...reply(true, op, req_id, op), change: { kind: op, streams: taken } };
}

const reply = (success: boolean, ret_msg: string, req_id: unknown, op: unknown): Outcome => ({
  replies: [JSON.stringify({ success, ret_msg, conn_id, req_id, op })],
  change: null,
});
