import type { DomainError } from "./errors.js";

/**
 * What one subscription follows: things with keys that change, e.g. quotes by symbol. Everything that looks the same for
 * several subscribers is made once for all of them, so nothing here may depend on who is asking but the choice of keys.
 */
export interface SharedWatch<K = unknown, V = unknown> {
  /** Equal for equal choices: subscriptions of one name and one interval get the same messages. */
  readonly name: string;
  /** Shortest time between two messages; 0: as soon as possible. */
  readonly intervalMs: number;
  /** Whether a message is a list of what changed; otherwise there is one message for each. */
  readonly isList: boolean;
  /** What the first message carries. */
  keys(): Iterable<K>;
  /** The value now; undefined when there is none, or when the key is not followed any more. */
  valueOf(key: K): V | undefined;
  /** Differs for values that look different. The value itself, where it is never changed in place. */
  readonly versionOf: (value: V) => unknown;
  /**
   * Calls back after each change, and `onGap` when changes were lost on the way here. Returns the function that ends it.
   * A gap ends the subscriptions where none may be skipped; elsewhere there is none.
   */
  follow(onChange: (key: K) => void, onGap: () => void): () => void;
  /** Null where a reader that falls behind just gets the newest values, which are at most as many as there are keys. */
  readonly overflow: SharedOverflow<K> | null;
}

/** Where every change has a key of its own, and none may be skipped. */
export interface SharedOverflow<K> {
  /** So many may wait for one reader; with one more the subscription ends. */
  readonly maxWaiting: number;
  /**
   * Why a subscription ends: its reader is too slow, or changes were lost before they came here.
   * @param lastSent null when nothing was sent
   */
  error(reason: "slow" | "lost", lastSent: K | null): DomainError;
}
