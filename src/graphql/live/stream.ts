import { errorMessage } from "../../core/errors.js";
import type { Logger } from "../../core/logger.js";
import type { SharedWatch } from "../../core/shared-watch.js";
import { ChangedKeys } from "./changed-keys.js";
import { type Flushable, type FlushClock, timerSlackMs } from "./flush-clock.js";
import type { SharedPayload } from "./payload.js";
import type { Rendering } from "./rendering.js";
import type { Sink } from "./sink.js";

/** Items of one message; what is more waits for the next one. */
const maxPerMessage = 500;
const nobody: readonly never[] = [];

/** One reader. */
export interface Subscriber<K> {
  readonly sink: Sink;
  /** What it has not got because it was not ready; null while it is up to date, and then it shares the others' messages. */
  missed: Set<K> | null;
  isNew: boolean;
  /** Versions that its first message had, of what was about to be sent to the others; null when there was none. */
  seen: ReadonlyMap<K, unknown> | null;
  lastMs: number;
  lastSent: K | null;
}

/** Readers that follow the same. */
interface Channel<K, V> {
  readonly watch: SharedWatch<K, V>;
  readonly subscribers: Set<Subscriber<K>>;
  /** Those with something missed. */
  readonly late: Set<Subscriber<K>>;
  readonly changed: ChangedKeys<K>;
  stop: () => void;
}

/** What is sent at one moment, fixed before it is rendered. */
interface Delivery<K, V> {
  readonly channel: Channel<K, V>;
  /** The moment: intervals are counted between these, however long the rendering takes. */
  readonly atMs: number;
  /** For everyone who is up to date. */
  readonly keys: readonly K[];
  readonly late: readonly Subscriber<K>[];
}

/** The first message of those who have missed so much. */
interface Welcome {
  readonly size: number;
  readonly payloads: readonly SharedPayload[];
}

/** What becomes of messages, for all streams together. */
export interface BroadcastCounts {
  subscribers: number;
  /** Values that slow readers did not get, because a newer one came before they were ready. */
  conflated: number;
  /** Subscriptions that were ended because something would have been skipped. */
  overflowed: number;
}

export interface SharedStreamOptions<K, V> {
  readonly intervalMs: number;
  readonly rendering: Rendering<K, V>;
  readonly clock: FlushClock;
  readonly log: Logger;
  readonly counts: BroadcastCounts;
  /** The last reader has gone. */
  readonly onEmpty: () => void;
}

/**
 * All subscriptions of one shape and interval. What changed is rendered once per interval and sent to every channel that
 * follows it; a channel's message is put together once for all its readers. A reader that was not ready gets a message of its
 * own when it is, with the newest values of what it missed. Bounded by the keys that each reader follows, or by the watch's
 * own limit where every change has a key of its own.
 */
export class SharedStream<K, V> implements Flushable {
  readonly #channels = new Map<string, Channel<K, V>>();
  #changed = new Set<Channel<K, V>>();
  #newcomers = new Map<Subscriber<K>, Channel<K, V>>();
  #isWelcoming = false;
  #isBusy = false;
  #isDue = false;
  #closed = false;

  constructor(private readonly options: SharedStreamOptions<K, V>) {}

  /** Sends what is there now, and then what changes. Returns the function that ends it. */
  add(watch: SharedWatch<K, V>, sink: Sink): { readonly stop: () => void; readonly onWritable: () => void } {
    const channel = this.#channels.get(watch.name) ?? this.#open(watch);
    const subscriber: Subscriber<K> = {
      sink,
      missed: new Set(channel.watch.keys()),
      isNew: true,
      seen: null,
      lastMs: Number.NEGATIVE_INFINITY,
      lastSent: null,
    };
    channel.subscribers.add(subscriber);
    this.options.counts.subscribers++;
    channel.late.add(subscriber);
    this.#newcomers.set(subscriber, channel);
    this.#welcome();
    return {
      stop: () => this.#remove(channel, subscriber),
      onWritable: () => {
        if (subscriber.missed !== null && channel.subscribers.has(subscriber)) this.#schedule(channel);
      },
    };
  }

  /** Called by the clock. */
  flush(atMs: number): void {
    if (this.#isBusy) {
      this.#isDue = true;
      return;
    }
    const changed = this.#changed;
    this.#changed = new Set();
    void this.#deliver([...changed].map((channel) => this.#take(channel, atMs)));
  }

