import type { Clock } from "../../core/time.js";
import { Connection, type ConnectionEnd } from "../connection.js";
import { Pacer } from "../pacer.js";
import type { EventSource } from "../sequence-gate.js";
import type {
  Answer,
  BinaryDecoder,
  DecodeContext,
  Decoded,
  Decoder,
  Message,
  Method,
  Protocol,
  Route,
  WriteRequests,
} from "./protocol.js";
import type { StreamTuning } from "./tuning.js";

/** Why a session ended: as its connection did, or a request was never answered. */
export interface SessionEnd {
  readonly reason: ConnectionEnd["reason"] | "no-answer";
  readonly detail: string;
}

export interface SessionContext extends DecodeContext {
  readonly protocol: Protocol;
  readonly route: Route;
  readonly timeoutMs: number;
  readonly staleAfterMs: number;
  readonly tuning: StreamTuning;
  readonly clock: Clock;
}

export interface SessionListener {
  /** Every frame that can be decoded, before it is. */
  onFrame(): void;
  /** What the frame says, after the session has used what is meant for it. */
  onDecoded(decoded: Decoded, session: Session): void;
  /** A binary frame of an exchange that should not send any. */
  onBinary(): void;
  /** The exchange has confirmed these. */
  onSubscribed(tickers: readonly string[]): void;
  /** All wanted symbols are subscribed, or refused for good; or one was just refused. */
  onSubscriptions(session: Session): void;
  /** The first market event on this session. */
  onDelivering(session: Session): void;
  /** The exchange will cut this session soon: it is old, or a shutdown was announced. */
  onExpiring(session: Session, why: "age" | "shutdown"): void;
  onEnd(end: SessionEnd, session: Session): void;
}

/** A change of subscriptions, which may take several messages: it is done when all are answered, refused when one is. */
interface Request {
  readonly method: Method | "RENEW";
  readonly tickers: readonly string[];
  openMessages: number;
  error: string | null;
}

interface SentMessage {
  readonly request: Request;
  answersLeft: number;
  readonly timer: NodeJS.Timeout;
}

/**
 * One connection and what is subscribed on it. {@link Session.want} says what shall be; at each turn that the pacing
 * allows, the session sends the one message that brings the exchange nearer to it: unsubscribing first, because
 * that keeps the number of streams below the limit, then subscribing in the wanted order.
 */
export class Session implements EventSource {
  readonly #context: SessionContext;
  readonly #listener: SessionListener;
  readonly #connection: Connection;
  readonly #pacer: Pacer;
  readonly #decode: Decoder;
  readonly #decodeBinary: BinaryDecoder | null;
  readonly #symbolsPerRequest: number;
  #wanted: readonly string[];
  /** What the exchange was asked to send and has not refused. */
  readonly #asked = new Set<string>();
  readonly #refused = new Set<string>();
  /** What the exchange has confirmed and was not asked to take off since. */
  readonly #confirmed = new Set<string>();
  /** Whose book shall be sent anew. */
  readonly #renewals = new Set<string>();
  /** Parts of a refused request that are tried again by themselves, to find the symbol at fault. */
  #halves: string[][] = [];
  /** Messages of a request that is only partly sent. */
  #unsent: { readonly request: Request; readonly message: Message }[] = [];
  readonly #unanswered = new Map<number, SentMessage>();
  #nextId = 1;
  #open = false;
  #pingDue = false;
  #pingTimer: NodeJS.Timeout | undefined;
  #ageTimer: NodeJS.Timeout | undefined;
  /** Until it is due, no further renewal is sent. */
  #renewalTimer: NodeJS.Timeout | undefined;
  ended = false;
  /** Everything wanted has been subscribed (or refused) at least once. */
  subscribed = false;
  delivering = false;
  /** The exchange's words for the latest refusal; null when nothing wanted is refused. */
  refusal: string | null = null;

  constructor(url: string, wanted: readonly string[], context: SessionContext, listener: SessionListener) {
    const { protocol, route, tuning } = context;
    this.#context = context;
    this.#listener = listener;
    this.#wanted = wanted;
    this.#decode = protocol.decoder(context);
    this.#decodeBinary = protocol.binaryDecoder?.(context) ?? null;
    this.#symbolsPerRequest = Math.max(1, Math.floor(tuning.maxNamesPerRequest / route.streamsPerSymbol));
    this.#pacer = new Pacer(tuning.requestGapMs, () => this.#sendNext());
    this.#connection = new Connection({
      url,
      connectTimeoutMs: context.timeoutMs,
      staleAfterMs: context.staleAfterMs,
      maxFrameBytes: tuning.maxFrameBytes,
      closeGraceMs: tuning.closeGraceMs,
      onOpen: () => this.#opened(),
      onText: (text) => this.#receive(text, this.#decode),
      onBinary: (frame) => {
        if (this.#decodeBinary === null) listener.onBinary();
        else this.#receive(frame, this.#decodeBinary);
      },
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

  confirms(ticker: string): boolean {
    return this.#confirmed.has(ticker);
  }

  /** Has the exchange send the symbol's book anew; false when it does not send it now. */
  renewBook(ticker: string): boolean {
    if (this.ended || !this.#confirmed.has(ticker)) return false;
    this.#renewals.add(ticker);
    this.#pacer.wake();
    return true;
  }

  /** Ends the session without a word to the listener. */
  close(): void {
    this.#stop();
    void this.#connection.close();
  }

  #opened(): void {
    const { protocol, tuning } = this.#context;
    this.#open = true;
    this.#ageTimer = setTimeout(() => this.#listener.onExpiring(this, "age"), tuning.maxConnectionAgeMs);
    if (protocol.ping !== null) {
      this.#pingTimer = setInterval(() => {
        this.#pingDue = true;
        this.#pacer.wake();
      }, protocol.ping.everyMs);
    }
    this.#pacer.wake();
  }

