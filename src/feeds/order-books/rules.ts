import { crc32 } from "node:zlib";
import type { OrderBook } from "./book.js";
import type { BookDiff } from "./sync.js";

/**
 * Where a diff stands to a book: the change that follows it, one that is in it already, none at all (a sign of life), or
 * one that does not follow, so that something in between is missing.
 */
export type DiffPlace = "next" | "old" | "unchanged" | "gap";

/** What an exchange promises about the numbers of its snapshots and diffs. */
export interface BookRule {
  /** Whether snapshots are asked for by REST, or come in the stream after subscribing. */
  readonly snapshotsCome: "by-request" | "in-stream";
  /**
   * @param sequence the last change in the book
   * @param joined whether a diff has been applied since the snapshot: the first one may overlap it
   */
  place(diff: BookDiff, sequence: number, joined: boolean): DiffPlace;
  /** The exchange's checksum of a book; null where it has none. */
  readonly checksumOf: ((book: OrderBook) => number) | null;
}

/** For diffs that carry the first and last number of what they cover, where every change of the symbol has a number. */
function placeRange(diff: BookDiff, sequence: number): DiffPlace {
  if (diff.last <= sequence) return "old";
  // Quantities are absolute, so a diff that begins within the book and ends after it may be applied as a whole.
  return (diff.first ?? diff.last) <= sequence + 1 ? "next" : "gap";
}

/**
 * Binance spot, `<symbol>@depth@100ms` and `/api/v3/depth`: first is `U`, last is `u`, a snapshot has `lastUpdateId`.
 * Events with `u` up to the book's number are ignored, one whose `U` is above that number + 1 means start again, normally
 * `U` is the previous `u` + 1. Levels beyond the snapshot's limit stay unknown until they change.
 * @see https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md#how-to-manage-a-local-order-book-correctly
 */
export const binanceSpotRule: BookRule = { snapshotsCome: "by-request", place: placeRange, checksumOf: null };

/**
 * Binance USD-M futures, `<symbol>@depth@100ms` and `/fapi/v1/depth`: as spot, but numbers are shared by all symbols, so
 * ranges of one symbol do not touch; `pu` (our `previous`) names the `u` of the event before. The first event must have
 * `U` <= lastUpdateId <= `u`; then `pu` must be the previous `u`.
 *
 * We also take a first event with `pu` <= lastUpdateId: nothing of the symbol changed between `pu` and `U`. By the letter a
 * symbol that was quiet since before we subscribed would need a second snapshot for nothing.
 * @see https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/How-to-manage-a-local-order-book-correctly
 */
export const binanceUsdmRule: BookRule = {
  snapshotsCome: "by-request",
  place(diff, sequence, joined) {
    if (joined) {
      if (diff.last <= sequence) return "old";
      return diff.previous === sequence ? "next" : "gap";
    }
    if (diff.last < sequence) return "old";
    return Math.min(diff.first ?? diff.last, diff.previous ?? diff.last) <= sequence ? "next" : "gap";
  },
  checksumOf: null,
};

/**
 * OKX v5, channel `books` (400 levels): the snapshot comes in the stream with prevSeqId -1; each message's prevSeqId is the
 * seqId before it. After about a minute without changes a message with seqId = prevSeqId and no levels says that the
 * connection lives. After maintenance one message has seqId < prevSeqId, from where the numbering goes on; an older number
 * therefore does not prove that a diff is old, and only the repetition of the last one is ignored.
 *
 * `checksum` is the signed CRC-32 of the best 25 levels in the exchange's own digits, bid and ask in turn, joined by colons;
 * the longer side goes on alone. Since June 2026 the exchange sends 0 in its place, which is not verified; the numbers are the
 * proof then. Messages of 2022 have checksums and no numbers, which this rule follows too.
 * @see https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel
 * @see https://www.okx.com/help/okx-order-book-channels-checksum-field-deprecation
 */
export const okxRule: BookRule = {
  snapshotsCome: "in-stream",
  place(diff, sequence) {
    if (diff.previous === null) return "next";
    if (diff.previous === sequence) return diff.last === sequence ? "unchanged" : "next";
    return diff.last === sequence ? "old" : "gap";
  },
  checksumOf(book) {
    const { bids, asks } = book.originals(25);
    const parts: string[] = [];
    for (let i = 0; i < Math.max(bids.length, asks.length); i++) {
      const bid = bids[i];
      const ask = asks[i];
      if (bid !== undefined) parts.push(bid);
      if (ask !== undefined) parts.push(ask);
    }
    // Ours is unsigned, theirs is signed.
    return crc32(parts.join(":")) | 0;
  },
};

/**
 * Gate.io v4, `spot.order_book_update` and `futures.order_book_update`, snapshots by REST with `with_id=true`: the first
 * event has `U` <= id + 1 <= `u`, those with `u` < id + 1 are dropped, a later `U` above the last `u` + 1 means start again.
 * Spot also sends events with `full: true`, which replace the book: the feed hands those in as snapshots.
 * Futures sizes are contracts; the feed turns them into base currency before they come here.
 * @see https://www.gate.io/docs/developers/apiv4/ws/en/ and https://www.gate.io/docs/developers/futures/ws/en/
 * @see https://www.gate.io/article/19776 for the procedure, https://www.gate.io/announcements/article/44678 for `full`
 */
export const gateRule: BookRule = { snapshotsCome: "by-request", place: placeRange, checksumOf: null };

/**
 * Bybit v5, `orderbook.<depth>.<symbol>`: a snapshot after subscribing and again whenever the exchange sees fit, each of
 * which replaces the book; `u` grows by one per message, except that `u` = 1 is a snapshot after a restart of the service,
 * which the feed hands in as such whatever its type says.
 * @see https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook
 * @see https://bybit-exchange.github.io/docs/zh-TW/v5/sbe/level-50/sbe-level-50 for the step of one
 */
export const bybitRule: BookRule = {
  snapshotsCome: "in-stream",
  place(diff, sequence) {
    if (diff.last <= sequence) return "old";
    return diff.last === sequence + 1 ? "next" : "gap";
  },
  checksumOf: null,
};

/**
 * MEXC v3 spot, `spot@public.aggre.depth.v3.api.pb` and `/api/v3/depth`: first is fromVersion, last is toVersion, a snapshot
 * has lastUpdateId. The first event after the snapshot has fromVersion <= lastUpdateId + 1; each later one has fromVersion =
 * previous toVersion + 1, or all starts again.
 * @see https://www.mexc.com/api-docs/spot-v3/websocket-market-streams/how-to-properly-maintain-a-local-copy-of-the-order-book
 */
export const mexcRule: BookRule = {
  snapshotsCome: "by-request",
  place(diff, sequence, joined) {
    const place = placeRange(diff, sequence);
    return place === "next" && joined && diff.first !== sequence + 1 ? "gap" : place;
  },
  checksumOf: null,
};
