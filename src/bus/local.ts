import type { Bus } from "./bus.js";

/** A bus within this process, for a node that is the only one. */
export class LocalBus implements Bus {
  readonly isConnected = true;
  readonly #listeners = new Map<string, Set<(text: string) => void>>();

  publish(subject: string, text: string): void {
    for (const listener of this.#listeners.get(subject) ?? []) listener(text);
  }

  /** Whole subjects only; nothing here needs `*`. */
  subscribe(subject: string, onText: (text: string) => void): () => void {
    const listeners = this.#listeners.get(subject) ?? new Set();
    this.#listeners.set(subject, listeners);
    listeners.add(onText);
    return () => {
      if (listeners.delete(onText) && listeners.size === 0) this.#listeners.delete(subject);
    };
  }

  onConnection(): () => void {
    return () => {};
  }

  durable(): null {
    return null;
  }

  close(): Promise<void> {
    this.#listeners.clear();
    return Promise.resolve();
  }
}
