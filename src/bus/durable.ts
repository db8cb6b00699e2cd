/** Whether the broker keeps what it is given. `unsupported` stays so until another connection is made. */
export type DurableState =
  | { readonly kind: "ready" }
  | { readonly kind: "away" }
  | { readonly kind: "unsupported"; readonly reason: string };

/** The broker cannot take anything now; the same message may be taken later. */
export class BusAwayError extends Error {
  override readonly name = "BusAwayError";
}

/** The broker does not take this message, now or later as it is. */
export class MessageRefusedError extends Error {
  override readonly name = "MessageRefusedError";
}

export interface DurableOptions {
  /** Another installation's stream is not touched. */
  readonly installationId: string;
  /** Whether what a message tells has happened here; false where an older database was restored. */
  readonly isKnown: (text: string) => Promise<boolean>;
}

/** Messages that the broker keeps until every consumer has taken them, or they are too old. */
export interface DurableBus {
  readonly state: DurableState;
  /** How often the stream was emptied since start because it told of what never happened. */
  readonly realignments: number;
  /**
   * Fulfilled when the broker has stored it. A second message of the same id is dropped.
   * @throws {BusAwayError} {MessageRefusedError}
   */
  publish(subject: string, text: string, id: string): Promise<void>;
  /**
   * Hands each message to one of the processes that consume for the same purpose, one after the other, at least once: again
   * after a while when `onText` fails. What came while nobody consumed comes first. Returns what ends it.
   */
  consume(purpose: string, onText: (text: string) => Promise<void>): () => Promise<void>;
}
