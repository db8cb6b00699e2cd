import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { GraphQLError } from "graphql";
import { handleProtocols, makeServer, type Context as ProtocolContext } from "graphql-ws";
import { type WebSocket, WebSocketServer } from "ws";
import { DomainError, errorMessage } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { ApiContext } from "./context.js";
import type { OperationPreparer } from "./prepare.js";

export interface WebSocketOptions {
  readonly path: string;
  readonly preparer: OperationPreparer;
  /** @throws {DomainError} UNAUTHENTICATED */
  readonly contextOf: (authorization: string | null) => ApiContext;
  /** A client that has not answered a ping by the next one reads nothing, and is closed. */
  readonly keepAliveMs: number;
  readonly maxMessageBytes: number;
  readonly maxConnections: number;
  readonly maxSubscriptionsPerConnection: number;
  readonly log: Logger;
}

/** How long a client may take to initialise. */
const initTimeoutMs = 5_000;
/** A client that is told to go and does not is cut off after this. */
const closeTimeoutMs = 1_000;

interface ConnectionExtra {
  context: ApiContext | null;
}
type Connection = ProtocolContext<Record<string, unknown>, ConnectionExtra>;

/**
 * GraphQL over WebSocket (graphql-transport-ws). A message is sent only when the one before has left for the network, so
 * a slow reader holds one message per subscription in memory and its iterators conflate the rest.
 */
export class WebSocketEndpoint {
  readonly #sockets: WebSocketServer;
  readonly #stopListening: () => void;

  constructor(
    server: Server,
    private readonly options: WebSocketOptions,
  ) {
    this.#sockets = new WebSocketServer({
      noServer: true,
      maxPayload: options.maxMessageBytes,
      perMessageDeflate: false,
      handleProtocols: (protocols) => handleProtocols(protocols),
    });
    const protocol = this.#makeProtocol();
    this.#sockets.on("connection", (socket) => this.#serve(socket, protocol));
    const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => this.#upgrade(request, socket, head);
    server.on("upgrade", onUpgrade);
    this.#stopListening = () => server.off("upgrade", onUpgrade);
  }

  get connections(): number {
    return this.#sockets.clients.size;
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
    const refuse = (status: string) =>
      socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    socket.on("error", () => socket.destroy());
    const [path] = (request.url ?? "").split("?");
    if (path !== this.options.path) refuse("404 Not Found");
    else if (this.connections >= this.options.maxConnections) refuse("503 Service Unavailable");
    else
      this.#sockets.handleUpgrade(request, socket, head, (client) => this.#sockets.emit("connection", client, request));
  }

  #makeProtocol() {
    const { preparer, contextOf, maxSubscriptionsPerConnection } = this.options;
    return makeServer<Record<string, unknown>, ConnectionExtra>({
      connectionInitWaitTimeout: initTimeoutMs,
      onConnect: (connection: Connection) => {
        const authorization = connection.connectionParams?.authorization;
        try {
          connection.extra.context = contextOf(typeof authorization === "string" ? authorization : null);
          return true;
        } catch (error) {
          if (error instanceof DomainError) return false;
          throw error;
        }
      },
      onSubscribe: (connection: Connection, _id, payload) => {
        if (Object.keys(connection.subscriptions).length > maxSubscriptionsPerConnection) {
          const message = `a connection may have at most ${maxSubscriptionsPerConnection} operations at a time`;
          return [
            new GraphQLError(message, { originalError: new DomainError("RATE_LIMITED", message, { retryAfterMs: 0 }) }),
          ];
        }
        return preparer.prepare(payload, connection.extra.context);
      },
      onNext: (_connection, _id, _payload, _args, result) =>
        result.errors === undefined ? undefined : { ...result, errors: preparer.formatErrors(result.errors) },
      onError: (_connection, _id, _payload, errors) => preparer.formatErrors(errors as readonly GraphQLError[]),
    });
  }

  #serve(socket: WebSocket, protocol: ReturnType<typeof makeServer<Record<string, unknown>, ConnectionExtra>>): void {
    const { log } = this.options;
    // Protocol faults of the client (a frame too large, broken framing); the library closes the socket with the right code.
    socket.on("error", (error) => log.debug({ error: errorMessage(error) }, "websocket.client-fault"));

    let awaitingPong = false;
    const pings = setInterval(() => {
      if (awaitingPong) return socket.terminate();
      awaitingPong = true;
      socket.ping();
    }, this.options.keepAliveMs);
    socket.on("pong", () => {
      awaitingPong = false;
    });

    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        send: (data) =>
          new Promise((resolve) => {
            if (socket.readyState !== socket.OPEN) return resolve();
            // A failed write means that the socket is gone, which its close event handles.
            socket.send(data, () => resolve());
          }),
        close: (code, reason) => socket.close(code, reason),
        onMessage: (handle) =>
          socket.on("message", (data: Buffer, isBinary) => {
            if (isBinary) return socket.close(1003, "text messages only");
            handle(data.toString()).catch((error: unknown) => {
              log.error({ err: error }, "websocket.internal-error");
              socket.close(1011, "Internal error");
            });
          }),
      },
      { context: null },
    );
    socket.once("close", (code, reason) => {
      clearInterval(pings);
      void closed(code, String(reason));
    });
  }
}
