import type { Client } from "./client.js";

/** One stream by name, e.g. "btcusdt@bookTicker", and who is subscribed to it. */
export class Stream {
  readonly clients = new Set<Client>();
  constructor(
    readonly name: string,
    /** Something is published in it; other streams exist only as long as they have clients. */
    readonly isKnown: boolean,
  ) {}

  get isWatched(): boolean {
    return this.clients.size > 0;
  }

  /** @param bare for clients that do not want the name of the stream in their frames */
  publish(frame: string, bare: string = frame): void {
    for (const client of this.clients) client.sendUpdate(client.combined ? frame : bare);
  }
}

/** All streams of the exchange. Anyone may subscribe to any name. */
export class StreamIndex {
  readonly #streams = new Map<string, Stream>();

  /** The stream of this name, which is kept from now on. */
  known(name: string): Stream {
    const stream = new Stream(name, true);
    this.#streams.set(name, stream);
    return stream;
  }

  find(name: string): Stream | undefined {
    return this.#streams.get(name);
  }

  subscribe(client: Client, names: Iterable<string>): void {
    for (const name of names) {
      let stream = this.#streams.get(name);
      if (stream === undefined) {
        stream = new Stream(name, false);
        this.#streams.set(name, stream);
      }
      stream.clients.add(client);
      client.streams.add(name);
    }
  }

  unsubscribe(client: Client, names: Iterable<string>): void {
    for (const name of names) {
      client.streams.delete(name);
      const stream = this.#streams.get(name);
      stream?.clients.delete(client);
      if (stream?.clients.size === 0 && !stream.isKnown) this.#streams.delete(name);
    }
  }
}
