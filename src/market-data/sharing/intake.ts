import type { LatestBoard } from "../latest-board.js";
import { candleKey, type LiveMarket } from "../live-market.js";
import type { OpportunityBoard } from "../opportunity-board.js";
import type { TradeTape } from "../trade-tape.js";
import { isBook, isCandle, isFlow, isOpportunities, isTrades, type ToldTrades, type TradePlace } from "./messages.js";
import type { Topic } from "./topics.js";

/** How the values of one topic come into the live market of a node without a feed. */
export interface Intake {
  /**
   * Null for a value that is none of this topic. Otherwise what takes it in, and says whether this node knows the present
   * state now; if it does not, the caller asks for it.
   */
  read(value: unknown): (() => boolean) | null;
  /** What is here may be out of date: it goes, until it is told again. */
  clear(): void;
  /** Whoever told it has gone; what another one tells does not go on from here. */
  breakOff(): void;
  /** Up to where trades were heard. */
  readonly place: TradePlace | null;
}

export function intakeOf(live: LiveMarket, topic: Topic, nowMs: () => number): Intake {
  switch (topic.kind) {
    case "books":
      return latestInto(live.books, topic.symbolId, (value) => isBook(value) && value.symbolId === topic.symbolId);
    case "flows":
      return latestInto(live.flows.told, topic.symbolId, (value) => isFlow(value) && value.symbolId === topic.symbolId);
    case "candles": {
      const { symbolId, interval } = topic;
      return latestInto(
        live.candles,
        candleKey(symbolId, interval),
        (value) => isCandle(value) && value.symbolId === symbolId && value.interval === interval,
      );
    }
    case "trades":
      return new TradeIntake(live.tape, topic.symbolId);
    case "arbitrage":
      return new OpportunityIntake(live.opportunities, nowMs);
  }
}

function latestInto<K, V>(board: LatestBoard<K, V>, key: K, isOfTopic: (value: unknown) => boolean): Intake {
  const clear = (): void => board.delete(key);
  return {
    place: null,
    clear,
    breakOff: clear,
    read: (value) => {
      if (value !== null && !isOfTopic(value)) return null;
      return () => {
        if (value === null) clear();
        else board.set(key, value as V);
        return true;
      };
    },
  };
}

/** Passes on each trade once: what was told twice is cut off, what was missed is asked for, what cannot be had breaks the stream. */
class TradeIntake implements Intake {
  #place: TradePlace | null = null;

  constructor(
    private readonly tape: TradeTape,
    private readonly symbolId: number,
  ) {}

  get place(): TradePlace | null {
    return this.#place;
  }

  read(value: unknown): (() => boolean) | null {
    if (!isTrades(value) || value.trades.some((trade) => trade.symbolId !== this.symbolId)) return null;
    return () => this.#take(value);
  }

  /** Trades do not grow old; what was missed meanwhile is asked for. */
  clear(): void {}

  breakOff(): void {
    if (this.#place === null) return;
    this.#place = null;
    this.tape.interrupt(this.symbolId);
  }

  #take({ stream, first, kept, trades }: ToldTrades): boolean {
    let next = this.#place?.next ?? first;
    if (this.#place !== null && (this.#place.stream !== stream || kept > next)) {
      this.breakOff();
      next = first;
    }
    const isFollowing = first <= next;
    if (isFollowing) {
      for (const trade of trades.slice(next - first)) this.tape.publish(trade);
      next = Math.max(next, first + trades.length);
    }
    this.#place = { stream, next };
    return isFollowing;
  }
}

class OpportunityIntake implements Intake {
  readonly place = null;
  #knowsAll = false;

  constructor(
    private readonly board: OpportunityBoard,
    private readonly nowMs: () => number,
  ) {}

  read(value: unknown): (() => boolean) | null {
    if (!isOpportunities(value)) return null;
    return () => {
      if (value.isWhole) this.board.replace(value.opportunities, this.nowMs());
      else if (this.#knowsAll) for (const opportunity of value.opportunities) this.board.tell(opportunity);
      this.#knowsAll ||= value.isWhole;
      return this.#knowsAll;
    };
  }

  /** Nobody here sees them any more, so for this node they end now; those that are still open are told again as open. */
  clear(): void {
    this.#knowsAll = false;
    this.board.replace([], this.nowMs());
  }

  breakOff(): void {
    this.clear();
  }
}
