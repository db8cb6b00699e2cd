import type { CandleInterval } from "../candle-intervals.js";
import type { Supplier } from "../latest-board.js";
import type { LiveMarket } from "../live-market.js";
import { type Intake, intakeOf } from "./intake.js";
import {
  type Ask,
  asksSubject,
  feedNodesSubject,
  isSourceState,
  isTold,
  parseJson,
  type Source,
  type Told,
} from "./messages.js";
import type { LiveSharing } from "./publish-live.js";
import { subjectOf, type Topic } from "./topics.js";

/** Says again what is wanted, and looks for feed nodes that have gone. A lease on the other side lasts three of these. */
const askEveryMs = 2_000;
/** A feed node that said nothing for this long has gone. */
const goneAfterMs = 5_000;
/** A query waits this long for the first answer. */
const answerWithinMs = 1_000;
/** After a query the topic stays open this long, so that the next ones are answered from memory. */
const heldMs = 5_000;
/** About 0.1 kB each; the broker refuses messages of more than 1 MB. */
const maxAsksPerMessage = 1_000;

interface OpenTopic {
  readonly subject: string;
  readonly intake: Intake;
  readonly stop: () => void;
  isWatched: boolean;
  heldUntilMs: number;
  /** Whether what is here is what the feed's node knows now. */
  isCurrent: boolean;
  askedAtMs: number;
  /** Who tells it, and the number of what came last. */
  source: string | null;
  number: number;
  /** Queries that wait for the first answer. */
  readonly waiting: Set<() => void>;
  timer: NodeJS.Timeout | undefined;
}

/**
 * On a node without a feed: brings into {@link LiveMarket} what somebody here watches or asks for, and nothing else.
 *
 * A topic that is opened asks for the present state, so its first value comes with the answer and not with the next change.
 * What is wanted is said again and again, so that it does not matter in which order nodes and broker come and go. Of one
 * source only newer states count; another source takes a topic over when it started later, or when the first has gone.
 * When a feed node falls silent or the broker is lost, the boards are emptied: nothing stays that may be out of date.
 */
export class LiveReceiver {
  readonly #topics = new Map<string, OpenTopic>();
  readonly #sources = new Map<string, { readonly startedAtMs: number; heardAtMs: number }>();
  readonly #toAsk = new Set<OpenTopic>();
  readonly #stops: (() => void)[];
  #asking: NodeJS.Immediate | undefined;

  constructor(private readonly sharing: LiveSharing) {
    const { bus, live } = sharing;
    supply(live, (topicOf) => this.#supplier(topicOf));
    const ticks = setInterval(() => this.#tick(), askEveryMs);
    this.#stops = [
      () => clearInterval(ticks),
      bus.subscribe(feedNodesSubject, (text) => this.#onFeedNode(text)),
      bus.onConnection((isConnected) => (isConnected ? this.#rejoin() : this.#lost())),
    ];
  }

  close(): void {
    supply(this.sharing.live, () => null);
    for (const stop of this.#stops) stop();
    clearImmediate(this.#asking);
    for (const topic of this.#topics.values()) this.#end(topic);
  }

  #supplier<K>(topicOf: (key: K) => Topic): Supplier<K> {
    return {
      setWanted: (key, isWanted) => {
        const topic = this.#open(topicOf(key));
        if (topic === null) return;
        topic.isWatched = isWanted;
        this.#endUnwanted(topic);
      },
      refresh: (key) => {
        const topic = this.#open(topicOf(key));
        if (topic === null) return undefined;
        topic.heldUntilMs = performance.now() + heldMs;
        return this.#refresh(topic);
      },
    };
  }

  #open(name: Topic): OpenTopic | null {
    const { bus, catalogue, clock, live } = this.sharing;
    const subject = subjectOf(catalogue, name);
    if (subject === null) return null;
    const known = this.#topics.get(subject);
    if (known !== undefined) return known;
    const topic: OpenTopic = {
      subject,
      intake: intakeOf(live, name, () => clock.nowMs()),
      stop: bus.subscribe(subject, (text) => this.#onTold(topic, text)),
      isWatched: false,
      heldUntilMs: Number.NEGATIVE_INFINITY,
      isCurrent: false,
      askedAtMs: 0,
      source: null,
      number: -1,
      waiting: new Set(),
      timer: undefined,
    };
    this.#topics.set(subject, topic);
    this.#askFor(topic);
    return topic;
  }

  #end(topic: OpenTopic): void {
    this.#topics.delete(topic.subject);
    this.#toAsk.delete(topic);
    topic.stop();
    topic.intake.clear();
    release(topic);
  }

  #endUnwanted(topic: OpenTopic): void {
    if (!topic.isWatched && topic.heldUntilMs <= performance.now()) this.#end(topic);
  }

  /** Nobody waits for a topic that was asked for long ago: there is no feed node, or it does not know the symbol. */
  #refresh(topic: OpenTopic): Promise<void> | undefined {
    const waitMs = topic.askedAtMs + answerWithinMs - performance.now();
    if (topic.isCurrent || waitMs <= 0 || !this.sharing.bus.isConnected) return undefined;
    topic.timer ??= setTimeout(() => release(topic), waitMs);
    return new Promise((resolve) => topic.waiting.add(resolve));
  }

  /** Those of one turn go together. */
  #askFor(topic: OpenTopic): void {
    topic.isCurrent = false;
    topic.askedAtMs = performance.now();
    this.#toAsk.add(topic);
    this.#asking ??= setImmediate(() => {
      this.#asking = undefined;
      this.#ask(this.#toAsk);
      this.#toAsk.clear();
    });
  }

