import { createClient } from "graphql-ws";
import WebSocket from "ws";

/** What a trader needs to begin; his account is open already. */
export interface TraderInput {
  /** Of the API nodes; whoever does not get an answer from one asks another. */
  readonly urls: readonly string[];
  readonly apiKey: string;
  readonly accountId: string;
  readonly symbolId: string;
  /** Unique for each trader. */
  readonly name: string;
  /** Between two things that he does. */
  readonly thinkMs: number;
}

/** An order that the API has answered. */
export interface AcknowledgedOrder {
  readonly id: string;
  readonly clientOrderId: string;
  /** Fills that the answer named. */
  readonly fillIds: readonly string[];
}

export interface TraderReport {
  readonly acknowledged: readonly AcknowledgedOrder[];
  /** Milliseconds by what was asked for. */
  readonly latencies: Readonly<Record<string, readonly number[]>>;
  /** How often by code; NETWORK where no node answered. */
  readonly errors: Readonly<Record<string, number>>;
  /** The newest version of each order that the stream has told. */
  readonly told: Readonly<Record<string, number>>;
  /** Order updates that came out of order: a stream that resumes tells none twice and skips none. */
  readonly disorder: readonly string[];
  readonly quotes: number;
  /** How long ago the last quote came. */
  readonly quoteAgeMs: number;
}

const operations = {
  dashboard: "{ dashboard { id symbol { id ticker quote { price bid ask change24h sequence } } } }",
  quotes: "{ defaultSymbols { id ticker market { code } quote { price bid ask } } }",
  orders: "{ orders(first: 20) { nodes { id status filledQuantity } pageInfo { hasNextPage } } }",
  place:
    "mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { id clientOrderId status version fills { id } } }",
  cancel: "mutation ($id: ID!) { cancelOrder(id: $id) { id status } }",
} as const;
type Operation = keyof typeof operations;

const quoteStream = "subscription { quotes(intervalMs: 250) { symbol { id } price isStale } }";
const orderStream =
  "subscription ($id: ID!, $after: String) { orderUpdated(accountId: $id, after: $after) { id version sequence } }";
const answerTimeoutMs = 20_000;
const retryMs = 200;

interface Answer {
  // biome-ignore lint/suspicious/noExplicitAny: each operation knows what it asked for
  readonly data?: any;
  readonly errors?: readonly { readonly extensions?: { readonly code?: string } }[];
}

/** What became of an order is unknown then, and it is repeated under the same name. */
const isUnknown: ReadonlySet<string> = new Set(["INTERNAL", "PROVIDER_UNAVAILABLE", "RATE_LIMITED"]);

/** Somebody with an app: he watches quotes and his orders, looks at his dashboard, places orders and cancels some. */
export class Trader {
  readonly #latencies: Record<string, number[]> = {};
  readonly #errors: Record<string, number> = {};
  readonly #acknowledged = new Map<string, AcknowledgedOrder>();
  readonly #resting: string[] = [];
  readonly #told: Record<string, number> = {};
  readonly #disorder: string[] = [];
  readonly #client;
  /** Sent again with each reconnect, which resumes after it. */
  readonly #orderVariables: { id: string; after: string | null };
  #placed = 0;
  #price: number | null = null;
  #quotes = 0;
  #lastQuoteMs = Number.NEGATIVE_INFINITY;
  #isOver = false;

