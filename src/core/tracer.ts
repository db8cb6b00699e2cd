export type SpanAttributes = Readonly<Record<string, string | number>>;

/** A piece of work with a beginning and an end. */
export interface Span {
  set(attributes: SpanAttributes): void;
  rename(name: string): void;
  /** `error` is for people; null when all went well. */
  end(error: string | null): void;
}

/** Where spans go. What works without knowing of tracing tells it here, and by default nobody listens. */
export interface Tracer {
  readonly isOn: boolean;
  /** A span below the one that is active where this is called. */
  start(name: string, kind: "server" | "client" | "internal", attributes: SpanAttributes): Span;
  /** Runs the work, and all that follows from it, with the span as the active one. */
  within<T>(span: Span, work: () => T): T;
  active(): Span | null;
}

const silence: Span = { set() {}, rename() {}, end() {} };

export const noTracer: Tracer = {
  isOn: false,
  start: () => silence,
  within: (_span, work) => work(),
  active: () => null,
};
