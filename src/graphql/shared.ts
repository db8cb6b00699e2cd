import { Extensions } from "type-graphql";
import type { SharedWatch } from "../core/shared-watch.js";
import type { ApiContext } from "./context.js";

/** A subscription whose messages are made once for all who ask in the same words. */
export interface SharedSubscription<Arguments = never, K = unknown, V = unknown> {
  /** Arguments that choose what is followed; all others take part in how a message looks. */
  readonly choosing: readonly string[];
  /**
   * May look up first what is followed. Who is asking may decide over that, and over nothing else of the messages.
   * @throws {DomainError} when an argument is wrong
   */
  readonly watch: (context: ApiContext, args: Arguments) => SharedWatch<K, V> | Promise<SharedWatch<K, V>>;
}

/** Put on a subscription next to `subscribe: servedShared`. */
export const Shared = <Arguments, K, V>(
  subscription: SharedSubscription<Arguments, K, V>,
): MethodDecorator & PropertyDecorator => Extensions({ shared: subscription });

/** Put on a field whose value depends on who is asking: a document that selects it is never shared. */
export const Private = (): MethodDecorator & PropertyDecorator => Extensions({ private: true });

/** What answers are made of, and what has a version that grows with every change of it. */
export type AnswerSource = "catalogue" | "quotes" | "marketHours";

/**
 * Put on a field: beside its parent and its arguments its value depends on these alone, whoever asks and whenever. Put on an
 * object type, it is said of its fields that have no resolver of their own. Answers that select nothing else are kept until
 * one of the sources changes; a field without the mark is never kept.
 */
export const MadeOf = (...sources: AnswerSource[]): MethodDecorator & PropertyDecorator & ClassDecorator =>
  Extensions({ madeOf: sources });

/** The library wants an iterator of every subscription; the shared ones are served without. */
export const servedShared = (): never => {
  throw new Error("a shared subscription is served by the broadcast");
};

/** Put on a field that costs more than a look into memory, in fields of that kind; see `cost.ts`. */
export const Costs = (fields: number): MethodDecorator & PropertyDecorator => Extensions({ cost: fields });

/** What a statement to the database costs. */
export const statementCost = 100;
