import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { handleProtocols } from "graphql-ws";
import { type ServerOptions, WebSocketServer } from "ws";
import type { Logger } from "../core/logger.js";
import type { TrustedProxies } from "../core/trusted-proxies.js";
import type { Viewer } from "../core/viewer.js";
import type { AllowedOrigins } from "./allowed-origins.js";
import type { ApiContext, Ask } from "./context.js";
import { type OpenConnections, retryAfterMs } from "./open-connections.js";
import { type RequestLimits, retryAfterSeconds } from "./request-limits.js";
import type { OperationRunner } from "./run-operation.js";
import { WebSocketConnection } from "./websocket-connection.js";

export interface WebSocketOptions {
  readonly path: string;
  readonly runner: OperationRunner;
  /** @throws {DomainError} UNAUTHENTICATED or RATE_LIMITED, also by the promise */
  readonly contextOf: Ask<ApiContext>;
  readonly followAccess: (viewer: Viewer | null, end: () => void) => () => void;
  /** A client that has not answered a ping by the next one reads nothing, and is closed. */
  readonly keepAliveMs: number;
  readonly maxMessageBytes: number;
  readonly maxConnections: number;
  readonly openByAddress: OpenConnections;
  readonly openByUser: OpenConnections;
  readonly limits: RequestLimits;
  readonly proxies: TrustedProxies;
  readonly origins: AllowedOrigins;
  readonly maxSubscriptionsPerConnection: number;
  readonly maxMessagesPerSecond: number;
  readonly traffic: Traffic;
  readonly log: Logger;
}

/** Messages of operations that were handed to the network. */
export interface Traffic {
  messages: number;
}

/** A client that is told to go and does not is cut off after this. */
const closeTimeoutMs = 1_000;

/** GraphQL over WebSocket (graphql-transport-ws). */
export class WebSocketEndpoint {
  readonly #sockets: WebSocketServer;
  readonly #stopListening: () => void;

  constructor(
    server: Server,
    private readonly options: WebSocketOptions,
  ) {
    // The types do not know yet that a client that was told to go may be given less than half a minute.
    const settings: ServerOptions & { closeTimeout: number } = {
      noServer: true,
      closeTimeout: closeTimeoutMs,
      maxPayload: options.maxMessageBytes,
      perMessageDeflate: false,
      handleProtocols: (protocols) => handleProtocols(protocols),
    };
    this.#sockets = new WebSocketServer(settings);
    const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => this.#upgrade(request, socket, head);
    server.on("upgrade", onUpgrade);
    this.#stopListening = () => server.off("upgrade", onUpgrade);
  }

  get connections(): number {
    return this.#sockets.clients.size;
  }

  /** Bytes that the network has not taken. */
  get waitingBytes(): number {
    let bytes = 0;
    for (const socket of this.#sockets.clients) bytes += socket.bufferedAmount;
    return bytes;
  }

  async close(): Promise<void> {
    this.#stopListening();
    for (const socket of this.#sockets.clients) socket.close(1001, "Going away");
    const cutOff = setTimeout(() => {
      for (const socket of this.#sockets.clients) socket.terminate();
    }, closeTimeoutMs);
    await new Promise<void>((resolve) => this.#sockets.close(() => resolve()));
    clearTimeout(cutOff);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => socket.destroy());
    const address = this.options.proxies.clientOf(request);
    const leave = this.#enter(request, address);
    if (typeof leave === "string") {
      socket.end(`HTTP/1.1 ${leave}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    socket.once("close", leave);
    this.#sockets.handleUpgrade(request, socket, head, (client) => {
      // An HTTP server's sockets are of this kind.
      new WebSocketConnection(
        client,
        socket as Socket,
        { address, userAgent: request.headers["user-agent"] ?? null },
        this.options,
      );
    });
  }

  /** Takes a place. Returns what gives it back, or the head of the refusal. */
  #enter(request: IncomingMessage, address: string): (() => void) | string {
    const { limits, proxies, origins, openByAddress, maxConnections } = this.options;
    const [path] = (request.url ?? "").split("?");
    if (path !== this.options.path) return "404 Not Found";
    if (!origins.admits(request, proxies)) return "403 Forbidden";
    const later = (status: string, ms: number) => `${status}\r\nRetry-After: ${retryAfterSeconds(ms)}`;
    const waitMs = limits.connections.take(address);
    if (waitMs > 0) return later("429 Too Many Requests", waitMs);
    if (this.connections >= maxConnections) return later("503 Service Unavailable", retryAfterMs);
    return openByAddress.enter(address) ?? later("429 Too Many Requests", retryAfterMs);
  }
}
