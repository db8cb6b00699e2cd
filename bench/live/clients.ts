import { answer } from "../helper.js";
import { RawClient } from "./raw-client.js";

/** The process of all clients of one server. */
export interface ConnectInput {
  readonly url: string;
  /** What each client subscribes with. */
  readonly watchlists: readonly (readonly string[])[];
  readonly query: string;
  readonly intervalMs: number;
  /** What each delivered quote has exactly once; a number follows it. */
  readonly mark: string;
  /** Of so many clients, one notes when it got which number. */
  readonly sampleEvery: number;
}

export interface Counted {
  readonly messages: number;
  readonly quotes: number;
  readonly bytes: number;
  readonly connected: number;
  /** The number after the mark, and when it came, by the machine's monotonic clock. */
  readonly samples: readonly (readonly [value: number, atMs: number])[];
}

let clients: RawClient[] = [];
let messages = 0;
let quotes = 0;
let bytes = 0;
let samples: [number, number][] = [];

const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

function connectAll({ url, watchlists, query, intervalMs, mark, sampleEvery }: ConnectInput): Promise<void> {
  const markBytes = Buffer.from(mark);
  let waiting = watchlists.length;
  return new Promise((resolve) => {
    clients = watchlists.map((symbolIds, index) => {
      let isReady = false;
      const isSampled = index % sampleEvery === 0;
      const client: RawClient = new RawClient(
        new URL(url),
        () => client.send({ type: "connection_init" }),
        (payload) => {
          if (!isReady) {
            const text = payload.toString();
            if (text.includes('"connection_ack"')) {
              const id = crypto.randomUUID();
              client.send({ id, type: "subscribe", payload: { query, variables: { ids: symbolIds, ms: intervalMs } } });
              // A server without a first message is ready now, as far as anyone can tell.
              isReady = true;
              if (--waiting === 0) resolve();
              return;
            }
          }
          messages++;
          bytes += payload.length;
          for (let at = payload.indexOf(markBytes); at !== -1; at = payload.indexOf(markBytes, at + 1)) {
            quotes++;
            if (isSampled) samples.push([numberAt(payload, at + markBytes.length), nowMs()]);
          }
        },
      );
      return client;
    });
  });
}

function numberAt(payload: Buffer, start: number): number {
  let value = 0;
  for (let at = start; ; at++) {
    const digit = (payload[at] ?? 0) - 48;
    if (digit < 0 || digit > 9) return value;
    value = value * 10 + digit;
  }
}

answer({
  connect: connectAll,
  count() {
    messages = quotes = bytes = 0;
    samples = [];
  },
  counted(): Counted {
    const connected = clients.filter((client) => client.isConnected).length;
    return { messages, quotes, bytes, connected, samples };
  },
  /** The first so many of those that are not sampled stop reading. */
  pause({ count, sampleEvery }: { count: number; sampleEvery: number }) {
    for (const client of clients.filter((_, index) => index % sampleEvery !== 0).slice(0, count)) client.pause();
  },
  close() {
    for (const client of clients) client.close();
    clients = [];
  },
});
