import { connect, type NatsConnection, type Subscription } from "@nats-io/transport-node";
import { errorMessage } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import { rest } from "../core/rest.js";
import type { Bus } from "./bus.js";
import type { DurableBus, DurableOptions } from "./durable.js";
import { JetStreamBus } from "./jetstream.js";

const reconnectWaitMs = 500;
const reconnectJitterMs = 500;
/** A broker that takes our bytes and says nothing is lost after two unanswered pings. */
const pingIntervalMs = 5_000;

interface Listening {
  readonly subject: string;
  readonly onText: (text: string) => void;
  subscription?: Subscription;
}

/**
 * Joins the NATS server at `url`, now or whenever it comes: nothing waits for it, and while it is away the node goes on
 * with what it has.
 */
export function joinNats(url: string, log: Logger): Bus {
  return new NatsBus(url, log);
}

class NatsBus implements Bus {
  readonly #listening = new Set<Listening>();
  readonly #connectionListeners = new Set<(isConnected: boolean) => void>();
  readonly #joining: Promise<void>;
  #connection: NatsConnection | undefined;
  #jetStream: JetStreamBus | undefined;
  #isConnected = false;
  readonly #closing = new AbortController();

  constructor(
    private readonly url: string,
    private readonly log: Logger,
  ) {
    this.#joining = this.#join();
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  publish(subject: string, text: string): void {
    // The library would keep what is published while the server is away, without a bound.
    if (this.#isConnected) this.#connection?.publish(subject, text);
  }

  subscribe(subject: string, onText: (text: string) => void): () => void {
    const listening: Listening = { subject, onText };
    this.#listening.add(listening);
    if (this.#connection !== undefined) this.#listen(this.#connection, listening);
    return () => {
      this.#listening.delete(listening);
      listening.subscription?.unsubscribe();
    };
  }

  onConnection(listener: (isConnected: boolean) => void): () => void {
    this.#connectionListeners.add(listener);
    return () => this.#connectionListeners.delete(listener);
  }

  durable(options: DurableOptions): DurableBus {
    this.#jetStream = new JetStreamBus(options, this.log);
    if (this.#connection !== undefined && this.#isConnected) this.#jetStream.connected(this.#connection);
    return this.#jetStream;
  }

  async close(): Promise<void> {
    await this.#jetStream?.close();
    this.#closing.abort();
    this.#connectionListeners.clear();
    // What was published last, e.g. that prices are stale now, still leaves.
    if (this.#isConnected) await this.#connection?.flush().catch(() => {});
    await this.#connection?.close();
    await this.#joining;
  }

  /** The first connection is tried here, later ones by the library: it gives up at once when the first fails. */
  async #join(): Promise<void> {
    let attempts = 0;
    while (!this.#closing.signal.aborted) {
      try {
        this.#connection = await connect({
          servers: this.url,
          name: "tradegraph",
          maxReconnectAttempts: -1,
          reconnectTimeWait: reconnectWaitMs,
          reconnectJitter: reconnectJitterMs,
          pingInterval: pingIntervalMs,
          ignoreAuthErrorAbort: true,
          noAsyncTraces: true,
        });
        break;
      } catch (error) {
        if (attempts++ === 0) this.log.warn({ error: errorMessage(error) }, "bus.unreachable");
        await rest(reconnectWaitMs + Math.random() * reconnectJitterMs, this.#closing.signal);
      }
    }
    const connection = this.#connection;
    if (connection === undefined) return;
    if (this.#closing.signal.aborted) return connection.close();
    for (const listening of this.#listening) this.#listen(connection, listening);
    this.#becomes(true);
    void this.#follow(connection);
  }

  async #follow(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === "disconnect") this.#becomes(false);
      else if (status.type === "reconnect") this.#becomes(true);
      else if (status.type === "error") this.log.error({ error: errorMessage(status.error) }, "bus.error");
    }
  }

  #becomes(isConnected: boolean): void {
    if (this.#closing.signal.aborted || this.#isConnected === isConnected) return;
    this.#isConnected = isConnected;
    if (isConnected) this.log.info({}, "bus.connected");
    else this.log.warn({}, "bus.lost");
    if (isConnected && this.#connection !== undefined) this.#jetStream?.connected(this.#connection);
    else this.#jetStream?.lost();
    for (const listener of this.#connectionListeners) listener(isConnected);
  }

  #listen(connection: NatsConnection, listening: Listening): void {
    listening.subscription = connection.subscribe(listening.subject, {
      callback: (error, message) => {
        if (error === null) listening.onText(message.string());
        else this.log.error({ error: errorMessage(error), subject: listening.subject }, "bus.subscription-failed");
      },
    });
  }
}
