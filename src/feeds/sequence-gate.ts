import type { BookTickerEvent, FundingRateEvent, Ticker24hEvent, TradeEvent } from "../market-data/events.js";

/** The connection an event came through; the gate only asks whether it still lives. */
export interface EventSource {
  readonly ended: boolean;
}

/** The kinds of events whose order the gate can judge by themselves. */
export type GatedEvent = BookTickerEvent | TradeEvent | Ticker24hEvent | FundingRateEvent;

interface Track {
  last: number;
  /** Of trades: those with the number `last` that came before the latest of them, and the latest. */
  earlierIds: string[] | null;
  lastId: string | null;
  source: EventSource;
  /** When the first event behind `last` came since `last` was set; null when none did. */
  behindSinceMs: number | null;
}

type SymbolTracks = Record<GatedEvent["kind"], Track | null>;

/**
 * Lets an event through when its number (sequence; for statistics and funding the exchange time) is above the last one of
 * its symbol and kind. Where an exchange gives several trades one number, it is their ids that tell them apart. Numbers that
 * are not above the last one are out of date, with one exception: an exchange that starts numbering anew (symbol listed
 * again, simulator restarted) must not mute the symbol for ever. The rule for that:
 *
 * 1. While the connection that gave the last number is open and another one is behind it, the other is merely late or a
 *    duplicate (two connections overlap when one replaces the other): dropped.
 * 2. When that connection has ended and another one is behind by more than half of the last number, this is taken as a
 *    new numbering at once: no late delivery is ever that late.
 * 3. Otherwise, on the same connection too, what is behind is dropped until it has been behind for `lateForMs` with
 *    nothing ahead in between; then it is taken as a new numbering. This also heals a single absurdly high number.
 */
export class SequenceGate {
  readonly #lateForMs: number;
  readonly #symbols = new Map<number, SymbolTracks>();

  constructor(lateForMs: number) {
    this.#lateForMs = lateForMs;
  }

  admit(event: GatedEvent, source: EventSource): boolean {
    let tracks = this.#symbols.get(event.symbolId);
    if (tracks === undefined) {
      tracks = { bookTicker: null, trade: null, ticker24h: null, fundingRate: null };
      this.#symbols.set(event.symbolId, tracks);
    }
    const number =
      event.kind === "ticker24h" || event.kind === "fundingRate" ? event.exchangeTimeMs : event.exchangeSequence;
    const id = event.kind === "trade" ? event.tradeId : null;
    const track = tracks[event.kind];
    if (track === null) {
      tracks[event.kind] = { last: number, earlierIds: null, lastId: id, source, behindSinceMs: null };
      return true;
    }
    if (number === track.last && id !== null) {
      if (id === track.lastId || track.earlierIds?.includes(id) === true) return false;
      if (track.lastId !== null) remember(track, track.lastId);
    } else {
      if (number <= track.last && !this.#isRenumbered(track, number, source, event.receivedAtMs)) return false;
      track.last = number;
      track.earlierIds = null;
    }
    track.lastId = id;
    track.source = source;
    track.behindSinceMs = null;
    return true;
  }

  /** A symbol that is no longer wanted; if it comes back it starts anew. */
  forget(symbolId: number): void {
    this.#symbols.delete(symbolId);
  }

  #isRenumbered(track: Track, number: number, source: EventSource, receivedAtMs: number): boolean {
    const sameSource = source === track.source;
    if (number === track.last || (!sameSource && !track.source.ended)) return false;
    if (!sameSource && number < track.last / 2) return true;
    track.behindSinceMs ??= receivedAtMs;
    return receivedAtMs - track.behindSinceMs >= this.#lateForMs;
  }
}

/** More than any order fills at one moment; a number that never moves must not fill the memory. */
const maxIdsOfOneNumber = 1_000;

function remember(track: Track, id: string): void {
  track.earlierIds ??= [];
  track.earlierIds.push(id);
  if (track.earlierIds.length > maxIdsOfOneNumber) track.earlierIds.shift();
}