  constructor(private readonly input: TraderInput) {
    this.#orderVariables = { id: input.accountId, after: null };
    this.#client = createClient({
      url: () => `${this.#anyUrl().replace("http", "ws")}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${input.apiKey}` },
      lazy: false,
      keepAlive: 5_000,
      retryAttempts: Number.POSITIVE_INFINITY,
      retryWait: () => wait(retryMs + Math.random() * retryMs),
      shouldRetry: () => true,
      onNonLazyError: () => {},
    });
  }

  /** Orders from before are told too: begin with `after`. */
  watch(after: string): void {
    this.#orderVariables.after = after;
    this.#follow(quoteStream, {}, ({ quotes }) => {
      this.#quotes++;
      this.#lastQuoteMs = performance.now();
      for (const { symbol, price, isStale } of quotes)
        if (symbol.id === this.input.symbolId && !isStale) this.#price = Number(price);
    });
    this.#follow(orderStream, this.#orderVariables, ({ orderUpdated: { id, version, sequence } }) => {
      const { after: last } = this.#orderVariables;
      if (last !== null && BigInt(sequence) <= BigInt(last)) this.#disorder.push(`${id} ${sequence} after ${last}`);
      this.#orderVariables.after = sequence;
      this.#told[id] = version;
    });
  }

  /** Trades until it is told to stop, and then has every order that was begun answered. */
  async trade(until: AbortSignal): Promise<void> {
    await wait(Math.random() * this.input.thinkMs, until);
    while (!until.aborted) {
      const dice = Math.random();
      if (dice < 0.35) await this.#ask("dashboard");
      else if (dice < 0.55) await this.#ask("quotes");
      else if (dice < 0.7) await this.#ask("orders");
      else if (dice < 0.85 || this.#price === null || this.#resting.length === 0) await this.#place(dice < 0.8);
      else await this.#ask("cancel", { id: this.#resting.shift() });
      await wait(this.input.thinkMs * (0.5 + Math.random()), until);
    }
  }

  report(): TraderReport {
    return {
      acknowledged: [...this.#acknowledged.values()],
      latencies: this.#latencies,
      errors: this.#errors,
      told: this.#told,
      disorder: this.#disorder,
      quotes: this.#quotes,
      quoteAgeMs: performance.now() - this.#lastQuoteMs,
    };
  }

  async close(): Promise<void> {
    this.#isOver = true;
    await this.#client.dispose();
  }

  // biome-ignore lint/suspicious/noExplicitAny: each stream knows what it asked for
  #follow(query: string, variables: Record<string, unknown>, take: (data: any) => void): void {
    this.#client.subscribe(
      { query, variables },
      {
        next: ({ data }) => {
          if (data != null) take(data);
        },
        // A node that had no database at that moment ends the stream: it begins again where it was.
        error: (error) => {
          this.#count(Array.isArray(error) ? `STREAM_${error[0]?.extensions?.code}` : "STREAM");
          if (!this.#isOver) setTimeout(() => this.#isOver || this.#follow(query, variables, take), retryMs);
        },
        complete: () => {},
      },
    );
  }

  /** Asked until there is an answer, with the same client id: that is what makes it safe. */
  async #place(isResting: boolean): Promise<void> {
    const price = this.#price;
    if (price === null) return;
    const { accountId, symbolId, name } = this.input;
    const clientOrderId = `${name}-${++this.#placed}`;
    const input = {
      accountId,
      symbolId,
      clientOrderId,
      side: "BUY",
      quantity: "0.001",
      ...(isResting ? { orderType: "LIMIT", price: String(Math.floor(price * 0.8)) } : { orderType: "MARKET" }),
    };
    while (!this.#isOver) {
      const { data, errors } = await this.#ask("place", { input });
      const order = data?.placeOrder;
      if (order != null) {
        const { id, fills } = order;
        this.#acknowledged.set(clientOrderId, {
          id,
          clientOrderId,
          fillIds: fills.map((fill: { id: string }) => fill.id),
        });
        if (isResting) this.#resting.push(id);
        return;
      }
      const code = errors?.[0]?.extensions?.code;
      // Anything else is a refusal: there is no such order.
      if (code !== undefined && !isUnknown.has(code)) return;
      await wait(retryMs);
    }
  }

  async #ask(operation: Operation, variables: Record<string, unknown> = {}): Promise<Answer> {
    const startMs = performance.now();
    let answer: Answer;
    try {
      const response = await fetch(`${this.#anyUrl()}/graphql`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${this.input.apiKey}` },
        body: JSON.stringify({ query: operations[operation], variables }),
        signal: AbortSignal.timeout(answerTimeoutMs),
      });
      answer = (await response.json()) as Answer;
    } catch {
      this.#count("NETWORK");
      return {};
    }
    const code = answer.errors?.[0]?.extensions?.code;
    if (code !== undefined) this.#count(code);
    this.#latencies[operation] ??= [];
    this.#latencies[operation].push(performance.now() - startMs);
    return answer;
  }

  #count(code: string): void {
    this.#errors[code] = (this.#errors[code] ?? 0) + 1;
  }

  #anyUrl(): string {
    const { urls } = this.input;
    return urls[Math.floor(Math.random() * urls.length)] ?? "";
  }
}

const wait = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done, { once: true });
  });
