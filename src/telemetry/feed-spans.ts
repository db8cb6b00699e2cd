import type { Span, Tracer } from "../core/tracer.js";

/** A span for each time that a provider is not connected: from when it was lost, or first tried, until it is there. */
export class FeedSpans {
  readonly #open = new Map<string, Span>();

  constructor(private readonly tracer: Tracer) {}

  statusChanged(provider: string, status: string, detail: string | null): void {
    const open = this.#open.get(provider);
    if (status === "CONNECTED" || status === "DISCONNECTED") {
      this.#open.delete(provider);
      open?.end(status === "CONNECTED" ? null : "given up");
      return;
    }
    const span = open ?? this.#start(provider, status);
    // The last thing that went wrong, which is why it took so long.
    if (detail !== null) span.set({ "feed.detail": detail.slice(0, 200) });
  }

  close(): void {
    for (const span of this.#open.values()) span.end("stopped");
    this.#open.clear();
  }

  #start(provider: string, status: string): Span {
    const name = status === "CONNECTING" ? "feed connect" : "feed reconnect";
    const span = this.tracer.start(name, "client", { "feed.provider": provider, "feed.status": status });
    this.#open.set(provider, span);
    return span;
  }
}
