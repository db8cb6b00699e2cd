import type { SimulatedAccount } from "../trading/account.js";
import { Refused } from "../trading/order.js";
import { accountOf, checkSignature } from "./signed-requests.js";

export interface UserStreamContext {
  readonly accounts: ReadonlyMap<string, SimulatedAccount>;
  readonly nowMs: number;
  /** @returns the number of the subscription */
  subscribe(account: SimulatedAccount): number;
  unsubscribe(): void;
}

const idFrame = (id: unknown, rest: object): string => JSON.stringify({ id: id ?? null, ...rest });
const rateLimits = [{ rateLimitType: "REQUEST_WEIGHT", interval: "MINUTE", intervalNum: 1, limit: 6000, count: 2 }];

/**
 * The answer to a request of the WebSocket API, as far as it is about the events of an account.
 * @see https://developers.binance.com/docs/binance-spot-api-docs/websocket-api/user-data-stream-requests
 */
export function answerUserStream(text: string, context: UserStreamContext): string {
  const request = parse(text);
  if (request === null) return idFrame(null, refused(new Refused(-1000, "Invalid JSON.")));
  const { id, method, params } = request;
  try {
    return idFrame(id, { status: 200, result: answerTo(method, params, context), rateLimits });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return idFrame(id, { ...refused(error), rateLimits });
  }
}

/** An event as it comes on a subscription. */
export const eventFrame = (subscriptionId: number, event: object): string => JSON.stringify({ subscriptionId, event });

const refused = ({ status, code, message }: Refused): object => ({ status, error: { code, msg: message } });

function answerTo(method: string, params: Readonly<Record<string, unknown>>, context: UserStreamContext): object {
  switch (method) {
    case "ping":
      return {};
    case "time":
      return { serverTime: context.nowMs };
    case "userDataStream.subscribe.signature":
      return { subscriptionId: subscribe(params, context) };
    case "userDataStream.unsubscribe":
      context.unsubscribe();
      return {};
    default:
      throw new Refused(-1020, "This operation is not supported.");
  }
}

function subscribe(params: Readonly<Record<string, unknown>>, context: UserStreamContext): number {
  const parameters = new URLSearchParams(
    Object.entries(params).map(([name, value]): [string, string] => [name, String(value)]),
  );
  const account = accountOf(parameters.get("apiKey"), context.accounts);
  const payload = [...parameters]
    .filter(([name]) => name !== "signature")
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
  checkSignature(account, payload, parameters, context.nowMs);
  return context.subscribe(account);
}

interface Request {
  readonly id: unknown;
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

function parse(text: string): Request | null {
  try {
    const value = JSON.parse(text) as Partial<Request> | null;
    if (typeof value !== "object" || value === null || typeof value.method !== "string") return null;
    const { id, method, params } = value;
    return { id, method, params: typeof params === "object" && params !== null ? params : {} };
  } catch {
    return null;
  }
}
