import type { WebSocket } from "ws";
import type { Logger } from "../../core/logger.js";
import type { Change, ConnectionLimits, Outcome, Subscriptions } from "./face.js";

export const exchangeLimits: ConnectionLimits = {
  maxStreams: 1024,
  maxMessagesPerSecond: 5,
  pingIntervalMs: 20_000,
  pongTimeoutMs: 60_000,
  maxConnectionAgeMs: 24 * 60 * 60_000,
  maxBufferedBytes: 1024 * 1024,
  slowClientGraceMs: 10_000,
};

/** Misbehaviour that a test has asked for; shared by all clients of a market. */
export interface Faults {
  silent: boolean;
  refusing: boolean;
  /** How many of the next subscriptions are refused. */
  rejectSubscribes: number;
  /** How REST requests are refused, and for how long the client is told to wait. */
  limiting: { readonly status: 418 | 429; readonly retryAfterSeconds: number } | null;
}

export interface ClientOptions {
  readonly combined: boolean;
  readonly route: string;
  readonly limits: ConnectionLimits;
  readonly faults: Readonly<Faults>;
  readonly log: Logger;
  answer(text: string, client: Client): Outcome;
  /** Called after the replies were sent, so that no update comes before them. */
  readonly onChange: (change: Change) => void;
  /** A subscription was refused because {@link Faults.rejectSubscribes} asked for it. */
  readonly onRejected: () => void;
  readonly onClosed: () => void;
}

const closeGraceMs = 1_000;
/** With more than this unread, {@link Client.sendAtReadersPace} waits. */
const drainAboveBytes = 256 * 1024;

/** One client's connection, seen from the exchange: it answers requests, enforces the limits, and owns its timers. */
export class Client implements Subscriptions {
  readonly streams = new Set<string>();
  combined: boolean;
  readonly route: string;
  droppedUpdates = 0;
  readonly #socket: WebSocket;
  readonly #options: ClientOptions;
  readonly #pingTimer: NodeJS.Timeout | undefined;
  readonly #ageTimer: NodeJS.Timeout;
  #pongTimer: NodeJS.Timeout | undefined;
  #slowTimer: NodeJS.Timeout | undefined;
  #closeTimer: NodeJS.Timeout | undefined;
  #pings = 0;
  readonly #unansweredPings = new Set<string>();
  /** When the latest messages came, at most one more than allowed in a second. */
  readonly #messagesAtMs: number[] = [];

  constructor(socket: WebSocket, options: ClientOptions) {
    const { limits } = options;
    this.#socket = socket;
    this.#options = options;
    this.combined = options.combined;
    this.route = options.route;
    if (limits.pingIntervalMs !== null) this.#pingTimer = setInterval(() => this.#ping(), limits.pingIntervalMs);
    this.#ageTimer = setTimeout(() => this.disconnect(1001, "Connection expired"), limits.maxConnectionAgeMs);
    socket.on("message", (data: Buffer) => {
      if (this.#countMessage()) this.#answer(data.toString());
    });
    socket.on("ping", (data) => {
      if (this.#countMessage() && !options.faults.silent) socket.pong(data);
    });
    socket.on("pong", (data) => {
      if (this.#countMessage()) this.#ponged(data.toString());
    });
    // A close event follows every error.
    socket.on("error", (error) => options.log.debug({ err: error }, "simulator.client-error"));
    socket.once("close", () => {
      clearInterval(this.#pingTimer);
      for (const timer of [this.#ageTimer, this.#pongTimer, this.#slowTimer, this.#closeTimer]) clearTimeout(timer);
      options.onClosed();
    });
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** Sends a market update, or drops it when the client does not keep up. */
  sendUpdate(frame: string): void {
    if (!this.#isReceiving()) return;
    if (this.#socket.bufferedAmount > this.#options.limits.maxBufferedBytes) {
      this.droppedUpdates++;
      this.#slowTimer ??= setTimeout(() => {
        this.#slowTimer = undefined;
        if (this.#socket.bufferedAmount > this.#options.limits.maxBufferedBytes) this.#endSlow();
      }, this.#options.limits.slowClientGraceMs);
      return;
    }
    clearTimeout(this.#slowTimer);
    this.#slowTimer = undefined;
    this.#socket.send(frame);
  }

  /**
   * Sends a market update without ever dropping it; settled when the client has read enough that another one may follow,
   * or the connection has ended.
   */
  sendAtReadersPace(frame: string): Promise<void> {
    if (!this.#isReceiving()) return Promise.resolve();
    if (this.#socket.bufferedAmount <= drainAboveBytes) {
      this.#socket.send(frame);
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#endSlow(), this.#options.limits.slowClientGraceMs);
      // Called when the operating system has taken the frame and so everything before it, or when the socket is gone.
      this.#socket.send(frame, () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  disconnect(code: number, reason: string): void {
    if (this.#closeTimer !== undefined) return;
    this.#options.log.info({ code, reason }, "simulator.disconnecting");
    this.#socket.close(code, reason);
    this.#closeTimer = setTimeout(() => this.#socket.terminate(), closeGraceMs);
  }

  terminate(): void {
    this.#socket.terminate();
  }

  #isReceiving(): boolean {
    return this.#socket.readyState === this.#socket.OPEN && !this.#options.faults.silent;
  }

  #answer(text: string): void {
    if (!this.#isReceiving()) return;
    if (this.#socket.bufferedAmount > this.#options.limits.maxBufferedBytes) {
      this.#endSlow();
      return;
    }
    const { replies, change, refused } = this.#options.answer(text, this);
    for (const reply of replies) this.#socket.send(reply);
    if (refused) this.#options.onRejected();
    if (change !== null) this.#options.onChange(change);
  }

  /** False when this message is one too many. */
  #countMessage(): boolean {
    const { maxMessagesPerSecond } = this.#options.limits;
    const nowMs = performance.now();
    this.#messagesAtMs.push(nowMs);
    if (this.#messagesAtMs.length <= maxMessagesPerSecond) return true;
    const earliestMs = this.#messagesAtMs.shift() ?? 0;
    if (nowMs - earliestMs >= 1_000) return true;
    this.disconnect(1008, "Too many requests");
    return false;
  }

  #ping(): void {
    if (!this.#isReceiving()) return;
    const payload = String(++this.#pings);
    this.#unansweredPings.add(payload);
    this.#socket.ping(payload);
    this.#pongTimer ??= setTimeout(() => this.disconnect(1008, "Pong timeout"), this.#options.limits.pongTimeoutMs);
  }

  /** Only a pong that repeats one of our pings counts; others are allowed and change nothing. */
  #ponged(payload: string): void {
    if (!this.#unansweredPings.has(payload)) return;
    this.#unansweredPings.clear();
    clearTimeout(this.#pongTimer);
    this.#pongTimer = undefined;
  }

  /** No close frame: it would wait behind everything that the client does not read. */
  #endSlow(): void {
    this.#options.log.info({ bufferedBytes: this.#socket.bufferedAmount }, "simulator.slow-client");
    this.#socket.terminate();
  }
}
