import type { Bus } from "../../bus/bus.js";
import type { Catalogue } from "../../catalogue/catalogue.js";
import type { Clock } from "../../core/time.js";
import type { ArbitrageOpportunity } from "../arbitrage-watch.js";
import type { TradeEvent } from "../events.js";
import type { LatestBoard } from "../latest-board.js";
import { candleKey, type LiveMarket } from "../live-market.js";
import type { OpportunityBoard } from "../opportunity-board.js";
import type { OrderFlowBoard } from "../order-flow-board.js";
import type { TradeTape } from "../trade-tape.js";
import {
  type Ask,
  asksSubject,
  feedNodesSubject,
  isAsk,
  parseJson,
  type SourceState,
  type Told,
  type ToldOpportunities,
  type ToldTrades,
  type TradePlace,
} from "./messages.js";
import type { RejectedMessages } from "./rejected-messages.js";
import { type Topic, topicOf } from "./topics.js";

/** Nobody has asked for this long: nobody wants it any more. Askers repeat themselves, and a few asks may be lost. */
const leaseMs = 7_000;
const aliveEveryMs = 1_000;
/** What changed is told together after this. */
const flushMs = 20;
/** A book is told at most this often, whatever its feed does. */
const bookEveryMs = 100;
const flowEveryMs = 500;
/** Trades of a symbol that can be told again to a node that was away. */
const keptTrades = 1_000;
const maxTradesPerMessage = 500;

export interface LiveSharing {
  readonly live: LiveMarket;
  readonly catalogue: Catalogue;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly rejected: RejectedMessages;
}

/** One topic as long as it is wanted: collects what changes on it. */
interface Shared {
  readonly everyMs: number;
  /** What has changed since this was last called, as values of messages. */
  changes(): readonly unknown[];
  /** What a node needs that joins or was away; null: what was told last, once more. */
  whole(from: TradePlace | null): readonly unknown[] | null;
  stop(): void;
}

interface Lease {
  readonly subject: string;
  readonly shared: Shared;
  untilMs: number;
  toldAtMs: number;
  /** Messages that were told last. */
  lastTold: readonly string[];
}

/**
 * On the node that has the feed: tells the other nodes what they ask for, from the present state on.
 *
 * NATS does not let a publisher know cheaply whether anybody listens, and to write every book as JSON ten times per second
 * for nobody is the largest cost that an idle system could have. So interest is a lease: an API node names the subjects that
 * it wants, and again every two seconds; what nobody has named for {@link leaseMs} is neither collected nor told. That
 * needs no farewell, and no account of who the nodes are. Funding rates are no topic: the API reads them from the database.
 */
export class LivePublisher {
  readonly #state: Omit<SourceState, "hasEnded">;
  readonly #leases = new Map<string, Lease>();
  readonly #changed = new Set<Lease>();
  readonly #stops: (() => void)[];
  #number = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly sharing: LiveSharing,
    source: string,
  ) {
    const { bus, clock } = sharing;
    this.#state = { source, startedAtMs: clock.nowMs() };
    const alive = setInterval(() => this.#live(), aliveEveryMs);
    this.#stops = [
      () => clearInterval(alive),
      bus.subscribe(asksSubject, (text) => this.#onAsks(text)),
      bus.onConnection((isConnected) => {
        if (isConnected) this.#rejoin();
      }),
    ];
  }

  /** Tells what waits, and that no more comes. */
  close(): void {
    for (const stop of this.#stops) stop();
    this.#flush();
    clearTimeout(this.#timer);
    for (const lease of this.#leases.values()) lease.shared.stop();
    this.#leases.clear();
    this.#say(true);
  }

  #onAsks(text: string): void {
    const asks = parseJson(text);
    if (Array.isArray(asks) && asks.every(isAsk)) for (const ask of asks) this.#onAsk(ask);
    else this.sharing.rejected.add(asksSubject, text);
  }

  #onAsk({ subject, tell, from }: Ask): void {
    const known = this.#leases.get(subject);
    const lease = known ?? this.#open(subject);
    // A symbol that this node has not heard of yet, or no more: the asker repeats itself.
    if (lease === null) return;
    lease.untilMs = performance.now() + leaseMs;
    if (tell || known === undefined) this.#tellWhole(lease, from);
  }

  #open(subject: string): Lease | null {
    const topic = topicOf(this.sharing.catalogue, subject);
    if (topic === null) return null;
    const onChange = (): void => {
      this.#changed.add(lease);
      this.#timer ??= setTimeout(() => this.#flush(), flushMs);
    };
    const shared = share(this.sharing.live, topic, () => ++this.#number, onChange);
    const lease: Lease = { subject, shared, untilMs: 0, toldAtMs: Number.NEGATIVE_INFINITY, lastTold: [] };
    this.#leases.set(subject, lease);
    return lease;
  }

  #tellWhole(lease: Lease, from: TradePlace | null): void {
    // What is new must not come after a state that has it already.
    const hasChanged = this.#changed.delete(lease) || lease.lastTold.length === 0;
    if (hasChanged) this.#tell(lease, lease.shared.changes());
    const whole = lease.shared.whole(from);
    if (whole !== null) this.#tell(lease, whole);
    // With the same number, so that it changes nothing for the nodes that have it.
    else if (!hasChanged) for (const text of lease.lastTold) this.sharing.bus.publish(lease.subject, text);
  }

  #flush(): void {
    this.#timer = undefined;
    const nowMs = performance.now();
    for (const lease of this.#changed) {
      if (nowMs - lease.toldAtMs < lease.shared.everyMs) continue;
      this.#changed.delete(lease);
      this.#tell(lease, lease.shared.changes());
    }
    if (this.#changed.size > 0) this.#timer = setTimeout(() => this.#flush(), flushMs);
  }

  #tell(lease: Lease, values: readonly unknown[]): void {
    lease.toldAtMs = performance.now();
    lease.lastTold = values.map((value) => {
      const told: Told = { ...this.#state, number: ++this.#number, value };
      const text = JSON.stringify(told);
      this.sharing.bus.publish(lease.subject, text);
      return text;
    });
  }

  #live(): void {
    // While the broker is away nobody can ask, which does not mean that nobody wants it.
    if (!this.sharing.bus.isConnected) return;
    const nowMs = performance.now();
    for (const lease of this.#leases.values()) {
      if (lease.untilMs > nowMs) continue;
      lease.shared.stop();
      this.#changed.delete(lease);
      this.#leases.delete(lease.subject);
    }
    if (this.#leases.size > 0) this.#say(false);
  }

  #rejoin(): void {
    const untilMs = performance.now() + leaseMs;
    for (const lease of this.#leases.values()) {
      lease.untilMs = Math.max(lease.untilMs, untilMs);
      this.#tellWhole(lease, null);
    }
  }

  #say(hasEnded: boolean): void {
    const state: SourceState = { ...this.#state, hasEnded };
    this.sharing.bus.publish(feedNodesSubject, JSON.stringify(state));
  }
}

