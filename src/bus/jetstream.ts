import {
  AckPolicy,
  type ConsumerMessages,
  type JetStreamClient,
  type JetStreamManager,
  jetstreamManager,
  type StreamConfig,
} from "@nats-io/jetstream";
import { type NatsConnection, NoRespondersError, nanos } from "@nats-io/transport-node";
import { errorMessage } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import { rest } from "../core/rest.js";
import {
  BusAwayError,
  type DurableBus,
  type DurableOptions,
  type DurableState,
  MessageRefusedError,
} from "./durable.js";

const streamName = "TRADEGRAPH_EVENTS";
const streamSubjects = ["ledger.>"];
const dayMs = 24 * 3_600_000;
/** As long as the outbox keeps what it has published. */
const maxAgeMs = 7 * dayMs;
/** The oldest leave first. Whoever needs those reads them from the database. */
const maxBytes = 256 * 1024 * 1024;
/** A message that is published twice within this time is stored once; after that consumers tell it by its number. */
const duplicateWindowMs = 10 * 60_000;
const answerWithinMs = 3_000;
const retryAfterMs = 1_000;
const ackWaitMs = 30_000;

/** JetStream over one connection to NATS, and over each that follows it. */
export class JetStreamBus implements DurableBus {
  #state: DurableState = { kind: "away" };
  #connection: NatsConnection | undefined;
  #client: JetStreamClient | undefined;
  #manager: JetStreamManager | undefined;
  #preparing: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #realignments = 0;
  #isClosed = false;
  readonly #consumers = new Set<Consumer>();

  constructor(
    private readonly options: DurableOptions,
    private readonly log: Logger,
  ) {}

  get state(): DurableState {
    return this.#state;
  }

  get realignments(): number {
    return this.#realignments;
  }

  connected(connection: NatsConnection): void {
    this.#connection = connection;
    this.#prepare();
  }

  lost(): void {
    this.#state = { kind: "away" };
  }

