import { createHash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Metrics } from "./metrics.js";

export interface MetricsAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const plain = { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" };
const refusal = (status: number, body: string, headers: Readonly<Record<string, string>> = {}): MetricsAnswer => ({
  status,
  headers: { ...plain, ...headers },
  body: `${body}\n`,
});

/**
 * Answers who asks for `/metrics`: with a token who sends it, and without one only who is on this machine, because names of
 * operations and providers are nobody else's business.
 */
export class MetricsEndpoint {
  constructor(
    private readonly metrics: Metrics,
    private readonly token: string | null,
  ) {}

  async answer(request: IncomingMessage): Promise<MetricsAnswer> {
    if (this.token === null) {
      if (!isDirectlyFromHere(request)) return refusal(403, "set METRICS_TOKEN to read this from elsewhere");
    } else if (!isToken(request.headers.authorization, this.token)) {
      return refusal(401, "send METRICS_TOKEN as a bearer token", { "www-authenticate": "Bearer" });
    }
    const body = await this.metrics.text();
    return { status: 200, headers: { ...plain, "content-type": "text/plain; version=0.0.4; charset=utf-8" }, body };
  }
}

/** Not by way of a proxy that happens to run on this machine. */
function isDirectlyFromHere({ headers, socket }: IncomingMessage): boolean {
  const isLoopback = /^(127\.|::1$|::ffff:127\.)/.test(socket.remoteAddress ?? "");
  return isLoopback && headers["x-forwarded-for"] === undefined && headers.forwarded === undefined && !headers.via;
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

function isToken(authorization: string | undefined, token: string): boolean {
  const [, sent] = /^Bearer +(\S+)$/i.exec(authorization ?? "") ?? [];
  // Digests have one length, so that the comparison takes one time whatever was sent.
  return sent !== undefined && timingSafeEqual(digest(sent), digest(token));
}

export interface MetricsServer {
  readonly port: number;
  close(): Promise<void>;
}

/** A port of its own, also for nodes that serve no API. */
export async function listenForMetrics(endpoint: MetricsEndpoint, host: string, port: number): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    const [path] = (request.url ?? "").split("?");
    const answered =
      path === "/metrics" ? endpoint.answer(request) : Promise.resolve(refusal(404, "there is /metrics"));
    answered.then(
      ({ status, headers, body }) => response.writeHead(status, { ...headers }).end(body),
      () => response.writeHead(500).end(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