function share(live: LiveMarket, topic: Topic, nextStream: () => number, onChange: () => void): Shared {
  switch (topic.kind) {
    case "books":
      return shareLatest(live.books, topic.symbolId, bookEveryMs, onChange);
    case "candles":
      return shareLatest(live.candles, candleKey(topic.symbolId, topic.interval), 0, onChange);
    case "flows":
      return shareFlow(live.flows, topic.symbolId, onChange);
    case "trades":
      return shareTrades(live.tape, topic.symbolId, nextStream, onChange);
    case "arbitrage":
      return shareOpportunities(live.opportunities, onChange);
  }
}

/** The newest value; null while there is none. */
function shareLatest<K, V>(board: LatestBoard<K, V>, key: K, everyMs: number, onChange: () => void): Shared {
  const stop = board.watch(key, onChange);
  return { everyMs, changes: () => [board.get(key) ?? null], whole: () => null, stop };
}

/** It changes with time, not only with events, so it is measured at intervals. */
function shareFlow(flows: OrderFlowBoard, symbolId: number, onChange: () => void): Shared {
  const timer = setInterval(onChange, flowEveryMs);
  const measure = (): readonly unknown[] => [flows.flowOf(symbolId)];
  return { everyMs: 0, changes: measure, whole: measure, stop: () => clearInterval(timer) };
}

/** The opportunities that changed, the newest state of each. */
function shareOpportunities(board: OpportunityBoard, onChange: () => void): Shared {
  const changed = new Map<string, ArbitrageOpportunity>();
  const stop = board.listen((opportunity) => {
    changed.set(opportunity.id, opportunity);
    onChange();
  });
  return {
    everyMs: 0,
    changes: () => {
      const told: ToldOpportunities = { isWhole: false, opportunities: [...changed.values()] };
      changed.clear();
      return [told];
    },
    whole: () => [{ isWhole: true, opportunities: board.open } satisfies ToldOpportunities],
    stop,
  };
}

/** Every trade once, and the newest {@link keptTrades} again to a node that was away. */
function shareTrades(tape: TradeTape, symbolId: number, nextStream: () => number, onChange: () => void): Shared {
  let stream = nextStream();
  /** The kept trades, oldest first; the first one has the number `kept`. */
  const trades: TradeEvent[] = [];
  let kept = 0;
  let told = 0;
  /** What was still to be told when a stream was interrupted. */
  const ended: ToldTrades[] = [];
  const stop = tape.listen(symbolId, {
    onTrade: (trade) => {
      trades.push(trade);
      onChange();
    },
    onGap: () => {
      ended.push(...tell(told));
      stream = nextStream();
      trades.length = kept = told = 0;
      // Without a trade yet, so that the gap is heard before the next one.
      ended.push({ stream, first: 0, kept, trades: [] });
      onChange();
    },
  });
  const tell = (first: number): ToldTrades[] => {
    const messages: ToldTrades[] = [];
    for (let at = first; at < kept + trades.length; at += maxTradesPerMessage) {
      messages.push({ stream, first: at, kept, trades: trades.slice(at - kept, at - kept + maxTradesPerMessage) });
    }
    return messages;
  };
  return {
    everyMs: 0,
    changes: () => {
      const messages = [...ended.splice(0), ...tell(told)];
      told = kept + trades.length;
      const tooMany = trades.length - keptTrades;
      if (tooMany > 0) {
        trades.splice(0, tooMany);
        kept += tooMany;
      }
      return messages;
    },
    whole: (from) =>
      from !== null && from.stream === stream && from.next >= kept && from.next < told
        ? tell(from.next)
        : [{ stream, first: told, kept, trades: [] } satisfies ToldTrades],
    stop,
  };
}
