import type { AnswerContext, Channel, Opening, Outcome, RestAnswer, Subscriptions } from "../face.js";
import type { MarketStep } from "../market.js";
import type { Stream } from "../streams.js";
import { combinedFrame } from "./payloads.js";
import { answerRequest, invalidStream, refusal, subscribeId } from "./requests.js";
import { restError } from "./rest.js";

/** What spot and futures have in common. */

export function answer(text: string, current: Subscriptions, context: AnswerContext): Outcome {
  const refused = context.refuseSubscription ? subscribeId(text) : null;
  if (refused !== null) return { replies: [refusal(2, invalidStream, refused.id)], change: null, refused: true };
  const { reply, change } = answerRequest(text, current, context.maxStreams);
  return { replies: [reply], change };
}

/** `/stream?streams=a/b` and `/stream` for frames with an envelope, `/ws/a`, `/ws/a/b` and `/ws` without; else null. */
export function readEndpoint(pathname: string, query: URLSearchParams, route = ""): Opening | null {
  const path = pathname.replace(/\/$/, "");
  if (path === "/stream") return { combined: true, route, streams: names(query.get("streams") ?? "") };
  if (path === "/ws") return { combined: false, route, streams: [] };
  if (path.startsWith("/ws/")) return { combined: false, route, streams: names(decodePath(path.slice("/ws/".length))) };
  return null;
}

const names = (list: string): string[] => [...new Set(list.split("/").filter((name) => name !== ""))];

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

export function refusalOf(status: 400 | 418 | 429 | 503): RestAnswer {
  switch (status) {
    case 400:
      return restError(400, -1100, "Illegal characters found in a parameter.");
    case 418:
      return restError(418, -1003, "Way too much request weight used; IP banned until 1700000000000.");
    case 429:
      return restError(429, -1003, "Too much request weight used; current limit is 6000 request weight per 1 MINUTE.");
    case 503:
      return restError(503, -1001, "Internal error; unable to process your request.");
  }
}

/** A stream whose frames carry its name for those who want that. @param payload only called when somebody listens */
export const named = <K extends MarketStep["kind"]>(
  stream: Stream,
  kind: K,
  payload: (step: Extract<MarketStep, { kind: K }>) => string,
): Channel => ({
  stream,
  kind,
  publish: (step) => {
    if (!stream.isWatched) return;
    const text = payload(step as Extract<MarketStep, { kind: K }>);
    stream.publish(combinedFrame(stream.name, text), text);
  },
  greet: () => null,
});
