import type { IncomingMessage, ServerResponse } from "node:http";
import { refusalOf } from "../binance/exchange.js";
import type { Faults } from "../client.js";
import { json, type RestAnswer } from "../face.js";
import type { RequestFault, RequestFaults } from "./faults.js";

/** Who does private requests. */
export interface PrivateDesk {
  readonly faults: RequestFaults;
  answer(method: string, path: string, apiKey: string | undefined, payload: string): RestAnswer;
}

const maxBodyBytes = 16 * 1024;

/** Answers a private request over HTTP, or fails as a test has asked for. */
export async function serveTrading(
  desk: PrivateDesk,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
  { refusing, limiting }: Readonly<Faults>,
): Promise<void> {
  const body = await readBody(request);
  if (body === null) {
    request.destroy();
    return;
  }
  if (refusing) {
    send(response, refusalOf(503));
    return;
  }
  if (limiting !== null) {
    send(response, refusalOf(limiting.status), limiting.retryAfterSeconds);
    return;
  }
  const { method = "GET" } = request;
  const path = url.pathname;
  const payload = url.search.slice(1) + body;
  const apiKey = request.headers["x-mbx-apikey"];
  const act = (): RestAnswer => desk.answer(method, path, typeof apiKey === "string" ? apiKey : undefined, payload);
  const fault = desk.faults.take(method, path);
  if (fault === null) send(response, act());
  else fail(fault, desk, act, request, response);
}

function fail(
  fault: RequestFault,
  desk: PrivateDesk,
  act: () => RestAnswer,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  switch (fault.kind) {
    // The request itself is read already: destroying it would leave its connection open.
    case "lostRequest":
      request.socket.destroy();
      return;
    case "lostAnswer":
      act();
      request.socket.destroy();
      return;
    case "silence":
      if (fault.isDone) act();
      return;
    case "delayed":
      desk.faults.delay(() => void act());
      return;
    case "doubled":
      act();
      send(response, act());
      return;
    case "unknownStatus":
      act();
      send(response, unknownStatus());
      return;
    case "limited": {
      const { status, retryAfterSeconds } = fault;
      send(response, refusalOf(status), retryAfterSeconds);
      return;
    }
    case "garbled":
      if (fault.isDone) act();
      send(response, { status: 200, body: "<html>Bad gateway</html>" });
      return;
    default:
      fault satisfies never;
  }
}

const unknownStatus = (): RestAnswer =>
  json(503, {
    code: -1007,
    msg: "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
  });

function send(response: ServerResponse, { status, body }: RestAnswer, retryAfterSeconds?: number): void {
  response
    .writeHead(status, {
      "content-type": "application/json;charset=UTF-8",
      ...(retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) }),
    })
    .end(body);
}

/** Null when it is too long, or the client has gone. */
async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBodyBytes) return null;
      chunks.push(chunk);
    }
  } catch {
    return null;
  }
  return Buffer.concat(chunks).toString();
}
