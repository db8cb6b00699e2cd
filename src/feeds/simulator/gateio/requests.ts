import type { AnswerContext, Outcome, Subscriptions } from "../face.js";

interface Request {
  readonly time?: unknown;
  readonly id?: unknown;
  readonly channel?: unknown;
  readonly event?: unknown;
  readonly payload?: unknown;
}

export type GateMarket = "spot" | "futures";

/** How a channel of a pair is called among our streams. */
export const streamName = (channel: string, pair: string): string => `${channel}:${pair}`;

const bookIntervals: readonly unknown[] = ["20ms", "100ms"];
/** A request with a time that is further off is refused. */
const maxSkewSeconds = 60;

/**
 * The exchange's answer to a message about one channel:
 * `{"time":1700000000,"time_ms":1700000000123,"id":1,"channel":"spot.trades","event":"subscribe","result":{"status":"success"}}` or
 * with `"error":{"code":2,"message":"unknown currency pair X_USDT"},"result":{"status":"fail"}`; to a ping a pong.
 * @see https://www.gate.com/docs/developers/apiv4/ws/en/
 */
export function answer(text: string, market: GateMarket, _current: Subscriptions, context: AnswerContext): Outcome {
  const times = { time: Math.floor(context.nowMs / 1000), time_ms: context.nowMs };
  let request: Request | null;
  try {
    request = JSON.parse(text) as Request | null;
  } catch {
    request = null;
  }
  const { time, id, channel, event, payload } = typeof request === "object" && request !== null ? request : {};
  const reply = (rest: object): string[] => [JSON.stringify({ ...times, id, channel, event, ...rest })];
  const refuse = (code: number, message: string): Outcome => ({
    replies: reply({ error: { code, message }, result: { status: "fail" } }),
    change: null,
  });
  if (channel === `${market}.ping`) {
    return {
      replies: [JSON.stringify({ ...times, channel: `${market}.pong`, event: "", result: null })],
      change: null,
    };
  }
  if (typeof channel !== "string") return refuse(1, "invalid request");
  if (typeof time !== "number" || Math.abs(time - times.time) > maxSkewSeconds) return refuse(1, "invalid time");
  if (event !== "subscribe" && event !== "unsubscribe") return refuse(1, `unknown event ${String(event)}`);
  if (event === "subscribe" && context.refuseSubscription) {
    return { ...refuse(2, `unknown channel ${channel}`), refused: true };
  }
  const list = Array.isArray(payload) ? (payload as unknown[]) : [];
  const isBook = channel === `${market}.order_book_update`;
  // One book at a time, with how often it shall come.
  if (isBook && !bookIntervals.includes(list[1])) return refuse(2, "invalid update interval");
  const pairs = (isBook ? list.slice(0, 1) : list).map(String);
  if (pairs.length === 0) return refuse(2, "invalid payload");
  const unknown = pairs.find((pair) => !context.isKnown(streamName(channel, pair)));
  if (unknown !== undefined) {
    return refuse(2, `unknown ${market === "spot" ? "currency pair" : "contract"} ${unknown}`);
  }
  return {
    replies: reply({ result: { status: "success" } }),
    change: { kind: event, streams: pairs.map((pair) => streamName(channel, pair)) },
  };
}
