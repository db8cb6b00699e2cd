import { SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Span as SdkSpan,
  type SpanExporter,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace-base";
import { errorMessage } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { Span, SpanAttributes, Tracer } from "../core/tracer.js";

export interface TracingOptions {
  /** The collector's base URL, e.g. http://127.0.0.1:4318 */
  readonly endpoint: string;
  readonly serviceName: string;
  readonly serviceVersion: string;
  /** Of a hundred traces, how many are kept; a trace is kept whole or not at all. */
  readonly samplePercent: number;
  readonly log: Logger;
}

const kinds = { server: SpanKind.SERVER, client: SpanKind.CLIENT, internal: SpanKind.INTERNAL } as const;
/** A collector that does not answer may not hold up a stop. */
const exportTimeoutMs = 3_000;

class OpenSpan implements Span {
  constructor(readonly span: SdkSpan) {}

  set(attributes: SpanAttributes): void {
    this.span.setAttributes(attributes);
  }

  rename(name: string): void {
    this.span.updateName(name);
  }

  end(error: string | null): void {
    if (error !== null) this.span.setStatus({ code: SpanStatusCode.ERROR, message: error });
    this.span.end();
  }
}

/**
 * Sends spans to a collector by OTLP over HTTP, in batches; while it is away a bounded number waits and the rest is dropped.
 * Loaded only where tracing is configured. Nothing is registered globally, so that two programs in one process stay apart.
 */
export function startTracing(options: TracingOptions): Tracer & { close(): Promise<void> } {
  const exporter = new OTLPTraceExporter({
    url: `${options.endpoint.replace(/\/+$/, "")}/v1/traces`,
    timeoutMillis: exportTimeoutMs,
  });
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({
      "service.name": options.serviceName,
      "service.version": options.serviceVersion,
    }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(options.samplePercent / 100) }),
    spanProcessors: [new BatchSpanProcessor(logged(exporter, options.log), { exportTimeoutMillis: exportTimeoutMs })],
  });
  const tracer = provider.getTracer("tradegraph", options.serviceVersion);
  const contexts = new AsyncLocalStorageContextManager().enable();
  return {
    isOn: true,
    start: (name, kind, attributes) =>
      new OpenSpan(
        tracer.startSpan(name, { kind: kinds[kind], attributes: { ...attributes } }, contexts.active()) as SdkSpan,
      ),
    within: (span, work) =>
      span instanceof OpenSpan ? contexts.with(trace.setSpan(contexts.active(), span.span), work) : work(),
    active: () => {
      const span = trace.getSpan(contexts.active());
      return span === undefined ? null : new OpenSpan(span as SdkSpan);
    },
    close: async () => {
      // What could not be sent has been logged, and is no reason to fail.
      await provider.shutdown().catch(() => {});
      contexts.disable();
    },
  };
}

/** Says once that the collector does not take spans, and once that it does again. */
function logged(exporter: SpanExporter, log: Logger): SpanExporter {
  let isFailing = false;
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        const hasFailed = result.error !== undefined;
        if (hasFailed && !isFailing) log.warn({ error: errorMessage(result.error) }, "traces.not-sent");
        if (!hasFailed && isFailing) log.info({}, "traces.sent-again");
        isFailing = hasFailed;
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
  };
}
