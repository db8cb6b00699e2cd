import type { Logger } from "../../core/logger.js";
import { backoffDelayMs } from "../../core/time.js";
import type { AttemptWindow } from "../attempt-window.js";
import type { Decoded } from "./protocol.js";
import { Session, type SessionContext, type SessionEnd, type SessionListener } from "./session.js";

export type ShardState = "CONNECTING" | "CONNECTED" | "RECONNECTING" | "STALE";

export interface ShardContext extends SessionContext {
  /** Tried in turn: the next one after a session that brought nothing. */
  readonly urls: readonly [string, ...string[]];
  readonly retryDelayMs: number;
  readonly attempts: AttemptWindow;
  readonly random: () => number;
  readonly log: Logger;
  onFrame(): void;
  onDecoded(decoded: Decoded, session: Session): void;
  onRejected(what: string): void;
  onSubscribed(tickers: readonly string[]): void;
  /** The connection is gone, and no other one carries them now. It is told after the state. */
  onLost(tickers: readonly string[], session: Session): void;
  onReconnect(): void;
  /** State or detail may have changed. */
  onState(): void;
  onSession(session: Session): void;
}

/**
 * Keeps one connection's worth of symbols flowing: reconnects with backoff when the session is lost, and replaces a
 * session that is about to expire by a second one that takes over once it delivers.
 */
export class Shard implements SessionListener {
  readonly #context: ShardContext;
  #tickers: readonly string[];
  #current: Session | null = null;
  /** Takes over from `#current`; exists only while the two overlap. */
  #replacement: Session | null = null;
  /** Of the next connection attempt, for whichever of the two is missing. */
  #retryTimer: NodeJS.Timeout | undefined;
  #overlapTimer: NodeJS.Timeout | undefined;
  /** Attempts since a session last delivered anything. */
  #failures = 0;
  #urlIndex = 0;
  #closed = false;
  state: ShardState = "CONNECTING";
  #detail: string | null = null;

  constructor(tickers: readonly string[], context: ShardContext) {
    this.#context = context;
    this.#tickers = tickers;
  }

  start(): void {
    this.#open();
  }

  get tickers(): readonly string[] {
    return this.#tickers;
  }

  get detail(): string | null {
    return this.#detail ?? this.#current?.refusal ?? null;
  }

  want(tickers: readonly string[]): void {
    this.#tickers = tickers;
    this.#current?.want(tickers);
    this.#replacement?.want(tickers);
  }

  /** Whether the exchange has confirmed the symbol on the connection that counts. */
  confirms(ticker: string): boolean {
    return this.#current?.confirms(ticker) === true;
  }

  /** See {@link Session.renewBook}. */
  renewBook(ticker: string): boolean {
    return this.#current?.renewBook(ticker) === true;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#overlapTimer);
    this.#current?.close();
    this.#replacement?.close();
  }

  /** Opens what is missing: the current session, or beside it its replacement. */
  #open(): void {
    const waitMs = this.#context.attempts.take();
    if (waitMs > 0) {
      this.#retryTimer = setTimeout(() => this.#open(), waitMs);
      if (this.#current === null) this.#become(this.state, "waiting: too many connection attempts");
      return;
    }
    this.#retryTimer = undefined;
    const { urls } = this.#context;
    const url = urls[this.#urlIndex % urls.length] ?? urls[0];
    const session = new Session(url, this.#tickers, this.#context, this);
    this.#context.onSession(session);
    if (this.#current !== null) {
      this.#replacement = session;
    } else {
      this.#current = session;
      if (this.state === "STALE") this.#become("RECONNECTING", this.#detail);
    }
  }

  #openLater(attempt: number): void {
    if (this.#retryTimer !== undefined) return;
    const { retryDelayMs, tuning, random } = this.#context;
    const delayMs = backoffDelayMs(attempt, retryDelayMs, tuning.maxRetryDelayMs, random);
    this.#context.log.debug({ attempt, delayMs }, "feed.retry-scheduled");
    this.#retryTimer = setTimeout(() => {
      if (this.#current === null) this.#context.onReconnect();
      this.#open();
    }, delayMs);
  }

  #become(state: ShardState, detail: string | null): void {
    this.state = state;
    this.#detail = detail;
    this.#context.onState();
  }

  onFrame(): void {
    this.#context.onFrame();
  }

  onSubscribed(tickers: readonly string[]): void {
    this.#context.onSubscribed(tickers);
  }

  onDecoded(decoded: Decoded, session: Session): void {
    this.#context.onDecoded(decoded, session);
  }

  onBinary(): void {
    this.#context.onRejected("binary-frame");
  }

  onSubscriptions(session: Session): void {
    if (session === this.#current) {
      if (session.subscribed) this.#become("CONNECTED", null);
      else this.#context.onState();
    } else {
      this.#takeOverSoon();
    }
  }

  onDelivering(session: Session): void {
    this.#failures = 0;
    if (session === this.#replacement) this.#takeOverSoon();
  }

  onExpiring(session: Session, why: "age" | "shutdown"): void {
    if (session !== this.#current || this.#replacement !== null) return;
    this.#context.log.info({ why }, "feed.replacing-connection");
    // A shutdown may be announced on every new connection; the pause keeps that from becoming a tight loop.
    if (why === "shutdown") this.#openLater(0);
    else if (this.#retryTimer === undefined) this.#open();
  }

  onEnd(end: SessionEnd, session: Session): void {
    if (end.reason === "oversized-frame" || end.reason === "protocol-error") this.#context.onRejected(end.reason);
    this.#context.log.warn({ reason: end.reason, detail: end.detail }, "feed.connection-lost");
    clearTimeout(this.#overlapTimer);
    this.#overlapTimer = undefined;
    if (!session.delivering) this.#urlIndex++;
    if (session === this.#replacement) {
      this.#replacement = null;
      this.#openLater(this.#failures++);
    } else {
      this.#current = this.#replacement;
      this.#replacement = null;
      if (this.#current?.subscribed) {
        this.#become("CONNECTED", null);
        return;
      }
      if (this.#current === null) this.#openLater(this.#failures++);
      this.#become(end.reason === "silent" ? "STALE" : "RECONNECTING", end.detail);
      // Whoever was told may have closed us.
      if (this.#closed) return;
      this.#context.onLost(this.#tickers, session);
      // What the replacement has got already it does not get again.
      this.#context.onSubscribed(this.#tickers.filter((ticker) => this.confirms(ticker)));
    }
  }

  /** Nothing is lost: the old session goes only after the new one has everything subscribed, delivers, and a little later. */
  #takeOverSoon(): void {
    const { subscribed, delivering } = this.#replacement ?? { subscribed: false, delivering: false };
    if (!subscribed || !delivering || this.#overlapTimer !== undefined) return;
    this.#overlapTimer = setTimeout(() => {
      this.#overlapTimer = undefined;
      if (this.#closed || this.#replacement === null) return;
      this.#current?.close();
      this.#current = this.#replacement;
      this.#replacement = null;
      this.#become("CONNECTED", null);
    }, this.#context.tuning.overlapMs);
  }
}
