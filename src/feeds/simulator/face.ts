import type { SimulatedInstrument } from "./instruments.js";
import type { MarketStep, SymbolMarket } from "./market.js";
import type { Stream, StreamIndex } from "./streams.js";

/** What a connection is subscribed to, and whether its frames carry the name of their stream, where that can be chosen. */
export interface Subscriptions {
  readonly streams: ReadonlySet<string>;
  readonly combined: boolean;
  /** See {@link Opening.route}. */
  readonly route: string;
}

export type Change =
  | { readonly kind: "subscribe" | "unsubscribe"; readonly streams: readonly string[] }
  | { readonly kind: "combined"; readonly combined: boolean };

/** What a client's message leads to. */
export interface Outcome {
  /** Sent in this order, before anything that follows from the change. */
  readonly replies: readonly string[];
  /** Null when nothing changes, in particular after an error. */
  readonly change: Change | null;
  /** A subscription was refused because {@link AnswerContext.refuseSubscription} asked for it. */
  readonly refused?: boolean;
}

export interface AnswerContext {
  readonly maxStreams: number;
  readonly nowMs: number;
  /** A test wants the next subscription to be refused. */
  readonly refuseSubscription: boolean;
  /** Whether something is ever published in a stream of this name. */
  isKnown(stream: string): boolean;
}

/** How a connection begins. */
export interface Opening {
  readonly combined: boolean;
  /** Where an exchange has addresses with different streams: which one it is; else "". */
  readonly route: string;
  readonly streams: readonly string[];
}

/** The exchange's limits per connection. Tests shrink them; nothing else should. */
export interface ConnectionLimits {
  readonly maxStreams: number;
  /** Requests, pings and pongs; whoever sends more in any second is disconnected. */
  readonly maxMessagesPerSecond: number;
  /** Null where the exchange leaves it to the clients. */
  readonly pingIntervalMs: number | null;
  /** A ping that nobody answered for this long ends the connection. */
  readonly pongTimeoutMs: number;
  readonly maxConnectionAgeMs: number;
  /** A client with more than this unread gets no updates until it has read some of it. */
  readonly maxBufferedBytes: number;
  /** A client that still has too much unread after this long is disconnected. */
  readonly slowClientGraceMs: number;
}

export interface RestAnswer {
  readonly status: number;
  readonly body: string;
}

/** What REST answers are made from. */
export interface RestContext {
  readonly nowMs: number;
  readonly instruments: readonly SimulatedInstrument[];
  /** Up to date; undefined when there is no such symbol. */
  market(ticker: string): SymbolMarket | undefined;
}

type Kind = MarketStep["kind"];
type Step<K extends Kind> = Extract<MarketStep, { kind: K }>;

/** What is said in one stream whenever something of a kind happens. */
export interface Channel {
  readonly stream: Stream;
  readonly kind: Kind;
  publish(step: MarketStep): void;
  /** What who subscribes gets at once, e.g. a whole book; null for nothing. */
  greet(): string | null;
}

/** @param frame null when there is nothing to say of it; only called when somebody listens */
export const channel = <K extends Kind>(
  stream: Stream,
  kind: K,
  frame: (step: Step<K>) => string | null,
  greet: () => string | null = () => null,
): Channel => ({
  stream,
  kind,
  publish: (step) => {
    const text = stream.isWatched ? frame(step as Step<K>) : null;
    if (text !== null) stream.publish(text);
  },
  greet,
});

/** Why a REST request is refused whatever it asks for; 400 is for what is no address. */
export type Refusal = 400 | 418 | 429 | 503;

/** The words of one exchange for what happens in one of its markets. It has no state. */
export interface Face {
  /** Code of the market that it stands in for. */
  readonly market: string;
  readonly instruments: readonly SimulatedInstrument[];
  readonly limits: Partial<ConnectionLimits>;
  ticker(instrument: SimulatedInstrument): string;
  /** What is told of one symbol. */
  channels(ticker: string, market: SymbolMarket, streams: StreamIndex): readonly Channel[];
  /** Null for an address that the exchange does not have. */
  open(url: URL): Opening | null;
  answer(text: string, current: Subscriptions, context: AnswerContext): Outcome;
  rest(method: string, url: URL, context: RestContext): RestAnswer;
  refusal(status: Refusal): RestAnswer;
}

export const json = (status: number, body: unknown): RestAnswer => ({ status, body: JSON.stringify(body) });
