import type { Clock } from "../../core/time.js";
import { Connection, type ConnectionEnd } from "../connection.js";
import { Pacer } from "../pacer.js";
import type { EventSource } from "../sequence-gate.js";
import { type Answer, type Decoded, decodeFrame, type SpotSymbol } from "./map.js";
import { channels, type SpotTuning } from "./tuning.js";
import type { SubscriptionRequest } from "./wire.js";

/** Why a session ended: as its connection did, or a request was never answered. */
export interface SessionEnd {
  readonly reason: ConnectionEnd["reason"] | "no-answer";
  readonly detail: string;
}

export interface SessionContext {
  readonly timeoutMs: number;
  readonly staleAfterMs: number;
  readonly tuning: SpotTuning;
  readonly clock: Clock;
  /** By the exchange's name; shared by all sessions of the feed. */
  readonly symbols: ReadonlyMap<string, SpotSymbol>;
}

export interface SessionListener {
  /** Every text frame, after the session has used what is meant for it. */
  onDecoded(decoded: Decoded, session: Session): void;
  onBinary(): void;
  /** All wanted symbols are subscribed, or refused for good; or one was just refused. */
  onSubscriptions(session: Session): void;
  /** The first market event on this session. */
  onDelivering(session: Session): void;
  /** The exchange will cut this session soon: it is old, or a shutdown was announced. */
  onExpiring(session: Session, why: "age" | "shutdown"): void;
  onEnd(end: SessionEnd, session: Session): void;
}

interface Request {
  readonly method: SubscriptionRequest["method"];
  readonly tickers: readonly string[];
}

/**
 * One connection and what is subscribed on it. {@link Session.want} says what shall be; at each turn that the pacing
 * allows, the session sends the one request that brings the exchange nearer to it: unsubscribing first, because
 * that keeps the number of streams below the limit, then subscribing in the wanted order.
 */
export class Session implements EventSource {
  readonly #context: SessionContext;
  readonly #listener: SessionListener;
  readonly #connection: Connection;
  readonly #pacer: Pacer;
  readonly #symbolsPerRequest: number;
  #wanted: readonly string[];
  /** What the exchange was asked to send and has not refused. */
  readonly #asked = new Set<string>();
  readonly #refused = new Set<string>();
  /** Parts of a refused request that are tried again by themselves, to find the symbol at fault. */
  #halves: string[][] = [];
  readonly #pending = new Map<number, Request & { timer: NodeJS.Timeout }>();
  #nextId = 1;
  #open = false;
  #ageTimer: NodeJS.Timeout | undefined;
  ended = false;
  /** Everything wanted has been subscribed (or refused) at least once. */
  subscribed = false;
  delivering = false;
  /** The exchange's words for the latest refusal; null when nothing wanted is refused. */
  refusal: string | null = null;