  #ask(topics: Iterable<OpenTopic>): void {
    const asks = Array.from(
      topics,
      ({ subject, isCurrent, intake }): Ask => ({ subject, tell: !isCurrent, from: intake.place }),
    );
    for (let start = 0; start < asks.length; start += maxAsksPerMessage) {
      this.sharing.bus.publish(asksSubject, JSON.stringify(asks.slice(start, start + maxAsksPerMessage)));
    }
  }

  #onTold(topic: OpenTopic, text: string): void {
    const told = parseJson(text);
    const takeIn = isTold(told) ? topic.intake.read(told.value) : null;
    if (!isTold(told) || takeIn === null) {
      this.sharing.rejected.add(topic.subject, text);
      return;
    }
    this.#heard(told);
    if (!this.#isNewer(topic, told)) return;
    topic.number = told.number;
    const wasCurrent = topic.isCurrent;
    topic.isCurrent = takeIn();
    if (topic.isCurrent) release(topic);
    else if (wasCurrent && this.#topics.has(topic.subject)) this.#askFor(topic);
  }

  #isNewer(topic: OpenTopic, told: Told): boolean {
    if (topic.source === told.source) return told.number > topic.number;
    const known = topic.source === null ? undefined : this.#sources.get(topic.source);
    if (known !== undefined && known.startedAtMs >= told.startedAtMs) return false;
    if (topic.source !== null) {
      topic.intake.breakOff();
      this.#askFor(topic);
    }
    topic.source = told.source;
    return true;
  }

  #onFeedNode(text: string): void {
    const state = parseJson(text);
    if (!isSourceState(state)) this.sharing.rejected.add(feedNodesSubject, text);
    else if (state.hasEnded) this.#gone(state.source);
    else this.#heard(state);
  }

  #heard({ source, startedAtMs }: Source): void {
    const heardAtMs = performance.now();
    const known = this.#sources.get(source);
    if (known === undefined) this.#sources.set(source, { startedAtMs, heardAtMs });
    else known.heardAtMs = heardAtMs;
  }

  #gone(source: string): void {
    this.#sources.delete(source);
    for (const topic of this.#topics.values()) {
      if (topic.source !== source) continue;
      topic.source = null;
      topic.number = -1;
      topic.isCurrent = false;
      topic.intake.breakOff();
    }
  }

  #lost(): void {
    for (const topic of this.#topics.values()) {
      topic.number = -1;
      topic.isCurrent = false;
      topic.intake.clear();
      release(topic);
    }
  }

  #rejoin(): void {
    const nowMs = performance.now();
    // They could not be heard meanwhile.
    for (const source of this.#sources.values()) source.heardAtMs = nowMs;
    for (const topic of this.#topics.values()) this.#askFor(topic);
  }

  #tick(): void {
    for (const topic of this.#topics.values()) this.#endUnwanted(topic);
    if (!this.sharing.bus.isConnected) return;
    const nowMs = performance.now();
    for (const [source, { heardAtMs }] of this.#sources) {
      if (nowMs - heardAtMs > goneAfterMs) this.#gone(source);
    }
    this.#ask(this.#topics.values());
  }
}

function release(topic: OpenTopic): void {
  clearTimeout(topic.timer);
  topic.timer = undefined;
  for (const resolve of topic.waiting) resolve();
  topic.waiting.clear();
}

/** Makes a supplier for each kind of topic the source of the live market's values, or with null takes them away. */
function supply(live: LiveMarket, supplierOf: <K>(topicOf: (key: K) => Topic) => Supplier<K> | null): void {
  live.books.supplyFrom(supplierOf((symbolId) => ({ kind: "books", symbolId })));
  live.flows.told.supplyFrom(supplierOf((symbolId) => ({ kind: "flows", symbolId })));
  live.tape.supplyFrom(supplierOf((symbolId) => ({ kind: "trades", symbolId })));
  live.opportunities.supplyFrom(supplierOf(() => ({ kind: "arbitrage" })));
  live.candles.supplyFrom(
    supplierOf((key) => {
      const [symbolId, interval] = key.split(" ");
      return { kind: "candles", symbolId: Number(symbolId), interval: interval as CandleInterval };
    }),
  );
}
