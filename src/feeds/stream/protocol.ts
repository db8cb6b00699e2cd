import type { FixedPoint } from "../../core/fixed-point.js";
import type { Logger } from "../../core/logger.js";
import type { MarketEvent } from "../../market-data/events.js";
import type { FeedEndpoint } from "../feed.js";
import type { BookKeeperTuning } from "../order-books/keeper.js";
import type { BookRule } from "../order-books/rules.js";
import type { BookDiff, BookSnapshot } from "../order-books/sync.js";
import type { ContractSizes } from "./contract-sizes.js";
import type { StreamTuning } from "./tuning.js";

/** A symbol by the exchange's name for it. */
export interface StreamSymbol {
  /** Null when it is no longer wanted: frames may still arrive until the exchange has unsubscribed it. */
  readonly id: number | null;
  /** How it is written in stream names. */
  readonly streamPrefix: string;
}

/** A frame that was understood but carries nothing we keep; `what` comes from a fixed list. */
export interface Skipped {
  readonly kind: "skipped";
  readonly what: string;
}

/** A frame that broke the protocol or held absurd values; `what` comes from a fixed list. */
export interface Rejected {
  readonly kind: "rejected";
  readonly what: string;
}

/** The answer to one of our requests; `id` is null when the exchange could not tell which. */
export interface Answer {
  readonly kind: "answer";
  readonly id: number | null;
  /** Null means done. */
  readonly error: string | null;
}

/** The exchange closes this connection in a few minutes and asks us to open another one. */
export interface Shutdown {
  readonly kind: "shutdown";
}

/** A whole order book or a change of one, on its way to the feed's books. */
export interface BookMessage {
  readonly kind: "book";
  readonly symbolId: number;
  readonly message:
    | { readonly kind: "snapshot"; readonly snapshot: BookSnapshot }
    | { readonly kind: "diff"; readonly diff: BookDiff };
  readonly receivedAtMs: number;
}

export const skipped = (what: string): Skipped => ({ kind: "skipped", what });
export const rejected = (what: string): Rejected => ({ kind: "rejected", what });

export type Decoded = MarketEvent | Skipped | Rejected | Answer | Shutdown | BookMessage;

/** How an exchange's order books are kept. */
export interface BookProtocol {
  readonly rule: BookRule;
  /** Its pace keeps to what the exchange allows; half of that, because others ask it too. */
  readonly tuning: BookKeeperTuning;
  /**
   * By REST; null where snapshots come in the stream, which then has {@link Route.bookRequests}.
   * @param contractSize null where the exchange counts in the base currency
   * @throws {DomainError} PROVIDER_UNAVAILABLE
   */
  readonly fetchSnapshot:
    | ((
        endpoint: FeedEndpoint,
        ticker: string,
        contractSize: FixedPoint | null,
        signal: AbortSignal,
      ) => Promise<BookSnapshot>)
    | null;
}

/** By the exchange's name. Both maps change while the feed runs. */
export interface DecodeContext {
  readonly symbols: ReadonlyMap<string, StreamSymbol>;
  /** Empty where the exchange counts in the base currency. */
  readonly contractSizes: ContractSizes;
}

/**
 * Turns the text frames of one connection into what they say, in order; never throws. It may remember what came before on
 * its connection.
 */
export type Decoder = (text: string, receivedAtMs: number) => Decoded | readonly Decoded[];

/** As {@link Decoder} for binary frames. */
export type BinaryDecoder = (frame: Uint8Array, receivedAtMs: number) => Decoded | readonly Decoded[];

export type Method = "SUBSCRIBE" | "UNSUBSCRIBE";

/** One message to the exchange. */
export interface Message {
  readonly id: number;
  readonly text: string;
  /** How many answers say that all of it is done; 0 where the exchange does not answer. A single refusal is for the whole. */
  readonly answers: number;
}

/** A kind of connection: exchanges that spread their streams over several addresses have one for each. */
export interface Route {
  /** Appended to the provider's address, unless that ends with it. */
  readonly path: string;
  readonly streamsPerSymbol: number;
  /** Whether order books come this way. */
  readonly hasBooks: boolean;
  /** What subscribes or unsubscribes all streams of the symbols on this route. Asking twice must do no harm. */
  readonly requests: WriteRequests;
  /** As `requests`, for nothing but the symbols' books: taken off and put back, the exchange sends a snapshot. */
  readonly bookRequests?: WriteRequests;
}

export type WriteRequests = (
  method: Method,
  tickers: readonly string[],
  nextId: () => number,
  nowMs: number,
) => readonly Message[];

/** All that the stream machinery has to know of an exchange. It holds no state; what has state is made by its functions. */
export interface Protocol {
  readonly routes: readonly [Route, ...Route[]];
  readonly tuning: StreamTuning;
  streamPrefix(ticker: string): string;
  decoder(context: DecodeContext): Decoder;
  /** Where the exchange sends binary frames too; elsewhere they are rejected. */
  binaryDecoder?(context: DecodeContext): BinaryDecoder;
  /** What keeps a quiet connection open, where the exchange wants it in words; its answer is decoded as skipped. */
  readonly ping: { readonly everyMs: number; text(nowMs: number): string } | null;
  /**
   * Where quantities are counted in contracts: the size of each in the base currency.
   * @throws {DomainError} PROVIDER_UNAVAILABLE
   */
  readonly fetchContractSizes:
    | ((endpoint: FeedEndpoint, log: Logger, signal: AbortSignal) => Promise<ContractSizes>)
    | null;
  /** Absent where there are no order books; otherwise one of the routes carries them. */
  readonly books?: BookProtocol;
}
