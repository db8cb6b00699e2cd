import {
  type ExecutionArgs,
  type GraphQLError,
  type GraphQLFormattedError,
  getArgumentValues,
  getVariableValues,
  locatedError,
} from "graphql";
import type { Logger } from "../../core/logger.js";
import type { SharedWatch } from "../../core/shared-watch.js";
import type { ApiContext } from "../context.js";
import type { Stamp } from "../http/answers.js";
import type { Operation } from "../prepare.js";
import { FlushClock } from "./flush-clock.js";
import { Rendering } from "./rendering.js";
import type { SharedShape } from "./shape.js";
import type { Sink } from "./sink.js";
import { type BroadcastCounts, SharedStream } from "./stream.js";

export interface BroadcastOptions {
  readonly formatErrors: (errors: readonly GraphQLError[]) => readonly GraphQLFormattedError[];
  /** The versions of what messages are made of; null when that is not known. */
  readonly stampOf: (operation: Operation) => Stamp | null;
  readonly log: Logger;
}

/** One subscriber's part in a broadcast. */
export interface Subscription {
  /** Nothing is sent any more. */
  readonly stop: () => void;
  /** To be called when the sink can take messages again. */
  readonly onWritable: () => void;
}

type AnyStream = SharedStream<unknown, unknown>;

/**
 * Subscriptions to shared data: those of the same words are executed once, whatever each of them follows, and messages are
 * made once for all who follow the same. A document that selects anything private has a stream to itself.
 */
export class Broadcast {
  readonly #clock = new FlushClock();
  readonly #streams = new Map<string | symbol, AnyStream>();

  readonly counts: BroadcastCounts = { subscribers: 0, conflated: 0, overflowed: 0 };

  constructor(private readonly options: BroadcastOptions) {}

  /** How many different streams are being made now. */
  get streamCount(): number {
    return this.#streams.size;
  }

  /** @returns why it is refused, or the subscription */
  subscribe(
    operation: Operation & { readonly shared: SharedShape },
    execution: ExecutionArgs,
    sink: Sink,
  ): Subscription | readonly GraphQLError[] {
    const { shared, definition, isPrivate } = operation;
    const variables = getVariableValues(
      execution.schema,
      definition.variableDefinitions ?? [],
      execution.variableValues ?? {},
    );
    if (variables.errors !== undefined) return variables.errors;
    const context = execution.contextValue as ApiContext;
    const { coerced } = variables;
    const located = (error: unknown) => [locatedError(error, [shared.node], [shared.responseName])];
    const begin = (watch: SharedWatch): Subscription => {
      const key = isPrivate ? Symbol(shared.responseName) : keyOf(shared, coerced, watch.intervalMs);
      const stream =
        this.#streams.get(key) ??
        this.#open(key, watch, operation, isPrivate ? execution : { ...execution, contextValue: anonymous(context) });
      return stream.add(watch, sink);
    };
    try {
      const args = getArgumentValues(shared.field, shared.node, coerced);
      const watch = shared.subscription.watch(context, args as never);
      if (!(watch instanceof Promise)) return begin(watch as SharedWatch);
      return beginLater(watch as Promise<SharedWatch>, begin, (error) =>
        sink.error(this.options.formatErrors(located(error))),
      );
    } catch (error) {
      return located(error);
    }
  }

  close(): void {
    this.#clock.close();
  }

  #open(
    key: string | symbol,
    watch: SharedWatch,
    operation: Operation & { readonly shared: SharedShape },
    execution: ExecutionArgs,
  ): AnyStream {
    const { log, formatErrors, stampOf } = this.options;
    const { responseName } = operation.shared;
    const stampNow = () => stampOf(operation);
    const stream: AnyStream = new SharedStream<unknown, unknown>({
      intervalMs: watch.intervalMs,
      rendering: new Rendering({ execution, responseName, isList: watch.isList, formatErrors, stampNow }),
      clock: this.#clock,
      log,
      counts: this.counts,
      onEmpty: () => this.#streams.delete(key),
    });
    this.#streams.set(key, stream);
    return stream;
  }
}

/** A subscription that has still to find out what it follows. Stopped meanwhile, it never begins. */
function beginLater(
  watch: Promise<SharedWatch>,
  begin: (watch: SharedWatch) => Subscription,
  fail: (error: unknown) => void,
): Subscription {
  let isStopped = false;
  let begun: Subscription | undefined;
  void watch
    .then((found) => {
      if (!isStopped) begun = begin(found);
    })
    .catch((error: unknown) => {
      if (!isStopped) fail(error);
    });
  return {
    stop: () => {
      isStopped = true;
      begun?.stop();
    },
    onWritable: () => begun?.onWritable(),
  };
}

const keyOf = (
  { text, variables }: SharedShape,
  values: Readonly<Record<string, unknown>>,
  intervalMs: number,
): string => JSON.stringify([text, variables.map((name) => values[name]), intervalMs]);

/** What is shared may not know anybody: a field that asks who it is for and is not marked as private must fail, not leak. */
function anonymous(context: ApiContext): ApiContext {
  return Object.defineProperty({ ...context }, "viewer", {
    get(): never {
      throw new Error("a field that depends on the viewer must be marked with @Private()");
    },
  });
}
