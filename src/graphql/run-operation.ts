import {
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  GraphQLError,
  type GraphQLFormattedError,
  OperationTypeNode,
  subscribe,
} from "graphql";
import type { Span, Tracer } from "../core/tracer.js";
import type { ApiContext } from "./context.js";
import { Broadcast } from "./live/broadcast.js";
import { SharedPayload } from "./live/payload.js";
import type { SharedShape } from "./live/shape.js";
import type { Sink } from "./live/sink.js";
import type { OperationOutcome, OperationWatch } from "./operation-watch.js";
import type { Operation, OperationPreparer, OperationRequest } from "./prepare.js";
import { faultCost, limitRefusal, type RequestLimits } from "./request-limits.js";

/** Where everything goes that an operation has to say. After `error` or `complete` nothing follows. */
export interface OperationSink extends Sink {
  complete(): void;
}

/** An operation that has been started. */
export interface Running {
  /** Ends it without a word. */
  readonly stop: () => void;
  /** To be called when the sink can take messages again. */
  readonly onWritable: () => void;
}

/** Runs operations that come over a stream, of any kind. */
export class OperationRunner {
  readonly #broadcast: Broadcast;

  constructor(
    private readonly preparer: OperationPreparer,
    broadcast: Broadcast,
    private readonly watch: OperationWatch,
    private readonly tracer: Tracer,
    private readonly limits: RequestLimits,
  ) {
    this.#broadcast = broadcast;
  }

  isMutation(request: OperationRequest): boolean {
    const operation = this.preparer.prepare(request);
    return "definition" in operation && operation.definition.operation === OperationTypeNode.MUTATION;
  }

  run(request: OperationRequest, context: ApiContext, sink: OperationSink): Running {
    const span = this.tracer.start("operation", "server", {});
    return this.tracer.within(span, () => this.#run(request, context, sink, span));
  }

  /** The span ends when the operation is answered, or the subscription has begun. */
  #run(request: OperationRequest, context: ApiContext, sink: OperationSink, span: Span): Running {
    const allowance = this.limits.allowanceOf(context);
    const exhausted = allowance.refusal();
    if (exhausted !== null) return this.#refuse([limitRefusal(exhausted)], sink, span);
    const operation = this.preparer.prepare(request);
    if (!("definition" in operation)) {
      allowance.charge(faultCost, 0);
      return this.#refuse(operation, sink, span);
    }
    const standing = allowance.charge(operation.costOf(request.variables ?? {}), operation.mutationCount);
    if (standing !== null && standing.retryAfterMs > 0) return this.#refuse([limitRefusal(standing)], sink, span);
    const execution = this.preparer.executionArgs(operation, request, context);
    if (isShared(operation)) {
      const started = this.#broadcast.subscribe(operation, execution, sink);
      if (!("stop" in started)) return this.#refuse(started, sink, span);
      this.watch.ended(operation.definition.name?.value, OperationTypeNode.SUBSCRIPTION, "ok", 0);
      span.end(null);
      return started;
    }
    const { name, operation: kind } = operation.definition;
    const startMs = performance.now();
    const results = new PacedResults(sink, this.preparer, (outcome) => {
      this.watch.ended(name?.value, kind, outcome, performance.now() - startMs);
      span.end(outcome === "ok" ? null : outcome);
    });
    void results.start(kind, execution);
    return results;
  }

  #refuse(errors: readonly GraphQLError[], sink: OperationSink, span: Span): Running {
    this.watch.refused();
    span.end("refused");
    sink.error(this.preparer.formatErrors(errors));
    return { stop() {}, onWritable() {} };
  }
}

const isShared = (operation: Operation): operation is Operation & { readonly shared: SharedShape } =>
  operation.shared !== null;

/** Results of one operation for one reader. The next one is asked for when the network has taken the one before. */
class PacedResults implements Running {
  #iterator: AsyncIterator<ExecutionResult> | undefined;
  #resume: (() => void) | undefined;
  #isStopped = false;

  constructor(
    private readonly sink: OperationSink,
    private readonly preparer: OperationPreparer,
    /** Told once: how it has ended, or that a subscription has begun. */
    private readonly onOutcome: (outcome: OperationOutcome) => void,
  ) {}

  async start(kind: OperationTypeNode, execution: ExecutionArgs): Promise<void> {
    try {
      const result = await (kind === OperationTypeNode.SUBSCRIPTION ? subscribe(execution) : execute(execution));
      const hasErrors = !(Symbol.asyncIterator in result) && result.errors !== undefined;
      this.onOutcome(hasErrors ? "error" : "ok");
      if (Symbol.asyncIterator in result) await this.#follow(result[Symbol.asyncIterator]());
      // A subscription that could not be started has no data at all.
      else if (result.data === undefined && result.errors !== undefined) this.#fail(result.errors);
      else {
        this.#next(result);
        if (!this.#isStopped) this.sink.complete();
      }
    } catch (error) {
      this.#fail([error instanceof GraphQLError ? error : new GraphQLError("", { originalError: error as Error })]);
    }
  }

  readonly stop = (): void => {
    this.#isStopped = true;
    void this.#iterator?.return?.();
    this.#resume?.();
  };

  readonly onWritable = (): void => this.#resume?.();

  async #follow(iterator: AsyncIterator<ExecutionResult>): Promise<void> {
    this.#iterator = iterator;
    if (this.#isStopped) return void iterator.return?.();
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
      if (this.#isStopped) return;
      this.#next(next.value);
      // What was sent leaves in this turn of the event loop; whether the network took it shows in the next one.
      await new Promise<void>((resolve) => setImmediate(resolve));
      while (!this.sink.isWritable && !this.#isStopped) await this.#writable();
    }
    if (!this.#isStopped) this.sink.complete();
  }

  #writable(): Promise<void> {
    return new Promise((resolve) => {
      this.#resume = () => {
        this.#resume = undefined;
        resolve();
      };
    });
  }

  #next(result: ExecutionResult): void {
    if (this.#isStopped) return;
    const visible =
      result.errors === undefined ? result : { ...result, errors: this.preparer.formatErrors(result.errors) };
    this.sink.next(new SharedPayload(JSON.stringify(visible)));
  }

  #fail(errors: readonly GraphQLError[]): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    const formatted: readonly GraphQLFormattedError[] = this.preparer.formatErrors(errors);
    this.sink.error(formatted);
  }
}