  async publish(subject: string, text: string, id: string): Promise<void> {
    const client = this.#client;
    if (client === undefined || this.#state.kind !== "ready") throw new BusAwayError("JetStream is away");
    if (Buffer.byteLength(text) > (this.#connection?.info?.max_payload ?? Number.POSITIVE_INFINITY))
      throw new MessageRefusedError("larger than the broker takes");
    try {
      await client.publish(subject, text, { msgID: id, timeout: answerWithinMs });
    } catch (error) {
      // The stream or all of JetStream may be gone while the connection stands.
      if (this.#state.kind === "ready") {
        this.#state = { kind: "away" };
        this.#prepare();
      }
      throw new BusAwayError(errorMessage(error));
    }
  }

  consume(purpose: string, onText: (text: string) => Promise<void>): () => Promise<void> {
    const consumer = new Consumer(`tradegraph-${purpose}`, onText, this.log);
    this.#consumers.add(consumer);
    if (this.#state.kind === "ready" && this.#client !== undefined && this.#manager !== undefined)
      consumer.begin(this.#client, this.#manager);
    return async () => {
      this.#consumers.delete(consumer);
      await consumer.close();
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()));
    await this.#preparing;
  }

  #prepare(): void {
    clearTimeout(this.#retry);
    if (this.#isClosed || this.#connection === undefined) return;
    const connection = this.#connection;
    this.#preparing ??= this.#setUp(connection)
      .catch((error: unknown) => {
        if (this.#isClosed) return;
        if (isUnsupported(error)) {
          const reason =
            "the NATS server has no JetStream: events go by the outbox and NOTIFY alone. Start it with --jetstream to keep them on the bus.";
          this.#unsupported(reason);
          return;
        }
        this.log.warn({ error: errorMessage(error) }, "bus.jetstream-away");
        this.#retry = setTimeout(() => this.#prepare(), retryAfterMs);
      })
      .finally(() => {
        this.#preparing = undefined;
      });
  }

  async #setUp(connection: NatsConnection): Promise<void> {
    const manager = await jetstreamManager(connection, { timeout: answerWithinMs });
    const { installationId } = this.options;
    const config: Partial<StreamConfig> & { name: string } = {
      name: streamName,
      subjects: streamSubjects,
      description: `tradegraph installation ${installationId}`,
      max_age: nanos(maxAgeMs),
      max_bytes: maxBytes,
      duplicate_window: nanos(duplicateWindowMs),
    };
    const found = await manager.streams.info(streamName).catch((error: unknown) => {
      if ((error as Error).name !== "StreamNotFoundError") throw error;
      return null;
    });
    if (found === null) await manager.streams.add(config);
    else if (found.config.description !== config.description) {
      this.#unsupported(
        `the stream ${streamName} on this NATS server is of another installation (${found.config.description ?? "unnamed"}): use a NATS account or server for each`,
      );
      return;
    } else await manager.streams.update(streamName, config);
    await this.#realign(manager);
    if (this.#isClosed || connection !== this.#connection) return;
    this.#manager = manager;
    this.#client = manager.jetstream();
    this.#state = { kind: "ready" };
    this.log.info({}, "bus.jetstream-ready");
    for (const consumer of this.#consumers) consumer.begin(this.#client, manager);
  }

  /** Every message was committed here before it was published, unless the database is older now than the bus. */
  async #realign(manager: JetStreamManager): Promise<void> {
    const { state } = await manager.streams.info(streamName);
    if (state.messages === 0) return;
    const last = await manager.streams.getMessage(streamName, { seq: state.last_seq }).catch(() => null);
    if (last === null || (await this.options.isKnown(last.string()))) return;
    this.#realignments++;
    this.log.error(
      { messages: state.messages },
      "bus.ahead-of-database: the bus tells of events that this database does not have, so an older state of it was restored. " +
        "The stream is emptied; clients read what there is from the database.",
    );
    await manager.streams.purge(streamName);
  }

  #unsupported(reason: string): void {
    this.#state = { kind: "unsupported", reason };
    this.log.warn({ reason }, "bus.not-durable");
  }
}

const isUnsupported = (error: unknown): boolean =>
  (error instanceof Error && error.name === "JetStreamNotEnabled") ||
  error instanceof NoRespondersError ||
  (error instanceof Error && error.cause instanceof NoRespondersError) ||
  /jetstream not enabled/i.test(errorMessage(error));

/** One purpose on this process. The library asks again by itself after a reconnect. */
class Consumer {
  #messages: ConsumerMessages | undefined;
  #running: Promise<void> = Promise.resolve();
  readonly #closing = new AbortController();
  #isRunning = false;

  constructor(
    private readonly name: string,
    private readonly onText: (text: string) => Promise<void>,
    private readonly log: Logger,
  ) {}

  begin(client: JetStreamClient, manager: JetStreamManager): void {
    if (this.#isRunning || this.#closing.signal.aborted) return;
    this.#isRunning = true;
    this.#running = this.#run(client, manager).finally(() => {
      this.#isRunning = false;
    });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#messages?.stop();
    await this.#running;
  }

  async #run(client: JetStreamClient, manager: JetStreamManager): Promise<void> {
    while (!this.#closing.signal.aborted) {
      try {
        await manager.consumers.add(streamName, {
          durable_name: this.name,
          ack_policy: AckPolicy.Explicit,
          ack_wait: nanos(ackWaitMs),
          max_ack_pending: 1_000,
        });
        const consumer = await client.consumers.get(streamName, this.name);
        this.#messages = await consumer.consume({ max_messages: 100 });
        if (this.#closing.signal.aborted) this.#messages.stop();
        for await (const message of this.#messages) {
          try {
            await this.onText(message.string());
            message.ack();
          } catch {
            message.nak(retryAfterMs);
          }
        }
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        this.log.warn({ consumer: this.name, error: errorMessage(error) }, "bus.consumer-interrupted");
      }
      await rest(retryAfterMs, this.#closing.signal);
    }
  }
}
