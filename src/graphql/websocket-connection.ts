import type { Socket } from "node:net";
import type { GraphQLFormattedError } from "graphql";
import {
  CloseCode,
  GRAPHQL_TRANSPORT_WS_PROTOCOL,
  type Message,
  MessageType,
  parseMessage,
  type SubscribeMessage,
} from "graphql-ws";
import type { WebSocket } from "ws";
import { isDatabaseAway } from "../core/database-away.js";
import { DomainError, errorMessage } from "../core/errors.js";
import type { ApiContext } from "./context.js";
import { idBytes } from "./live/frames.js";
import { Outbox } from "./live/outbox.js";
import { MessageRate } from "./message-rate.js";
import { userOf } from "./request-limits.js";
import type { OperationSink, Running } from "./run-operation.js";
import type { WebSocketOptions } from "./websocket.js";

const policyViolation = 1008;
/** The clients come again after a while. */
const tryAgainLater = 1013;
/** How long a client may take to initialise. */
const initTimeoutMs = 5_000;

/** One client: the rules of graphql-transport-ws, and its operations. */
export class WebSocketConnection {
  readonly #outbox: Outbox;
  readonly #operations = new Map<string, Running | null>();
  readonly #initTimer: NodeJS.Timeout;
  readonly #pings: NodeJS.Timeout;
  readonly #rate: MessageRate;
  #isInitialised = false;
  #context: ApiContext | null = null;
  #isAwaitingPong = false;
  #leaveUser: (() => void) | null = null;
  #forgetAccess: () => void = () => {};