  #open(watch: SharedWatch<K, V>): Channel<K, V> {
    const channel: Channel<K, V> = {
      watch,
      subscribers: new Set(),
      late: new Set(),
      changed: new ChangedKeys(),
      stop() {},
    };
    this.#channels.set(watch.name, channel);
    channel.stop = watch.follow(
      (key) => {
        // With more than one change it waits for its turn already.
        if (channel.changed.size === 0) this.#schedule(channel);
        channel.changed.add(key);
      },
      () => {
        for (const subscriber of channel.subscribers) this.#end(channel, subscriber, "lost");
      },
    );
    return channel;
  }

  #remove(channel: Channel<K, V>, subscriber: Subscriber<K>): void {
    if (!channel.subscribers.delete(subscriber)) return;
    this.options.counts.subscribers--;
    channel.late.delete(subscriber);
    this.#newcomers.delete(subscriber);
    if (channel.subscribers.size > 0) return;
    channel.stop();
    this.#changed.delete(channel);
    this.#channels.delete(channel.watch.name);
    if (this.#channels.size > 0) return;
    this.#closed = true;
    this.options.clock.cancel(this.options.intervalMs, this);
    this.options.onEmpty();
  }

  #schedule(channel: Channel<K, V>): void {
    // With another one the flush is planned already.
    if (this.#changed.size === 0) this.options.clock.schedule(this.options.intervalMs, this);
    this.#changed.add(channel);
  }

  /** Newcomers do not wait for the interval; those of one turn of the event loop are served together. */
  #welcome(): void {
    if (this.#isWelcoming) return;
    this.#isWelcoming = true;
    setImmediate(() => {
      this.#isWelcoming = false;
      if (this.#isBusy || this.#newcomers.size === 0) return;
      void this.#deliver([]);
    });
  }

  #take(channel: Channel<K, V>, atMs: number): Delivery<K, V> {
    const keys = channel.changed.take();
    const late =
      channel.late.size === 0
        ? nobody
        : [...channel.late].filter((subscriber) => !subscriber.isNew && this.#isReady(subscriber, atMs));
    return { channel, atMs, keys, late };
  }

  #isReady({ sink, lastMs }: Subscriber<K>, atMs: number): boolean {
    return sink.isWritable && atMs - lastMs >= this.options.intervalMs - timerSlackMs;
  }

  async #deliver(deliveries: readonly Delivery<K, V>[]): Promise<void> {
    this.#isBusy = true;
    const newcomers = this.#newcomers;
    this.#newcomers = new Map();
    try {
      await this.#render(deliveries, newcomers);
      for (const delivery of deliveries) this.#send(delivery);
      const welcomes = new Map<Channel<K, V>, Welcome>();
      for (const [subscriber, channel] of newcomers) this.#greet(subscriber, channel, welcomes);
    } catch (error) {
      // Rendering turns errors into messages; whatever else happens must not end the stream of everyone.
      this.options.log.error({ err: error, error: errorMessage(error) }, "broadcast.failed");
    }
    this.#isBusy = false;
    if (this.#closed) return;
    if (this.#newcomers.size > 0) this.#welcome();
    if (this.#isDue) {
      this.#isDue = false;
      this.options.clock.schedule(this.options.intervalMs, this);
    }
  }

  #render(
    deliveries: readonly Delivery<K, V>[],
    newcomers: ReadonlyMap<Subscriber<K>, Channel<K, V>>,
  ): Promise<void> | void {
    const values = new Map<K, V>();
    const forNewcomers = new Set<K>();
    let versionOf: ((value: V) => unknown) | undefined;
    const want = ({ watch }: Channel<K, V>, keys: Iterable<K>) => {
      versionOf = watch.versionOf;
      for (const key of keys) {
        const value = values.has(key) ? undefined : watch.valueOf(key);
        if (value !== undefined) values.set(key, value);
      }
    };
    for (const { channel, keys, late } of deliveries) {
      want(channel, keys);
      for (const { missed } of late) want(channel, missed ?? []);
    }
    for (const [{ missed }, channel] of newcomers) {
      want(channel, missed ?? []);
      for (const key of missed ?? []) forNewcomers.add(key);
    }
    return versionOf === undefined ? undefined : this.options.rendering.update(values, versionOf, forNewcomers);
  }

  /** Newcomers of a channel share their first message. */
  #greet(subscriber: Subscriber<K>, channel: Channel<K, V>, welcomes: Map<Channel<K, V>, Welcome>): void {
    const { missed, sink } = subscriber;
    if (missed === null || !channel.subscribers.has(subscriber)) return;
    subscriber.isNew = false;
    subscriber.missed = null;
    channel.late.delete(subscriber);
    // Where every change has a key of its own there may be nothing to begin with.
    if (missed.size === 0 && channel.watch.overflow !== null) return;
    let welcome = welcomes.get(channel);
    // Two of them have missed equally much only when they have missed the same: it all goes up to now.
    if (welcome?.size !== missed.size) {
      welcome = { size: missed.size, payloads: this.options.rendering.payloads(visible(channel, [...missed])) };
      welcomes.set(channel, welcome);
    }
    const { rendering } = this.options;
    if (channel.changed.size > 0)
      subscriber.seen = new Map(channel.changed.all.map((key) => [key, rendering.versionOf(key)]));
    for (const payload of welcome.payloads) sink.next(payload);
    if (welcome.payloads.length > 0) sent(subscriber, lastOf(missed), performance.now());
  }

  #send({ channel, atMs, keys, late }: Delivery<K, V>): void {
    let shared: readonly SharedPayload[] | undefined;
    if (keys.length > 0) {
      for (const subscriber of channel.subscribers) {
        if (subscriber.seen !== null) {
          this.#miss(channel, subscriber, this.#unseen(subscriber.seen, keys));
          subscriber.seen = null;
          if (this.#isReady(subscriber, atMs)) this.#catchUp(channel, subscriber, atMs);
          continue;
        }
        if (subscriber.missed !== null || keys.length > maxPerMessage || !this.#isReady(subscriber, atMs)) {
          this.#miss(channel, subscriber, keys);
          continue;
        }
        shared ??= this.#payloads(channel, keys);
        for (const payload of shared) subscriber.sink.next(payload);
        if (shared.length > 0) sent(subscriber, keys.at(-1) ?? null, atMs);
      }
    }
    for (const subscriber of late) this.#catchUp(channel, subscriber, atMs);
    // Who is still late but could read waits for the interval only.
    for (const subscriber of channel.late) {
      if (!subscriber.isNew && subscriber.sink.isWritable) {
        this.#schedule(channel);
        break;
      }
    }
  }

  #unseen(seen: ReadonlyMap<K, unknown>, keys: readonly K[]): readonly K[] {
    const { rendering } = this.options;
    return keys.filter((key) => !seen.has(key) || seen.get(key) !== rendering.versionOf(key));
  }

  #miss(channel: Channel<K, V>, subscriber: Subscriber<K>, keys: readonly K[]): void {
    if (keys.length === 0) return;
    subscriber.missed ??= new Set();
    const before = subscriber.missed.size;
    for (const key of keys) subscriber.missed.add(key);
    this.options.counts.conflated += before + keys.length - subscriber.missed.size;
    channel.late.add(subscriber);
    const { overflow } = channel.watch;
    if (overflow !== null && subscriber.missed.size > overflow.maxWaiting) this.#end(channel, subscriber, "slow");
  }

  /** Where none may be skipped. */
  #end(channel: Channel<K, V>, subscriber: Subscriber<K>, reason: "slow" | "lost"): void {
    const error = channel.watch.overflow?.error(reason, subscriber.lastSent);
    if (error === undefined) return;
    this.#remove(channel, subscriber);
    this.options.counts.overflowed++;
    subscriber.sink.error([{ message: error.message, extensions: { code: error.code, ...error.details } }]);
  }

  #catchUp(channel: Channel<K, V>, subscriber: Subscriber<K>, atMs: number): void {
    const { missed, sink } = subscriber;
    if (missed === null || !channel.subscribers.has(subscriber)) return;
    let keys: readonly K[] = [...missed];
    if (keys.length > maxPerMessage) {
      keys = keys.slice(0, maxPerMessage);
      for (const key of keys) missed.delete(key);
    } else {
      subscriber.missed = null;
      channel.late.delete(subscriber);
    }
    const payloads = this.#payloads(channel, keys);
    for (const payload of payloads) sink.next(payload);
    if (payloads.length > 0) sent(subscriber, keys.at(-1) ?? null, atMs);
  }

  /** A list of nothing is no message. */
  #payloads(channel: Channel<K, V>, keys: readonly K[]): readonly SharedPayload[] {
    const shown = visible(channel, keys);
    return shown.length === 0 ? nobody : this.options.rendering.payloads(shown);
  }
}

/** Those that are still followed and have a value. */
const visible = <K, V>({ watch }: Channel<K, V>, keys: readonly K[]): readonly K[] =>
  keys.every((key) => watch.valueOf(key) !== undefined) ? keys : keys.filter((key) => watch.valueOf(key) !== undefined);

function lastOf<K>(keys: Iterable<K>): K | null {
  let last: K | null = null;
  for (const key of keys) last = key;
  return last;
}

function sent<K>(subscriber: Subscriber<K>, lastKey: K | null, atMs: number): void {
  subscriber.lastMs = atMs;
  subscriber.lastSent = lastKey ?? subscriber.lastSent;
}