  #receive<Frame>(frame: Frame, decode: (frame: Frame, receivedAtMs: number) => ReturnType<Decoder>): void {
    this.#listener.onFrame();
    const decoded = decode(frame, this.#context.clock.nowMs());
    if ("kind" in decoded) {
      this.#take(decoded);
      return;
    }
    for (const part of decoded) {
      // What a listener did about an earlier part may have ended us.
      if (!this.ended) this.#take(part);
    }
  }

  #take(decoded: Decoded): void {
    switch (decoded.kind) {
      case "answer":
        this.#listener.onDecoded(decoded, this);
        if (!this.ended) this.#answered(decoded);
        return;
      case "shutdown":
        this.#listener.onDecoded(decoded, this);
        if (!this.ended) this.#listener.onExpiring(this, "shutdown");
        return;
      case "skipped":
      case "rejected":
        this.#listener.onDecoded(decoded, this);
        return;
      default:
        if (!this.delivering) {
          this.delivering = true;
          this.#listener.onDelivering(this);
        }
        this.#listener.onDecoded(decoded, this);
    }
  }

  /** Sends the next message, if there is one. */
  #sendNext(): boolean {
    const { protocol, clock } = this.#context;
    if (this.#pingDue && protocol.ping !== null) {
      this.#pingDue = false;
      this.#connection.send(protocol.ping.text(clock.nowMs()));
      return true;
    }
    if (this.#unsent.length === 0) this.#writeNextRequest();
    const next = this.#unsent.shift();
    if (next === undefined) return false;
    this.#send(next.message, next.request);
    return true;
  }

  #writeNextRequest(): void {
    const change = this.#nextChange();
    if (change === null) {
      this.#writeNextRenewal();
      return;
    }
    const { method, tickers } = change;
    for (const ticker of tickers) {
      if (method === "SUBSCRIBE") {
        this.#asked.add(ticker);
      } else {
        this.#asked.delete(ticker);
        this.#confirmed.delete(ticker);
        this.#renewals.delete(ticker);
      }
    }
    this.#write(method, tickers, this.#messages(this.#context.route.requests, method, tickers));
  }

  #writeNextRenewal(): void {
    const { bookRequests } = this.#context.route;
    const tickers = [...this.#renewals].slice(0, this.#symbolsPerRequest);
    if (tickers.length === 0 || bookRequests === undefined || this.#renewalTimer !== undefined) return;
    this.#renewalTimer = setTimeout(() => {
      this.#renewalTimer = undefined;
      this.#pacer.wake();
    }, this.#context.tuning.bookRenewalGapMs);
    for (const ticker of tickers) this.#renewals.delete(ticker);
    this.#write("RENEW", tickers, [
      ...this.#messages(bookRequests, "UNSUBSCRIBE", tickers),
      ...this.#messages(bookRequests, "SUBSCRIBE", tickers),
    ]);
  }

  #messages(requests: WriteRequests, method: Method, tickers: readonly string[]): readonly Message[] {
    return requests(method, tickers, () => this.#nextId++, this.#context.clock.nowMs());
  }

  #write(method: Request["method"], tickers: readonly string[], messages: readonly Message[]): void {
    const request: Request = { method, tickers, openMessages: messages.length, error: null };
    this.#unsent = messages.map((message) => ({ request, message }));
  }

  #send({ id, text, answers }: Message, request: Request): void {
    this.#connection.send(text);
    if (answers === 0) {
      this.#messageDone(request);
      return;
    }
    const { timeoutMs } = this.#context;
    const timer = setTimeout(() => {
      this.#fail({ reason: "no-answer", detail: `${request.method} not answered within ${timeoutMs} ms` });
    }, timeoutMs);
    this.#unanswered.set(id, { request, answersLeft: answers, timer });
  }

  #nextChange(): { readonly method: Method; readonly tickers: readonly string[] } | null {
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

  #answered({ id: answerId, error }: Answer): void {
    // An answer without an id can only be told by its place: the exchange answers in order.
    const id = answerId ?? this.#unanswered.keys().next().value;
    const message = id === undefined ? undefined : this.#unanswered.get(id);
    if (id === undefined || message === undefined) return;
    if (error === null && --message.answersLeft > 0) return;
    clearTimeout(message.timer);
    this.#unanswered.delete(id);
    message.request.error ??= error;
    this.#messageDone(message.request);
    if (!this.ended) this.#pacer.wake();
  }

  #messageDone(request: Request): void {
    if (--request.openMessages > 0) return;
    if (request.method === "RENEW") {
      // A refusal shows in the book that stays away, and whoever asked for it asks again.
      this.#checkSettled();
      return;
    }
    if (request.error !== null) this.#wasRefused(request, request.error);
    else if (request.method === "SUBSCRIBE") this.#subscribed(request.tickers);
    if (this.ended) return;
    if (this.#refused.size === 0 && this.#halves.length === 0) this.refusal = null;
    if (request.error !== null) this.#listener.onSubscriptions(this);
    this.#checkSettled();
  }

  #subscribed(tickers: readonly string[]): void {
    for (const ticker of tickers) if (this.#asked.has(ticker)) this.#confirmed.add(ticker);
    this.#listener.onSubscribed(tickers);
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
    if (this.#unsent.length > 0 || this.#unanswered.size > 0) return;
    if (!this.#wanted.every((t) => this.#asked.has(t) || this.#refused.has(t))) return;
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
    clearTimeout(this.#renewalTimer);
    clearInterval(this.#pingTimer);
    for (const { timer } of this.#unanswered.values()) clearTimeout(timer);
    this.#unanswered.clear();
  }
}
