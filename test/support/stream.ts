import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { until } from "./until.js";

export interface Stream<T> {
  /** Everything that has come so far. */
  readonly messages: T[];
  readonly errors: { message: string; extensions: { code: string } }[];
  readonly isComplete: boolean;
  /** Waits until a message has come that meets the condition, and returns it. */
  find(condition: (message: T) => boolean, timeoutMs?: number): Promise<T>;
  close(): Promise<void>;
}

/** A subscription by the public graphql-ws client, over a socket of its own. */
// biome-ignore lint/suspicious/noExplicitAny: the shape is the test's to know
export function openStream<T = any>(
  url: string,
  query: string,
  variables: Record<string, unknown> = {},
  connectionParams: Record<string, unknown> = {},
  more: { readonly operationName?: string; readonly extensions?: Record<string, unknown> } = {},
): Stream<T> {
  const client = createClient({ url, webSocketImpl: WebSocket, retryAttempts: 0, connectionParams });
  const messages: T[] = [];
  const errors: Stream<T>["errors"] = [];
  let isComplete = false;
  const stop = client.subscribe<T>(
    { query, variables, ...more },
    {
      next: (result) => {
        if (result.errors) errors.push(...(result.errors as unknown as Stream<T>["errors"]));
        if (result.data) messages.push(result.data);
      },
      error: (error) => {
        if (Array.isArray(error)) errors.push(...(error as Stream<T>["errors"]));
        else errors.push({ message: String(error), extensions: { code: String((error as { code?: number }).code) } });
        isComplete = true;
      },
      complete: () => {
        isComplete = true;
      },
    },
  );
  return {
    messages,
    errors,
    get isComplete() {
      return isComplete;
    },
    find: async (condition, timeoutMs = 5_000) => {
      await until(() => messages.some(condition), timeoutMs);
      return messages.find(condition) as T;
    },
    close: async () => {
      stop();
      await client.dispose();
    },
  };
}