  constructor(
    private readonly client: WebSocket,
    socket: Socket,
    private readonly from: { readonly address: string; readonly userAgent: string | null },
    private readonly options: WebSocketOptions,
  ) {
    const { log, maxMessagesPerSecond, maxSubscriptionsPerConnection } = options;
    // A client that comes back may ask for all its streams at once.
    this.#rate = new MessageRate(maxMessagesPerSecond, maxSubscriptionsPerConnection, performance.now());
    this.#outbox = new Outbox(socket, () => {
      if (client.isPaused) client.resume();
      for (const operation of this.#operations.values()) operation?.onWritable();
    });
    this.#initTimer = setTimeout(
      () => client.close(CloseCode.ConnectionInitialisationTimeout, "Connection initialisation timeout"),
      initTimeoutMs,
    );
    this.#pings = setInterval(() => this.#ping(), options.keepAliveMs);
    // The library answers them, whether the answers are read or not.
    client.on("ping", () => {
      if (this.#rate.take(performance.now()) === null) client.terminate();
    });
    client.on("pong", () => {
      this.#isAwaitingPong = false;
    });
    // Protocol faults of the client (a frame too large, broken framing); the library closes the socket with the right code.
    client.on("error", (error) => log.debug({ error: errorMessage(error) }, "websocket.client-fault"));
    client.on("message", (data: Buffer, isBinary) => this.#onMessage(data, isBinary));
    client.once("close", () => this.#end());
    if (client.protocol !== GRAPHQL_TRANSPORT_WS_PROTOCOL)
      client.close(CloseCode.SubprotocolNotAcceptable, "Subprotocol not acceptable");
  }

  #end(): void {
    clearTimeout(this.#initTimer);
    clearInterval(this.#pings);
    this.#leaveUser?.();
    this.#forgetAccess();
    this.#stopOperations();
  }

  #stopOperations(): void {
    const operations = [...this.#operations.values()];
    this.#operations.clear();
    for (const operation of operations) operation?.stop();
  }

  #ping(): void {
    if (this.#isAwaitingPong) {
      this.client.terminate();
      return;
    }
    this.#isAwaitingPong = true;
    this.client.ping();
  }

  #close(code: number, reason: string): void {
    // After the close frame nothing may follow, however long the client takes to answer it.
    this.#stopOperations();
    this.#outbox.flush();
    this.client.close(code, reason);
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    if (this.client.readyState !== this.client.OPEN) return;
    if (isBinary) {
      this.#close(1003, "text messages only");
      return;
    }
    let message: Message;
    try {
      message = parseMessage(data.toString());
    } catch {
      this.#close(CloseCode.BadRequest, "Invalid message received");
      return;
    }
    // Every answer waits for the network, so who does not read them is not heard either.
    if (!this.#outbox.isWritable) this.client.pause();
    const waitMs = this.#rate.take(performance.now());
    if (waitMs === null) {
      this.#close(policyViolation, "Too many messages");
      return;
    }
    if (waitMs > 0) {
      this.#tooFast(message, waitMs);
      return;
    }
    switch (message.type) {
      case MessageType.ConnectionInit:
        void this.#initialise(message.payload);
        return;
      case MessageType.Ping:
        this.#outbox.send({ type: MessageType.Pong, ...(message.payload ? { payload: message.payload } : {}) });
        return;
      case MessageType.Pong:
        return;
      case MessageType.Subscribe:
        this.#subscribe(message);
        return;
      case MessageType.Complete:
        this.#complete(message.id);
        return;
      default:
        this.#close(CloseCode.BadRequest, `Unexpected message of type ${message.type} received`);
    }
  }

  /** A message that is not heard: what ends something is, all the same. */
  #tooFast(message: Message, retryAfterMs: number): void {
    if (message.type === MessageType.Complete) this.#complete(message.id);
    if (message.type !== MessageType.Subscribe || this.#context === null || this.#operations.has(message.id)) return;
    const text = `a connection may send at most ${this.options.maxMessagesPerSecond} messages a second`;
    this.#error(message.id, [{ message: text, extensions: { code: "RATE_LIMITED", retryAfterMs } }]);
  }

  async #initialise(parameters: Record<string, unknown> | undefined): Promise<void> {
    if (this.#isInitialised) {
      this.#close(CloseCode.TooManyInitialisationRequests, "Too many initialisation requests");
      return;
    }
    this.#isInitialised = true;
    clearTimeout(this.#initTimer);
    const authorization = parameters?.authorization;
    try {
      const context = this.options.contextOf(
        typeof authorization === "string" ? authorization : null,
        this.from.address,
        this.from.userAgent,
      );
      const found = context instanceof Promise ? await context : context;
      // The client may have gone meanwhile.
      if (this.client.readyState !== this.client.OPEN) return;
      this.#context = found;
      this.#forgetAccess = this.options.followAccess(found.viewer, () =>
        this.#close(CloseCode.Forbidden, "Access has ended"),
      );
    } catch (error) {
      if (isDatabaseAway(error)) this.#close(tryAgainLater, "Try again later");
      else if (error instanceof DomainError) this.#refuseCredential(error);
      else {
        this.options.log.error({ err: error }, "websocket.internal-error");
        this.#close(CloseCode.InternalServerError, "Internal error");
      }
      return;
    }
    const { viewer } = this.#context;
    if (viewer !== null) this.#leaveUser = this.options.openByUser.enter(userOf(viewer));
    if (viewer === null || this.#leaveUser !== null) this.#outbox.send({ type: MessageType.ConnectionAck });
    else this.#close(tryAgainLater, "Too many connections of yours");
  }

  #refuseCredential({ code }: DomainError): void {
    if (code === "RATE_LIMITED") {
      this.#close(tryAgainLater, "Too many credentials that are not valid");
      return;
    }
    this.options.limits.badCredentials.take(this.from.address);
    this.#close(CloseCode.Forbidden, "Forbidden");
  }

  #subscribe({ id, payload }: SubscribeMessage): void {
    const { maxSubscriptionsPerConnection, runner } = this.options;
    const context = this.#context;
    if (context === null) {
      this.#close(CloseCode.Unauthorized, "Unauthorized");
    } else if (this.#operations.has(id)) {
      this.#close(CloseCode.SubscriberAlreadyExists, `Subscriber for ${id} already exists`);
    } else if (this.#operations.size >= maxSubscriptionsPerConnection) {
      const message = `a connection may have at most ${maxSubscriptionsPerConnection} operations at a time`;
      this.#error(id, [{ message, extensions: { code: "RATE_LIMITED", retryAfterMs: 0 } }]);
    } else {
      // Its place is taken before it is started: it may end while it starts.
      this.#operations.set(id, null);
      const running = runner.run(payload, context, this.#sink(id));
      if (this.#operations.has(id)) this.#operations.set(id, running);
      else running.stop();
    }
  }

  #complete(id: string): void {
    const operation = this.#operations.get(id);
    this.#operations.delete(id);
    operation?.stop();
  }

  #sink(id: string): OperationSink {
    const bytes = idBytes(id);
    const outbox = this.#outbox;
    const { traffic } = this.options;
    return {
      get isWritable() {
        return outbox.isWritable;
      },
      next: (result) => {
        traffic.messages++;
        outbox.next(result, bytes);
      },
      error: (errors) => {
        if (this.#operations.delete(id)) this.#error(id, errors);
      },
      complete: () => {
        if (this.#operations.delete(id)) outbox.send({ id, type: MessageType.Complete });
      },
    };
  }

  #error(id: string, payload: readonly GraphQLFormattedError[]): void {
    this.#outbox.send({ id, type: MessageType.Error, payload });
  }
}
