import type { MarketEvent } from "../market-data/events.js";

/** The connection an event came through; the gate only asks whether it still lives. */
export interface EventSource {
  readonly ended: boolean;
}

interface Track {
  last: number;
  source: EventSource;
  /** When the first event behind `last` came since `last` was set; null when none did. */
  behindSinceMs: number | null;
}

interface SymbolTracks {
  bookTicker: Track | null;
  trade: Track | null;
  ticker24h: Track | null;
}

/**
 * Lets an event through when its number (sequence; for 24 h statistics the exchange time) is above the last one of its
 * symbol and kind. Numbers that are not above it are out of date, with one exception: an exchange that starts numbering
 * anew (symbol listed again, simulator restarted) must not mute the symbol for ever. The rule for that:
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

  admit(event: MarketEvent, source: EventSource): boolean {
    let tracks = this.#symbols.get(event.symbolId);
    if (tracks === undefined) {
      tracks = { bookTicker: null, trade: null, ticker24h: null };
      this.#symbols.set(event.symbolId, tracks);
    }
    const number = event.kind === "ticker24h" ? event.exchangeTimeMs : event.exchangeSequence;
    const track = tracks[event.kind];
    if (track === null) {
      tracks[event.kind] = { last: number, source, behindSinceMs: null };
      return true;
    }
    if (number <= track.last && !this.#isRenumbered(track, number, source, event.receivedAtMs)) return false;
    track.last = number;
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
