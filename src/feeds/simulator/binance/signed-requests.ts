import { createHmac, timingSafeEqual } from "node:crypto";
import type { SimulatedAccount } from "../trading/account.js";
import { Refused } from "../trading/order.js";

const defaultRecvWindowMs = 5_000;
const maxRecvWindowMs = 60_000;
/** By this much a client's clock may be ahead. */
const maxAheadMs = 1_000;

/** @throws {Refused} when nobody has this key */
export function accountOf<T extends Pick<SimulatedAccount, "secret">>(
  apiKey: string | null | undefined,
  accounts: ReadonlyMap<string, T>,
): T {
  if (!apiKey) throw new Refused(-2014, "API-key format invalid.", 401);
  const account = accounts.get(apiKey);
  if (account === undefined) throw new Refused(-2015, "Invalid API-key, IP, or permissions for action.", 401);
  return account;
}

/**
 * Whether a request comes from the account's owner, and is not too old to be done.
 * @param payload what was signed, as it was sent
 * @throws {Refused}
 * @see https://developers.binance.com/docs/binance-spot-api-docs/rest-api/request-security
 */
export function checkSignature(
  account: Pick<SimulatedAccount, "secret">,
  payload: string,
  parameters: URLSearchParams,
  nowMs: number,
): void {
  const signature = parameters.get("signature");
  if (!signature) throw mandatory("signature");
  const expected = createHmac("sha256", account.secret).update(payload).digest();
  const given = Buffer.from(signature, "hex");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new Refused(-1022, "Signature for this request is not valid.");
  }
  const timestampMs = readInteger(parameters, "timestamp");
  if (timestampMs === null) throw mandatory("timestamp");
  const recvWindowMs = readInteger(parameters, "recvWindow") ?? defaultRecvWindowMs;
  if (recvWindowMs > maxRecvWindowMs) throw new Refused(-1131, "recvWindow must be less than 60000.");
  if (timestampMs > nowMs + maxAheadMs) {
    throw new Refused(-1021, "Timestamp for this request was 1000ms ahead of the server's time.");
  }
  if (nowMs - timestampMs > recvWindowMs) {
    throw new Refused(-1021, "Timestamp for this request is outside of the recvWindow.");
  }
}

export const mandatory = (name: string): Refused =>
  new Refused(-1102, `Mandatory parameter '${name}' was not sent, was empty/null, or malformed.`);

/** Null when absent. @throws {Refused} */
export function readInteger(parameters: URLSearchParams, name: string): number | null {
  const text = parameters.get(name);
  if (text === null) return null;
  if (!/^\d{1,20}$/.test(text)) {
    throw new Refused(-1100, `Illegal characters found in parameter '${name}'; legal range is '^[0-9]{1,20}$'.`);
  }
  return Number(text);
}