  constructor(url: string, wanted: readonly string[], context: SessionContext, listener: SessionListener) {
    const { tuning } = context;
    this.#context = context;
    this.#listener = listener;
    this.#wanted = wanted;
    this.#symbolsPerRequest = Math.max(1, Math.floor(tuning.maxNamesPerRequest / channels.length));
    this.#pacer = new Pacer(tuning.requestGapMs, () => this.#sendNext());
    this.#connection = new Connection({
      url,
      connectTimeoutMs: context.timeoutMs,
      staleAfterMs: context.staleAfterMs,
      maxFrameBytes: tuning.maxFrameBytes,
      closeGraceMs: tuning.closeGraceMs,
      onOpen: () => {
        this.#open = true;
        this.#ageTimer = setTimeout(() => listener.onExpiring(this, "age"), tuning.maxConnectionAgeMs);
        this.#pacer.wake();
      },
      onText: (text) => this.#receive(text),
      onBinary: () => listener.onBinary(),
      onPing: () => this.#pacer.pongSent(),
      onEnd: (end) => this.#end(end),
    });
  }

  /** Settled when the socket is gone. */
  get closed(): Promise<void> {
    return this.#connection.closed;
  }

  want(tickers: readonly string[]): void {
    this.#wanted = tickers;
    const wanted = new Set(tickers);
    for (const ticker of this.#refused) if (!wanted.has(ticker)) this.#refused.delete(ticker);
    this.#halves = this.#halves.map((half) => half.filter((ticker) => wanted.has(ticker)));
    if (!this.#open || this.ended) return;
    this.#pacer.wake();
    if (!this.subscribed) this.#checkSettled();
  }

  /** Ends the session without a word to the listener. */
  close(): void {
    this.#stop();
    void this.#connection.close();
  }

  #receive(text: string): void {
    const decoded = decodeFrame(text, this.#context.clock.nowMs(), this.#context.symbols);
    switch (decoded.kind) {
      case "answer":
        this.#listener.onDecoded(decoded, this);
        if (!this.ended) this.#answered(decoded);
        return;
      case "shutdown":
        this.#listener.onDecoded(decoded, this);
        if (!this.ended) this.#listener.onExpiring(this, "shutdown");
        return;
      case "bookTicker":
      case "trade":
      case "ticker24h":
        if (!this.delivering) {
          this.delivering = true;
          this.#listener.onDelivering(this);
        }
        this.#listener.onDecoded(decoded, this);
        return;
      default:
        this.#listener.onDecoded(decoded, this);
    }
  }

  /** Sends the next request, if there is one. */
  #sendNext(): boolean {
    const request = this.#nextRequest();
    if (request === null) return false;
    const id = this.#nextId++;
    for (const ticker of request.tickers) {
      if (request.method === "SUBSCRIBE") this.#asked.add(ticker);
      else this.#asked.delete(ticker);
    }
    const params = request.tickers.flatMap((ticker) => {
      const prefix = ticker.toLowerCase();
      return channels.map((channel) => `${prefix}@${channel}`);
    });
    const timer = setTimeout(() => {
      const { timeoutMs } = this.#context;
      this.#fail({ reason: "no-answer", detail: `${request.method} not answered within ${timeoutMs} ms` });
    }, this.#context.timeoutMs);
    this.#pending.set(id, { ...request, timer });
    const message: SubscriptionRequest = { method: request.method, params, id };
    this.#connection.send(JSON.stringify(message));
    return true;
  }

  #nextRequest(): Request | null {
    const wanted = new Set(this.#wanted);
    const gone = [...this.#asked].filter((ticker) => !wanted.has(ticker));
    if (gone.length > 0) return { method: "UNSUBSCRIBE", tickers: gone.slice(0, this.#symbolsPerRequest) };
    const half = this.#halves.find((tickers) => tickers.length > 0);
    const retried = new Set(this.#halves.flat());
    const fresh = this.#wanted.filter((t) => !this.#asked.has(t) && !this.#refused.has(t) && !retried.has(t));
    if (fresh.length > 0) return { method: "SUBSCRIBE", tickers: fresh.slice(0, this.#symbolsPerRequest) };
    this.#halves = this.#halves.filter((tickers) => tickers.length > 0 && tickers !== half);
    return half === undefined ? null : { method: "SUBSCRIBE", tickers: half };
  }

  #answered(answer: Answer): void {
    // An answer without an id can only be told by its place: the exchange answers in order.
    const id = answer.id ?? this.#pending.keys().next().value;
    const request = id === undefined ? undefined : this.#pending.get(id);
    if (id === undefined || request === undefined) return;
    clearTimeout(request.timer);
    this.#pending.delete(id);
    if (answer.error !== null) this.#wasRefused(request, answer.error);
    if (this.#refused.size === 0 && this.#halves.length === 0) this.refusal = null;
    this.#pacer.wake();
    if (answer.error !== null) this.#listener.onSubscriptions(this);
    this.#checkSettled();
  }

  /** A refused list of symbols is tried again in halves, so that one bad symbol does not silence the others. */
  #wasRefused({ method, tickers }: Request, error: string): void {
    this.refusal = `${method} refused: ${error}`;
    // What could not be unsubscribed goes on arriving and is skipped; asking again and again would help nobody.
    if (method === "UNSUBSCRIBE") return;
    for (const ticker of tickers) this.#asked.delete(ticker);
    const [only, ...more] = tickers;
    if (only !== undefined && more.length === 0) {
      this.#refused.add(only);
    } else {
      const middle = Math.ceil(tickers.length / 2);
      this.#halves.push(tickers.slice(0, middle), tickers.slice(middle));
    }
  }

  #checkSettled(): void {
    if (this.#pending.size > 0 || !this.#wanted.every((t) => this.#asked.has(t) || this.#refused.has(t))) return;
    this.subscribed = true;
    this.#listener.onSubscriptions(this);
  }

  #fail(end: SessionEnd): void {
    void this.#connection.close();
    this.#end(end);
  }

  #end(end: SessionEnd): void {
    if (this.ended) return;
    this.#stop();
    this.#listener.onEnd(end, this);
  }

  #stop(): void {
    this.ended = true;
    this.#pacer.stop();
    clearTimeout(this.#ageTimer);
    for (const { timer } of this.#pending.values()) clearTimeout(timer);
    this.#pending.clear();
  }
}
