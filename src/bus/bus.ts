import type { DurableBus, DurableOptions } from "./durable.js";

/** Messages between the nodes of one installation. At most once: what nobody hears is gone, and a sender never waits. */
export interface Bus {
  /** False while the broker is away; then {@link publish} drops, because a price is worth nothing later. */
  readonly isConnected: boolean;
  /** @param subject words joined by dots, e.g. "quotes.BINANCE_SPOT.17" */
  publish(subject: string, text: string): void;
  /** Hears a subject from now on, also after the broker was away. `*` stands for one word. Returns what ends it. */
  subscribe(subject: string, onText: (text: string) => void): () => void;
  /** Calls back when the broker is lost and found. Returns what ends it. */
  onConnection(listener: (isConnected: boolean) => void): () => void;
  /** Messages that the broker keeps; null where there is no broker. To be asked for once. */
  durable(options: DurableOptions): DurableBus | null;
  close(): Promise<void>;
}
